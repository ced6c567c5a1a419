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
# # B3 Asking for a digit
#
# **How can we ask for a 7, and how hard should we insist?**

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
from diffusion_utils.diagrams import draw, unet_plan
from diffusion_utils.files import ROOT, load_tensors
from diffusion_utils.metrics import accuracy
from diffusion_utils.mnist.judge import WEIGHTS, load_classifier
from diffusion_utils.mnist.objectives import MNIST_SCHEDULE as schedule
from diffusion_utils.mnist.release import released, trained
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, sample, trajectory, unit_noise
from diffusion_utils.schedule import spaced_timesteps
from diffusion_utils.show import animation, grid, loss_curve, table, tile
from diffusion_utils.training.runtime import keep_freed_memory

keep_freed_memory()
networks, history = trained("b3")
network = networks[max(networks)]
T = schedule.T
timesteps = spaced_timesteps(T, by_profile(full=T, fast=3))
fewer = spaced_timesteps(T, by_profile(full=50, fast=3))
labels = torch.arange(10).repeat(by_profile(full=4, fast=1))
seeds = range(len(labels))


def draw_digits(net, labels, gamma, timesteps, seeds):
    denoise = guided(unet_denoiser(net, T, labels), unet_denoiser(net, T), gamma)
    return sample(denoise, (1, 28, 28), timesteps, schedule, seeds=seeds)


drawn = {
    (epoch, gamma): draw_digits(net, labels, gamma, timesteps, seeds)
    for epoch, net in networks.items()
    for gamma in (0.5, 5)
}


