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
# Can the loop draw a picture when it starts from nothing but noise? **Yes, the loop of
# [1.4](a1_4_iterative_denoising.ipynb) as it is. The prompt mostly decides what appears, the seed the details, and at times the pose and the colour.**

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
    if not fetches:
        sys.exit("Open this notebook where it belongs, in a complete copy of the book.")
    if ADDRESS.endswith(".invalid"):
        sys.exit(
            "This copy of the book is not published, so there is nothing to fetch."
        )
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
from diffusion_utils.emoji64.judge import load_evaluator, name_ranks, plain
from diffusion_utils.files import ROOT
from diffusion_utils.filters import exact_mean
from diffusion_utils.metrics import distances
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

# %% mystnb={"figure": {"caption": "From pure noise, eight seeds of each prompt: the guess of one step, $\\hat x_0$ at $t = 990$, and what 33 steps draw. No guidance: the network is asked with the prompt alone.", "name": "fig-a15-prompts"}, "image": {"alt": "Four rows of eight. The rows of one step: nearly the same soft penguin eight times, and eight soft green coils that differ a little. The rows of 33 steps are soft drawings on white. Penguins: those of seeds 2 and 5 are turned to the side, the others face us; those of seeds 3 and 6 have a red spot on the chest, that of seed 7 a red cap. Green snakes: those of seeds 1, 3, 4 and 5 lie in a coil, the others in other curves, and that of seed 2 is hard to recognise."}} tags=["hide-input"]
prompts = ["a penguin", "a snake"]
seeds = by_profile(full=range(8), fast=range(2))
noise = unit_noise(model.shape, generators(seeds)).to(model.device)
judge, rows, right = load_evaluator(), [], []
for prompt in prompts:
    denoise = model.denoiser(prompt)
    one_step = schedule.predict_x0(noise, 990, denoise(noise, 990).eps)
    many_steps = generate(model, denoise, seeds, timesteps)
    for row in (one_step, many_steps):
        wanted = [prompt.removeprefix("a ")] * len(seeds)
        right.append(name_ranks(judge, row, wanted).count(1))
        rows.append(row)
grid(
    [unit_range(row) for row in rows],
    titles=[f"seed {s}" for s in seeds],
    labels=[f"{p},\n{steps}" for p in prompts for steps in ("one step", "33 steps")],
    size=0.8,
)

# %% [markdown]
# ## The idea
#
# At $t = 990$ almost nothing is left of a noised picture. So we start from pure noise, $x_{990} = \epsilon$. Each of 33 steps is (N.3):
#
# $$ x_{t'} = \underbrace{a\,\hat x_0}_{\text{guess}} + \underbrace{b\,x_t}_{\text{noisy picture}} + \underbrace{\sqrt{\tilde\beta}\,z}_{\text{fresh noise}} $$
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: sample
# :lines: 1,4-
# ```
#
# A **seed** is a number that fixes all the noise of one picture. `trajectory` takes the steps.
#
# **What would the network draw if its training loss were the smallest possible?** With such exact guesses and small steps, the loop would draw from $p(x \mid \text{prompt})$: a random training drawing of this prompt.
#
# To check it, let each drawing be one pixel, three of four white (1), one black (−1). The guess is the exact mean of [1.3](a1_3_one_step_denoising.ipynb).


# %% mystnb={"figure": {"caption": "The loop with exact guesses, 99 steps. Left: 40 runs. Right: 1,000 ends, counted (seeds 0 to 999; bars: one standard error around the expected 250 and 750).", "name": "fig-a15-pixel"}, "image": {"alt": "Left, trembling lines, at first spread from minus 2 to 2, part into two bundles: the larger ends at 1, the smaller at minus 1. Right, two columns, a low one for black and one three times as high for white."}} tags=["hide-input"]
def exact_guesses(pictures):
    """The denoiser whose clean guess is the exact mean of 1.3 over pictures (K, ...)."""

    def denoise(x_t, t):
        alpha_bar = schedule.at(t).item()
        x, N = x_t.cpu() / alpha_bar**0.5, (1 - alpha_bar) / alpha_bar
        noise = (x - exact_mean(x, N, pictures)) / N**0.5
        return NoiseEstimate(noise.to(x_t))

    return denoise


pixels = torch.tensor([[1.0], [1.0], [1.0], [-1.0]])
small, rng = strided_timesteps(990, 10), generators(range(1000))
x = unit_noise((1,), rng)
path = trajectory(exact_guesses(pixels), x, small, schedule, generators=rng)
values = torch.stack([x, *(step.x for step in path)])[..., 0]
white = (values[-1] > 0).sum().item()

fig, axes = plt.subplots(
    1, 2, figsize=(7, 2.2), layout="constrained", width_ratios=(3, 1)
)
axes[0].plot(small, values[:, :40], lw=0.7)
axes[0].set(xlabel="$t$", ylabel="$x_t$", xlim=(1010, -20))
columns = axes[1].bar(["black", "white"], [1000 - white, white], color="C7")
axes[1].bar_label(columns, label_type="center")
error = (1000 * 0.75 * 0.25) ** 0.5
axes[1].errorbar([0, 1], [250, 750], error, fmt="none", ecolor="k", capsize=6)
axes[1].set(ylabel="runs", ylim=(0, 900))
plt.show()

