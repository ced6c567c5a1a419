"""What the chapters show: image grids, curves, tables, and players that need no other file."""

import base64
import io
import json
import zlib
from html import escape
from pathlib import Path
from string import Template

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import HTML
from PIL import Image

from diffusion_utils.pictures import to_pixels


def unit_range(images):
    """Part A's images, in [-1, 1] -> [0, 1], as figures take them."""
    return images.detach().cpu() / 2 + 0.5


def grid(rows, titles=None, labels=None, size=0.9):
    """Draw rows of images, each (n, 1 or 3, H, W) in [0, 1], under column titles and beside labels.

    size is the side of one image in inches. Draws into a new figure and shows it.
    """
    columns = max(map(len, rows))
    # a page shows 7 inches: a wider figure is made smaller there, and its letters with it
    fontsize = 10 * max(1, size * columns / 7)
    options = {"figsize": (size * columns, size * len(rows)), "layout": "compressed"}
    fig, axes = plt.subplots(len(rows), columns, squeeze=False, **options)
    for ax in axes.flat:
        ax.set_axis_off()
    for row, images in zip(axes, rows, strict=True):
        for ax, image in zip(row, to_pixels(images), strict=False):
            ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    for ax, title in zip(axes[0], titles or [], strict=False):
        ax.set_title(title, fontsize=fontsize)
    for ax, label in zip(axes[:, 0], labels or [], strict=False):
        ax.text(
            -0.1, 0.5, label, transform=ax.transAxes, ha="right", va="center", fontsize=fontsize
        )
    plt.show()


def loss_curve(history, window=50, marks=()):
    """Plot the loss of each `TrainStep`, and the mean of the steps around it, on a log axis.

    marks: steps where a dotted line stands.
    """
    steps, losses = np.array([(row.step, row.loss) for row in history]).T
    window = min(window, len(losses))
    mean = np.convolve(losses, np.ones(window) / window, "valid")
    fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
    ax.semilogy(steps, losses, alpha=0.3, label="each step")
    middle = steps[window // 2 :][: len(mean)]
    ax.semilogy(middle, mean, label=f"mean of {window} steps")
    for mark in marks:
        ax.axvline(mark, color="grey", lw=1, ls=":")
    ax.set(xlabel="step", ylabel="mean squared error")
    ax.legend()
    plt.show()


def table(rows, header, caption):
    """A table of results as HTML, with the numbers right-aligned under each other.

    rows: lists of as many cells as `header` has; a cell is shown as `str` makes it. A column whose
    cells all begin like a number stands to the right, and the first cell names its row.

    >>> shown = table([["epoch 5", "21.8 ± 0.4"]], ["", "PSNR (dB)"], "Ten digits.")
    >>> "<td" in shown.data
    True

    Raises:
        ValueError: a row has another number of cells than the header.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    for row in cells:
        if len(row) != len(header):
            raise ValueError(f"a row of {len(row)} cells under a header of {len(header)}: {row}")
    styles = [
        f"text-align:{'right' if all(map(like_a_number, column)) else 'left'};padding:.25em .8em;"
        "border-bottom:1px solid;font-variant-numeric:tabular-nums;vertical-align:bottom"
        for column in zip(*cells, strict=True)
    ]
    # a heading without text is none to a screen reader
    head = "".join(
        f'<th scope="col" style="{style}">{escape(str(name))}</th>'
        if name
        else f'<td style="{style}"></td>'
        for name, style in zip(header, styles, strict=True)
    )
    body = "".join(f"<tr>{row_of_table(row, styles)}</tr>" for row in cells)
    return HTML(
        '<table class="numbers" style="border-collapse:collapse;background:transparent;color:inherit">'
        f'<caption style="caption-side:top;text-align:left;color:inherit">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def row_of_table(cells, styles):
    first, *others = zip(cells, styles, strict=True)
    named = f'<th scope="row" style="{first[1]};font-weight:normal">{escape(first[0])}</th>'
    return named + "".join(f'<td style="{style}">{escape(cell)}</td>' for cell, style in others)


def like_a_number(cell):
    """Whether a cell begins like a number, or is empty."""
    return not cell or cell.lstrip("-−+<>≤≥±~ ")[:1].isdigit() or cell in "-–—"


def tile(images, columns):
    """(B, C, H, W) -> (1, C, rows H, columns W), image by image from the upper left."""
    rows = images.unflatten(0, (-1, columns))
    return torch.cat([torch.cat(list(row), 2) for row in rows], 1)[None]


def animation(frames, alt, captions, width=320):
    """A player for a list of (1, C, H, W) frames: a slider and a play button, self-contained HTML.

    It starts at the last frame, does not play by itself, and works by keyboard. Where the reader's
    system asks for reduced motion, the button shows the next frame instead of playing.

    captions: one short text for each frame. alt: what a reader who does not see it should know.
    """
    sheet = data_url(np.concatenate([to_pixels(frame)[0] for frame in frames]))
    height, breadth = frames[0].shape[-2:]
    return filled(
        "player.html", sheet=sheet, alt=escape(alt), width=width, ratio=f"{breadth} / {height}",
        size=f"{100 * len(frames)}%", last=len(frames) - 1,
        captions=json.dumps(list(captions)).replace("</", "<\\/"),  # it stands in a <script>
    )  # fmt: skip


def comparison(before, after, alt, captions=("before", "after")):
    """Two (1, C, H, W) images in [0, 1] under a slider: left of it `before`, right of it `after`."""
    height, breadth = before.shape[-2:]
    return filled(
        "comparison.html", before=data_url(to_pixels(before)[0]), after=data_url(to_pixels(after)[0]),
        left=escape(captions[0]), right=escape(captions[1]),
        alt=escape(alt), ratio=f"{breadth} / {height}",
    )  # fmt: skip


def filled(template, **values):
    """A template beside this file with its $names replaced, as a part of the page."""
    path = Path(__file__).with_name(template)
    name = f"{path.stem}{zlib.crc32(repr(values).encode()):08x}"  # the same in each run
    return HTML(Template(path.read_text()).substitute(values, name=name))


def data_url(pixels):
    """(H, W) or (H, W, 3) uint8 as the address of a PNG."""
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()
