"""Views and bands, by what they must not change."""

import math

import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch.testing import assert_close

from diffusion_utils import views
from diffusion_utils.views import DOUBLED, FLIP, NEGATIVE

VIEWS = {
    "flip": FLIP,
    "negative": NEGATIVE,
    "skew": views.skew(),
    "jigsaw": views.jigsaw(torch.Generator().manual_seed(0)),
    "pixels": views.permutation(torch.randperm(64 * 64)),
    **{f"turned {q}": views.rotation(q) for q in (1, 2, 3)},
}


@pytest.fixture
def x():
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_undone(name, x):
    view = VIEWS[name]
    assert_close(view.invert(view.apply(x)), x, atol=0, rtol=0)
    assert_close(view.apply(view.invert(x)), x, atol=0, rtol=0)
    assert not torch.equal(view.apply(x), x)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_keeps_noise_noise(name, x):
    """Orthogonal: angles and lengths are kept, so unit Gaussian noise stays what it is."""
    view, y = VIEWS[name], torch.randn_like(x)
    assert_close((view.apply(x) * view.apply(y)).sum(), (x * y).sum(), rtol=1e-3, atol=1e-2)
    assert_close(view.apply(x).square().sum(), x.square().sum())


def test_the_view_that_must_fail_is_undone_but_changes_the_noise(x):
    assert_close(DOUBLED.invert(DOUBLED.apply(x)), x)
    assert DOUBLED.apply(x).var() > 3.9


def test_views_look_as_they_are_named(x):
    assert_close(FLIP.apply(x)[:, :, 0], x[:, :, -1])
    assert_close(NEGATIVE.apply(x), -x)
    turned = views.rotation(1).apply(x)
    assert_close(turned[:, :, 0, 0], x[:, :, 0, -1])  # the upper right corner goes left
    assert_close(views.skew().apply(x)[:, :, 3, 3], x[:, :, 3, 0])


def test_jigsaw_moves_whole_tiles():
    tiles = torch.arange(16.0).view(1, 1, 4, 4)
    image = tiles.repeat_interleave(16, 2).repeat_interleave(16, 3)
    moved = VIEWS["jigsaw"].apply(image)
    assert_close(moved, moved[..., ::16, ::16].repeat_interleave(16, 2).repeat_interleave(16, 3))
    assert sorted(moved[..., ::16, ::16].flatten().tolist()) == list(range(16))


@pytest.mark.parametrize("sigmas", [(2.0,), (4.0, 1.5), (6.0, 3.0, 1.0)])
def test_bands_add_up(sigmas, x):
    parts = [band(x) for band in views.bands(*sigmas)]
    assert len(parts) == len(sigmas) + 1
    assert_close(sum(parts), x, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 5.0])
def test_the_coarse_band_is_a_gaussian_blur(sigma, x):
    low = views.bands(sigma)[0](x)
    # 33 taps: 16 on each side of the middle
    expected = gaussian_filter(x.numpy(), sigma, axes=(2, 3), mode="mirror", radius=16)
    assert_close(low, torch.from_numpy(expected), atol=1e-5, rtol=1e-4)


def test_coarse_bands_keep_constants_and_fine_ones_drop_them():
    flat = torch.full((1, 3, 64, 64), 0.7)
    low, middle, high = (band(flat) for band in views.bands(4.0, 1.5))
    assert_close(low, flat)
    assert_close(middle, torch.zeros_like(flat), atol=1e-5, rtol=0)
    assert_close(high, torch.zeros_like(flat), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "sigmas", [(), (1.0, 2.0), (0.0,), (2.0, 2.0), (float("nan"),), (2.0, float("nan"))]
)
def test_bands_that_make_no_sense_are_refused(sigmas):
    with pytest.raises(ValueError, match="decrease"):
        views.bands(*sigmas)


def test_the_strength_of_a_stripe_pattern():
    wave = torch.cos(2 * torch.pi * 3 * torch.arange(64) / 64)
    strength = views.pattern_strength(0.5 + wave.expand(2, 64, 64))
    # a cosine is two waves, of 3 and of -3 stripes, with a power of 64^2 / 4 each
    f = range(-32, 32)
    ring = sum(round(math.hypot(a, b)) == 3 for a in f for b in f)  # those it is averaged with
    expected = torch.zeros(32)
    expected[2] = 2 * 64**2 / 4 / ring
    assert_close(strength, expected, atol=1e-3, rtol=1e-4)


def test_unit_noise_is_as_strong_at_each_number_of_stripes():
    noise = torch.randn(200, 64, 64, generator=torch.Generator().manual_seed(0))
    assert_close(views.pattern_strength(noise), torch.ones(32), atol=0.15, rtol=0)


@pytest.mark.parametrize("cross", [1.25, 7.0, 31.5])
def test_where_noise_drowns_an_exponential_is_known(cross):
    strength = torch.exp(-torch.arange(1.0, 33))
    assert views.drowned_from(strength, math.exp(-cross)) == pytest.approx(cross, abs=1e-4)


@pytest.mark.parametrize(("noise", "cross"), [(10.0, 1), (1e-20, math.inf)])
def test_noise_may_drown_the_widest_pattern_or_none(noise, cross):
    assert views.drowned_from(torch.exp(-torch.arange(1.0, 33)), noise) == cross


@pytest.mark.parametrize("part", [views.grey, views.colour])
def test_grey_and_colour_are_linear(part, x):
    y = x.flip(0)
    assert_close(part(2 * x - 3 * y), 2 * part(x) - 3 * part(y), atol=1e-5, rtol=0)
    assert_close(part(part(x)), part(x), atol=1e-6, rtol=0)  # what is taken once stays


def test_grey_and_colour_add_up_to_the_image(x):
    grey, colour = views.grey(x), views.colour(x)
    assert_close(grey + colour, x, atol=1e-6, rtol=0)
    assert_close(grey[:, 0], (x[:, 0] + x[:, 1] + x[:, 2]) / 3, atol=1e-6, rtol=0)
    assert_close(grey[:, 0], grey[:, 2], atol=0, rtol=0)
    assert_close(colour.sum(1), torch.zeros(2, 64, 64), atol=1e-5, rtol=0)
