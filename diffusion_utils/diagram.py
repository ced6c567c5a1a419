"""A diagram for the chapters: pictures with arrows between them."""

import matplotlib.pyplot as plt

from diffusion_utils.show import to_pixels

GAP = 0.07  # between an arrow and a picture


def diagram(pictures, arrows, size=1.1):
    """Draw pictures (1, 3, H, W) in [0, 1] and arrows into a new figure, and show it.

    Args:
        pictures: {(x, y): (picture, title)}, where x and y place its lower left corner.
        arrows: [(place, place, label)], from the right side of one picture to the left of another.
        size: the side of a picture in inches; it is the unit of x and y.
    """
    width, height = (max(places) + 1.1 for places in zip(*pictures, strict=True))
    height += 0.25  # a title
    fig = plt.figure(figsize=(size * (width + 0.1), size * (height + 0.1)))
    ax = fig.add_axes([0, 0, 1, 1])
    ax.set_axis_off()
    fontsize = 10 * max(1, size * width / 7)  # as in `show.grid`
    for (x, y), (picture, title) in pictures.items():
        ax.imshow(to_pixels(picture)[0], extent=(x, x + 1, y, y + 1), aspect="auto")
        ax.text(x + 0.5, y + 1.04, title, ha="center", va="bottom", fontsize=fontsize)
    for (x0, y0), (x1, y1), label in arrows:
        start, end = (x0 + 1 + GAP, y0 + 0.5), (x1 - GAP, y1 + 0.5)
        ax.annotate(
            "", end, start, arrowprops={"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0}
        )
        middle = (start[0] + end[0]) / 2, max(start[1], end[1]) + 0.06
        ax.text(*middle, label, ha="center", va="bottom", fontsize=fontsize)
    ax.set(xlim=(-0.1, width), ylim=(-0.1, height))
    plt.show()
