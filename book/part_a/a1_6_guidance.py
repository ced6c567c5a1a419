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
# # 1.6 Classifier-free guidance
#
# How do we make the model take the prompt seriously?

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

from diffusion_utils.denoisers import guided
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import held_out, load_evaluator, ranks
from diffusion_utils.files import ROOT
from diffusion_utils.metrics import share
from diffusion_utils.profile import by_profile
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.tasks import generate
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% mystnb={"figure": {"caption": "Three prompts at five guidance scales $\\gamma$. Each row starts from the same noise (seeds 0, 1, 2 from top to bottom), timesteps 990, 960, .., 0.", "name": "fig-a16-gammas"}, "image": {"alt": "Three rows of five pictures. At gamma 0 they show no particular thing; with growing gamma they become a rocket, a red apple and a penguin; at 15 their colours are glaring."}} tags=["hide-input"]
prompts = ["a rocket ship", "a red apple", "a penguin"]
gammas = by_profile(full=[0, 1, 4, 7, 15], fast=[0, 7])
with_prompt, without = model.denoiser(prompts), model.denoiser("")
columns = [
    generate(model, guided(with_prompt, without, gamma), range(3), timesteps)
    for gamma in gammas
]
grid(
    [unit_range(torch.stack(row)) for row in zip(*columns, strict=True)],
    titles=[rf"$\gamma={gamma}$" for gamma in gammas],
    labels=prompts,
    size=1.35,
)

# %% [markdown]
# ```{live} generate
# ```

# %% [markdown]
# ## The idea
#
# Ask the network twice about the same noisy picture: with the prompt, and with the empty prompt "". The difference of its two answers is what the prompt changes. **Guidance** goes
# further in this direction than the network itself would {cite:p}`hosalimans2022`:
#
# $$ \epsilon = \epsilon_u + \gamma\,(\epsilon_c - \epsilon_u) \tag{N.6} $$
#
# * $\epsilon_c$ is the noise that the network sees with the prompt (c for conditional).
# * $\epsilon_u$ is the noise that it sees with the empty prompt (u for unconditional).
# * $\gamma$ ("gamma") is the **guidance scale**. With $\gamma = 0$ the prompt is ignored, $\gamma = 1$ is the loop of [1.5](a1_5_sampling.ipynb), and with $\gamma > 1$ the prompt counts for more than it should.

# %% mystnb={"figure": {"caption": "Guidance as two arrows: a sketch in two dimensions, of what happens in the $64 \\times 64 \\times 3$ dimensions of a picture.", "name": "fig-a16-arrows"}, "image": {"alt": "From one point start two arrows, the estimates without and with the prompt. A third arrow goes from the tip of the first through the tip of the second, and four times as far. The guided estimate is the arrow from the start to its tip."}} tags=["hide-input"]
eps_u, eps_c, gamma = np.array([1.0, 1.7]), np.array([1.9, 1.35]), 4
eps = eps_u + gamma * (eps_c - eps_u)


def arrow(start, end, colour, style="-|>", dashed=False):
    kind = {"arrowstyle": style, "color": colour, "lw": 2, "shrinkA": 0, "shrinkB": 0}
    kind |= {"ls": "--" if dashed else "-", "mutation_scale": 18}
    ax.annotate("", end, start, arrowprops=kind)


fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
origin = np.zeros(2)
arrow(eps_u, eps, "C1", dashed=True)
arrow(origin, eps_u, "grey")
arrow(origin, eps_c, "C0")
arrow(origin, eps, "C3")
for where, text, colour, shift in [
    (eps_u, r"$\epsilon_u$  without prompt", "grey", (-0.1, 0.16)),
    (eps_c, r"$\epsilon_c$  with prompt", "C0", (0.05, 0.12)),
    (eps, rf"$\epsilon$  guided, $\gamma={gamma}$", "C3", (-0.05, -0.3)),
    ((eps_c + eps) / 2, r"$\gamma\,(\epsilon_c - \epsilon_u)$", "C1", (0.1, 0.12)),
]:
    ax.text(*(where + np.array(shift)), text, color=colour, fontsize=12)
ax.set(xlim=(-0.2, 6.2), ylim=(-0.2, 2.2), aspect="equal")
ax.set_axis_off()
plt.show()

# %% [markdown]
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: guided
# :start-at: both = together
# :prepend: def guided(conditional, unconditional, gamma):
# ```
#
# A technique like this is a function from two denoisers to a new one, so the loop does not change at all. (`together` asks both in one batch. A model that predicts the variance too keeps the one
# of the conditional estimate, `nu`.)

# %%
prompt = "a high quality photo"
denoise = guided(model.denoiser(prompt), model.denoiser(""), gamma=7)
samples = generate(model, denoise, range(5), timesteps)

# %% mystnb={"figure": {"caption": "Five samples of \"a high quality photo\", seeds 0 to 4, without guidance (the pictures of {numref}`fig-a15-samples`) and with $\\gamma = 7$; timesteps 990, 960, .., 0.", "name": "fig-a16-samples"}, "image": {"alt": "Two rows of five pictures from the same noise. With guidance the colours change; the things that they show are not easier to name."}} tags=["hide-input"]
plain = generate(model, model.denoiser(prompt), range(5), timesteps)
grid(
    [unit_range(plain), unit_range(samples)],
    titles=[f"seed {s}" for s in range(5)],
    labels=[r"$\gamma=1$", r"$\gamma=7$"],
    size=1.5,
)

