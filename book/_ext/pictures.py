"""Sphinx extension: figures are packed as tightly as PNG allows, and pages reserve their place before they load."""

import io
import re
from pathlib import Path

from PIL import Image

FIGURE = re.compile(r'<img\b(?![^>]*\bwidth=)[^>]*\bsrc="[^"]*_images/([^"/]+\.png)"')


def packed(path):
    """Write a PNG again, smaller if it can be -> (width, height)."""
    smaller = io.BytesIO()
    with Image.open(path) as picture:
        size = picture.size
        if picture.mode == "RGBA" and picture.getextrema()[3] == (255, 255):
            picture = picture.convert("RGB")  # nothing is transparent
        picture.save(smaller, "PNG", optimize=True)
    if smaller.tell() < path.stat().st_size:
        path.write_bytes(smaller.getvalue())
    return size


def place_figures(app, exception):
    if exception is None and app.builder.format == "html":
        out = Path(app.outdir)
        sizes = {path.name: packed(path) for path in out.glob("_images/*.png")}

        def with_size(tag):
            width, height = sizes[tag[1]]
            return f'{tag[0]} width="{width}" height="{height}"'

        for page in out.rglob("*.html"):
            page.write_text(FIGURE.sub(with_size, page.read_text()))


def setup(app):
    app.connect("build-finished", place_figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
