"""What limits B2: python -m benchmarks.mnist_limits b2, the shipped training, or --seed 181, another.

Draws from the last weights of a training and from their average, each with the statistics of BatchNorm
that were noted and with its own, from pure noise and from the mean digit noised, and measures how far
the samples are from test digits. Another seed trains the recipe first, which takes an hour of two
processor cores; the run is in runs/RECIPE-SEED and goes on where it was stopped.

Adds its rows to benchmarks/results/mnist_limits.json, which the chapter reads.
"""

import argparse
import json
from dataclasses import replace
from itertools import chain
from pathlib import Path

from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from benchmarks.mnist_quality import (
    DEVICE,
    by_tenths,
    features_of,
    features_of_real,
    mixed_test_digits,
    samples,
    spread_of_pixels,
    training_digits,
)
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.judge import WEIGHTS
from diffusion_utils.mnist.recipes import RECIPES
from diffusion_utils.mnist.release import MODELS, released, released_average, with_own_statistics
from diffusion_utils.mnist.train import train_digits
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.training.runs import part, read_state
from diffusion_utils.training.runtime import accelerator, keep_freed_memory, progress

FILE = RESULTS / "mnist_limits.json"
NAMES = ("b2", "b2_to_noise")


def trained(recipe):
    """The last weights of a training, and their average, both in eval mode."""
    if recipe == RECIPES[recipe.name]:
        last = [*released(recipe.name, device=DEVICE)[0].values()][-1]
        return last, released_average(recipe.name).to(DEVICE)
    run = Path(f"runs/{recipe.name}-{recipe.seed}")
    steps = train_digits(recipe, run, mnist(), accelerator("no"), checkpoint_steps=1000)
    for _ in progress(steps, recipe.steps):
        pass
    state = read_state(run)[0]
    both = recipe.network(), recipe.network()
    for network, name in zip(both, ("model", "ema"), strict=True):
        network.load_state_dict(part(state, name))
    return [network.to(DEVICE).eval() for network in both]


def ways(recipe, count):
    """(weights, statistics, start) -> the network, and the digits to noise for a start or None."""
    mean = training_digits(60_000).mean(0).expand(count, -1, -1, -1)
    for weights, network in zip(("last", "average"), trained(recipe), strict=True):
        own = with_own_statistics(network, recipe)
        for statistics, net in (("noted", network), ("anew", own)):
            yield (weights, statistics, "noise"), (net, None)
            if recipe.name == "b2":
                yield (weights, statistics, "mean digit"), (net, mean)


def rows(recipe, count, steps):
    """One row for each of the `ways`: `count` samples from the same seeds in every row."""
    real = features_of_real()[0]
    for (weights, statistics, start), (network, digits) in tqdm(ways(recipe, count), desc="ways"):
        denoise = unet_denoiser(network, recipe.schedule.T)
        fake = samples(denoise, count, steps, recipe.schedule, digits)
        row = {"recipe": recipe.name, "seed": recipe.seed, "steps": steps}
        row |= {"weights": weights, "statistics": statistics, "start": start}
        yield row | {"spread": spread_of_pixels(fake)} | by_tenths(real, features_of(fake))


def real_row(count):
    """Other test digits in the place of the samples."""
    real, others = features_of_real()
    return {"spread": spread_of_pixels(mixed_test_digits()[0])} | by_tenths(real, others[:count])


def measured_files():
    averages = [MODELS / name / "average.safetensors" for name in NAMES]
    last = [[*(MODELS / name).glob("step-*.safetensors")] for name in NAMES]
    return [*sorted(chain(*last)), *averages, WEIGHTS]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--seed", type=int, default=RECIPES["b2"].seed)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=20, help="sampling steps")
    args = parser.parse_args()
    keep_freed_memory()
    recipe = replace(RECIPES[args.name], seed=args.seed)
    found = [*rows(recipe, args.images, args.steps)]
    about = {"images": args.images, "sha256": digests(*measured_files())}
    record = json.loads(FILE.read_text()) if FILE.exists() else {"rows": []}
    same = all(record.get(key) == value for key, value in about.items())
    asked = args.name, args.seed, args.steps
    others = [r for r in record["rows"] if (r["recipe"], r["seed"], r["steps"]) != asked]
    store(FILE, about | {"real": real_row(args.images), "rows": others * same + found})
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
