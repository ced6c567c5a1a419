"""A run on disk: its history, and the checkpoint that it goes on from after any stop."""

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from diffusion_utils.files import atomic, load_tensors, remove_partial, save_tensors

CHECKPOINT = "checkpoint.safetensors"


class TrainStep(NamedTuple):
    """One finished optimiser step: the mean squared error of its batch, and the time so far.

    step, epoch: from 1. seconds: since the run began, without the time in which it was stopped.
    """

    step: int
    epoch: int
    loss: float
    lr: float
    seconds: float


def save_state(run, recipe, step, networks, optimizer):
    """Write a run's checkpoint: networks by name, the optimizer's moments, recipe and step."""
    state = {
        f"{name}.{key}": tensor
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }
    for index, moments in optimizer.state_dict()["state"].items():
        state |= {f"optimizer.{index}.{key}": value for key, value in moments.items()}
    save_tensors(Path(run) / CHECKPOINT, state, recipe=asdict(recipe), step=step)


def read_state(run):
    """The checkpoint of a run -> ({name: tensor}, metadata).

    Raises:
        FileNotFoundError: there is no run in that folder.
        ValueError: the checkpoint is damaged.
    """
    path = Path(run) / CHECKPOINT
    if not path.exists():
        raise FileNotFoundError(f"there is no run in {run}, since it holds no {CHECKPOINT}")
    return load_tensors(path)


def resume(run, recipe, networks, optimizer):
    """Load the run's checkpoint into networks and optimizer, if there is one -> steps done.

    Raises:
        ValueError: the checkpoint is damaged, or of another recipe.
    """
    if not (Path(run) / CHECKPOINT).exists():
        return 0
    state, metadata = read_state(run)
    if metadata.get("recipe") != json.loads(json.dumps(asdict(recipe))):
        raise ValueError(
            f"{run} holds a run of another recipe; choose another --out folder, or delete it"
        )
    for name, network in networks.items():
        network.load_state_dict(part(state, name))
    moments = {}
    for key, tensor in part(state, "optimizer").items():
        index, name = key.split(".")
        moments.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    return metadata["step"]


def part(state, name):
    """The tensors of a checkpoint that belong to one of its parts."""
    prefix = f"{name}."
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


class History:
    """history.csv, one line for each step.

    On opening, lines after step `done` are dropped, and half-written files beside it are deleted.
    """

    def __init__(self, path, done):
        remove_partial(path.parent)
        rows = read_history(path) if path.exists() and done else []
        rows = [row for row in rows if row.step <= done]
        with atomic(path) as partial, open(partial, "w", newline="") as f:
            writer = csv.writer(f)
            writer.writerow(TrainStep._fields)
            writer.writerows(map(formatted, rows))
        self.path, self.seconds = path, rows[-1].seconds if rows else 0.0

    def write(self, row):
        with open(self.path, "a", newline="") as f:
            csv.writer(f).writerow(formatted(row))


def formatted(row):
    return row.step, row.epoch, f"{row.loss:.8f}", f"{row.lr:.6g}", f"{row.seconds:.2f}"


def read_history(path):
    """Each `TrainStep` of a history.csv; a last line that was cut off is left out."""
    types = TrainStep.__annotations__.values()
    with open(path, newline="") as f:
        whole = [line for line in f if line.endswith("\n")]
    return [
        TrainStep(*(kind(value) for kind, value in zip(types, row, strict=True)))
        for row in csv.reader(whole[1:])
    ]


def copy_record(run, folder):
    """Copy the history of a run, and the sheets that it drew, to another folder."""
    for path in (run / "history.csv", *run.glob("sheet-*.png")):
        with atomic(folder / path.name) as partial:
            partial.write_bytes(path.read_bytes())


def check_longer(run, steps, released):
    """Raises a ValueError if a run has no more steps than the one whose history is in a folder, if any."""
    history = Path(released) / "history.csv"
    before = read_history(history)[-1].step if history.exists() else 0
    if steps <= before:
        raise ValueError(
            f"{run} has {steps:,} steps, and what ships has {before:,}; it stays, "
            "unless you add --replace"
        )
