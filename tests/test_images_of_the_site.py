"""What the build does with figures: packed without loss, given a size, put on the card that links show."""

from types import SimpleNamespace

import numpy as np
from _ext import pictures, social
from PIL import Image


def picture(path, width, height):
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2] = [200, 30, 40]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=0)
    return pixels


def test_figures_are_packed_without_loss_and_pages_say_their_size(tmp_path):
    pixels = picture(tmp_path / "_images/a.png", 90, 40)
    before = (tmp_path / "_images/a.png").stat().st_size
    page = tmp_path / "book/page.html"
    page.parent.mkdir()
    page.write_text(
        '<img alt="A" src="../_images/a.png"/> <img src="../_images/a.png" width="9"/>'
        '<img src="../_static/logo.svg">'
    )
    app = SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=tmp_path)
    pictures.place_figures(app, None)
    assert (tmp_path / "_images/a.png").stat().st_size < before / 2
    assert (np.array(Image.open(tmp_path / "_images/a.png")) == pixels).all()
    assert page.read_text() == (
        '<img alt="A" src="../_images/a.png" width="90" height="40"/>'
        ' <img src="../_images/a.png" width="9"/><img src="../_static/logo.svg">'
    )


def test_the_card_shows_the_pictures_below_each_other_in_their_proportions():
    red, blue = (Image.new("RGB", (800, 100), colour) for colour in ("red", "blue"))
    card = np.array(social.card("A title", [red, blue]))
    assert card.shape == (630, 1200, 3)
    for colour in ([255, 0, 0], [0, 0, 255]):
        rows, columns = np.nonzero((card == colour).all(2))
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (135, 1080)
    assert (card[:, :, 0] < 100).any() and (card[-1] == 255).all()
