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
# The model of [B2](b2_time_conditioned.ipynb) draws what it likes. How can we ask for a 7, and how hard should we insist?

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

# %%
import json

import matplotlib.pyplot as plt
import numpy as np
import torch

from diffusion_utils.denoisers import guided
from diffusion_utils.files import ROOT, load_tensors
from diffusion_utils.mnist.judge import WEIGHTS, load_classifier
from diffusion_utils.mnist.objectives import MNIST_SCHEDULE as schedule
from diffusion_utils.mnist.recipes import RECIPES
from diffusion_utils.mnist.release import released, trained
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, sample, trajectory, unit_noise
from diffusion_utils.schedule import spaced_timesteps
from diffusion_utils.show import animation, grid, loss_curve, tile

device = "cuda" if torch.cuda.is_available() else "cpu"
T = schedule.T
steps = by_profile(full=T, fast=3)
timesteps = spaced_timesteps(T, steps)

# %% [markdown]
# ## Telling the network the class
#
# The class $c$ is a one-hot vector of ten entries, and all zeros for "no class". Two small blocks turn it into scales
# `c1`, `c2` for the same two places where the timestep enters, `c1 * h + t1`:
#
# ```{literalinclude} ../../diffusion_utils/mnist/unet.py
# :pyobject: UNet.conditions
# ```
#
# In training the class is dropped with probability $p_\text{uncond} = 0.1$, so that one network learns both
# $\epsilon_\theta(x_t, t/T, c)$ and $\epsilon_\theta(x_t, t/T, 0)$:
#
# $$ L(\theta) = \mathbb E \lVert \epsilon_\theta(x_t, t/T, b\,c) - \epsilon \rVert^2, \qquad b = 0 \text{ with probability } 0.1, \text{ else } 1. \tag{B3.1} $$
#
# ```{literalinclude} ../../diffusion_utils/mnist/objectives.py
# :pyobject: class_objective
# ```

# %%
networks, history = trained("b3", device)
recipe, epochs = RECIPES["b3"], max(networks)
network = networks[epochs]
print(f"{sum(p.numel() for p in network.parameters()):,} parameters")
print(f"trained for {epochs:g} of {recipe.epochs} epochs, {len(history):,} steps")
print(
    f"mean squared error, mean of the last 100 steps: {np.mean([row.loss for row in history[-100:]]):.4f}"
)
print(
    f"the same at step 4,700: {np.mean([row.loss for row in history[4600:4700]]):.4f}"
)

# %% mystnb={"figure": {"caption": "Training loss (B3.1) against the step, from the history of the run that made these weights. The recipe is that of B2, with the class dropped one time in ten; seed 180. Taken up again at steps 469 and 2,345 from stored weights, with 50 steps repeated each time.", "name": "fig-b3-loss"}, "image": {"alt": "A loss curve on a logarithmic axis: a steep fall in the first few hundred steps, then a long shallow decline."}} tags=["hide-input"]
loss_curve(history)

# %% [markdown]
# Courses that use this recipe show a curve that ends near 0.030 around step 4,700, where {numref}`fig-b3-loss` is a little lower. How much does knowing the class help? B2 saw the same batches in the same order without it:

# %%
without = released("b2")[1]
steps_of_both = min(len(history), len(without))
for name, rows in ("with the class", history), ("without (B2)", without):
    losses = [row.loss for row in rows[steps_of_both - 100 : steps_of_both]]
    print(
        f"{name:>14}: mean of the 100 steps up to {steps_of_both:,}: {np.mean(losses):.4f}"
    )

# %% [markdown]
# A class says which digit to draw, not where each pixel goes.
#
# ## Insisting: classifier-free guidance
#
# Sampling can do more than follow $\epsilon_c = \epsilon_\theta(x_t, t/T, c)$. The difference to $\epsilon_u = \epsilon_\theta(x_t, t/T, 0)$ is
# what the class changes, and a factor $\gamma$ says how much of it to use {cite:p}`hosalimans2022`:
#
# $$ \epsilon = \epsilon_u + \gamma\,(\epsilon_c - \epsilon_u). \tag{N.6} $$
#
# $\gamma = 0$ ignores the class, $\gamma = 1$ follows it, and $\gamma > 1$ goes further than the network was taught. Guidance takes two
# denoisers and returns one, so the loop of B2 runs it unchanged:
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: guided
# ```

