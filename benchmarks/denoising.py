"""Many small steps against one large one: python -m benchmarks.denoising.

Noises pictures to three timesteps, brings them back with a blur, in one step and in many, and writes
benchmarks/results/denoising.json: of each way and each picture, how close it is to the original (PSNR,
SSIM), its sharpness and its grain (see the functions), and the rank of the right name in the
evaluator's list. Two sets: every fourth drawing of the style that the evaluator has not seen (the
network has), and three pictures that neither has seen, each from sixteen seeds.
"""

import argparse

import torch
from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import WEIGHTS as JUDGE
from diffusion_utils.emoji64.judge import held_out, load_evaluator, name_ranks
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.metrics import psnr, ssim
from diffusion_utils.pictures import shipped_image
from diffusion_utils.tasks import TIMESTEPS, denoise_from, noised
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory
from diffusion_utils.views import low_pass

PROMPT = "a high quality photo"
STARTS = (10, 6, 3)  # i_start: t = 690 as in chapter 1.4, 810, 900
WIDTHS = (2, 3, 4, 6, 8)  # of the blur, in pixels
UNSEEN = ("sailboat", "mushroom", "cactus")


def jumps(images):
    """Absolute differences of neighbours, in both directions: (B, 3, H, W) -> (B, n)."""
    both = images.diff(dim=-1).flatten(1), images.diff(dim=-2).flatten(1)
    return torch.cat(both, 1).abs()


def sharpness(images):
    """The mean of the largest twentieth of each image's jumps: how steep its edges are -> (B,)."""
    found = jumps(images)
    return found.topk(found.shape[1] // 20).values.mean(1)


def grain(estimate, original):
    """The mean jump where the original is flat (jumps below 0.02): (B, 3, H, W) twice -> (B,)."""
    flat = jumps(original) < 0.02
    return (jumps(estimate) * flat).sum(1) / flat.sum(1)


def brought_back(model, clean, i_start, seeds):
    """{way: images in [-1, 1]} of clean images (B, 3, 64, 64), all from the same noisy ones."""
    denoise = model.denoiser(PROMPT)
    x_t, _ = noised(model, clean, i_start, seeds)
    first, *_, end = denoise_from(model, denoise, clean, i_start, seeds)
    bright = x_t.cpu() / model.schedule.at(TIMESTEPS[i_start]).sqrt()
    blurs = [low_pass(width)(bright) for width in WIDTHS]
    best = max(blurs, key=lambda blur: psnr(blur.clamp(-1, 1), clean, peak=2).mean())
    ways = {"blur": best, "one step": first.x0_hat, "many steps": end.x}
    return {way: images.clamp(-1, 1).cpu() for way, images in ways.items()}


def measured(judge, estimate, clean, names):
    """{measure: one number for each picture}"""
    found = {
        "psnr": psnr(estimate, clean, peak=2),
        "ssim": ssim(estimate, clean, peak=2),
        "sharpness": sharpness(estimate),
        "grain": grain(estimate, clean),
    }
    found = {name: values.tolist() for name, values in found.items()}
    return found | {"rank": name_ranks(judge, estimate, names)}


def compared(model, judge, clean, names, seeds, batch=16):
    """{t: {way: measured}} of all pictures; under "original", what there was to find."""
    original = {"sharpness": sharpness(clean).tolist()}
    found = {"original": original | {"rank": name_ranks(judge, clean, names)}}
    batches = [range(len(clean))[i : i + batch] for i in range(0, len(clean), batch)]
    for i_start in STARTS:
        parts = [
            brought_back(model, clean[list(some)], i_start, [seeds[i] for i in some])
            for some in tqdm(batches, desc=f"from t = {TIMESTEPS[i_start]}")
        ]
        found[TIMESTEPS[i_start]] = {
            way: measured(judge, torch.cat([p[way] for p in parts]), clean, names)
            for way in parts[0]
        }
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=4, help="only each n-th drawing")
    parser.add_argument("--seeds", type=int, default=16, help="of each unseen picture")
    args = parser.parse_args()
    keep_freed_memory()
    model, judge = load_pretrained("emoji64"), load_evaluator()
    drawings = held_out(emoji())[0][:: args.every]
    names = judge[1][:: args.every]
    again = [name for name in UNSEEN for _ in range(args.seeds)]
    unseen = torch.stack([shipped_image(name) for name in again])
    sets = {
        "drawings": (drawings, names, range(len(drawings))),
        "unseen": (unseen, again, [*range(args.seeds)] * len(UNSEEN)),
    }
    record = {"prompt": PROMPT, "sha256": digests(WEIGHTS, JUDGE)}
    for kind, (clean, right, seeds) in sets.items():
        record[kind] = compared(model, judge, clean, right, seeds)
    store(RESULTS / "denoising.json", record, indent=None)


if __name__ == "__main__":
    main()
