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
# # 1.4 Iterative denoising
#
# Can many small steps make a better picture than one large step?

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
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch

from diffusion_utils.files import ROOT
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, last, noise_like, trajectory
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import animation, grid, table, unit_range
from diffusion_utils.tasks import denoise_from, noised
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import low_pass

model = load_pretrained()
schedule = model.schedule
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 110)
)
i_start = by_profile(full=10, fast=3)
i_starts = by_profile(full=[10, 7, 4, 2, 0], fast=[3, 0])

# %% mystnb={"figure": {"caption": "The test image noised to larger and larger $t$ (seed 0), then denoised in three ways: in one step, and in many steps of 30 timesteps each, with the prompt \"a high quality photo\" and with \"a sailboat\". No guidance.", "name": "fig-a14-starts"}, "image": {"alt": "Top, from left to right, a sailboat that dissolves into a pale spot. Middle, pictures that keep their edges, but turn from the sailboat into something without a name. Bottom, a sailboat in each column; to the right it is another boat than the one to the left."}} tags=["hide-input"]
boat = shipped_image("sailboat")[None].to(model.device)
photo, sailboat = map(model.denoiser, ("a high quality photo", "a sailboat"))
columns = []
for i in i_starts:
    one, *_, many = denoise_from(model, photo, boat[0], i, [0], timesteps)
    *_, told = denoise_from(model, sailboat, boat[0], i, [0], timesteps)
    columns.append((one.x0_hat, many.x, told.x))
grid(
    [unit_range(torch.cat(row)) for row in zip(*columns, strict=True)],
    titles=[f"$t={timesteps[i]}$" for i in i_starts],
    labels=["one step", "many steps", 'many steps,\n"a sailboat"'],
    size=1.3,
)

# %% [markdown]
# **One step is closer to the original, many steps are sharper.** Both are measured below. The difference is largest on the right, where nothing of the boat is left: there one step answers with a grey spot, and
# many steps make a picture out of the same noise. If the network is told what to draw (bottom row), it is a picture of that.
#
# ## The idea
#
# One step has to guess the whole picture at once, so it answers with an average of all that fit ([1.3](a1_3_one_step_denoising.ipynb)). Many steps need not. Each goes only a little way towards the guess,
# to a picture with a bit less noise. There the network looks again, sees more, and guesses better.
#
# We visit every 30th timestep: 990, 960, .., 30, 0. All chapters of Part A use this list. (At $t = 0$ a trace of noise is left, too weak to be seen.) A step goes from $t$ to the next timestep $t'$ of the list.
# It mixes the guess $\hat x_0$ with the noisy picture $x_t$ that is at hand, and adds a little fresh noise $z$ {cite:p}`ho2020`:
#
# $$ x_{t'} = a\,\hat x_0 + b\, x_t + \sqrt{\tilde\beta}\, z \tag{N.3} $$
#
# The three factors at the start, in the middle and at the end of the list:

# %% tags=["remove-input"]
rows = []
for i in by_profile(full=(0, 16, 32), fast=(0, 4, 8)):
    t, t_prev = timesteps[i : i + 2]
    x0_hat, x_t, z = torch.eye(
        3
    ).double()  # a step is linear: each factor, one at a time
    factors = schedule.step(x_t, x0_hat, t, t_prev, z)
    rows.append([f"{t} → {t_prev}", *(f"{factor:.3f}" for factor in factors)])
table(
    rows,
    ["step", "a, of the guess", "b, of the noisy picture", "√β̃, of fresh noise"],
    "At first a step takes a little of the guess and much fresh noise. In the middle it keeps most of the noisy picture. In the end the guess is nearly all.",
)

