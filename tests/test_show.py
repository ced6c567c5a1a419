import base64
import io
import json
import re
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_utils.show import (
    animation,
    comparison,
    grid,
    loss_curve,
    table,
    tile,
    to_pixels,
)
from diffusion_utils.training.runs import TrainStep

matplotlib.use("Agg")


def test_pixels_are_rounded_and_clipped():
    image = torch.tensor([-1.0, 0.0, 0.5, 1.0, 2.0]).reshape(1, 1, 1, 5)
    assert to_pixels(image).tolist() == [[[0, 0, 128, 255, 255]]]


def test_tiles_are_in_reading_order():
    images = torch.arange(6.0).reshape(6, 1, 1, 1).expand(6, 1, 2, 2)
    assert tile(images, 3)[0, 0, ::2, ::2].tolist() == [[0, 1, 2], [3, 4, 5]]


class Cells(HTMLParser):
    """The rows of a table as lists of (tag, style, text), and its caption."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.caption, self.inside = [], "", None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.inside = tag
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append([tag, dict(attributes)["style"], ""])

    def handle_data(self, text):
        if self.inside == "caption":
            self.caption += text
        else:
            self.rows[-1][-1][2] += text


def test_a_table_has_every_cell_and_its_numbers_stand_right():
    rows = [["a < b", 1, "-2.5 dB", "a 7"], ["c", 20, "", "3"]]
    read = Cells(table(rows, ["", "n", "q", "x"], "See <here>.").data)
    texts = [[text for _, _, text in row] for row in read.rows]
    assert texts == [["", "n", "q", "x"], ["a < b", "1", "-2.5 dB", "a 7"], ["c", "20", "", "3"]]  # fmt: skip
    assert read.caption == "See <here>."
    for row in read.rows:
        sides = [style.split(";")[0].split(":")[1] for _, style, _ in row]
        assert sides == ["left", "right", "right", "left"]
    assert [tag for tag, _, _ in read.rows[1]] == ["th", "td", "td", "td"]


def test_a_table_refuses_a_row_that_does_not_fit_its_header():
    with pytest.raises(ValueError, match="3 cells under a header of 2"):
        table([[1, 2], [1, 2, 3]], ["a", "b"], "")


def test_animation_is_self_contained_and_holds_every_frame():
    frames = [torch.full((1, 1, 4, 6), value) for value in (0.0, 0.4, 1.0)]
    html = animation(frames, alt="a square", captions=["t = 2", "t = 1", "t = 0"]).data
    HTMLParser().feed(html)
    assert not re.search(r"https?://|src=", html)
    assert 'aria-label="a square"' in html
    png = base64.b64decode(re.search(r"base64,([^)]+)\)", html)[1])
    sheet = np.asarray(Image.open(io.BytesIO(png)))
    assert sheet.shape == (12, 6)
    assert sheet[::4, 0].tolist() == [0, 102, 255]


def test_captions_are_text_in_the_script():
    frames = [torch.zeros(1, 1, 4, 4)] * 2
    captions = [np.str_("t = 1"), '</script>"']
    html = animation(frames, alt="", captions=captions).data
    assert html.count("</script>") == 1
    listed = re.search(r"captions = (\[.*?\]), last", html)[1]
    assert json.loads(listed) == ["t = 1", '</script>"']


def test_the_slider_holds_both_pictures():
    before, after = torch.zeros(1, 3, 4, 6), torch.ones(1, 3, 4, 6)
    html = comparison(before, after, alt="a <square>").data
    assert 'aria-label="a &lt;square&gt;"' in html and "6 / 4" in html
    pictures = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))
        for png in re.findall(r'base64,([^"]+)"', html)
    ]
    right, left = pictures  # the one on the left lies over the other
    assert right.shape == (4, 6, 3) and right.min() == 255 and left.max() == 0


def test_grid_and_loss_curve_draw(monkeypatch):
    figures = []
    monkeypatch.setattr(
        "matplotlib.pyplot.show", lambda: figures.append(matplotlib.pyplot.gcf())
    )
    grid(
        [torch.rand(2, 1, 8, 8), torch.rand(3, 3, 8, 8)],
        titles=["a"],
        labels=["b", "c"],
    )
    loss_curve([TrainStep(i, 1, 1 / i, 1e-3, 0.0) for i in range(1, 80)])
    assert len(figures[0].axes) == 6
    assert figures[0].axes[0].title.get_fontsize() == 10
    assert sum(len(ax.images) for ax in figures[0].axes) == 5
    mean = figures[1].axes[0].lines[1].get_ydata()
    assert mean[0] == pytest.approx(np.mean([1 / i for i in range(1, 51)]))


def test_letters_of_a_wide_grid_are_as_large_on_the_page_as_those_of_a_small_one(
    monkeypatch,
):
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    grid([torch.rand(20, 1, 8, 8)], titles=range(20))
    figure = matplotlib.pyplot.gcf()
    shown = 7 / figure.get_size_inches()[0]
    assert figure.axes[0].title.get_fontsize() * shown == pytest.approx(10)
