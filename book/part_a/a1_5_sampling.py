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
from itertools import pairwise

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
from diffusion_utils.sampling import generators, noise_like, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.tasks import enlarged, generate
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
schedule = model.schedule
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% mystnb={"figure": {"caption": "From pure noise, eight seeds of each prompt: the guess of one step, $\\hat x_0$ at $t = 990$, and what 33 steps draw. The network is asked with the prompt alone, without the guidance of 1.6.", "name": "fig-a15-prompts"}, "image": {"alt": "Four rows of eight. The rows of one step: nearly the same soft penguin eight times, and eight soft green coils that differ a little. The rows of 33 steps are soft drawings on white. Penguins: those of seeds 2 and 5 are turned to the side, the others face us; those of seeds 3 and 6 have a red spot on the chest, that of seed 7 a red cap. Green snakes: those of seeds 1, 3, 4 and 5 lie in a coil, the others in other curves, and that of seed 2 is hard to recognise."}} tags=["hide-input"]
prompts = ["a penguin", "a snake"]
seeds = by_profile(full=range(8), fast=range(2))
noise = unit_noise(model.shape, generators(seeds)).to(model.device)
one_step, many_steps = {}, {}
for prompt in prompts:
    denoise = model.denoiser(prompt)
    one_step[prompt] = schedule.predict_x0(noise, 990, denoise(noise, 990).eps)
    many_steps[prompt] = generate(model, denoise, seeds, timesteps)
grid(
    [unit_range(row[prompt]) for prompt in prompts for row in (one_step, many_steps)],
    titles=[f"seed {s}" for s in seeds],
    labels=[f"{p},\n{steps}" for p in prompts for steps in ("one step", "33 steps")],
    size=0.8,
)

# %% [markdown]
# One step gives nearly the same soft penguin for each seed, and snakes that differ a little: about the mean of all that fit the prompt. With 33 steps the pictures are sharper, and differ. The penguins can all be recognised; some of the snakes have no clear form.

# %% tags=["remove-input"]
judge = load_evaluator()


def named_right(pictures, name):
    return name_ranks(judge, pictures, [name] * len(pictures)).count(1)


penguin_one, penguin, snake_one, snake = (
    named_right(row[f"a {name}"], name)
    for name in ("penguin", "snake")
    for row in (one_step, many_steps)
)
Markdown(
    "**The judge**, a network trained to name drawings, chooses from 508 names. "
    f"Of {len(seeds)} each, it names {penguin} penguins right ({penguin_one} after one step), "
    f"and {snake} snakes ({snake_one}). It is content with less than we are: a soft penguin is enough for it."
)

# %% [markdown]
# ## The idea
#
# At $t = 990$ the picture's factor in (N.1), $\sqrt{\bar\alpha_{990}}$, is only 0.014. So we start from pure noise, $x_{990} = \epsilon$, and take the steps of 1.4, from $t$ to $t' = t - 30$:
#
# $$ x_{t'} = \underbrace{a\,\hat x_0}_{\text{guess}} + \underbrace{b\,x_t}_{\text{noisy picture}} + \underbrace{\sqrt{\tilde\beta}\,z}_{\text{fresh noise}} \tag{N.3} $$
#
# Here $z \sim \mathcal N(0, I)$. The numbers $a$, $b$ and $\tilde\beta$ follow from $\bar\alpha_t$ and $\bar\alpha_{t'}$ ([1.4](a1_4_iterative_denoising.ipynb) has the formulas).

# %% tags=["remove-input"]
x0_part, x_part, z_part = torch.eye(3)  # a step is linear: one factor at a time
early, late = (
    schedule.step(x_part, x0_part, t, t - 30, z_part).tolist() for t in (690, 60)
)
Markdown(
    f"From $t = 690$ to 660, $a$ is {early[0]:.2f}, $b$ is {early[1]:.2f} and $\\sqrt{{\\tilde\\beta}}$ is {early[2]:.2f}: the guess gets little weight. "
    f"From $t = 60$ to 30 they are {late[0]:.2f}, {late[1]:.2f} and {late[2]:.2f}. Here is the loop, for a red apple:"
)

