"""Part B's objectives and its training loop: the same data, in the same order, on any machine."""

import csv
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from accelerate.utils import broadcast

from diffusion_utils.data import to_unit
from diffusion_utils.files import (
    atomic,
    copy_file,
    in_single,
    load_tensors,
    recorded_sha256,
    remove_partial,
    save_tensors,
)
from diffusion_utils.schedule import Schedule
from diffusion_utils.unet import UNet, one_hot

MNIST_SCHEDULE = Schedule.linear(1e-4, 0.02, T=300)
REPLAYED = 50  # see `warmed_up`


@dataclass(frozen=True)
class Recipe:
    """What a training run is made of; the three of the coursework are in `RECIPES`.

    lr_end is the share of lr that is left after the last epoch, reached exponentially.
    """

    name: str
    hidden: int
    time: bool
    num_classes: int
    batch_size: int
    epochs: int
    lr: float
    lr_end: float
    save_epochs: tuple
    images: int = 60_000
    seed: int = 180

    def lr_at(self, epoch):
        return self.lr * self.lr_end ** (epoch / self.epochs)

    @property
    def steps_per_epoch(self):
        return -(-self.images // self.batch_size)

    @property
    def steps(self):
        return self.epochs * self.steps_per_epoch

    def network(self):
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            return UNet(self.hidden, self.time, self.num_classes)


RECIPES = {
    "b1": Recipe(
        "b1", 128, False, 0, 256, epochs=5, lr=1e-4, lr_end=1.0, save_epochs=(1, 5)
    ),
    "b2": Recipe(
        "b2", 64, True, 0, 128, epochs=20, lr=1e-3, lr_end=0.1, save_epochs=(5, 20)
    ),
    "b3": Recipe(
        "b3", 64, True, 10, 128, epochs=20, lr=1e-3, lr_end=0.1, save_epochs=(5, 20)
    ),
}


def denoising_pair(x, generator, sigma=0.5):
    """What B1 shows the network and what it asks for: z = x + sigma eps -> x. (B, 1, 28, 28)."""
    eps = torch.randn(x.shape, generator=generator)
    return (x + sigma * eps,), x  # (B1.1)


def noise_pair(x_0, generator, schedule=MNIST_SCHEDULE):
    """What B2 shows and asks for: (x_t, t/T) -> eps. Ho et al. 2020, algorithm 1."""
    t = torch.randint(schedule.T, (len(x_0),), generator=generator)
    eps = torch.randn(x_0.shape, generator=generator)
    return (schedule.forward(x_0, t, eps), t / schedule.T), eps  # (B2.1)


def class_pair(x_0, labels, generator, p_uncond=0.1):
    """What B3 shows and asks for: (x_t, t/T, c) -> eps, c dropped with probability p_uncond.

    Source: Ho & Salimans 2022, algorithm 1.
    """
    (x_t, times), eps = noise_pair(x_0, generator)
    keep = torch.rand(len(x_0), generator=generator) >= p_uncond
    return (x_t, times, one_hot(labels) * keep[:, None]), eps  # (B3.1)


def training_pair(recipe, x, labels, generator):
    """The inputs and the target of the recipe's network: digits (B, 1, 28, 28) in [0, 1], labels (B,)."""
    if recipe.num_classes:
        return class_pair(x, labels, generator)
    return noise_pair(x, generator) if recipe.time else denoising_pair(x, generator)


class TrainStep(NamedTuple):
    """One finished optimiser step: the mean squared error of its batch, and the time so far."""

    step: int
    epoch: int
    loss: float
    lr: float
    seconds: float


def generator_for(*key):
    """A CPU generator that depends on the key only, so step n's noise needs no history."""
    return torch.Generator().manual_seed(
        int(np.random.SeedSequence(key).generate_state(1)[0])
    )


def batch_at(recipe, step, data):
    """The global batch of a step (from 1): inputs and target, the same in every process."""
    epoch, index = divmod(step - 1, recipe.steps_per_epoch)
    order = torch.randperm(
        recipe.images, generator=generator_for(recipe.seed, 0, epoch)
    )
    chosen = order[index * recipe.batch_size :][: recipe.batch_size]
    images, labels = data
    return training_pair(
        recipe,
        to_unit(images[chosen]),
        labels[chosen],
        generator_for(recipe.seed, 1, step),
    )


def train(
    recipe,
    run,
    data,
    accelerator,
    *,
    start=None,
    stop_after=math.inf,
    checkpoint_steps=20,
):
    """Train to the end of the recipe, going on from the last checkpoint in the folder `run`.

    Args:
        recipe: a `Recipe`.
        run: folder for history.csv, epoch-NN.safetensors and checkpoint.safetensors.
        data: (images, labels) of `diffusion_utils.data.mnist`.
        accelerator: an `accelerate.Accelerator`; each process works on its share of each batch.
        start: folder of a released run of this recipe, where a new run goes on from its last weights.
            They are in half precision; the optimizer's moments begin anew, see `warmed_up`.
        stop_after: the step after which to stop and save; the same call without it goes on.

    Yields:
        a `TrainStep` after each optimiser step.

    Raises:
        ValueError: the folder holds a run of another recipe, or a damaged checkpoint, or is not the
            same for all processes; `start` holds no weights of this recipe, or is trained to its end.
    """
    run, model = Path(run), recipe.network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr)
    first = 1 + (done := resume(recipe, run, {"model": model}, optimizer))
    check_agreement(done, run, accelerator)
    main = accelerator.is_main_process
    if start and not done:
        done = begin_with(Path(start), recipe, run, model, main)
        first = max(1, done + 1 - REPLAYED)
        accelerator.wait_for_everyone()
    end = min(recipe.steps, stop_after)
    if done >= end:
        return
    history = History(run / "history.csv", done) if main else None
    before = history.seconds if history else 0.0
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    wrapped.train()
    began = time.perf_counter()
    for step in range(first, end + 1):
        epoch = (step - 1) // recipe.steps_per_epoch
        lr = recipe.lr_at(epoch) * warmed_up(step, done)
        loss = update(wrapped, optimizer, accelerator, batch_at(recipe, step, data), lr)
        if step <= done:
            continue
        row = TrainStep(step, epoch + 1, loss, lr, before + time.perf_counter() - began)
        if main:
            history.write(row)
            save = step % checkpoint_steps == 0 or step == end
            finish_step(recipe, run, model, optimizer, row, save)
        yield row


