"""Many small steps against one large one: python -m benchmarks.denoising.

Noises pictures to four timesteps and brings them back, with the name of the picture as the prompt: with
a blur, in one step, in many steps, in many without their fresh noise, and by DDIM; from the lowest
timestep in ten times as many steps, too. benchmarks/results/denoising.json has, for each way and each
picture, how close it is to the original (PSNR), its sharpness, and the rank of the right name in the
evaluator's list. Two sets: five pictures that neither the network nor the evaluator has seen, each from
sixteen seeds, and every second drawing of the style that the evaluator has not seen (the network has).

Under "counts" it has the same for the loops from t = 960 in 1, 2, 4, .., 32 steps, of every second of these
drawings. Under "spots" it has how much of the spots of the shipped mushroom each way leaves, for 64 seeds;
under "dial" the same for the steps between DDIM (eta = 0) and that with all its fresh noise (eta = 1), for
the first 16 of these seeds.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from diffusion_utils.emoji64.captions import called
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import WEIGHTS as JUDGE
from diffusion_utils.emoji64.judge import held_out, load_evaluator, name_ranks
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.metrics import psnr
from diffusion_utils.pictures import IMAGES, shipped_image
from diffusion_utils.sampling import generators, noise_like, trajectory
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.tasks import TIMESTEPS, noised
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory
from diffusion_utils.views import low_pass

STARTS = (10, 6, 3, 0)  # i_start: t = 690 as in chapter 1.4, 810, 900, 990
WIDTHS = (2, 3, 4, 6, 8)  # of the blur, in pixels
DIAL = (0.25, 0.5, 0.75)  # eta
COUNTS = (1, 2, 4, 8, 16, 32)  # steps from t = 960
UNSEEN = ("sailboat", "mushroom", "cactus", "drawn-fish", "drawn-house")


def sharpness(images):
    """The mean of the largest twentieth of the differences of neighbours: how steep the edges are.

    (B, 3, H, W) -> (B,)
    """
    both = images.diff(dim=-1).flatten(1), images.diff(dim=-2).flatten(1)
    found = torch.cat(both, 1).abs()
    return found.topk(found.shape[1] // 20).values.mean(1)


def spots(images):
    """How much lighter the spots of the mushroom's cap are than the rest, 1 in the original -> (B,)."""
    green = shipped_image("mushroom")[1, 4:36]  # of the cap: 0.33 in the spots, -0.44 around them
    pink, red = ((green - level).abs() < 0.1 for level in (0.33, -0.44))
    lighter = images[:, 1, 4:36][:, pink].mean(1) - images[:, 1, 4:36][:, red].mean(1)
    return lighter / (green[pink].mean() - green[red].mean())


@torch.no_grad()
def loop(denoise, x, timesteps, schedule, step):
    """Take step(x, x0_hat, eps, t, t_prev) along the timesteps -> the last x."""
    for t, t_prev in pairwise(timesteps):
        eps = denoise(x, t).eps
        x = step(x, schedule.predict_x0(x, t, eps), eps, t, t_prev)
    return x


def ddim(schedule):
    """The step of Song et al. 2021, https://arxiv.org/abs/2010.02502, eq. 12, without fresh noise."""
    return lambda x, x0_hat, eps, t, t_prev: schedule.forward(x0_hat, t_prev, eps)


def brought_back(model, clean, prompts, i_start, seeds):
    """{way: images in [-1, 1]} of clean images (B, 3, 64, 64), all from the same noisy ones."""
    schedule, later = model.schedule, TIMESTEPS[i_start:]
    denoise = model.denoiser(prompts)
    x_t, rng = noised(model, clean, i_start, seeds)

    def fresh(timesteps, rng):
        *_, end = trajectory(denoise, x_t, timesteps, schedule, generators=rng)
        return end.x

    def without(x, x0_hat, eps, t, t_prev):
        return schedule.step(x, x0_hat, t, t_prev, torch.zeros_like(x))

    bright = x_t.cpu() / schedule.at(later[0]).sqrt()
    blurs = [low_pass(width)(bright) for width in WIDTHS]
    with torch.no_grad():
        one_step = schedule.predict_x0(x_t, later[0], denoise(x_t, later[0]).eps)
    ways = {
        "blur": max(blurs, key=lambda blur: psnr(blur.clamp(-1, 1), clean, peak=2).mean()),
        "one step": one_step,
        "many steps": fresh(later, rng),
        "no fresh noise": loop(denoise, x_t, later, schedule, without),
        "DDIM": loop(denoise, x_t, later, schedule, ddim(schedule)),
    }
    if i_start == STARTS[0]:
        ways["steps of 3"] = fresh(strided_timesteps(later[0], 3), generators(seeds))
    return {way: images.clamp(-1, 1).cpu() for way, images in ways.items()}


