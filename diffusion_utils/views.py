"""Ways to look at an image: views for anagrams, frequencies, and grey and colour."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torchvision.transforms.v2.functional import gaussian_blur


class View(NamedTuple):
    """A way to look at an image: its pixels move, and their values are multiplied by a factor.

    A picture can be an anagram under a view if unit noise seen in it is unit noise again: pixels
    change places only, and the factor is 1 or -1. Source: Geng et al. 2024, section 3.4.

    move, back: (B, C, H, W) -> same, each undoes the other.
    """

    move: Callable
    back: Callable
    factor: float = 1.0

    def apply(self, x):
        return self.factor * self.move(x)

    def invert(self, x):
        return self.back(x) / self.factor


def same(x):
    return x


def rotation(quarters):
    """Turned counter-clockwise by so many quarters.

    >>> x = torch.arange(4.0).view(1, 1, 2, 2)
    >>> rotation(1).apply(x)
    tensor([[[[1., 3.],
              [0., 2.]]]])
    """
    return View(lambda x: x.rot90(quarters, (2, 3)), lambda x: x.rot90(-quarters, (2, 3)))


def permutation(order):
    """A view that moves pixel order[i] to place i, counted row by row. order: (H W,)."""
    inverse = order.argsort()
    return View(
        lambda x: x.flatten(2)[..., order].reshape(x.shape),
        lambda x: x.flatten(2)[..., inverse].reshape(x.shape),
    )


def jigsaw(generator):
    """The 4 x 4 square tiles of a 64x64 picture, shuffled."""
    pieces, tile = 4, 16
    index = torch.arange(64 * 64).view(pieces, tile, pieces, tile)
    tiles = index.transpose(1, 2).reshape(pieces**2, tile, tile)
    tiles = tiles[torch.randperm(pieces**2, generator=generator)]
    order = tiles.view(pieces, pieces, tile, tile).transpose(1, 2)
    return permutation(order.reshape(-1))


def skew():
    """Row i rolled to the right by i pixels."""

    def rolled(x, sign):
        rows = [x[:, :, i].roll(sign * i, dims=-1) for i in range(x.shape[2])]
        return torch.stack(rows, 2)

    return View(lambda x: rolled(x, 1), lambda x: rolled(x, -1))


FLIP = View(lambda x: x.flip(2), lambda x: x.flip(2))  # upside down
NEGATIVE = View(same, same, factor=-1)
DOUBLED = FLIP._replace(factor=2)  # must fail: the noise it shows has variance 4

# other ways to look at a 64x64 picture
VIEWS = {
    "quarter turn": rotation(1),
    "half turn": rotation(2),
    "jigsaw": jigsaw(torch.Generator().manual_seed(0)),
    "skew": skew(),
    "negative": NEGATIVE,
}


def low_pass(sigma, kernel_size=33):
    """Keep what a Gaussian blur keeps: (B, C, H, W) -> same."""
    return lambda x: gaussian_blur(x, 2 * [kernel_size], 2 * [sigma])


def bands(*sigmas):
    """Filters that split an image into len(sigmas) + 1 bands, coarse to fine, that add up to it.

    >>> x = torch.randn(1, 3, 64, 64)
    >>> coarse, fine = (band(x) for band in bands(2.0))
    >>> torch.allclose(coarse + fine, x, atol=1e-5)
    True

    sigmas: widths of the blurs at the borders between bands, in pixels, decreasing.

    Raises:
        ValueError: the widths do not decrease, or are not positive.
    """
    positive = sigmas and all(sigma > 0 for sigma in sigmas)  # NaN is not
    if not positive or list(sigmas) != sorted(set(sigmas))[::-1]:
        raise ValueError(f"sigmas must be positive and decrease, got {sigmas}")
    blurs = [low_pass(sigma) for sigma in sigmas]

    def between(finer, coarser):
        return lambda x: finer(x) - coarser(x)

    inner = [between(b, a) for a, b in pairwise(blurs)]
    return [blurs[0], *inner, between(same, blurs[-1])]


def mixed(pictures, *sigmas):
    """A band of each picture, clipped: (B, C, H, W) -> same. Oliva 2006."""
    parts = zip(bands(*sigmas), pictures, strict=True)
    return sum(band(x) for band, x in parts).clamp(-1, 1)


def pattern_strength(image):
    """How strong an image's patterns of 1, 2, .. stripes across are: (C, H, H) -> (H / 2,).

    The mean square of their amplitudes, over directions and colours. Unit noise has about 1 at each.
    """
    power = torch.fft.fft2(image, norm="ortho").abs().square().mean(0).flatten()
    H = image.shape[-1]
    f = torch.fft.fftfreq(H, 1 / H)
    across = torch.hypot(f[:, None], f).round().long().flatten()
    total = torch.zeros(across.max() + 1).index_add(0, across, power)
    return (total / across.bincount())[1 : H // 2 + 1]


def drowned_from(strength, noise):
    """From how many stripes across noise drowns the patterns, whose strength `pattern_strength` gives.

    1 if it drowns the widest, infinity if it drowns none. Between two whole numbers of stripes the logarithm
    of the strength is taken as a straight line.

    >>> strength = torch.tensor([100.0, 10.0, 1.0])
    >>> round(drowned_from(strength, noise=10**0.5), 3)
    2.5
    """
    weaker = (strength < noise).nonzero()
    if not len(weaker):
        return math.inf
    n = int(weaker[0])  # strength[n] has n + 1 stripes across
    if n == 0:
        return 1.0
    above, below = strength[n - 1].log().item(), strength[n].log().item()
    return n + (above - math.log(noise)) / (above - below)


def grey(x):
    """A picture without its colour, the mean of the three at each pixel: (B, 3, H, W) -> same.

    >>> x = torch.randn(1, 3, 64, 64)
    >>> torch.allclose(grey(x) + colour(x), x, atol=1e-6)
    True
    """
    return x.mean(1, keepdim=True).expand_as(x)


def colour(x):
    """What `grey` takes away: (B, 3, H, W) -> same."""
    return x - grey(x)