def show_drawn(gamma):
    rows, names = [], []
    for epoch in networks:
        rows += drawn[epoch, gamma].split(10)
        names += [f"epoch {epoch:g}"] * (len(labels) // 10)
    grid(rows, titles=range(10), labels=names)


# %% mystnb={"figure": {"caption": "Four samples of each digit with much guidance, $\\gamma = 5$, after the epochs named on the left. The digit asked for is above each column. Seeds 0 to 39, 300 steps.", "name": "fig-b3-five"}, "image": {"alt": "Columns of generated digits at gamma 5, four for each class from zero to nine, for each of two epochs."}} tags=["remove-input"]
show_drawn(5)

# %% [markdown]
# ```{live} b3
# ```

# %% [markdown]
# Each column of {numref}`fig-b3-five` holds the digit that was asked for. The model of [B2](b2_time_conditioned.ipynb) draws what it likes; this one listens. It insists
# strongly here, and you can see the price: the digits of a column look alike. {numref}`fig-b3-half` shows the same network and the same seeds with little insistence.

# %% mystnb={"figure": {"caption": "The same network, seeds and steps with little guidance, $\\gamma = 0.5$.", "name": "fig-b3-half"}, "image": {"alt": "Columns of generated digits at gamma 0.5, four for each class from zero to nine, for each of two epochs; several are another digit than asked for, or none."}} tags=["remove-input"]
show_drawn(0.5)

# %% [markdown]
# At $\gamma = 0.5$ the class is a hint: among the eights stand nines, and some strokes are no digit at all. The later epoch has fewer
# fragments and stray dots. An independent classifier can count how many are right:

# %% tags=["remove-input"]
classifier = load_classifier()
rows = []
for (epoch, gamma), images in drawn.items():
    share, error = accuracy(classifier, images.clamp(0, 1), labels)
    rows.append([f"epoch {epoch:g}", f"{gamma}", f"{share:.0%} ± {error:.0%}"])
right_of_test = load_tensors(WEIGHTS)[1]["test_accuracy"]
table(
    [*rows, ["10,000 test digits", "", f"{right_of_test:.2%}"]],
    ["", "γ", "read as the digit asked for"],
    f"What the classifier reads in the {len(labels)} samples of each half of the figures above (± one standard error).",
)

# %% [markdown]
# ## Telling the network the class
#
# The class $c$ is a list of ten numbers: a one in the place of the digit, and zeros elsewhere. All zeros means "no class". Two small blocks turn it into a
# factor for each channel. The factors multiply the features at the same two places where the time is added: `c1 * h + t1`.

# %% mystnb={"figure": {"caption": "Where the class enters: `class1` and `class2` turn $c$ into a factor for each channel, at the places where the time is added. Drawn from the modules, $D = 64$; each box names the shape of what it returns.", "name": "fig-b3-unet"}, "image": {"alt": "The U-Net of B2 as two columns of boxes. At each of the two places in the right column an orange box for the time and a green box for the class point to c · h + t."}} tags=["remove-input"]
draw(*unet_plan(network))

# %% [markdown]
# In training the class is left out one time in ten, with probability $p_\text{uncond} = 0.1$. So one network learns two things: the noise of a given digit, $\epsilon_\theta(x_t, t/T, c)$, and the
# noise of any digit, $\epsilon_\theta(x_t, t/T, 0)$:
#
# $$ L(\theta) = \mathbb E \lVert \epsilon_\theta(x_t, t/T, b\,c) - \epsilon \rVert^2, \tag{B3.1} $$
#
# where $b$ is 0 with probability 0.1, and else 1.
#
# ```{admonition} Training, with the class left out now and then
# Algorithm 1 of the guidance paper {cite:p}`hosalimans2022`. It is the algorithm of [B2](b2_time_conditioned.ipynb) with two changes:
# 1. Take a clean digit $x_0$ **and its class $c$**.
# 2. **With probability 0.1, replace $c$ by zeros.**
# 3. Draw $t$ and $\epsilon$, make $x_t$ by (N.1), and take a step of gradient descent on (B3.1).
# ```
#
# ```{literalinclude} ../../diffusion_utils/mnist/objectives.py
# :pyobject: class_objective
# :start-at: (x_t, times)
# :dedent:
# ```

# %% mystnb={"figure": {"caption": "Training loss (B3.1) against the step, from the history of the run that made these weights. The recipe is that of B2, with the class dropped one time in ten; seed 180.", "name": "fig-b3-loss"}, "image": {"alt": "A loss curve on a logarithmic axis: a steep fall in the first few hundred steps, then a long shallow decline."}} tags=["remove-input"]
loss_curve(history)

# %% tags=["remove-input"]
losses, without = (
    np.array([row.loss for row in rows]) for rows in (history, released("b2")[1])
)
end = min(len(losses), len(without))
table(
    [
        ["with the class, at step 4,700", f"{losses[4600:4700].mean():.4f}"],
        ["course staff, near step 4,700", "about 0.030"],
        [f"with the class, at step {end:,}", f"{losses[end - 100 : end].mean():.4f}"],
        [f"without (B2), at step {end:,}", f"{without[end - 100 : end].mean():.4f}"],
    ],
    ["", "mean squared error"],
    "The loss (B3.1), each the mean of the 100 steps before. B2 saw the same batches in the same order.",
)

# %% [markdown]
# Knowing the class helps only a little to guess the noise. A class says which digit to draw, not where each pixel goes.
#
# ## Insisting: classifier-free guidance
#
# Write $\epsilon_c = \epsilon_\theta(x_t, t/T, c)$ for the estimate with the class and $\epsilon_u = \epsilon_\theta(x_t, t/T, 0)$ for the one without. Their difference is
# what the class changes. A factor $\gamma$ says how much of it to use:
#
# $$ \epsilon = \epsilon_u + \gamma\,(\epsilon_c - \epsilon_u). \tag{N.6} $$
#
# $\gamma = 0$ ignores the class, $\gamma = 1$ follows it, and $\gamma > 1$ goes further than the network was taught.
#
# ```{admonition} Sampling with guidance
# The algorithm of [B2](b2_time_conditioned.ipynb), with another first point. For each timestep $t$ with the next timestep $t'$:
# 1. Ask the network **twice, with the class and without,** and put the two estimates together by (N.6).
# 2. Solve (N.2) for the clean image $\hat x_0$, draw unit noise $z$, and go to $x_{t'}$ with (N.3).
# ```
#
# Guidance takes two denoisers and returns one, so the loop of B2 runs it unchanged:
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: guided
# :start-at: both = together
# :dedent:
# ```
#
# Here `together` asks both in one batch. A page of sevens is then drawn like this:

# %%
any_digit = unet_denoiser(network, T)
seven = unet_denoiser(network, T, labels=torch.full((10,), 7))
denoise = guided(seven, any_digit, gamma=2)
images = sample(denoise, (1, 28, 28), fewer, schedule, seeds=range(10))

# %% mystnb={"figure": {"caption": "Ten sevens with $\\gamma = 2$, seeds 0 to 9, 50 steps.", "name": "fig-b3-sevens"}, "image": {"alt": "A row of ten generated sevens of different slants and widths."}} tags=["remove-input"]
grid([images])

# %% [markdown]
# ## How hard to insist
#
# Two numbers say what guidance buys and what it costs. Accuracy is the share of samples that the classifier reads as the digit asked for. Diversity is the mean distance between two samples of
# one class, on the classifier's features.

# %% mystnb={"figure": {"caption": "Accuracy of guided samples (left, with one standard error) and their diversity within a class (right) against $\\gamma$. Dashed: real test digits. 1,000 samples for each $\\gamma$, 50 steps, weights of epoch 20, seeds from 0. From `python -m benchmarks.mnist_quality b3`.", "name": "fig-b3-sweep"}, "image": {"alt": "Left: accuracy against gamma. Right: diversity within a class against gamma. A dashed line for real digits in each."}} tags=["remove-input"]
result = json.loads((ROOT / "benchmarks/results/mnist_b3.json").read_text())
real, rows = result["real"], result["rows"]
gammas = [row["gamma"] for row in rows]
fig, (left, right) = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
errors = [row["standard_error"] for row in rows]
left.errorbar(gammas, [row["accuracy"] for row in rows], errors, marker="o", capsize=3)
left.axhline(real["accuracy"], ls="--", color="grey")
left.set(xlabel=r"$\gamma$", ylabel="accuracy", ylim=(0, 1.03))
right.plot(gammas, [row["diversity"] for row in rows], "o-")
right.axhline(real["diversity"], ls="--", color="grey")
right.set(xlabel=r"$\gamma$", ylabel="diversity", ylim=(0, None))
plt.show()

# %% tags=["remove-input"]
measured = [*((f"{row['gamma']}", row) for row in rows), ("real digits", real)]
table(
    [
        [
            name,
            f"{row['accuracy']:.3f} ± {row['standard_error']:.3f}",
            f"{row['diversity']:.1f}",
            f"{row['diversity'] / real['diversity']:.0%}",
        ]
        for name, row in measured
    ],
    ["γ", "accuracy", "diversity", "of that of real digits"],
    f"{result['images']:,} samples for each γ, ± one standard error.",
)

# %% [markdown]
# Accuracy rises up to $\gamma = 2$ and stays there. Of the values from 2 on, none is measurably more accurate than the others, and 2 has the most
# diversity: insisting more costs variety and buys nothing. The classifier reads these samples better than real digits. That fits their smaller diversity: odd digits are rarely among
# them. Where $\gamma$ is small, samples that are another digit, or none, count as variety too.
#
# ## Where it fails: too much of it
#
# With a large $\gamma$, (N.6) goes far beyond the two estimates, and no training image looks like the result.

# %% mystnb={"figure": {"caption": "One sample of each class from no guidance to far too much. Seeds 0 to 9, the same in each row; 50 steps; values clipped to $[0, 1]$ for display.", "name": "fig-b3-too-much"}, "image": {"alt": "Rows of digits zero to nine, one row for each gamma, from zero to twenty."}} tags=["remove-input"]
gammas_shown = by_profile([0, 1, 3, 8, 20], [0, 20])
pushed = [
    draw_digits(network, torch.arange(10), gamma, fewer, range(10))
    for gamma in gammas_shown
]
grid(pushed, titles=range(10), labels=[rf"$\gamma={gamma}$" for gamma in gammas_shown])

# %% tags=["remove-input"]
table(
    [
        [
            f"{gamma}",
            f"{((images < -0.1) | (images > 1.1)).float().mean():.1%}",
            f"{(images > 0.5).float().mean():.1%}",
        ]
        for gamma, images in zip(gammas_shown, pushed, strict=True)
    ],
    ["γ", "outside the range", "ink"],
    "Share of the pixels that are more than 0.1 outside [0, 1], and of those that are ink (above 0.5).",
)

# %% [markdown]
# Hardly any pixel leaves the range of ink and paper, even with the largest $\gamma$. It is the strokes that give way. Follow a column of {numref}`fig-b3-too-much` downwards: the digit settles, then
# the strokes of most get thicker and ragged, until the 0 has a line in its hole, and the 5 and the 9 have come apart.
#
# ## Digits coming out of noise

# %% mystnb={"figure": {"caption": "Two samples of each class at $\\gamma = 3$ coming out of noise. Seeds 0 to 19, 50 steps.", "name": "fig-b3-animation"}} tags=["remove-input"]
twenty = torch.arange(10).repeat(2)
noise = generators(range(20))
denoise = guided(unet_denoiser(network, T, twenty), unet_denoiser(network, T), 3)
x_T = unit_noise((1, 28, 28), noise)
path = list(trajectory(denoise, x_T, fewer, schedule, generators=noise))
kept = path[:: max(1, len(path) // 25)] + [path[-1]]
animation(
    [tile(step.x, 10) for step in kept],
    alt="Two rows of ten squares of noise that turn into the digits zero to nine.",
    captions=[f"t = {step.t}" for step in kept],
    width=560,
)

# %% [markdown]
# As in [B2](b2_time_conditioned.ipynb), $x_t$ looks like noise for more than a third of the way. The class changes nothing about that: how much noise is left at $t$ is the schedule's choice.
#
# ## Try it
#
# 1. **Ask against a digit.** In the cell that draws sevens, change `gamma=2` to `gamma=-2`. The network now goes away from the seven, and draws round
#    digits such as 0, 6 and 8, and no seven.
# 2. **Half a one, half a seven.** Make `any_digit` a one, `unet_denoiser(network, T, labels=torch.full((10,), 1))`, and change `gamma=2` to `gamma=0.5`: (N.6) now
#    takes the mean of the two estimates. Some of the results lie between a one and a seven, and others fall apart.
