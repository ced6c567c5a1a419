"""Figures of networks and of steps: boxes or pictures, and what goes where."""

from itertools import pairwise
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.patches import FancyBboxPatch

from diffusion_utils.pictures import to_pixels


class Box(NamedTuple):
    """A box of a diagram: its centre in columns and rows, its lines of text, and its colour."""

    column: float
    row: float
    text: str
    colour: str = "#dbe7f6"


WIDTH, HEIGHT = 0.8, 0.7  # of a box, in columns and rows
JOIN, TIME, CLASS = "#ffffff", "#fde3c3", "#d3ecd0"


def block_shapes(network, *inputs):
    """What goes into and comes out of each child of a network, without the batch.

    Args:
        network: an `nn.Module` whose children take a tensor first and return one.
        inputs: tensors for one forward pass.

    Returns:
        {name of the child: (shape in, shape out)}, in the order in which they are called.
    """
    shapes = {}

    def note(name):
        def hook(module, received, returned):
            shapes[name] = tuple(received[0].shape[1:]), tuple(returned.shape[1:])

        return hook

    hooks = [child.register_forward_hook(note(name)) for name, child in network.named_children()]
    try:
        with torch.no_grad():
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return shapes


def size(shape):
    """(64, 14, 14) -> "64 × 14 × 14"."""
    return " × ".join(map(str, shape))


def unet_plan(network):
    """A `mnist.unet.UNet` as boxes and arrows for `draw`: down on the left, up on the right, then t and c."""
    time, classes = network.config["time"], network.config["num_classes"]
    inputs = [torch.zeros(2, 1, 28, 28)]
    inputs += [torch.zeros(2)] * time + [torch.zeros(2, classes)] * bool(classes)
    device = next(network.parameters()).device
    shapes = block_shapes(network, *(part.to(device) for part in inputs))
    up = ["unflatten", "place1", "join7", "up1", "place2", "join14", "up2"]
    up += ["join28", "conv_out", "out"]
    if not time:
        up = [name for name in up if not name.startswith("place")]
    down = {"x": "out", "conv_in": "join28", "down1": "join14", "down2": "join7"}
    down["flatten"] = "unflatten"
    joins = {"join7": "up1", "join14": "up2", "join28": "conv_out"}

    def text(name):
        if name in joins:
            return f"join\n{size(shapes[joins[name]][0])}"
        if name.startswith("place"):
            n = name[-1]
            return f"c{n} · h + t{n}" if classes else f"h + t{n}"
        return f"{name}\n{size(shapes[name][1])}"

    image = "$x_t$" if time else "$z$"  # as chapters B2 and B3, and B1, call it
    boxes = {"x": Box(0, len(up) - 1, f"{image}\n{size(inputs[0].shape[1:])}", JOIN)}
    for name in [*down][1:]:
        boxes[name] = Box(0, up.index(down[name]), text(name))
    for row, name in enumerate(up):
        plain = name in joins or name.startswith("place")
        boxes[name] = Box(1.25, row, text(name), *[JOIN] * plain)
    arrows = [*pairwise(down), ("flatten", "unflatten")]
    arrows += pairwise(up)
    arrows += [(left, right) for left, right in down.items() if right in joins]
    for n in "12" if time else "":
        conditions = [("time", f"t{n} = time{n}(t/T)", TIME)]
        if classes:
            conditions.append(("class", f"c{n} = class{n}(c)", CLASS))
        for place, (name, words, colour) in enumerate(conditions):
            row = up.index(f"place{n}") + (0.4 - 0.8 * place if classes else 0)
            known = f"{words}\n{size(shapes[name + n][1])}"
            boxes[name + n] = Box(2.4, row, known, colour)
            arrows.append((name + n, f"place{n}"))
    return boxes, arrows


def emoji_plan(unet):
    """An `EmojiUNet` as boxes and arrows for `draw`: the base down and up again, the refiner on top."""
    words, E = unet.base.words.in_features, unet.base.pooled[-1].out_features
    prompt = torch.zeros(1, 12, words), torch.ones(1, 12).bool(), torch.zeros(1, words)
    x_t, t = torch.zeros(1, 3, 64, 64), torch.zeros(1).long()
    shapes = block_shapes(unet.base, F.avg_pool2d(x_t, 2), t, *prompt)
    shapes |= block_shapes(unet, x_t, t, *prompt)
    maps = [size(shapes[name][1]) for name in ("down1", "down2")]  # as large as what they add to
    down = ["conv_in", "down1", "down2", "attention"]
    up = ["attention_up", "up2", "up1", "out"]
    boxes = {
        "x_t": Box(0, 6, f"$x_t$\n{size(x_t.shape[1:])}", JOIN),
        "half": Box(0, 5, f"$x'$, half size\n{size(shapes['base'][0])}", JOIN),
        "coarse": Box(1.3, 5, f"$\\hat x_0$, half size\n{size(shapes['base'][1])}", JOIN),
        "refiner": Box(1.3, 6, f"refiner: $v$\n{size(shapes['refiner'][1])}"),
        "words": Box(0.65, 0, f"words of the prompt\n{size(prompt[0].shape[1:])}", CLASS),
        "e": Box(-1.3, 3.5, f"time and prompt\n{E}", TIME),
        "layout": Box(-1.3, 2, f"layout: {maps[0]}\nand {maps[1]}", TIME),
    }
    for column, names in ((0, down), (1.3, up[::-1])):
        for row, name in zip((4, 3, 2, 1), names, strict=True):
            boxes[name] = Box(column, row, f"{name}\n{size(shapes[name][1])}")
    path = ["x_t", "half", *down, *up, "coarse", "refiner"]
    arrows = [*pairwise(path), ("x_t", "refiner")]
    arrows += [
        ("conv_in", "out"),
        ("down1", "up1"),
        ("words", "attention"),
        ("words", "attention_up"),
    ]
    arrows += [("e", name) for name in (*down[:3], "layout")]
    return boxes, arrows + [("layout", name) for name in down[1:3]]


