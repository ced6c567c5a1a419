"""Print the built site, page by page in the order of its contents, into one PDF: `python -m _ext.pdf`."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, Destination, Fit, NameObject, TextStringObject
from tqdm import tqdm

from _ext.address import read
from _ext.toc import ROOT, pages

SITE = ROOT / "_build" / "html"
PDF = ROOT / "_build" / "fun-with-diffusion-models.pdf"
FLAGS = """--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking
--disable-component-update --disable-sync --virtual-time-budget=20000 --no-pdf-header-footer""".split()
STYLE = """<style>
@page {{ @bottom-center {{ content: counter(page); font: 9pt sans-serif; }} }}
html {{ counter-reset: page {before}; }}
details.hide > summary {{ display: none !important; }}
div.cell_input {{ break-inside: avoid; }}
</style></head>"""


def for_paper(html, before):
    """A page with nothing folded away, and with numbers that go on from the sheets before it."""
    html = re.sub(r"<details\b", "<details open", html)
    return html.replace("</head>", STYLE.format(before=before), 1)


def print_page(browser, page, before, out):
    # beside the page: its addresses are relative
    copy = page.with_suffix(".print.html")
    copy.write_text(for_paper(page.read_text(), before))
    try:
        with tempfile.TemporaryDirectory() as profile:
            command = [browser, *FLAGS, f"--user-data-dir={profile}"]
            command += [f"--print-to-pdf={out}", copy.as_uri()]
            subprocess.run(command, check=True, capture_output=True, timeout=120)
    finally:
        copy.unlink()


def join(printed, site, base):
    """One PDF of {address: printed page}; its links lead into it, or to `base` where they led to `site`."""
    book, sheets, places = PdfWriter(), [], {}
    for address, pdf in printed.items():
        first = len(book.pages)
        # after the dash comes the title of the book
        book.append(pdf, outline_item=pdf.metadata.title.rsplit(" — ", 1)[0])
        added = book.pages[first:]
        sheets += [(address, sheet) for sheet in added]
        top = Fit.xyz(top=added[0].mediabox.top)
        places[address] = Destination("", added[0].indirect_reference, top).dest_array
        for name, place in pdf.named_destinations.items():
            sheet = added[pdf.get_destination_page_number(place)]
            there = [sheet.indirect_reference, *place.dest_array[1:]]
            places[f"{address}#{name[1:]}"] = there
    for address, sheet in sheets:
        for link in sheet.get("/Annots", []):
            lead(link.get_object(), address, places, site, base)
    return book


def lead(link, address, places, site, base):
    """Point a link on the page at an address to the place that it means; a page is its first sheet."""
    # a name is a place on the link's own page, and another page may have the same
    name = link.get("/Dest")
    to = f"{address}#{name[1:]}" if name else link["/A"]["/URI"]
    place = places.get(to) or places.get(to.split("#")[0])
    if place:
        link.pop("/A", None)
        link[NameObject("/Dest")] = ArrayObject(place)
    elif to.startswith(site):
        link["/A"][NameObject("/URI")] = TextStringObject(base + to[len(site) :])


def main():
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("no Chromium: on Debian, apt install chromium")
    found = [SITE / page.relative_to(ROOT).with_suffix(".html") for page in pages()]
    if not found[0].exists():
        sys.exit("no site: make book")
    printed, before = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        for page in tqdm(found, desc="print"):
            out = Path(folder) / f"{before}.pdf"
            print_page(browser, page, before, out)
            pdf = printed[page.as_uri()] = PdfReader(out)
            before += len(pdf.pages)
        book = join(printed, f"{SITE.as_uri()}/", read()[1])
        book.compress_identical_objects()
        book.write(PDF)
    print(f"{PDF.relative_to(ROOT)}: {len(book.pages)} pages")


if __name__ == "__main__":
    main()