def update(network, optimizer, accelerator, batch, lr, max_norm=None):
    """One optimiser step on a global batch, of which each process takes its share -> the loss.

    Args:
        batch: (inputs, target), the same in every process.
        max_norm: the gradient is scaled down to this norm if it is larger.
    """
    inputs, target = batch
    share = slice_for(accelerator, len(target))
    *local, wanted = (part[share].to(accelerator.device) for part in (*inputs, target))
    estimate = network(*local)
    # DDP averages gradients over processes, so weigh each by its share of the global batch
    weight = len(wanted) * accelerator.num_processes / len(target)
    loss = weight * F.mse_loss(estimate, wanted)  # (B1.2), (B2.1), (B3.1)
    optimizer.zero_grad()
    accelerator.backward(loss)
    if max_norm:
        accelerator.clip_grad_norm_(network.parameters(), max_norm)
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()
    return accelerator.reduce(loss.detach(), "mean").item()


def warmed_up(step, done):
    """The share of the learning rate at a step, for a run that goes on after step `done`.

    From released weights it takes the last `REPLAYED` steps again, at a rising rate: without
    moments, Adam's first steps go the full rate along every weight, and undo much of the training.
    """
    return min(1, 1 + (step - done) / REPLAYED)


def check_agreement(done, run, accelerator):
    """Refuse to go on where processes find different checkpoints: their losses would be of no network."""
    found = accelerator.gather(torch.tensor([done], device=accelerator.device)).tolist()
    if len(set(found)) > 1:
        raise ValueError(
            f"the processes find {run} at different steps, {found}: it must be the same folder for all "
            "of them, on a disk that all machines see, or be copied from the first machine to the others"
        )


