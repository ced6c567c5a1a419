"""Links from the names of equations to the equations."""

from types import SimpleNamespace

import pytest
from _ext import equations
from docutils import nodes
from docutils.utils import new_document


def page(*formulas, text=""):
    document = new_document("page")
    document += [nodes.math_block("", formula) for formula in formulas]
    document += nodes.paragraph("", text)
    return document


@pytest.fixture
def app():
    pages = {
        "book/notation": page(r"x = y \tag{N.1}"),
        "book/a": page(r"x = y \tag{N.1}", r"a = b \tag{A.1}"),
    }
    env = SimpleNamespace(found_docs=set(pages), get_doctree=pages.get)
    builder = SimpleNamespace(get_relative_uri=lambda here, there: f"{there}.html")
    return SimpleNamespace(env=env, builder=builder)


def links(app, document, name="book/b"):
    equations.link(app, document, name)
    return {link.astext(): link["refuri"] for link in document.findall(nodes.reference)}


def test_a_name_leads_to_the_notation_or_to_the_chapter_that_has_the_formula(app):
    document = page(text="By (N.1) and (A.1), as in (1.2).")
    assert links(app, document) == {
        "(N.1)": "book/notation.html#equation-n-1",
        "(A.1)": "book/a.html#equation-a-1",
    }
    assert document.astext() == "By (N.1) and (A.1), as in (1.2)."


def test_a_formula_of_the_same_page_comes_first(app):
    document = page(r"x = y \tag{N.1}", text="By (N.1)")
    assert links(app, document) == {"(N.1)": "#equation-n-1"}
    assert document[0]["ids"] == ["equation-n-1"]


def test_an_unknown_name_is_a_warning(app, caplog):
    assert links(app, page(text="By (N.9)")) == {}
    assert "no equation (N.9)" in caplog.text


def test_code_is_left_alone(app):
    document = page()
    document += nodes.literal("", "# (N.1)")
    assert links(app, document) == {}
