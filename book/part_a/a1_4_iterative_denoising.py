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
# Why take many small steps, when one large step already removes the noise? **The best answer of one step is an average
# of all pictures that fit. Many steps decide a little each time, and end at one picture.**

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

# %% mystnb={"figure": {"caption": "A drawing of a mushroom, and what becomes of it when it is noised to a larger and larger $t$ (seed 0) and then denoised: in one large step, and in many small steps. The network was not trained on this drawing. Prompt \"a mushroom\".", "name": "fig-a14-starts"}, "image": {"alt": "On the left the original mushroom. Top: one step, with blurred edges. Bottom: many steps, with clear edges; the last is another mushroom, with white dots."}} tags=["hide-input"]
mushroom = shipped_image("mushroom")[None].to(model.device)
denoise = model.denoiser("a mushroom")
one_step, many_steps = [mushroom], [mushroom]
for i in i_starts:
    first, *_, end = denoise_from(model, denoise, mushroom[0], i, [0], timesteps)
    one_step.append(first.x0_hat)
    many_steps.append(end.x)
grid(
    [unit_range(torch.cat(row)) for row in (one_step, many_steps)],
    titles=["original", *(f"$t={timesteps[i]}$" for i in i_starts)],
    labels=["one step", "many steps"],
    size=1.15,
)

# %% [markdown]
# One step gives soft edges and pale spots. From $t = 690$ to 930 the loop gains clear outlines, but loses spots: none is left at 690 and 780, one at 870 and 930. Its best mushroom comes from $t = 990$, and is another one: there the loop is free, while at 690 it must keep what $x_t$ still shows.
# Long steps may cost spots, too: with them even a perfect network's results spread too little ([B2](../part_b/b2_time_conditioned.ipynb)). (No guidance on this page: $\gamma = 1$.)
#
# ## The idea
#
# The average is that of [1.3](a1_3_one_step_denoising.ipynb). **How does the loop come to one picture?**
#
# 1. A step mixes some of the guess $\hat x_0$ into the picture, and adds a little fresh noise.
# 2. The fresh noise is random. It pushes the picture a little towards one of the pictures that fit.
# 3. The next guess leans the same way, and is mixed in again. Small pushes add up to a decision.
#
# The smallest example is the pixel of 1.3, black ($-1$) or white ($1$). Its best guess
# is $\hat x_0 = \tanh\big(\sqrt{\bar\alpha_t}\,x_t / (1-\bar\alpha_t)\big)$.

# %% mystnb={"figure": {"caption": "The guess for the one pixel. Eight runs start on the left from the same noisy pixel, $x_{990} = 0$, which fits black and white equally well. They differ in the fresh noise only. Dashed: the answer of one step.", "name": "fig-a14-pixel"}, "image": {"alt": "Eight lines begin together in the middle, at 0. They wander, move apart, and end at 1 or at -1. A dashed line stays at 0."}} tags=["hide-input"]
runs = 8
pixel, rng = torch.zeros(runs, 1), generators(range(runs))
guesses = []
for t, t_prev in pairwise(strided_timesteps(990, 30)):
    alpha_bar = schedule.at(t)
    x0_hat = torch.tanh(alpha_bar.sqrt() * pixel / (1 - alpha_bar))
    guesses.append(x0_hat[:, 0])
    pixel = schedule.step(pixel, x0_hat, t, t_prev, noise_like(pixel, rng))

fig, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
ax.plot(strided_timesteps(990, 30)[:-1], torch.stack(guesses), lw=1.2)
ax.axhline(0, color="grey", ls="--")
ax.set(xlim=(1000, 0), xlabel="$t$", ylabel=r"guess $\hat x_0$", yticks=[-1, 0, 1])
ax.set_yticklabels(["black, $-1$", "0", "white, $1$"])
plt.show()

