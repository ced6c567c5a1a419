"""Train a network of Part B: python -m diffusion_utils.mnist.train b1|b2|b3."""

import argparse
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

from diffusion_utils.stopping import stopped_with

if __name__ == "__main__":
    stopped_with("stopped; the same command goes on from the last checkpoint, if there is one")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # read when torch first allocates

from diffusion_utils.files import save_tensors
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.recipes import RECIPES, DigitTask
from diffusion_utils.training.loop import train
from diffusion_utils.training.runtime import accelerator, best_precision, positive, progress


def train_digits(recipe, run, digits, device, *, stop_after=math.inf, **options):
    """Train to the end of the recipe and keep the weights of its `save_epochs` in the folder `run`.

    device: an `accelerate.Accelerator`. Yields and raises as `training.loop.train`.
    """
    task = DigitTask(recipe, digits)
    end = min(recipe.steps, stop_after)
    for row, networks in train(task, run, device, steps=end, **options):
        end_of_epoch = row.step % recipe.steps_per_epoch == 0
        if device.is_main_process and end_of_epoch and row.epoch in recipe.save_epochs:
            save_tensors(
                Path(run) / f"epoch-{row.epoch:02d}.safetensors",
                networks["model"].state_dict(),
                config=networks["model"].config,
                recipe=recipe.name,
                step=row.step,
            )
        yield row, networks


def smoke(recipe):
    """The recipe in small: all epochs, a few steps each, a tiny network."""
    return replace(recipe, hidden=8, images=96, batch_size=64)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--out", help="folder of the run; the default is runs/RECIPE")
    parser.add_argument("--smoke", action="store_true", help="a few steps of everything")
    parser.add_argument("--checkpoint-steps", type=positive, default=20)
    parser.add_argument("--precision", choices=["no", "bf16"], default=best_precision())
    parser.add_argument(
        "--stop-after",
        type=positive,
        default=math.inf,
        help="save and stop once this step is done; go on later",
    )
    args = parser.parse_args()
    recipe = smoke(RECIPES[args.recipe]) if args.smoke else RECIPES[args.recipe]
    run = args.out or f"runs/{args.recipe}{'-smoke' if args.smoke else ''}"
    device = accelerator(args.precision)
    options = {"stop_after": args.stop_after, "checkpoint_steps": args.checkpoint_steps}
    try:
        steps = train_digits(recipe, run, mnist(), device, **options)
        for _ in progress(steps, recipe.steps, disable=not device.is_main_process):
            pass
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    device.end_training()


if __name__ == "__main__":
    main()