# %% [markdown]
# ## What to see
#
# In {numref}`fig-a16-gammas` the first column does not know the prompt. At $\gamma = 1$ the colours and the rough shape of the thing are there. At $\gamma = 4$ and 7 the thing is clearer, with stronger colours and harder outlines.
# At 15 the colours are glaring.
#
# In {numref}`fig-a16-samples` guidance does not help. "A high quality photo" names no thing, so there is nothing to go towards. Guidance enlarges whatever difference there is between the two estimates, and the pictures get no
# clearer.
#
# ## How often is the prompt recognised?
#
# A second network, the evaluator, was trained to name drawings and never saw a generated one. It looks at one picture for each prompt. We count how often the right name is its first guess (top-1), or among its first five (top-5).

# %% mystnb={"figure": {"caption": "Recognised prompts against $\\gamma$; the bars are one standard error. Dashed: the same for real drawings of the same names, in a style that the evaluator has not seen. One picture for each prompt, every eighth name, seed 0, timesteps spread evenly over 999 .. 0; stored by `python -m benchmarks.emoji64_quality`.", "name": "fig-a16-accuracy"}, "image": {"alt": "Two curves of accuracy against gamma, top-5 above top-1, with dashed lines for real drawings."}} tags=["hide-input"]
result = json.loads((ROOT / "benchmarks/results/emoji64.json").read_text())
every = 8
drawn = np.array(list(result["ranks"].values()))  # of all names, at gamma = 4
real = 1 + ranks(load_evaluator()[0], *held_out(emoji())).numpy()


def shares(found):
    return {"top1": (found <= 1).mean(), "top5": (found <= 5).mean()}


newest = result["runs"][-1]["weights"]
n = len(drawn[::every])
now = [r for r in result["runs"] if r["weights"] == newest and r["names"] == n]
now = sorted([*now, {"gamma": 4} | shares(drawn[::every])], key=lambda r: r["gamma"])


def error(p, of):
    return share(p * of, of)[1]


fig, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
for key, colour in [("top5", "C0"), ("top1", "C1")]:
    ax.errorbar(
        [r["gamma"] for r in now],
        [r[key] for r in now],
        [error(r[key], n) for r in now],
        marker="o",
        capsize=2,
        color=colour,
        label=key.replace("top", "top-"),
    )
    ax.axhline(shares(real[::every])[key], color=colour, ls="--")
ax.set(xlabel=r"$\gamma$", ylabel="share recognised", ylim=(0, 1))
ax.legend()
plt.show()

# %% tags=["hide-input"]
runs = [(f"{r['gamma']:g}", n, r) for r in now]
runs += [("real drawings", n, shares(real[::every]))]
runs += [("4, all names", len(drawn), shares(drawn))]
runs += [("real drawings, all names", len(real), shares(real))]
table(
    [
        [
            title,
            of,
            *(f"{r[k]:.0%} ± {error(r[k], of):.0%}" for k in ("top1", "top5")),
        ]
        for title, of, r in runs
    ],
    ["γ", "names", "top-1", "top-5"],
    f"The numbers of the figure, with their standard errors, and the same for all names. By chance, {5 / len(real):.0%} would be among the first five.",
)

# %% [markdown]
# From $\gamma = 1$ to 2 many more pictures are recognised. At 4 and 7 the shares differ from those at 2 by about their errors. At 12 they are lower again: too much guidance does harm. (The evaluator does not see as a person does, see the
# [appendix](../appendix/emoji64.ipynb). The numbers are those of Emoji-64, whichever model drew the figures above.)
#
# ## Where it fails
#
# Too much guidance asks for pictures that are more typical than any real one. The values leave the range from $-1$ to $1$ that a picture can have, and the screen cuts them off. Colours become glaring.

# %% mystnb={"figure": {"caption": "The pictures of {numref}`fig-a16-gammas` at the largest $\\gamma$. Below, in black, the pixels where a colour is more than 0.1 outside $[-1, 1]$.", "name": "fig-a16-outside"}, "image": {"alt": "Three pictures with glaring colours, and below each a map of the pixels whose values are out of range."}} tags=["hide-input"]
outside = (columns[-1].abs() > 1.1).any(1, keepdim=True).float().expand(-1, 3, -1, -1)
grid([unit_range(columns[-1]), 1 - outside], titles=prompts, size=1.5)

# %% tags=["hide-input"]
table(
    [
        [
            gamma,
            f"{(column.abs() > 1.1).double().mean():.1%}",
            f"{column.abs().max():.2f}",
        ]
        for gamma, column in zip(gammas, columns, strict=True)
    ],
    ["γ", "values beyond ±1.1", "largest value"],
    "All three pictures of a column of the first figure.",
)

# %% [markdown]
# The larger $\gamma$, the more values leave the range. [B3](../part_b/b3_class_conditioned.ipynb) measures a second price: the pictures of one prompt become alike.
#
# ## Try it
#
# * In the code of {numref}`fig-a16-gammas`, set `gammas = [-2, 0, 2]`. A negative $\gamma$ goes away from the prompt:
#   asked for a red apple with $\gamma = -2$, the model draws something that is anything but red.
# * In the same place, set `prompts = ["a blue apple", "a green car", "a yellow house"]`. With guidance the colours are the ones
#   asked for, even for the apple: the model can put a thing and a colour together.