# %%
denoise = model.denoiser("a red apple")
rng = generators([0])  # a seed fixes all the noise of a picture
x = unit_noise(model.shape, rng).to(model.device)
path = []
for t, t_prev in pairwise(timesteps):
    x0_hat = schedule.predict_x0(x, t, denoise(x, t).eps)
    path.append((t, x, x0_hat))
    x = schedule.step(x, x0_hat, t, t_prev, z=noise_like(x, rng))
apple = x

# %% mystnb={"figure": {"caption": "What the loop above makes of pure noise: $x_t$ and the network's guess $\\hat x_0$, \"a red apple\", seed 0.", "name": "fig-a15-strip"}, "image": {"alt": "Two rows. Above, noise in which an apple appears from left to right; below, a blurred apple that gets clearer."}} tags=["hide-input"]
shown = by_profile(full=[0, 3, 6, 10, 13, 23], fast=[0, 1])
assert f"{schedule.at(990).sqrt():.3f}" == "0.014"
# "Try it" takes fewer steps
times, *both = zip(*(path[k] for k in shown if k < len(path)), strict=True)
grid(
    [unit_range(torch.cat([*row, apple])) for row in both],
    titles=[*(f"$t={t}$" for t in times), "end"],
    labels=["$x_t$", r"$\hat x_0$"],
    size=0.95,
)

# %% [markdown]
# The first guess, at $t = 990$, is already a soft red apple: as hardly anything else is known, it comes from the prompt. At 900 the guess is a whole apple, while $x_t$ still looks like noise. In $x_t$ one can see the apple from $t = 690$ on.
#
# ## How an average becomes one picture
#
# Each guess is an average of many pictures. Why does the loop end at one of them? Let a drawing be a single pixel: three of four drawings are white (1), one is black (−1). In place of the network's guess we take the exact mean of [1.3](a1_3_one_step_denoising.ipynb).


# %% mystnb={"figure": {"caption": "The loop with exact guesses, in 99 small steps. Left: 40 runs, three of them bold. Middle: their guesses. Right: the ends of 1,000 runs, counted (seeds 0 to 999; bars: one standard error around the expected 250 and 750).", "name": "fig-a15-pixel"}, "image": {"alt": "Left, trembling lines, at first spread from minus 2 to 2, part into two bundles: the larger ends at 1, the smaller at minus 1. In the middle, lines that all begin at one half, and part until each is at 1 or at minus 1. Right, two columns, a low one for black and one three times as high for white."}} tags=["hide-input"]
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
steps = list(trajectory(exact_guesses(pixels), x, small, schedule, generators=rng))
values = torch.stack([x, *(step.x for step in steps)])[..., 0]
means = torch.stack([step.x0_hat for step in steps])[..., 0]
white = (values[-1] > 0).sum().item()

to_white, to_black = ((values[-1] * sign > 0).nonzero()[:, 0] for sign in (1, -1))
bold = [*to_white[:2], to_black[0]]
fig, (left, middle, right) = plt.subplots(
    1, 3, figsize=(7, 2.3), layout="constrained", width_ratios=(2, 2, 1)
)
left.plot(small, values[:, :40], color="silver", lw=0.5)
left.plot(small, values[:, bold], lw=1.5)
left.set(xlabel="$t$", ylabel="$x_t$", xlim=(1010, -20))
middle.plot(small[:-1], means[:, :40], color="silver", lw=0.5)
middle.plot(small[:-1], means[:, bold], lw=1.5)
middle.set(xlabel="$t$", ylabel=r"$\hat x_0$", xlim=(1010, -20))
columns = right.bar(["black", "white"], [1000 - white, white], color="C7")
right.bar_label(columns, label_type="center")
error = (1000 * 0.75 * 0.25) ** 0.5
right.errorbar([0, 1], [250, 750], error, fmt="none", ecolor="k", capsize=6)
right.set(ylabel="runs", ylim=(0, 900))
plt.show()
assert (means[0] - 0.5).abs().max() < 0.1 and (means[-1].abs() > 0.99).all()

