"""The build's own command: it fails on a warning, the first time and each time after that."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def build_command():
    """Line `jupyter-book build` of the Makefile, with this environment's jupyter-book."""
    makefile = (ROOT / "Makefile").read_text()
    (line,) = re.findall(r"\t\$\(BIN\)/(jupyter-book build \. -W.*)", makefile)
    program, *options = shlex.split(line)
    return [str(Path(sys.executable).with_name(program)), *options]


def build(book):
    return subprocess.run(build_command(), cwd=book, capture_output=True, text=True)


def test_a_warning_fails_the_build_also_where_its_page_is_not_new(tmp_path):
    (tmp_path / "_config.yml").write_text("title: t\nexecute:\n  execute_notebooks: off\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: a\nchapters:\n- file: b\n")
    (tmp_path / "a.md").write_text("# A\n")
    (tmp_path / "b.md").write_text("# B\n\n[nowhere](nothing.md)\n")
    for _ in range(2):
        done = build(tmp_path)
        assert done.returncode != 0 and "nothing.md" in done.stderr
    (tmp_path / "b.md").write_text("# B\n\n[somewhere](a.md)\n")
    assert build(tmp_path).returncode == 0
