"""Sphinx extension: what a link to a page shows elsewhere (Open Graph): title, description, the front page's picture."""

import shutil
from html import escape
from pathlib import Path

from docutils import nodes

DESCRIPTION = (
    "Diffusion models taken apart and built from scratch. Every figure is drawn by the chapter's "
    "own code, without a GPU, a token or an account."
)


def tags(app, pagename, templatename, context, doctree):
    base = app.config.html_baseurl
    values = {
        "og:type": "article",
        "og:site_name": app.config.html_title,
        "og:title": nodes.unescape(context.get("title", "")),
        "og:description": DESCRIPTION,
        "og:url": f"{base}{pagename}.html",
        "og:image": f"{base}_static/social.png",
        "og:image:alt": "Pictures drawn by the book's text-to-image model",
    }
    context["metatags"] = context.get("metatags", "") + "".join(
        f'<meta property="{name}" content="{escape(value)}">\n'
        for name, value in values.items()
    )


def picture(app, exception):
    """Copy the first figure of the front page to the address that the tags name."""
    if exception is None and app.builder.format == "html":  # not when links are checked
        page = app.env.get_doctree(app.config.root_doc)
        image = next(
            i
            for figure in page.findall(nodes.figure)
            for i in figure.findall(nodes.image)
        )
        name = app.env.images[image["uri"]][1]
        out = Path(app.outdir)
        shutil.copy(out / "_images" / name, out / "_static" / "social.png")


def setup(app):
    app.connect("html-page-context", tags)
    app.connect("build-finished", picture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
