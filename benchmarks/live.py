"""What a step costs in the reader's browser, beside PyTorch: python -m benchmarks.live.

Runs each network under the live pages' runtime, by Node, which has the same engine as Chromium, and
in PyTorch in single precision, both on one thread. Of some steps the fastest counts, by the time of
the processor: what else the computer does makes the others slower. A guided step is two estimates:
two calls there, a batch of two here.

WebAssembly multiplies vectors of 128 bits and adds them in a second instruction. PyTorch does the
same if it is held to SSE4.1; AVX2 has 256 bits and AVX-512 twice as many, and both multiply and add
at once. So there is a column for each: the first compares programs, the last what they may use.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from diffusion_utils.emoji64.model import load
from diffusion_utils.export import LIVE, export
from diffusion_utils.mnist.release import released
from diffusion_utils.mnist.unet import one_hot

SCRIPT = Path(__file__).with_suffix(".mjs")
CALLS = {"b1": 1, "b2": 1, "b3": 2, "emoji64": 2}  # of the network in a step


INSTRUCTIONS = {  # that PyTorch is held to, by the variables that its libraries read
    "SSE4.1": ("default", "SSE41", "SSE4_2"),
    "AVX2": ("avx2", "AVX2", "AVX2"),
    "all": None,
}


def steps():
    """{name: one step of each network in PyTorch}, in single precision."""
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


@torch.no_grad()
def in_this_process(repeats):
    """{name: milliseconds of the fastest step} in PyTorch."""
    torch.set_num_threads(1)
    times = {}
    for name, step in steps().items():
        step()
        each = []
        for _ in range(repeats):
            begun = time.process_time()
            step()
            each.append(1000 * (time.process_time() - begun))
        times[name] = min(each)
    return times


def answer(*command, **environment):
    """What a command prints, as JSON."""
    environment = os.environ | environment
    return json.loads(subprocess.check_output(command, env=environment, text=True))


def in_pytorch(instructions, repeats):
    """{name: milliseconds of a step} with these instructions alone, which must be said before a start."""
    names = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")
    held = dict(zip(names, instructions, strict=True)) if instructions else {}
    command = [sys.executable, "-m", "benchmarks.live", "--pytorch", str(repeats)]
    return answer(*command, **held)


def in_the_browser(repeats):
    """{name: milliseconds of a step} under the runtime of the pages."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: str(path) for name, path in export(folder).items()}
        networks = {name: [files[f"{name}.onnx"], n] for name, n in CALLS.items()}
        asked = json.dumps({"folder": str(LIVE), "networks": networks})
        return answer("node", str(SCRIPT), asked, str(repeats))


def main(repeats=40):
    browser = in_the_browser(repeats)
    pytorch = {name: in_pytorch(held, repeats) for name, held in INSTRUCTIONS.items()}
    print("ms per step    browser" + "".join(f"{name:>16}" for name in pytorch))
    for name, there in browser.items():
        cells = (f"{here[name]:8.0f} ({there / here[name]:4.1f}x)" for here in pytorch.values())
        print(f"{name:12}{there:10.0f}" + "".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pytorch", type=int, metavar="REPEATS", help="PyTorch alone")
    if repeats := parser.parse_args().pytorch:
        print(json.dumps(in_this_process(repeats)))
    else:
        main()
