"""Render the drawings that were made for this book: python data/images/render.py.

Each drawing is an SVG file of pen strokes, one `path` a stroke, in the order in which they were drawn.
"""

from pathlib import Path

import resvg_py

from diffusion_utils.files import atomic

if __name__ == "__main__":
    for drawing in Path(__file__).parent.glob("drawn-*.svg"):
        png = resvg_py.svg_to_bytes(svg_path=str(drawing), width=256)
        with atomic(drawing.with_suffix(".png")) as partial:
            partial.write_bytes(bytes(png))
