"""The chapters: each .py has its notebook, both the same; figures have captions and alt texts."""

import ast
import os
import re
from pathlib import Path

import jupytext
import pytest
import yaml
from _ext import pairs

from diffusion_utils import show

ROOT = Path(__file__).resolve().parents[1]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
ADDRESS = CONFIG["repository"]["url"]
CHAPTERS = sorted(path for path in ROOT.glob("book/**/*.py") if path.parent.name[0] != "_")
CELL = pairs.first_cell(ROOT)
NOTEBOOKS = sorted(path for path in ROOT.glob("book/**/*.ipynb") if path.parent.name[0] not in "_.")
DRAWS = re.compile(r"^(grid|loss_curve|animation|comparison|plt\.show)\(", re.M)
chapters = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


def cells(path):
    """What is compared: of each cell its kind, text, tags and figure."""
    return [
        (cell.cell_type, cell.source, cell.metadata.get("tags"), cell.metadata.get("mystnb"))
        for cell in jupytext.read(path).cells
    ]


def code(path):
    return [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]


def first_cell(path):
    return next(cell.source for cell in code(path))


def toc_files(entry):
    """All `file` entries of _toc.yml."""
    if isinstance(entry, list):
        return [file for item in entry for file in toc_files(item)]
    if isinstance(entry, dict):
        return [file for item in entry.values() for file in toc_files(item)]
    return [entry]


def test_every_chapter_has_its_notebook():
    assert [path.with_suffix(".ipynb") for path in CHAPTERS] == NOTEBOOKS


def test_every_chapter_is_in_the_table_of_contents():
    listed = toc_files(yaml.safe_load((ROOT / "_toc.yml").read_text()))
    assert {str(path.relative_to(ROOT)) for path in NOTEBOOKS} <= set(listed)


@chapters
def test_twins_agree(chapter):
    assert cells(chapter) == cells(chapter.with_suffix(".ipynb")), "run `make pairs`"


@chapters
def test_no_outputs_are_stored(chapter):
    for cell in code(chapter.with_suffix(".ipynb")):
        assert not cell.outputs and cell.execution_count is None


@chapters
def test_first_cell_is_the_same_everywhere(chapter):
    """And nowhere else: whoever edits first_cell.py has run the command."""
    assert pairs.with_first_cell(chapter.read_text(), CELL) == chapter.read_text()
    assert first_cell(chapter) == CELL.split("\n", 1)[1].strip(), "run `make pairs`"
    assert code(chapter)[0].metadata.tags == ["hide-input"]  # folded, not removed


def test_the_address_of_the_book_is_in_first_cells_only():
    repository = ADDRESS.removeprefix("https://")
    named = {
        path: path.read_text().count(repository)
        for suffix in ("py", "md")
        for path in ROOT.glob(f"book/**/*.{suffix}")
    }
    assert {path: n for path, n in named.items() if n} == dict.fromkeys(CHAPTERS, 1)


def test_the_readme_has_the_addresses_of_the_book():
    readme = (ROOT / "README.md").read_text()
    assert f"git clone {ADDRESS}" in readme
    assert CONFIG["html"]["baseurl"] in readme


@chapters
def test_figures_have_name_caption_and_alt_text(chapter):
    for cell in code(chapter):
        figure = cell.metadata.get("mystnb", {}).get("figure")
        assert figure or not DRAWS.search(cell.source), f"draws without a figure: {cell.source}"
        if figure:
            alt = cell.metadata.mystnb.get("image", {}).get("alt")
            drawn_with = re.search(r"\balt=f?\"[^\"]{10}", cell.source)
            assert figure["name"] and figure["caption"], cell.source
            assert alt or drawn_with, cell.source


def test_figure_names_are_unique():
    names = [
        c.metadata.mystnb.figure.name
        for p in CHAPTERS
        for c in code(p)
        if "figure" in c.metadata.get("mystnb", {})
    ]
    assert len(names) == len(set(names))


def test_the_drawing_functions_exist():
    names = ("grid", "loss_curve", "animation", "comparison")
    assert all(hasattr(show, name) for name in names)


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """A short chapter and its notebook."""
    source = tmp_path / "one.py"
    source.write_text("# %% [markdown]\n# A text\n\n# %%\n1 + 1\n")
    monkeypatch.setattr(pairs, "chapters", lambda root: [source.with_suffix(".ipynb")])
    monkeypatch.setattr(pairs, "first_cell", lambda root: "# %%\nADDRESS = 'here'\n\n")
    pairs.main(tmp_path)
    return source


def changed(path, old, new, seconds):
    """Change a file, which is then so much newer than now."""
    path.write_text(path.read_text().replace(old, new))
    later = path.stat().st_mtime + seconds
    os.utime(path, (later, later))


def test_an_edit_in_the_notebook_is_not_lost(chapter, tmp_path):
    notebook = chapter.with_suffix(".ipynb")
    changed(notebook, "A text", "My text", 10)
    with pytest.raises(SystemExit, match="one.ipynb was changed after its .py.*touch .*one.py"):
        pairs.main(tmp_path)
    assert "My text" in notebook.read_text()
    changed(chapter, "A text", "Their text", 20)  # the newer one counts
    pairs.main(tmp_path)
    assert "Their text" in notebook.read_text()


def test_a_notebook_that_git_could_not_merge_is_named(chapter, tmp_path):
    notebook = chapter.with_suffix(".ipynb")
    changed(notebook, "{", "<<<<<<< HEAD\n{", 10)
    with pytest.raises(SystemExit, match="one.ipynb is no notebook: delete it"):
        pairs.main(tmp_path)
    notebook.unlink()
    pairs.main(tmp_path)
    assert "A text" in notebook.read_text()


@chapters
def test_what_a_cell_is_to_show_stands_at_its_end(chapter):
    """A table or text that is not a cell's last expression is not shown, without a word."""
    for cell in jupytext.read(chapter).cells:
        if cell.cell_type == "code":
            for statement in ast.parse(cell.source).body[:-1]:
                text = ast.unparse(statement)
                assert not text.startswith(("table(", "Markdown(", "animation(", "comparison("))
