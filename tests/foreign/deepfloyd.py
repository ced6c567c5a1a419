"""Run the chapters of Part A on DeepFloyd IF in small, in the fast profile: make deepfloyd-test."""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "book")]
import tiny_if  # noqa: E402
from _ext import toc  # noqa: E402


def main():
    with tempfile.TemporaryDirectory() as folder:
        stage_1, stage_2 = Path(folder, "stage-1"), Path(folder, "stage-2")
        tiny_if.pipeline().save_pretrained(stage_1)
        tiny_if.save_stage_2(stage_2)
        os.environ.update(
            BOOK_PROFILE="fast",
            CUDA_VISIBLE_DEVICES="",  # on a GPU the weights would have to be in half precision
            DIFFUSION_MODEL="deepfloyd",
            DEEPFLOYD_MODEL=str(stage_1),
            DEEPFLOYD_STAGE_2=str(stage_2),
        )
        part_a = [path for path in toc.chapters() if path.parent.name == "part_a"]
        for path in tqdm(part_a, unit="chapter"):
            notebook = nbformat.read(path, as_version=4)
            where = {"metadata": {"path": str(path.parent)}}
            NotebookClient(notebook, timeout=1800, resources=where).execute()


if __name__ == "__main__":
    main()
