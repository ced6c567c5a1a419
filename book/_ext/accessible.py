"""Sphinx extension: mends what the theme and its helpers write wrongly into every page.

A newer theme may write it otherwise. What is mended here must therefore be there, or the build fails.
"""

from pathlib import Path

from sphinx.errors import ExtensionError

MENDED = {
    # an aria-label hides the text that is there
    '<summary aria-label="Toggle hidden content">': "<summary>",
    # the icons' titles contradict their button's name
    ' data-mode="light" title="Light"': ' data-mode="light"',
    ' data-mode="dark"  title="Dark"': ' data-mode="dark"',
    ' data-mode="auto"  title="System Settings"': ' data-mode="auto"',
    # a div may not have this role, and the list around it has no items then
    ' role="doc-biblioentry"': "",
    '<div role="list" class="citation-list">': '<div class="citation-list">',
}
THEBE = "thebe's scripts"


def without_thebe(app, pagename, templatename, context, doctree):
    """Live code is off, but its script is there, twice, and the second one is an error."""
    scripts = context["script_files"]
    context["script_files"] = [script for script in scripts if not is_thebe(script)]
    if len(context["script_files"]) < len(scripts):
        app.mended.add(THEBE)


def is_thebe(script):
    return "thebe" in f"{script.filename} {script.attributes.get('body')}".lower()


def mend(app, exception):
    """Mend every page.

    Raises:
        ExtensionError: nothing is left to mend of something in MENDED.
    """
    if exception is not None or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text()
        for wrong, right in MENDED.items():
            if wrong in text:
                app.mended.add(wrong)
                text = text.replace(wrong, right)
        page.write_text(text)
    if needless := {*MENDED, THEBE} - app.mended:
        raise ExtensionError(
            f"no page has {', '.join(sorted(needless))} any more: see how the theme writes it now, "
            f"and change or remove it in {Path(__file__).name}"
        )


def setup(app):
    app.mended = set()
    app.connect("html-page-context", without_thebe, priority=900)
    app.connect("build-finished", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