# %% [markdown]
# They follow from the forward process:
#
# $$ a = \frac{\sqrt{\bar\alpha_{t'}}\,\beta}{1-\bar\alpha_t}, \qquad b = \frac{\sqrt{\alpha}\,(1-\bar\alpha_{t'})}{1-\bar\alpha_t} $$
#
# $$ \tilde\beta = \frac{1-\bar\alpha_{t'}}{1-\bar\alpha_t}\,\beta \tag{N.4} $$
#
# * $\alpha = \bar\alpha_t / \bar\alpha_{t'}$ says how much of the picture is left from $t'$ to $t$, and $\beta = 1 - \alpha$. (For neighbours, $t' = t - 1$, this is the $\alpha_t$ of the DDPM paper.)
# * $\hat x_0$ is the clean picture that the network sees in $x_t$, by (N.2).
# * $z \sim \mathcal N(0, I)$ is fresh noise, and $\tilde\beta$ ("beta tilde") is its variance.
#
# In code $t'$ is called `t_prev`, and $x_{t'}$ is `mean + variance.sqrt() * z`:
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.step
# :start-at: alpha_bar, alpha_bar_prev
# :end-at: (N.4)
# :dedent:
# ```
#
# **Why add noise again?** The guess has no noise, so the mixture of guess and noisy picture has less noise than belongs to $t'$. The network was trained with the full amount. The fresh noise makes up what is missing.
#
# The loop around the step is short. Here it denoises the sailboat from $t = 690$ on, which is number 10 of the list (`i_start`, counted from 0):

# %%
x, noise = noised(model, boat, i_start, [0], timesteps)
path = []
for t, t_prev in pairwise(timesteps[i_start:]):
    eps = photo(x, t).eps
    x0_hat = schedule.predict_x0(x, t, eps)  # (N.2)
    path.append((t, x, x0_hat))
    z = noise_like(x, noise)
    x = schedule.step(x, x0_hat, t, t_prev, z)  # (N.3)

# %% mystnb={"figure": {"caption": "The loop at work on the test image: $x_t$ at every fifth step (top) and the clean picture $\\hat x_0$ that the network sees in it (bottom). Seed 0, \"a high quality photo\".", "name": "fig-a14-steps"}, "image": {"alt": "Top, a noisy sailboat becomes a clean picture from left to right; bottom, a soft estimate becomes sharp."}} tags=["hide-input"]
shown = path[::5]
grid(
    [
        unit_range(torch.cat([x_t for _, x_t, _ in shown])),
        unit_range(torch.cat([x0_hat for *_, x0_hat in shown])),
    ],
    titles=[f"$t={t}$" for t, *_ in shown],
    labels=["$x_t$", r"$\hat x_0$"],
    size=1.35,
)

# %% mystnb={"figure": {"caption": "The same loop, every other step down to $t = 90$. Left: $x_t$; right: $\\hat x_0$.", "name": "fig-a14-animation"}} tags=["hide-input"]
early = [step for step in path[::2] if step[0] >= 90]
animation(
    [unit_range(torch.cat([x_t, x0_hat], 3)) for _, x_t, x0_hat in early],
    alt="Left, noise fades from a picture; right, the estimate of the clean picture sharpens.",
    captions=[f"t = {t}" for t, *_ in early],
)

# %% [markdown]
# All chapters from here on use this loop. In the package it is called `trajectory`. DDIM {cite:p}`song2021` is the same loop with other factors and without $z$: there the start alone decides which picture comes out.
#
# ## What to see
#
# In {numref}`fig-a14-steps` the noise of the upper row fades, and the guess in the lower row gets sharper edges. Here is the end of the loop for three pictures, beside one step and a blur:

