"""Fail when the built site lacks an alt text, asks another host for a file, shows a formula as it is
typed, or holds an error report.

`python -m _ext.check_site`, at the root.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

LOADED_LINKS = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "modulepreload",
    "manifest",
}
ELSEWHERE = re.compile(r"\s*(https?:)?//", re.I)
CSS_LOAD = re.compile(r"(?:url\(|@import)\s*['\"]?\s*(?:https?:)?//[^)'\"\s]+", re.I)
# XML name spaces look like addresses, but are never asked for.
SCRIPT_LOAD = re.compile(r"https?://(?!www\.w3\.org/)[^'\"\s]+", re.I)
# What MathJax draws is in other marks: between dollars nobody has read it as a formula.
TYPED = re.compile(r"\$[^$\s][^$]*\$")
VERBATIM = {"code", "pre", "script", "style"}


class Page(HTMLParser):
    """Collects what is wrong with one page in `faults`."""

    def __init__(self, html):
        super().__init__()
        self.faults, self.inside, self.verbatim = [], None, 0
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = {name: value or "" for name, value in attributes}
        self.inside = tag if tag in ("script", "style") else None
        self.verbatim += tag in VERBATIM
        # empty is for decoration; without an alt text of its own a figure gets its file's name
        if tag == "img" and re.fullmatch(
            r".*\.(png|svg|jpe?g)", attributes.get("alt", ".png")
        ):
            self.faults.append(
                f"image without alt text: {attributes.get('src', '')[:60]}"
            )
        for url in loaded(tag, attributes):
            if ELSEWHERE.match(url):
                self.faults.append(f"<{tag}> loads {url}")
        self.faults += CSS_LOAD.findall(attributes.get("style", ""))

    def handle_endtag(self, tag):
        self.inside = None
        self.verbatim -= tag in VERBATIM

    def handle_data(self, text):
        if self.inside:
            self.faults += {"script": SCRIPT_LOAD, "style": CSS_LOAD}[
                self.inside
            ].findall(text)
        elif not self.verbatim:
            self.faults += [f"no formula, but {typed}" for typed in TYPED.findall(text)]


def loaded(tag, attributes):
    """The addresses that a browser asks for when it shows a tag."""
    urls = [
        attributes[name] for name in ("src", "poster", "data") if name in attributes
    ]
    urls += attributes["srcset"].split(",") if "srcset" in attributes else []
    if tag == "link" and LOADED_LINKS & set(attributes.get("rel", "").lower().split()):
        urls.append(attributes["href"])
    return urls


def faults(site):
    """Everything that is wrong with the site in a folder, a line each."""
    if not (site / "book" / "index.html").exists():
        yield "there is no book/index.html"
    for report in site.glob("reports/**/*.log"):
        yield f"a chapter failed: {report}"
    for page in sorted(site.rglob("*.html")):
        for fault in Page(page.read_text()).faults:
            yield f"{page.relative_to(site)}: {fault}"
    for sheet in sorted(site.rglob("*.css")):
        for fault in CSS_LOAD.findall(sheet.read_text()):
            yield f"{sheet.relative_to(site)}: {fault}"


if __name__ == "__main__":
    found = list(faults(Path("_build/html")))
    print(*found, sep="\n", file=sys.stderr)
    sys.exit(bool(found))
