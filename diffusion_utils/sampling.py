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

    Raises:
        ValueError: there are no seeds, or they are no list.
    """
    if not hasattr(seeds, "__len__") or not len(seeds):
        raise ValueError(
            f"give a list of at least one seed, each makes one image; got {seeds!r}"
        )
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds]


def unit_noise(shape, generators):
    """Unit Gaussian noise of shape `(B, *shape)` on the CPU, image i drawn from generators[i]."""
    return torch.stack([torch.randn(shape, generator=g) for g in generators])


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

    Raises:
        ValueError: the number of generators is not the batch size, or timesteps do not end in a
            step down.

    Source: Ho et al. 2020, algorithm 2.
    """
    if len(generators) != len(x):
        raise ValueError(
            f"one generator for each image: {len(generators)} for {len(x)} images"
        )
    if len(timesteps) < 2 or timesteps[-1] >= timesteps[-2]:
        raise ValueError(
            f"timesteps need a start and an end below it, like 990, 500, 0; got {timesteps}"
        )
    for t, t_prev in pairwise(timesteps):
        if t_prev > t:
            x = schedule.renoise(
                x, t, t_prev, unit_noise(x.shape[1:], generators).to(x)
            )
            continue
        eps, nu = denoise(x, t)
        x0_hat = schedule.predict_x0(x, t, eps)
        z = unit_noise(x.shape[1:], generators).to(x)
        x = constrain(schedule.step(x, x0_hat, t, t_prev, z, nu), t_prev)
        yield Step(t_prev, x, x0_hat)


def resampled(timesteps, times):
    """Timesteps that take each step `times` times, noising again in between.

    >>> resampled([9, 6, 3, 0], times=2)
    [9, 6, 9, 6, 3, 6, 3, 0]

    The last step is taken once.

    Raises:
        ValueError: times is not a whole number from 1 on.

    Source: Lugmayr et al. 2022, algorithm 1, with jumps of one step.
    """
    if not isinstance(times, Integral) or times < 1:
        raise ValueError(
            f"each step is taken a whole number of times, at least once, got times={times}"
        )
    path = [timesteps[0]]
    for t, t_prev in pairwise(timesteps):
        path += (
            [t_prev]
            if t_prev == timesteps[-1]
            else [t_prev, t] * (times - 1) + [t_prev]
        )
    return path


def keep_outside(mask, image, schedule, generators):
    """The constraint of inpainting: new content where mask is 1, the noised image where it is 0.

    Args:
        mask: (1, H, W), or (B, 1, H, W) with one for each image, of 0 and 1.
        image: (B, C, H, W) the clean image.
        generators: those of the trajectory.

    Raises:
        ValueError: mask is not 0 and 1, or of another size or number.

    Source: Lugmayr et al. 2022, eq. 8.
    """
    if not ((mask == 0) | (mask == 1)).all():
        raise ValueError("mask must be 0 and 1, with 1 for new content")
    if mask.ndim > 4 or mask.shape[-3:] != (1, *image.shape[-2:]):
        raise ValueError(
            f"mask must be (1, H, W) or (B, 1, H, W) with the image's {tuple(image.shape[-2:])}, "
            f"got {tuple(mask.shape)}"
        )
    if mask.ndim == 4 and len(mask) != len(image):
        raise ValueError(f"{len(mask)} masks for {len(image)} images")
    mask = mask.to(image)

    def constrain(x, t):
        eps = unit_noise(image.shape[1:], generators).to(image)
        return mask * x + (1 - mask) * schedule.forward(image, t, eps)  # (A.1)

    return constrain


def sample(denoise, shape, timesteps, schedule, *, seeds, device="cpu"):
    """Images from pure noise, one of shape (C, H, W) for each seed -> (B, C, H, W) on the CPU."""
    noise = generators(seeds)
    x = unit_noise(shape, noise).to(device)
    return last(trajectory(denoise, x, timesteps, schedule, generators=noise))


def last(steps):
    """The image at the end of a trajectory, on the CPU, where it is looked at and measured."""
    *_, end = steps
    return end.x.cpu()
