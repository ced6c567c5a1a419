"""Sphinx extension: the directive {part-a-seconds} adds up the times of Part A, those of {nb-exec-table}."""

import os

from docutils import nodes
from docutils.parsers.rst import Directive
from myst_nb.sphinx_ import NbMetadataCollector


class total(nodes.General, nodes.Element):
    """Stands for the sentence until all chapters have been read."""


class Total(Directive):
    def run(self):
        return [total()]


def seconds(chapters):
    """The times of Part A's chapters that were executed; chapters: {page: what myst-nb knows of it}."""
    times = [
        (known.get("exec_data") or {}).get("runtime")
        for page, known in chapters.items()
        if page.startswith("book/part_a/")
    ]
    return [time for time in times if time is not None]


def sentence(times, cores):
    plural = "s" if cores != 1 else ""
    return (
        f"The {len(times)} chapters of Part A took {sum(times):.0f} seconds, added up. "
        f"This site was built on a computer with {cores} core{plural}."
    )


def fill(app, doctree, docname):
    for node in list(doctree.findall(total)):
        times = seconds(NbMetadataCollector.get_doc_data(app.env))
        node.replace_self(nodes.paragraph("", sentence(times, os.cpu_count())))


def setup(app):
    app.add_node(total)
    app.add_directive("part-a-seconds", Total)
    app.connect("doctree-resolved", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
