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
    assert sum(len(ax.images) for ax in figures[0].axes) == 5
    mean = figures[1].axes[0].lines[1].get_ydata()
    assert mean[0] == pytest.approx(np.mean([1 / i for i in range(1, 51)]))
