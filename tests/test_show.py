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
from torch.testing import assert_close

from diffusion_utils.show import (
    animation,
    comparison,
    grid,
    loss_curve,
    table,
    tile,
    to_pixels,
    unit_range,
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


@pytest.fixture
def drawn(monkeypatch):
    """A function draws a figure -> the figure as it is shown, and its pixels (H, W, 3)."""
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)

    def draw(function, *arguments, **options):
        function(*arguments, **options)
        figure = matplotlib.pyplot.gcf()
        figure.canvas.draw()
        pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
        return figure, pixels

    yield draw
    matplotlib.pyplot.close("all")


def middle(item):
    """Where something is shown in its figure: x, y in pixels from the upper left."""
    figure = item.get_figure()
    box = item.get_window_extent(figure.canvas.get_renderer())
    return (box.x0 + box.x1) / 2, figure.bbox.height - (box.y0 + box.y1) / 2


def test_images_stand_in_their_rows_and_columns_as_bright_as_they_are(drawn):
    """Each image is half dark and half bright, so that its middle row and column tell which it is."""
    values = torch.tensor([[0.0, 0.2, 0.4], [0.6, 0.8, 1.0]])
    rows = [v.view(3, 1, 1, 1).repeat(1, 3, 8, 8) for v in values]
    for row in rows:
        row[:, 0] = 1  # red is full
        row[:, 2, :4] = 0  # blue is none in the upper half
    figure, pixels = drawn(grid, rows)
    assert len(figure.axes) == 6
    places = {tuple(map(round, middle(ax)))[::-1]: ax for ax in figure.axes}
    assert len({y for y, _ in places}) == 2 and len({x for _, x in places}) == 3
    reading_order = sorted(places)
    for value, (y, x) in zip(values.flatten().tolist(), reading_order, strict=True):
        ax = places[y, x]
        quarter = ax.get_window_extent().height / 4
        upper, lower = (pixels[round(y + dy), round(x)] for dy in (-quarter, quarter))
        assert upper.tolist() == [255, round(255 * value), 0]
        assert lower.tolist() == [255, round(255 * value), round(255 * value)]


def test_a_grey_image_is_as_bright_as_it_is_and_missing_ones_are_left_blank(drawn):
    rows = [torch.full((1, 1, 8, 8), 0.4), torch.full((2, 1, 8, 8), 0.7)]
    figure, pixels = drawn(grid, rows)
    shown = []
    for ax in figure.axes:
        x, y = middle(ax)
        shown.append(pixels[round(y), round(x)].tolist())
    assert shown == [[102] * 3, [255] * 3, [178] * 3, [178] * 3]


def test_titles_are_above_their_columns_and_labels_beside_their_rows(drawn):
    rows = [torch.zeros(3, 1, 8, 8)] * 2
    figure, pixels = drawn(grid, rows, titles=["a", "b", "c"], labels=["one", "two"])
    assert figure.axes[0].title.get_fontsize() == 10
    columns = sorted({round(middle(ax)[0]) for ax in figure.axes})
    lines = sorted({round(middle(ax)[1]) for ax in figure.axes})
    texts = {t.get_text(): t for t in figure.findobj(matplotlib.text.Text)}
    for text, x in zip("abc", columns, strict=True):
        assert middle(texts[text])[0] == pytest.approx(x, abs=2)
        assert 0 < middle(texts[text])[1] < lines[0]
    for text, y in zip(["one", "two"], lines, strict=True):
        assert middle(texts[text])[1] == pytest.approx(y, abs=3)
        assert 0 < middle(texts[text])[0] < columns[0]
    # the letters are there
    for text in ("a", "c", "one", "two"):
        x, y = map(round, middle(texts[text]))
        assert pixels[y - 6 : y + 6, x - 6 : x + 6].min() < 100


@pytest.mark.parametrize("window", [50, 7])
def test_the_mean_of_a_loss_curve_stands_in_the_middle_of_its_steps(drawn, window):
    """Where the loss is the step, so is its mean."""
    history = [TrainStep(i, 1, float(i), 1e-3, 0.0) for i in range(101, 300)]
    figure, _ = drawn(loss_curve, history, window)
    (ax,) = figure.axes
    each, mean = ax.get_lines()
    assert_close(each.get_xydata(), np.stack([np.arange(101.0, 300)] * 2, 1))
    x, y = mean.get_xydata().T
    assert len(x) == 199 - window + 1
    assert np.abs(x - y).max() < 0.51
    assert ax.get_yscale() == "log" and ax.get_xscale() == "linear"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "mean squared error")
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["each step", f"mean of {window} steps"]


def test_the_mean_of_a_loss_curve_is_the_mean(drawn):
    losses = np.random.default_rng(0).uniform(0.1, 1, 80)
    history = [TrainStep(i, 1, loss, 1e-3, 0.0) for i, loss in enumerate(losses, 1)]
    figure, _ = drawn(loss_curve, history)
    mean = figure.axes[0].get_lines()[1].get_ydata()
    expected = [losses[i : i + 50].mean() for i in range(31)]
    assert mean == pytest.approx(expected)
    figure, _ = drawn(loss_curve, history[:20])  # fewer than the window
    assert figure.axes[0].get_lines()[1].get_ydata() == pytest.approx([losses[:20].mean()])


def test_part_a_s_images_are_shown_in_the_range_of_figures():
    images = torch.tensor([-1.0, -0.5, 0.0, 1.0], requires_grad=True)
    assert unit_range(images).tolist() == [0, 0.25, 0.5, 1]


def test_letters_of_a_wide_grid_are_as_large_on_the_page_as_those_of_a_small_one(monkeypatch):
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    grid([torch.rand(20, 1, 8, 8)], titles=range(20))
    figure = matplotlib.pyplot.gcf()
    shown = 7 / figure.get_size_inches()[0]
    assert figure.axes[0].title.get_fontsize() * shown == pytest.approx(10)
