"""Training speed, in images per second: python -m benchmarks.train_step.

In one run, for the network of B1 (D = 128, batch 256) and of B3 (D = 64, batch 128):
  plain     fp32, eager, NCHW, a DataLoader with ToTensor: the loop that most people write
  ours      diffusion_utils.training.loop.train, as `python -m diffusion_utils.mnist.train` runs it
  roofline  only the convolutions of one step, forward and backward, each timed alone
            on inputs of its size in ours' precision and memory layout
and, from a profile of one step of ours, where the time goes. For Emoji-64's base at 32x32 it prints
images/s and GFLOP/s, the arithmetic of forward and backward counted by torch's FlopCounterMode. Times are
medians.
Writes benchmarks/results/mnist_train_step.json, which chapter B1 prints.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

# Nothing of torch or of the package is imported here: ours sets what torch reads when it is loaded, as
# the commands do, and a plain loop must not have it.


def plain(name, steps):
    """Seconds of each step of a plain training loop."""
    import torch
    import torch.nn.functional as F
    from torch.utils.data import DataLoader

    from diffusion_utils.mnist.recipes import RECIPES

    recipe = RECIPES[name]
    loader = DataLoader(torchvision_digits(), recipe.batch_size, shuffle=True)
    model, generator = recipe.network(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr)
    seconds, start = [], time.perf_counter()
    for (x, digits), _ in zip(loader, range(steps), strict=False):
        inputs, target = recipe.objective(x, digits, generator)
        loss = F.mse_loss(model(*inputs), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
    return {"seconds": seconds}


def torchvision_digits():
    """The digits as torchvision reads them, one PIL image after the other."""
    from torchvision.datasets import MNIST
    from torchvision.transforms import ToTensor

    from diffusion_utils.mnist.data import MNIST_FOLDER

    with tempfile.TemporaryDirectory() as root:
        raw = Path(root) / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for path in MNIST_FOLDER.glob("*.gz"):
            (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        return MNIST(root, transform=ToTensor())


def configured():
    """The precision and the `Accelerator` of the training commands."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    from diffusion_utils.training.runtime import accelerator, best_precision

    return best_precision(), accelerator(best_precision())


def seconds_of(task, device, steps):
    """Seconds of each step of our loop."""
    from diffusion_utils.training.loop import train

    with tempfile.TemporaryDirectory() as run:
        rows = train(task, run, device, steps=steps, checkpoint_steps=steps)
        times = [0.0]
        for row, _ in rows:
            times.append(row.seconds)
            if row.step == steps:
                break  # before the checkpoint
    return [after - before for before, after in pairwise(times)]


def ours(name, steps):
    """Seconds of each step of our loop, of its convolutions alone, and the shares of a profile."""
    precision, device = configured()
    from diffusion_utils.mnist.data import mnist
    from diffusion_utils.mnist.recipes import RECIPES, DigitTask

    recipe = RECIPES[name]
    return {
        "seconds": seconds_of(DigitTask(recipe, mnist()), device, steps),
        "roofline": convolution_seconds(recipe, precision),
        "precision": precision,
        "shares": shares(recipe, device),
    }


def convolution_seconds(recipe, precision, repeats=5):
    """The summed median times of each convolution's forward and backward pass, alone."""
    import torch
    from torch import nn

    model = recipe.network().to(memory_format=torch.channels_last)
    calls = []

    def record(layer, inputs, output):
        calls.append((layer, inputs[0].shape, output.shape))

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(record)
    model(*example(recipe))
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    total = 0.0
    for layer, shape, output_shape in calls:
        layer._forward_hooks.clear()
        layer = layer.to(dtype)
        first = shape[1] == 1  # the image needs no gradient
        x = (
            torch.randn(shape, dtype=dtype)
            .to(memory_format=torch.channels_last)
            .requires_grad_(not first)
        )
        grad = torch.randn(output_shape, dtype=dtype).to(memory_format=torch.channels_last)
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            layer(x).backward(grad)
            times.append(time.perf_counter() - start)
        total += median(times)
    return total


