"""The first cell of every chapter: whose code runs, and what is fetched where."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from _ext import pairs

ADDRESS = "https://github.com/an-owner/a-fork"
CELL = Path(pairs.__file__).with_name("first_cell.py").read_text()
ROOT = Path(__file__).resolve().parents[1]
# the environment of these tests has this repository's package; a reader's has it, or another, or none
NONE = f"""
import sys
sys.meta_path[:] = [finder for finder in sys.meta_path if "Editable" not in str(finder)]
sys.path[:] = [path for path in sys.path if path != {str(ROOT)!r}]
"""
WHICH = "\nimport diffusion_utils; print('runs', diffusion_utils.NAME)\n"


def checkout(folder, name):
    """A folder that looks like the book, whose package says its name."""
    (folder / "diffusion_utils").mkdir(parents=True)
    (folder / "diffusion_utils/__init__.py").write_text(f"NAME = '{name}'\n")
    (folder / "_config.yml").write_text("title: a book\n")
    (folder / "pyproject.toml").write_text("[project]\ndependencies = ['numpy']\n")
    return folder


def run(where, home, address=ADDRESS, **variables):
    """Run the cell in a folder."""
    where.mkdir(parents=True, exist_ok=True)
    hosted = ("COLAB_", "KAGGLE_", "PYTHONPATH")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(hosted)}
    code = NONE + CELL.replace("{address}", address) + WHICH
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=where,
        env=kept | {"HOME": str(home)} | variables,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("place", ["book/part_a", "book"])
@pytest.mark.parametrize("hosted", [{}, {"COLAB_RELEASE_TAG": "1"}])
def test_in_a_checkout_its_own_code_runs(tmp_path, place, hosted):
    mine = checkout(tmp_path / "mine", "mine")
    other = checkout(tmp_path / "other", "other")
    alone = run(mine / place, tmp_path, **hosted)
    assert alone.stdout == "runs mine\n", alone.stderr
    installed = run(mine / place, tmp_path, PYTHONPATH=str(other), **hosted)
    assert installed.stdout.splitlines() == [
        f"This environment belongs to {other}.",
        f"The code that runs is that of {mine}.",
        "runs mine",
    ]
    own = run(mine / place, tmp_path, PYTHONPATH=str(mine), **hosted)
    assert own.stdout == "runs mine\n"


def test_a_moved_or_copied_checkout_runs_the_code_beside_it(tmp_path):
    first = checkout(tmp_path / "first", "first")
    copy = tmp_path / "copy"
    shutil.copytree(first, copy)
    (copy / "diffusion_utils/__init__.py").write_text("raise RuntimeError('planted')")
    done = run(copy / "book", tmp_path, PYTHONPATH=str(first))
    assert "planted" in done.stderr
    first.rename(tmp_path / "moved")
    assert run(tmp_path / "moved/book", tmp_path).stdout == "runs first\n"


def test_elsewhere_one_line_says_what_to_do_and_nothing_is_fetched(tmp_path):
    done = run(tmp_path / "downloads", tmp_path)
    assert done.returncode != 0 and not done.stdout
    assert len(done.stderr.splitlines()) == 1 and "Open this notebook" in done.stderr
    assert sorted(tmp_path.iterdir()) == [tmp_path / "downloads"]


@pytest.fixture
def colab(tmp_path):
    """Run the cell as in Colab, from a repository that stands for the book's: colab() -> what happened."""
    origin = checkout(tmp_path / "origin", "fetched")
    git = ["git", "-C", origin, "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "the book"]):
        subprocess.run([*git, *command], check=True)

    def start(**variables):
        redirected = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{origin.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": ADDRESS,
            "COLAB_RELEASE_TAG": "release-colab",
        }
        return run(tmp_path / "content", tmp_path / "home", **redirected | variables)

    return start


def test_colab_fetches_the_book_beside_nothing_of_the_reader(colab, tmp_path):
    done = colab()
    assert done.stdout == "runs fetched\n", done.stderr
    assert not list((tmp_path / "content").iterdir())
    assert [p.name for p in (tmp_path / "home/.cache").iterdir()] == ["fun-with-diffusion"]
    shutil.rmtree(tmp_path / "origin")
    assert colab().stdout == "runs fetched\n"  # once is enough


def test_kaggle_fetches_the_book_too(colab):
    assert colab(COLAB_RELEASE_TAG="", KAGGLE_KERNEL_RUN_TYPE="Interactive").returncode == 0


def test_a_clone_that_was_cut_short_is_made_again(colab, tmp_path):
    rest = tmp_path / "home/.cache/fun-with-diffusion.part"
    (rest / "diffusion_utils").mkdir(parents=True)
    (rest / "_config.yml").write_text("title: half of a book\n")
    assert colab().stdout == "runs fetched\n"
    assert not rest.exists()


def test_what_fails_to_install_leaves_no_book_that_looks_whole(colab, tmp_path):
    pyproject = tmp_path / "origin/pyproject.toml"
    good = pyproject.read_text()
    commit = ["git", "-C", tmp_path / "origin", "-c", "user.name=a"]
    commit += ["-c", "user.email=a@example.org", "commit", "-qam", "edit"]
    pyproject.write_text("[project]\ndependencies = ['no such name']\n")
    subprocess.run(commit, check=True)
    assert colab().returncode != 0
    pyproject.write_text(good)
    subprocess.run(commit, check=True)
    assert colab().stdout == "runs fetched\n"


def test_a_book_without_address_is_not_looked_for(tmp_path):
    address = "https://a-book.invalid"
    done = run(tmp_path / "c", tmp_path, address=address, COLAB_RELEASE_TAG="1")
    assert len(done.stderr.splitlines()) == 1 and "not published" in done.stderr


CHAPTER = """# ---
# jupyter: {}
# ---

# %% [markdown]
# # A chapter
# with `ADDRESS = 1` in its text

CELL
# %%
x = 1

# %% [markdown]
# The end.
"""


@pytest.mark.parametrize(
    "old",
    [
        '# %% tags=["remove-cell"]\n# an older cell\nADDRESS = "https://old.example"\nif 1:\n    pass\n',
        '# %%\nADDRESS = "https://old.example"\n',
        "",
    ],
)
def test_the_cell_replaces_its_old_one_or_comes_before_all_code(old):
    cell = "# %% tags\nADDRESS = 'new'\n\n"
    written = pairs.with_first_cell(CHAPTER.replace("CELL\n", old and old + "\n"), cell)
    assert written == CHAPTER.replace("CELL\n", cell)
    assert pairs.with_first_cell(written, cell) == written


def test_a_chapter_that_was_rewritten_around_the_cell_keeps_the_rest():
    cell = "# %% tags\nADDRESS = 'new'\n\n"
    text = CHAPTER.replace("CELL\n", "# %%\ny = 2\n\n# %%\nADDRESS = 'old'\n\n")
    written = pairs.with_first_cell(text, cell)
    assert written == text.replace("# %%\nADDRESS = 'old'\n\n", cell)
