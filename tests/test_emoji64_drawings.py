"""How drawings are shown in training, and what they are called."""

import colorsys
import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab
from torch.testing import assert_close

from diffusion_utils.emoji64.captions import (
    ANYTHING,
    COLOURS,
    PLAIN_STYLES,
    STYLES,
    called,
    captions,
    coloured,
    on_background,
    other_words,
)
from diffusion_utils.emoji64.dataset import PATH, Emoji, emoji
from diffusion_utils.emoji64.drawings import background_of, composited, moved, recoloured
from diffusion_utils.emoji64.recipe import Batches, Recipe
from diffusion_utils.files import read_lines

# Moved


def dots(n):
    """Two small white squares 32 pixels apart, the same distance from the middle, n times."""
    image = torch.zeros(n, 4, 64, 64)
    for x in (14, 46):
        image[:, :, 30:34, x : x + 4] = 1
    return image


def centres(images):
    """Where the two squares are: (n, 2) pixels (x, y) of each."""
    found = []
    for half in images[:, 3].split(32, 2):
        mass = half.sum((1, 2))
        x = (half.sum(1) * torch.arange(32)).sum(1) / mass
        y = (half.sum(2) * torch.arange(64)).sum(1) / mass
        found.append(torch.stack([x, y], 1))
    return found[0], found[1] + torch.tensor([32.0, 0])


def test_a_drawing_is_scaled_up_and_shifted_a_little_and_not_turned():
    shown = moved(dots(300), torch.Generator().manual_seed(0))
    left, right = centres(shown)
    across = right - left
    scale = across[:, 0] / 32
    assert scale.min() > 0.995 and scale.max() < 1.065
    assert scale.max() - scale.min() > 0.04
    assert across[:, 1].abs().max() < 0.1
    shift = (left + right) / 2 - 31.5
    assert shift.abs().max() < 0.03 * 64
    assert shift.amax(0).min() > 0.5 and shift.amin(0).max() < -0.5
    assert shift.mean(0).abs().max() < 0.15
    assert abs(torch.corrcoef(shift.T)[0, 1]) < 0.25


def test_what_is_transparent_has_no_colour():
    """A red square whose transparent surroundings are green: no green at its edges."""
    image = torch.tensor([0.0, 1, 0, 0])[:, None, None].repeat(20, 1, 64, 64)
    image[:, :, 20:44, 20:44] = torch.tensor([1.0, 0, 0, 1])[:, None, None]
    shown = moved(image, torch.Generator().manual_seed(0))
    red, green, blue, alpha = shown.unbind(1)
    assert_close(red, alpha)
    assert green.abs().max() == blue.abs().max() == 0
    assert ((alpha > 0.05) & (alpha < 0.95)).any()


def test_compositing_is_that_of_pil():
    g = torch.Generator().manual_seed(0)
    rgba = torch.randint(256, (3, 4, 8, 8), generator=g).to(torch.uint8)
    colours = torch.tensor([[10, 200, 30], [255, 255, 255], [0, 90, 250]])
    alpha = rgba[:, 3:].float() / 255
    premultiplied = torch.cat([rgba[:, :3].float() / 255 * alpha, alpha], 1)
    shown = composited(premultiplied, colours[..., None, None] / 255)
    assert shown.min() >= -1 and shown.max() <= 1
    for drawing, colour, ours in zip(rgba, colours, shown, strict=True):
        below = Image.new("RGBA", (8, 8), (*colour.tolist(), 255))
        above = Image.fromarray(drawing.permute(1, 2, 0).numpy(), "RGBA")
        theirs = np.asarray(Image.alpha_composite(below, above).convert("RGB"))
        found = 127.5 * (ours.permute(1, 2, 0) + 1)
        assert np.abs(found.numpy() - theirs).max() <= 1.01


def test_a_background_is_the_colour_thinned_with_white():
    for colour, rgb in COLOURS.items():
        whole, half = (background_of(colour, s)[:, 0, 0] for s in (1.0, 0.5))
        assert_close(255 * whole, torch.tensor(rgb).float())
        assert_close(510 * half, 255 + torch.tensor(rgb).float())
    for strength in (0.5, 1.0):
        assert background_of(None, strength).flatten().tolist() == [1, 1, 1]


# In another colour


def lab(rgb):
    """(3, N) in [0, 1] -> (N, 3) in CIELAB."""
    return rgb2lab(rgb.T.numpy()[None])[0]


def palette():
    return lab(torch.tensor([*COLOURS.values()]).T / 255)


def shaded(dark=0.5, light=1.3):
    """A blue drawing from dark to light, black outlines, white eyes, nothing around it."""
    image = torch.zeros(4, 16, 16)
    shade = torch.linspace(dark, light, 12)
    blue = torch.tensor([0.15, 0.35, 0.7])
    image[:3, 2:14, 2:14] = (blue[:, None] * shade).clamp(0, 1)[:, None]
    image[:3, 2:4, 2:14] = 0.05  # outline
    image[:3, 6:8, 6:8] = 1.0  # an eye
    image[3, 2:14, 2:14] = 1
    image[3, 13, :] *= 0.5
    return image


