"""What benchmarks.denoising measures, on pictures where the answer is known."""

import pytest
import torch

from benchmarks import denoising
from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.schedule import Schedule


def test_contrast_is_the_step_at_an_edge_and_the_grain_beside_it():
    """A picture of two halves, white and black; an estimate with half the step and a known grain."""
    original = torch.ones(1, 3, 8, 8)
    original[..., 4:] = -1
    estimate = original / 2
    estimate[..., ::2, :4] += 0.1  # white rows differ by 0.1: 28 of the 104 flat jumps
    edges, flat = denoising.contrast(estimate, original)
    assert edges.item() == pytest.approx((4 * 1.1 + 4 * 1.0) / 8)
    assert flat.item() == pytest.approx(28 * 0.1 / 104)
    edges, flat = denoising.contrast(original, original)
    assert edges.item() == 2 and flat.item() == 0


class Knows:
    """A model whose every estimate is that of one picture, so that one step brings it back."""

    shape, device, schedule = (3, 64, 64), "cpu", Schedule.cosine()

    def __init__(self, picture):
        self.picture = picture

    def denoiser(self, prompt):
        assert prompt == "a high quality photo"

        def denoise(x_t, t):
            abar = self.schedule.alpha_bar[t].item()
            eps = (x_t - abar**0.5 * self.picture) / (1 - abar) ** 0.5
            return NoiseEstimate(eps)

        return denoise


def test_each_way_starts_from_the_noisy_picture():
    picture = torch.linspace(-0.9, 0.9, 64).expand(1, 3, 64, 64)
    clean = torch.stack([picture[0], -picture[0]])
    ways = denoising.brought_back(Knows(picture), clean, 10, [0, 1])
    known = picture.expand(2, -1, -1, -1)
    torch.testing.assert_close(ways["one step"], known, atol=1e-4, rtol=0)
    left = (1 - Knows.schedule.alpha_bar[0].item()) ** 0.5  # noise at t = 0
    assert (ways["many steps"] - known).std().item() < 1.1 * left
    # the blur knows nothing of the model: the second picture stays the negative one
    right = ways["blur"][..., 48:].mean((1, 2, 3))
    assert right[0] > 0.3 and right[1] < -0.3


def test_each_number_is_of_its_picture_and_timestep(monkeypatch):
    """Ways that return the original, but for the second start, where the last picture is black."""
    clean = torch.rand(5, 3, 64, 64)
    asked = []

    def brought_back(model, some, i_start, seeds):
        asked.extend((i_start, seed) for seed in seeds)
        black = (i_start == 6) * torch.tensor([seed == 0 for seed in seeds])
        return {"way": torch.where(black[:, None, None, None], -1.0, some)}

    monkeypatch.setattr(denoising, "brought_back", brought_back)
    monkeypatch.setattr(denoising, "name_ranks", lambda judge, x, names: [1] * len(x))
    seeds = [4, 3, 2, 1, 0]
    found = denoising.compared(None, None, clean, ["a"] * 5, seeds, batch=2)
    assert asked == [(i, seed) for i in (10, 6, 3) for seed in seeds]
    assert [*found] == ["original", 690, 810, 900]
    for t in 690, 900:
        assert found[t]["way"]["ssim"] == pytest.approx([1.0] * 5)
        assert found[t]["way"]["edges"] == found["original"]["edges"]
    assert found[810]["way"]["ssim"][:4] == pytest.approx([1.0] * 4)
    assert found[810]["way"]["ssim"][4] < 0.1
