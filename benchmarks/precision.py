"""Do bf16 and fp32 train alike? python -m benchmarks.precision

Trains the network of B3 for 200 steps in fp32, again in bf16 on the very same batches, and once
more in fp32 with another seed. Prints how far the running means of the loss are apart: between the
precisions, and between the seeds, which is the noise to compare with; fails if the first is
larger. --hidden makes the network narrower where the processor only emulates bf16. The full network's
result is written to benchmarks/results/mnist_precision.json, which chapter B1 prints.
"""

import argparse
import sys
import tempfile
from dataclasses import replace

import numpy as np
from accelerate.state import AcceleratorState

from benchmarks._results import RESULTS, store
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.recipes import RECIPES, DigitTask
from diffusion_utils.training.loop import train
from diffusion_utils.training.runtime import accelerator, progress


def losses(recipe, precision, steps):
    AcceleratorState._reset_state(reset_partial_state=True)  # one precision to a process otherwise
    task = DigitTask(recipe, mnist())
    with tempfile.TemporaryDirectory() as run:
        rows = train(task, run, accelerator(precision), steps=steps, checkpoint_steps=steps)
        return [row.loss for row, _ in progress(rows, steps, desc=precision)]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--window", type=int, default=20, help="steps in a running mean")
    args = parser.parse_args()
    recipe = replace(RECIPES["b3"], hidden=args.hidden)
    curves = {
        "fp32": losses(recipe, "no", args.steps),
        "bf16": losses(recipe, "bf16", args.steps),
        "fp32, another seed": losses(replace(recipe, seed=recipe.seed + 1), "no", args.steps),
    }
    window = np.ones(args.window) / args.window
    smooth = {name: np.convolve(curve, window, "valid") for name, curve in curves.items()}
    apart = {name: np.abs(smooth[name] / smooth["fp32"] - 1) for name in smooth}
    for name in ("bf16", "fp32, another seed"):
        print(
            f"fp32 against {name}: mean {apart[name].mean():.2%}, largest {apart[name].max():.2%} of the loss"
        )
    if recipe == RECIPES["b3"]:
        result = {"steps": args.steps, "window": args.window, "apart": {}}
        for name in ("bf16", "fp32, another seed"):
            result["apart"][name] = apart[name].mean()
        store(RESULTS / "mnist_precision.json", result)
    if apart["bf16"].mean() > apart["fp32, another seed"].mean():
        sys.exit("bf16 is further from fp32 than another seed is: do not train in it")


if __name__ == "__main__":
    main()