def draw(boxes, arrows, row_height=0.56, fontsize=9.5):
    """Draw boxes {name: Box} and straight arrows [(name, name)] into a new figure, and show it.

    It is 7 inches wide, and a row is row_height inches high.
    """
    columns, rows = zip(*[(box.column, box.row) for box in boxes.values()], strict=True)
    limits = [(min(a) - 0.5, max(a) + 0.5) for a in (columns, rows)]
    fig, ax = plt.subplots(figsize=(7, row_height * (max(rows) - min(rows) + 1)))
    ax.set(xlim=limits[0], ylim=limits[1])
    ax.set_axis_off()
    fig.subplots_adjust(0, 0, 1, 1)
    patches = {}
    for name, box in boxes.items():
        corner = box.column - WIDTH / 2, box.row - HEIGHT / 2
        patches[name] = FancyBboxPatch(
            corner, WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=box.colour, edgecolor="#3b4a5a",
        )  # fmt: skip
        ax.add_patch(patches[name])
        ax.text(box.column, box.row, box.text, ha="center", va="center", size=fontsize)
    for start, end in arrows:
        ax.annotate(
            "", boxes[end][:2], boxes[start][:2],
            arrowprops={
                "arrowstyle": "-|>", "color": "#3b4a5a", "shrinkA": 0, "shrinkB": 0,
                "patchA": patches[start], "patchB": patches[end],
            },
        )  # fmt: skip
    plt.show()


SIDE = 1.1  # of a picture, in inches
GAP = 0.07  # between an arrow and a picture


def storyboard(pictures, arrows):
    """Draw pictures (1, 3, H, W) in [0, 1] and arrows into a new figure, and show it.

    Args:
        pictures: {(x, y): (picture, title)}; x and y place its lower left corner, in sides of a picture.
        arrows: [(place, place, label)], from the right side of one picture to the left of another.
    """
    width, height = (max(places) + 1.1 for places in zip(*pictures, strict=True))
    height += 0.25  # a title
    fig = plt.figure(figsize=(SIDE * (width + 0.1), SIDE * (height + 0.1)))
    ax = fig.add_axes([0, 0, 1, 1])
    ax.set_axis_off()
    fontsize = 10 * max(1, SIDE * width / 7)  # as in `show.grid`
    for (x, y), (picture, title) in pictures.items():
        ax.imshow(to_pixels(picture)[0], extent=(x, x + 1, y, y + 1), aspect="auto")
        ax.text(x + 0.5, y + 1.04, title, ha="center", va="bottom", fontsize=fontsize)
    for (x0, y0), (x1, y1), label in arrows:
        start, end = (x0 + 1 + GAP, y0 + 0.5), (x1 - GAP, y1 + 0.5)
        ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0})
        middle = (start[0] + end[0]) / 2, max(start[1], end[1]) + 0.06
        ax.text(*middle, label, ha="center", va="bottom", fontsize=fontsize)
    ax.set(xlim=(-0.1, width), ylim=(-0.1, height))
    plt.show()


def guidance_arrows():
    """A sketch of (N.6) in two dimensions: from eps_u to eps_c, and as far again."""
    eps_u, eps_c = torch.tensor([[2.0, 1.0], [3.6, 0.75]])
    _, ax = plt.subplots(figsize=(6, 1.9), layout="constrained")
    arrows = [(torch.zeros(2), eps_u, "C7", "-"), (torch.zeros(2), eps_c, "C7", "-")]
    arrows += [(eps_u, eps_c, "C1", "-"), (eps_c, 2 * eps_c - eps_u, "C1", "--")]
    for start, end, colour, line in arrows:
        style = {"arrowstyle": "->", "color": colour, "ls": line, "lw": 1.5}
        ax.annotate("", end, start, arrowprops=style | {"shrinkA": 0, "shrinkB": 0})
    names = {0: r"$\epsilon_u$, ", 0.5: "", 1: r"$\epsilon_c$, ", 2: ""}
    for gamma, name in names.items():
        x, y = eps_u + gamma * (eps_c - eps_u)
        ax.plot(x, y, "ko", ms=4)
        ax.text(x, y + 0.1, rf"{name}$\gamma={gamma}$", ha="center")
    ax.set(xlim=(-0.1, 5.7), ylim=(-0.1, 1.3))
    ax.set_axis_off()
    plt.show()
