"""Sphinx extension: where a text names an equation by its tag, as (N.3), it links to the equation."""

import re

from docutils import nodes
from sphinx.util import logging

TAG = re.compile(r"\\tag\{([A-Z]\d?\.\d)\}")
NAMED = re.compile(r"\(([A-Z]\d?\.\d)\)")
LEFT_ALONE = (nodes.reference, nodes.literal, nodes.literal_block, nodes.title)
HOME = "book/notation"  # of the formulas that several chapters repeat


def equations(doctree):
    """The tagged formulas of a page, {tag: node}."""
    blocks = doctree.findall(nodes.math_block)
    return {tag: block for block in blocks for tag in TAG.findall(block.astext())}


def homes(env):
    """The page of each tag, {tag: page}: the notation if it has it, else the chapter that does."""
    pages = [*sorted(env.found_docs - {HOME}), HOME]
    return {tag: page for page in pages for tag in equations(env.get_doctree(page))}


def anchor(tag):
    return "equation-" + tag.lower().replace(".", "-")


def link(app, doctree, page):
    if not hasattr(app, "equation_homes"):
        app.equation_homes = homes(app.env)
    here = equations(doctree)
    for tag, block in here.items():
        block["ids"].append(anchor(tag))
    for text in list(doctree.findall(nodes.Text)):
        inside = isinstance(text.parent, LEFT_ALONE) or "math" in text.parent.tagname
        if not inside and NAMED.search(text):
            text.parent.replace(text, list(linked(app, page, here, text)))


def linked(app, page, here, text):
    """The text in pieces, each name of an equation a link."""
    for place, piece in enumerate(NAMED.split(text)):
        if place % 2 == 0:
            yield nodes.Text(piece)
        elif piece in here:
            yield reference(piece, "")
        elif piece in app.equation_homes:
            home = app.builder.get_relative_uri(page, app.equation_homes[piece])
            yield reference(piece, home)
        else:
            logging.getLogger(__name__).warning(f"{page}: no equation ({piece})")
            yield nodes.Text(f"({piece})")


def reference(tag, page):
    return nodes.reference(
        "", f"({tag})", refuri=f"{page}#{anchor(tag)}", internal=True
    )


def setup(app):
    app.connect("doctree-resolved", link)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
