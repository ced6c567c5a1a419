"""Sphinx extension: executes a chapter again exactly when something that it reads has changed.

jupyter-cache recognises a chapter by its code cells alone. What a chapter reads besides (the package, models, data,
results, pins, environment variables) has a digest, kept beside the cache; where it differs, the results are dropped.
Run as a script, it fills the cache with the chapters in parallel.
"""

import hashlib
import json
import os
import sys
from contextlib import suppress
from itertools import zip_longest
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
    unpacked = root / UNPACKED
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
        if not path.name.startswith(".") and unpacked not in path.parents
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


def drop_stale(root, build):
    """Remove the results of chapters that read something else now -> the names of these chapters."""
    from jupyter_cache import get_cache

    record, cache = cache_folder(build) / "inputs.json", get_cache(cache_folder(build))
    now, known = digests(root), {}
    if record.exists():
        known = json.loads(record.read_text())
    stale = {chapter for chapter in now if known.get(chapter) != now[chapter]}
    for result in cache.list_cache_records():
        chapter = "book/" + result.uri.rpartition("/book/")[2]
        if chapter in stale or chapter not in now:
            cache.remove_cache(result.pk)
    partial = record.with_suffix(".partial")
    partial.write_text(json.dumps(now, indent=1))
    partial.replace(record)
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


def chapters(root):
    return sorted(
        p for p in root.glob("book/**/*.ipynb") if ".ipynb_checkpoints" not in p.parts
    )


def seconds(cache, uris):
    """How long chapters ran, each on one core; those that failed are left out."""
    found = []
    for uri in uris:
        with suppress(KeyError):
            found.append(cache.match_cache_file(uri).data["execution_seconds"])
    return sum(found)


def in_order(uris):
    """Those of Part B first, which take longest: a long one that starts last keeps only one core busy.

    The executor's processes fetch them by twos: so that no two long ones are fetched together, each of
    the last half is followed by one of the first.
    """
    late, early = uris[len(uris) // 2 :], uris[: len(uris) // 2]
    return [
        uri
        for pair in zip_longest(reversed(late), reversed(early))
        for uri in pair
        if uri
    ]


def fill(root, build):
    """Execute the chapters whose result is not cached -> {path: traceback} of those that failed.

    Raises:
        RuntimeError: a file changed meanwhile, so nobody knows which state the results belong to.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.executors import load_executor

    drop_stale(root, build)
    cache = get_cache(cache_folder(build))
    uris = in_order([str(path) for path in chapters(root)])
    for uri in uris:
        cache.add_nb_to_project(uri)
    # a cell that trains takes hours
    timeout = None if variables()["RETRAIN"] == "1" else 1800
    result = load_executor("local-parallel", cache).run_and_cache(
        filter_uris=uris, timeout=timeout
    )
    if drop_stale(root, build):
        raise RuntimeError(
            "a file that the chapters read was changed while they ran; build again"
        )
    print(f"chapters: {len(uris)}, executed now: {len(result.all())}")
    for part in ("part_a", "part_b"):
        took = seconds(cache, [uri for uri in uris if f"/book/{part}/" in uri])
        print(f"{part}: {took:.0f} s of one core, {took / 2:.0f} s of two")
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
