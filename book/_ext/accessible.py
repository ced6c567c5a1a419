"""Sphinx extension: mends what the theme and its helpers write wrongly into every page."""

from pathlib import Path

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


def without_thebe(app, pagename, templatename, context, doctree):
    """Live code is off, but its script is there, twice, and the second one is an error."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe" not in f"{script.filename} {script.attributes.get('body')}".lower()
    ]


def mend(app, exception):
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text()
        for wrong, right in MENDED.items():
            text = text.replace(wrong, right)
        page.write_text(text)


def setup(app):
    app.connect("html-page-context", without_thebe, priority=900)
    app.connect("build-finished", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