# %% [markdown]
# A guess of 0.5 says: white with a probability of $p = 75\,\%$, black with 25 %, since $p \cdot 1 + (1 - p) \cdot (-1) = 0.5$. That is all that is known at $t = 990$ (middle). Then fresh noise moves $x_t$. If it moves it up, white fits better; so the guess rises, and pulls $x_t$ up in the next step. If it moves it down, black fits better. So the guess wanders, far down even in a run that ends at white (blue). It ends where only one answer is left, at 1 or −1. With small steps, its mean over many runs stays 0.5 ([1.4](a1_4_iterative_denoising.ipynb)). At the end each run is at 1 or −1, and a mean of 0.5 needs three of four at 1 (right; that it is exactly 750 of 1,000 is luck).
#
# The same happens with pictures, only sooner. Let the drawings now be the eight penguins that the network was trained on:

# %% mystnb={"figure": {"caption": "The loop with exact guesses for eight drawings (below), in steps of 10. Above: the guess $\\hat x_0$ on the way, for two seeds.", "name": "fig-a15-penguins"}, "image": {"alt": "Three rows. The first begins with a haze of several penguins, which becomes a mixture of two, and from 940 on a single one with orange feet. The second begins with nearly the same haze; at 970 it is a round penguin head, and from 950 on a king penguin. The last row has eight clear penguins, these among them."}} tags=["hide-input"]
data = emoji()
drawings = plain(data, torch.arange(len(data.images)))
penguins = drawings[data.name_index == data.names.index("penguin")]
assert len(penguins) == 8
at, rows = [990, 980, 970, 960, 950, 940, 920, 800], []
for seed in 0, 1:
    rng = generators([seed])
    x = unit_noise(model.shape, rng)
    way = trajectory(exact_guesses(penguins), x, small, schedule, generators=rng)
    seen = dict(zip(small, (step.x0_hat for step in way), strict=False))
    rows.append(unit_range(torch.cat([seen[t] for t in at])))
grid(
    [*rows, unit_range(penguins)],
    titles=[f"$t={t}$" for t in at],
    labels=["seed 0", "seed 1", "drawings"],
    size=0.8,
)

# %% [markdown]
# At $t = 990$ both guesses are nearly the mean of all eight. Then noise makes some of them more probable, and these count more in the next guess, until a single one is left: here a different one for each seed. On the way another drawing may be ahead, as at 960 with seed 0 and at 970 with seed 1. The pixel took much longer. A picture has 12,288 values, and each of them tells a little about which drawing it is.
#
# **So with exact guesses and small steps, the loop draws the training drawings of the prompt:** each time a random one, nothing new. To draw something new, a network must give other guesses than the exact ones, and ours does ([1.3](a1_3_one_step_denoising.ipynb)).
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
# How new are its pictures? Below each is the nearest of the 3,060 training drawings:

# %% mystnb={"figure": {"caption": "Above: pictures of {numref}`fig-a15-prompts` (33 steps, seeds 0 to 3). Below: the nearest training drawing. Numbers: how far apart they are, as the root mean square difference of their values (at half size, for the best of nine small shifts).", "name": "fig-a15-nearest"}, "image": {"alt": "Above, four soft penguins and four soft green snakes. Below each of them a clear drawing. Below the penguins a penguin, in the same pose. Below the first, the second and the fourth snake a snake, in the same curves; below the third a green T-shirt."}} tags=["hide-input"]
drawn = torch.cat([many_steps[name][:4] for name in prompts])
far, nearest = distances(drawn.clamp(-1, 1), drawings).min(1)
grid(
    [unit_range(drawn), unit_range(drawings[nearest])],
    titles=[f"{d:.2f}" for d in far],
    labels=["drawn", "nearest"],
    size=0.8,
)

