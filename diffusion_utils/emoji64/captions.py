"""The words of Emoji-64: styles, colours, and what a drawing may be called."""

from functools import cache

from diffusion_utils.files import ROOT, read_lines

STYLES = {
    "noto": "with soft shading",
    "noto-v1": "in an old android style",
    "twemoji": "as a flat drawing",
    "fluent-emoji": "as a 3d render",
    "fluent-emoji-flat": "in flat colours",
    "emojione": "as a glossy drawing",
    "streamline-emojis": "with black outlines",
}
# these look alike: a plain name means one of them, the others are drawn when their style is asked for
PLAIN_STYLES = ("noto", "twemoji", "fluent-emoji", "fluent-emoji-flat")

COLOURS = {  # RGB, 0 .. 255
    "red": (222, 40, 44),
    "orange": (247, 140, 30),
    "yellow": (252, 210, 40),
    "green": (62, 170, 72),
    "blue": (48, 112, 222),
    "purple": (142, 72, 192),
    "pink": (246, 132, 182),
    "brown": (132, 82, 48),
    "black": (42, 42, 48),
    "grey": (142, 144, 150),
}

ANYTHING = ["a high quality photo", "a high quality picture", "a picture", "an emoji"]

WORDS = ROOT / "data" / "emoji64" / "words.txt"


@cache
def other_words():
    """{name: what else people call it}, of the names that have other words."""
    pairs = (line.split(": ") for line in read_lines(WORDS) if line[0] != "#")
    return {name: words.split(", ") for name, words in pairs}


def article(name):
    """ "a", or "an" before a vowel that is heard: "an owl", "a unicorn"."""
    return "an" if name[0] in "aeio" or name.startswith(("um", "hour")) else "a"


def called(name):
    """A name as people type it.

    >>> called("red apple"), called("owl")
    ('a red apple', 'an owl')
    """
    return f"{article(name)} {name}"


def captions(name, style):
    """What a drawing of `name` in `style` may be called; the plain name first if the style is plain."""
    styled = f"{called(name)} {STYLES[style]}"
    if style not in PLAIN_STYLES:
        return [styled]
    others = [called(other) for other in other_words().get(name, ())]
    return [called(name), styled, f"a photo of {called(name)}", *others]


def coloured(name, colour):
    """
    >>> coloured("red apple", "orange"), coloured("owl", "blue")
    ('an orange apple', 'a blue owl')
    """
    words = [word for word in name.split() if word not in COLOURS]
    return called(" ".join([colour, *words]))


def on_background(text, colour):
    """
    >>> on_background("an owl", "yellow")
    'an owl on a yellow background'
    """
    return f"{text} on {called(colour)} background"
