"""The sampling loop, on data whose best denoiser is known: pixels from N(0.3, 0.5^2)."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.mnist.unet import UNet, unet_denoiser
from diffusion_utils.sampling import free, generators, sample, trajectory, unit_noise
from diffusion_utils.schedule import CLEAN, Schedule, spaced_timesteps, strided_timesteps

MEAN, STD = 0.3, 0.5
SCHEDULE = Schedule.linear(1e-4, 0.02, T=1000)


def exact(x_t, t):
    """E[eps | x_t] of N(MEAN, STD^2) pixels, by Bayes' rule for Gaussians."""
    alpha_bar = float(np.prod(1 - np.linspace(1e-4, 0.02, 1000)[: t + 1]))
    signal, noise = alpha_bar**0.5, (1 - alpha_bar) ** 0.5
    return NoiseEstimate(noise * (x_t - signal * MEAN) / (alpha_bar * STD**2 + 1 - alpha_bar))


def expected_moments(timesteps):
    """Mean and std of the last image: each step is affine in x_t, so both follow a recursion."""
    alpha_bars = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    mean, variance = 0.0, 1.0
    for t, t_prev in zip(timesteps, timesteps[1:], strict=False):
        now, before = alpha_bars[t], 1.0 if t_prev == CLEAN else alpha_bars[t_prev]
        total = now * STD**2 + 1 - now  # the variance of x_t in the forward process
        # x0_hat = offset + slope x_t
        slope = now**0.5 * STD**2 / total
        offset = MEAN - slope * now**0.5 * MEAN
        # x at t_prev given x_t and x_0, by completing the square
        precision = 1 / (1 - before) + now / before / (1 - now / before) if before < 1 else np.inf
        of_x0 = before**0.5 / (1 - before) / precision if before < 1 else 1.0
        of_xt = (now / before) ** 0.5 / (1 - now / before) / precision
        mean = of_x0 * offset + (of_x0 * slope + of_xt) * mean
        variance = (of_x0 * slope + of_xt) ** 2 * variance + 1 / precision
    return mean, variance**0.5


TIMESTEPS = {
    1: list(range(999, -2, -1)),
    10: strided_timesteps(990, 10),
    30: strided_timesteps(990, 30),
}


@pytest.mark.parametrize("stride, std", [(1, 0.497), (10, 0.468), (30, 0.423)])
def test_gaussian_data_comes_back(stride, std):
    timesteps = TIMESTEPS[stride]
    expected_mean, expected_std = expected_moments(timesteps)
    x = sample(exact, (1, 150, 200), timesteps, SCHEDULE, seeds=[0])
    n = x.numel()
    assert x.mean().item() == pytest.approx(expected_mean, abs=4 * expected_std / n**0.5)
    assert x.std().item() == pytest.approx(expected_std, abs=4 * expected_std / (2 * n) ** 0.5)
    # the book's numbers are samples themselves
    assert expected_std == pytest.approx(std, abs=1.5e-3)


def small_unet(num_classes=0):
    """A network whose biases and BatchNorm statistics are not the zeros and ones they start from."""
    torch.manual_seed(0)
    unet = UNet(8, time=True, num_classes=num_classes)
    for name, tensor in unet.state_dict().items():
        if tensor.ndim == 1:
            tensor.add_(torch.randn(tensor.shape) * 0.1)
        if name.endswith("running_var"):
            tensor.mul_(0.2)  # about what an untrained layer puts out, so that signals do not fade
    return unet


SMALL = Schedule.linear(T=300)
FEW = spaced_timesteps(300, 6)
SHAPE = (1, 28, 28)


def test_a_seed_gives_the_same_image_twice():
    denoise = unet_denoiser(small_unet(), 300)
    first, second = (sample(denoise, SHAPE, FEW, SMALL, seeds=[5, 6]) for _ in range(2))
    assert first.equal(second)
    assert (first[0] - first[1]).abs().max() > 0.1


def test_a_seed_gives_the_same_image_whatever_else_was_drawn():
    denoise = unet_denoiser(small_unet(), 300)
    torch.manual_seed(1)
    first = sample(denoise, SHAPE, FEW, SMALL, seeds=[5])
    torch.manual_seed(2)
    assert sample(denoise, SHAPE, FEW, SMALL, seeds=[5]).equal(first)


@pytest.mark.parametrize("split", [[[7], [1], [4], [9]], [[4, 9], [1, 7]], [[9, 4, 1], [7]]])
@pytest.mark.parametrize("training", [True, False])
def test_a_seed_gives_the_same_image_in_any_batch(split, training):
    # even from a network left in train mode, where BatchNorm would mix the images of a batch
    denoise = unet_denoiser(small_unet().train(training), 300)
    seeds = [1, 4, 7, 9]
    together = sample(denoise, SHAPE, FEW, SMALL, seeds=seeds)
    for part in split:
        apart = sample(denoise, SHAPE, FEW, SMALL, seeds=part)
        assert_close(apart, together[[seeds.index(seed) for seed in part]], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "seed", [-1, 2**32, 2**64, 0.9, 1.0, float("nan"), "3", None, torch.tensor(0.5)]
)
def test_seeds_out_of_the_range_are_refused(seed):
    with pytest.raises(ValueError, match="whole number in 0 .. 4294967295, got"):
        generators([7, seed])


