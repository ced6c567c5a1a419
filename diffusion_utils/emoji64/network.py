"""The network of Emoji-64: text and time in, the velocity v out, at two scales."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from huggingface_hub import PyTorchModelHubMixin
from torch import nn

from diffusion_utils.schedule import Schedule


def time_features(t):
    """Cosines and sines of t at 32 spaced frequencies: (B,) -> (B, 64). Vaswani et al. 2017, section 3.5."""
    frequency = 10_000 ** -(torch.arange(32, device=t.device) / 32)
    angle = t.float()[:, None] * frequency
    return torch.cat([angle.cos(), angle.sin()], 1)


class ResBlock(nn.Module):
    """Two convolutions around a scale and a shift that time and text decide.

    (B, in, H, W), (B, E) -> (B, out, H, W). Source: Dhariwal & Nichol 2021, section 3.1.
    """

    def __init__(self, channels_in, channels_out, embedding):
        super().__init__()
        self.norm1 = nn.GroupNorm(8, channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * channels_out)
        self.norm2 = nn.GroupNorm(8, channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        same = channels_in == channels_out
        self.skip = nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1)
        nn.init.zeros_(self.conv2.weight)  # each block starts as its skip

    def forward(self, x, embedding):
        scale, shift = self.modulation(embedding)[..., None, None].chunk(2, 1)
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.norm2(h) * (1 + scale) + shift
        return self.skip(x) + self.conv2(F.silu(h))


class Attention(nn.Module):
    """Each pixel looks at all pixels, then at the words of the prompt.

    (B, C, H, W), tokens (B, L, C), mask (B, L) -> (B, C, H, W).
    Source: Vaswani et al. 2017; for images and text, Rombach et al. 2022, section 3.3.
    """

    def __init__(self, channels):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.pixels = nn.MultiheadAttention(channels, 4, batch_first=True)
        self.words = nn.MultiheadAttention(channels, 4, batch_first=True)

    def forward(self, x, tokens, mask):
        h = x.flatten(2).transpose(1, 2)  # (B, H W, C)
        n = self.norm1(h)
        h = h + self.pixels(n, n, n, need_weights=False)[0]
        n = self.norm2(h)
        h = h + self.words(n, tokens, tokens, ~mask, need_weights=False)[0]
        return h.transpose(1, 2).reshape(x.shape)


class Base(nn.Module):
    """A U-Net that draws what the prompt says at 32x32: text and time in, the velocity v out.

    Args:
        channels: three widths, at 16x16, 8x8 and 4x4.
        blocks: residual blocks at each level, on the way down and on the way up.
        text: dimensions of a word's embedding.
        embedding: dimensions of what time and text tell each block.
        layout: numbers from which the layout, coarse maps of features, is made.

    Source: the pixel-unshuffled U-Net of Hoogeboom et al. 2023, https://arxiv.org/abs/2301.11093;
    v-prediction of Salimans & Ho 2022, https://arxiv.org/abs/2202.00512.
    """

    def __init__(self, channels, blocks, text, embedding, layout):
        super().__init__()
        c1, c2, c3 = channels
        E = embedding

        def level(channels_in, channels_out):
            widths = [channels_in] + [channels_out] * blocks
            return nn.ModuleList(ResBlock(a, b, E) for a, b in pairwise(widths))

        self.time = nn.Sequential(nn.Linear(64, E), nn.SiLU(), nn.Linear(E, E))
        self.pooled = nn.Sequential(nn.Linear(text, E), nn.SiLU(), nn.Linear(E, E))
        self.words = nn.Linear(text, c3)
        self.layout = nn.Linear(E, layout)
        self.layout2 = nn.Linear(layout, 32 * 8 * 8)
        self.layout2_in = nn.Conv2d(32, c2, 1)
        self.layout3 = nn.Linear(layout, c3 * 4 * 4)
        self.conv_in = nn.Conv2d(12, c1, 3, padding=1)
        self.level1 = level(c1, c1)
        self.down1 = nn.Conv2d(c1, c2, 3, stride=2, padding=1)
        self.level2 = level(c2, c2)
        self.down2 = nn.Conv2d(c2, c3, 3, stride=2, padding=1)
        self.level3 = level(c3, c3)
        self.attention = Attention(c3)
        self.level3_up = level(c3, c3)
        self.attention_up = Attention(c3)
        self.up2 = nn.Conv2d(c3, c2, 3, padding=1)
        self.level2_up = level(2 * c2, c2)
        self.up1 = nn.Conv2d(c2, c1, 3, padding=1)
        self.level1_up = level(2 * c1, c1)
        self.out = output(c1)
        for map_of_features in (self.layout2, self.layout3):
            nn.init.normal_(map_of_features.weight, std=0.02)
            nn.init.zeros_(map_of_features.bias)

    def forward(self, x_t, t, tokens, mask, pooled):
        """Predict v: x_t (B, 3, 32, 32), t (B,) real, the prompt as for `EmojiUNet` -> x_t's shape."""
        e = F.silu(self.time(time_features(t)) + self.pooled(pooled))  # (B, E)
        words = self.words(tokens)  # (B, L, c3)
        layout = F.silu(self.layout(e))
        layout2 = self.layout2_in(as_map(self.layout2(layout), 8))  # (B, c2, 8, 8)
        layout3 = as_map(self.layout3(layout), 4)  # (B, c3, 4, 4)
        h1 = through(self.level1, self.conv_in(F.pixel_unshuffle(x_t, 2)), e)  # 16
        h2 = through(self.level2, self.down1(h1) + layout2, e)  # 8
        h = through(self.level3, self.down2(h2) + layout3, e)  # 4
        h = self.attention(h, words, mask)
        h = through(self.level3_up, h, e)
        h = self.attention_up(h, words, mask)
        h = torch.cat([self.up2(doubled(h)), h2], 1)  # 8
        h = through(self.level2_up, h, e)
        h = torch.cat([self.up1(doubled(h)), h1], 1)  # 16
        h = through(self.level1_up, h, e)
        return F.pixel_shuffle(self.out(h), 2)  # 32


