"""What the build mends in the theme's pages has to be there, or the mending is out of date."""

from types import SimpleNamespace

import pytest
from _ext import accessible
from sphinx.errors import ExtensionError


@pytest.fixture
def app(tmp_path):
    """A site of one page that has all that is to be mended."""
    (tmp_path / "a.html").write_text("\n".join(accessible.MENDED))
    builder = SimpleNamespace(format="html")
    return SimpleNamespace(builder=builder, outdir=tmp_path, mended={accessible.THEBE})


def test_everything_is_mended(app):
    accessible.mend(app, None)
    page = (app.outdir / "a.html").read_text()
    assert page.splitlines() == list(accessible.MENDED.values())


@pytest.mark.parametrize("wrong", accessible.MENDED)
def test_a_theme_that_writes_it_otherwise_fails_the_build(app, wrong):
    page = app.outdir / "a.html"
    page.write_text(page.read_text().replace(wrong, "otherwise"))
    with pytest.raises(ExtensionError, match="no page has .* any more") as error:
        accessible.mend(app, None)
    assert wrong in str(error.value)


def test_thebe_is_left_out_and_has_to_be_there(app):
    ours = SimpleNamespace(filename="custom.js", attributes={})
    thebe = SimpleNamespace(filename=None, attributes={"body": "initThebeSBT()"})
    app.mended = set()
    context = {"script_files": [ours, thebe]}
    accessible.without_thebe(app, "a", "page.html", context, None)
    assert context["script_files"] == [ours] and app.mended == {accessible.THEBE}
    app.mended = set()
    with pytest.raises(ExtensionError, match="thebe"):
        accessible.mend(app, None)


def test_a_build_that_failed_or_writes_no_pages_is_left_alone(app):
    accessible.mend(app, RuntimeError("a chapter"))
    app.builder.format = ""
    accessible.mend(app, None)
    assert (app.outdir / "a.html").read_text() == "\n".join(accessible.MENDED)
