"""Train a network of Part B: python -m diffusion_utils.train b1|b2|b3."""

import argparse
import ctypes
import math
import os
from dataclasses import replace

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # read when torch first allocates

import torch
from accelerate import Accelerator
from tqdm import tqdm

from diffusion_utils.data import mnist
from diffusion_utils.training import RECIPES, train


def keep_freed_memory():
    """Tell glibc to reuse freed memory: fresh pages for each activation cost a fifth of the time."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return  # not glibc; only slower
    m_trim_threshold, m_mmap_max, m_arena_max = -1, -4, -8
    mallopt(m_arena_max, 1)  # else each thread keeps its own freed memory
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, 2**31 - 1)


def precision():
    """bf16 where the processor computes in it, else fp32."""
    if torch.cuda.is_available():
        return (
            "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
        )
    return "bf16" if torch.cpu._is_avx512_bf16_supported() else "no"


def positive(text):
    """A whole number from 1 on, for argparse."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def progress(rows, steps, **options):
    """Pass on the `TrainStep`s of a run, which may begin in its middle, with a bar."""
    bar = None
    for row in rows:
        if bar is None:  # where it begins is known now, so the time left is right
            bar = tqdm(total=steps, initial=row.step - 1, unit="step", **options)
        bar.set_postfix(epoch=row.epoch, loss=f"{row.loss:.4f}", refresh=False)
        bar.update()
        yield row
    if bar is not None:
        bar.close()


def smoke(recipe):
    """The recipe in small: all epochs, a few steps each, a tiny network."""
    return replace(recipe, hidden=8, images=96, batch_size=64)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--out", help="folder of the run; the default is runs/RECIPE")
    parser.add_argument(
        "--start", help="folder of an unfinished release that a new run goes on from"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="a few steps of everything"
    )
    parser.add_argument("--checkpoint-steps", type=positive, default=20)
    parser.add_argument("--precision", choices=["no", "bf16"], default=precision())
    parser.add_argument(
        "--stop-after",
        type=int,
        default=math.inf,
        help="save and stop once this step is done; go on later",
    )
    args = parser.parse_args()
    keep_freed_memory()
    recipe = smoke(RECIPES[args.recipe]) if args.smoke else RECIPES[args.recipe]
    run = args.out or f"runs/{args.recipe}{'-smoke' if args.smoke else ''}"
    # without cpu=True, accelerate 1.15 leaves processes that have no GPU unaware of each other
    accelerator = Accelerator(
        mixed_precision=args.precision, cpu=not torch.accelerator.is_available()
    )
    steps = train(
        recipe,
        run,
        mnist(),
        accelerator,
        start=args.start,
        stop_after=args.stop_after,
        checkpoint_steps=args.checkpoint_steps,
    )
    for _ in progress(steps, recipe.steps, disable=not accelerator.is_main_process):
        pass
    accelerator.end_training()


if __name__ == "__main__":
    main()
