"""The execution cache: a result is found again exactly while nothing that made it has changed."""

import json
import re
from pathlib import Path

import nbformat
import pytest
import yaml
from _ext import execute, stale, toc
from jupyter_cache import get_cache

ROOT = Path(__file__).resolve().parents[1]

INPUTS = [
    "diffusion_utils/schedule.py",
    "diffusion_utils/player.html",
    "diffusion_utils/emoji64/network.py",
    "models/mnist/b1/epoch-05.safetensors",
    "data/mnist/train-labels-idx1-ubyte.gz",
    "benchmarks/results/mnist_b1.json",
    "requirements.txt",
]
MNIST = [name for name in INPUTS if "mnist" in name]
OTHERS = [
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
    contents(tmp_path, "book/part_b/b1.ipynb")
    return tmp_path


def contents(root, *chapters):
    """Write a table of contents."""
    part = {"chapters": [{"file": chapter} for chapter in chapters]}
    write(root / "_toc.yml", yaml.safe_dump({"root": "book/a.md", "parts": [part]}))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def key(root, chapter="book/part_b/b1.ipynb"):
    return stale.digests(root)[chapter]


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
    contents(root, *places)
    before = stale.digests(root)
    write(root / name, "two")
    now = stale.digests(root)
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
    assert len(part_a) > 10 and len(part_b) == 4
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
def test_the_variables_that_chapters_read_change_the_key(root, monkeypatch, name, value):
    before = key(root)
    monkeypatch.setenv(name, value)
    assert key(root) != before


@pytest.fixture
def chapter(root):
    """Edit a chapter of a small book: chapter(text, code), by default its only one."""

    def edit(text, code, name="b1"):
        cells = [nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell(code)]
        kernel = {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        }
        path = root / f"book/part_b/{name}.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)

    return edit


COUNT = """
from pathlib import Path
with Path("log").open("a") as log:
    log.write("x")
"""


def test_only_what_changed_is_executed(root, chapter):
    def fill_and_count():
        assert execute.fill(root, root / "_build") == {}
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


def test_both_profiles_keep_their_results(root, chapter, monkeypatch):
    chapter("text", COUNT)
    for profile, runs in ("full", 1), ("fast", 2), ("full", 2), ("fast", 2):
        monkeypatch.setenv("BOOK_PROFILE", profile)
        assert execute.fill(root, root / "_build") == {}
        assert len((root / "book/part_b/log").read_text()) == runs


def test_a_failed_chapter_is_reported_each_time_and_never_cached(root, chapter):
    chapter("text", "1 / 0")
    for _ in range(2):
        (traceback,) = execute.fill(root, root / "_build").values()
        assert "ZeroDivisionError" in traceback


def test_a_result_made_during_an_edit_is_not_kept(root, chapter):
    chapter("text", "open('../../diffusion_utils/schedule.py', 'w').write('two')")
    with pytest.raises(RuntimeError, match="changed while they ran"):
        execute.fill(root, root / "_build")
    cache = get_cache(stale.cache_folder(root / "_build"))
    assert not cache.list_cache_records()


def test_results_of_unknown_origin_are_dropped(root, chapter):
    chapter("text", COUNT)
    for runs in (1, 2):
        assert execute.fill(root, root / "_build") == {}
        assert len((root / "book/part_b/log").read_text()) == runs
        (stale.cache_folder(root / "_build") / "inputs.json").unlink()


def test_the_chapter_that_took_longest_comes_first():
    took = {"book/a.ipynb": 3, "book/b.ipynb": 50, "book/c.ipynb": 7}
    order = execute.longest_first([*took], took)
    assert order == ["book/b.ipynb", "book/c.ipynb", "book/a.ipynb"]


def test_chapters_not_yet_measured_come_before_the_others_the_last_one_ahead():
    took = {"book/a.ipynb": 3, "book/d.ipynb": 50}
    names = [f"book/{letter}.ipynb" for letter in "abcd"]
    order = [name[5] for name in execute.longest_first(names, took)]
    assert order == ["c", "b", "d", "a"]


def test_times_are_kept_also_where_the_result_is_not(root, chapter):
    times = stale.cache_folder(root / "_build") / "seconds.json"
    chapter("text", "import time; time.sleep(1.5)")
    assert execute.fill(root, root / "_build") == {}
    (before,) = json.loads(times.read_text()).items()
    assert before[0] == "book/part_b/b1.ipynb" and 1.5 < before[1] < 60
    write(root / "diffusion_utils/schedule.py", "edited")
    stale.drop_stale(root, root / "_build")
    assert json.loads(times.read_text()) == dict([before])


@pytest.mark.parametrize(
    ("cores", "memory", "expected"),
    [(8, None, 8), (8, "4", 4), (8, "3.9", 3), (2, "16", 2), (4, "0.5", 1)],
)
def test_memory_limits_how_many_chapters_run_at_once(cores, memory, expected):
    assert execute.workers(cores, memory) == expected


def test_a_limit_of_memory_is_kept(root, chapter, monkeypatch):
    """Two chapters that note when they ran: with memory for one, not both at a time."""
    code = COUNT + "import time; began = time.time(); time.sleep(1)\n"
    code += "Path(f'ran-{began}').write_text(str(time.time()))"
    chapter("one", code)
    chapter("two", code + " #", name="b2")
    contents(root, "book/part_b/b1.ipynb", "book/part_b/b2.ipynb")
    monkeypatch.setenv("MEMORY", "1")
    monkeypatch.setattr(execute.os, "cpu_count", lambda: 2)
    assert execute.fill(root, root / "_build") == {}
    ran = (root / "book/part_b").glob("ran-*")
    first, second = sorted((float(p.name[4:]), float(p.read_text())) for p in ran)
    assert first[1] <= second[0]


@pytest.mark.skipif(execute.TRANSPORT != "ipc", reason="this system has TCP alone")
def test_kernels_take_no_ports(root, chapter):
    """Side by side they raced for them: Address already in use."""
    code = "from ipykernel.kernelapp import IPKernelApp\n"
    code += "open('how', 'w').write(IPKernelApp.instance().transport)"
    chapter("text", code)
    assert execute.fill(root, root / "_build") == {}
    assert (root / "book/part_b/how").read_text() == "ipc"


def test_a_notebook_that_the_table_of_contents_does_not_name_is_not_executed(root, chapter):
    chapter("text", COUNT)
    chapter("a draft", "1 / 0", name="draft")
    assert execute.fill(root, root / "_build") == {}


def test_the_pages_of_the_book_are_those_of_its_table_of_contents():
    found = [path.relative_to(ROOT).as_posix() for path in toc.pages()]
    assert found[0] == "book/index.ipynb" and "book/appendix/references.md" in found
    assert all(path.exists() for path in toc.pages())
    assert {path.suffix for path in toc.chapters()} == {".ipynb"}


def test_a_result_that_is_written_deletes_no_other(tmp_path):
    cache = execute.Results(tmp_path / "cache")
    cache.change_cache_limit(1)
    for number in range(3):
        path = tmp_path / f"{number}.ipynb"
        code = nbformat.v4.new_code_cell(str(number), execution_count=1)
        nbformat.write(nbformat.v4.new_notebook(cells=[code]), path)
        cache.cache_notebook_file(path, check_validity=False)
    assert len(cache.list_cache_records()) == 3
