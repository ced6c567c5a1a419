"""Train Emoji-64: python -m diffusion_utils.emoji64.train --hours 4."""

import argparse
import math
import os
from pathlib import Path

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # read when torch first allocates

import torch
from accelerate import Accelerator
from tqdm import tqdm

from diffusion_utils.data import save_sheet
from diffusion_utils.emoji64.dataset import emoji, first
from diffusion_utils.emoji64.model import FOLDER, text_to_image
from diffusion_utils.emoji64.text import TextEncoder
from diffusion_utils.emoji64.training import Batch, Recipe, train
from diffusion_utils.recipes import prompted
from diffusion_utils.sampling import sample
from diffusion_utils.schedule import CLEAN
from diffusion_utils.train import keep_freed_memory, positive, precision

LOOK_AT = (
    "a rocket ship, a broccoli, a ninja, a red apple, a pencil, a skull, a dog, a house, "
    "an old man, a campfire, a snowy mountain, a fish, a mushroom, a cactus, a penguin, a boat"
).split(", ")


def contact_sheet(ema, encoder, size, path):
    """Draw the prompts of LOOK_AT at guidance 4 in 20 steps, seeds 0 to 15, to a PNG."""
    model = text_to_image(ema, encoder, next(ema.parameters()).device)
    denoise = prompted(model, LOOK_AT, gamma=4)
    timesteps = [*range(950, -1, -50), CLEAN]
    seeds = range(len(LOOK_AT))
    images = sample(
        denoise,
        (3, size, size),
        timesteps,
        model.schedule,
        seeds=seeds,
        device=model.device,
    )
    save_sheet(path, images, columns=8)


def smoke(data):
    """The data and the recipe in small: eight drawings, a tiny network, both sizes of image."""
    recipe = Recipe(channels=(8, 16, 32), batch_size=5, small_steps=2)
    return first(data, 8), recipe


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default="runs/emoji64", help="the run")
    parser.add_argument(
        "--hours",
        type=float,
        default=math.inf,
        help="stop after so long, all calls added",
    )
    parser.add_argument(
        "--steps", type=int, default=math.inf, help="stop once this step is done"
    )
    parser.add_argument(
        "--start", type=Path, help="a released model that a new run goes on from"
    )
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="a tiny network and eight drawings, for tests",
    )
    parser.add_argument("--checkpoint-steps", type=positive, default=100)
    parser.add_argument("--sheet-steps", type=positive, default=1000)
    parser.add_argument("--precision", choices=["no", "bf16"], default=precision())
    args = parser.parse_args()
    keep_freed_memory()
    accelerator = Accelerator(
        mixed_precision=args.precision, cpu=not torch.accelerator.is_available()
    )
    data, recipe = smoke(emoji()) if args.smoke else (emoji(), Recipe())
    main = accelerator.is_main_process
    encoder = TextEncoder(FOLDER)

    def progress(loop):
        return tqdm(loop, desc="encode captions", disable=not main)

    batch = Batch(recipe, data, encoder, progress)
    steps = train(
        recipe,
        args.out,
        batch,
        accelerator,
        start=args.start,
        steps=args.steps,
        hours=args.hours,
        checkpoint_steps=args.checkpoint_steps,
    )
    bar = None
    for row, ema in steps:
        if bar is None:
            bar = tqdm(
                total=args.steps, initial=row.step - 1, unit="step", disable=not main
            )
        bar.set_postfix(
            size=recipe.size(row.step), loss=f"{row.loss:.4f}", refresh=False
        )
        bar.update()
        if main and row.step % args.sheet_steps == 0:
            path = args.out / f"sheet-{row.step:06d}.png"
            contact_sheet(ema, encoder, recipe.size(row.step), path)
    accelerator.end_training()


if __name__ == "__main__":
    main()
