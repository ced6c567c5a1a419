"""Two scales in one network: what the base sees of a noisy picture, and what it says is made of."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers.models.embeddings import Timesteps
from torch.testing import assert_close

from diffusion_utils.emoji64.network import EmojiUNet, ResBlock, pooled, time_features
from diffusion_utils.schedule import Schedule

SCHEDULE = Schedule.cosine()


def alpha_bar_of(t):
    """The squared cosine of Nichol & Dhariwal, written out, between two timesteps on a line."""
    x = (np.arange(1001) / 1000 + 0.008) / 1.008
    level = np.cos(x * np.pi / 2) ** 2
    betas = np.minimum(1 - level[1:] / level[:-1], 0.999)
    return np.interp(t, np.arange(1000), np.cumprod(1 - betas))


def posterior_mean(mean, variance, x, alpha_bar):
    """E[y | x] for y of this mean and variance, x = sqrt(alpha_bar) y + sqrt(1 - alpha_bar) noise."""
    total = alpha_bar * variance + 1 - alpha_bar
    return mean + alpha_bar**0.5 * variance / total * (x - alpha_bar**0.5 * mean)


def test_time_features_are_those_of_diffusers():
    t = torch.linspace(0, 999, 1001)
    theirs = Timesteps(64, flip_sin_to_cos=True, downscale_freq_shift=0)
    assert_close(time_features(t), theirs(t), rtol=0, atol=1e-4)


@pytest.mark.parametrize("t", [0, 7, 120, 480, 800, 999])
@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_the_pooled_picture_says_of_the_clean_one_what_the_whole_says(t, correlation):
    """Gaussian blocks of 2x2 pixels: the mean of a clean block given all four noisy pixels."""
    mean, std = 0.3, 0.6
    covariance = std**2 * (correlation * np.ones((4, 4)) + (1 - correlation) * np.eye(4))
    alpha_bar = alpha_bar_of(t)
    x_t = np.random.default_rng(t).normal(size=4)
    noisy = alpha_bar * covariance + (1 - alpha_bar) * np.eye(4)
    x_0 = mean + alpha_bar**0.5 * covariance @ np.linalg.solve(noisy, x_t - alpha_bar**0.5 * mean)
    block = torch.from_numpy(x_t).view(1, 1, 2, 2)
    x, level = pooled(SCHEDULE, block, torch.tensor([t]))
    variance_of_the_mean = covariance.mean()
    found = posterior_mean(mean, variance_of_the_mean, x.item(), level.item())
    assert found == pytest.approx(x_0.mean(), abs=1e-6)


@pytest.mark.parametrize("t", [0, 300, 999])
def test_pooled_noise_is_white_and_of_unit_variance(t):
    g = torch.Generator().manual_seed(t)
    eps = torch.randn(400, 1, 16, 16, generator=g, dtype=torch.float64)
    times = torch.full((400,), t)
    noise = SCHEDULE.forward(torch.zeros_like(eps), times, eps)
    x, level = pooled(SCHEDULE, noise, times)
    assert x.shape == (400, 1, 8, 8) and level.shape == (400,)
    noise = (x / (1 - level).sqrt().view(-1, 1, 1, 1)).view(400, 64)
    covariance = noise.T @ noise / 400
    assert_close(covariance, torch.eye(64).double(), atol=0.25, rtol=0)
    off = covariance[~torch.eye(64, dtype=torch.bool)]
    assert off.mean().abs() < 0.01
    assert covariance.diag().mean().item() == pytest.approx(1, abs=0.03)


def test_a_clean_picture_is_kept():
    """Without noise, the pooled picture is the mean of its blocks, scaled as the forward process says."""
    x_0 = torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(0)).double()
    t = torch.tensor([10, 500, 900])
    x, level = pooled(SCHEDULE, SCHEDULE.forward(x_0, t, torch.zeros_like(x_0)), t)
    blocks = x_0.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))
    assert_close(x, level.sqrt().view(-1, 1, 1, 1) * blocks)
    assert (level > SCHEDULE.at(t)).all()  # it is cleaner


class Oracle(torch.nn.Module):
    """A base that knows the picture and the noise in what it is shown, but must be told when it is."""

    def __init__(self, colours, eps):
        super().__init__()
        self.colours, self.eps = colours, eps

    def forward(self, x, t, *prompt):
        assert x.shape[2:] == (32, 32)
        self.prompt = prompt
        alpha_bar = torch.from_numpy(alpha_bar_of(t.numpy())).float().view(-1, 1, 1, 1)
        return alpha_bar.sqrt() * self.eps - (1 - alpha_bar).sqrt() * self.colours


@pytest.mark.parametrize("times", [[0, 5, 100], [400, 640, 998]])
def test_a_base_that_knows_the_velocity_finds_the_clean_picture(times):
    g = torch.Generator().manual_seed(0)
    eps = torch.randn(3, 3, 64, 64, generator=g)
    colours = torch.tensor([[0.2, -0.9, 0.4], [1, 1, 1], [-1, 0.3, 0]])[..., None, None]
    t = torch.tensor(times)
    x_t = SCHEDULE.forward(colours.expand_as(eps), t, eps)
    network = EmojiUNet((8, 16, 32))
    # the mean of four unit noises has half their standard deviation
    network.base = Oracle(colours, 2 * F.avg_pool2d(eps, 2))
    prompt = torch.randn(3, 12, 384), torch.ones(3, 12).bool(), torch.randn(3, 384)
    found = network.coarse_estimate(x_t, t, *prompt)
    assert_close(found, colours.expand(3, 3, 32, 32), atol=2e-4, rtol=0)
    assert all(a is b for a, b in zip(network.base.prompt, prompt, strict=True))


def test_the_refiner_sees_the_whole_picture_its_time_and_the_base_s_estimate():
    torch.manual_seed(0)
    network, seen = EmojiUNet((8, 16, 32)), []
    network.refiner.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs))
    x_t, t = torch.randn(2, 3, 64, 64), torch.tensor([10, 700])
    prompt = torch.randn(2, 12, 384), torch.ones(2, 12).bool(), torch.randn(2, 384)
    with torch.no_grad():
        network(x_t, t, *prompt)
        coarse = network.coarse_estimate(x_t, t, *prompt)
    assert seen[0] is x_t and seen[1] is t
    assert_close(seen[2], coarse)


def test_the_network_is_as_large_as_the_card_says():
    network = EmojiUNet()
    count = sum(p.numel() for p in network.parameters())
    assert 2 * count < 40e6  # bytes in half precision
    assert sum(p.numel() for p in network.refiner.parameters()) < 0.05 * count


@pytest.mark.parametrize("channels_out", [16, 24])
def test_a_block_is_scaled_and_shifted_by_its_embedding_and_begins_as_its_skip(channels_out):
    """Written out with PyTorch's functions."""
    torch.manual_seed(0)
    block, x, e = ResBlock(16, channels_out, 8), torch.randn(2, 16, 6, 6), torch.randn(2, 8)
    w = dict(block.named_parameters())
    same = channels_out == 16
    skip = x if same else F.conv2d(x, w["skip.weight"], w["skip.bias"])
    assert_close(block(x, e), skip + w["conv2.bias"].view(1, -1, 1, 1))
    for p in block.parameters():
        torch.nn.init.normal_(p, std=0.5)

    def convolved(h, n):
        h = F.silu(h)
        return F.conv2d(h, w[f"conv{n}.weight"], w[f"conv{n}.bias"], padding=1)

    h = convolved(F.group_norm(x, 8, w["norm1.weight"], w["norm1.bias"]), 1)
    h = F.group_norm(h, 8, w["norm2.weight"], w["norm2.bias"])
    scale_and_shift = e @ w["modulation.weight"].T + w["modulation.bias"]
    scale, shift = (
        scale_and_shift[:, part, None, None]
        for part in (slice(channels_out), slice(channels_out, None))
    )
    skip = x if same else F.conv2d(x, w["skip.weight"], w["skip.bias"])
    assert_close(block(x, e), skip + convolved(h + scale * h + shift, 2), rtol=1e-4, atol=1e-3)
