"""A few made-up drawings to train tiny networks on."""

import torch

from diffusion_utils.emoji64.captions import STYLES
from diffusion_utils.emoji64.dataset import Emoji

TINY = {"channels": (8, 16, 32), "batch_size": 4, "warmup": 2}
NAMES = ["rocket", "red apple"]


def some_drawings(count=10):
    """Drawings of noise, by turns of each name and in each style."""
    g = torch.Generator().manual_seed(0)
    return Emoji(
        torch.randint(256, (count, 4, 64, 64), dtype=torch.uint8, generator=g),
        NAMES,
        torch.arange(count) % len(NAMES),
        list(STYLES),
        torch.arange(count) % len(STYLES),
    )