# %%
labels = torch.arange(10).repeat(by_profile(full=4, fast=1))
seeds = range(len(labels))


def draw(net, gamma):
    denoise = guided(unet_denoiser(net, T, labels), unet_denoiser(net, T), gamma)
    return sample(denoise, (1, 28, 28), timesteps, schedule, seeds=seeds)


drawn = {
    (epoch, gamma): draw(net, gamma)
    for epoch, net in networks.items()
    for gamma in (0.5, 5)
}


# %% tags=["hide-input"]
def show_drawn(gamma):
    rows, row_labels = [], []
    for epoch in networks:
        rows += drawn[epoch, gamma].split(10)
        row_labels += [f"epoch {epoch:g}"] * (len(labels) // 10)
    grid(rows, titles=range(10), labels=row_labels)


# %% mystnb={"figure": {"caption": "Four samples of each digit at $\\gamma = 0.5$, after the epochs named on the left. The class asked for is above each column. Seeds 0 to 39, 300 steps.", "name": "fig-b3-half"}, "image": {"alt": "Columns of generated digits at gamma 0.5, four for each class from zero to nine."}} tags=["hide-input"]
show_drawn(0.5)

# %% mystnb={"figure": {"caption": "The same at $\\gamma = 5$: same network, same seeds 0 to 39, 300 steps.", "name": "fig-b3-five"}, "image": {"alt": "Columns of generated digits at gamma 5, four for each class from zero to nine."}} tags=["hide-input"]
show_drawn(5)

# %% [markdown]
# At $\gamma = 0.5$ ({numref}`fig-b3-half`) the class is a hint: among the eights stand a 9 and a 4, and some strokes are no digit at all. Fifteen more epochs make whole digits of some fragments and remove most stray dots. At $\gamma = 5$ ({numref}`fig-b3-five`) each column holds its digit, and the digits of a
# column have become alike. How many are right can be counted, by an independent classifier:

# %%
classifier = load_classifier()
right_of_test = load_tensors(WEIGHTS)[1]["test_accuracy"]
print(f"of the 10,000 test digits the classifier names {right_of_test:.2%} right")
for (epoch, gamma), images in drawn.items():
    with torch.no_grad():
        read = classifier(images.clamp(0, 1)).argmax(1)
    right = (read == labels).float().mean()
    print(
        f"epoch {epoch:g}, gamma {gamma}: {right:.0%} of {len(labels)} are read as the digit asked for"
    )

# %% [markdown]
# ## How hard to insist
#
# Forty samples are few. `python -m benchmarks.mnist_quality b3` draws more of them for each of seven values of $\gamma$ and asks an
# independent classifier what they are. Diversity is the mean distance between two samples of one class, on the
# classifier's features.

# %%
result = json.loads((ROOT / "benchmarks/results/mnist_b3.json").read_text())
real = result["real"]
print(
    f"{result['images']} samples for each gamma, {result['steps']} steps, weights of epoch {result['epoch']:g}"
)
for row in result["rows"]:
    share, error = row["accuracy"], row["standard_error"]
    print(
        f"gamma {row['gamma']:>3}: accuracy {share:.3f} ± {error:.3f}, diversity {row['diversity']:.2f}"
    )
print(
    f"test digits: accuracy {real['accuracy']:.3f}, diversity {real['diversity']:.2f}"
)

# %% mystnb={"figure": {"caption": "Accuracy of guided samples (left, with one standard error) and their diversity within a class (right) against $\\gamma$. Dashed: real test digits. From `python -m benchmarks.mnist_quality b3`; seeds from 0, samples and steps as counted above.", "name": "fig-b3-sweep"}, "image": {"alt": "Left: accuracy against gamma. Right: diversity within a class against gamma. A dashed line for real digits in each."}} tags=["hide-input"]
gammas = [row["gamma"] for row in result["rows"]]
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
errors = [row["standard_error"] for row in result["rows"]]
left.errorbar(
    gammas, [row["accuracy"] for row in result["rows"]], errors, marker="o", capsize=3
)
left.axhline(real["accuracy"], ls="--", color="grey")
left.set(xlabel=r"$\gamma$", ylabel="accuracy", ylim=(0, 1.03))
right.plot(gammas, [row["diversity"] for row in result["rows"]], "o-")
right.axhline(real["diversity"], ls="--", color="grey")
right.set(xlabel=r"$\gamma$", ylabel="diversity", ylim=(0, None))
plt.show()

# %%
best = max(result["rows"], key=lambda row: row["accuracy"])
close = [
    row
    for row in result["rows"]
    if best["accuracy"] - row["accuracy"]
    <= 2 * (best["standard_error"] ** 2 + row["standard_error"] ** 2) ** 0.5
]
print("within two standard errors of the highest accuracy, gamma and diversity:")
for row in close:
    share = row["diversity"] / real["diversity"]
    print(f"  {row['gamma']}: {share:.0%} of the diversity of real digits")

# %% [markdown]
# {numref}`fig-b3-sweep` shows the trade. Accuracy rises up to $\gamma = 2$ and stays there: of the values listed above none is measurably more accurate than the others, and the smallest has the most
# diversity, so insisting more costs variety and buys nothing. The classifier reads these samples better than real digits, which fits their smaller diversity: odd digits are rarely among them. Where $\gamma$ is weak, samples that are another digit, or none, count as variety too.
#
# ## Where it fails: too much of it
#
# (N.6) with a large $\gamma$ is an extrapolation, and no training image looks like its result. Do pixels leave the range of ink and paper, and how much of the square is ink?

# %%
gammas_shown = by_profile([0, 1, 3, 8, 20], [0, 20])
ten = torch.arange(10)
pushed = [
    sample(
        guided(unet_denoiser(network, T, ten), unet_denoiser(network, T), gamma),
        (1, 28, 28),
        spaced_timesteps(T, by_profile(100, 3)),
        schedule,
        seeds=range(10),
    )
    for gamma in gammas_shown
]
for gamma, images in zip(gammas_shown, pushed, strict=True):
    outside = ((images < -0.1) | (images > 1.1)).float().mean()
    ink = (images > 0.5).float().mean()
    print(
        f"gamma {gamma:>2}: {outside:.1%} of the pixels are more than 0.1 outside [0, 1], {ink:.1%} are ink"
    )

# %% mystnb={"figure": {"caption": "One sample of each class from no guidance to far too much. Seeds 0 to 9, the same in each row; 100 steps; values clipped to $[0, 1]$ for display.", "name": "fig-b3-too-much"}, "image": {"alt": "Rows of digits zero to nine, one row for each gamma, from zero to twenty."}} tags=["hide-input"]
grid(pushed, titles=range(10), labels=[rf"$\gamma={gamma}$" for gamma in gammas_shown])

# %% [markdown]
# Hardly any pixel leaves the range, even with the largest $\gamma$; it is the strokes that give way. Follow a column of {numref}`fig-b3-too-much` downwards: the digit settles, then its strokes get thicker, until the 0 is filled and the 5 has come apart.
#
# ## Digits coming out of noise
#
# {numref}`fig-b3-animation` shows $x_t$ alone. As in [B2](b2_time_conditioned.ipynb), it looks like noise for about half of the way, and the class changes nothing about that: how much noise is left at $t$ is the schedule's choice.

# %% mystnb={"figure": {"caption": "Two samples of each class at $\\gamma = 3$ coming out of noise. Seeds 0 to 19, 100 steps.", "name": "fig-b3-animation"}} tags=["hide-input"]
twenty = torch.arange(10).repeat(2)
noise = generators(range(20))
denoise = guided(unet_denoiser(network, T, twenty), unet_denoiser(network, T), 3)
path = list(
    trajectory(
        denoise,
        unit_noise((1, 28, 28), noise),
        spaced_timesteps(T, by_profile(100, 3)),
        schedule,
        generators=noise,
    )
)
kept = path[:: max(1, len(path) // 30)] + [path[-1]]
animation(
    [tile(step.x, 10) for step in kept],
    alt="Two rows of ten squares of noise that turn into the digits zero to nine.",
    captions=[f"t = {step.t}" for step in kept],
    width=560,
)