# %% [markdown]
# One step answers 0, the mean of black and white. Each run of the loop ends at black or at white, and the fresh noise decides at which.
#
# ## One step of the loop
#
# We visit every 30th timestep: 990, 960, .., 30, 0, in all chapters of Part A. A step goes from $t$ to the next timestep $t'$ of the list, in
# code `t_prev`. From $t'$ to $t$ the forward process leaves the share $\alpha = \bar\alpha_t / \bar\alpha_{t'}$ of the picture's variance, and adds noise of variance $\beta = 1 - \alpha$. (The $\beta_t$ of 1.1 is for steps of 1, this $\beta$ for 30.) The step {cite:p}`ho2020` is
#
# $$ x_{t'} = a\,\hat x_0 + b\, x_t + \sqrt{\tilde\beta}\, z \tag{N.3} $$
#
# $$ a = \frac{\sqrt{\bar\alpha_{t'}}\,\beta}{1-\bar\alpha_t}, \qquad b = \frac{\sqrt{\alpha}\,(1-\bar\alpha_{t'})}{1-\bar\alpha_t} $$
#
# $$ \tilde\beta = \frac{1-\bar\alpha_{t'}}{1-\bar\alpha_t}\,\beta \tag{N.4} $$
#
# * $\hat x_0$ is the clean picture that the network sees in $x_t$, by (N.2).
# * $z \sim \mathcal N(0, I)$ is the fresh noise. Its factor makes its variance $\tilde\beta$ ("beta tilde").
#
# If both ends $x_0$ and $x_t$ of the forward process are known, $q(x_{t'} \mid x_t, x_0)$ says how probable each $x_{t'}$ between them is. The step draws from it, with $\hat x_0$ for $x_0$. (The end of the page derives it, for any $t' < t$.)
#
# **Why just this much fresh noise?** After the factor $b$, the noise in $x_t$ has less variance than belongs to $t'$. The fresh noise is the difference:
#
# $$ b^2\,(1-\bar\alpha_t) + \tilde\beta = \frac{1-\bar\alpha_{t'}}{1-\bar\alpha_t}\,\big(\alpha\,(1-\bar\alpha_{t'}) + \beta\big) = 1-\bar\alpha_{t'}, $$
#
# since $\alpha\bar\alpha_{t'} = \bar\alpha_t$ and $\alpha + \beta = 1$.

# %% tags=["remove-input"]
rows = []
for i in by_profile(full=(0, 8, 16, 24, 32), fast=(0, 4, 8)):
    t, t_prev = timesteps[i : i + 2]
    x0_hat, x_t, z = torch.eye(3).double()  # a step is linear: one factor at a time
    factors = schedule.step(x_t, x0_hat, t, t_prev, z)
    rows.append([f"{t} → {t_prev}", *(f"{factor:.2f}" for factor in factors)])
table(
    rows,
    ["step", "a: of the guess", "b: of the noisy picture", "√β̃: of fresh noise"],
    "The factors of (N.3) in some of the steps.",
)

# %% [markdown]
# The first step replaces nearly all noise. One in the middle keeps most of the noisy picture. The last takes nearly the whole guess.
#
# In code:
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.step
# :lines: 1,17-24,29
# :dedent: 4
# ```
#
# Here is the loop around the step. It starts at $t = 690$, number 10 of the list (`i_start`, counted from 0). `noised` is the forward process with the noise of seed 0. It also returns `rng`, the random
# generator of the fresh noise.

# %%
denoise = model.denoiser("a mushroom")
x, rng = noised(model, mushroom, i_start, [0], timesteps)
path = []
for t, t_prev in pairwise(timesteps[i_start:]):
    eps = denoise(x, t).eps
    x0_hat = schedule.predict_x0(x, t, eps)  # (N.2)
    path.append((t, x, x0_hat))
    z = noise_like(x, rng)
    x = schedule.step(x, x0_hat, t, t_prev, z)  # (N.3)

# %% mystnb={"figure": {"caption": "The loop at work: the noisy picture $x_t$ at every fifth step and at the end (top), and the clean picture $\\hat x_0$ that the network sees in it (bottom). Seed 0, \"a mushroom\".", "name": "fig-a14-steps"}, "image": {"alt": "Top, a noisy mushroom becomes a clean picture from left to right, and beside it is the original. Bottom, the guesses: soft at first, with clearer edges later."}} tags=["hide-input"]
shown = path[::5]
grid(
    [
        unit_range(torch.cat([*(x_t for _, x_t, _ in shown), x, mushroom])),
        unit_range(torch.cat([x0_hat for *_, x0_hat in shown])),
    ],
    titles=[*(f"$t={t}$" for t, *_ in shown), "$t=0$", "original"],
    labels=["$x_t$", "$\\hat x_0$"],
    size=1.0,
)

# %% mystnb={"code_prompt_show": "Show the loop as a film", "figure": {"caption": "The same loop, every other step and the last. Left: $x_t$; right: $\\hat x_0$.", "name": "fig-a14-animation"}} tags=["remove-input", "hide-output"]
frames = [*path[:-1:2], path[-1]]
animation(
    [unit_range(torch.cat([x_t, x0_hat], 3)) for _, x_t, x0_hat in frames],
    alt="Left, noise fades from a picture; right, the estimate of the clean picture sharpens.",
    captions=[f"t = {t}" for t, *_ in frames],
)