# %% mystnb={"figure": {"caption": "From the same noisy pictures ($t = 690$, seed 0): a blur 3 pixels wide, one large step, and 23 small steps. Prompt \"a high quality photo\", no guidance.", "name": "fig-a14-compare"}, "image": {"alt": "A sailboat, a mushroom and a cactus in five columns: the original; the noisy one; a blur, in which only colours are left; one step, soft; many steps, sharper."}} tags=["hide-input"]
names = ["sailboat", "mushroom", "cactus"]
clean = torch.stack([shipped_image(name) for name in names]).to(model.device)
noisy, _ = noised(model, clean, i_start, [0, 0, 0], timesteps)
first, *_, end = denoise_from(model, photo, clean, i_start, [0, 0, 0], timesteps)
blur = low_pass(3)(noisy / schedule.at(timesteps[i_start]).sqrt())
ways = {
    "original": clean,
    f"$t={timesteps[i_start]}$": noisy,
    "blur": blur,
    "one step": first.x0_hat,
    "many steps": end.x,
}
grid(
    [unit_range(torch.stack([w[i] for w in ways.values()])) for i in range(3)],
    titles=list(ways),
    size=1.4,
)

# %% mystnb={"figure": {"caption": "Parts of {numref}`fig-a14-compare`, 24x24 pixels, enlarged.", "name": "fig-a14-crops"}, "image": {"alt": "Cuts from the three pictures. Edges that are soft after one step are sharper after many, though not always at the same place as in the original."}} tags=["hide-input"]
corners = [(4, 16), (2, 6), (20, 8)]  # top and left of each part
compared = [ways[name] for name in ("original", "blur", "one step", "many steps")]
rows = [
    torch.stack([w[i, :, top : top + 24, left : left + 24] for w in compared])
    for i, (top, left) in enumerate(corners)
]
grid(
    [unit_range(row) for row in rows],
    titles=["original", "blur", "one step", "many steps"],
    size=1.4,
)

# %% [markdown]
# ## Closer, or only sharper?
#
# How close a result is to the original is the PSNR of [1.2](a1_2_classical_denoising.ipynb). Its **sharpness** is the mean brightness jump at its strongest edges, divided by the same of the original: 1 is as sharp as the original.
# (The strongest edges are the largest twentieth of all differences between neighbouring pixels. The table also has the structural similarity, SSIM {cite:p}`wang2004`, which compares small windows instead of single
# values; 1 means equal.)

# %% mystnb={"figure": {"caption": "Three ways to denoise, against the timestep that they start from. Left: how close the result is to the original. Right: how sharp it is. Mean and standard error over the drawings of the table below; stored by `python -m benchmarks.denoising`.", "name": "fig-a14-measured"}, "image": {"alt": "Two plots over t. Left, PSNR falls with t, highest for one step. Right, many steps stay sharp while one step and the blur get softer with t."}} tags=["hide-input"]
stored = json.loads((ROOT / "benchmarks/results/denoising.json").read_text())
starts = [key for key in stored["drawings"] if key != "original"]


def values(kind, t, way, measure):
    """One number for each picture; sharpness as a share of the original's."""
    found = np.array(stored[kind][t][way][measure])
    of = stored[kind]["original"][measure] if measure == "sharpness" else 1
    return found / of


def error(x):
    return x.std(ddof=1) / len(x) ** 0.5


fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for ax, measure, label in [
    (axes[0], "psnr", "PSNR, dB"),
    (axes[1], "sharpness", "sharpness, original = 1"),
]:
    for way, style in ("blur", "^:"), ("one step", "s--"), ("many steps", "o-"):
        found = [values("drawings", t, way, measure) for t in starts]
        ax.errorbar(
            [int(t) for t in starts],
            [x.mean() for x in found],
            [error(x) for x in found],
            fmt=style,
            capsize=2,
            label=way,
        )
    ax.set(xlabel="start at $t$", ylabel=label, xticks=[int(t) for t in starts])
axes[1].set_ylim(0, None)
axes[0].legend()
plt.show()


# %% tags=["hide-input"]
def named(kind, way, t):
    rank = np.array(stored[kind][t][way]["rank"] if t else stored[kind][way]["rank"])
    return f"{(rank == 1).mean():.0%}"


def pm(x, digits, sign=""):
    return f"{x.mean():{sign}.{digits}f} ± {error(x):.{digits}f}".replace(" ", "\u00a0")


