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
# How do we make the model take the prompt seriously? **We ask it twice, with the prompt and without, and
# exaggerate the difference.**

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
from diffusion_utils.files import ROOT
from diffusion_utils.metrics import wilson
from diffusion_utils.profile import by_profile
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.tasks import generate
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% mystnb={"figure": {"caption": "Three prompts at five guidance scales $\\gamma$. Each row starts from the same noise (seeds 0, 1, 2 from top to bottom).", "name": "fig-a16-gammas"}, "image": {"alt": "Three rows of five pictures. At gamma 0 they show no particular thing; with growing gamma they become a rocket, a red apple and a penguin; at 15 their edges are ragged."}} tags=["hide-input"]
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
# ## The idea
#
# With the prompt alone ($\gamma = 1$) the pictures are vague. Ask the network twice about the same noisy picture: with the prompt, and with the empty prompt "". The difference of its two answers is what the prompt changes. **Guidance** goes
# further in this direction than the network itself would {cite:p}`hosalimans2022`:
#
# $$ \epsilon = \epsilon_u + \gamma\,(\epsilon_c - \epsilon_u) \tag{N.6} $$
#
# * $\epsilon_c$ is the noise that the network sees with the prompt (c for conditional).
# * $\epsilon_u$ is the noise that it sees with the empty prompt (u for unconditional).
# * $\gamma$ ("gamma") is the **guidance scale**. With $\gamma = 0$ the prompt is ignored, $\gamma = 1$ is the loop of [1.5](a1_5_sampling.ipynb), and $\gamma > 1$ exaggerates what the prompt changes.

# %% mystnb={"figure": {"caption": "Guidance as arrows. Two are the network's answers, without the prompt (grey) and with it (blue). The dashed arrow is $\\gamma$ times their difference, and the red one is the sum of grey and dashed: a sketch in two dimensions, of what happens in the $64 \\times 64 \\times 3$ dimensions of a picture.", "name": "fig-a16-arrows"}, "image": {"alt": "From one point start two arrows, the estimates without and with the prompt. A third arrow goes from the tip of the first through the tip of the second, and four times as far. The guided estimate is the arrow from the start to its tip."}} tags=["hide-input"]
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
# How does one network give both answers? In training, one prompt in ten is left out, and the network learns to answer without it.
#
# Why does this work? The noise that the network sees says in which direction the picture becomes more probable: $\epsilon_\theta(x_t, t) \approx -\sqrt{1-\bar\alpha_t}\,\nabla \log p(x_t)$, and with a prompt the same of
# $p(x_t \mid \text{prompt})$. Bayes' rule gives the difference of the two:
#
# $$ \nabla \log p(x_t \mid \text{prompt}) - \nabla \log p(x_t) = \nabla \log p(\text{prompt} \mid x_t). $$
#
# On the right stands what a classifier says, a network that names pictures: how well $x_t$ fits the prompt. Earlier methods trained such a classifier for noisy pictures. Here the difference $\epsilon_c - \epsilon_u$ takes its place, and so the
# method is called **classifier-free**. (The paper writes $1 + w$ for $\gamma$.)
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: guided
# :start-at: both = together
# :prepend: def guided(conditional, unconditional, gamma):
# ```
#
# `guided` takes two denoisers and returns a new one, which the loop of [1.4](a1_4_iterative_denoising.ipynb) uses like any other. (`together` asks both in one batch. `nu` is there for models that
# predict a variance too; ours does not.)

# %% [markdown]
# ```{live} generate
# ```

# %% [markdown]
# ## What you see
#
# In {numref}`fig-a16-gammas` the first column does not know the prompt. At $\gamma = 1$ the colours and the rough shape of the thing are there. At $\gamma = 4$ and 7 the thing is clearer, with stronger colours and harder outlines.
# At 15 the edges are ragged and the colours are at their limits.
#
# The coursework asks for $\gamma = 7$ with "a high quality photo":

# %%
prompt = "a high quality photo"
denoise = guided(model.denoiser(prompt), model.denoiser(""), gamma=7)
samples = generate(model, denoise, range(5), timesteps)

# %% mystnb={"figure": {"caption": "Five samples of \"a high quality photo\", seeds 0 to 4, without guidance (the pictures of {numref}`fig-a15-samples`) and with $\\gamma = 7$.", "name": "fig-a16-samples"}, "image": {"alt": "Two rows of five pictures from the same noise. With guidance the colours change; the things that they show are not easier to name."}} tags=["hide-input"]
plain = generate(model, model.denoiser(prompt), range(5), timesteps)
grid(
    [unit_range(plain), unit_range(samples)],
    titles=[f"seed {s}" for s in range(5)],
    labels=[r"$\gamma=1$", r"$\gamma=7$"],
    size=1.5,
)

