"""What a step costs in the reader's browser, beside PyTorch: python -m benchmarks.live.

Runs each network under the live pages' runtime, by Node, which has the same engine as Chromium, and
in PyTorch on one thread. Times are the processor's, whatever else the computer does. A guided step
is two estimates: two calls there, a batch of two here.
"""

import json
import subprocess
import tempfile
import time
from pathlib import Path

import torch

from diffusion_utils.emoji64.model import load
from diffusion_utils.export import RUNTIME, export
from diffusion_utils.mnist.release import released
from diffusion_utils.mnist.unet import one_hot

SCRIPT = Path(__file__).with_suffix(".mjs")
CALLS = {"b1": 1, "b2": 1, "b3": 2, "emoji64": 2}  # of the network in a step


def mean(step, repeats):
    """The mean of so many steps, after one to warm up, in milliseconds of the processor."""
    step()
    begun = time.process_time()
    for _ in range(repeats):
        step()
    return 1000 * (time.process_time() - begun) / repeats


def steps():
    """{name: one step of each network in PyTorch}."""
    x, t = torch.rand(2, 1, 28, 28), torch.rand(2)
    b1, b2, b3 = (list(released(name)[0].values())[-1] for name in ("b1", "b2", "b3"))
    model = load()
    prompts = ["a mushroom", ""]
    denoise, x_t = model.denoiser(prompts), torch.randn(2, 3, 64, 64)
    return {
        "b1": lambda: b1(x[:1]),
        "b2": lambda: b2(x[:1], t[:1]),
        "b3": lambda: b3(x, t, one_hot([7, -1])),
        "emoji64": lambda: denoise(x_t, 500),
    }


def in_the_browser(folder, repeats):
    """{name: milliseconds of a step} under the runtime of the pages."""
    files = {name: str(path) for name, path in export(folder).items()}
    networks = {name: [files[f"{name}.onnx"], calls] for name, calls in CALLS.items()}
    asked = json.dumps({"folder": str(RUNTIME.parent), "networks": networks})
    command = ["node", str(SCRIPT), asked, str(repeats)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


@torch.no_grad()
def main(repeats=20):
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        there = in_the_browser(folder, repeats)
    print("ms per step    PyTorch   browser   ratio")
    for name, step in steps().items():
        here = mean(step, repeats)
        print(f"{name:12}{here:10.0f}{there[name]:10.0f}{there[name] / here:8.2f}")


if __name__ == "__main__":
    main()