class Refiner(nn.Module):
    """Residual blocks at half resolution that add the detail to the base's estimate. They see no text."""

    def __init__(self, channels, blocks):
        super().__init__()
        C, E = channels, 128
        self.time = nn.Sequential(nn.Linear(64, E), nn.SiLU(), nn.Linear(E, E))
        self.conv_in = nn.Conv2d(15, C, 3, padding=1)
        self.blocks = nn.ModuleList(ResBlock(C, C, E) for _ in range(blocks))
        self.out = output(C)

    def forward(self, x_t, t, coarse):
        """Predict v: x_t (B, 3, 64, 64), t (B,), the base's estimate coarse (B, 3, 32, 32) -> x_t's shape."""
        e = F.silu(self.time(time_features(t)))
        h = self.conv_in(torch.cat([F.pixel_unshuffle(x_t, 2), coarse], 1))  # 32
        h = through(self.blocks, h, e)
        return F.pixel_shuffle(self.out(h), 2)  # 64


class EmojiUNet(nn.Module, PyTorchModelHubMixin, library_name="diffusion_utils", license="mit"):
    """The network of Emoji-64: a base decides at 32x32 what is drawn, a refiner adds detail at 64x64.

    Args: those of the `Base`; refiner_channels and refiner_blocks, of the `Refiner`.
    """

    def __init__(
        self,
        channels=(64, 128, 256),
        blocks=2,
        text=384,
        embedding=384,
        layout=256,
        refiner_channels=64,
        refiner_blocks=3,
    ):
        super().__init__()
        self.schedule = Schedule.cosine()
        self.base = Base(channels, blocks, text, embedding, layout)
        self.refiner = Refiner(refiner_channels, refiner_blocks)

    def forward(self, x_t, t, tokens, mask, pooled):
        """Predict v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0: (B, 3, 64, 64) -> same.

        Args:
            x_t: (B, 3, 64, 64) noisy images.
            t: (B,) timesteps, 0 .. 999.
            tokens, mask: (B, L, text) the prompt's words, and (B, L) which of them there are.
            pooled: (B, text) the prompt as a whole.

        Raises:
            ValueError: x_t has another shape.
        """
        if x_t.shape[1:] != (3, 64, 64):
            raise ValueError(f"x_t must be (B, 3, 64, 64), got {tuple(x_t.shape)}")
        coarse = self.coarse_estimate(x_t, t, tokens, mask, pooled)
        return self.refiner(x_t, t, coarse)

    def coarse_estimate(self, x_t, t, *prompt):
        """What the base sees in x_t (B, 3, 64, 64) at half its size -> x0_hat (B, 3, 32, 32)."""
        x, alpha_bar = pooled(self.schedule, x_t, t)
        v = self.base(x, self.schedule.timestep(alpha_bar).to(x), *prompt)
        alpha_bar = alpha_bar.to(x).view(-1, 1, 1, 1)
        return alpha_bar.sqrt() * x - (1 - alpha_bar).sqrt() * v  # (E.4)


def pooled(schedule, x_t, t):
    """A noisy image at half its size is a noisy image too, of a cleaner timestep.

    The mean of 2x2 pixels keeps the picture and halves the noise; scaled to unit variance of
    signal and noise, it is at alpha_bar / (alpha_bar + (1 - alpha_bar) / 4).

    Args:
        x_t: (B, C, H, W) at the timesteps t (B,).

    Returns:
        x (B, C, H/2, W/2), and its alpha_bar (B,) in double precision.
    """
    alpha_bar = schedule.at(t)
    scale = alpha_bar + (1 - alpha_bar) / 4
    x = F.avg_pool2d(x_t, 2) / scale.sqrt().to(x_t).view(-1, 1, 1, 1)  # (E.2)
    return x, alpha_bar / scale  # (E.3)


def output(channels):
    """Features (B, channels, H, W) -> 12 channels, zero at first."""
    convolution = nn.Conv2d(channels, 12, 3, padding=1)
    nn.init.zeros_(convolution.weight)
    nn.init.zeros_(convolution.bias)
    return nn.Sequential(nn.GroupNorm(8, channels), nn.SiLU(), convolution)


def as_map(h, side):
    """(B, C side side) -> (B, C, side, side)."""
    h = h.view(len(h), -1, side, side)
    return h.contiguous(memory_format=torch.channels_last)


def doubled(h):
    return F.interpolate(h, scale_factor=2, mode="nearest")


def through(blocks, h, e):
    for block in blocks:
        h = block(h, e)
    return h