def example(recipe):
    import torch

    B = recipe.batch_size
    inputs = [torch.randn(B, 1, 28, 28), torch.rand(B), torch.zeros(B, 10)]
    return inputs[: 1 + recipe.time + bool(recipe.num_classes)]


def shares(recipe, accelerator):
    """The share of one step's time that each kind of operation takes."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    model = recipe.network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters())
    for measured in (False, True):
        with profile(activities=[ProfilerActivity.CPU]) as trace:
            with accelerator.autocast():
                loss = model(*example(recipe)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if measured:
            times = {event.key: event.self_cpu_time_total for event in trace.key_averages()}
    groups = {"convolution": "conv", "GELU": "gelu", "BatchNorm": "batch_norm", "Adam": "adam"}
    total = sum(times.values())
    found = {name: sum(t for key, t in times.items() if part in key.lower()) / total
             for name, part in groups.items()}  # fmt: skip
    return found | {"the rest": 1 - sum(found.values())}


def emoji64(name, steps):
    """Seconds of each step of Emoji-64's base, and the GFLOP of a step."""
    _, device = configured()
    from torch.utils.flop_counter import FlopCounterMode

    from diffusion_utils.emoji64.dataset import chosen, emoji
    from diffusion_utils.emoji64.model import FOLDER
    from diffusion_utils.emoji64.recipe import Batches, EmojiTask, Recipe
    from diffusion_utils.emoji64.text import TextEncoder

    recipe = Recipe()
    data = chosen(emoji(), slice(2 * recipe.batch_size))
    task = EmojiTask(recipe, Batches(recipe, data, TextEncoder(FOLDER)))
    inputs, target = task.batch(1)  # encodes the captions, once
    with FlopCounterMode(display=False) as counter:
        (task.network()(*inputs) - target).square().mean().backward()
    return {
        "seconds": seconds_of(task, device, steps),
        "gflop": counter.get_total_flops() / 1e9,
        "batch_size": recipe.batch_size,
    }


def measure(mode, name, steps):
    """Run one mode in a process of its own, so that neither warms up or configures the other."""
    command = [sys.executable, "-m", "benchmarks.train_step", "--mode", mode, "--recipe", name]
    output = subprocess.run(
        [*command, "--steps", str(steps)], check=True, capture_output=True, text=True
    )
    return json.loads(output.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--mode", choices=["plain", "ours", "emoji64"], help=argparse.SUPPRESS)
    parser.add_argument("--recipe", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.mode:
        run = {"plain": plain, "ours": ours, "emoji64": emoji64}[args.mode]
        print(json.dumps(run(args.recipe, args.steps)))
        return
    networks = [compared(*network, args.steps) for network in (("b1", 128, 256), ("b3", 64, 128))]
    for row in networks:
        print(json.dumps(row, indent=1))
    e = measure("emoji64", "emoji64", args.steps)
    step = median(e["seconds"][1:])
    print(
        f"emoji64: 32x32, batch {e['batch_size']}, {e['batch_size'] / step:.1f} images/s, "
        f"{e['gflop'] / step:.0f} GFLOP/s"
    )
    from benchmarks._results import RESULTS, store

    store(RESULTS / "mnist_train_step.json", {"networks": networks})


def compared(name, D, batch_size, steps):
    """Images per second of the plain loop, of ours and of the roofline, and where ours' time goes."""
    a, b = measure("plain", name, steps), measure("ours", name, steps)
    # the first step allocates
    plain, ours = (batch_size / median(x["seconds"][1:]) for x in (a, b))
    return {
        "name": name,
        "D": D,
        "batch_size": batch_size,
        "precision": "fp32" if b["precision"] == "no" else b["precision"],
        "plain": plain,
        "ours": ours,
        "roofline": batch_size / b["roofline"],
        "shares": b["shares"],
    }


if __name__ == "__main__":
    main()
