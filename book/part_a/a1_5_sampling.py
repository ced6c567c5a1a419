# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1.5 Sampling
#
# Can the loop draw a picture when it starts from nothing but noise? **Yes, and it is the loop of
# [1.4](a1_4_iterative_denoising.ipynb) as it is. The prompt decides what appears, and the seed decides pose and details.**

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Whose code runs"}
# Whose code runs: that of the folder that this notebook is in. Colab and Kaggle fetch it.
import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

ADDRESS = "https://fun-with-diffusion-models.invalid"
places = [Path.cwd(), *Path.cwd().parents, Path.home() / ".cache/fun-with-diffusion"]
marks = ("_config.yml", "diffusion_utils")
books = [p for p in places if all((p / mark).exists() for mark in marks)]
if not books:
    fetches = any(name.startswith(("COLAB_", "KAGGLE_")) for name in os.environ)
    if not fetches or ADDRESS.endswith(".invalid"):
        sys.exit("Open this notebook where it belongs, in a complete copy of the book.")
    part = places[-1].with_suffix(".part")  # made again where it was cut short
    subprocess.run(["rm", "-rf", part], check=True)
    subprocess.run(["git", "clone", "-q", "--depth=1", ADDRESS, part], check=True)
    needs = tomllib.loads((part / "pyproject.toml").read_text())["project"]
    pip = [sys.executable, "-m", "pip", "install", "-q", *needs["dependencies"]]
    subprocess.run(pip, check=True)  # what is there stays as it is
    books = [part.rename(places[-1])]
other = find_spec("diffusion_utils")
if other and other.origin and books[0] not in Path(other.origin).resolve().parents:
    print(f"This environment belongs to {Path(other.origin).parents[1]}.")
    print(f"The code that runs is that of {books[0]}.")
sys.path.insert(0, str(books[0]))

# %% tags=["remove-input"]
import json

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown

from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.emoji64.captions import ANYTHING
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import plain
from diffusion_utils.emoji64.recipe import Recipe
from diffusion_utils.files import ROOT
from diffusion_utils.filters import exact_mean
from diffusion_utils.metrics import jackknife
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.tasks import enlarged, generate
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
schedule = model.schedule
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% mystnb={"figure": {"caption": "Pictures from pure noise: a prompt in each row, a seed in each of the first three columns. No guidance (the next page's $\\gamma = 1$). Last column: the training drawing nearest to seed 0, pixel by pixel.", "name": "fig-a15-prompts"}, "image": {"alt": "Three rows of four drawings on white: castles, penguins, and rockets with black outlines. The first three of each row are soft and differ a little. The last one is a sharp drawing of the same thing; penguin and rocket of seed 0 have nearly its form."}} tags=["hide-input"]
prompts = ["a castle", "a penguin", "a rocket ship with black outlines"]
seeds = by_profile(full=range(3), fast=range(2))
pictures = [generate(model, model.denoiser(p), seeds, timesteps) for p in prompts]

data = emoji()
drawings = plain(data, torch.arange(len(data.images)))
first = torch.stack([row[0] for row in pictures]).clamp(-1, 1)
nearest = torch.cdist(first.flatten(1), drawings.flatten(1)).argmin(1)
rows = zip(pictures, drawings[nearest, None], strict=True)
grid(
    [unit_range(torch.cat([row, drawing])) for row, drawing in rows],
    titles=[*(f"seed {s}" for s in seeds), "nearest\nto seed 0"],
    labels=[prompt.replace(" with", "\nwith") for prompt in prompts],
    size=1.15,
)

# %% [markdown]
# ## The idea
#
# At $t = 990$ almost nothing is left of a noised picture. So we leave the picture out, and take all 33 steps from pure noise:
#
# $$ x_{990} = \epsilon, \qquad \epsilon \sim \mathcal N(0, I). $$
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: sample
# :lines: 1,4-
# ```
#
# Here `noise` is a list of random generators. `trajectory` takes the steps (N.3), `last` returns the last picture. The **seed** fixes all the noise, so the same seed and prompt give the same picture again.
#
# **What does the loop draw?** With exact guesses and small steps, it draws from $p(x \mid \text{prompt})$: a random training drawing with this prompt, moved or recoloured as in training. Our network's guesses are not exact, so its pictures are softer, and can be new.
#
# **How does a text get into the network?**
#
# 1. A language model, trained by others, turns each word of the prompt into 384 numbers.
# 2. From their mean and $t$, each block of the denoiser gets numbers by which it multiplies its values, and numbers that it adds (**adaptive normalisation**).
# 3. Where the picture inside the denoiser is smallest, each place also reads the single words (**cross-attention**).
#
# ## What you see
#
# Each row of {numref}`fig-a15-prompts` shows what was asked for.
#
# **Is it copying?** Penguin and rocket of seed 0 have nearly the form of the nearest training drawing, the castle only in part: its red middle roof, a flag. [Emoji-64](../appendix/emoji64.ipynb) tests this with more pictures.
#
# An apple comes out of the noise:

