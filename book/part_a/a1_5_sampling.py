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
# [1.4](a1_4_iterative_denoising.ipynb) as it is. The prompt decides what appears. The seed decides its pose and details.**

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
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import plain
from diffusion_utils.files import ROOT
from diffusion_utils.filters import exact_mean
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, sample, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.tasks import enlarged, generate
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
schedule = model.schedule
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% mystnb={"figure": {"caption": "Pictures from pure noise, three for each prompt. No guidance (the next page's $\\gamma = 1$). Last column: the training drawing nearest to seed 0, pixel by pixel.", "name": "fig-a15-prompts"}, "image": {"alt": "Three rows of four drawings on white: dogs, penguins and snakes. The first three of each row are soft. The dog of seed 0 faces us, the others walk to the left; the penguin of seed 2 is turned to the side; each snake lies in other curves. The last one is a sharp drawing with nearly the form of seed 0."}} tags=["hide-input"]
prompts = ["a dog", "a penguin", "a snake"]
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
    labels=prompts,
    size=1.15,
)

# %% [markdown]
# ## The idea
#
# At $t = 990$ almost nothing is left of a noised picture. So we take all 33 steps from pure noise:
#
# $$ x_{990} = \epsilon, \qquad \epsilon \sim \mathcal N(0, I). $$
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: sample
# :lines: 1,4-
# ```
#
# `noise` holds a random generator for each seed, from which all its noise comes. `trajectory` takes the steps (N.3), `last` returns the last picture. So the same **seed** and prompt give the same picture again.
#
# **What does the loop draw?** With exact guesses and small steps, it draws from $p(x \mid \text{prompt})$: a random training drawing of this prompt, moved or recoloured as in training. Why?
#
# 1. Let $x_t$ be such a drawing with the noise of $t$. Pick at random a clean drawing that fits, from $p(x_0 \mid x_t)$, and put it into (N.3) for $\hat x_0$. The result is such a drawing with the noise of $t'$.
# 2. The loop puts in the mean of all that fit. In a small step this matters little: (N.3) takes only a little of $\hat x_0$, and the fresh noise hides the difference.


# %% tags=["remove-input"]
def exact_guesses(pictures):
    """The denoiser whose clean guess is the exact mean of 1.3 over pictures (K, ...)."""

    def denoise(x_t, t):
        alpha_bar = schedule.at(t).item()
        x, N = x_t.cpu() / alpha_bar**0.5, (1 - alpha_bar) / alpha_bar
        noise = (x - exact_mean(x, N, pictures)) / N**0.5
        return NoiseEstimate(noise.to(x_t))

    return denoise


pixels = torch.tensor([[1.0], [1.0], [1.0], [-1.0]])
small, runs = strided_timesteps(990, 10), range(1000)
ends = sample(exact_guesses(pixels), (1,), small, schedule, seeds=runs)
Markdown(
    "As a check, let a pixel be white in three of four drawings. "
    f"With exact guesses, {(ends > 0).sum()} of {len(ends):,} runs end at white."
)

# %% [markdown]
# Our network's guesses are not exact. Its pictures are softer, and can be new {cite:p}`kamb2025`.
#
# **How does a text get into the network?** A ready-made language model turns each word, or piece of a word, into 384 numbers. Their mean and $t$ scale and shift the values in each block of the denoiser (**adaptive normalisation**). Where the picture inside is smallest, each place also reads the single words (**cross-attention**).
#
# ## What you see
#
# Each row of {numref}`fig-a15-prompts` shows what was asked for. With another seed the dog walks, the penguin turns, the snake curls.
#
# **Is it copying?** All three of seed 0 have nearly the form of the nearest training drawing. More in [Emoji-64](../appendix/emoji64.ipynb).
#
# An apple comes out of the noise:

# %% mystnb={"figure": {"caption": "The noisy picture $x_t$ and the network's guess $\\hat x_0$, \"a red apple\", seed 0, no guidance.", "name": "fig-a15-strip"}, "image": {"alt": "Two rows. Above, noise in which an apple appears from left to right; below, a blurred apple that gets clearer."}} tags=["hide-input"]
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
# We begin with the prompt "a red apple" and change to "a rocket ship" at some $t$. Let $c$ be the **colour**: the mean of all pixels that are not white. It is $c_1$ for the apple (the first prompt alone) and $c_2$ for the rocket (the second alone). On the way from $c_2$ to $c_1$, $c$ is at
#
# $$ \frac{(c - c_2) \cdot (c_1 - c_2)}{\lVert c_1 - c_2 \rVert^2}. $$
#
# This is 0 for the rocket and 1 for the apple. For the **outline**, $c$ is a list of all pixels: 0 where the pixel is white, else 1.