# %% tags=["remove-input"]
half = len(drawn) // 2
wanted = ["penguin"] * half + ["snake"] * half
shows = [data.names[k] for k in data.name_index[nearest]]
alike = sum(name == other for name, other in zip(wanted, shows, strict=True))
others = distances(penguins, drawings)
usual = others.sort(1)[0][:, 1].median()  # the nearest is the drawing itself
Markdown(
    f"For {alike} of the {len(drawn)} the nearest drawing shows the same thing, in much the same form. So the network draws much like what it has seen. But the pictures are no exact copies: they are soft, and some colours are others. (As a scale: from each of the eight penguins to the nearest other training drawing it is {usual:.2f}, median.) "
    "Nearest to the third snake is no snake, but a T-shirt in its green. The [appendix](../appendix/emoji64.ipynb) compares pictures of 102 things in this way."
)

# %% [markdown]
# ## When does the prompt decide?
#
# We begin with the prompt "a red apple" and change to "a rocket ship" at some $t$. If we change late, will the rocket still come?

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
assert (switched[-1][0] - apple[0].cpu().clamp(-1, 1)).abs().mean() < 0.01

# %% [markdown]
# In the upper row, changed at 930, a rocket comes, but a redder one: something of the apple's colour had been settled by then. (The new prompt changes the guess. But the guess must also fit $x_t$, which holds more and more of the apple.) The two numbers under each picture measure that, 0 for the second prompt alone and 1 for the first alone:
#
# * **colour**: the mean colour of all pixels that are not white;
# * **silhouette**: for each pixel whether it is white.
#
# They are rough. At 930 the second row shows a penguin, but its silhouette is past one half: it is another penguin than the one at 990, and the number counts that, too.
#
# ```{dropdown} The two numbers as a formula
# A pixel is white if red, green and blue are all at least 0.8, on the scale from −1 to 1. Let $m$ be the colour (three numbers) or the silhouette (0 or 1 for each pixel) of a picture, $m_1$ that of the picture with the first prompt alone, and $m_2$ that with the second alone. The number is
#
# $$ \frac{(m - m_2) \cdot (m_1 - m_2)}{\lVert m_1 - m_2 \rVert^2}. $$
#
# It says how far $m$ has come on the way from $m_2$ to $m_1$. It can be below 0 or above 1.
# ```
#
# One seed and two pairs of prompts are few. So we did the same with 508 pairs: each of the 508 names was the first prompt once and the second once, one seed each. The judge says what came out.

# %% mystnb={"figure": {"caption": "Left: colour and silhouette as in {numref}`fig-a15-switch`, median of the pairs (bands: the middle half of them). Right: how many pictures the judge names as the thing of the first prompt, of the second, or neither. The last point: never changed. From `python -m benchmarks.prompt_switch`.", "name": "fig-a15-when"}, "image": {"alt": "Left, two curves rise from 0 at 990 to 1 at the end. The colour passes one half shortly before 870, the silhouette between 870 and 810; the bands are wide there and overlap. Right, early changes give the thing of the second prompt, late ones that of the first; between 870 and 690 many pictures are named as neither, most around 810 and 750."}} tags=["hide-input"]
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
axes[1].plot(at, as_second, "s--", label="second prompt")
axes[1].plot(at, 1 - as_first - as_second, "^:", color="grey", label="neither")
axes[1].plot(at, as_first, "o-", label="first prompt")
for ax, title in zip(axes, ["share of the first prompt", "named as"], strict=True):
    ax.set(title=title, xlabel="$t$ of the change", xlim=(1030, -20), ylim=(-0.05, 1.1))
    ax.legend(loc="center right", fontsize=9)
plt.show()

