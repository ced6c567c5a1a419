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
# Why take many small steps, when one large step already removes the noise?

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

# %% mystnb={"figure": {"caption": "The test image, and what becomes of it when it is noised to a larger and larger $t$ (seed 0) and then denoised: in one large step, and in many small steps. Prompt \"a sailboat\".", "name": "fig-a14-starts"}, "image": {"alt": "On the left the original sailboat. Top, from left to right: one step shows the boat softer and softer, in the end as a blur. Bottom: many steps show a boat with edges in each column; to the right it is less and less the original one."}} tags=["hide-input"]
boat = shipped_image("sailboat")[None].to(model.device)
sailboat = model.denoiser("a sailboat")
one_step, many_steps = [boat], [torch.ones_like(boat)]
for i in i_starts:
    first, *_, end = denoise_from(model, sailboat, boat[0], i, [0], timesteps)
    one_step.append(first.x0_hat)
    many_steps.append(end.x)
grid(
    [unit_range(torch.cat(row)) for row in (one_step, many_steps)],
    titles=["original", *(f"$t={timesteps[i]}$" for i in i_starts)],
    labels=["one step", "many steps"],
    size=1.15,
)

# %% [markdown]
# **One step is closer to the original. Many steps are sharper, and they still make a picture where nothing of the original is left.** Look at the right column: at $t = 990$ the boat is gone. One step answers with a blur,
# something like an average of the boats that the network knows. Many steps make one boat out of the same noise. It is not the original, since that cannot be known any more.
#
# So if you want a noisy picture back as it was, take one step. If you want a new picture, take many.
#
# ## The idea
#
# One step has to guess the whole picture at once, so it answers with an average of all that fit ([1.3](a1_3_one_step_denoising.ipynb)). Many steps need not. Each makes a picture with a bit less noise. Then
# the network looks again, sees more, and guesses better.
#
# We visit every 30th timestep: 990, 960, .., 30, 0. All chapters of Part A use this list. (At $t = 0$ a trace of noise is left, too weak to be seen.) A step goes from $t$ to the next timestep $t'$ of the list. It mixes
# two things: the guess $\hat x_0$, and the noisy picture $x_t$ that is at hand.
#
# **Why a step also adds noise.** The guess has no noise, so the mixture has less noise than belongs to $t'$. The network was trained with the full amount, and would take the missing noise for plain areas. So the
# step adds fresh noise $z$, just as much as is missing {cite:p}`ho2020`:
#
# $$ x_{t'} = a\,\hat x_0 + b\, x_t + \sqrt{\tilde\beta}\, z \tag{N.3} $$
#
# * $\hat x_0$ is the clean picture that the network sees in $x_t$, by (N.2).
# * $z \sim \mathcal N(0, I)$ is the fresh noise, and $\tilde\beta$ ("beta tilde") is its variance.
# * $a$, $b$ and $\tilde\beta$ follow from $\bar\alpha_t$ and $\bar\alpha_{t'}$. These are their values at the start, in the middle and at the end of the list:

# %% tags=["remove-input"]
rows = []
for i in by_profile(full=(0, 16, 32), fast=(0, 4, 8)):
    t, t_prev = timesteps[i : i + 2]
    x0_hat, x_t, z = torch.eye(3).double()  # a step is linear: one factor at a time
    factors = schedule.step(x_t, x0_hat, t, t_prev, z)
    rows.append([f"{t} → {t_prev}", *(f"{factor:.2f}" for factor in factors)])
table(
    rows,
    ["step", "a, of the guess", "b, of the noisy picture", "√β̃, of fresh noise"],
    "At the start nearly all noise is replaced by fresh noise. That loses nothing, since it holds no picture yet. In the middle a step keeps most of the noisy picture. The last step takes nearly the whole guess.",
)

# %% [markdown]
# `````{dropdown} The formulas of the three numbers, and their code
# $$ a = \frac{\sqrt{\bar\alpha_{t'}}\,\beta}{1-\bar\alpha_t}, \qquad b = \frac{\sqrt{\alpha}\,(1-\bar\alpha_{t'})}{1-\bar\alpha_t} $$
#
# $$ \tilde\beta = \frac{1-\bar\alpha_{t'}}{1-\bar\alpha_t}\,\beta \tag{N.4} $$
#
# Here $\alpha = \bar\alpha_t / \bar\alpha_{t'}$ is the share of the picture's variance that the forward process leaves between $t'$ and $t$, and $\beta = 1 - \alpha$ is the variance of the noise that it adds there.
# In code $t'$ is called `t_prev`, and $x_{t'}$ is `mean + variance.sqrt() * z`:
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.step
# :start-at: alpha_bar, alpha_bar_prev
# :end-at: (N.4)
# :dedent:
# ```
# `````
#
# The loop around the step is short. Here it denoises the sailboat from $t = 690$ on, which is number 10 of the list (`i_start`, counted from 0). The prompt is "a high quality photo", as in 1.3. The function `noised` is the
# forward process; it also returns the random generator that the fresh noise comes from.