def agreed(number, accelerator):
    """The main process's number, in every process: clocks differ."""
    return broadcast(torch.tensor(number, device=accelerator.device)).item()


def slice_for(accelerator, size):
    """This process's share of a global batch of `size`."""
    bounds = [
        size * i // accelerator.num_processes
        for i in range(accelerator.num_processes + 1)
    ]
    return slice(*bounds[accelerator.process_index :][:2])


def finish_step(recipe, run, model, optimizer, row, save):
    """Save what this step calls for: weights at the end of some epochs, the state if `save` says so."""
    end_of_epoch = row.step % recipe.steps_per_epoch == 0
    if end_of_epoch and row.epoch in recipe.save_epochs:
        save_network(
            run / f"epoch-{row.epoch:02d}.safetensors",
            model,
            recipe=recipe.name,
            step=row.step,
        )
    if save or end_of_epoch:
        save_state(recipe, run, row.step, {"model": model}, optimizer)


def save_state(recipe, run, step, networks, optimizer):
    """Write a run's checkpoint: networks by name, the optimizer's moments, recipe and step."""
    state = {
        f"{name}.{key}": tensor
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }
    for index, moments in optimizer.state_dict()["state"].items():
        state |= {f"optimizer.{index}.{key}": value for key, value in moments.items()}
    path = Path(run) / "checkpoint.safetensors"
    save_tensors(path, state, recipe=asdict(recipe), step=step)


def resume(recipe, run, networks, optimizer):
    """Load the run's checkpoint into networks and optimizer, if there is one -> steps done.

    Raises:
        ValueError: the checkpoint is damaged, or of another recipe.
    """
    path = Path(run) / "checkpoint.safetensors"
    if not path.exists():
        return 0
    state, metadata = load_tensors(path)
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


def begin_with(released, recipe, run, model, main):
    """Load the last weights of a released run; the main process takes over the rest -> steps done."""
    snapshots = sorted(released.glob("step-*.safetensors"))
    about = load_tensors(snapshots[-1])[1] if snapshots else {}
    if (about.get("recipe"), about.get("config")) != (recipe.name, model.config):
        raise ValueError(f"{released} holds no released weights of this {recipe.name}")
    if about["step"] >= recipe.steps:
        raise ValueError(
            f"{released} is trained to its last step, {about['step']:,}; leave --start out to train anew"
        )
    state = load_network(snapshots[-1], recorded_sha256(snapshots[-1])).state_dict()
    model.load_state_dict(state)
    if main:
        for path in snapshots:
            epoch, rest = divmod(int(path.stem[5:]), recipe.steps_per_epoch)
            if epoch in recipe.save_epochs and not rest:
                copy_file(path, run / f"epoch-{epoch:02d}.safetensors")
        copy_file(released / "history.csv", run / "history.csv")
    return about["step"]


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
        rows = (
            [row for row in read_history(path) if row.step <= done]
            if path.exists() and done
            else []
        )
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


def save_network(path, model, **metadata):
    """Write a UNet's weights and configuration, atomically."""
    save_tensors(path, model.state_dict(), config=model.config, **metadata)


def load_network(path, sha256=None):
    """The UNet that `save_network` wrote, in eval mode.

    Raises:
        FileNotFoundError, ValueError: as `load_tensors`, or the weights are of another architecture.
    """
    state, metadata = load_tensors(path, sha256)
    try:
        model = UNet(**metadata["config"])
        model.load_state_dict(in_single(state))
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"{path} does not hold the weights of this U-Net: {error}"
        ) from error
    return model.to(memory_format=torch.channels_last).eval()
