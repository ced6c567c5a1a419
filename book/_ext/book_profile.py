"""Sphinx extension: one execution cache for each state of what the chapters read.

jupyter-cache recognises a chapter by its code cells alone. What a chapter reads besides (the package, models, data,
results, pins, environment variables) therefore names the cache's folder, so that a stale result is never found.
Run as a script, it fills that cache with the chapters in parallel.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

VARIABLES = {
    "BOOK_PROFILE": "full",
    "RETRAIN": "0",
    "DIFFUSION_MODEL": "emoji64",
    "DEEPFLOYD_MODEL": "",
    "DEEPFLOYD_EMBEDDINGS": "",
    "DEEPFLOYD_STAGE_2": "",
}
INPUTS = [
    "diffusion_utils/**/*.py",
    "models/**/*",
    "data/**/*",
    "benchmarks/results/*",
    "requirements.txt",
]
UNPACKED = "data/mnist/MNIST"  # written by torchvision from the files beside it


def variables():
    return {name: os.environ.get(name, default) for name, default in VARIABLES.items()}


def inputs(root):
    """The files, besides its own notebook, that a chapter may read; hidden ones are half-written."""
    files = {
        path for pattern in INPUTS for path in root.glob(pattern) if path.is_file()
    }
    unpacked = root / UNPACKED
    return sorted(
        p for p in files if not p.name.startswith(".") and unpacked not in p.parents
    )


def cache_folder(root, build):
    """Where the results for the present state of `inputs` and `variables` are kept."""
    key = hashlib.sha256(repr(variables()).encode())
    for path in inputs(root):
        key.update(
            f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode()
        )
        key.update(path.read_bytes())
    return (
        build
        / ".jupyter_cache"
        / f"{variables()['BOOK_PROFILE']}-{key.hexdigest()[:12]}"
    )


def configure(app, config):
    config.nb_execution_cache_path = str(
        cache_folder(Path(app.srcdir), Path(app.outdir).parent)
    )
    config.myst_substitutions = {
        **(config.myst_substitutions or {}),
        "profile": variables()["BOOK_PROFILE"],
    }


def setup(app):
    app.connect("config-inited", configure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def chapters(root):
    return sorted(
        p for p in root.glob("book/**/*.ipynb") if ".ipynb_checkpoints" not in p.parts
    )


def fill(root, build):
    """Execute the chapters whose result is not cached -> {path: traceback} of those that failed.

    Raises:
        RuntimeError: a file changed meanwhile, so nobody knows which state the results belong to.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.executors import load_executor

    folder = cache_folder(root, build)
    cache = get_cache(folder)
    # Part B takes longest, and a long chapter that starts last keeps only one core busy
    uris = [str(path) for path in reversed(chapters(root))]
    for uri in uris:
        cache.add_nb_to_project(uri)
    # a cell that trains takes hours
    timeout = None if variables()["RETRAIN"] == "1" else 1800
    result = load_executor("local-parallel", cache).run_and_cache(
        filter_uris=uris, timeout=timeout
    )
    if cache_folder(root, build) != folder:
        shutil.rmtree(folder)
        raise RuntimeError(
            "a file that the chapters read was changed while they ran; build again"
        )
    print(f"chapters: {len(uris)}, executed now: {len(result.all())}")
    return {
        uri: cache.get_project_record(uri).traceback or "not executed"
        for uri in result.excepted + result.errored
    }


def main():
    root = Path(__file__).resolve().parents[2]
    os.environ.setdefault(
        "OMP_NUM_THREADS", "1"
    )  # the chapters share the cores already
    failed = fill(root, root / "_build")
    for uri, traceback in failed.items():
        report = root / "_build/html/reports" / f"{Path(uri).stem}.err.log"
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(traceback)
        print(uri, traceback, sep="\n", file=sys.stderr)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
