"""The U-Net of Emoji-64: text and time in, the velocity v out."""

import math

import torch
import torch.nn.functional as F
from huggingface_hub import PyTorchModelHubMixin
from torch import nn


def time_features(t, dim):
    """Sines and cosines of t at geometrically spaced frequencies: (B,) -> (B, dim).

    Source: Vaswani et al. 2017, section 3.5.
    """
    frequencies = torch.exp(
        -math.log(10_000) * torch.arange(dim // 2, device=t.device) / (dim // 2)
    )
    angles = t[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], 1)


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
        self.skip = (
            nn.Identity()
            if channels_in == channels_out
            else nn.Conv2d(channels_in, channels_out, 1)
        )
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

    def __init__(self, channels, heads=4):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.pixels = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.words = nn.MultiheadAttention(channels, heads, batch_first=True)

    def forward(self, x, tokens, mask):
        h = x.flatten(2).transpose(1, 2)  # (B, H W, C)
        n = self.norm1(h)
        h = h + self.pixels(n, n, n, need_weights=False)[0]
        n = self.norm2(h)
        h = h + self.words(n, tokens, tokens, ~mask, need_weights=False)[0]
        return h.transpose(1, 2).reshape(x.shape)


class EmojiUNet(
    nn.Module, PyTorchModelHubMixin, library_name="diffusion_utils", license="mit"
):
    """A text-conditional U-Net for colour images of side 32 or 64.

    Args:
        channels: three widths, at 1/2, 1/4 and 1/8 of the image's side.
        blocks: residual blocks at each level, on the way down and on the way up.
        text: dimensions of a word's embedding.
        embedding: dimensions of what time and text tell each block.

    Source: the pixel-unshuffled U-Net of Hoogeboom et al. 2023, https://arxiv.org/abs/2301.11093;
    v-prediction of Salimans & Ho 2022, https://arxiv.org/abs/2202.00512.
    """

    def __init__(self, channels=(64, 128, 256), blocks=2, text=384, embedding=256):
        super().__init__()
        c1, c2, c3 = channels
        E = embedding

        def level(channels_in, channels_out):
            widths = [channels_in] + [channels_out] * blocks
            return nn.ModuleList(
                ResBlock(a, b, E) for a, b in zip(widths, widths[1:], strict=False)
            )

        self.time = nn.Sequential(nn.Linear(64, E), nn.SiLU(), nn.Linear(E, E))
        self.pooled = nn.Linear(text, E)
        self.words = nn.Linear(text, c3)
        self.conv_in = nn.Conv2d(12, c1, 3, padding=1)
        self.level1 = level(c1, c1)
        self.down1 = nn.Conv2d(c1, c2, 3, stride=2, padding=1)
        self.level2 = level(c2, c2)
        self.down2 = nn.Conv2d(c2, c3, 3, stride=2, padding=1)
        self.level3 = level(c3, c3)
        self.look = Attention(c3)
        self.level3_up = level(c3, c3)
        self.look_again = Attention(c3)
        self.up2 = nn.Conv2d(c3, c2, 3, padding=1)
        self.level2_up = level(2 * c2, c2)
        self.up1 = nn.Conv2d(c2, c1, 3, padding=1)
        self.level1_up = level(2 * c1, c1)
        self.norm = nn.GroupNorm(8, c1)
        self.out = nn.Conv2d(c1, 12, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x_t, t, tokens, mask, pooled):
        """Predict v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0: (B, 3, S, S) -> same.

        Args:
            x_t: (B, 3, S, S) noisy images, S a multiple of 8.
            t: (B,) timesteps, 0 .. 999.
            tokens, mask: (B, L, text) the prompt's words, and (B, L) which of them there are.
            pooled: (B, text) the prompt as a whole.

        Raises:
            ValueError: x_t has another shape.
        """
        if x_t.ndim != 4 or x_t.shape[1] != 3 or x_t.shape[2] % 8 or x_t.shape[3] % 8:
            raise ValueError(
                f"x_t must be (B, 3, S, S) with S a multiple of 8, got {tuple(x_t.shape)}"
            )
        e = F.silu(self.time(time_features(t, 64)) + self.pooled(pooled))  # (B, E)
        words = self.words(tokens)  # (B, L, c3)
        h1 = through(self.level1, self.conv_in(F.pixel_unshuffle(x_t, 2)), e)  # S/2
        h2 = through(self.level2, self.down1(h1), e)  # S/4
        h = through(self.level3, self.down2(h2), e)  # S/8
        h = self.look(h, words, mask)
        h = through(self.level3_up, h, e)
        h = self.look_again(h, words, mask)
        h = torch.cat([self.up2(doubled(h)), h2], 1)  # S/4
        h = through(self.level2_up, h, e)
        h = torch.cat([self.up1(doubled(h)), h1], 1)  # S/2
        h = through(self.level1_up, h, e)
        return F.pixel_shuffle(self.out(F.silu(self.norm(h))), 2)  # S


def doubled(h):
    return F.interpolate(h, scale_factor=2, mode="nearest")


def through(blocks, h, e):
    for block in blocks:
        h = block(h, e)
    return h
