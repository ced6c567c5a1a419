"""Run every notebook alone in an empty folder, in an environment like Colab's: make colab-test.

The environment has Colab's Python and its versions of what the notebooks use, but not this book. The
notebooks are those of the last commit. The first cell of each must fetch the rest: the address that it
clones is redirected to that commit. It must leave Colab's packages and the reader's folder as they
were. In a new kernel it must be done at once, and start no program.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book"))
from _ext import toc  # noqa: E402

ENVIRONMENT = ROOT / "_build" / "foreign"
# From googlecolab/backend-info, os-info.txt and pip-freeze.txt of 2026-08-19.
# Of torch it is the build of the package index, which computes on the CPU as well.
VERSION = "3.13"
HAS = """torch==2.11.0 torchvision==0.26.0 diffusers==0.39.0 transformers==5.15.0 accelerate==1.14.0
huggingface_hub==1.27.0 safetensors==0.8.0 tokenizers==0.22.2 numpy==2.1.3 scipy==1.16.3 pillow==11.3.0
pyarrow==18.1.0 scikit-image==0.25.2 matplotlib==3.10.0 matplotlib-inline==0.2.2 tqdm==4.67.3
ipython==7.34.0 ipykernel==6.17.1 jupyter_client==7.4.9 jupyter_core==5.9.1 traitlets==5.7.1
pyzmq==26.2.1 tornado==6.5.7 nbclient==0.10.4 nbformat==5.11.1 pip==24.1.2 setuptools==75.2.0""".split()
# The one package that the book needs and Colab lacks, with its own dependency.
OURS = {"torchmetrics", "lightning-utilities"}
# Stands for the book's own address, which a first cell must have before it fetches anything.
ADDRESS = "https://github.com/an-owner/a-book"
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], 4)
NotebookClient(book, timeout=900, kernel_name="python3").execute()
first = next(cell for cell in book.cells if cell.cell_type == "code")
guard = nbformat.v4.new_code_cell('''
import sys
def refuse(event, arguments):
    if event == "subprocess.Popen":
        raise RuntimeError(f"the second run starts {arguments[1]}")
sys.addaudithook(refuse)
''')
book.cells = [guard, first]
NotebookClient(book, timeout=5, kernel_name="python3").execute()
"""


def python(*arguments, **options):
    command = [ENVIRONMENT / "bin" / "python", *arguments]
    return subprocess.run(command, text=True, **options)


def create():
    venv = ["-m", "venv", "--clear", ENVIRONMENT]
    chosen = os.environ | {"PYENV_VERSION": VERSION}  # pyenv offers only what is chosen
    try:
        subprocess.run([f"python{VERSION}", *venv], env=chosen, check=True)
    except (OSError, subprocess.CalledProcessError):
        subprocess.run([sys.executable, *venv], check=True)
    python("-m", "pip", "install", "-q", *HAS, check=True)


def packages():
    """Return the name and version of what is installed, but for what the first cells install."""
    listing = python("-m", "pip", "list", "--format=json", stdout=subprocess.PIPE, check=True)
    found = json.loads(listing.stdout)
    return {(p["name"], p["version"]) for p in found if p["name"] not in OURS}


def alone(notebook, repository):
    """Run a notebook in an empty folder -> what it printed if it failed, else an empty text."""
    redirected = os.environ | {
        "COLAB_RELEASE_TAG": "release-colab",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": ADDRESS,
        "BOOK_PROFILE": "fast",
        "PYTHONPATH": "",
    }
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home:
        copy = Path(folder, notebook.name)
        copy.write_text(re.sub(r"https://[\w.-]+\.invalid", ADDRESS, notebook.read_text()))
        done = python(
            *("-c", EXECUTE, copy), cwd=folder, env=redirected | {"HOME": home}, capture_output=True
        )
        left = sorted(path.name for path in Path(folder).iterdir())
    if done.returncode:
        return done.stderr[-2000:]
    return "" if left == [notebook.name] else f"the first cell left {left}\n"


def check(notebook, repository, before):
    """Run a notebook, say how it went -> whether it went well."""
    python("-m", "pip", "uninstall", "-yq", *OURS, capture_output=True)
    start = time.perf_counter()
    error = alone(notebook, repository)
    changed = packages() ^ before
    if changed:
        error += f"the first cell changed packages: {sorted(changed)}\n"
    seconds = time.perf_counter() - start
    name = notebook.relative_to(repository)
    print(f"{'FAILED' if error else 'ok':>6} {seconds:4.0f} s  {name}", flush=True)
    print(error, end="")
    if changed:
        (ENVIRONMENT / "ready").unlink()  # the next run makes it anew
        sys.exit(1)
    return not error


def main():
    ready = ENVIRONMENT / "ready"
    if not ready.exists() or ready.read_text().split() != HAS:
        create()
        ready.write_text("\n".join(HAS))
    print(f"Colab has Python {VERSION}; here it is", end=" ", flush=True)
    python("-V")
    with tempfile.TemporaryDirectory() as folder:
        clone = ["git", "clone", "--quiet", "--depth=1", ROOT.as_uri(), folder]
        subprocess.run(clone, check=True)
        repository, before = Path(folder), packages()
        notebooks = toc.chapters(repository)
        went_well = [check(notebook, repository, before) for notebook in notebooks]
    sys.exit(not all(went_well))


if __name__ == "__main__":
    main()
