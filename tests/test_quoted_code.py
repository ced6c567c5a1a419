"""What pages quote of the package: it is there, and fits a page's width."""

import re
from types import SimpleNamespace

import pytest
from sphinx.directives.code import LiteralIncludeReader

from diffusion_utils.files import ROOT

WIDTH = 78  # columns that a page of 1200 pixels shows without wrapping
QUOTE = re.compile(r"^(?:# )?(?:```|~~~)\{literalinclude\} (.+)\n((?:(?:# )?:.+\n)+)", re.M)
OPTION = re.compile(r":([\w-]+): ?(.*)")


def quotes():
    """(page, file, options) of each piece of code that a page quotes."""
    for page in sorted([*ROOT.glob("book/**/*.py"), *ROOT.glob("book/**/*.md")]):
        for file, options in QUOTE.findall(page.read_text()):
            yield page, file, {name: value or None for name, value in OPTION.findall(options)}


def test_every_quote_is_found():
    pages = [*ROOT.glob("book/**/*.py"), *ROOT.glob("book/**/*.md")]
    written = sum(page.read_text().count("{literalinclude} ") for page in pages)
    assert len(list(quotes())) == written > 20


@pytest.mark.parametrize(
    "page, file, options", [*quotes()], ids=lambda x: x["pyobject"] if isinstance(x, dict) else ""
)
def test_quoted_code_fits_a_page(page, file, options):
    if options.get("dedent"):
        options["dedent"] = int(options["dedent"])
    config = SimpleNamespace(source_encoding="utf-8")
    text, _ = LiteralIncludeReader(str(page.parent / file), options, config).read()
    assert text.strip()
    assert max(map(len, text.splitlines())) <= WIDTH
