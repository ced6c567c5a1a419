"""The printed book: its links stay in it, its bookmarks are titles, nothing is folded away."""

import io

from _ext.pdf import for_paper, join
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import Link
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject

SITE, BASE = "file:///site/", "https://example.org/book/"


def printed(title, links, place):
    """Two sheets as Chromium prints them: links on the first, on the second a place with a name."""
    pdf = PdfWriter()
    for _ in range(2):
        pdf.add_blank_page(200, 300)
    for to in links:
        link = Link(rect=(0, 0, 9, 9), url=to)
        if to[0] == "#":
            del link["/A"]
            link[NameObject("/Dest")] = NameObject(f"/{to[1:]}")
        pdf.add_annotation(0, link)
    where = [NameObject("/XYZ"), NumberObject(0), NumberObject(70), NumberObject(0)]
    where = ArrayObject([pdf.pages[1].indirect_reference, *where])
    pdf.root_object[NameObject("/Dests")] = DictionaryObject({NameObject(f"/{place}"): where})
    pdf.add_metadata({"/Title": f"{title} — The book"})
    return again(pdf)


def again(pdf):
    """What a reader finds in it."""
    file = io.BytesIO()
    pdf.write(file)
    return PdfReader(file)


def leads(pdf, number):
    """Where the links on a sheet lead: an address, or the number of a sheet and the height on it."""
    sheets = [sheet.indirect_reference for sheet in pdf.pages]
    for link in pdf.pages[number]["/Annots"]:
        link = link.get_object()
        if "/A" in link:
            yield link["/A"]["/URI"]
        else:
            yield sheets.index(link["/Dest"][0]), link["/Dest"][3]


def test_links_stay_in_the_book():
    outside = ["https://other.org/file:///site/a.html", BASE]
    a = ["#id1", f"{SITE}b.html", f"{SITE}b.html#id1", f"{SITE}genindex.html#A"]
    b = ["#id1", f"{SITE}a.html#not-a-place"]
    book = again(
        join(
            {
                f"{SITE}a.html": printed("1 — one", a + outside, "id1"),
                f"{SITE}b.html": printed("2 two", b, "id1"),
            },
            SITE,
            BASE,
        )
    )
    links = [(1, 70), (2, 300), (3, 70), f"{BASE}genindex.html#A", *outside]
    assert list(leads(book, 0)) == links
    assert list(leads(book, 2)) == [(3, 70), (0, 300)]
    assert [(mark.title, book.get_destination_page_number(mark)) for mark in book.outline] == [
        ("1 — one", 0),
        ("2 two", 2),
    ]


def test_nothing_is_folded_away_and_the_numbers_go_on():
    html = "<head><title>1</title></head><details class='hide'>code</details><details>"
    paper = for_paper(html, 41)
    assert "<details open class='hide'>code</details><details open>" in paper
    assert "counter-reset: page 41;" in paper.split("</head>")[0]