# %%
photo = model.denoiser("a high quality photo")
x, noise = noised(model, boat, i_start, [0], timesteps)
path = []
for t, t_prev in pairwise(timesteps[i_start:]):
    eps = photo(x, t).eps
    x0_hat = schedule.predict_x0(x, t, eps)  # (N.2)
    path.append((t, x, x0_hat))
    z = noise_like(x, noise)
    x = schedule.step(x, x0_hat, t, t_prev, z)  # (N.3)

# %% mystnb={"figure": {"caption": "The loop at work: the noisy picture $x_t$ at every fifth step (top), and the clean picture $\\hat x_0$ that the network sees in it (bottom). Last column: the result, and the original to compare. Seed 0, \"a high quality photo\".", "name": "fig-a14-steps"}, "image": {"alt": "Top, a noisy sailboat becomes a clean picture from left to right. Bottom, the guesses, soft at first, and at the end the original."}} tags=["hide-input"]
shown = path[::5]
grid(
    [
        unit_range(torch.cat([*(x_t for _, x_t, _ in shown), x])),
        unit_range(torch.cat([*(x0_hat for *_, x0_hat in shown), boat])),
    ],
    titles=[*(f"$t={t}$" for t, *_ in shown), "$t=0$"],
    labels=["$x_t$", "$\\hat x_0$;\nlast: original"],
    size=1.15,
)

# %% mystnb={"code_prompt_show": "Show the loop as a film", "figure": {"caption": "The same loop, every other step and the last. Left: $x_t$; right: $\\hat x_0$.", "name": "fig-a14-animation"}} tags=["remove-input", "hide-output"]
frames = [*path[:-1:2], path[-1]]
animation(
    [unit_range(torch.cat([x_t, x0_hat], 3)) for _, x_t, x0_hat in frames],
    alt="Left, noise fades from a picture; right, the estimate of the clean picture sharpens.",
    captions=[f"t = {t}" for t, *_ in frames],
)

# %% [markdown]
# All chapters from here on use this loop. In the package it is called `trajectory`.
#
# ## What you see
#
# In {numref}`fig-a14-steps` the noise of the upper row fades while the guess below it settles. Here is the end of the loop for three pictures, beside a blur and one step. The last column is the loop without fresh noise:

# %% mystnb={"figure": {"caption": "From the same noisy pictures ($t = 690$, seed 0): a blur 3 pixels wide, one large step, 23 small steps, and 23 small steps with $z = 0$. Prompt \"a high quality photo\".", "name": "fig-a14-compare"}, "image": {"alt": "A sailboat, a mushroom and a cactus in six columns: the original; the noisy one; a blur, in which only colours are left; one step, soft; many steps, sharper; and many steps without fresh noise, a few plain patches."}} tags=["hide-input"]
names = ["sailboat", "mushroom", "cactus"]
clean = torch.stack([shipped_image(name) for name in names]).to(model.device)
noisy, _ = noised(model, clean, i_start, [0, 0, 0], timesteps)
first, *_, end = denoise_from(model, photo, clean, i_start, [0, 0, 0], timesteps)
blur = low_pass(3)(noisy / schedule.at(timesteps[i_start]).sqrt())
no_noise = noisy
for t, t_prev in pairwise(timesteps[i_start:]):
    x0_hat = schedule.predict_x0(no_noise, t, photo(no_noise, t).eps)
    z = torch.zeros_like(x0_hat)
    no_noise = schedule.step(no_noise, x0_hat, t, t_prev, z)
ways = {
    "original": clean,
    f"$t={timesteps[i_start]}$": noisy,
    "blur": blur,
    "one step": first.x0_hat,
    "many steps": end.x,
    "$z=0$": no_noise,
}
grid(
    [unit_range(torch.stack([w[i] for w in ways.values()])) for i in range(3)],
    titles=list(ways),
    size=1.15,
)

# %% [markdown]
# One step is soft. Many steps have sharper edges, but not always where the original has them: at $t = 690$ much is covered, and the loop makes up the rest. Without fresh noise, the loop ends in plain patches.
#
# ## Closer, or sharper?
#
# How close a result is to the original is the PSNR of [1.2](a1_2_classical_denoising.ipynb). Its **sharpness** says how steep its strongest edges are, compared with those of the original; 1 means as steep.

