"""Run every notebook alone in an empty folder, in an environment like Colab's: make colab-test.

The environment has torch, diffusers, transformers and matplotlib, in other versions than ours where
that is possible, but not this book. Each notebook's first cell must fetch the rest: the address that
it clones is redirected to this repository's last commit. A second time, it must be done at once.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / "_build" / "foreign"
HAS = """torch==2.14.1 torchvision==0.29.1 diffusers==0.35.2 transformers==4.57.1 accelerate==1.10.1
matplotlib==3.10.0 scikit-image pyarrow ipykernel nbclient""".split()
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], 4)
NotebookClient(book, timeout=900, kernel_name="python3").execute()
book.cells = [cell for cell in book.cells if cell.cell_type == "code"][:1]
NotebookClient(book, timeout=5, kernel_name="python3").execute()
"""
ADDRESS = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]


def python(*arguments, **options):
    command = [ENVIRONMENT / "bin" / "python", *arguments]
    return subprocess.run(command, text=True, **options)


def versions():
    listing = python("-m", "pip", "list", "--format=json", capture_output=True)
    found = {p["name"]: p["version"] for p in json.loads(listing.stdout)}
    return {name: found[name] for name in ("torch", "diffusers", "transformers")}


def alone(notebook):
    """Run a notebook in an empty folder -> what it printed if it failed, else an empty text."""
    redirected = os.environ | {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{ROOT.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": ADDRESS,
        "BOOK_PROFILE": "fast",
        "PYTHONPATH": "",
    }
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(notebook, folder)
        done = python(
            "-c", EXECUTE, copy, cwd=folder, env=redirected, capture_output=True
        )
    python("-m", "pip", "uninstall", "-yq", "diffusion-utils", capture_output=True)
    return done.stderr[-2000:] if done.returncode else ""


def main():
    if not (ENVIRONMENT / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        python("-m", "pip", "install", "-q", *HAS, check=True)
        (ENVIRONMENT / "ready").touch()
    before, failed = versions(), 0
    for notebook in sorted(ROOT.glob("book/**/*.ipynb")):
        if ".ipynb_checkpoints" in notebook.parts:
            continue
        error = alone(notebook)
        print(
            f"{'FAILED' if error else 'ok':>6}  {notebook.relative_to(ROOT)}",
            flush=True,
        )
        print(error, end="")
        failed += bool(error)
    if versions() != before:
        sys.exit(f"the first cell replaced packages: {before} became {versions()}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
