"""How a benchmark stores what it found in benchmarks/results, where chapters read it."""

import json

from diffusion_utils.files import ROOT, atomic, digest

RESULTS = ROOT / "benchmarks" / "results"


def store(path, result, indent=1):
    """Write a result as JSON; indent=None is for one with many numbers."""
    with atomic(path) as partial:
        partial.write_text(json.dumps(result, indent=indent) + "\n")


def digests(*paths):
    """{path in the repository: SHA-256} of the files that were measured."""
    return {path.relative_to(ROOT).as_posix(): digest(path) for path in paths}
