"""Sphinx extension: a chapter is executed again exactly when something that it reads has changed.

jupyter-cache recognises a chapter by its code cells alone. What a chapter reads besides (the package, models, data,
results, pins, environment variables) has a digest, kept beside the cache; where it differs, the results are dropped.
"""

import hashlib
import json
import os
from pathlib import Path

from _ext.toc import chapters

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
    "diffusion_utils/*.html",
    "models/**/*",
    "data/**/*",
    "benchmarks/results/*",
    "requirements.txt",
]


def variables():
    return {name: os.environ.get(name, default) for name, default in VARIABLES.items()}


def may_read(chapter, path):
    """Part B knows MNIST and the package alone, and Part A and the appendix all but MNIST."""
    if chapter.startswith("book/part_b"):
        return "mnist" in path or path.startswith(("diffusion_utils", "requirements"))
    return "mnist" not in path or not chapter.startswith(("book/part_a", "book/app"))


def inputs(root):
    """{path: SHA-256} of the files that chapters may read; hidden ones are half-written."""
    files = {
        path for pattern in INPUTS for path in root.glob(pattern) if path.is_file()
    }
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
        if not path.name.startswith(".")
    }


def digests(root):
    """{chapter: digest} of all that a chapter reads, besides its own notebook."""
    files, settings = inputs(root), variables()
    found = {}
    for path in chapters(root):
        chapter = path.relative_to(root).as_posix()
        read = {name: sha for name, sha in files.items() if may_read(chapter, name)}
        found[chapter] = hashlib.sha256(repr((settings, read)).encode()).hexdigest()
    return found


def cache_folder(build):
    """Where results are kept, those of the two profiles apart."""
    return build / ".jupyter_cache" / variables()["BOOK_PROFILE"]


def recall(path):
    """The record {name: value} in a JSON file, empty where there is none."""
    return json.loads(path.read_text()) if path.exists() else {}


def record(path, values):
    """Write a record, whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(values, indent=1))
    partial.replace(path)


def drop_stale(root, build):
    """Remove the results of chapters that read something else now -> the names of these chapters."""
    from jupyter_cache import get_cache

    folder, now = cache_folder(build), digests(root)
    cache, known = get_cache(folder), recall(folder / "inputs.json")
    stale = {chapter for chapter in now if known.get(chapter) != now[chapter]}
    for result in cache.list_cache_records():
        chapter = "book/" + result.uri.rpartition("/book/")[2]
        if chapter in stale or chapter not in now:
            cache.remove_cache(result.pk)
    record(folder / "inputs.json", now)
    return stale


def configure(app, config):
    root, build = Path(app.srcdir), Path(app.outdir).parent
    drop_stale(root, build)
    config.nb_execution_cache_path = str(cache_folder(build))
    config.myst_substitutions = {
        **(config.myst_substitutions or {}),
        "profile": variables()["BOOK_PROFILE"],
    }


def setup(app):
    app.connect("config-inited", configure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
