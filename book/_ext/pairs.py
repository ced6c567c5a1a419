"""Write each chapter's first cell and its notebook: `python -m _ext.pairs`.

The .py of a chapter is the one to edit; a notebook that was changed after it is not overwritten. The first
code cell is that of first_cell.py, with the address of the book; whatever else changes in a chapter, the
cell is found by the line that names the address.
"""

import re
import subprocess
import sys
from pathlib import Path

import jupytext

from _ext import address
from _ext.toc import ROOT, chapters

HEAD = '# %% tags=["hide-input"] mystnb={"code_prompt_show": "Whose code runs"}\n'
CELL = re.compile(r"^# %%.*\n(?:(?!# %%).*\n?)*", re.M)
ADDRESS = re.compile(r"^ADDRESS = ", re.M)
TEXT = re.compile(r"# %% \[(markdown|md|raw)\]")


def first_cell(root):
    """The cell as the chapters have it, with the marker that begins it."""
    text = Path(__file__).with_name("first_cell.py").read_text()
    return HEAD + text.replace("{address}", address.read(root)[0]) + "\n"


def with_first_cell(chapter, cell):
    """A chapter's text with the cell in place of its old one, or before its first code."""
    cells = list(CELL.finditer(chapter))
    code = [found for found in cells if not TEXT.match(found[0])]
    old = [found for found in code if ADDRESS.search(found[0])]
    if old:
        return chapter[: old[0].start()] + cell + chapter[old[0].end() :]
    start = code[0].start() if code else len(chapter)
    return chapter[:start] + cell + chapter[start:]


def write_first_cells(root=ROOT):
    """Put the cell into all chapters -> their paths."""
    cell, sources = first_cell(root), []
    for notebook in chapters(root):
        source = notebook.with_suffix(".py")
        before = source.read_text(encoding="utf-8")
        after = with_first_cell(before, cell)
        if after != before:
            source.write_text(after, encoding="utf-8", newline="\n")
        sources.append(source)
    return sources


def edited(notebook):
    """Whether a notebook was changed after its .py and says something else."""
    source = notebook.with_suffix(".py")
    if not notebook.exists() or notebook.stat().st_mtime <= source.stat().st_mtime:
        return False
    one, other = (
        [(cell.cell_type, cell.source) for cell in jupytext.read(path).cells]
        for path in (notebook, source)
    )
    return one != other


def refuse(notebook):
    """Stop with one line if a notebook holds what would be lost, or is none."""
    name = notebook.relative_to(ROOT) if notebook.is_relative_to(ROOT) else notebook
    try:
        if not edited(notebook):
            return
    except ValueError:  # no JSON: mostly two versions that git could not merge
        sys.exit(f"{name} is no notebook: delete it, and make pairs writes it anew")
    sys.exit(
        f"{name} was changed after its .py, which is the one to edit: put the change there, "
        f"or run `touch {name.with_suffix('.py')}` to drop it"
    )


def main(root=ROOT):
    for notebook in chapters(root):
        refuse(notebook)
    command = [
        sys.executable,
        "-m",
        "jupytext",
        "--quiet",
        "--update",
        "--to",
        "ipynb",
    ]
    subprocess.run([*command, *write_first_cells(root)], check=True, cwd=root)


if __name__ == "__main__":
    main()
