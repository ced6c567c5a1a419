"""Sphinx extension: the directive {gallery} shows every figure of the book, small, with a link to its place."""

import os
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from PIL import Image
from sphinx.addnodes import pending_xref


class gallery(nodes.General, nodes.Element):
    """Stands for the gallery until all chapters have been read."""


class Gallery(Directive):
    def run(self):
        return [gallery()]


def fill(app, doctree, docname):
    for node in list(doctree.findall(gallery)):
        parts = []
        for chapter in app.env.collect_relations():
            tiles = [tile(app, docname, chapter, f) for f in figures(app.env, chapter)]
            if tiles:
                title = app.env.titles[chapter].astext()
                parts.append(nodes.rubric("", title))
                parts.append(nodes.container("", *tiles, classes=["gallery"]))
        node.replace_self(parts)
        # the captions have formulas, though the page's own text has none
        app.env.get_domain("math").data["has_equations"][docname] = True


def figures(env, chapter):
    """The labelled figures of a chapter that are images; players and sliders are left out."""
    return [
        figure
        for figure in env.get_doctree(chapter).findall(nodes.figure)
        if figure["ids"] and any(figure.findall(nodes.image))
    ]


def tile(app, docname, chapter, figure):
    """A figure's image over its number and caption, all of it a link to where it is."""
    address = f"{app.builder.get_relative_uri(docname, chapter)}#{figure['ids'][-1]}"
    image = small(app, docname, next(figure.findall(nodes.image)))
    caption = without_links(app.env, next(figure.findall(nodes.caption)).deepcopy())
    number = nodes.strong("", number_of(app.env, chapter, figure["ids"][0]))
    text = nodes.inline("", "", number, nodes.Text(" "), *caption.children)
    link = nodes.reference("", "", image, text, refuri=address, internal=True)
    return nodes.paragraph("", "", link)


def small(app, docname, image):
    """A copy of an image node that shows a thumbnail: all figures in full are too much for a page."""
    source = Path(app.srcdir, image["uri"])
    thumbnail = Path(app.doctreedir, "thumbnails", source.stem).with_suffix(".webp")
    thumbnail.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as picture:
        picture = picture.convert("RGB")
        picture.thumbnail((448, 288))
        picture.save(thumbnail, quality=70)
    copy, uri = image.deepcopy(), os.path.relpath(thumbnail, app.srcdir)
    copy["uri"], copy["candidates"] = uri, {"*": uri}
    app.env.images.add_file(docname, uri)
    return copy


def number_of(env, chapter, figure_id):
    return "Fig. " + ".".join(
        map(str, env.toc_fignumbers[chapter]["figure"][figure_id])
    )


def without_links(env, caption):
    """A caption whose links are plain text, since a link may not hold another."""
    labels = env.get_domain("std").labels
    for link in [*caption.findall(nodes.reference), *caption.findall(pending_xref)]:
        text = link.astext()
        if link.get("reftype") == "numref":
            text = number_of(env, *labels[link["reftarget"]][:2])
        link.replace_self(nodes.Text(text))
    return caption


def setup(app):
    app.add_node(gallery)
    app.add_directive("gallery", Gallery)
    app.connect("doctree-resolved", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