# %% mystnb={"figure": {"caption": "Three ways to denoise, against the timestep that they start from. Left: how close the result is to the original. Right: how sharp it is (the mean of the largest twentieth of all differences between neighbouring pixels, divided by the same of the original). Mean and standard error over 64 drawings, which the network was trained on; \"a high quality photo\". Stored by `python -m benchmarks.denoising`.", "name": "fig-a14-measured"}, "image": {"alt": "Two plots over t. Left, PSNR falls with t, highest for one step. Right, many steps stay sharp while one step and the blur get softer with t."}} tags=["hide-input"]
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


# %% mystnb={"code_prompt_show": "Show the numbers, also for pictures that the network has not seen"} tags=["remove-input", "hide-output"]
def named(kind, way, t):
    rank = np.array(stored[kind][t][way]["rank"] if t else stored[kind][way]["rank"])
    return f"{(rank == 1).mean():.0%}"


def pm(x, digits):
    return f"{x.mean():.{digits}f} ± {error(x):.{digits}f}".replace(" ", "\u00a0")


t = starts[0]
rows = []
for kind in ("drawings", "unseen"):
    rows.append([f"{kind}: original", "", "", named(kind, "original", None)])
    for way in ("blur", "one step", "many steps"):
        psnr, sharpness = (values(kind, t, way, m) for m in ("psnr", "sharpness"))
        numbers = [pm(psnr, 1), pm(sharpness, 2), named(kind, way, t)]
        rows.append([f"{kind}: {way}", *numbers])
table(
    rows,
    ["", "PSNR, dB", "sharpness", "named"],
    f"Start at t = {t}. Mean ± standard error over {len(stored['drawings'][t]['blur']['psnr'])} drawings that the network was trained on, and over three unseen pictures with "
    f"{len(stored['unseen'][t]['blur']['psnr']) // 3} seeds each (here the error says nothing about other pictures). Named: how often the judge of 1.6, a network that was trained to name drawings, gives the right name first.",
)

# %% [markdown]
# One step is ahead in PSNR at each start, and many steps in sharpness. A good loop must lose in PSNR. One step answers with something close to the mean of all pictures that fit, and no answer has a smaller mean squared error than
# that mean. A perfect loop would draw *one* of these pictures, and that costs up to 3 dB (the reason is at the end of the page).
#
# ## Where it fails
#
# What the noise has covered, the loop must make up, and each run makes up something else:

# %% mystnb={"figure": {"caption": "The test image from $t = 690$, \"a high quality photo\". Top: one noisy picture (seed 0), and four runs of the loop that differ in the fresh noise only (seeds 1 to 4). Bottom: four noisy pictures (seeds 0 to 3), and the same fresh noise (seed 1) in each run. Right: the standard deviation over the four, white where it is largest.", "name": "fig-a14-seeds"}, "image": {"alt": "Two rows of four pictures, red above blue, that differ in their shapes, each row with a map of its differences."}} tags=["hide-input"]
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
    size=1.3,
)

# %% [markdown]
# What could still be seen in the noise is in all eight: something red above something blue. The rest differs, even in the top row, where all four started from the same noisy picture. That rest is made up,
# and a single result does not say which of its parts are.
#
# ## Try it
#
# * In the code of {numref}`fig-a14-starts`, ask for `"a mushroom"`. How far to the right must you go before the boat is forgotten?
# * Take larger steps: in the loop, replace `timesteps[i_start:]` by `[690, 460, 230, 0]`. With only three steps the result
#   is closer to that of one step: its edges are softer.
#
# ## More
#
# ```{dropdown} Why a perfect loop costs 3 dB
# Given a noisy picture, let $x$ and $x_0$ be two independent draws from the pictures that fit, with mean $\mu$: one is what the loop draws, the other is the original. Then $x - x_0 = (x - \mu) - (x_0 - \mu)$. Both parts have mean 0 and the same
# expected square, and they are independent, so
#
# $$ \mathbb E \lVert x - x_0 \rVert^2 = 2\, \mathbb E \lVert x_0 - \mu \rVert^2. $$
#
# On the right is the error of the best possible single step. A factor of two in the squared error is 3 dB.
# ```
#
# ```{dropdown} Where the step comes from: the product of two Gaussians
# We look for the distribution of the less noisy picture $x_{t'}$, given the noisy one $x_t$ and the clean one $x_0$. By Bayes' rule
#
# $$ q(x_{t'} \mid x_t, x_0) \propto q(x_t \mid x_{t'})\; q(x_{t'} \mid x_0). $$
#
# Both factors are known. The second is the forward process of [1.1](a1_1_forward.ipynb). The first is the forward process from $t'$ on to $t$, with $\alpha$ and $\beta$ as in (N.4):
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
# ```{dropdown} DDIM
# DDIM {cite:p}`song2021` is the same loop with other factors and without $z$. There the start alone decides which picture comes out.
# ```