# %% mystnb={"figure": {"caption": "The noisy picture $x_t$ (above) and the guess $\\hat x_0$ that the network makes from it (below), \"a red apple\", seed 0, no guidance.", "name": "fig-a15-strip"}, "image": {"alt": "Two rows. Above, noise in which an apple appears from left to right; below, a blurred apple that gets clearer."}} tags=["hide-input"]
denoise = model.denoiser("a red apple")
rng = generators([0])
x = unit_noise(model.shape, rng).to(model.device)
steps = list(trajectory(denoise, x, timesteps, schedule, generators=rng))
shown = by_profile(full=[0, 3, 6, 13, 23], fast=[0, 1])
xs = [x, *(step.x for step in steps)]
guesses = [steps[k].x0_hat for k in shown] + [xs[-1]]
grid(
    [
        unit_range(torch.cat([*(xs[k] for k in shown), xs[-1]])),
        unit_range(torch.cat(guesses)),
    ],
    titles=[f"$t={timesteps[k]}$" for k in shown] + ["end"],
    labels=["$x_t$", r"$\hat x_0$"],
    size=1.1,
)

# %% [markdown]
# At $t = 990$ only the prompt says what to draw: $x_t$ shows no apple, and the first guess is a soft red one.
#
# ## When does the prompt decide?
#
# We change the prompt at some $t$.

# %% mystnb={"figure": {"caption": "The prompt changes at the $t$ above each column (at 990 the first is never used). Seed 0, no guidance.", "name": "fig-a15-switch"}, "image": {"alt": "Two rows. On the left the prompt changes at once, on the right never. In between, the first row has two rockets, the second of them redder, then red lumps, and an apple at 690; the second row brown shapes like penguins, and a sunflower at 690."}} tags=["hide-input"]
things = [("red apple", "rocket ship"), ("sunflower", "penguin")]
before, after = zip(*things, strict=True)
first, second = (
    model.denoiser([f"a {name}" for name in names]) for names in (before, after)
)
changes = by_profile(full=[0, 2, 4, 6, 10, 33], fast=[0, 1, 3])  # after k steps
switched = [
    generate(
        model,
        lambda x_t, t, k=k: (first if t > timesteps[k] else second)(x_t, t),
        [0, 0],
        timesteps,
    )
    for k in changes
]
grid(
    unit_range(torch.stack(switched, 1)),
    titles=[f"$t={timesteps[k]}$" for k in changes[:-1]] + ["never"],
    labels=[f"{one},\nthen {two}" for one, two in things],
    size=1.1,
)

# %% [markdown]
# At 870 we see a rocket redder than at 990, and a brown shape like a penguin. Does the first prompt fix the colour, and the second the outline? We measured both for 508 pairs of prompts: which pixels are not white, and their mean colour. **The judge**, a network trained to name drawings, says which thing came out.

# %% mystnb={"figure": {"caption": "Left: where colour and outline lie between the picture of the second prompt alone (0) and that of the first alone (1); mean over the pairs, weighted by the squared difference of the two. Bars: standard errors, mostly hidden by the marks. Right: what the judge names first. 508 pairs of names, no guidance. Written by `python -m benchmarks.prompt_switch`.", "name": "fig-a15-when"}, "image": {"alt": "Left, two curves rise from 0 at 990 to 1 at the end. The colour passes one half shortly before 870, the outline between 870 and 810. Right, early changes give the thing of the second prompt, late ones that of the first; between 870 and 690 many pictures are named as neither, most around 810 and 750."}} tags=["hide-input"]
stored = ROOT / "benchmarks/results/prompt_switch.json"
rows = json.loads(stored.read_text())["rows"]
at = [row["t"] for row in rows]


