"""How much noise: one array, alpha_bar, and everything that follows from it."""

import numpy as np
import torch

CLEAN = -1  # the timestep before 0: alpha_bar is 1 there, no noise is left


class Schedule:
    """A noise schedule over the timesteps t = 0 .. T-1, and CLEAN = -1.

    >>> schedule = Schedule.linear(1e-4, 0.02, T=300)
    >>> print(f"{schedule.at(299):.3f} of the variance is left at the end")
    0.048 of the variance is left at the end

    Args:
        alpha_bar: (T,) decreasing values in (0, 1), the share of signal variance left at t.

    Raises:
        ValueError: alpha_bar is not a decreasing sequence in (0, 1).

    Source: Ho et al. 2020, https://arxiv.org/abs/2006.11239.
    """

    def __init__(self, alpha_bar):
        alpha_bar = torch.as_tensor(alpha_bar, dtype=torch.float64)
        if alpha_bar.ndim != 1 or not len(alpha_bar):
            raise ValueError(
                f"alpha_bar must be a list of numbers, got shape {tuple(alpha_bar.shape)}"
            )
        if not ((alpha_bar > 0) & (alpha_bar < 1)).all() or not (alpha_bar.diff() < 0).all():
            raise ValueError("alpha_bar must decrease within (0, 1)")
        self.alpha_bar = alpha_bar
        self.from_clean = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar])
        self.T = len(alpha_bar)

    @classmethod
    def linear(cls, beta_start=1e-4, beta_end=0.02, T=300):
        """beta_t on a line from beta_start to beta_end, alpha_bar_t = prod(1 - beta_s), s <= t."""
        return cls((1 - torch.linspace(beta_start, beta_end, T, dtype=torch.float64)).cumprod(0))

    @classmethod
    def cosine(cls):
        """alpha_bar_t falls as a squared cosine, T = 1000. Nichol & Dhariwal 2021, eq. 17."""
        share = torch.linspace(0, 1, 1001, dtype=torch.float64)
        f = ((share + 0.008) / 1.008 * torch.pi / 2).cos() ** 2
        beta = (1 - f[1:] / f[:-1]).clamp(max=0.999)
        return cls((1 - beta).cumprod(0))

    def timestep(self, alpha_bar):
        """The timestep of a noise level, a real number between two of the schedule's: (B,) -> (B,).

        Beyond the first or last level it is 0 or T-1.
        """
        levels = -self.alpha_bar.numpy()  # rising, as interp wants
        steps = np.interp(-alpha_bar.cpu().numpy(), levels, np.arange(self.T))
        return torch.from_numpy(steps)

    def at(self, t, x=None):
        """alpha_bar_t for an int or a (B,) tensor t; shaped and typed to multiply x if x is given.

        Raises:
            ValueError: as `check_timestep` and `beside`.
        """
        t = torch.as_tensor(t, device="cpu")
        check_timestep(t, self.T)
        alpha_bar = self.from_clean[t.long() + 1]
        return alpha_bar if x is None else beside(x, alpha_bar)

    def forward(self, x_0, t, eps):
        """Noise a clean image: x_0, eps (B, C, H, W), t int or (B,) -> x_t. Ho et al., eq. 4."""
        alpha_bar = self.at(t, x_0)
        return alpha_bar.sqrt() * x_0 + (1 - alpha_bar).sqrt() * eps  # (N.1)

    def renoise(self, x, t_prev, t, z):
        """Noise an image at t_prev on to t > t_prev: the forward process between two timesteps.

        Source: Ho et al. 2020, eq. 2, over several steps.
        """
        alpha = self.at(t, x) / self.at(t_prev, x)
        return alpha.sqrt() * x + (1 - alpha).sqrt() * z  # (N.7)

    def predict_x0(self, x_t, t, eps):
        """Solve the forward equation for the clean image, given the noise. Ho et al., eq. 15."""
        alpha_bar = self.at(t, x_t)
        return (x_t - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt()  # (N.2)

    def velocity(self, x_0, t, eps):
        """The velocity v of x_0 and eps (B, C, H, W) at t. Salimans & Ho 2022, appendix D."""
        alpha_bar = self.at(t, x_0)
        return alpha_bar.sqrt() * eps - (1 - alpha_bar).sqrt() * x_0  # (E.1)

    def noise_from_velocity(self, x_t, t, v):
        """Solve `forward` and `velocity` for the noise: x_t, v (B, C, H, W) -> eps."""
        alpha_bar = self.at(t, x_t)
        return alpha_bar.sqrt() * v + (1 - alpha_bar).sqrt() * x_t  # (E.5)

    def step(self, x_t, x0_hat, t, t_prev, z, nu=None):
        """Draw x at t_prev < t from the posterior of the forward process, given the clean image.

        Args:
            x_t, x0_hat, z: (B, C, H, W) noisy image, estimate of the clean one, unit noise.
            t, t_prev: int, T > t > t_prev >= -1; any stride.
            nu: (B, C, H, W) in about [-1, 1]: the learned place of the variance between the two
                bounds (Nichol & Dhariwal 2021, eq. 15), or None for the lower one.

        Raises:
            ValueError: t_prev is not below t, or as for `at`.

        Source: Ho et al. 2020, eq. 6 and 7, with t_prev for t-1.
        """
        if t_prev >= t:
            raise ValueError(f"a step goes to a smaller timestep, got {t} -> {t_prev}")
        alpha_bar, alpha_bar_prev = self.at(t, x_t), self.at(t_prev, x_t)
        alpha = alpha_bar / alpha_bar_prev
        beta = 1 - alpha
        mean = (
            alpha_bar_prev.sqrt() * beta / (1 - alpha_bar) * x0_hat
            + alpha.sqrt() * (1 - alpha_bar_prev) / (1 - alpha_bar) * x_t
        )  # (N.3)
        variance = (1 - alpha_bar_prev) / (1 - alpha_bar) * beta  # (N.4)
        if nu is not None and t_prev != CLEAN:
            share = (nu + 1) / 2
            log_variance = share * beta.log() + (1 - share) * variance.log()
            variance = log_variance.exp()  # (N.5)
        return mean + variance.sqrt() * z


def check_timestep(t, T):
    """Raises a ValueError if a tensor t is not of whole numbers in -1 .. T-1."""
    if t.is_floating_point():
        raise ValueError(f"timesteps are whole numbers, got {t.tolist()}")
    if t.long().min() < CLEAN or t.long().max() >= T:
        raise ValueError(f"timestep must be in {CLEAN} .. {T - 1}, got {t.tolist()}")


def beside(x, values):
    """One value for all images x (B, ...), or one for each (B,), as it multiplies them.

    Raises:
        ValueError: the images are no floats, and would round the values to 0.
    """
    if not x.is_floating_point():
        raise ValueError(
            f"images must be floats, got {x.dtype}; see `pictures.to_unit` and `pictures.load_image`"
        )
    return values.to(x).reshape(-1, *(1,) * (x.ndim - 1)) if values.ndim else values


def strided_timesteps(start, stride):
    """Every stride-th timestep from start down to 0.

    >>> strided_timesteps(990, 330)
    [990, 660, 330, 0]

    Raises:
        ValueError: start is not a positive multiple of stride, so the list would miss 0.
    """
    if stride < 1 or start < stride or start % stride:
        raise ValueError(f"start must be a multiple of stride, got start={start}, stride={stride}")
    return list(range(start, -1, -stride))


def spaced_timesteps(T, steps):
    """`steps` timesteps spread evenly over T-1 .. 0, then CLEAN; steps = T visits every one.

    >>> spaced_timesteps(300, 4)
    [299, 199, 100, 0, -1]

    Raises:
        ValueError: steps is not in 1 .. T.
    """
    if not 1 <= steps <= T:
        raise ValueError(f"steps must be in 1 .. {T}, got {steps}")
    return torch.linspace(T - 1, 0, steps).round().long().tolist() + [CLEAN]