@pytest.mark.parametrize("colour", COLOURS)
def test_a_recoloured_drawing_has_the_hue_that_was_asked_for(colour):
    image = shaded()
    found = recoloured(image, colour)
    assert found[3].equal(image[3])  # it covers the same
    body = found[:3, 9:13, 2:14]
    wanted = colorsys.rgb_to_hsv(*(v / 255 for v in COLOURS[colour]))
    for pixel in body.flatten(1).T.tolist():
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        apart = abs(hue - wanted[0])
        assert min(apart, 1 - apart) < 0.01
        # shade keeps the saturation, gloss thins the colour
        assert saturation <= wanted[1] + 0.01
    # where it is as light as usual, it is the very colour
    light = image[:3, 9:13, 2:14].mean((0, 1))
    usual = (light - light.mean()).abs().argmin()
    nearest = np.linalg.norm(lab(body[:, 0, usual, None]) - palette(), axis=1)
    assert [*COLOURS][nearest.argmin()] == colour and nearest.min() < 6
    # light stays light, and dark dark
    assert (body.sum(0).diff(dim=1) >= -1e-6).all()
    assert body.sum(0)[0, -1] > 1.2 * body.sum(0)[0, 0]
    # eyes and outlines keep theirs
    assert_close(found[:3, 6:8, 6:8], image[:3, 6:8, 6:8])
    assert_close(found[:3, 2:4, 2:14], image[:3, 2:4, 2:14])


@pytest.mark.parametrize("colour", COLOURS)
def test_a_grey_drawing_is_painted_too(colour):
    image = torch.full((4, 8, 8), 0.6)
    image[3] = 1
    found = recoloured(image, colour)[:3].mean((1, 2))
    assert_close(255 * found, torch.tensor(COLOURS[colour]).float(), atol=0.5, rtol=0)


def test_real_drawings_look_like_the_colour_that_was_asked_for():
    """By the mean of what changed, in CIELAB, for names that chapters and sheets draw in colours."""
    data, right, total = emoji(), 0, 0
    things = "car", "red apple", "house", "umbrella", "fish"
    for name, colour in itertools.product(things, COLOURS):
        for index in (data.name_index == data.names.index(name)).nonzero()[:, 0]:
            image = data.images[index].float() / 255
            found = recoloured(image, colour)
            assert found.min() >= 0 and found.max() <= 1 and found[3].equal(image[3])
            changed = ((found - image).abs().sum(0) > 0.1) & (image[3] > 0.5)
            if changed.float().mean() > 0.05:
                mean = found[:3, changed].mean(1, keepdim=True)
                nearest = np.linalg.norm(lab(mean) - palette(), axis=1).argmin()
                right += [*COLOURS][nearest] == colour
                total += 1
    assert total > 250 and right > 0.8 * total


# What they are called


def names():
    """The plain words of data/emoji64/names.txt."""
    lines = (PATH.parent / "names.txt").read_text().splitlines()
    pairs = [line.partition(": ") for line in lines if line and line[0] != "#"]
    return {words or package.replace("-", " ") for package, _, words in pairs}


def test_every_other_word_is_of_a_name_and_of_no_other():
    known, everything = names(), [word for words in other_words().values() for word in words]
    assert set(other_words()) <= known
    assert set(other_words()) <= set(emoji().names)
    assert not set(everything) & known
    assert len(everything) == len(set(everything))


def test_no_caption_has_a_word_that_tests_new_words():
    lines = read_lines(PATH.parent / "unseen_words.txt")
    unseen = dict(line.split(": ") for line in lines if line[0] != "#")
    assert len(unseen) == 64 and set(unseen) <= names()
    trained = {word for words in other_words().values() for word in words}
    assert not set(unseen.values()) & (trained | names())


def test_captions_name_the_thing_first_if_the_style_is_plain():
    for style in STYLES:
        plain, *others = captions("apple", style)
        if style in PLAIN_STYLES:
            assert plain == "an apple" and f"an apple {STYLES[style]}" in others
            assert "a photo of an apple" in others
        else:
            assert (plain, others) == (f"an apple {STYLES[style]}", [])
    assert {"a rocket ship", "a space rocket"} < set(captions("rocket", "noto"))
    assert captions("rocket", "emojione") == ["a rocket as a glossy drawing"]
    assert len(set(STYLES.values())) == len(STYLES) == 7


def test_the_article_is_the_one_that_is_spoken():
    """Before a vowel that is heard, which is not always one that is written."""
    expected = "an owl, an egg, an abacus, an umbrella, an hourglass, an ice cream cone"
    expected += ", a unicorn, a ufo, a horse, a house, a yarn, a t-rex"
    for words in expected.split(", "):
        assert called(words.partition(" ")[2]) == words


def test_a_colour_in_the_name_gives_way_to_the_one_that_is_asked_for():
    assert coloured("red apple", "blue") == "a blue apple"
    assert coloured("owl", "orange") == "an orange owl"
    assert on_background("a car", "orange") == "a car on an orange background"


