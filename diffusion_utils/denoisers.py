"""What the noise is: a denoiser is a function (x_t, t) -> NoiseEstimate, and so is a technique."""

from typing import NamedTuple

import torch


class NoiseEstimate(NamedTuple):
    """The noise in x_t, and where the network says so, the variance of the next step.

    eps: (B, C, H, W), in units of the unit noise that `Schedule.forward` added.
    v: (B, C, H, W) in about [-1, 1], see `Schedule.step`; None if the variance is fixed.
    """

    eps: torch.Tensor
    v: torch.Tensor | None = None


def guided(conditional, unconditional, gamma):
    """Classifier-free guidance: go gamma times the way from the unconditional estimate.

    gamma = 0 is the unconditional denoiser, 1 the conditional one, above 1 overshoots on purpose.
    The variance is the conditional one's. Source: Ho & Salimans 2022, eq. 6, with gamma = 1 + w.
    """

    def denoise(x_t, t):
        eps_c, v = conditional(x_t, t)
        eps_u, _ = unconditional(x_t, t)
        return NoiseEstimate(eps_u + gamma * (eps_c - eps_u), v)  # (N.6)

    return denoise
