"""The one sampling loop: where you start, how you denoise, what you enforce."""

from itertools import pairwise
from typing import NamedTuple

import torch


class Step(NamedTuple):
    """One step of a trajectory: the image x at timestep t, and the clean image seen from it."""

    t: int
    x: torch.Tensor  # (B, C, H, W)
    x0_hat: torch.Tensor  # (B, C, H, W)


def free(x, t):
    """The constraint that enforces nothing."""
    return x


def generators(seeds):
    """One CPU generator for each image, so that an image does not depend on its batch or device."""
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds]


def unit_noise(shape, generators):
    """(B, *shape) unit Gaussian noise on the CPU, image i drawn from generators[i]."""
    return torch.stack([torch.randn(shape, generator=g) for g in generators])


@torch.no_grad()
def trajectory(denoise, x, timesteps, schedule, *, generators, constrain=free):
    """Denoise x along timesteps and yield a `Step` after each step.

    Args:
        denoise: (x_t, t) -> NoiseEstimate, see `diffusion_utils.denoisers`.
        x: (B, C, H, W), the noisy image at timesteps[0].
        timesteps: decreasing ints; CLEAN = -1 at the end removes the last noise too.
        schedule: a `Schedule`.
        generators: B CPU generators, one for each image.
        constrain: (x, t) -> x, applied after each step.

    Raises:
        ValueError: the number of generators is not the batch size.

    Source: Ho et al. 2020, algorithm 2.
    """
    if len(generators) != len(x):
        raise ValueError(
            f"one generator for each image: {len(generators)} for {len(x)} images"
        )
    for t, t_prev in pairwise(timesteps):
        eps, v = denoise(x, t)
        x0_hat = schedule.predict_x0(x, t, eps)
        z = unit_noise(x.shape[1:], generators).to(x)
        x = constrain(schedule.step(x, x0_hat, t, t_prev, z, v), t_prev)
        yield Step(t_prev, x, x0_hat)


def sample(denoise, shape, timesteps, schedule, *, seeds, device="cpu"):
    """Images from pure noise: one (C, H, W) = shape image for each seed -> (B, C, H, W)."""
    noise = generators(seeds)
    x = unit_noise(shape, noise).to(device)
    for step in trajectory(denoise, x, timesteps, schedule, generators=noise):
        x = step.x
    return x
