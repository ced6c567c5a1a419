"""Plant each fault of planted.py in a copy of this folder and see whether its tests fail: make mutants.

`python tests/mutants/plant.py WORD` plants those alone whose fault or file has the word in it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from planted import PLANTED

ROOT = Path(__file__).resolve().parents[2]
LARGE = ("data", "models")  # no code is planted there
ENOUGH = 0.9
AT_ONCE = 2


def copied(folder):
    """A copy of this folder without what tests don't read, and with links to what is large."""
    shutil.copytree(
        ROOT, folder, ignore=shutil.ignore_patterns(".*", "_build", "runs", "__pycache__", *LARGE)
    )
    for name in LARGE:
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / ".github", folder / ".github")
    (folder / ".git").mkdir()  # errors name git where it is
    return folder


def failing(folder, tests):
    """What pytest says if tests fail in a copy, else nothing.

    Raises:
        RuntimeError: they could not be run.
    """
    path = os.pathsep.join([str(folder), str(folder / "book")])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests.split()]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{tests} could not be run:\n{done.stdout}{done.stderr}")
    return done.stdout if done.returncode else ""


def planted(source, mutant):
    """The source with the fault in it.

    Raises:
        ValueError: what it replaces is not there exactly once.
    """
    if (found := source.count(mutant.old)) != 1:
        raise ValueError(f"{mutant.file} has {mutant.old!r} {found} times, not once")
    return source.replace(mutant.old, mutant.new)


def noticed(mutant, folder):
    """Whether the tests of a mutant fail while its fault is in a copy."""
    path = folder / mutant.file
    source = path.read_text()
    try:
        path.write_text(planted(source, mutant))
        return failing(folder, mutant.tests) != ""
    finally:
        path.write_text(source)


def main(word=""):
    mutants = [m for m in PLANTED if word in m.fault + m.file]
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(AT_ONCE) as pool:
        folders = SimpleQueue()
        for number in range(AT_ONCE):
            folders.put(copied(Path(temporary, str(number))))

        def in_a_copy(function, *arguments):
            folder = folders.get()
            try:
                return function(*arguments, folder)
            finally:
                folders.put(folder)

        tests = " ".join(sorted({test for m in mutants for test in m.tests.split()}))
        if report := pool.submit(in_a_copy, lambda folder: failing(folder, tests)).result():
            sys.exit(f"{report}\nthese tests fail without a fault")
        killed = 0
        found = pool.map(lambda m: in_a_copy(noticed, m), mutants)
        for mutant, was_noticed in zip(mutants, found, strict=True):
            killed += was_noticed
            print("noticed " if was_noticed else "SURVIVED", mutant.file, mutant.fault, flush=True)
    print(f"{killed} of {len(mutants)} faults noticed, {killed / len(mutants):.0%}")
    sys.exit(killed < ENOUGH * len(mutants))


if __name__ == "__main__":
    main(*sys.argv[1:])
