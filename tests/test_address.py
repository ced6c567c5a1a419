"""One command sets the book's address everywhere; a site that has none yet leads nowhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest
from _ext import address, pairs

ROOT = Path(__file__).resolve().parents[1]
JUPYTER_BOOK = Path(sys.executable).with_name("jupyter-book")
FORK = "https://github.com/an-owner/a-fork"
SITE = "https://an-owner.github.io/a-fork/"
CONTENTS = """
format: jb-book
root: book/a.ipynb
parts: [{caption: Part, chapters: [{file: book/notation.md}]}]
"""
CHAPTER = """# ---
# jupyter:
#   kernelspec: {{display_name: Python 3, language: python, name: python3}}
# ---

# %% [markdown]
# # A chapter
#
# It cites {{cite:p}}`ho2020`.

{cell}
# %%
1 + 1
"""


@pytest.mark.parametrize(
    "url",
    [
        FORK,
        f"{FORK}/",
        f"{FORK}.git",
        "git@github.com:an-owner/a-fork.git",
        "ssh://git@github.com/an-owner/a-fork",
        "https://a-user:a-token@github.com/an-owner/a-fork.git\n",
    ],
)
def test_every_way_to_write_an_address_is_one(url):
    assert address.parse(url) == (FORK, SITE)


def test_the_site_of_an_owner_has_no_folder():
    url = "https://github.com/An-Owner/an-owner.github.io"
    assert address.parse(url) == (url, "https://an-owner.github.io/")


@pytest.mark.parametrize(
    "url", ["", "a-fork", "https://gitlab.com/a/b", "https://github.com/a", "/a/b.git"]
)
def test_what_is_no_repository_on_github_is_refused(url):
    with pytest.raises(ValueError, match="make address URL="):
        address.parse(url)


@pytest.fixture
def copy(tmp_path):
    """A copy of the repository with a book of two pages, no code executed."""
    book = tmp_path / "book"
    for name in ("_ext", "_static"):
        shutil.copytree(ROOT / "book" / name, book / name)
    for name in ("README.md", "_config.yml", "book/references.bib"):
        shutil.copy(ROOT / name, tmp_path / name)
    config = (tmp_path / "_config.yml").read_text()
    config = config.replace("execute_notebooks: cache", 'execute_notebooks: "off"')
    (tmp_path / "_config.yml").write_text(config)
    (tmp_path / "_toc.yml").write_text(CONTENTS)
    chapter = CHAPTER.format(cell=pairs.first_cell(tmp_path))
    (book / "a.py").write_text(chapter)
    (book / "notation.md").write_text("# References\n\n```{bibliography}\n```\n")
    return tmp_path


def run(copy, *command):
    """Run Python in the copy, with the copy's own build code."""
    own = os.environ | {"PYTHONPATH": str(copy / "book")}
    command = [sys.executable, *command]
    return subprocess.run(command, cwd=copy, env=own, capture_output=True, text=True)


def build(copy):
    """Write the notebooks, build the site -> the page of the chapter."""
    assert not run(copy, "-m", "_ext.pairs").returncode
    done = run(copy, JUPYTER_BOOK, "build", ".", "-W", "--keep-going", "--all")
    assert done.returncode == 0, done.stderr
    return (copy / "_build/html/book/a.html").read_text()


def test_a_book_without_address_has_no_button_for_colab_and_says_why(copy):
    page = build(copy)
    assert "colab.research.google.com" not in page
    assert page.count("is not published yet") == 1 and "make address" not in page
    hosts = re.findall(r"https?://([^/\"'<]*fun-with-diffusion[^/\"'<]*)", page)
    assert hosts and all(host.endswith(".invalid") for host in hosts)


def test_another_address_is_that_of_all_that_names_one(copy):
    done = run(copy, "-m", "_ext.address", "git@github.com:an-owner/a-fork.git")
    assert done.returncode == 0, done.stderr
    page = build(copy)
    colab = "https://colab.research.google.com/github/an-owner/a-fork/blob/main"
    assert f'href="{colab}/book/a.ipynb"' in page
    assert f'<meta property="og:url" content="{SITE}book/a.html">' in page
    assert "is not published yet" not in page
    readme = (copy / "README.md").read_text()
    assert f"git clone {FORK} " in readme and SITE in readme
    for path in (copy / "book/a.py", copy / "book/a.ipynb"):
        assert f'ADDRESS = "{FORK}"' in jupytext.read(path).cells[1].source
    assert address.read(copy) == (FORK, SITE)
    kept = [copy / "README.md", copy / "_config.yml", *copy.glob("book/*.*")]
    assert not [path for path in kept if "models.invalid" in path.read_text()]


def test_a_clone_takes_the_address_that_it_came_from(copy):
    git = ["git", "-C", copy]
    subprocess.run([*git, "init", "-q"], check=True)
    done = run(copy, "-m", "_ext.address", "")
    assert done.returncode != 0 and "make address URL=" in done.stderr
    subprocess.run([*git, "remote", "add", "origin", f"{FORK}.git"], check=True)
    assert run(copy, "-m", "_ext.address", "").returncode == 0
    assert address.read(copy) == (FORK, SITE)


def test_only_the_repository_that_has_the_address_may_publish(copy):
    done = run(copy, "-m", "_ext.address", "--check", FORK)
    assert done.returncode != 0 and f"make address URL={FORK}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    address.change(FORK, copy)
    assert run(copy, "-m", "_ext.address", "--check", f"{FORK}.git").returncode == 0
    other = "https://github.com/another-owner/a-fork"
    assert run(copy, "-m", "_ext.address", "--check", other).returncode != 0


def test_nobody_can_register_the_address_that_is_stored_until_then():
    stored = address.read(ROOT)
    if stored[0].startswith("https://github.com/"):
        pytest.skip("this copy has an address")
    assert stored[0].endswith(".invalid") and stored[1].endswith(".invalid/")
