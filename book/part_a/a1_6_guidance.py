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
# How do we make the model take the prompt seriously? Ask it twice, with the prompt and without, and go further in the direction in which the prompt
# changed its mind {cite:p}`hosalimans2022`.

# %% tags=["remove-cell"]
# In Colab: fetch the book. Does nothing where its package is installed.
import importlib.util
import subprocess
import sys
from pathlib import Path

ADDRESS = "https://github.com/fun-with-diffusion/fun-with-diffusion-models"
if importlib.util.find_spec("diffusion_utils") is None:
    if not Path("book-source").exists():
        subprocess.run(
            ["git", "clone", "--depth=1", ADDRESS, "book-source"], check=True
        )
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--editable",
        "book-source",
    ]
    subprocess.run(pip, check=True)
    sys.path.insert(0, "book-source")

# %%
import json

import matplotlib.pyplot as plt
import numpy as np

from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import held_out, load_evaluator, ranks
from diffusion_utils.files import ROOT
from diffusion_utils.metrics import share
from diffusion_utils.profile import by_profile
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.tasks import enlarged, generate, prompted
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% [markdown]
# With $\epsilon_c$ the estimate for the prompt and $\epsilon_u$ that for the empty prompt "",
#
# $$ \epsilon = \epsilon_u + \gamma\,(\epsilon_c - \epsilon_u). \tag{N.6} $$
#
# $\gamma = 0$ ignores the prompt, $\gamma = 1$ is [1.5](a1_5_sampling.ipynb), and $\gamma > 1$ overshoots on purpose. A model that predicts a variance keeps that of the
# conditional estimate. Below, `together` asks for both estimates in one batch.
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: guided
# ```

# %%
samples = generate(
    model, prompted(model, "a high quality photo", gamma=7), range(5), timesteps
)

# %% mystnb={"figure": {"caption": "Five samples of \"a high quality photo\" with $\\gamma = 7$, seeds 0 to 4, the same as without guidance in {numref}`fig-a15-samples`; timesteps 990, 960, .., 0.", "name": "fig-a16-samples"}, "image": {"alt": "Five small pictures, coloured shapes on plain backgrounds, with stronger colours than without guidance."}} tags=["hide-input"]
large = enlarged(model, samples, "a high quality photo", range(5))
grid([unit_range(large)], titles=[f"seed {s}" for s in range(5)], size=1.6)

# %%
prompts = ["a rocket", "a red apple", "a pencil", "a snowman"]
gammas = by_profile([0, 1, 4, 7, 12], [1, 7])
rows = [
    generate(model, prompted(model, prompts, gamma), range(4), timesteps)
    for gamma in gammas
]

# %% mystnb={"figure": {"caption": "Four prompts at several $\\gamma$, each column from the same noise (seeds 0 to 3), timesteps 990, 960, .., 0.", "name": "fig-a16-gammas"}, "image": {"alt": "Four columns over five gammas: a red shape that breaks up into strokes, a red apple that gets clearer, a yellow shape that becomes an orange stick, and a grey tangle that becomes a heap of dark marks."}} tags=["hide-input"]
grid(
    [unit_range(row) for row in rows],
    titles=prompts,
    labels=[rf"$\gamma={g}$" for g in gammas],
    size=1.4,
)

# %% [markdown]
# In {numref}`fig-a16-samples` the prompt names nothing: the outlines of {numref}`fig-a15-samples` stay, and only the colours get stronger. The first row of {numref}`fig-a16-gammas` does not know the prompt. Going down, the prompt counts
# for more and more: the apple is there at $\gamma = 1$ and clean at 4, and the pencil becomes a straight stick. The rocket is closest at 4 and breaks into strokes at 7; the snowman never forms, its dark marks only multiply.
# Guidance enlarges what the two estimates differ in, and where the network does not know the thing, that difference is mostly error.
#
# ## How often is the prompt recognised?
#
# An independent network, the evaluator, was trained to name the drawings and never saw a generated one. It looks at one picture for each prompt. The share that it names
# correctly, and the share for which the right name is among its first five, can be compared with what it reaches on real drawings of the same names, in a style it has not seen. Every $\gamma$ is given the same prompts, every eighth of the
# names; $\gamma = 4$ was drawn for all of them. It does not see as a person does, see the [appendix](../appendix/emoji64.ipynb). These numbers are of Emoji-64, whichever model drew the figures above.

# %%
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


def standard_error(p, n):
    return share(p * n, n)[1]


for title, n_of, run in [
    *((f"gamma {run['gamma']:g}", n, run) for run in now),
    ("real drawings", n, shares(real[::every])),
    ("gamma 4, all names", len(drawn), shares(drawn)),
    ("real drawings, all names", len(real), shares(real)),
]:
    print(
        f"{title:>24}: top-1 {run['top1']:.1%} ± {standard_error(run['top1'], n_of):.1%}, "
        f"top-5 {run['top5']:.1%} ± {standard_error(run['top5'], n_of):.1%} of {n_of}"
    )
print(f"by chance: {5 / len(real):.1%} in the first five")

# %% mystnb={"figure": {"caption": "Recognised prompts against $\\gamma$, bars are one standard error; dashed: real drawings of the same names, in an unseen style. One picture for each prompt, every eighth name, seed 0, timesteps spread evenly over 999 .. 0; stored by `python -m benchmarks.emoji64_quality`.", "name": "fig-a16-accuracy"}, "image": {"alt": "Two curves of accuracy against gamma, top-5 above top-1, with dashed lines for real drawings."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for key, colour in [("top5", "C0"), ("top1", "C1")]:
    ax.errorbar(
        [r["gamma"] for r in now],
        [r[key] for r in now],
        [standard_error(r[key], n) for r in now],
        marker="o",
        capsize=2,
        color=colour,
        label=key.replace("top", "top-"),
    )
    ax.axhline(shares(real[::every])[key], color=colour, ls="--")
ax.set(xlabel=r"$\gamma$", ylabel="share recognised", ylim=(0, None))
ax.legend()
plt.show()

# %% [markdown]
# In {numref}`fig-a16-accuracy` the curves rise up to $\gamma = 4$; from there on nothing changes by more than the bars, and more guidance only adds to the price that is measured below. On these
# prompts guided samples are named about as often as the real drawings, which is no wonder: they are drawn in the styles that the evaluator was trained on. Over all names, in the lines below the others, they are named less often.
#
# ## Where it fails
#
# A large $\gamma$ asks for images that are more typical than any real one. Nothing clips $\hat x_0$ here, so values leave the range in which images live,
# and colours saturate. The share of values more than 0.1 outside $[-1, 1]$, which is far more than the noise that is left at $t = 0$ could do:

# %%
left = (1 - model.schedule.at(0)).sqrt()
print(f"standard deviation of the noise at t = 0, where the list ends: {left:.4f}")
for gamma, row in zip(gammas, rows, strict=True):
    outside = (row.abs() > 1.1).double().mean()
    print(f"gamma {gamma:>2}: {outside:.1%} of the values beyond -1.1 or 1.1")
