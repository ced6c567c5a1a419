"""The one training loop: batch, loss, step, average; stopped at any moment, it goes on the same."""

import copy
import itertools
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate.utils import broadcast

from diffusion_utils.training.runs import History, TrainStep, resume, save_state


def generator_for(*key):
    """A CPU generator that depends on the key only, so step n's noise needs no history."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))


def train(task, run, accelerator, *, steps=math.inf, hours=math.inf, checkpoint_steps=100):
    """Train until a budget is spent, going on from the last checkpoint in the folder `run`.

    Args:
        task: what is trained. It has
            recipe, a dataclass of plain values: a checkpoint of another recipe is refused;
            network(), with the same weights at each call;
            optimizer(network);
            batch(step) -> (inputs, target), the global batch of a step, the same in every process;
            lr_at(step), epoch_at(step);
            max_norm, to which larger gradients are scaled down, or None;
            ema_at(step), the decay of the running average of the weights, or None for no average.
        run: folder for history.csv and checkpoint.safetensors.
        accelerator: an `accelerate.Accelerator`; each process works on its share of each batch.
        steps, hours: the budgets, counted from the beginning of the run.

    Yields:
        (TrainStep, networks) after each optimiser step: networks["model"], and networks["ema"] if
        there is an average. What is made of a step is made before the checkpoint that goes past it.

    Raises:
        ValueError: the folder holds a run of another recipe, or a damaged checkpoint, or is not the
            same for all processes.
    """
    run, network = Path(run), task.network().to(memory_format=torch.channels_last)
    optimizer = task.optimizer(network)
    networks = {"model": network}
    if task.ema_at(1) is not None:
        networks["ema"] = copy.deepcopy(network).requires_grad_(False)
    done = resume(run, task.recipe, networks, optimizer)
    check_agreement(done, run, accelerator)
    main = accelerator.is_main_process
    history = History(run / "history.csv", done) if main else None
    before = agreed(history.seconds if main else 0.0, accelerator)
    if done >= steps or before >= 3600 * hours:
        return
    wrapped, optimizer = accelerator.prepare(network, optimizer)
    if "ema" in networks:
        networks["ema"].to(accelerator.device)
    wrapped.train()
    began = time.perf_counter()
    for step in itertools.count(done + 1):
        lr = task.lr_at(step)
        loss = update(wrapped, optimizer, accelerator, task.batch(step), lr, task.max_norm)
        if "ema" in networks:
            average(networks["ema"], network, task.ema_at(step))
        seconds = agreed(before + time.perf_counter() - began, accelerator)
        row = TrainStep(step, task.epoch_at(step), loss, lr, seconds)
        if main:
            history.write(row)
        yield row, networks
        end = step == steps or seconds >= 3600 * hours
        if main and (end or step % checkpoint_steps == 0):
            save_state(run, task.recipe, step, networks, optimizer)
        if end:
            return


def update(network, optimizer, accelerator, batch, lr, max_norm=None):
    """One optimiser step on a global batch (inputs, target), the same in every process -> the loss."""
    inputs, target = batch
    share = slice_for(accelerator, len(target))
    *local, wanted = (part[share].to(accelerator.device) for part in (*inputs, target))
    estimate = network(*local)
    # DDP averages gradients over processes, so weigh each by its share of the global batch
    weight = len(wanted) * accelerator.num_processes / len(target)
    loss = weight * F.mse_loss(estimate, wanted)  # (B1.2), (B2.1), (B3.1), (E.1)
    optimizer.zero_grad()
    accelerator.backward(loss)
    if max_norm:
        accelerator.clip_grad_norm_(network.parameters(), max_norm)
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()
    return accelerator.reduce(loss.detach(), "mean").item()


@torch.no_grad()
def average(ema, network, decay):
    """Move the running average of the weights towards them. Tarvainen & Valpola 2017, eq. 2.

    What is no weight, such as the statistics of BatchNorm, is copied.
    """
    weights = zip(ema.parameters(), network.parameters(), strict=True)
    statistics = zip(ema.buffers(), network.buffers(), strict=True)
    for mean, now in weights:
        mean.lerp_(now, 1 - decay)  # (B2.2)
    for old, now in statistics:
        old.copy_(now)


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
    bounds = [size * i // accelerator.num_processes for i in range(accelerator.num_processes + 1)]
    return slice(*bounds[accelerator.process_index :][:2])
