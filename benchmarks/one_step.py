"""One step of the network, filters and the exact mean: python -m benchmarks.one_step.

Noises pictures and denoises them in one step, with a prompt that names no thing. For chapter 1.3
benchmarks/results/one_step.json has the PSNR of each picture and seed at each timestep: under
"filters" for the book's pictures beside the two best filters of 1.2. Under "means" it has the mean squared
error beside that of the mean over all training drawings, each weighted by how probable it is, for the
book's pictures and for some of the training drawings themselves, each from one seed.
"""

import argparse
from pathlib import Path

import torch
from skimage.restoration import denoise_nl_means
from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import plain
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.metrics import psnr
from diffusion_utils.pictures import IMAGES, shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory

PROMPT = "a high quality photo"
PICTURES = (
    "sailboat", "mushroom", "cactus", "drawn-fish", "drawn-house", "found-lighthouse", "photograph-cat",
)  # fmt: skip
LEVELS = (250, 500, 750)  # of the filters
MORE = (500, 800, 900, 950, 990)  # of the means
SETTINGS = (0.35, 0.5, 0.7)  # of non-local means


def best_linear(x, N, drawings):
    """The linear filter with the smallest mean squared error on drawings (K, 3, H, W), see 1.2."""
    mean = drawings.mean(0)
    X = (drawings - mean).flatten(1)
    both = X @ X.T + len(X) * N * torch.eye(len(X))
    shares = torch.linalg.solve(both, X @ (x - mean).flatten(1).T)
    return mean + (shares.T @ X).view_as(x)


def non_local(x, h, sd):
    """Non-local means of pictures (B, 3, H, W)."""
    options = {"h": h, "sigma": sd, "patch_size": 7, "patch_distance": 11}
    pictures = x.permute(0, 2, 3, 1).numpy()
    done = [denoise_nl_means(p, channel_axis=-1, **options) for p in pictures]
    return torch.stack([torch.from_numpy(p) for p in done]).permute(0, 3, 1, 2)


def exact_mean(x_t, alpha_bar, drawings):
    """The mean over drawings (K, 3, H, W), each weighted by how probable it is, given x_t."""
    flat = drawings.flatten(1)
    distance = torch.cdist(x_t.flatten(1), alpha_bar**0.5 * flat) ** 2
    weights = (-distance / (2 * (1 - alpha_bar))).softmax(1)
    return (weights @ flat).view_as(x_t)


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


def filters(model, clean, eps, drawings):
    """{t: {way: PSNR of each picture}}; of non-local means, with the setting that is best on average."""
    found = {}
    for t in tqdm(LEVELS, desc="filters"):
        x_t, abar = model.schedule.forward(clean, t, eps), model.schedule.at(t).item()
        x, N = x_t / abar**0.5, (1 - abar) / abar
        tried = {k: scored(non_local(x, k * N**0.5, N**0.5), clean) for k in SETTINGS}
        best = max(tried, key=lambda k: sum(tried[k]))
        found[t] = {
            "one step": scored(one_step(model, x_t, t), clean),
            "non-local means": tried[best],
            "best linear": scored(best_linear(x, N, drawings), clean),
            "setting": best,
        }
    return found


def means(model, clean, eps, drawings):
    """{t: {way: mean squared error of each picture}}"""
    found = {}
    for t in tqdm(MORE, desc="means"):
        x_t, abar = model.schedule.forward(clean, t, eps), model.schedule.at(t).item()
        found[t] = {
            "one step": squared(one_step(model, x_t, t), clean),
            "exact mean": squared(exact_mean(x_t, abar, drawings), clean),
        }
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=30, help="only each n-th training drawing")
    parser.add_argument("--seeds", type=int, default=8, help="of each of the book's pictures")
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
    record = {
        "prompt": PROMPT,
        "pictures": PICTURES,
        "seeds": args.seeds,
        "sha256": digests(WEIGHTS, *(IMAGES / f"{name}.png" for name in PICTURES)),
        "filters": filters(model, clean, eps, drawings),
        "means": {
            "pictures": means(model, clean, eps, drawings),
            "drawings": means(
                model, some, unit_noise(model.shape, generators(range(len(some)))), drawings
            ),
        },
    }
    store(args.out, record, indent=None)


if __name__ == "__main__":
    main()
