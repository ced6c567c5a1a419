"""Draw the pictures that were made for this book: python data/images/draw.py.

A pen that a hand leads: each stroke is a line that wavers, pressed harder in its middle.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent
SIZE = 1024  # drawn large, kept at a quarter


class Pen:
    """Strokes on white paper; points are in 0 .. 100 from the upper left."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.paper = Image.new("RGB", (SIZE, SIZE), (253, 252, 248))
        self.draw = ImageDraw.Draw(self.paper)

    def wavering(self, points, close=False):
        """Points of a smooth line through `points`, off by what a hand is off."""
        points = np.array([*points, points[0]] if close else points, float)
        length = np.hypot(*np.diff(points, axis=0).T)
        at = np.concatenate([[0], length.cumsum()])
        fine = np.linspace(0, at[-1], max(int(at[-1] * 4), 2))
        line = np.stack([np.interp(fine, at, axis) for axis in points.T], 1)
        slow = self.rng.normal(size=(len(fine) // 25 + 3, 2))
        knots = np.linspace(0, at[-1], len(slow))
        return line + 0.7 * np.stack(
            [np.interp(fine, knots, axis) for axis in slow.T], 1
        )

    def line(self, points, colour=(40, 40, 60), width=1.6, close=False):
        line = self.wavering(points, close) * SIZE / 100
        pressure = 0.75 + 0.35 * np.sin(np.linspace(0, np.pi, len(line)))
        pressure += 0.1 * self.rng.normal(size=len(line)).cumsum() / len(line) ** 0.5
        for (x, y), p in zip(line, pressure, strict=True):
            r = max(width * p, 0.5) * SIZE / 200
            self.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def shade(self, points, colour, gap=2.2, width=2.2):
        """Fill a convex outline with slanted crayon strokes."""
        outline = np.array(points, float)
        turn = np.array([[0.8, 0.6], [-0.6, 0.8]])
        flat = outline @ turn.T
        for level in np.arange(flat[:, 1].min() + gap / 2, flat[:, 1].max(), gap):
            xs = crossings(flat, level + self.rng.normal() * 0.2)
            if len(xs) == 2:
                ends = np.array([[xs[0] + 0.6, level], [xs[1] - 0.6, level]]) @ turn
                self.line(ends, colour, width * self.rng.uniform(0.8, 1.2))

    def save(self, name):
        self.paper.resize((256, 256), Image.Resampling.LANCZOS).save(
            FOLDER / f"{name}.png", optimize=True
        )


def crossings(outline, level):
    """Where a horizontal line crosses a closed outline, left to right."""
    found = []
    for (x1, y1), (x2, y2) in zip(outline, np.roll(outline, -1, 0), strict=True):
        if (y1 - level) * (y2 - level) < 0:
            found.append(x1 + (x2 - x1) * (level - y1) / (y2 - y1))
    return sorted(found)


def circle(x, y, r, start=0.0, stop=360.0):
    angles = np.radians(np.linspace(start, stop, 24))
    return np.stack([x + r * np.cos(angles), y + r * np.sin(angles)], 1)


def house():
    pen = Pen(seed=3)
    pen.shade([(20, 48), (62, 48), (62, 84), (20, 84)], (246, 205, 130))
    pen.shade([(15, 48), (41, 24), (67, 48)], (214, 84, 60))
    pen.shade([(36, 62), (47, 62), (47, 84), (36, 84)], (140, 92, 58))
    pen.shade(circle(80, 46, 12), (106, 176, 84))
    pen.shade([(77, 58), (83, 58), (83, 84), (77, 84)], (140, 92, 58))
    pen.shade(circle(82, 16, 7), (250, 206, 60))
    pen.line([(20, 48), (62, 48), (62, 84), (20, 84)], close=True)
    pen.line([(15, 49), (41, 24), (67, 49)])
    pen.line([(36, 84), (36, 62), (47, 62), (47, 84)])
    pen.line([(24, 56), (32, 56), (32, 64), (24, 64)], close=True)
    pen.line([(51, 56), (59, 56), (59, 64), (51, 64)], close=True)
    pen.line(circle(80, 46, 12))
    pen.line([(77, 58), (77, 84)])
    pen.line([(83, 58), (83, 84)])
    pen.line(circle(82, 16, 7), (214, 160, 30))
    for angle in np.radians(np.arange(0, 360, 45)):
        ray = np.array([np.cos(angle), np.sin(angle)])
        pen.line([(82, 16) + 9 * ray, (82, 16) + 12 * ray], (214, 160, 30))
    pen.line([(4, 84), (96, 84)], (90, 140, 70))
    pen.save("drawn-house")


def fish():
    pen = Pen(seed=8)
    body = [(x, y * 0.62 + 19) for x, y in circle(44, 50, 32)]
    pen.shade(body, (240, 150, 60), gap=2)
    pen.shade([(74, 50), (94, 34), (90, 50), (94, 67)], (226, 110, 50), gap=2)
    pen.line(body, close=True)
    pen.line([(74, 49), (94, 33), (89, 50), (94, 68), (74, 53)])
    pen.line(circle(28, 45, 3.2))
    pen.line(circle(28, 45, 0.8))
    pen.line([(38, 36), (42, 50), (38, 64)])
    pen.line([(14, 55), (21, 57), (25, 55)])
    pen.line([(40, 30), (52, 20), (62, 33)])
    for x, y in [(52, 46), (60, 50), (52, 56), (64, 43), (62, 57)]:
        pen.line(circle(x, y, 3, -60, 60), width=1.1)
    for x, y, r in [(10, 34, 2.4), (7, 24, 1.8), (12, 16, 2.8)]:
        pen.line(circle(x, y, r), (90, 150, 210), width=1.1)
    pen.save("drawn-fish")


if __name__ == "__main__":
    house()
    fish()