def dialled(model, clean, prompts, i_start, seeds, eta):
    """Images in [-1, 1] of clean ones, by steps from DDIM (eta = 0) to `Schedule.step` (eta = 1).

    Source: Song et al. 2021, https://arxiv.org/abs/2010.02502, eq. 12 and 16.
    """
    schedule = model.schedule
    x_t, rng = noised(model, clean, i_start, seeds)

    def step(x, x0_hat, eps, t, t_prev):
        alpha_bar, alpha_bar_prev = schedule.at(t, x), schedule.at(t_prev, x)
        beta = 1 - alpha_bar / alpha_bar_prev
        fresh = eta**2 * (1 - alpha_bar_prev) / (1 - alpha_bar) * beta  # the variance of z
        found = 1 - alpha_bar_prev - fresh
        z = noise_like(x, rng)
        return alpha_bar_prev.sqrt() * x0_hat + found.sqrt() * eps + fresh.sqrt() * z

    x = loop(model.denoiser(prompts), x_t, TIMESTEPS[i_start:], schedule, step)
    return x.clamp(-1, 1).cpu()


def spots_of_dial(model, seeds):
    """{eta: spots of the mushroom} from the lowest timestep, one number for each seed."""
    several = shipped_image("mushroom").expand(len(seeds), -1, -1, -1)
    prompts = ["a mushroom"] * len(seeds)
    return {
        eta: rounded(spots(dialled(model, several, prompts, STARTS[0], seeds, eta))) for eta in DIAL
    }


def measured(judge, estimate, clean, names):
    """{measure: one number for each picture}"""
    found = {"psnr": psnr(estimate, clean, peak=2), "sharpness": sharpness(estimate)}
    found = {name: rounded(values) for name, values in found.items()}
    return found | {"rank": name_ranks(judge, estimate, names)}


def rounded(values):
    return [round(value, 4) for value in values.tolist()]


def compared(model, judge, clean, names, seeds, batch=64):
    """{t: {way: measured}} of all pictures; under "original", what there was to find."""
    original = {"sharpness": rounded(sharpness(clean))}
    found = {"original": original | {"rank": name_ranks(judge, clean, names)}}
    batches = [range(len(clean))[i : i + batch] for i in range(0, len(clean), batch)]
    for i_start in STARTS:
        parts = []
        for some in tqdm(batches, desc=f"from t = {TIMESTEPS[i_start]}"):
            prompts = [called(names[i]) for i in some]
            parts.append(
                brought_back(model, clean[list(some)], prompts, i_start, [seeds[i] for i in some])
            )
        found[TIMESTEPS[i_start]] = {
            way: measured(judge, torch.cat([p[way] for p in parts]), clean, names)
            for way in parts[0]
        }
    return found


def by_count(model, judge, clean, names, batch=64):
    """{way: {steps: measured}} of pictures noised to t = 960, picture i with seed i; and "original"."""
    found = {"original": {"sharpness": rounded(sharpness(clean))}, "many steps": {}, "DDIM": {}}
    batches = [range(len(clean))[i : i + batch] for i in range(0, len(clean), batch)]
    for count in tqdm(COUNTS, desc="from t = 960"):
        times, parts = strided_timesteps(960, 960 // count), []
        for some in batches:
            denoise = model.denoiser([called(names[i]) for i in some])
            x_t, rng = noised(model, clean[list(some)], 0, list(some), times)
            *_, end = trajectory(denoise, x_t, times, model.schedule, generators=rng)
            same = loop(denoise, x_t, times, model.schedule, ddim(model.schedule))
            parts.append((end.x.clamp(-1, 1).cpu(), same.clamp(-1, 1).cpu()))
        for way, pictures in zip(("many steps", "DDIM"), zip(*parts, strict=True), strict=True):
            found[way][count] = measured(judge, torch.cat(pictures), clean, names)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=2, help="only each n-th drawing")
    parser.add_argument("--seeds", type=int, default=16, help="of each unseen picture")
    parser.add_argument("--spots", type=int, default=64, help="seeds of the mushroom's spots")
    parser.add_argument("--dial", type=int, default=16, help="of these, for each eta")
    parser.add_argument("--out", type=Path, default=RESULTS / "denoising.json")
    args = parser.parse_args()
    keep_freed_memory()
    model, judge = load_pretrained("emoji64"), load_evaluator()
    drawings = held_out(emoji())[0][:: args.every]
    files = [name for name in UNSEEN for _ in range(args.seeds)]
    unseen = torch.stack([shipped_image(name) for name in files])
    things = [name.removeprefix("drawn-") for name in files]
    record = {"sha256": digests(WEIGHTS, JUDGE, *(IMAGES / f"{name}.png" for name in UNSEEN))}
    record["unseen"] = compared(model, judge, unseen, things, [*range(args.seeds)] * len(UNSEEN))
    record["drawings"] = compared(
        model, judge, drawings, judge[1][:: args.every], range(len(drawings))
    )
    record["counts"] = by_count(model, judge, drawings[::2], judge[1][:: 2 * args.every])
    mushroom = shipped_image("mushroom").expand(args.spots, -1, -1, -1)
    prompts = ["a mushroom"] * args.spots
    ways = brought_back(model, mushroom, prompts, STARTS[0], range(args.spots))
    record["spots"] = {way: rounded(spots(images)) for way, images in ways.items()}
    record["dial"] = spots_of_dial(model, range(args.dial))
    store(args.out, record, indent=None)


if __name__ == "__main__":
    main()
