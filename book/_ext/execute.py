"""Fill the cache with the results of the chapters, several at once: `python -m _ext.execute`.

MEMORY, in GB, limits how many run at once, at about GB_PER_CHAPTER each; otherwise it is one a core.
"""

import os
import sys
import tempfile
from contextlib import suppress
from multiprocessing import Pool
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.cache.main import JupyterCacheBase
from jupyter_cache.executors.basic import (
    ExecutionWorkerLocalMProc,
    JupyterExecutorLocalMproc,
    ProcessData,
)
from jupyter_cache.executors.utils import single_nb_execution
from traitlets.config import Config

from _ext.stale import cache_folder, drop_stale, recall, record, variables
from _ext.toc import ROOT, chapters

GB_PER_CHAPTER = 1.0
# Kernels that start side by side race for TCP ports. Windows has no other way.
TRANSPORT = "tcp" if os.name == "nt" else "ipc"


class Results(JupyterCacheBase):
    """A cache that deletes nothing where it is written to; `stale` drops what is no longer wanted.

    The original looks twice at what there is, and deletes what another worker wrote in between.
    """

    def truncate_caches(self):
        pass


class Worker(ExecutionWorkerLocalMProc):
    """Executes a notebook in its folder, in a kernel that is reached through files."""

    @staticmethod
    def execute(project_nb, data):
        # short, since the path of a socket may have 107 characters, and there also where HOME is not
        with tempfile.TemporaryDirectory(prefix="kernel-") as folder:
            kernel = {
                "transport": TRANSPORT,
                "connection_file": f"{folder}/kernel.json",
            }
            return single_nb_execution(
                project_nb.nb,
                cwd=str(Path(project_nb.uri).parent),
                timeout=data.timeout,
                allow_errors=False,
                config=Config(KernelManager=kernel),
            )


def workers(cores, memory=None):
    """How many chapters run at once on so many cores, in so many GB if there is a limit."""
    if memory is None:
        return cores
    return max(1, min(cores, int(float(memory) / GB_PER_CHAPTER)))


def longest_first(chapters, seconds):
    """The chapters by the time that they took; those not yet measured first, the last one ahead.

    A long one that starts last would keep one core busy when the others have nothing left to do. Part B
    is at the end of the book, and takes longest.
    """
    unknown = float("inf")
    return sorted(reversed(chapters), key=lambda path: -seconds.get(path, unknown))


def measured(cache, root, uris):
    """{chapter: seconds of one core} of those that have a result."""
    found = {}
    for uri in uris:
        with suppress(KeyError):  # it failed
            took = cache.match_cache_file(uri).data["execution_seconds"]
            found[Path(uri).relative_to(root).as_posix()] = took
    return found


def run(cache, uris, timeout):
    """Execute and cache those chapters that have no result -> (executed, failed)."""
    for uri in uris:
        cache.add_nb_to_project(uri)
    todo = {r.uri: r for r in JupyterExecutorLocalMproc(cache).get_records(uris)}
    jobs = [
        ProcessData(todo[uri].pk, uri, cache, timeout, False)
        for uri in uris
        if uri in todo
    ]
    count = workers(os.cpu_count(), os.environ.get("MEMORY") or None)
    with Pool(count) as pool:
        ended = list(pool.imap_unordered(Worker(), jobs, chunksize=1))
    return [uri for _, uri in ended], [uri for code, uri in ended if code != 0]


def fill(root, build):
    """Execute the chapters whose result is not cached -> {path: traceback} of those that failed.

    Raises:
        RuntimeError: a file changed meanwhile, so nobody knows which state the results belong to.
    """
    drop_stale(root, build)
    folder = cache_folder(build)
    cache, times = get_cache(folder, Results), recall(folder / "seconds.json")
    names = [path.relative_to(root).as_posix() for path in chapters(root)]
    uris = [str(root / name) for name in longest_first(names, times)]
    # a cell that trains takes hours
    timeout = None if variables()["RETRAIN"] == "1" else 1800
    executed, failed = run(cache, uris, timeout)
    if drop_stale(root, build):
        raise RuntimeError(
            "a file that the chapters read was changed while they ran; build again"
        )
    times |= measured(cache, root, executed)
    record(folder / "seconds.json", times)
    print(f"chapters: {len(uris)}, executed now: {len(executed)}")
    for part in ("part_a", "part_b"):
        took = sum(times.get(name, 0) for name in names if f"/{part}/" in name)
        print(f"{part}: {took:.0f} s of one core")
    return {
        uri: cache.get_project_record(uri).traceback or "not executed" for uri in failed
    }


# The chapters share the cores already. Freed memory is kept: a batch of 200 digits takes
# 1.1 instead of 1.6 s.
KERNELS = {
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
}


def main():
    os.environ |= KERNELS | os.environ
    failed = fill(ROOT, ROOT / "_build")
    for uri, traceback in failed.items():
        report = ROOT / "_build/html/reports" / f"{Path(uri).stem}.err.log"
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(traceback)
        print(uri, traceback, sep="\n", file=sys.stderr)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
