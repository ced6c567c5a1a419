"""What each network of Part B is shown, and what it is asked for."""

import torch

from diffusion_utils.mnist.unet import one_hot
from diffusion_utils.schedule import Schedule

MNIST_SCHEDULE = Schedule.linear(1e-4, 0.02, T=300)


def denoising_objective(x, generator, sigma=0.5):
    """B1: z = x + sigma eps -> x. x: (B, 1, 28, 28) in [0, 1]. Returns (inputs, target)."""
    eps = torch.randn(x.shape, generator=generator)
    return (x + sigma * eps,), x  # (B1.1)


def noise_objective(x_0, generator, schedule=MNIST_SCHEDULE):
    """B2: (x_t, t/T) -> eps. Returns (inputs, target). Ho et al. 2020, algorithm 1."""
    t = torch.randint(schedule.T, (len(x_0),), generator=generator)
    eps = torch.randn(x_0.shape, generator=generator)
    return (schedule.forward(x_0, t, eps), t / schedule.T), eps  # (B2.1)


def class_objective(x_0, labels, generator, p_uncond=0.1, schedule=MNIST_SCHEDULE):
    """B3: (x_t, t/T, c) -> eps, with c dropped with probability p_uncond. Returns (inputs, target).

    Source: Ho & Salimans 2022, algorithm 1.
    """
    (x_t, times), eps = noise_objective(x_0, generator, schedule)
    keep = torch.rand(len(x_0), generator=generator) >= p_uncond
    return (x_t, times, one_hot(labels) * keep[:, None]), eps  # (B3.1)
