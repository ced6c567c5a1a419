"""The execution cache: a result is found again exactly while nothing that made it has changed."""

import re
from pathlib import Path

import book_profile
import nbformat
import pytest
from jupyter_cache import get_cache

ROOT = Path(__file__).resolve().parents[1]

INPUTS = [
    "diffusion_utils/schedule.py",
    "diffusion_utils/emoji64/network.py",
    "models/mnist/b1/epoch-05.safetensors",
    "data/mnist/train-labels-idx1-ubyte.gz",
    "benchmarks/results/mnist_b1.json",
    "requirements.txt",
]
MNIST = [name for name in INPUTS if "mnist" in name]
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
    for name in [*INPUTS, "book/part_b/b1.ipynb"]:
        write(tmp_path / name, "one")
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def key(root, chapter="book/part_b/b1.ipynb"):
    return book_profile.digests(root)[chapter]


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
    write(root / "models/mnist/b2/new.safetensors", "weights")
    new = key(root)
    (root / "models/mnist/b2/new.safetensors").rename(root / "models/mnist/b2/old")
    assert len({before, new, key(root)}) == 3


@pytest.mark.parametrize("name", INPUTS)
def test_each_part_reads_its_own_model_and_the_front_page_reads_all(root, name):
    places = ["book/part_a/a1.ipynb", "book/appendix/a.ipynb", "book/index.ipynb"]
    for chapter in places:
        write(root / chapter, "")
    before = book_profile.digests(root)
    write(root / name, "two")
    now = book_profile.digests(root)
    part_a, appendix, front = (now[c] != before[c] for c in places)
    assert (part_a, appendix, front) == (name not in MNIST, name not in MNIST, True)


def test_no_pictures_are_read_by_part_b(root):
    before = key(root)
    write(root / "models/emoji64/unet/model.safetensors", "two")
    write(root / "data/images/cat.png", "cat")
    write(root / "benchmarks/results/emoji64.json", "two")
    assert key(root) == before


def test_chapters_name_nothing_that_their_digest_leaves_out():
    def code(pattern):
        for path in sorted(ROOT.glob(pattern)):
            cells = nbformat.read(path, as_version=4).cells
            yield "\n".join(c.source for c in cells if c.cell_type == "code")

    part_a = [*code("book/part_a/*.ipynb"), *code("book/appendix/*.ipynb")]
    part_b = list(code("book/part_b/*.ipynb"))
    assert len(part_a) > 10 and len(part_b) == 3
    assert not [text for text in part_a if re.search("mnist|released", text, re.I)]
    words = "emoji64|pretrained|load_image|images/|pairs.json"
    assert not [text for text in part_b if re.search(words, text)]


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
    write(root / "data/images/cat.png", "a picture, for Part A")
    assert fill_and_count() == 3
    chapter("text", COUNT)  # as it was, but its first result is of another schedule.py
    assert fill_and_count() == 4


def test_a_failed_chapter_is_reported_each_time_and_never_cached(root, chapter):
    chapter("text", "1 / 0")
    for _ in range(2):
        (traceback,) = book_profile.fill(root, root / "_build").values()
        assert "ZeroDivisionError" in traceback


def test_a_result_made_during_an_edit_is_not_kept(root, chapter):
    chapter("text", "open('../../diffusion_utils/schedule.py', 'w').write('two')")
    with pytest.raises(RuntimeError, match="changed while they ran"):
        book_profile.fill(root, root / "_build")
    cache = get_cache(book_profile.cache_folder(root / "_build"))
    assert not cache.list_cache_records()


def test_results_of_unknown_origin_are_dropped(root, chapter):
    chapter("text", COUNT)
    for runs in (1, 2):
        assert book_profile.fill(root, root / "_build") == {}
        assert len((root / "book/part_b/log").read_text()) == runs
        (book_profile.cache_folder(root / "_build") / "inputs.json").unlink()


@pytest.mark.parametrize("short", [11, 12])
def test_long_chapters_come_first_and_none_with_another(short):
    long = [f"book/part_b/b{i}.ipynb" for i in (1, 2, 3)]
    uris = [f"book/part_a/a{i:02d}.ipynb" for i in range(short)] + long
    order = book_profile.in_order(uris)
    assert sorted(order) == sorted(uris)
    assert order[0] == long[-1]
    fetched = [order[i : i + 2] for i in range(0, len(order), 2)]
    assert all(len(set(pair) & set(long)) <= 1 for pair in fetched)
    assert {uri for pair in fetched[:3] for uri in pair} >= set(long)
