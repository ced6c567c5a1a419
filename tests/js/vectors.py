"""Write vectors.json, what torch and the package compute, for live.test.mjs: python tests/js/vectors.py."""

import json
from pathlib import Path

import torch

from diffusion_utils.denoisers import NoiseEstimate, averaged, blended, guided, viewed
from diffusion_utils.emoji64.model import FOLDER
from diffusion_utils.emoji64.text import TextEncoder
from diffusion_utils.sampling import (
    generators,
    keep_outside,
    resampled,
    sample,
    trajectory,
    unit_noise,
)
from diffusion_utils.schedule import Schedule, spaced_timesteps, strided_timesteps
from diffusion_utils.views import FLIP, VIEWS, bands, mixed

PATH = Path(__file__).with_name("vectors.json")
PROMPTS = [
    "a rocket ship",
    "",
    "An ÉCLAIR, please!",
    "jack o'lantern",
    "supercalifragilistic",
    "日本 tea ☕",
    "a\ttab and 3.14 things",
    "x" * 120,
    "naïve café-au-lait",
    "💥 boom",
]


def plain(x):
    return x.double().flatten().tolist()


def few(x):
    """The first and the last numbers, and the sum of all."""
    x = plain(x)
    return {"first": x[:20], "last": x[-20:], "sum": sum(x)}


def noise():
    cases = []
    for seed, sizes in (7, [784, 784]), (0, [12288, 16]), (2**40 + 5, [112, 32]):
        generator = torch.Generator().manual_seed(seed)
        draws = [few(torch.randn(size, generator=generator)) for size in sizes]
        cases.append({"seed": seed, "sizes": sizes, "draws": draws})
    return cases


def towards(value):
    """A stand-in for a network: a function of neighbouring pixels."""
    return lambda x_t, t: NoiseEstimate((x_t - value * x_t.roll(-1, -1)).sin())


def runs(schedule):
    """Short runs of each technique on pictures of 3x64x64, with stand-ins for the network."""
    one, two, none = towards(0.5), towards(-0.3), towards(0.1)
    guide = guided(one, none, 3)
    timesteps, shape = strided_timesteps(990, 330), (3, 64, 64)
    image = unit_noise(shape, generators([5])).clamp(-1, 1)
    mask = torch.zeros(1, 64, 64)
    mask[:, 8:30, 20:50] = 1

    def end(denoise, path=timesteps, **constraint):
        return few(sample(denoise, shape, path, schedule, seeds=[3]))

    view = VIEWS["quarter turn"]
    hole = generators([3])
    x_T = unit_noise(shape, hole)
    constrain = keep_outside(mask, image, schedule, hole)
    path = resampled(timesteps, 2)
    *_, inpainted = trajectory(guide, x_T, path, schedule, generators=hole, constrain=constrain)
    edit = generators([3])
    x_t = schedule.forward(image, timesteps[1], unit_noise(shape, edit))
    *_, edited = trajectory(guide, x_t, timesteps[1:], schedule, generators=edit)
    alone = [sample(guided(x, none, 3), shape, timesteps, schedule, seeds=[3]) for x in (one, two)]
    merge = generators([3])
    x_t = schedule.forward(mixed(alone, 2.0), timesteps[1], unit_noise(shape, merge))
    both = guided(blended([one, two], bands(2.0)), none, 3)
    *_, merged = trajectory(both, x_t, timesteps[1:], schedule, generators=merge)
    turned = viewed(guided(two, none, 3), view)
    flipped = viewed(guided(two, none, 3), FLIP)
    return {
        "generate": end(guide),
        "anagram": end(averaged(guide, turned)),
        "flip": end(averaged(guide, flipped)),
        "hybrid": few(merged.x),
        "inpaint": few(inpainted.x),
        "sdedit": few(edited.x),
        "x0_hat": few(edited.x0_hat),
    }


def vectors():
    schedule = Schedule.cosine()
    tokenizer = TextEncoder(FOLDER).tokenizer
    short = [x for steps in (1, 4, 7, 100, 300) for x in spaced_timesteps(300, steps)]
    velocity = schedule.noise_from_velocity(torch.arange(4.0), 500, torch.ones(4))
    return {
        "noise": noise(),
        "alpha_bar": schedule.alpha_bar.tolist(),
        "spaced": short,
        "velocity": plain(velocity),
        "runs": runs(schedule),
        "tokens": [[text, tokenizer(text)["input_ids"]] for text in PROMPTS],
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), ensure_ascii=False))
