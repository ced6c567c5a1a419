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
# # What limits B2
#
# **The digits of B2 are several times as far from real digits as real digits are from each other. What in its recipe is to blame?**

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
import copy
import json

import matplotlib.pyplot as plt
import torch
from torch import nn

from diffusion_utils.files import ROOT
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.objectives import noise_objective
from diffusion_utils.mnist.recipes import RECIPES
from diffusion_utils.mnist.release import released, released_average
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.pictures import to_unit
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, last, sample, trajectory, unit_noise
from diffusion_utils.schedule import spaced_timesteps
from diffusion_utils.show import grid, table

schedules = {name: RECIPES[name].schedule for name in ("b2", "b2_to_noise")}
T = schedules["b2"].T
timesteps = spaced_timesteps(T, by_profile(full=50, fast=3))
weights = {name: released(name)[0][20] for name in schedules}
averages = {name: released_average(name) for name in schedules}
train_digits, test_digits = (to_unit(mnist(train)[0]) for train in (True, False))


def ten_digits(network, name, first=0):
    denoise = unet_denoiser(network, T)
    seeds = range(first, first + 10)
    return sample(denoise, (1, 28, 28), timesteps, schedules[name], seeds=seeds)


# %% tags=["remove-input"]
def stored(name):
    return json.loads((ROOT / f"benchmarks/results/{name}.json").read_text())


limits, judge, strided = map(stored, ("mnist_b2_limits", "mnist_b2_judge", "mnist_b2"))
judged = {row["name"]: row for row in judge["rows"]}
(same,) = (row for row in strided["rows"] if row["steps"] == judge["steps"])
# two sets of samples of one network: their difference has twice the variance of each
apart = same["fid"]["mean"] - judged["epoch 20"]["fid"]["mean"]
of_samples = abs(apart) / 2**0.5


def error(row):
    """Standard deviation for the choice of the test digits and of the samples together."""
    return (row["fid"]["std"] ** 2 + of_samples**2) ** 0.5


def distance(row):
    return f"{row['fid']['mean']:.0f} ± {error(row):.0f}"


found = {(row["recipe"], row["average"]): row for row in limits["rows"]}
floor = f"{limits['real']['fid']['mean']:.0f} ± {limits['real']['fid']['std']:.0f}"
of_difference = 2**0.5 * sum(map(error, limits["rows"])) / len(limits["rows"])
table(
    [
        [label, *(distance(found[name, average]) for name in schedules)]
        for label, average in (
            ("last weights", False),
            ("average of the weights", True),
        )
    ]
    + [["real digits, the floor", floor, floor]],
    ["", "B2's schedule", "schedule to pure noise"],
    f"Fréchet distance to test digits (smaller is better): {limits['images']:,} samples, {T} steps each, one training for each column. The ± is a standard "
    "deviation for the choice of test digits and of samples; "
    f"that of a difference of two cells is about {of_difference:.0f}.",
)

# %% [markdown]
# **Two changes together help: a schedule that ends at pure noise, and an average of the weights in place of the last ones. What each of them brings alone is too little to be told
# from chance.** Even with both, the samples stay several times as far from real digits as real digits are from each other.
#
# The Fréchet distance, and where its ± comes from, are explained in [B2](b2_time_conditioned.ipynb). A difference of twice its ± or more is hardly chance. From B2 (upper left) to both changes
# (lower right) it is more than that, and so it is from top to bottom in the right column. The other two neighbours differ by less. And each training was done once: another one would end at other weights,
# which the ± does not cover.

# %% mystnb={"figure": {"caption": "Above, two rows of B2: its schedule, last weights. Below, two rows with both changes: the schedule to pure noise, averaged weights. Seeds 0 to 9 and 10 to 19, 50 steps.", "name": "fig-limits-digits"}, "image": {"alt": "Four rows of ten generated digits, two rows for each network; in both, some have strokes that do not join."}} tags=["remove-input"]
extremes = [
    ten_digits(network, name, first)
    for network, name in (
        (weights["b2"], "b2"),
        (averages["b2_to_noise"], "b2_to_noise"),
    )
    for first in (0, 10)
]
grid(extremes, labels=["B2", "", "both changes", ""])

# %% [markdown]
# {numref}`fig-limits-digits` shows how little can be said by eye. Most digits can be read in both networks, and both have some that fall apart, such as the fourth of B2 and the
# first of the other. It takes a thousand of them, and a measure, to find the difference.

