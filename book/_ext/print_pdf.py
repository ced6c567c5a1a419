"""Print the built site, page by page in the order of its contents, into one PDF."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from pypdf import PdfWriter
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
PDF = ROOT / "_build" / "fun-with-diffusion-models.pdf"
FLAGS = """--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking
--disable-component-update --disable-sync --virtual-time-budget=20000 --no-pdf-header-footer""".split()


def pages(toc):
    """The pages of a _toc.yml in order, as addresses below the site."""
    files = [toc["root"]]
    files += [c["file"] for part in toc["parts"] for c in part["chapters"]]
    return [Path(file).with_suffix(".html") for file in files]


def print_page(browser, page, out):
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *FLAGS, f"--user-data-dir={profile}"]
        command += [f"--print-to-pdf={out}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def main():
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("no Chromium: on Debian, apt install chromium")
    found = pages(yaml.safe_load((ROOT / "_toc.yml").read_text()))
    if not (SITE / found[0]).exists():
        sys.exit("no site: make book")
    book = PdfWriter()
    with tempfile.TemporaryDirectory() as folder:
        for page in tqdm(found, desc="print"):
            out = Path(folder) / "page.pdf"
            print_page(browser, SITE / page, out)
            book.append(out, outline_item=page.stem)
    book.compress_identical_objects()
    book.write(PDF)
    print(f"{PDF.relative_to(ROOT)}: {len(book.pages)} pages")


if __name__ == "__main__":
    main()
