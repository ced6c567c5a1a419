"""Figures of networks: their shapes are those of the tensors, and no arrow runs through a box."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from diffusion_utils.diagrams import (
    HEIGHT,
    WIDTH,
    Box,
    block_shapes,
    draw,
    emoji_plan,
    storyboard,
    unet_plan,
)
from diffusion_utils.emoji64.network import EmojiUNet
from diffusion_utils.mnist.unet import UNet

matplotlib.use("Agg")
NETWORKS = [UNet(8), UNet(8, time=True), UNet(8, time=True, num_classes=10)]


def crossed(boxes, arrows):
    """The (arrow, box) where an arrow runs through a box that is neither its start nor its end."""
    found = []
    for start, end in arrows:
        a, b = (np.array(boxes[name][:2]) for name in (start, end))
        points = a + np.linspace(0, 1, 400)[:, None] * (b - a)
        for name, box in boxes.items():
            apart = np.abs(points - box[:2])
            if name not in (start, end) and (apart < [WIDTH / 2, HEIGHT / 2]).all(1).any():
                found.append(((start, end), name))
    return found


PLANS = [*map(unet_plan, NETWORKS), emoji_plan(EmojiUNet((8, 16, 32)))]


@pytest.mark.parametrize("boxes, arrows", PLANS)
def test_no_arrow_runs_through_a_box_and_no_box_lies_over_another(boxes, arrows):
    assert not crossed(boxes, arrows)
    places = [np.array(box[:2]) for box in boxes.values()]
    for i, one in enumerate(places):
        for other in places[i + 1 :]:
            assert (np.abs(one - other) >= [WIDTH, HEIGHT]).any()


def test_the_check_of_arrows_sees_one_that_runs_through_a_box():
    boxes = {name: Box(column, 0, name) for column, name in enumerate("abc")}
    assert crossed(boxes, [("a", "c")]) == [(("a", "c"), "b")]
    assert not crossed(boxes, [("a", "b"), ("b", "c")])


def test_the_shapes_are_those_of_the_tensors():
    shapes = block_shapes(UNet(8), torch.zeros(2, 1, 28, 28))
    assert shapes["down2"] == ((8, 14, 14), (16, 7, 7))
    assert shapes["up1"] == ((32, 7, 7), (8, 14, 14))
    assert shapes["out"] == ((8, 28, 28), (1, 28, 28))


@pytest.mark.parametrize("network", NETWORKS)
def test_every_block_has_a_box_and_its_shape(network):
    boxes, arrows = unet_plan(network)
    blocks = {name for name, _ in network.named_children()}
    assert blocks <= set(boxes)
    assert boxes["up1"].text == "up1\n8 × 14 × 14"
    assert boxes["join7"].text == "join\n32 × 7 × 7"
    ends = {name for arrow in arrows for name in arrow}
    assert ends == set(boxes)
    if network.config["num_classes"]:
        assert boxes["class2"].text == "c2 = class2(c)\n8"
        assert ("class2", "place2") in arrows and ("time1", "place1") in arrows


def test_the_text_to_image_network_has_its_shapes():
    boxes, arrows = PLANS[-1]
    assert {name for arrow in arrows for name in arrow} == set(boxes)
    texts = {name: box.text.split("\n")[-1] for name, box in boxes.items()}
    assert texts["half"] == texts["coarse"] == "3 × 32 × 32"
    assert texts["x_t"] == texts["refiner"] == "3 × 64 × 64"
    assert texts["down1"] == "16 × 8 × 8" and texts["attention"] == "32 × 4 × 4"
    assert texts["up1"] == "8 × 16 × 16" and texts["words"] == "12 × 384"


def test_what_is_drawn_is_the_plan(monkeypatch):
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    boxes, arrows = unet_plan(NETWORKS[2])
    draw(boxes, arrows)
    texts = [text.get_text() for text in matplotlib.pyplot.gca().texts]
    assert [text for text in texts if text] == [box.text for box in boxes.values()]
    assert texts.count("") == len(arrows)


def test_arrows_run_between_pictures_and_never_over_one(monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gcf()))
    picture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    places = [(0, 1.4), (2, 1.4), (0, 0), (2, 0), (4, 0.7)]
    arrows = [(0, 1), (2, 3), (1, 4), (3, 4)]
    storyboard(
        {place: (picture, f"picture {i}") for i, place in enumerate(places)},
        [(places[a], places[b], "") for a, b in arrows],
    )
    (ax,) = shown[0].axes
    boxes = [image.get_extent() for image in ax.images]
    assert [(left, low) for left, _, low, _ in boxes] == places
    ends = [(t.xyann, t.xy) for t in ax.texts if getattr(t, "arrow_patch", None)]
    assert len(ends) == len(arrows)
    for start, end in ends:
        line = torch.linspace(0, 1, 50)[:, None] * (
            torch.tensor(end) - torch.tensor(start)
        ) + torch.tensor(start)
        for left, right, low, high in boxes:
            x, y = line.T
            assert not ((x > left) & (x < right) & (y > low) & (y < high)).any()
    (low_x, high_x), (low_y, high_y) = ax.get_xlim(), ax.get_ylim()
    assert all(low_x <= b[0] and b[1] <= high_x for b in boxes)
    assert all(low_y <= b[2] and b[3] <= high_y for b in boxes)
    plt.close(shown[0])


@pytest.fixture
def drawn(monkeypatch):
    """A function draws a figure -> its axes, and its pixels (H, W), 0 is black."""
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)

    def draw(function, *arguments):
        function(*arguments)
        figure = plt.gcf()
        figure.canvas.draw()
        return figure.axes[0], np.asarray(figure.canvas.buffer_rgba())[..., :3].mean(2)

    yield draw
    plt.close("all")


def pixel(ax, x, y):
    """Row and column of a point of the axes in the pixels of its figure."""
    column, from_below = ax.transData.transform((x, y))
    return round(ax.figure.bbox.height - from_below), round(column)


def thickest(pixels):
    """Where between left and right, 0 .. 1, most of a column is dark."""
    dark = (pixels < 200).sum(0)
    return np.flatnonzero(dark == dark.max()).mean() / len(dark)


@pytest.mark.parametrize("arrow, head", [(("a", "b"), 1), (("b", "a"), 0)])
def test_an_arrow_has_its_head_at_its_end(drawn, arrow, head):
    ax, pixels = drawn(draw, {"a": Box(0, 0, "a"), "b": Box(2, 0, "b")}, [arrow])
    (top, left), (bottom, right) = pixel(ax, WIDTH / 2, 0.3), pixel(ax, 2 - WIDTH / 2, -0.3)
    # the borders of the boxes are left out
    assert thickest(pixels[top:bottom, left + 3 : right - 3]) == pytest.approx(head, abs=0.2)


def test_each_picture_stands_at_its_place_under_its_title(drawn):
    levels = {(0, 1.4): 0.1, (2, 1.4): 0.3, (0, 0): 0.5, (2, 0.2): 0.7}
    pictures = {
        place: (torch.full((1, 3, 8, 8), level), f"{level}") for place, level in levels.items()
    }
    arrows = [((0, 0), (2, 0.2), "one"), ((0, 1.4), (2, 1.4), "two")]
    ax, pixels = drawn(storyboard, pictures, arrows)
    texts = {}
    for text in ax.texts:
        box = text.get_window_extent().transformed(ax.transData.inverted())
        texts[text.get_text()] = (box.x0 + box.x1) / 2, box.y0
    for (x, y), level in levels.items():
        assert pixels[pixel(ax, x + 0.5, y + 0.5)] == pytest.approx(255 * level, abs=1)
        at, low = texts[f"{level}"]
        assert at == pytest.approx(x + 0.5, abs=0.05) and y + 1 < low < y + 1.2
    for start, end, label in arrows:
        at, low = texts[label]
        assert start[0] + 1 < at < end[0] and low > max(start[1], end[1]) + 0.5


def test_an_arrow_between_pictures_has_its_head_at_the_second(drawn):
    picture = torch.zeros(1, 3, 8, 8), ""
    arrow = (0, 0), (2, 0), ""
    ax, pixels = drawn(storyboard, {(0, 0): picture, (2, 0): picture}, [arrow])
    row, _ = pixel(ax, 0, 0.5)
    (_, left), (_, right) = pixel(ax, 1, 0), pixel(ax, 2, 0)
    assert thickest(pixels[row - 9 : row + 9, left + 3 : right - 3]) > 0.7