# %% [markdown]
# The fresh noise makes the lines tremble, and the guess pulls them to 1 or −1. Three of four runs end at white, as they should.
#
# ```{dropdown} Why the loop draws from the training drawings
# 1. Let $x_t$ be such a drawing with the noise of $t$. Pick at random a clean drawing that fits, from $p(x_0 \mid x_t)$, and put it into (N.3) for $\hat x_0$. The result is such a drawing with the noise of $t'$.
# 2. Our loop does not pick one that fits. It takes the mean of all that fit. To leading order, only the variance $a^2\,\mathrm{Var}(x_0 \mid x_t)$ is then missing. As $a$ is of order $\beta$, this variance is of order $\beta^2$. The fresh noise has the variance $\tilde\beta$, which is of order $\beta$. So with small steps, $\beta$ small against $1-\bar\alpha_t$, what is missing is small beside the fresh noise.
#
# In training the drawings are also moved and recoloured; these versions count as drawings here. With exact guesses a network could draw nothing else {cite:p}`kamb2025`.
# ```
#
# ```{dropdown} How a text gets into the network
# A ready-made language model turns each word into 384 numbers. Their mean and $t$ scale and shift the values in each block (**adaptive normalisation**). In the middle, at 4x4 places, each place also reads the single words (**cross-attention**).
# ```
#
# ## What you see
#
# In {numref}`fig-a15-prompts` one step gives nearly the same soft penguin for each seed, and snakes that differ a little: about the mean of all that fit the prompt. With 33 steps the pictures are sharper, and differ. The penguins can all be recognised; about half of the snakes have no clear form.

# %% tags=["remove-input"]
penguin_one, penguin, snake_one, snake = right
Markdown(
    "**The judge**, a network trained to name drawings, chooses from 508 names. "
    f"Of {len(seeds)} each, it names {penguin} penguins right ({penguin_one} after one step), "
    f"and {snake} snakes ({snake_one})."
)

# %% [markdown]
# Does the network copy its training drawings? In part: see [Emoji-64](../appendix/emoji64.ipynb).
#
# ## From noise to an apple

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
# At $t = 990$ the first guess is already a soft red apple: it comes from the prompt.
#
# ## When does the prompt decide?
#
# We begin with the prompt "a red apple" and change to "a rocket ship" at some $t$. We measure:
#
# * the **colour**: the mean of all pixels that are not white (red, green or blue below 0.8, where 1 is white);
# * the **silhouette**: for each pixel 0 where white, else 1.
#
# Let $m$ be one of the two, $m_1$ that of the apple drawn with its prompt alone, and $m_2$ that of the rocket. The colour is three numbers, the silhouette one for each pixel. The **share of the first prompt** says where $m$ lies between both, 0 for the second prompt alone and 1 for the first alone:
#
# $$ \frac{(m - m_2) \cdot (m_1 - m_2)}{\lVert m_1 - m_2 \rVert^2} $$
#
# It is the length of the shadow of $m - m_2$ on the line from $m_2$ to $m_1$, in units of that line.

# %% mystnb={"figure": {"caption": "The prompt changes at the $t$ above each column. Seed 0, no guidance.", "name": "fig-a15-switch"}, "image": {"alt": "Two rows. On the left the prompt changes at once, on the right never. In between, the first row has two rockets, the second of them redder, then red lumps, and an apple at 690; the second row brown shapes like penguins, and a sunflower at 690. Below each picture two numbers, colour and silhouette; they rise from 0 to 1."}} tags=["hide-input"]
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


def silhouette(pictures):
    return (pictures.amin(1, keepdim=True) < 0.8).float()


def colour(pictures):
    drawn = silhouette(pictures)
    return (pictures * drawn).sum((2, 3)) / drawn.sum((2, 3)).clamp(min=1)


def place(measure, pictures):
    """0: as with the second prompt alone, 1: as with the first."""
    ends = switched[-1], switched[0]
    m, m_1, m_2 = (measure(x).flatten(1) for x in (pictures, *ends))
    way = m_1 - m_2
    return ((m - m_2) * way).sum(1) / way.square().sum(1)


fig, axes = plt.subplots(
    2, len(changes), figsize=(7, 3), layout="constrained", squeeze=False
)
for column, pictures in zip(axes.T, switched, strict=True):
    hues, forms = place(colour, pictures), place(silhouette, pictures)
    for ax, picture, hue, form in zip(column, pictures, hues, forms, strict=True):
        ax.imshow(unit_range(picture).permute(1, 2, 0))
        ax.set(xticks=[], yticks=[])
        ax.set_xlabel(f"colour {hue:.2f}\nsilhouette {form:.2f}", fontsize=8)
        ax.spines[:].set_visible(False)
titles = [f"$t={timesteps[k]}$" for k in changes[:-1]] + ["never"]
for ax, title in zip(axes[0], titles, strict=True):
    ax.set_title(title, fontsize=10)
