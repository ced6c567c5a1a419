"""Sphinx extension: the directive {gallery} shows every figure of the book, small, with a link to its place."""

from docutils import nodes
from docutils.parsers.rst import Directive


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


def figures(env, chapter):
    """The labelled figures of a chapter that are images; players and sliders are left out."""
    return [
        figure
        for figure in env.get_doctree(chapter).findall(nodes.figure)
        if figure["ids"] and any(figure.findall(nodes.image))
    ]


def tile(app, docname, chapter, figure):
    """A figure's image over its number and caption, all of it a link to where it is."""
    label = figure["ids"][-1]
    number = app.env.toc_fignumbers[chapter]["figure"][figure["ids"][0]]
    address = f"{app.builder.get_relative_uri(docname, chapter)}#{label}"
    image = next(figure.findall(nodes.image)).deepcopy()
    image["loading"] = "lazy"  # all figures together weigh more than a page should
    caption = next(figure.findall(nodes.caption)).astext()
    text = nodes.inline("", f"{'.'.join(map(str, number))}: {caption}")
    link = nodes.reference("", "", image, text, refuri=address, internal=True)
    return nodes.paragraph("", "", link)


def setup(app):
    app.add_node(gallery)
    app.add_directive("gallery", Gallery)
    app.connect("doctree-resolved", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
