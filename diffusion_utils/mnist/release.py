"""Put a training run where the book reads it: python -m diffusion_utils.mnist.release runs/b1."""

import argparse
import copy
import os
import sys
from pathlib import Path
from statistics import mean

import torch
from torch import nn

from diffusion_utils.files import (
    ROOT,
    atomic_folder,
    check_recorded,
    in_half,
    load_tensors,
    record_sha256,
    recorded,
    save_tensors,
)
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.recipes import RECIPES, DigitTask, Recipe
from diffusion_utils.mnist.train import train_digits
from diffusion_utils.mnist.unet import UNet
from diffusion_utils.training.runs import check_longer, part, read_history, read_state
from diffusion_utils.training.runtime import accelerator, best_precision, progress

MODELS = ROOT / "models" / "mnist"


def snapshots(run):
    """A run's recipe, its weights {step: state}, on the way and newest, and their average or nothing."""
    now, about = read_state(run)
    found = {about["step"]: part(now, "model")}
    for path in sorted(Path(run).glob("epoch-*.safetensors")):
        state, metadata = load_tensors(path)
        if metadata["step"] < about["step"]:  # else it was left by another run
            found[metadata["step"]] = state
    return Recipe(**about["recipe"]), found, part(now, "ema")


def release(run, folder=MODELS, replace=False):
    """Copy a run's weights, in half precision, its history and their digests to models/mnist.

    What ships of the recipe is replaced whole, and only by what is better finished, unless `replace`.

    Raises:
        FileNotFoundError: there is no run, or it has no history.
        ValueError: the run is of another network than the book's, or not better finished than what
            it would replace, or lacks weights of an epoch that it has finished; what ships stays.
    """
    recipe, found, average = snapshots(run)
    config = recipe.network().config
    if folder == MODELS and config != RECIPES[recipe.name].network().config:
        raise ValueError(
            f"{run} is of another network than the book's {recipe.name}, maybe made with --smoke; "
            "the shipped weights stay"
        )
    target = Path(folder) / recipe.name
    check_complete(run, recipe, found)
    if not replace:
        check_longer(run, max(found), target)
    lines = (Path(run) / "history.csv").read_text().splitlines(keepends=True)
    with atomic_folder(target) as new:
        for path in new.glob("*.safetensors"):
            path.unlink()  # of the release before
        weights = {f"step-{step:05d}": (step, state) for step, state in found.items()}
        if average:
            weights["average"] = max(found), average
        for name, (step, state) in weights.items():
            about = {"config": config, "recipe": recipe.name, "step": step}
            save_tensors(new / f"{name}.safetensors", in_half(state), **about)
        (new / "history.csv").write_text("".join(lines[: max(found) + 1]))
        record_sha256(new)
    return target


def check_complete(run, recipe, found):
    """Raises a ValueError if a run lacks the weights of an epoch that it has finished."""
    for epoch in recipe.save_epochs:
        step = epoch * recipe.steps_per_epoch
        if step < max(found) and step not in found:
            raise ValueError(f"{run} lacks the weights of epoch {epoch}; what ships stays")


def steps_of(folder):
    """The files of weights that are recorded in a folder -> {step: path}, first step first."""
    return {
        int(Path(name).stem[5:]): Path(folder) / name
        for name in sorted(recorded(folder))
        if name.startswith("step-")
    }


def released(name, folder=MODELS, device="cpu"):
    """What ships of a recipe, such as "b1" -> ({epoch: network in eval mode}, history).

    Only weights whose digest is recorded count: what else lies in the folder is left aside.
    An epoch is the number of passes over the data, with two decimals for a run that still goes on.

    Raises:
        FileNotFoundError: a recorded file is missing.
        ValueError: unknown name, or a file is not the recorded one.
    """
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}; there are {', '.join(RECIPES)}")
    networks = {}
    for step, path in steps_of(Path(folder) / name).items():
        # rounded down, so that a run that is nearly done does not read as done
        hundredths = 100 * step // RECIPES[name].steps_per_epoch
        check_recorded(path)
        networks[hundredths / 100] = load_network(path).to(device)
    return networks, read_history(Path(folder) / name / "history.csv")


def released_average(name, folder=MODELS):
    """The running average of the weights of "b2" or "b2_to_noise" -> network in eval mode.

    Raises:
        FileNotFoundError, ValueError: none is recorded, or as `load_network`.
    """
    path = Path(folder) / name / "average.safetensors"
    check_recorded(path)
    return load_network(path)


@torch.no_grad()
def with_own_statistics(network, recipe, batches=8):
    """A copy in eval mode whose BatchNorm statistics are its own, over the recipe's first batches.

    An average of weights needs it: the loop copies the statistics of the weights that it averages.
    """
    network = copy.deepcopy(network).train()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the mean over all batches
    device = next(network.parameters()).device
    task = DigitTask(recipe, mnist())
    for step in range(1, batches + 1):
        inputs, _ = task.batch(step)
        network(*(part.to(device) for part in inputs))
    return network.eval()


def load_network(path):
    """The UNet of a weights file, in eval mode.

    Raises:
        FileNotFoundError, ValueError: as `load_tensors`, or the weights are of another architecture.
    """
    state, metadata = load_tensors(path)
    try:
        model = UNet(**metadata["config"])
        model.load_state_dict(state)
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} does not hold the weights of this U-Net: {error}") from error
    return model.to(memory_format=torch.channels_last).eval()


def trained(name, device=None):
    """What a chapter uses: `released(name, device=device)`, or with RETRAIN=1 a run of the recipe made now.

    device: where the networks are put, None for the GPU where there is one.

    Retraining goes on from where it was stopped, in runs/NAME. Every 100 steps it prints the mean loss
    of these steps, and that of the released run, which a healthy run stays close to.
    """
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if os.environ.get("RETRAIN") != "1":
        return released(name, device=device)
    print("the tables and plots of stored results below are of the released weights")
    expected, losses = [row.loss for row in released(name)[1]], []
    run = ROOT / "runs" / name
    recipe = RECIPES[name]
    steps = train_digits(recipe, run, mnist(), accelerator(best_precision()))
    for row, _ in progress(steps, recipe.steps):
        losses.append(row.loss)
        if row.step % 100 == 0:
            now, then = mean(losses[-100:]), mean(expected[row.step - 100 : row.step])
            print(f"step {row.step}: loss {now:.4f}, expected {then:.4f} (of 100 steps)")
    folder = release(run, ROOT / "runs" / "released", replace=True).parent
    return released(name, folder, device)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="folder of a training run")
    parser.add_argument(
        "--replace",
        action="store_true",
        help="also what is as well finished as this run, or better",
    )
    args = parser.parse_args()
    try:
        print(release(args.run, replace=args.replace))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