for ax, (one, two) in zip(axes[:, 0], things, strict=True):
    label = f"{one},\nthen {two}"
    ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10)
plt.show()

# %% tags=["remove-cell"]
# the same seed and prompt once more, in another batch
assert (switched[-1][0] - xs[-1][0].cpu().clamp(-1, 1)).abs().mean() < 0.01

# %% [markdown]
# The numbers are rough: at 930 the second row shows a penguin, but its silhouette is past one half.
#
# We did this with 508 pairs of prompts, one seed each. The judge says what came out.

# %% mystnb={"figure": {"caption": "Left: colour and silhouette as in {numref}`fig-a15-switch`, median of the pairs (bands: the middle half of them). Right: what the judge names first. No guidance. Written by `python -m benchmarks.prompt_switch`.", "name": "fig-a15-when"}, "image": {"alt": "Left, two curves rise from 0 at 990 to 1 at the end. The colour passes one half shortly before 870, the silhouette between 870 and 810; the bands are wide there and overlap. Right, early changes give the thing of the second prompt, late ones that of the first; between 870 and 690 many pictures are named as neither, most around 810 and 750."}} tags=["hide-input"]
stored = ROOT / "benchmarks/results/prompt_switch.json"
rows = json.loads(stored.read_text())["rows"]
at = [row["t"] for row in rows]
fig, axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
for part, look in [("colour", "o-"), ("outline", "s--")]:
    # above and below the line of the formula's fraction; "outline": the silhouette
    places = [np.divide(*row[part]) for row in rows]
    low, middle, high = np.percentile(places, (25, 50, 75), axis=1)
    axes[0].plot(at, middle, look, label=part.replace("outline", "silhouette"))
    axes[0].fill_between(at, low, high, alpha=0.2)
as_first, as_second = np.transpose(
    [[np.mean(np.array(ranks) == 1) for ranks in row["ranks"]] for row in rows]
)
axes[1].plot(at, as_second, "s--", label="second")
axes[1].plot(at, 1 - as_first - as_second, "^:", color="grey", label="neither")
axes[1].plot(at, as_first, "o-", label="first")
for ax, title in zip(axes, ["share of the first prompt", "named as"], strict=True):
    ax.set(title=title, xlabel="$t$ of the change", xlim=(1030, -20), ylim=(-0.05, 1.1))
    ax.legend(loc="center right", fontsize=9)
plt.show()

# %% tags=["remove-input"]
neither = 1 - as_first - as_second
between = [share for t, share in zip(at, neither, strict=True) if 690 <= t <= 870]
early, late = (as_first[at.index(t)] for t in (810, 540))
half = strided_timesteps(990, 30).index(540)
Markdown(
    "**Mostly the first half of the steps decides.** At 810 both medians (left) are past one half, but the judge "
    f"names the first thing in only {early:.0%}. At 540, after {half} of 33 steps, it does so in {late:.0%}, and where the prompt never changes in {as_first[-1]:.0%}. "
    f"From 870 to 690 it names neither in {min(between):.0%} to {max(between):.0%}."
)

# %% [markdown]
# ## Where it fails
#
# The [coursework](../deliverables.md) asks for "a high quality photo", without guidance:

# %% mystnb={"figure": {"caption": "Above: the network, \"a high quality photo\". Middle: the network, empty prompt. Below: the same loop with the exact mean of 1.3 over all training drawings.", "name": "fig-a15-samples"}, "image": {"alt": "Above, five soft shapes on plain backgrounds, hard to name. In the middle nearly the same five. Below, five clear drawings: a computer mouse, a pink dress, a door, a magic wand and the head of a horse."}} tags=["hide-input"]
photo = model.denoiser("a high quality photo")
samples = generate(model, photo, range(5), timesteps)
unprompted = generate(model, model.denoiser(""), range(5), timesteps)
data = emoji()
drawings = plain(data, torch.arange(len(data.images)))
copies = generate(model, exact_guesses(drawings), range(5), timesteps)
grid(
    [unit_range(row) for row in (samples, unprompted, copies)],
    titles=[f"seed {s}" for s in range(5)],
    labels=["the phrase", "empty prompt", "exact mean"],
)

# %% tags=["remove-cell"]
assert distances(copies.clamp(-1, 1), drawings).amin(1).max() < 0.05

# %% tags=["remove-cell"]
# A model with a second stage, such as DeepFloyd IF, draws the same with 256x256 pixels.
if model.upsample is not None:
    large = enlarged(model, samples, "a high quality photo", range(5))
    grid([unit_range(large)], titles=[f"seed {s}" for s in range(5)], size=1.7)

# %% [markdown]
# The phrase names no thing: the empty prompt gives nearly the same. With exact guesses the loop draws training drawings, and nothing new. The network's guesses are inexact. With a name they still lead to things that can be recognised, perhaps partly new ones. Without a name they lead to blobs, perhaps because very many pictures fit then.
#
# ## Try it
#
# * **Another prompt.** In {numref}`fig-a15-prompts`, put another thing into `prompts`.
