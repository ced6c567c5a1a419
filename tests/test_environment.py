"""The environment: which Python, whose folder, which packages, what is said where something is missing."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from diffusion_utils import files

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*groups):
    """The packages that the project names: its own, and those of groups."""
    lines = PROJECT["project"]["dependencies"]
    lines = lines + [line for g in groups for line in PROJECT["dependency-groups"][g]]
    return {normal(re.match(r"[\w.-]+", line)[0]) for line in lines}


def imported(*patterns):
    """{package that holds it: module} of all that files import from elsewhere; not those of "!pattern"."""
    modules, files, left_out = set(), set(), set()
    for pattern in patterns:
        of = left_out if pattern.startswith("!") else files
        of |= set(ROOT.glob(pattern.removeprefix("!")))
    for path in files - left_out:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module.partition(".")[0])
    own = {path.stem for path in ROOT.glob("tests/**/*.py")}
    own |= {"diffusion_utils", "benchmarks", "_ext"} | sys.stdlib_module_names
    packages = packages_distributions()
    return {normal(packages[module][0]): module for module in modules - own}


@pytest.mark.parametrize(
    ("patterns", "groups"),
    [
        (
            [
                "diffusion_utils/**/*.py",
                "!diffusion_utils/export.py",  # run by the build
                "book/part_*/*.py",
                "book/*.py",
            ],
            [],
        ),
        (["diffusion_utils/export.py"], ["book"]),
        (["book/_ext/*.py"], ["book"]),
        (["tests/**/*.py", "benchmarks/*.py", "conftest.py"], ["book", "dev"]),
    ],
)
def test_what_is_imported_is_declared(patterns, groups):
    found = imported(*patterns)
    assert len(found) >= 3
    optional = {"resvg-py"}  # of what draws the training set anew
    assert found.keys() - optional <= declared(*groups)


def pins(name):
    """{package: the lines of its pin} of a file of requirements."""
    text = (ROOT / name).read_text()
    blocks = re.split(r"\n(?=\w)", text[re.search(r"^\w", text, re.M).start() :])
    return {normal(re.match(r"[\w.-]+(?===)", block)[0]): block for block in blocks}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_package_is_pinned_with_its_hashes(name):
    for package, block in pins(name).items():
        first, *hashes = block.strip().split(" \\\n")
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; .+)?", first), package
        assert hashes and all(
            re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", line) for line in hashes
        ), package


def test_chapters_need_no_test_tools():
    chapters, tools = pins("requirements.txt"), pins("requirements-dev.txt")
    assert declared("book") <= chapters.keys()
    assert declared("dev") - declared() <= tools.keys()
    assert not chapters.keys() & {"pytest", "ruff", "selenium", "hypothesis", "nbval"}
    # what both need, they need in one version
    for package in chapters.keys() & tools.keys():
        both = [block.split()[0] for block in (chapters[package], tools[package])]
        assert both[0] == both[1]


def test_pins_are_for_all_systems():
    assert "sys_platform == 'linux'" in pins("requirements.txt")["triton"]
    assert "sys_platform == 'win32'" in pins("requirements.txt")["colorama"]
    assert "sys_platform == 'darwin'" in pins("requirements.txt")["appnope"]


def make(folder, *arguments, path=""):
    """What make would do in a folder, in a system with these programs only."""
    return subprocess.run(
        ["make", "--dry-run", "setup", *arguments],
        cwd=folder,
        env={"PATH": f"{path}:/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def pythons(folder, **exits):
    """Programs of these names that end like this, in a folder."""
    folder.mkdir()
    for name, code in exits.items():
        program = folder / name.replace("_", ".")
        program.write_text(f"#!/bin/sh\nexit {code}\n")
        program.chmod(0o755)
    return folder


def test_the_newest_python_that_runs_is_taken(clone, tmp_path):
    """A name may be there with nothing behind it: pyenv leaves such."""
    path = pythons(tmp_path / "bin", python3_14=127, python3_13=0, python3_12=0)
    assert "\npython3.13 -m venv --clear .venv\n" in "\n" + make(clone, path=path)


def test_a_python_can_be_named(clone):
    assert "my-python -m venv --clear .venv" in make(clone, "PYTHON=my-python")


def test_where_no_python_is_one_line_says_so(clone, tmp_path):
    names = ["3_14", "3_13", "3_12", "3_11", "3", ""]
    path = pythons(tmp_path / "bin", **{f"python{name}": 1 for name in names})
    done = subprocess.run(
        ["make", "setup"],
        cwd=clone,
        env={"PATH": f"{path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode and done.stdout.startswith("no Python 3.11 to 3.14")
    assert len(done.stdout.splitlines()) == 1


@pytest.fixture
def ready(tmp_path):
    """A folder whose environment is made and up to date."""
    folder = tmp_path / "ready"
    folder.mkdir()
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True)
    (folder / ".venv/installed").touch()
    return folder


def test_an_environment_is_made_once(ready):
    assert "venv" not in make(ready)


def test_a_folder_that_moved_makes_its_environment_anew(ready):
    moved = ready.rename(ready.with_name("moved"))
    assert "-m venv --clear .venv" in make(moved)


def test_a_copy_makes_an_environment_of_its_own(ready):
    copy = ready.with_name("copy")
    shutil.copytree(ready, copy, symlinks=True)
    assert "-m venv --clear .venv" in make(copy)
    assert "venv" not in make(ready)


def test_an_environment_that_does_not_work_is_made_anew(ready):
    (ready / ".venv/pyvenv.cfg").unlink()
    assert "-m venv --clear .venv" in make(ready)


@pytest.mark.parametrize("uv_exits", [0, 1])
def test_where_uv_cannot_install_pip_does(clone, uv_exits):
    """Programs that only write down what they were asked for."""
    (clone / ".venv").mkdir()
    (clone / "bin").mkdir()
    for name, code in (("uv", uv_exits), ("python", 0)):
        program = clone / "bin" / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> asked\nexit {code}\n')
        program.chmod(0o755)
    subprocess.run(["make", "setup", "BIN=bin"], cwd=clone, check=True, capture_output=True)
    asked = (clone / "asked").read_text().splitlines()
    for wanted in ("--require-hashes -r .venv/requirements.txt", "--editable ."):
        tools = [line.split()[0] for line in asked if line.endswith(wanted)]
        assert tools == (["uv"] if uv_exits == 0 else ["uv", "python"])


def test_an_environment_that_is_a_link_is_used_as_it_is(ready, clone):
    (clone / ".venv").symlink_to(ready / ".venv")
    (ready / ".venv/installed").unlink()
    assert make(clone).strip() in ("", "make: Nothing to be done for 'setup'.")


@pytest.mark.parametrize(
    ("beside", "advice"),
    [
        ([".git", "_config.yml"], "git checkout"),
        (["_config.yml"], "new copy of the book"),
        ([], "the package alone"),
    ],
)
def test_what_is_missing_is_got_back_in_a_way_that_is_there(tmp_path, monkeypatch, beside, advice):
    for name in beside:
        (tmp_path / name).touch()
    monkeypatch.setattr(files, "ROOT", tmp_path)
    assert advice in files.restoring("data/x")
    assert ("git" in files.restoring("data/x")) == (".git" in beside)


LOADED = """
import sys
sys.path.insert(0, {folder!r})
from diffusion_utils import emoji64, mnist, pictures, text_to_image
import diffusion_utils.emoji64.dataset, diffusion_utils.mnist.data, diffusion_utils.mnist.release
for load in (
    text_to_image.load_pretrained,
    mnist.data.mnist,
    lambda: mnist.release.trained("b1"),
    emoji64.dataset.emoji,
    lambda: pictures.shipped_image("sailboat"),
):
    try:
        load()
    except FileNotFoundError as error:
        print(error)
"""


def test_the_package_alone_says_in_one_line_what_it_lacks(tmp_path):
    """As a wheel has it: no weights, no data, no git; and no home."""
    shutil.copytree(ROOT / "diffusion_utils", tmp_path / "diffusion_utils")
    command = [sys.executable, "-B", "-c", LOADED.format(folder=str(tmp_path))]
    done = subprocess.run(command, cwd="/", env={}, capture_output=True, text=True)
    said = done.stdout.splitlines()
    assert len(said) == 5, done.stderr
    advice = "this is the package alone: use it from a complete copy of the book"
    assert all(str(tmp_path) in line and line.endswith(advice) for line in said)
