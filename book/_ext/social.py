"""Sphinx extension: what a link to a page shows elsewhere (Open Graph): title, description, and a card."""

from html import escape
from pathlib import Path

import matplotlib
from docutils import nodes
from PIL import Image, ImageDraw, ImageFont

DESCRIPTION = (
    "Diffusion models taken apart and built from scratch. Every figure is drawn by the chapter's "
    "own code, without a GPU, a token or an account."
)
START = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="refresh" content="0; url={front}.html">
{tags}</head><body><a href="{front}.html">{title}</a></body></html>
"""
SIZE = (1200, 630)  # what the readers of these tags ask for
MARGIN = 60


def metatags(config, page, title):
    """The tags of one page; those that the theme makes itself have no title but the book's."""
    base = config.html_baseurl
    values = {
        "og:type": "article",
        "og:site_name": config.html_title,
        "og:title": nodes.unescape(title) or config.html_title,
        "og:description": DESCRIPTION,
        "og:url": f"{base}{page}.html",
        "og:image": f"{base}_static/social.png",
        "og:image:width": SIZE[0],
        "og:image:height": SIZE[1],
        "og:image:alt": "Pictures and digits drawn by the book's models",
        "twitter:card": "summary_large_image",
    }
    return "".join(
        f'<meta property="{name}" content="{escape(str(value))}">\n'
        for name, value in values.items()
    )


def add_tags(app, pagename, templatename, context, doctree):
    tags = metatags(app.config, pagename, context.get("title", ""))
    context["metatags"] = context.get("metatags", "") + tags


def save_start(app, exception):
    """Write the page at the site's address, which leads on to the front page, with its tags."""
    if exception is None and app.builder.format == "html":
        front, title = app.config.root_doc, app.config.html_title
        Path(app.outdir, "index.html").write_text(
            START.format(
                title=title, front=front, tags=metatags(app.config, front, title)
            )
        )


def card(title, pictures):
    """The title over some pictures, each as wide as the card allows."""
    canvas = Image.new("RGB", SIZE, "white")
    font = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans-Bold.ttf")
    at, width = (MARGIN, MARGIN), SIZE[0] - 2 * MARGIN
    ImageDraw.Draw(canvas).text(at, title, "#222", ImageFont.truetype(font, 64))
    top = 2 * MARGIN + 64
    for picture in pictures:
        height = width * picture.height // picture.width
        canvas.paste(picture.convert("RGB").resize((width, height)), (MARGIN, top))
        top += height + MARGIN // 2
    return canvas


def save_card(app, exception):
    """Write the card of the front page's figures to the address that the tags name."""
    if exception is None and app.builder.format == "html":  # not when links are checked
        out, page = Path(app.outdir), app.env.get_doctree(app.config.root_doc)
        names = [
            app.env.images[image["uri"]][1]
            for figure in page.findall(nodes.figure)
            for image in figure.findall(nodes.image)
        ]
        pictures = [Image.open(out / "_images" / name) for name in names]
        card(app.config.html_title, pictures).save(out / "_static" / "social.png")


def setup(app):
    app.connect("html-page-context", add_tags)
    app.connect("build-finished", save_card)
    app.connect("build-finished", save_start)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