def place(row, part):
    """0: as with the second prompt alone, 1: as with the first; and the standard error."""
    products, squares = map(np.array, row[part])
    without_one = (products.sum() - products) / (squares.sum() - squares)
    return products.sum() / squares.sum(), jackknife(without_one)


fig, axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
for part, look in [("colour", "o-"), ("outline", "s--")]:
    places, errors = zip(*(place(row, part) for row in rows), strict=True)
    axes[0].errorbar(at, places, errors, fmt=look, label=part, capsize=2)
as_first, as_second = np.transpose(
    [[np.mean(np.array(ranks) == 1) for ranks in row["ranks"]] for row in rows]
)
axes[1].plot(at, as_second, "s--", label="second")
axes[1].plot(at, 1 - as_first - as_second, "^:", color="grey", label="neither")
axes[1].plot(at, as_first, "o-", label="first")
for ax, title in zip(axes, ["from second to first", "named as"], strict=True):
    ax.set(title=title, xlabel="$t$ of the change", xlim=(1030, -20), ylim=(-0.05, 1.1))
    ax.legend(loc="center right", fontsize=9)
plt.show()

# %% tags=["remove-input"]
row = rows[at.index(870)]
colours, outlines = np.array(row["colour"]), np.array(row["outline"])
ahead = colours[0] * outlines[1] > outlines[0] * colours[1]  # of the two quotients
Markdown(
    "**On average, colour runs ahead of outline**, by two different measures. "
    f"When the prompt changes at 870, the colour is {place(row, 'colour')[0]:.0%} of the way to the first prompt, the outline {place(row, 'outline')[0]:.0%}. "
    f"Colour is further in {ahead.sum()} of {len(ahead)} pairs."
)

# %% [markdown]
# After 540 a new prompt changes little. Around 810 the judge mostly names neither.
#
# ## Where it fails
#
# The coursework, [project 5 of CS180/280A](../deliverables.md), asks for "a high quality photo", without guidance:

# %% mystnb={"figure": {"caption": "Samples from pure noise, no guidance. Above: the network, \"a high quality photo\". Below: the same loop with the exact mean of 1.3 over all training drawings.", "name": "fig-a15-samples"}, "image": {"alt": "Above, five soft shapes on plain backgrounds, hard to name. Below, five clear drawings: a computer mouse, a pink dress, a door, a magic wand and the head of a horse."}} tags=["hide-input"]
photo = model.denoiser("a high quality photo")
samples = generate(model, photo, range(5), timesteps)


def exact(x_t, t):
    alpha_bar = schedule.at(t).item()
    x, N = x_t.cpu() / alpha_bar**0.5, (1 - alpha_bar) / alpha_bar
    noise = (x - exact_mean(x, N, drawings)) / N**0.5
    return NoiseEstimate(noise.to(x_t))


copies = generate(model, exact, range(5), timesteps)
grid(
    [unit_range(samples), unit_range(copies)],
    titles=[f"seed {s}" for s in range(5)],
    labels=["network", "exact mean"],
)

# %% tags=["remove-cell"]
# A model with a second stage, such as DeepFloyd IF, draws the same with 256x256 pixels.
if model.upsample is not None:
    large = enlarged(model, samples, "a high quality photo", range(5))
    grid([unit_range(large)], titles=[f"seed {s}" for s in range(5)], size=1.7)

# %% [markdown]
# The phrase names no thing. That alone is no reason for blobs: a perfect network would draw a random training drawing, as the exact mean does (here unmoved). Ours draws soft shapes. What is new in them, beyond moved and recoloured drawings, comes from inexact guesses {cite:p}`kamb2025`.

# %% tags=["remove-input"]
Markdown(
    f"Our network has seen little of this phrase: one training caption in {len(ANYTHING) / Recipe.anything:.0f}. "
    "We have not tested whether more would help."
)

# %% [markdown]
# With a name the loop draws a thing. It follows the name more clearly if we exaggerate what it changes: [1.6](a1_6_guidance.ipynb).
#
# ## Try it
#
# * **Another prompt.** In {numref}`fig-a15-prompts`, put another thing into `prompts`. Do the seeds differ?
# * **Fewer steps.** In {numref}`fig-a15-samples`, pass `strided_timesteps(990, 110)`: nine steps. What becomes of the edges?