t = starts[0]
rows = []
for kind in ("drawings", "unseen"):
    for way in ("blur", "one step", "many steps"):
        found = [values(kind, t, way, m) for m in ("psnr", "ssim", "sharpness")]
        less = found[0] - values(kind, t, "one step", "psnr")
        numbers = [pm(x, digits) for x, digits in zip(found, (1, 2, 2), strict=True)]
        numbers.append("" if way == "one step" else pm(less, 1, "+"))
        rows.append([f"{kind}: {way}", *numbers, named(kind, way, t)])
table(
    rows,
    ["", "PSNR, dB", "SSIM", "sharpness", "against one step, dB", "named"],
    f"Start at t = {t}. Mean ± its standard error over {len(stored['drawings'][t]['blur']['psnr'])} drawings, which the network was trained on, and over three unseen pictures with "
    f"{len(stored['unseen'][t]['blur']['psnr']) // 3} seeds each (the error says nothing about other pictures). Named: how often the judge, a network that was trained to name drawings, gives the right name first; "
    f"the originals: {named('drawings', 'original', None)} and {named('unseen', 'original', None)}.",
)

# %% [markdown]
# One step is ahead in PSNR, and the judge names its pictures no less often. In PSNR it has to be ahead. Its answer is close to the mean of all pictures that fit, and no other answer has a smaller mean squared error. A perfect loop would draw *one* of these pictures at random, and
# the original is another one of them. Two random draws are farther apart than a draw and the mean, exactly by a factor of two in the squared error:
#
# $$ \mathbb E \lVert x - x_0 \rVert^2 = 2\, \mathbb E \lVert \mu - x_0 \rVert^2 $$
#
# where $x$ is what the loop draws and $\mu$ is the mean of all pictures that fit. A factor of two is 3 dB. Our loop loses less (last column but one), and its pictures are less sharp than the originals: they are still
# partly averages.
#
# **So why take many steps?** If you want a noisy picture back as it was, one step is the better tool. But where nothing is left to bring back, one step has only its grey spot. The loop makes a picture there, and with a
# prompt ([1.5](a1_5_sampling.ipynb)) and guidance ([1.6](a1_6_guidance.ipynb)) it makes a good one.
#
# ## Where it fails
#
# What the noise has covered, the loop must make up, and each run makes up something else:

# %% mystnb={"figure": {"caption": "The test image from $t = 690$, \"a high quality photo\". Top: one noisy picture (seed 0), and four runs of the loop that differ in the fresh noise only (seeds 1 to 4). Bottom: four noisy pictures (seeds 0 to 3), and the same fresh noise (seed 1) in each run. Right: the standard deviation over the four, white where it is largest.", "name": "fig-a14-seeds"}, "image": {"alt": "Two rows of four sailboats that differ in hull, sail and sky, each with a map of their differences, bright at hull and sail."}} tags=["hide-input"]
later, many = timesteps[i_start:], by_profile(full=4, fast=2)
rows = []
for noising, fresh in ([0] * many, range(1, 1 + many)), (range(many), [1] * many):
    x_t, _ = noised(model, boat[0], i_start, noising, timesteps)
    ends = last(trajectory(photo, x_t, later, schedule, generators=generators(fresh)))
    spread = ends.clamp(-1, 1).std(0).mean(0).expand(1, 3, -1, -1)
    rows.append(torch.cat([unit_range(ends), spread / spread.max()]))
grid(
    rows,
    titles=[*[""] * many, "where they differ"],
    labels=["one noisy\npicture", "four noisy\npictures"],
    size=1.4,
)