# %% mystnb={"code_prompt_show": "Show a row of digits for each of the other two", "figure": {"caption": "Between the extremes: B2's schedule with averaged weights, and the schedule to pure noise with the last weights. Seeds 0 to 9, 50 steps.", "name": "fig-limits-between"}, "image": {"alt": "Two rows of ten generated digits."}} tags=["remove-input", "hide-output"]
grid(
    [
        ten_digits(averages["b2"], "b2"),
        ten_digits(weights["b2_to_noise"], "b2_to_noise"),
    ],
    labels=["B2, average", "to noise, last"],
)

# %% [markdown]
# ## First suspect: the schedule
#
# Sampling starts from pure noise. But B2's schedule does not end there: at the last timestep the network was trained on images that still hold a part of the digit. Many schedules
# have this fault, and {cite:t}`lin2024` propose to let them end at pure noise. We can do that with a larger $\beta_t$ and leave the rest of B2's recipe as it is.

# %% mystnb={"figure": {"caption": "How much of the clean digit is left in $x_t$: $\\sqrt{\\bar\\alpha_t}$ for B2's schedule ($\\beta_t$ grows to 0.02) and for one that ends at pure noise ($\\beta_t$ grows to 0.067). $T = 300$.", "name": "fig-limits-schedules"}, "image": {"alt": "Two curves that fall from one: the upper one ends at about a fifth, the lower one falls faster and ends at nearly zero. Each end is marked with its value."}} tags=["remove-input"]
fig, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
for name, label, height in (
    ("b2", "B2's schedule", 0.45),
    ("b2_to_noise", "to pure noise", 0.18),
):
    left = schedules[name].alpha_bar.sqrt()
    (line,) = ax.plot(left, label=label)
    ax.plot(T - 1, left[-1], "o", color=line.get_color(), clip_on=False)
    ax.annotate(
        f"{left[-1]:.3f}",
        (T - 1, left[-1]),
        (260, height),
        arrowprops={"arrowstyle": "-"},
    )
ax.set(xlabel="$t$", ylabel=r"$\sqrt{\bar\alpha_t}$", ylim=(0, 1.05), xlim=(0, T - 1))
ax.legend()
plt.show()

# %% [markdown]
# Does the start matter? That can be tested without a new training: start B2 from real digits, noised to the last timestep as in training.

# %% mystnb={"figure": {"caption": "Ten training digits; the same noised to $t = 299$ by (N.1), seeds 0 to 9; and what B2 makes of that in 50 steps, last weights.", "name": "fig-limits-start"}, "image": {"alt": "Three rows of ten squares: real digits, noise in which they can hardly be seen, and the digits generated from that noise."}} tags=["remove-input"]
eps = unit_noise((1, 28, 28), generators(range(10)))
noised = schedules["b2"].forward(train_digits[:10], T - 1, eps)
steps = trajectory(
    unet_denoiser(weights["b2"], T),
    noised,
    timesteps,
    schedules["b2"],
    generators=generators(range(10, 20)),
)
grid(
    [train_digits[:10], noised, last(steps)],
    labels=["digits", "$x_{299}$", "from $x_{299}$"],
)

# %% tags=["remove-input"]
starts = {"epoch 20": "pure noise", "noised digits": "noised digits"}
table(
    [
        [
            label,
            f"{judged[name]['confidence']:.3f} ± {judged[name]['standard_error']:.3f}",
            distance(judged[name]),
        ]
        for name, label in starts.items()
    ],
    ["start", "confidence", "Fréchet distance"],
    f"B2's last weights from two starts: {judge['images']:,} samples, {judge['steps']} steps. Confidence of the judge ± standard error; distance as above.",
)

