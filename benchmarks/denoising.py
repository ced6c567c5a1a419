"""Many small steps against one large one: python -m benchmarks.denoising.

Noises pictures to the timestep where chapter 1.4 starts, brings them back with a blur, in one step and
in many, and writes benchmarks/results/denoising.json: of each way and each picture, how close it is to
the original (PSNR, SSIM), how strong its edges and its grain are (see `contrast`), and the rank of the
right name in the evaluator's list. Two sets: every fourth drawing of the style that the evaluator has
not seen (the network has), and three pictures that neither has seen, each from sixteen seeds.
"""

import argparse
import json

import torch
from tqdm import tqdm

from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import WEIGHTS, held_out, load_evaluator, name_ranks
from diffusion_utils.emoji64.model import FOLDER
from diffusion_utils.files import ROOT, atomic, digest
from diffusion_utils.metrics import psnr, ssim
from diffusion_utils.pictures import shipped_image
from diffusion_utils.tasks import TIMESTEPS, denoise_from, noised
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory
from diffusion_utils.views import low_pass

RESULTS = ROOT / "benchmarks" / "results" / "denoising.json"
PROMPT = "a high quality photo"
I_START = 10
WIDTHS = (1.5, 2, 3, 4)  # of the blur, in pixels
UNSEEN = ("sailboat", "mushroom", "cactus")


def jumps(images):
    """Absolute differences of neighbours, in both directions: (B, 3, H, W) -> (B, n)."""
    both = images.diff(dim=-1).flatten(1), images.diff(dim=-2).flatten(1)
    return torch.cat(both, 1).abs()


def contrast(estimate, original):
    """Mean jump where the original has an edge, and where it is flat: (B, 3, H, W) twice -> two of (B,).

    An edge is a jump of more than 0.2, flat is one of less than 0.02, of values in [-1, 1].
    """
    found, there = jumps(estimate), jumps(original)
    parts = there > 0.2, there < 0.02
    return [(found * part).sum(1) / part.sum(1) for part in parts]


def brought_back(model, clean, seeds):
    """{way: images} of clean images (B, 3, 64, 64), all from the same noisy ones, in [-1, 1]."""
    t = TIMESTEPS[I_START]
    denoise = model.denoiser(PROMPT)
    x_t, _ = noised(model, clean, I_START, seeds)
    first, *_, end = denoise_from(model, denoise, clean, I_START, seeds)
    bright = x_t / model.schedule.at(t).sqrt()
    blurs = [low_pass(width)(bright) for width in WIDTHS]
    best = max(blurs, key=lambda blur: psnr(blur.clamp(-1, 1), clean, peak=2).mean())
    ways = {"blur": best, "one step": first.x0_hat, "many steps": end.x}
    return {way: images.clamp(-1, 1) for way, images in ways.items()}


def measured(judge, estimate, clean, names):
    """{measure: one number for each picture}"""
    edges, flat = contrast(estimate, clean)
    found = {
        "psnr": psnr(estimate, clean, peak=2),
        "ssim": ssim(estimate, clean, peak=2),
        "edges": edges,
        "flat": flat,
    }
    found = {name: values.tolist() for name, values in found.items()}
    return found | {"rank": name_ranks(judge, estimate, names)}


def compared(model, judge, clean, names, seeds, batch=16):
    """{way: measured} of all pictures, the originals among the ways."""
    parts = zip(*(x.split(batch) for x in (clean, torch.tensor(seeds))), strict=True)
    done = [
        brought_back(model, some, own.tolist())
        for some, own in tqdm([*parts], desc="denoise")
    ]
    ways = {way: torch.cat([part[way] for part in done]) for way in done[0]}
    ways = {"original": clean} | ways
    return {way: measured(judge, images, clean, names) for way, images in ways.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=4, help="only each n-th drawing")
    parser.add_argument("--seeds", type=int, default=16, help="of each unseen picture")
    args = parser.parse_args()
    keep_freed_memory()
    model, judge = load_pretrained("emoji64", "cpu"), load_evaluator()
    drawings = held_out(emoji())[0][:: args.every]
    names = judge[1][:: args.every]
    again = [name for name in UNSEEN for _ in range(args.seeds)]
    unseen = torch.stack([shipped_image(name) for name in again])
    used = [FOLDER / "unet" / "model.safetensors", WEIGHTS]
    result = {
        "prompt": PROMPT,
        "t": TIMESTEPS[I_START],
        "drawings": compared(model, judge, drawings, names, list(range(len(drawings)))),
        "unseen": compared(
            model, judge, unseen, again, list(range(args.seeds)) * len(UNSEEN)
        ),
        "sha256": {path.relative_to(ROOT).as_posix(): digest(path) for path in used},
    }
    with atomic(RESULTS) as partial:
        partial.write_text(json.dumps(result) + "\n")
    for name in "drawings", "unseen":
        for way, found in result[name].items():
            means = {k: sum(v) / len(v) for k, v in found.items() if k != "rank"}
            named = sum(rank == 1 for rank in found["rank"]) / len(found["rank"])
            print(name, way, json.dumps(means | {"named": named}))


if __name__ == "__main__":
    main()
