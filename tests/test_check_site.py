"""The check of the built site: it lets a clean page pass and names each fault."""

import pytest
from _ext.check_site import faults

PAGE = """<html><body>
<img src="a.png" alt="A cat"> <a href="https://example.org">a link is no request</a>
<span class="math">\\(x_t\\)</span> <pre>$ make $BOOK</pre> from $5 to 6 {}
</body></html>"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "html",
    [
        '<img src="a.png" alt="../_images/a.png">',
        '<img src="a.png">',
        '<img src="https://example.org/a.png" alt="A dog">',
        '<img src="a.png" srcset="a.png 1x, //example.org/b.png 2x" alt="A dog">',
        '<script src="//example.org/a.js"></script>',
        '<script>import("https://example.org/a.js")</script>',
        '<link rel="stylesheet" href="https://example.org/a.css">',
        "<style>@import 'https://example.org/a.css';</style>",
        '<p style="background: url(https://example.org/a.png)">',
        r"<p>From $t = 495$ to 450, $\bar\alpha_t$ grows.</p>",
    ],
)
def test_the_site_check_finds_the_fault(tmp_path, html):
    write(tmp_path / "book/index.html", PAGE.format(""))
    assert not list(faults(tmp_path))
    write(tmp_path / "book/b1.html", PAGE.format(html))
    assert list(faults(tmp_path))


def test_the_site_check_wants_a_front_page_and_no_reports(tmp_path):
    assert list(faults(tmp_path))
    write(tmp_path / "book/index.html", PAGE.format(""))
    write(tmp_path / "reports/b1.err.log", "ZeroDivisionError")
    assert list(faults(tmp_path))