# %% [markdown]
# In the package the loop is called `trajectory`.
#
# ## What you see
#
# In {numref}`fig-a14-steps` the outline of the guess becomes clearer, but its pale spots fade. Here is the end of the loop for three drawings:

# %% mystnb={"figure": {"caption": "From the same noisy pictures ($t = 690$, seed 0): a blur 3 pixels wide, one large step, 23 small steps, and 23 small steps with $z = 0$, that is without fresh noise. Prompts \"a sailboat\", \"a mushroom\", \"a cactus\".", "name": "fig-a14-compare"}, "image": {"alt": "A sailboat, a mushroom and a cactus in six columns: the original; the noisy one; a blur, in which colours and rough shapes are left; one step, soft; many steps, sharper; and many steps without fresh noise, a few plain patches."}} tags=["hide-input"]
names = ["sailboat", "mushroom", "cactus"]
clean = torch.stack([shipped_image(name) for name in names]).to(model.device)
denoise = model.denoiser([f"a {name}" for name in names])
noisy, _ = noised(model, clean, i_start, [0, 0, 0], timesteps)
first, *_, end = denoise_from(model, denoise, clean, i_start, [0, 0, 0], timesteps)
blur = low_pass(3)(noisy / schedule.at(timesteps[i_start]).sqrt())
no_noise = noisy
for t, t_prev in pairwise(timesteps[i_start:]):
    x0_hat = schedule.predict_x0(no_noise, t, denoise(no_noise, t).eps)
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
# One step is soft. Many steps have clearer edges, but not always where the original has them. Without fresh noise (last column) this loop ends in plain patches. The picture holds less noise than the network was trained on at
# $t'$; perhaps it takes the smoothness for a part of the drawing.
#
# ## Closer, or sharper?
#
# How close a result is to the original is the PSNR of [1.2](a1_2_classical_denoising.ipynb). Its **sharpness** is how large the differences of neighbouring pixels are at its strongest edges (mean of the largest 5 %), as a share of the original's. Faint details do not count.

# %% mystnb={"figure": {"caption": "Three ways to denoise, against the timestep that they start from. Small dots: the three drawings of {numref}`fig-a14-compare`, which the network was not trained on, each as a mean over several seeds. Lines: the mean of the three. Prompt \"a high quality photo\", which names no thing.", "name": "fig-a14-measured"}, "image": {"alt": "Two plots over t. Left, PSNR falls with t: one step is highest, then many steps, then the blur. Right, sharpness falls too: many steps are sharpest, then one step, then the blur."}} tags=["hide-input"]
stored = json.loads((ROOT / "benchmarks/results/denoising.json").read_text())
starts = [key for key in stored["drawings"] if key != "original"]


def values(kind, t, way, measure):
    """One number for each picture; sharpness as a share of the original's."""
    found = np.array(stored[kind][t][way][measure])
    of = stored[kind]["original"][measure] if measure == "sharpness" else 1
    return found / of


fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for ax, measure, label in [
    (axes[0], "psnr", "PSNR, dB"),
    (axes[1], "sharpness", "sharpness, original = 1"),
]:
    for way, style in ("blur", "^:"), ("one step", "s--"), ("many steps", "o-"):
        each = [values("unseen", t, way, measure).reshape(3, -1) for t in starts]
        x = [int(t) for t in starts]
        (line,) = ax.plot(x, [found.mean() for found in each], style, label=way)
        for drawing in np.transpose([found.mean(1) for found in each]):
            ax.plot(x, drawing, ".", color=line.get_color(), alpha=0.6, ms=4)
    ax.set(xlabel="start at $t$", ylabel=label, xticks=[int(t) for t in starts])
axes[1].set_ylim(0, None)
axes[0].legend()
plt.show()


# %% mystnb={"code_prompt_show": "Show the gap in numbers, also for drawings that the network was trained on"} tags=["remove-input", "hide-output"]
rows = []
for kind, name in ("unseen", "the three"), ("drawings", "trained on"):
    for t in starts:
        one, many = (values(kind, t, way, "psnr") for way in ("one step", "many steps"))
        sharp = [
            values(kind, t, way, "sharpness") for way in ("one step", "many steps")
        ]
        numbers = [
            f"{one.mean() - many.mean():.1f}",
            *(f"{x.mean():.2f}" for x in sharp),
        ]
        rows.append([f"{name}, t = {t}", *numbers])
