"""The pages of the book, in the order of its table of contents."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def pages(root=ROOT):
    """The sources that _toc.yml names, as paths."""
    toc = yaml.safe_load((root / "_toc.yml").read_text())
    files = [toc["root"]]
    files += [c["file"] for part in toc["parts"] for c in part["chapters"]]
    return [root / file for file in files]


def chapters(root=ROOT):
    """The pages that are executed; a notebook that _toc.yml does not name is none of them."""
    return [page for page in pages(root) if page.suffix == ".ipynb"]