# %% mystnb={"figure": {"caption": "The prompt changes at the $t$ above each column (at 990 the first is never used). Seed 0, no guidance.", "name": "fig-a15-switch"}, "image": {"alt": "Two rows. On the left the prompt changes at once, on the right never. In between, the first row has two rockets, the second of them redder, then red lumps, and an apple at 690; the second row brown shapes like penguins, and a sunflower at 690. Below each picture two numbers, colour and outline; they rise from 0 to 1."}} tags=["hide-input"]
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
    ).clamp(-1, 1)
    for k in changes
]


def outline(pictures):
    return (pictures.amin(1, keepdim=True) < 0.8).float()


def colour(pictures):
    drawn = outline(pictures)
    return (pictures * drawn).sum((2, 3)) / drawn.sum((2, 3)).clamp(min=1)


def place(measure, pictures):
    """0: as with the second prompt alone, 1: as with the first."""
    ends = switched[-1], switched[0]
    c, c_1, c_2 = (measure(x).flatten(1) for x in (pictures, *ends))
    way = c_1 - c_2
    return ((c - c_2) * way).sum(1) / way.square().sum(1)


fig, axes = plt.subplots(
    2, len(changes), figsize=(7, 3), layout="constrained", squeeze=False
)
for column, pictures in zip(axes.T, switched, strict=True):
    found = zip(place(colour, pictures), place(outline, pictures), strict=True)
    for ax, picture, (hue, form) in zip(column, pictures, found, strict=True):
        ax.imshow(unit_range(picture).permute(1, 2, 0))
        ax.set(xticks=[], yticks=[])
        ax.set_xlabel(f"colour {hue:.2f}\noutline {form:.2f}", fontsize=9)
        ax.spines[:].set_visible(False)
titles = [f"$t={timesteps[k]}$" for k in changes[:-1]] + ["never"]
for ax, title in zip(axes[0], titles, strict=True):
    ax.set_title(title, fontsize=10)
for ax, (one, two) in zip(axes[:, 0], things, strict=True):
    label = f"{one},\nthen {two}"
    ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10)
plt.show()

# %% [markdown]
# At 870 the rocket's colour is about halfway to the apple's, and its outline a quarter of the way. Then we took 508 pairs of prompts. **The judge**, a network trained to name drawings, says which thing came out.

# %% mystnb={"figure": {"caption": "Left: colour and outline as in {numref}`fig-a15-switch`, median of the pairs (bands: the middle half of them). Right: what the judge names first. No guidance. Written by `python -m benchmarks.prompt_switch`.", "name": "fig-a15-when"}, "image": {"alt": "Left, two curves rise from 0 at 990 to 1 at the end. The colour passes one half shortly before 870, the outline between 870 and 810; the bands are wide there and overlap. Right, early changes give the thing of the second prompt, late ones that of the first; between 870 and 690 many pictures are named as neither, most around 810 and 750."}} tags=["hide-input"]
stored = ROOT / "benchmarks/results/prompt_switch.json"
rows = json.loads(stored.read_text())["rows"]
at = [row["t"] for row in rows]
fig, axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
for part, look in [("colour", "o-"), ("outline", "s--")]:
    # above and below the line of the formula's fraction
    places = [np.divide(*row[part]) for row in rows]
    low, middle, high = np.percentile(places, (25, 50, 75), axis=1)
    axes[0].plot(at, middle, look, label=part)
    axes[0].fill_between(at, low, high, alpha=0.2)
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

# %% [markdown]
# Most is decided early: at 690 most pairs are above 0.7 in both measures. Each has its own scale, so this does not show which of the two is decided first.
#
# ## Where it fails
#
# The [coursework](../deliverables.md) asks for "a high quality photo", without guidance:

# %% mystnb={"figure": {"caption": "Above: the network, \"a high quality photo\". Below: the same loop with the exact mean of 1.3 over all training drawings.", "name": "fig-a15-samples"}, "image": {"alt": "Above, five soft shapes on plain backgrounds, hard to name. Below, five clear drawings: a computer mouse, a pink dress, a door, a magic wand and the head of a horse."}} tags=["hide-input"]
photo = model.denoiser("a high quality photo")
samples = generate(model, photo, range(5), timesteps)
copies = generate(model, exact_guesses(drawings), range(5), timesteps)
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
# The phrase names no thing. That alone is no reason for blobs: a perfect network would draw a random training drawing, as the exact mean does.
#
# Next we exaggerate what a name changes: [1.6](a1_6_guidance.ipynb).
#
# ## Try it
#
# * **Another prompt.** In {numref}`fig-a15-prompts`, put another thing into `prompts`. Do the seeds differ?
# * **Fewer steps.** In {numref}`fig-a15-samples`, pass `strided_timesteps(990, 110)`: nine steps. What becomes of the edges?
