"""The execution cache: a result is found again exactly while nothing that made it has changed."""

import book_profile
import nbformat
import pytest

INPUTS = [
    "diffusion_utils/schedule.py",
    "diffusion_utils/emoji64/network.py",
    "models/mnist/b1/epoch-05.safetensors",
    "data/mnist/train-labels-idx1-ubyte.gz",
    "benchmarks/results/mnist_b1.json",
    "requirements.txt",
]
OTHERS = [
    "data/mnist/MNIST/raw/train-labels-idx1-ubyte",
    "models/mnist/b1/.epoch-05.safetensors.17.partial",
    "diffusion_utils/__pycache__/schedule.cpython-311.pyc",
    "benchmarks/train_step.py",
    "tests/test_schedule.py",
    "book/part_b/b1.py",
    "README.md",
]


@pytest.fixture
def root(tmp_path, monkeypatch):
    for name in ("BOOK_PROFILE", "RETRAIN", "DIFFUSION_MODEL"):
        monkeypatch.delenv(name, raising=False)
    for name in INPUTS:
        write(tmp_path / name, "one")
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def key(root):
    return book_profile.cache_folder(root, root / "_build").name


@pytest.mark.parametrize("name", INPUTS)
def test_an_edit_of_what_chapters_read_changes_the_key(root, name):
    before = key(root)
    write(root / name, "two")
    assert key(root) != before
    write(root / name, "one")
    assert key(root) == before
    (root / name).unlink()
    assert key(root) != before


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_do_not_change_the_key(root, name):
    before = key(root)
    write(root / name, "anything")
    assert key(root) == before


def test_a_new_or_renamed_file_changes_the_key(root):
    before = key(root)
    write(root / "data/images/cat.png", "cat")
    new = key(root)
    (root / "data/images/cat.png").rename(root / "data/images/dog.png")
    assert len({before, new, key(root)}) == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BOOK_PROFILE", "fast"),
        ("RETRAIN", "1"),
        ("DIFFUSION_MODEL", "deepfloyd"),
        ("DEEPFLOYD_MODEL", "folder"),
        ("DEEPFLOYD_EMBEDDINGS", "file"),
        ("DEEPFLOYD_STAGE_2", "folder"),
    ],
)
def test_the_variables_that_chapters_read_change_the_key(
    root, monkeypatch, name, value
):
    before = key(root)
    monkeypatch.setenv(name, value)
    assert key(root) != before


@pytest.fixture
def chapter(root):
    """Edit the one chapter of a small book: chapter(text, code)."""

    def edit(text, code):
        cells = [nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell(code)]
        kernel = {
            "kernelspec": {
                "name": "python3",
                "display_name": "Python 3",
                "language": "python",
            }
        }
        path = root / "book/part_b/b1.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)

    return edit


COUNT = """
from pathlib import Path
with Path("log").open("a") as log:
    log.write("x")
"""


def test_only_what_changed_is_executed(root, chapter):
    def fill_and_count():
        assert book_profile.fill(root, root / "_build") == {}
        return len((root / "book/part_b/log").read_text())

    chapter("text", COUNT)
    assert fill_and_count() == 1
    assert fill_and_count() == 1
    chapter("other text", COUNT)
    assert fill_and_count() == 1
    chapter("other text", COUNT + "  # edited")
    assert fill_and_count() == 2
    write(root / "diffusion_utils/schedule.py", "edited")
    assert fill_and_count() == 3


def test_a_failed_chapter_is_reported_each_time_and_never_cached(root, chapter):
    chapter("text", "1 / 0")
    for _ in range(2):
        (traceback,) = book_profile.fill(root, root / "_build").values()
        assert "ZeroDivisionError" in traceback


def test_a_result_made_during_an_edit_is_not_kept(root, chapter):
    chapter("text", "open('../../diffusion_utils/schedule.py', 'w').write('two')")
    before = book_profile.cache_folder(root, root / "_build")
    with pytest.raises(RuntimeError, match="changed while they ran"):
        book_profile.fill(root, root / "_build")
    assert not before.exists()