# %% [markdown]
# So little is left at $t = 299$ that most samples in {numref}`fig-limits-start` are other digits than those above them. Still their distance is smaller, by a bit more than twice the ± of the difference. So the start
# matters. (The judge's confidence is about the same: it looks at one digit at a time, the distance at the whole set.)
#
# Why, then, does the other schedule alone not help? Because it is another change:
#
# * A start from noised digits brings a trace of real digits along. Pure noise has none, whatever the schedule.
# * The other schedule changes more than the start. In {numref}`fig-limits-schedules` its curve is lower everywhere, so training sees other noise levels, and every step of sampling is another one.
# * Near pure noise (N.2) divides by a number close to 0, and a small error of $\epsilon_\theta$ becomes a large one of $\hat x_0$. {cite:t}`lin2024` therefore let the network predict another quantity. We did not.
#
# We did not measure which of the three counts most.
#
# ## Second suspect: the last step
#
# Each step of training moves the weights $\theta$ to suit the 128 digits at hand, so they never come to rest. A running average $\bar\theta$ moves much less. After each step it becomes
#
# $$ \bar\theta \leftarrow d\,\bar\theta + (1-d)\,\theta. \tag{B2.4} $$
#
# With $d = 0.999$ each step counts for a thousandth, and what is much older than a thousand steps is nearly forgotten. An epoch has 469 steps, so this is an average over about the last two epochs. It is called an exponential moving average, EMA
# {cite:p}`tarvainen2017`. The DDPM paper {cite:p}`ho2020` samples with one; the coursework's recipe, which B2 follows, leaves it out. It costs a copy of the weights and changes nothing in the training:
#
# ```{literalinclude} ../../diffusion_utils/training/loop.py
# :pyobject: average
# :lines: 1-2,7-
# ```
#
# ## Where it fails: a better distance, a worse loss
#
# The best network of the first table is not best by the loss. Its second loop copies the statistics of BatchNorm, the mean and the variance of each channel, from the last weights. They do not fit the average.
#
# ```{dropdown} What statistics of its own change
# Let a few batches go through the average in train mode, and let each layer note the mean and variance that it sees. No weight changes. The table below compares. With statistics of its own, the loss of either average is
# a little below that of the last weights. With the copied ones it is not, and with the schedule to pure noise it is higher, by two to three standard errors.
#
# The last column is the mean pixel of the first $\hat x_0$ from pure noise. With the schedule to pure noise $x_{299}$ says nothing about the digit, so the best answer has the mean of all digits. The average with copied statistics sees something brighter
# than white, and later steps correct it. (With B2's schedule a value below the mean is no fault: there an empty $x_{299}$ speaks for a digit with thin strokes.) Losses of the two schedules cannot be compared with each other.
# The first table of the page is of averages with copied statistics. Whether their own would make the distance smaller as well is open.
# ```


# %% tags=["remove-input"]
def with_own_statistics(network, schedule, batches):
    network = copy.deepcopy(network).train()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the mean over all batches
    generator = torch.Generator().manual_seed(0)
    for x_0 in train_digits[: 128 * batches].split(128):
        inputs, _ = noise_objective(x_0, generator, schedule)
        with torch.no_grad():
            network(*inputs)
    return network.eval()


noise = unit_noise((1, 28, 28), generators(range(by_profile(25, 2))))
some = test_digits[torch.randperm(10_000, generator=torch.Generator().manual_seed(0))]
some = some[: by_profile(300, 8)]


@torch.no_grad()
def losses(network, name):
    inputs, eps = noise_objective(
        some, torch.Generator().manual_seed(1), schedules[name]
    )
    parts = zip(*(part.split(100) for part in inputs), strict=True)
    estimate = torch.cat([network(*part) for part in parts])
    return (estimate - eps).square().mean((1, 2, 3))


@torch.no_grad()
def first_estimate(network, name):
    eps = unet_denoiser(network, T)(noise, T - 1).eps
    return schedules[name].predict_x0(noise, T - 1, eps).mean()


# %% mystnb={"code_prompt_show": "Show the losses"} tags=["remove-input", "hide-output"]
rows = []
for name, label in (("b2", "B2"), ("b2_to_noise", "to noise")):
    own = with_own_statistics(averages[name], schedules[name], by_profile(8, 1))
    before = losses(weights[name], name)
    for kind, network in (
        ("last weights", weights[name]),
        ("average, copied", averages[name]),
        ("average, its own", own),
    ):
        change = losses(network, name) - before
        deviation = change.std() / len(change) ** 0.5
        more = f"{change.mean():+.4f} ± {deviation:.4f}"
        rows.append(
            [
                f"{label}, {kind}",
                f"{(before + change).mean():.4f}",
                "–" if network is weights[name] else more,
                f"{first_estimate(network, name):.2f}",
            ]
        )
table(
    [*rows, ["training digits", "", "", f"{train_digits.mean():.2f}"]],
    ["", "loss", "against the last weights", "mean of the first x̂₀"],
    f"Loss (B2.1) on {len(some)} test digits, the same noise for each network of a schedule (± standard error), with copied and own statistics of BatchNorm; mean pixel of the first estimate, "
    f"{len(noise)} seeds.",
)

# %% [markdown]
# ## What is left
#
# Schedule and average are not all that limits B2. We have not tried a longer training, a larger network, clipping $\hat x_0$ to $[0, 1]$ in each step, or a network without BatchNorm, and we have not repeated the
# trainings.
#
# ## Try it
#
# 1. **Mix them up.** In a new cell, `grid([ten_digits(averages["b2_to_noise"], "b2")])` draws with a schedule that the network was not trained for. What becomes of the strokes? And the other way round, with
#    `ten_digits(averages["b2"], "b2_to_noise")`?
# 2. **Hurry.** In the set-up cell, change `full=50` to `full=10`. Which network of {numref}`fig-limits-digits` suffers more?
#
# Next: [B3](b3_class_conditioned.ipynb) tells the network which digit to draw.