# As often as the recipe says

N = 3000
COLOUR_OF = {"owl": (200, 60, 60), "cup of coffee": (60, 60, 200)}


@pytest.fixture(scope="module")
def shown():
    """What two drawings, in a plain and in an odd style, looked like and were called, N times each."""
    images = torch.zeros(4, 4, 64, 64, dtype=torch.uint8)
    images[:, 3, 16:48, 16:48] = 255
    things = [*COLOUR_OF]
    for i in range(4):
        images[i, :3, 16:48, 16:48] = torch.tensor(COLOUR_OF[things[i % 2]])[:, None, None]  # fmt: skip
    data = Emoji(images, things, torch.arange(4) % 2, ["noto", "noto-v1"], torch.arange(4) // 2)
    batches = Batches(Recipe(), data, None)
    g, found = torch.Generator().manual_seed(0), []
    for _ in range(N // 50):
        chosen = torch.arange(4).repeat_interleave(50)
        pictures, texts = batches.pictures(chosen, g)
        found += zip(chosen.tolist(), (pictures + 1) / 2, texts, strict=True)
    return found


def near(colour, rgb):
    return (colour - torch.tensor(rgb) / 255).abs().max() < 0.02


def painted_with(index, picture):
    """The colour that a drawing was given, or None."""
    middle = picture[:, 16, 16]
    if near(middle, [*COLOUR_OF.values()][index % 2]):
        return None
    (colour,) = [name for name, rgb in COLOURS.items() if near(middle, rgb)]
    return colour


def background(picture):
    """The colour of the background, thinned with white by half at most, or None."""
    corner = picture[:, 1, 1]
    if near(corner, (255, 255, 255)):
        return None
    thinned = (1 - corner)[:, None]
    distances = {}
    for name, rgb in COLOURS.items():
        full = 1 - torch.tensor(rgb)[:, None] / 255
        strength = (full * thinned).sum() / (full * full).sum()
        if 0.48 < strength < 1.02:
            distances[name] = (strength * full - thinned).abs().max().item()
    return min(distances, key=distances.get)


def rate(hits, expected, n):
    """Whether a count of n is within four standard errors of its expectation."""
    return abs(hits / n - expected) < 4 * (expected * (1 - expected) / n) ** 0.5


def said(rows):
    """Those whose caption says something."""
    return [row for row in rows if row[2] and row[2] not in ANYTHING]


@pytest.mark.parametrize("style", ["plain", "odd"])
def test_captions_are_left_out_or_say_nothing_as_often_as_the_recipe_says(shown, style):
    rows = [row for row in shown if (row[0] < 2) == (style == "plain")]
    texts = [text for *_, text in rows]
    assert rate(texts.count(""), 0.1, len(texts))
    for text in ANYTHING:
        assert rate(texts.count(text), 0.02 / len(ANYTHING), len(texts))


def test_drawings_are_painted_as_often_as_the_recipe_says_and_called_so(shown):
    rows = [row for row in shown if row[0] < 2]
    painted = [(i, p, t) for i, p, t in rows if painted_with(i, p)]
    assert rate(len(painted), 0.14, len(rows))
    for index, picture, text in said(painted):
        assert text == coloured([*COLOUR_OF][index], painted_with(index, picture))
        assert background(picture) is None
    colours = [painted_with(i, p) for i, p, _ in painted]
    assert all(rate(colours.count(c), 0.1, len(colours)) for c in COLOURS)


def test_backgrounds_are_coloured_as_often_as_the_recipe_says_and_called_so(shown):
    rows = [row for row in shown if row[0] < 2]
    on_one = [(i, p, t) for i, p, t in rows if background(p)]
    assert rate(len(on_one), 0.3, len(rows))
    for index, picture, text in said(on_one):
        names = captions([*COLOUR_OF][index], "noto")
        del names[1]  # its style would make the prompt too long
        assert text in [on_background(name, background(picture)) for name in names]
    colours = [background(p) for _, p, _ in on_one]
    assert all(rate(colours.count(c), 0.1, len(colours)) for c in COLOURS)


def test_other_drawings_are_mostly_called_by_their_plain_name(shown):
    for index, name in enumerate(COLOUR_OF):
        rows = [row for row in said(shown) if row[0] == index]
        texts = [t for i, p, t in rows if not painted_with(i, p) and not background(p)]
        first, styled, *words = captions(name, "noto")
        assert set(texts) == {first, styled, *words}
        assert rate(texts.count(first), 0.55, len(texts))
        assert rate(texts.count(styled), 0.2, len(texts))
        for word in words:
            assert rate(texts.count(word), 0.25 / len(words), len(texts))


def test_odd_styles_are_asked_for_and_neither_painted_nor_on_a_colour(shown):
    for index, picture, text in shown:
        if index >= 2:
            assert painted_with(index, picture) is background(picture) is None
            name = [*COLOUR_OF][index % 2]
            styled = f"{called(name)} in an old android style"
            assert text in (styled, "", *ANYTHING)
