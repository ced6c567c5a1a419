"""What the noise is: a denoiser is a function (x_t, t) -> NoiseEstimate, and so is a technique."""

from typing import NamedTuple

import torch


class NoiseEstimate(NamedTuple):
    """The noise in x_t, and where the network says so, the variance of the next step.

    eps: (B, C, H, W), in units of the unit noise that `Schedule.forward` added.
    nu: (B, C, H, W) in about [-1, 1], see `Schedule.step`; None if the variance is fixed.
    """

    eps: torch.Tensor
    nu: torch.Tensor | None = None


class Conditional:
    """A network under a fixed condition, as a denoiser (x_t, t) -> NoiseEstimate.

    Args:
        network: `(x_t, t, *condition) -> NoiseEstimate`.
        condition: tensors (B, ...), or (1, ...) for the same condition on every image.
    """

    def __init__(self, network, *condition):
        self.network = network
        self.condition = condition

    def __call__(self, x_t, t):
        return self.network(x_t, t, *self.on(len(x_t)))

    def on(self, B):
        """The condition of each of B images.

        Raises:
            ValueError: there are conditions for another number of images.
        """
        for part in self.condition:
            if len(part) not in (1, B):
                raise ValueError(f"conditions for {len(part)} images, got {B} images")
        return [part.expand(B, *part.shape[1:]) for part in self.condition]


def together(*denoisers):
    """(x_t, t) -> the NoiseEstimate of each denoiser, in one batch where they share a network."""
    network = getattr(denoisers[0], "network", None)
    if network is None or any(getattr(d, "network", None) != network for d in denoisers):
        return lambda x_t, t: [denoise(x_t, t) for denoise in denoisers]

    def estimates(x_t, t):
        n, conditions = len(denoisers), [d.on(len(x_t)) for d in denoisers]
        joined = [torch.cat(parts) for parts in zip(*conditions, strict=True)]
        eps, nu = network(torch.cat([x_t] * n), t, *joined)
        nus = [None] * n if nu is None else nu.chunk(n)
        return [NoiseEstimate(*both) for both in zip(eps.chunk(n), nus, strict=True)]

    return estimates


def guided(conditional, unconditional, gamma):
    """Classifier-free guidance: go gamma times the way from the unconditional estimate.

    gamma = 0 is the unconditional denoiser, 1 the conditional one, above 1 overshoots on purpose.
    The variance is the conditional one's. Source: Ho & Salimans 2022, eq. 6, with gamma = 1 + w.

    >>> one = lambda x_t, t: NoiseEstimate(torch.ones_like(x_t))
    >>> nothing = lambda x_t, t: NoiseEstimate(torch.zeros_like(x_t))
    >>> guided(one, nothing, gamma=7)(torch.zeros(1, 1, 1, 2), 500).eps
    tensor([[[[7., 7.]]]])
    """
    if gamma == 1:
        return conditional  # the other estimate would cancel
    both = together(conditional, unconditional)

    def denoise(x_t, t):
        (eps_c, nu), (eps_u, _) = both(x_t, t)
        return NoiseEstimate(eps_u + gamma * (eps_c - eps_u), nu)  # (N.6)

    return denoise


def clipped(denoise, schedule):
    """Keep the clean image that an estimate stands for within [-1, 1], as images are.

    Source: Saharia et al. 2022, https://arxiv.org/abs/2205.11487, section 2.3, static thresholding.
    """

    def denoise_clipped(x_t, t):
        eps, nu = denoise(x_t, t)
        x0_hat = schedule.predict_x0(x_t, t, eps).clamp(-1, 1)
        alpha_bar = schedule.at(t, x_t)
        eps = (x_t - alpha_bar.sqrt() * x0_hat) / (1 - alpha_bar).sqrt()
        return NoiseEstimate(eps, nu)

    return denoise_clipped


def viewed(denoise, view):
    """Denoise the image as it looks in a `View`, and turn the estimate back.

    Source: Geng et al. 2024, https://arxiv.org/abs/2311.17919, section 3.2.
    """

    def denoise_view(x_t, t):
        eps, nu = denoise(view.apply(x_t), t)
        # the variance is no part of the picture: it moves with its pixel, but has no sign to flip
        nu = None if nu is None else view.back(nu)
        return NoiseEstimate(view.invert(eps), nu)

    return denoise_view


def averaged(*denoisers):
    """The mean of several estimates. Geng et al. 2024, eq. 3."""
    estimates = together(*denoisers)

    def denoise(x_t, t):
        eps, nu = zip(*estimates(x_t, t), strict=True)
        return NoiseEstimate(mean(eps), mean(nu))  # (A.2)

    return denoise


def mean(parts):
    """The mean of each denoiser's tensor; None where they have none."""
    return None if parts[0] is None else torch.stack(parts).mean(0)


def blended(denoisers, bands):
    """One band of spatial frequencies from each denoiser: the sum of band(eps), see `views.bands`.

    The variance is the mean. Source: Geng et al. 2024b, https://arxiv.org/abs/2404.11615, eq. 7.
    """
    estimates = together(*denoisers)

    def denoise(x_t, t):
        eps, nu = zip(*estimates(x_t, t), strict=True)
        parts = [band(e) for band, e in zip(bands, eps, strict=True)]
        return NoiseEstimate(torch.stack(parts).sum(0), mean(nu))  # (A.3)

    return denoise
