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
# ```{dropdown} Why does this work? Two sentences of Bayes
# The noise is a slope in disguise: $\epsilon_\theta(x_t, t) \approx -\sqrt{1-\bar\alpha_t}\,\nabla \log p(x_t)$, and with a prompt the same of $p(x_t \mid \text{prompt})$. By Bayes' rule the difference $\epsilon_c - \epsilon_u$ is then, up to the
# same factor, the slope of $\log p(\text{prompt} \mid x_t)$, so (N.6) follows the slope of $p(x_t)\,p(\text{prompt} \mid x_t)^\gamma$: it raises to the power $\gamma$ how well the picture fits the prompt.
#
# The loop does not sample this distribution exactly, since noising it would not give the same kind of product at the next timestep. In the paper $\gamma$ is written $1 + w$.
# ```
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: guided
# :start-at: both = together
# :prepend: def guided(conditional, unconditional, gamma):
# ```
#
# A technique like this is a function from two denoisers to a new one, so the loop does not change at all. (`together` asks both in one batch. `nu` is there for models that
# predict a variance too; ours does not.)

# %% [markdown]
# ```{live} generate
# ```

# %% [markdown]
# ## What to see
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
# Here guidance does not help ({numref}`fig-a16-samples`). "A high quality photo" names no thing, so there is nothing good to go towards. Guidance still enlarges whatever difference there is between the two estimates. Some
# pictures change, but none becomes easier to name. Guide with a prompt that names a thing.
#
# ## How often is the prompt obeyed?
#
# A second network, **the judge**, was trained to name drawings. It looks at one picture for each prompt. We count how often the right name is its first guess (top-1), or among its first five (top-5). It learned from the same drawings as
# the model. So a high share says that the prompt is obeyed, not that the picture is new or good.

# %% mystnb={"figure": {"caption": "Recognised prompts against $\\gamma$; the bars are 95 % intervals (Wilson). One picture for each prompt, every eighth name, seed 0, timesteps spread evenly over 999 .. 0; stored by `python -m benchmarks.emoji64_quality`.", "name": "fig-a16-accuracy"}, "image": {"alt": "Two curves of accuracy against gamma, top-5 above top-1."}} tags=["hide-input"]
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


def wilson(p, n, z=1.96):
    """The 95 % interval of a share p of n: Wilson 1927."""
    middle, half = p + z**2 / (2 * n), z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)


fig, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
for key, colour in [("top5", "C0"), ("top1", "C1")]:
    ax.errorbar(
        [r["gamma"] for r in now],
        [r[key] for r in now],
        np.abs([np.subtract(wilson(r[key], n), r[key]) for r in now]).T,
        marker="o",
        capsize=2,
        color=colour,
        label=key.replace("top", "top-"),
    )
ax.set(xlabel=r"$\gamma$", ylabel="share recognised", ylim=(0, 1.02))
ax.legend()
plt.show()

# %% tags=["hide-input"]
runs = [(f"{r['gamma']:g}", n, r) for r in now]
runs += [("4, all names", len(drawn), shares(drawn))]
runs += [("drawings of a style new to the judge", len(real), shares(real))]
table(
    [
        [
            title,
            of,
            *(
                "{:.0%} ({:.0%} to {:.0%})".format(r[k], *wilson(r[k], of))
                for k in ("top1", "top5")
            ),
        ]
        for title, of, r in runs
    ],
    ["γ", "names", "top-1", "top-5"],
    f"The numbers of the figure, with their 95 % intervals. By chance, {5 / len(real):.0%} would be among the first five. The last row is no bar to pass: the pictures of the model are in styles that the judge has seen, those drawings are not.",
)

# %% [markdown]
# The judge names most of the pictures already at $\gamma = 1$, where we find them vague. Guidance makes more difference to our eyes than to the judge: with 64 names, most of the intervals overlap. (The numbers are those of Emoji-64, whichever model drew the figures above. What people see in the pictures is in the [appendix](../appendix/emoji64.ipynb).)
#
# ## Where it fails
#
# **The pictures become alike.** Guidance goes towards what is most typical of the prompt, from every seed. With a large $\gamma$, even six seeds bring little that is new.

# %% mystnb={"figure": {"caption": "\"A bird\" from six seeds, 0 to 5, at three guidance scales.", "name": "fig-a16-diversity"}, "image": {"alt": "Three rows of six pictures asked for as a bird. The higher gamma, the more the six are alike."}} tags=["hide-input"]
bird, many = model.denoiser("a bird"), by_profile(full=range(6), fast=range(2))
scales = [1, 4, 15]
birds = [generate(model, guided(bird, without, g), many, timesteps) for g in scales]
grid(
    [unit_range(row) for row in birds],
    titles=[f"seed {s}" for s in many],
    labels=[rf"$\gamma={g}$" for g in scales],
    size=1.15,
)

# %% tags=["hide-input"]
distances = [
    [rf"γ = {g}", f"{torch.pdist(row.clamp(-1, 1).flatten(1)).mean() / 64:.2f}"]
    for g, row in zip(scales, birds, strict=True)
]
table(
    distances,
    ["", "distance"],
    "How different the pictures of a row are: the root of the mean squared difference per pixel (its three colours added) of two of them, averaged over all pairs.",
)

# %% [markdown]
# [B3](../part_b/b3_class_conditioned.ipynb) measures the same for digits.
#
# **The colours leave their range.** The values leave the range from $-1$ to $1$ that a picture can have, and the screen cuts them off.

# %% mystnb={"figure": {"caption": "The pictures of {numref}`fig-a16-gammas` at the largest $\\gamma$. Below, in black, the pixels of which at least one colour is more than 0.1 outside $[-1, 1]$.", "name": "fig-a16-outside"}, "image": {"alt": "Three pictures with hard colours, and below each a map of the pixels whose values are out of range."}} tags=["hide-input"]
outside = (columns[-1].abs() > 1.1).any(1, keepdim=True).float().expand(-1, 3, -1, -1)
grid([unit_range(columns[-1]), 1 - outside], titles=prompts, size=1.5)

# %% tags=["hide-input"]
table(
    [
        [
            gamma,
            f"{(column.abs() > 1.1).any(1).double().mean():.1%}",
            f"{column.abs().max():.2f}",
        ]
        for gamma, column in zip(gammas, columns, strict=True)
    ],
    ["γ", "pixels beyond ±1.1", "largest value"],
    "All three pictures of a column of the first figure.",
)

# %% [markdown]
# The DDPM reference code cuts $\hat x_0$ to the range in each step, and larger systems shrink it into the range instead (Imagen's dynamic thresholding). Our loop does neither.
#
# ## Try it
#
# * In the code of {numref}`fig-a16-gammas`, set `gammas = [-2, 0, 2]`. A negative $\gamma$ goes away from the prompt:
#   asked for a red apple with $\gamma = -2$, the model draws something that is anything but red.
# * In the same place, set `prompts = ["a blue apple", "a green car", "a yellow house"]`. With guidance the colours are the ones
#   asked for, even for the apple: the model can put a thing and a colour together.