table(
    rows,
    ["", "PSNR, one step − many, dB", "sharpness, one step", "sharpness, many"],
    f"The three drawings of the plot, and {len(one)} that the network was trained on.",
)

# %% [markdown]
# One step is closer at each start, and many steps are sharper. A good loop must lose in PSNR. Let $\mu$ be the mean of all pictures that fit, the best answer of one step. A perfect loop draws one of them, $x$. The original $x_0$ is
# another such draw, independent of $x$ and on average as far from $\mu$. So the squared error doubles, which costs 3 dB:
#
# $$ \mathbb E \lVert x - x_0 \rVert^2 = \mathbb E \lVert x - \mu \rVert^2 + \mathbb E \lVert x_0 - \mu \rVert^2 = 2\, \mathbb E \lVert x_0 - \mu \rVert^2. $$
#
# The loop here loses less than 3 dB. So its one step is not exactly $\mu$, or its result is not such a draw.
#
# ## Where it fails
#
# What the noise has covered is made up. If you want the original back, that is a fault:

# %% mystnb={"figure": {"caption": "The mushroom at $t = 870$ (seed 0), what one step makes of it, and four runs of the loop from this one noisy picture. They differ in the fresh noise only (seeds 1 to 4).", "name": "fig-a14-seeds"}, "image": {"alt": "A square of noise, a soft mushroom, and four mushrooms with clearer edges, which differ in their dots and stems."}} tags=["hide-input"]
i_covered, many = by_profile(full=4, fast=1), by_profile(full=4, fast=2)
denoise, later = model.denoiser("a mushroom"), timesteps[i_covered:]
x_t, _ = noised(model, mushroom[0], i_covered, [0] * many, timesteps)
rng = generators(range(1, 1 + many))
x0_hat = schedule.predict_x0(x_t, later[0], denoise(x_t, later[0]).eps)
ends = last(trajectory(denoise, x_t, later, schedule, generators=rng))
grid(
    [unit_range(torch.cat([x_t[:1].cpu(), x0_hat[:1].cpu(), ends]))],
    titles=[f"$t={later[0]}$", "one step", *(f"seed {s}" for s in range(1, 1 + many))],
    size=1.15,
)

# %% [markdown]
# All runs agree on a red cap over a light stem. The details differ, and a single result does not tell which of them are made up. If you want a *new* picture, this is no fault: [1.5](a1_5_sampling.ipynb).
#
# ## Try it
#
# * In the code of {numref}`fig-a14-starts`, ask for `"a red apple"`. How far to the right must you go before the mushroom is forgotten?
# * In the loop, replace `timesteps[i_start:]` by `[690, 460, 230, 0]`. How do the edges look after only three steps? Why?
#
# ## More
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
# again with $\alpha \bar\alpha_{t'} = \bar\alpha_t$ and $\alpha + \beta = 1$. That is (N.4). Its mean is the mean of the two means, weighted by their precisions:
#
# $$ \tilde\beta \left( \frac{\alpha}{\beta} \cdot \frac{x_t}{\sqrt\alpha} + \frac{\sqrt{\bar\alpha_{t'}}\, x_0}{1 - \bar\alpha_{t'}} \right) = \frac{\sqrt\alpha\,(1 - \bar\alpha_{t'})}{1 - \bar\alpha_t}\, x_t + \frac{\sqrt{\bar\alpha_{t'}}\,\beta}{1 - \bar\alpha_t}\, x_0. $$
#
# To draw from it, add noise of variance $\tilde\beta$ to the mean. The clean picture $x_0$ is not known, so the guess $\hat x_0$ stands in for it. This gives (N.3).
# ```
#
# ```{dropdown} Long steps, and networks that learn the variance
# The step takes the guess $\hat x_0$ for the truth. With small steps that does little harm.
# [B2](../part_b/b2_time_conditioned.ipynb) measures the harm of long steps on data for which the perfect denoiser is known.
# (The loop of DDIM {cite:p}`song2021` needs no fresh noise: its factors keep the noise in $x_t$ at the right strength.)
#
# Some networks, as the coursework's own, also answer with a variance of the fresh noise. Then it takes the place of $\tilde\beta$, see (N.5) of the [notation](../notation.md); in code it is the second part of a
# network's answer, `nu`. Emoji-64 uses (N.4) as it is. The loop above leaves `nu` out; `trajectory` uses it.
# ```
