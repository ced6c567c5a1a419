"""Sphinx extension: the directive {live} puts a network on the page, which runs in the reader's browser.

Its argument is one of WIDGETS. The files come from `diffusion_utils.export`; the page holds a button that names their
size, the script that waits for it, and the form of `forms` as a template, which is not shown before.
"""

import json
import math
import shutil
import subprocess
import sys
from functools import cache
from html import escape
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

from _ext.forms import forms
from diffusion_utils.export import RUNTIMES

EMOJI64 = ["emoji64.onnx", "prompts.bin"]
WIDGETS = {
    "b1": (
        "Draw a digit, add noise, and see what the network makes of it.",
        ["b1.onnx", "digits.bin"],
    ),
    "b2": ("Draw a digit out of noise.", ["b2.onnx"]),
    "b3": ("Ask for a digit.", ["b3.onnx"]),
    "generate": ("Draw a picture from a prompt.", EMOJI64),
    "sdedit": ("Draw or open a picture and change it.", [*EMOJI64, "pictures.bin"]),
    "inpaint": ("Paint a hole into a picture and fill it.", [*EMOJI64, "pictures.bin"]),
    "anagram": ("Make a visual anagram.", EMOJI64),
    "hybrid": (
        "Make a hybrid image: first each thing alone, then both in one.",
        EMOJI64,
    ),
}
BOX = """<div class="live" data-live="{name}" data-files="{files}">
<p>{title} <button type="button" hidden>Run it here, {megabytes} MB</button>
<noscript>(This needs JavaScript.)</noscript></p>
<template>{form}</template>
<p class="live-status" role="status"></p>
</div>
"""


class live(nodes.General, nodes.Element):
    """A box for one of WIDGETS."""


class Live(Directive):
    required_arguments = 1

    def run(self):
        (name,) = self.arguments
        if name not in WIDGETS:
            raise self.error(f"no live page {name!r}; there are {', '.join(WIDGETS)}")
        return [live(name=name)]


@cache
def exported(folder):
    """The files of the live pages, made anew where they lag behind -> what live.json says of them."""
    # in a process of its own: autodoc has put what it prints in place of default values by now
    command = [sys.executable, "-m", "diffusion_utils.export", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads((folder / "live.json").read_text())


def folder(app):
    return Path(app.outdir).parent / "live"


def box(translator, node):
    title, names = WIDGETS[node["name"]]
    about = exported(folder(translator.builder.app))
    # a page fetches one of the runtimes
    largest = max(path.stat().st_size for path in RUNTIMES)
    size = largest + sum(about["files"][name]["bytes"] for name in names)
    translator.body.append(
        BOX.format(
            name=node["name"],
            files=" ".join(names),
            title=escape(title),
            form=forms(about["pictures"])[node["name"]],
            megabytes=math.ceil(size / 1e6),
        )
    )
    raise nodes.SkipNode


def skip(translator, node):
    raise nodes.SkipNode


def add_script(app, pagename, templatename, context, doctree):
    if doctree and any(doctree.findall(live)):
        app.add_css_file("live/live.css")
        app.add_js_file("live/start.js", loading_method="defer")


def place(app, exception):
    """Put the files beside the scripts that ask for them; a file of the same name is the same."""
    if exception or app.builder.format != "html" or not folder(app).exists():
        return
    target = Path(app.outdir) / "_static" / "live"
    made = {path.name for path in folder(app).iterdir()}
    for path in folder(app).iterdir():
        if path.name == "live.json" or not (target / path.name).exists():
            shutil.copy(path, target)
    for kind in "onnx", "bin", "txt":
        for path in target.glob(f"*.{kind}"):
            if path.name not in made:
                path.unlink()


def setup(app):
    app.add_node(live, html=(box, None), latex=(skip, None), text=(skip, None))
    app.add_directive("live", Live)
    app.connect("html-page-context", add_script)
    app.connect("build-finished", place)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
