"""Train Emoji-64: python -m diffusion_utils.emoji64.train base --hours 6, then refiner."""

import argparse
import copy
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

from diffusion_utils.stopping import stopped_with

if __name__ == "__main__":
    stopped_with("stopped; the same command goes on from the last checkpoint, if there is one")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # read when torch first allocates

from diffusion_utils.emoji64.captions import called
from diffusion_utils.emoji64.dataset import chosen, emoji
from diffusion_utils.emoji64.model import FOLDER, text_to_image
from diffusion_utils.emoji64.recipe import Batches, EmojiTask, Recipe
from diffusion_utils.emoji64.text import TextEncoder
from diffusion_utils.files import digest, load_tensors, save_tensors
from diffusion_utils.pictures import save_sheet
from diffusion_utils.sampling import sample
from diffusion_utils.schedule import spaced_timesteps
from diffusion_utils.tasks import prompted
from diffusion_utils.training.loop import train
from diffusion_utils.training.runs import (
    CHECKPOINT,
    copy_record,
    part,
    read_history,
    read_state,
    save_state,
)
from diffusion_utils.training.runtime import accelerator, best_precision, positive, progress

LOOK_AT = (
    "rocket ship, broccoli, ninja, red apple, pencil, skull, dog, house, "
    "old man, campfire, snowy mountain, fish, mushroom, cactus, penguin, boat"
).split(", ")


def contact_sheet(network, encoder, size, path):
    """Draw the things of LOOK_AT at guidance 4 in 20 steps, seeds 0 to 15, to a PNG."""
    model = text_to_image(network, encoder, next(network.parameters()).device)
    seeds = range(len(LOOK_AT))
    images = sample(
        prompted(model, list(map(called, LOOK_AT)), gamma=4),
        (3, size, size),
        spaced_timesteps(1000, 20),
        model.schedule,
        seeds=seeds,
        device=model.device,
    )
    save_sheet(path, images, columns=8)


def cooled(run, steps):
    """A copy of a run whose learning rate falls to zero over `steps` more -> its folder, its recipe.

    The run itself stays as it is and can go on. A copy that is there already goes on.
    """
    copy = run.with_name(f"{run.name}-cooled")
    if not (copy / CHECKPOINT).exists():
        state, about = read_state(run)
        recipe = about["recipe"] | {"cool_from": about["step"], "cooldown": steps}
        copy_record(run, copy)
        save_tensors(copy / CHECKPOINT, state, recipe=recipe, step=about["step"])
    return copy, recipe_of(copy)


def recipe_of(run):
    """The `Recipe` of a run's checkpoint."""
    values = read_state(run)[1]["recipe"]
    return Recipe(**values | {"channels": tuple(values["channels"])})


def beginning(args, recipe):
    """The network that a new run begins with, and the recipe that says which: an `EmojiUNet`, a `Recipe`."""
    network, sources = recipe.network(), []
    if args.start:
        path = args.start / "unet" / "model.safetensors"
        network.load_state_dict(load_tensors(path)[0])
        sources.append(digest(path))
    if args.base:
        network.base.load_state_dict(part(read_state(args.base)[0], "ema"))
        sources.append(digest(args.base / CHECKPOINT))
    return network, replace(recipe, start=" ".join(sources))


def begin(run, task, network, released):
    """Write what a run goes on from: a network, and the history and sheets that it was released with."""
    done = 0
    if released:
        before = released / task.recipe.stage
        done = read_history(before / "history.csv")[-1].step
        copy_record(before, run)
    model = task.trained(network)
    networks = {"model": model, "ema": copy.deepcopy(model)}
    save_state(run, task.recipe, done, networks, task.optimizer(model))


def smoke(data, recipe):
    """The data and the recipe in small: eight drawings, a tiny network."""
    return chosen(data, slice(8)), replace(recipe, channels=(8, 16, 32), batch_size=5)


def parsed():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=["base", "refiner"])
    parser.add_argument("--out", type=Path, default="runs/emoji64", help="the run is in OUT/STAGE")
    parser.add_argument(
        "--hours", type=float, default=math.inf, help="stop after so long, all calls added"
    )
    parser.add_argument(
        "--steps", type=positive, default=math.inf, help="stop once this step is done"
    )
    parser.add_argument(
        "--cooldown",
        type=positive,
        help="let the learning rate of a copy of the run fall to zero over so many steps",
    )
    parser.add_argument("--base", type=Path, help="run of the base that the refiner is trained on")
    parser.add_argument(
        "--start",
        type=Path,
        help="a released model that a new run goes on from, its hours included",
    )
    parser.add_argument("--smoke", action="store_true", help="in small, for tests")
    parser.add_argument("--checkpoint-steps", type=positive, default=200)
    parser.add_argument("--sheet-steps", type=positive, default=2000)
    parser.add_argument("--precision", choices=["no", "bf16"], default=best_precision())
    args = parser.parse_args()
    if args.stage == "base" and args.base:
        parser.error("--base is the run whose base a refiner is trained on")
    if args.stage == "refiner" and not (args.base or args.start):
        parser.error("a refiner needs a base: --base, its run, or --start, a released model")
    return args


def run_of(args):
    """Begin or go on with the run that the arguments name."""
    device = accelerator(args.precision)
    data = emoji()
    # the base decides where there is much noise, the refiner errs where there is little
    recipe = Recipe() if args.stage == "base" else Recipe("refiner", high_noise=-0.5)
    if args.smoke:
        data, recipe = smoke(data, recipe)
    run, steps, network = args.out / args.stage, args.steps, None
    if args.cooldown:
        run, recipe = cooled(run, args.cooldown)
        steps = recipe.cool_from + recipe.cooldown
    else:
        network, recipe = beginning(args, recipe)
    encoder = TextEncoder(FOLDER)
    task = EmojiTask(recipe, Batches(recipe, data, encoder))
    if recipe.start and network and device.is_main_process and not (run / CHECKPOINT).exists():
        begin(run, task, network, args.start)
    device.wait_for_everyone()
    options = {"hours": args.hours, "checkpoint_steps": args.checkpoint_steps}
    rows = train(task, run, device, steps=steps, **options)
    total = None if math.isinf(steps) else steps
    for row, networks in progress(rows, total, disable=not device.is_main_process):
        if device.is_main_process and row.step % args.sheet_steps == 0:
            path = run / f"sheet-{row.step:06d}.png"
            contact_sheet(networks["ema"], encoder, recipe.size, path)
    device.end_training()


def main():
    args = parsed()
    try:
        run_of(args)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
