"""The one sampling loop: where you start, how you denoise, what you enforce."""

from itertools import pairwise
from numbers import Integral
from typing import NamedTuple

import torch


class Step(NamedTuple):
    """One step of a trajectory: the image x at timestep t, and what led to it.

    t: int. x: (B, C, H, W). x0_hat: (B, C, H, W), the clean image seen from the x before.
    """

    t: int
    x: torch.Tensor
    x0_hat: torch.Tensor


def free(x, t):
    """The constraint that enforces nothing."""
    return x


def generators(seeds):
    """One CPU generator for each image, so that an image does not depend on its batch or device.

    seeds: a list of whole numbers in 0 .. 4294967295, which are all that the generator tells apart.

    Raises:
        ValueError: there are no seeds, or they are no list, or one is not in that range.
    """
    if not hasattr(seeds, "__len__") or not len(seeds):
        raise ValueError(f"give a list of at least one seed, each makes one image; got {seeds!r}")
    for seed in seeds:
        if not isinstance(seed, Integral) or not 0 <= seed < 2**32:
            raise ValueError(f"a seed is a whole number in 0 .. {2**32 - 1}, got {seed!r}")
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds]


def unit_noise(shape, generators):
    """Unit Gaussian noise of shape `(B, *shape)` on the CPU, image i drawn from generators[i]."""
    return torch.stack([torch.randn(shape, generator=g) for g in generators])


def noise_like(x, generators):
    """Unit Gaussian noise for images x (B, ...), where and as precise as they are.

    Raises:
        ValueError: the number of generators is not the batch size; one would serve all images alike.
    """
    if len(generators) != len(x):
        raise ValueError(f"one generator for each image: {len(generators)} for {len(x)} images")
    return unit_noise(x.shape[1:], generators).to(x)


@torch.no_grad()
def trajectory(denoise, x, timesteps, schedule, *, generators, constrain=free):
    """Denoise x along timesteps and yield a `Step` after each step.

    Args:
        denoise: (x_t, t) -> NoiseEstimate, see `diffusion_utils.denoisers`.
        x: (B, C, H, W), the noisy image at timesteps[0].
        timesteps: decreasing ints; CLEAN = -1 at the end removes the last noise too. Where one is
            larger than that before it, the image is noised again, see `resampled`.
        schedule: a `Schedule`.
        generators: B CPU generators, one for each image.
        constrain: (x, t) -> x, applied after each step.

    Source: Ho et al. 2020, algorithm 2.
    """
    for t, t_prev in pairwise(timesteps):
        if t_prev > t:
            x = schedule.renoise(x, t, t_prev, noise_like(x, generators))
            continue
        eps, nu = denoise(x, t)
        x0_hat = schedule.predict_x0(x, t, eps)
        z = noise_like(x, generators)
        x = constrain(schedule.step(x, x0_hat, t, t_prev, z, nu), t_prev)
        yield Step(t_prev, x, x0_hat)


def check_timesteps(timesteps):
    """Raises a ValueError if timesteps do not end in a step down, after which there is an image."""
    if len(timesteps) < 2 or timesteps[-1] >= timesteps[-2]:
        raise ValueError(
            f"timesteps need a start and an end below it, like 990, 500, 0; got {timesteps}"
        )


def resampled(timesteps, times):
    """Timesteps that take each step `times` times, noising again in between; the last one once.

    >>> resampled([9, 6, 3, 0], times=2)
    [9, 6, 9, 6, 3, 6, 3, 0]

    Source: Lugmayr et al. 2022, algorithm 1, with jumps of one step.
    """
    path = [timesteps[0]]
    for t, t_prev in pairwise(timesteps[:-1]):
        path += [t_prev] + [t, t_prev] * (times - 1)
    return [*path, timesteps[-1]]


def keep_outside(mask, image, schedule, generators):
    """The constraint of inpainting: new content where mask is 1, the noised image where it is 0.

    Args:
        mask: (1, H, W), or (B, 1, H, W) with one for each image, of 0 and 1.
        image: (B, C, H, W) the clean image.
        generators: those of the trajectory.

    Source: Lugmayr et al. 2022, eq. 8.
    """
    mask = mask.to(image)

    def constrain(x, t):
        eps = noise_like(image, generators)
        return mask * x + (1 - mask) * schedule.forward(image, t, eps)  # (A.1)

    return constrain


def sample(denoise, shape, timesteps, schedule, *, seeds, device="cpu"):
    """Images from pure noise, one of shape (C, H, W) for each seed -> (B, C, H, W) on the CPU."""
    check_timesteps(timesteps)
    rng = generators(seeds)
    x = unit_noise(shape, rng).to(device)
    return last(trajectory(denoise, x, timesteps, schedule, generators=rng))


def last(steps):
    """The image at the end of a trajectory, on the CPU, where it is looked at and measured.

    Raises:
        ValueError: it is not finite.
    """
    *_, end = steps
    if not end.x.isfinite().all():
        raise ValueError("the image is not finite: what the denoiser says is no noise")
    return end.x.cpu()