# %% [markdown]
# All eight agree on what could still be seen in the noise: something red above something blue. They differ in the rest, also in the top row, where all four started from the same noisy picture. Nothing in a single result
# says which of its parts are made up. A denoised picture is a plausible picture. It is no evidence of what was there.
#
# ## Try it
#
# * In the loop, replace `z = noise_like(x, noise)` by `z = torch.zeros_like(x)`. Without fresh noise the picture turns into a few plain patches: the network takes what noise is missing for plain areas.
# * Take larger steps: in the loop, replace `timesteps[i_start:]` by `[690, 460, 230, 0]`. With only three steps the result
#   is closer to that of one step: its edges are softer.
#
# ## More
#
# ```{dropdown} Where the step comes from: the product of two Gaussians
# We look for the distribution of the less noisy picture $x_{t'}$, given the noisy one $x_t$ and the clean one $x_0$. By Bayes' rule
#
# $$ q(x_{t'} \mid x_t, x_0) \propto q(x_t \mid x_{t'})\; q(x_{t'} \mid x_0). $$
#
# Both factors are known. The second is the forward process of [1.1](a1_1_forward.ipynb). The first is the forward process from $t'$ on to $t$:
#
# $$ q(x_{t'} \mid x_0) = \mathcal N(\sqrt{\bar\alpha_{t'}}\, x_0,\, 1 - \bar\alpha_{t'}), $$
#
# $$ q(x_t \mid x_{t'}) = \mathcal N(\sqrt{\alpha}\, x_{t'},\, \beta). $$
#
# Seen as a function of $x_{t'}$, the first factor is a Gaussian with mean $x_t / \sqrt\alpha$ and variance $\beta / \alpha$. A product of two Gaussians is a Gaussian again. Its precision (one over the variance) is the
# sum of theirs:
#
# $$ \frac{1}{\tilde\beta} = \frac{\alpha}{\beta} + \frac{1}{1 - \bar\alpha_{t'}} = \frac{\alpha - \bar\alpha_t + \beta}{\beta\,(1 - \bar\alpha_{t'})} = \frac{1 - \bar\alpha_t}{\beta\,(1 - \bar\alpha_{t'})}, $$
#
# since $\alpha \bar\alpha_{t'} = \bar\alpha_t$ and $\alpha + \beta = 1$. That is (N.4). Its mean is the mean of the two means, weighted by their precisions:
#
# $$ \tilde\beta \left( \frac{\alpha}{\beta} \cdot \frac{x_t}{\sqrt\alpha} + \frac{\sqrt{\bar\alpha_{t'}}\, x_0}{1 - \bar\alpha_{t'}} \right) = \frac{\sqrt\alpha\,(1 - \bar\alpha_{t'})}{1 - \bar\alpha_t}\, x_t + \frac{\sqrt{\bar\alpha_{t'}}\,\beta}{1 - \bar\alpha_t}\, x_0. $$
#
# To draw from it, add noise of variance $\tilde\beta$ to the mean. The clean picture $x_0$ is not known, so the guess $\hat x_0$ stands in for it. This gives (N.3).
# ```
#
# ```{dropdown} What steps of 30 cost
# (N.4) takes the guess $\hat x_0$ for the truth. With small steps that does little harm. With steps of 30 the results spread too little, even with a perfect network:
# [B2](../part_b/b2_time_conditioned.ipynb) measures it on data for which the perfect denoiser is known.
# ```
#
# ```{dropdown} Networks that learn the variance
# Some networks, as the coursework's own, also answer with a variance of the fresh noise. Then it takes the place of $\tilde\beta$, see (N.5) of the [notation](../notation.md); in code it is the second part of a
# network's answer, `nu`. Emoji-64 uses (N.4) as it is. The loop above leaves `nu` out; `trajectory` uses it.
# ```
#
# ```{dropdown} Why exactly a factor of two
# Given a noisy picture, let $x$ and $x_0$ be two independent draws from the pictures that fit, with mean $\mu$. Then $x - x_0 = (x - \mu) - (x_0 - \mu)$. Both parts have mean 0 and the same expected square, and they are independent, so
# $\mathbb E \lVert x - x_0 \rVert^2 = 2\, \mathbb E \lVert x_0 - \mu \rVert^2$.
# ```