def test_all_seeds_of_the_range_differ():
    """The ends of the range, numbers that are equal in their low bits, and numpy's whole numbers."""
    seeds = [0, 1, 2**16, 2**31, 2**32 - 1, np.int64(5), np.uint32(2**32 - 2)]
    first = {tuple(unit_noise((4,), generators([s]))[0].tolist()) for s in seeds}
    assert len(first) == len(seeds)


def test_unit_noise_is_the_noise_of_each_generator():
    expected = torch.stack(
        [torch.randn(2, 3, generator=torch.Generator().manual_seed(s)) for s in (3, 8)]
    )
    assert unit_noise((2, 3), generators([3, 8])).equal(expected)


def test_each_step_draws_fresh_noise():
    x = torch.zeros(1, 1, 50, 50)
    steps = trajectory(
        lambda x, t: NoiseEstimate(0 * x), x, [9, 8, 7], SMALL, generators=generators([0])
    )
    first, second = [step.x for step in steps]
    pair = torch.stack([first.flatten(), (second - first).flatten()])
    assert torch.corrcoef(pair)[0, 1].abs() < 0.1


def test_trajectory_yields_each_step():
    seen = []

    def denoise(x, t):
        seen.append((t, x))
        return NoiseEstimate(torch.full_like(x, 0.5))

    start = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    steps = list(trajectory(denoise, start, FEW, SMALL, generators=generators([1])))
    assert [step.t for step in steps] == FEW[1:]
    assert [t for t, _ in seen] == FEW[:-1]
    entered = [start] + [step.x for step in steps[:-1]]  # each step starts where the last one ended
    for (t, x), before, step in zip(seen, entered, steps, strict=True):
        assert x.equal(before)
        assert_close(step.x0_hat, SMALL.predict_x0(x, t, torch.full_like(x, 0.5)))
    assert_close(steps[-1].x, steps[-1].x0_hat)  # at CLEAN, all noise is gone


def test_learned_variance_reaches_the_step():
    x = torch.zeros(1, *SHAPE)
    lower, upper = (
        next(
            trajectory(
                lambda x, t, v=v: NoiseEstimate(0 * x, v + 0 * x),
                x,
                [5, 4],
                SMALL,
                generators=generators([0]),
            )
        )
        for v in (-1.0, 1.0)
    )
    fixed = next(
        trajectory(lambda x, t: NoiseEstimate(0 * x), x, [5, 4], SMALL, generators=generators([0]))
    )
    assert_close(lower.x, fixed.x)
    assert upper.x.std() > 1.05 * lower.x.std()


def test_constraint_is_applied_after_each_step():
    mask = torch.zeros(1, *SHAPE)
    mask[..., :14] = 1
    calls, entered = [], []

    def keep(x, t):
        calls.append(t)
        return mask * x + (1 - mask) * t

    def denoise(x, t):
        entered.append(x)
        return NoiseEstimate(x)

    steps = list(
        trajectory(
            denoise, torch.zeros(1, *SHAPE), FEW, SMALL, generators=generators([0]), constrain=keep
        )
    )
    assert calls == FEW[1:]
    assert all((step.x[..., 14:] == step.t).all() for step in steps)
    assert all(x.equal(step.x) for x, step in zip(entered[1:], steps, strict=False))
    assert free(mask, 3).equal(mask)


@pytest.mark.parametrize("timesteps", [[], [9], [0, 9], [9, 9], [0, 5, 9], [9, 0, 5]])
def test_timesteps_that_do_not_end_in_a_step_down_are_refused(timesteps):
    with pytest.raises(ValueError, match="a start and an end below it"):
        sample(exact, SHAPE, timesteps, SMALL, seeds=[0])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_images_that_are_no_numbers_are_refused(value):
    with pytest.raises(ValueError, match="not finite"):
        sample(lambda x, t: NoiseEstimate(x * value), SHAPE, FEW, SMALL, seeds=[0])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_number_of_generators_must_be_the_batch_size(count):
    x = torch.zeros(2, *SHAPE)
    steps = trajectory(exact, x, FEW, SMALL, generators=generators(range(3))[:count])
    with pytest.raises(ValueError, match=f"{count} for 2 images"):
        next(steps)


def test_arguments_are_left_alone():
    unet = small_unet()
    x = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    timesteps, alpha_bar = list(FEW), SMALL.alpha_bar.clone()
    before, state = x.clone(), {k: v.clone() for k, v in unet.state_dict().items()}
    steps = list(
        trajectory(unet_denoiser(unet, 300), x, timesteps, SMALL, generators=generators([1, 2]))
    )
    assert x.equal(before)
    assert timesteps == FEW
    assert SMALL.alpha_bar.equal(alpha_bar)
    # running statistics too
    assert all(v.equal(state[k]) for k, v in unet.state_dict().items())
    # a kept step does not change later
    assert len({step.x.data_ptr() for step in steps}) == len(steps)


def test_sampling_records_no_gradients():
    assert not sample(unet_denoiser(small_unet(), 300), SHAPE, FEW, SMALL, seeds=[0]).requires_grad
