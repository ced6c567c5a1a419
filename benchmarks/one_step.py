"""One step of the network, filters and the exact mean: python -m benchmarks.one_step.

Noises pictures and denoises them in one step, with a prompt that names no thing. For chapter 1.3
benchmarks/results/one_step.json has the PSNR of each picture and seed at each timestep: under
"filters" for the book's pictures beside a blur and the two best filters of 1.2. Under "means" it has the
mean squared error beside that of the mean over all training drawings, each weighted by how probable it
is, for the book's pictures and for some of the training drawings themselves, each from one seed; and
beside the mean over a longer list: what some passes of the training show, moved and recoloured.
"""

import argparse
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import plain
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.emoji64.recipe import Batches, Recipe
from diffusion_utils.filters import best_linear, exact_mean, non_local_means
from diffusion_utils.metrics import psnr
from diffusion_utils.pictures import IMAGES, shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.loop import generator_for
from diffusion_utils.training.runtime import keep_freed_memory
from diffusion_utils.views import low_pass

PROMPT = "a high quality photo"
PICTURES = (
    "sailboat", "mushroom", "cactus", "drawn-fish", "drawn-house", "found-lighthouse", "photograph-cat",
)  # fmt: skip
LEVELS = (250, 500, 750)  # of the filters
MORE = (500, 800, 900, 950, 990)  # of the means
SETTINGS = (0.35, 0.5, 0.7)  # of non-local means
WIDTHS = (0.7, 0.85, 1, 1.2, 1.4, 1.7, 2, 2.4, 2.8, 3.4, 4, 4.8)  # of the blur, in pixels


@torch.no_grad()
def one_step(model, x_t, t, batch=64):
    """The network's estimate of the clean pictures, on the CPU."""
    denoise = model.denoiser(PROMPT)
    parts = [part.to(model.device) for part in x_t.split(batch)]
    return torch.cat(
        [model.schedule.predict_x0(part, t, denoise(part, t).eps).cpu() for part in parts]
    )


def scored(estimate, clean):
    """The PSNR of each picture, values outside [-1, 1] cut."""
    return [round(x, 2) for x in psnr(estimate.clamp(-1, 1), clean, peak=2).tolist()]


def squared(estimate, clean):
    """The mean squared error of each picture, values outside [-1, 1] cut."""
    errors = (estimate.clamp(-1, 1) - clean).square().mean((1, 2, 3))
    return [round(x, 6) for x in errors.tolist()]


def noisy(model, clean, t, eps):
    """x_t; the same in the brightness of the clean pictures; and the variance of its noise."""
    x_t, alpha_bar = model.schedule.forward(clean, t, eps), model.schedule.at(t).item()
    return x_t, x_t / alpha_bar**0.5, (1 - alpha_bar) / alpha_bar


def best(tried):
    """Of {setting: scores}, the setting that is best on average, and its scores."""
    setting = max(tried, key=lambda k: sum(tried[k]))
    return setting, tried[setting]


def filters(model, clean, eps, drawings):
    """{t: {way: PSNR of each picture}}; of blur and non-local means with the best setting at t."""
    found, linear = {}, best_linear(drawings)
    for t in tqdm(LEVELS, desc="filters"):
        x_t, x, N = noisy(model, clean, t, eps)
        width, blurred = best({w: scored(low_pass(w)(x), clean) for w in WIDTHS})
        k, alike = best({k: scored(non_local_means(x, k * N**0.5, N), clean) for k in SETTINGS})
        found[t] = {
            "one step": scored(one_step(model, x_t, t), clean),
            "blur": blurred,
            "non-local means": alike,
            "best linear": scored(linear(x, N), clean),
            "width": width,
            "setting": k,
        }
    return found


def as_in_training(data, passes):
    """What so many passes of the training show, moved and recoloured -> (K, 3, 64, 64) in [-1, 1]."""
    batches = Batches(Recipe("refiner"), data, None)
    parts = enumerate(tqdm(batches.one_pass.repeat(passes).split(510), desc="as in training"))
    return torch.cat([batches.pictures(part, generator_for(0, n))[0] for n, part in parts])


def means(model, clean, eps, drawings, shown):
    """{t: {way: mean squared error of each picture}}"""
    found = {}
    for t in tqdm(MORE, desc="means"):
        x_t, x, N = noisy(model, clean, t, eps)
        found[t] = {
            "one step": squared(one_step(model, x_t, t), clean),
            "exact mean": squared(exact_mean(x, N, drawings), clean),
            "as in training": squared(exact_mean(x, N, shown), clean),
        }
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=30, help="only each n-th training drawing")
    parser.add_argument("--seeds", type=int, default=8, help="of each of the book's pictures")
    parser.add_argument("--passes", type=int, default=8, help="of the training, for a longer list")
    parser.add_argument("--out", type=Path, default=RESULTS / "one_step.json")
    args = parser.parse_args()
    keep_freed_memory()
    model = load_pretrained("emoji64")
    data = emoji()
    drawings = plain(data, torch.arange(len(data.images)))
    some = drawings[:: args.every]
    images = torch.stack([shipped_image(name) for name in PICTURES])
    clean = images.repeat_interleave(args.seeds, 0)
    eps = unit_noise(model.shape, generators([*range(args.seeds)] * len(PICTURES)))
    shown = as_in_training(data, args.passes)
    of_some = unit_noise(model.shape, generators(range(len(some))))
    record = {
        "prompt": PROMPT,
        "pictures": PICTURES,
        "seeds": args.seeds,
        "as in training": len(shown),
        "sha256": digests(WEIGHTS, *(IMAGES / f"{name}.png" for name in PICTURES)),
        "filters": filters(model, clean, eps, drawings),
        "means": {
            name: means(model, x_0, noise, drawings, shown)
            for name, x_0, noise in (("pictures", clean, eps), ("drawings", some, of_some))
        },
    }
    store(args.out, record, indent=None)


if __name__ == "__main__":
    main()