# %% [markdown]
# Here guidance does not help ({numref}`fig-a16-samples`), and the reason is this model. In its training the phrase could stand for any drawing, as the empty prompt does. So the difference between the two answers has little to say, and guidance enlarges it all
# the same. The coursework's own model was trained on captions in which "photo" means something. For Emoji-64, guide with a prompt that names a thing.
#
# ## How often is the prompt obeyed?
#
# A second network, **the judge**, was trained to name drawings. It looks at one picture for each prompt, and we count how often the right name is its first guess. It learned from the same drawings as
# the model. So a high share says that the prompt is obeyed, not that the picture is new or good.

# %% tags=["hide-input"]
result = json.loads((ROOT / "benchmarks/results/emoji64.json").read_text())
drawn = np.array(list(result["ranks"].values()))[::8]  # every eighth name, at gamma = 4
newest, n = result["runs"][-1]["weights"], len(drawn)
plain_share = [
    run["top1"]
    for run in result["runs"]
    if (run["weights"], run["names"], run["gamma"]) == (newest, n, 1)
]
table(
    [
        [f"γ = {gamma}", f"{p:.0%}", "{:.0%} to {:.0%}".format(*wilson(p, n))]
        for gamma, p in [(1, plain_share[-1]), (4, (drawn == 1).mean())]
    ],
    ["", "named right", "95 % interval"],
    f"How many of {n} pictures the judge names right at once: every eighth name, seed 0. Stored by python -m benchmarks.emoji64_quality.",
)

# %% [markdown]
# The judge names most of the pictures already at $\gamma = 1$, where we find them vague. Where the two intervals overlap, 64 names are too few to say that guidance helps the judge. What people see in the pictures is in the
# [appendix](../appendix/emoji64.ipynb).
#
# ## Where it fails
#
# **The pictures can become alike.** Guidance goes towards what is most typical of the prompt, from every seed. Asked for a bird with $\gamma = 4$, the model draws nearly the same bird each time. It is not so with every prompt, see Try it.
# [B3](../part_b/b3_class_conditioned.ipynb) measures it for digits.

# %% mystnb={"figure": {"caption": "\"A bird\" from six seeds, 0 to 5, without guidance and with $\\gamma = 4$.", "name": "fig-a16-diversity"}, "image": {"alt": "Two rows of six pictures asked for as a bird. Those with guidance are more alike."}} tags=["hide-input"]
bird, many = model.denoiser("a bird"), by_profile(full=range(6), fast=range(2))
scales = [1, 4]
birds = [generate(model, guided(bird, without, g), many, timesteps) for g in scales]
grid(
    [unit_range(row) for row in birds],
    titles=[f"seed {s}" for s in many],
    labels=[rf"$\gamma={g}$" for g in scales],
    size=1.15,
)

# %% [markdown]
# **The colours leave their range.** The values leave the range from $-1$ to $1$ that a picture can have, and the screen cuts them off.

# %% mystnb={"figure": {"caption": "The pictures of {numref}`fig-a16-gammas` at the largest $\\gamma$. Below, in black, the pixels of which at least one colour is more than 0.1 outside $[-1, 1]$.", "name": "fig-a16-outside"}, "image": {"alt": "Three pictures with hard colours, and below each a map of the pixels whose values are out of range."}} tags=["hide-input"]
outside = (columns[-1].abs() > 1.1).any(1, keepdim=True).float().expand(-1, 3, -1, -1)
grid([unit_range(columns[-1]), 1 - outside], titles=prompts, size=1.5)

# %% tags=["hide-input"]
beyond = [(column.abs() > 1.1).any(1).double().mean() for column in columns]
table(
    [["pixels beyond ±1.1", *(f"{share:.1%}" for share in beyond)]],
    ["", *(f"γ = {gamma}" for gamma in gammas)],
    "All three pictures of a column of the first figure.",
)

# %% [markdown]
# The DDPM reference code cuts $\hat x_0$ to the range in each step, and larger systems shrink it into the range instead (Imagen's dynamic thresholding). Our loop does neither, as the coursework's does not.
#
# ## Try it
#
# * In the code of {numref}`fig-a16-gammas`, set `gammas = [-2, 0, 2]`. A negative $\gamma$ goes away from the prompt. What does the model draw instead of a red apple?
# * In the code of {numref}`fig-a16-diversity`, ask for "a car" or "a house". Do six seeds become more alike there too?