# %% tags=["remove-input"]
neither = 1 - as_first - as_second
between = [share for t, share in zip(at, neither, strict=True) if 690 <= t <= 870]
early, late = (as_first[at.index(t)] for t in (810, 540))
half = strided_timesteps(990, 30).index(540)
colours, forms = (
    {t: np.median(np.divide(*row[part])) for t, row in zip(at, rows, strict=True)}
    for part in ("colour", "outline")
)
Markdown(
    f"At 870 the median of the colour is {colours[870]:.2f}, that of the silhouette {forms[870]:.2f}: by these measures the colour settles a little earlier, though not for each pair (see the second row above).\n\n"
    "**Mostly the first half of the steps decides.** At 810 both medians (left) are past one half, but the judge "
    f"names the first thing in only {early:.0%}. At 540, after {half} of 33 steps, it does so in {late:.0%}, and where the prompt never changes in {as_first[-1]:.0%}. "
    f"From 870 to 690 it names neither in {min(between):.0%} to {max(between):.0%}."
)

# %% [markdown]
# ## Where it fails
#
# Here the prompt names no thing. Our guide, [project 5 of CS180](../deliverables.md), asks for "a high quality photo" here, which to its large network means a photograph. Ours has seen nothing but emoji:

# %% mystnb={"figure": {"caption": "Above: the network, \"a high quality photo\". Second row: the network, empty prompt. Third row: the same loop with exact guesses, the mean of 1.3 over all training drawings. Last row: of each picture in the third, the nearest training drawing.", "name": "fig-a15-samples"}, "image": {"alt": "Above, five soft shapes on plain backgrounds, hard to name. Below nearly the same five. In the third row, five clear drawings: a computer mouse, a pink dress, a door, a magic wand and the head of a horse. The last row is the same as the third."}} tags=["hide-input"]
photo = model.denoiser("a high quality photo")
samples = generate(model, photo, range(5), timesteps)
unprompted = generate(model, model.denoiser(""), range(5), timesteps)
copies = generate(model, exact_guesses(drawings), range(5), timesteps)
apart = distances(copies.clamp(-1, 1), drawings)
assert apart.amin(1).max() < 0.05
nearest = drawings[apart.argmin(1)]
grid(
    [unit_range(row) for row in (samples, unprompted, copies, nearest)],
    titles=[f"seed {s}" for s in range(5)],
    labels=["the phrase", "empty prompt", "exact guesses", "nearest drawing"],
)

# %% tags=["remove-cell"]
# A model with a second stage, such as DeepFloyd IF, draws the same with 256x256 pixels.
if model.upsample is not None:
    large = enlarged(model, samples, "a high quality photo", range(5))
    grid([unit_range(large)], titles=[f"seed {s}" for s in range(5)], size=1.7)

# %% [markdown]
# The empty prompt gives nearly the same as the phrase: soft shapes that we cannot name. With exact guesses the same loop draws clear things, but only training drawings. So the loop is not to blame for the soft shapes. The network's guesses are. A possible reason: without a name very many pictures fit, more than it can keep apart. A prompt leaves fewer. [1.6](a1_6_guidance.ipynb) makes it count for more.
#
# ## Try it
#
# Change the code, and run its cell again.
#
# 1. **Another prompt.** In the code of {numref}`fig-a15-prompts`, set `prompts = ["a car", "a flower"]`. Do the eight pictures of a prompt differ in more than details?
# 2. **Fewer steps.** In the loop, replace `pairwise(timesteps)` by `pairwise(strided_timesteps(990, 198))`, five steps. Then run the code of {numref}`fig-a15-strip` again. What becomes of the apple?
# 3. **No fresh noise.** In the loop, replace `z=noise_like(x, rng)` by `z=0 * x`, and run both again.
#
# ```{dropdown} What we got
# 1. The cars hardly do; all are red. Of the flowers, one is yellow all over and has a face.
# 2. It is nearly the same, with softer edges: each of the five steps goes further on an average.
# 3. A flat red apple without its gloss. Less noise is left than the network expects, so it seems to take detail for noise.
# ```
