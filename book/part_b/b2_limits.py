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
from diffusion_utils.sampling import sample
from diffusion_utils.schedule import Schedule, spaced_timesteps
from diffusion_utils.show import grid, table

schedules = {name: RECIPES[name].schedule for name in ("b2", "b2_to_noise")}
T = schedules["b2"].T
timesteps = spaced_timesteps(T, by_profile(full=50, fast=3))
weights = {name: released(name)[0][20] for name in schedules}
averages = {name: released_average(name) for name in schedules}
train_digits, test_digits = (to_unit(mnist(train)[0]) for train in (True, False))


def ten_digits(network, name):
    """Seeds 0 to 9 of a network, drawn with the schedule "b2" or "b2_to_noise"."""
    denoise = unet_denoiser(network, T)
    return sample(denoise, (1, 28, 28), timesteps, schedules[name], seeds=range(10))


# %% [markdown]
# Two things in B2's recipe are suspect:
#
# * **The start.** Sampling starts from pure noise, which the network has never seen: at its last timestep a fifth of the digit's amplitude is left.
# * **The last weights.** Each step of training moves the weights to suit the 128 digits at hand. The last weights depend on which digits came last.
#
# For each there is a remedy: a schedule with **more noise**, which needs another training, and an **average of the weights** over the last steps.
# {numref}`fig-limits-distances` compares the four combinations by the two measures of [B2](b2_time_conditioned.ipynb).


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
names = {
    ("b2", False): "B2",
    ("b2", True): "average of the weights",
    ("b2_to_noise", False): "more noise",
    ("b2_to_noise", True): "both changes",
}

# %% mystnb={"figure": {"caption": "The four combinations. Left: Fréchet distance to test digits (smaller is better); its ± is the standard deviation that the choice of the test digits and of the samples causes, estimated as in B2. Right: spread. Dashed: real digits. 1,000 samples each, 300 steps.", "name": "fig-limits-distances"}, "image": {"alt": "Two panels with one dot for each of B2, average of the weights, more noise, and both changes. On the left the distance of both changes is the smallest, far above the dashed line of real digits; on the right its spread is the nearest to that of real digits."}} tags=["remove-input"]
rows, real = [found[key] for key in names], limits["real"]
fig, (left, right) = plt.subplots(
    1, 2, figsize=(7, 2.3), sharey=True, layout="constrained"
)
places = range(len(rows))
means, spreads = [row["fid"]["mean"] for row in rows], [row["spread"] for row in rows]
left.errorbar(means, places, xerr=[*map(error, rows)], fmt="o", capsize=3)
right.plot(spreads, places, "o")
for place, mean, spread in zip(places, means, spreads, strict=True):
    left.annotate(f"{mean:.0f}", (mean, place), (0, 5), textcoords="offset points")
    right.annotate(f"{spread:.3f}", (spread, place), (0, 5), textcoords="offset points")
left.axvline(real["fid"]["mean"], ls="--", color="grey")
right.axvline(real["spread"], ls="--", color="grey")
left.set_yticks(places, names.values())
left.set(xlabel="Fréchet distance", xlim=(0, 240), ylim=(3.6, -0.6))
right.set(xlabel="spread", xlim=(0.165, 0.198))
plt.show()

# %% [markdown]
# **Both changes together help: the digits come nearer to real ones, and their spread is larger.** If only one of the two is added to B2's recipe, the difference cannot be told from chance. With more noise in the schedule, the average brings a clear one:

# %% tags=["remove-input"]
steps = {
    "the average, with B2's schedule": (("b2", False), ("b2", True)),
    "the average, with more noise": (("b2_to_noise", False), ("b2_to_noise", True)),
    "more noise, with the last weights": (("b2", False), ("b2_to_noise", False)),
    "more noise, with the average": (("b2", True), ("b2_to_noise", True)),
    "both": (("b2", False), ("b2_to_noise", True)),
}
rows = []
for step, (before, after) in steps.items():
    change = found[after]["fid"]["mean"] - found[before]["fid"]["mean"]
    deviation = (error(found[after]) ** 2 + error(found[before]) ** 2) ** 0.5
    told = "yes" if abs(change) > 2 * deviation else "no"
    rows.append([step, f"{change:+.0f}", f"{deviation:.0f}", told])
table(
    rows,
    ["change", "difference", "its ±", "told from chance"],
    "What each change does to the Fréchet distance. A difference counts as told from chance if it is more than twice its ±.",
)

# %% [markdown]
# Each schedule was trained once; the ± does not cover what a second training would change. (Differences are those of the unrounded distances.)
#
# ## First suspect: the start
#
# In the DDPM paper {cite:p}`ho2020` $\beta_t$ grows to 0.02 in 1,000 timesteps, and less than a hundredth of the digit's amplitude is left. The coursework keeps these $\beta_t$ but takes only 300 timesteps. To get as far in
# 300, $\beta_t$ has to grow to 0.067. This is our schedule with more noise.

# %% mystnb={"figure": {"caption": "How much of the clean digit is left in $x_t$: $\\sqrt{\\bar\\alpha_t}$ for B2's schedule, for the one with more noise, and for that of the DDPM paper, its 1,000 timesteps squeezed to 300; the last two nearly coincide.", "name": "fig-limits-schedules"}, "image": {"alt": "Curves that fall from one: B2's ends at about a fifth; the one with more noise and the paper's nearly coincide and end near zero."}} tags=["remove-input"]
paper = Schedule.linear(1e-4, 0.02, T=1000).alpha_bar.sqrt()
fig, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
for name, label, height in (
    ("b2", "B2's schedule", 0.45),
    ("b2_to_noise", "more noise", 0.18),
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
squeezed = torch.linspace(0, T - 1, len(paper))
ax.plot(squeezed, paper, "k:", lw=2, label=f"DDPM paper, ends at {paper[-1]:.3f}")
ax.set(xlabel="$t$", ylabel=r"$\sqrt{\bar\alpha_t}$", ylim=(0, 1.05), xlim=(0, T - 1))
ax.legend()
plt.show()

# %% [markdown]
# Does the start matter? As a test we start B2 from real digits, noised to $t = 299$ as in training. In a single $x_{299}$ the digit cannot be seen. The mean of many shows what pure noise lacks:

# %% mystnb={"figure": {"caption": "One training digit, noised to $t = 299$ by (N.1); the mean of 10,000 such images; the mean of 10,000 images of pure noise. Both means with more contrast.", "name": "fig-limits-start"}, "image": {"alt": "Three squares: noise; a bright, soft patch in the middle of a dark square; and an even grey."}} tags=["remove-input"]
many = train_digits[: by_profile(10_000, 500)]
eps = torch.randn(many.shape, generator=torch.Generator().manual_seed(0))
noised = schedules["b2"].forward(many, T - 1, eps)
panels = {
    "one $x_{299}$": (noised[0], 2),
    "mean of many $x_{299}$": (noised.mean(0), 0.12),
    "mean of pure noise": (eps.mean(0), 0.12),
}
fig, axes = plt.subplots(1, 3, figsize=(6, 2.2), layout="constrained")
for ax, (title, (image, top)) in zip(axes, panels.items(), strict=True):
    ax.imshow(image[0], cmap="gray", vmin=-top, vmax=top)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()

# %% tags=["remove-input"]
starts = {
    "pure noise": judged["epoch 20"],
    "pure noise, drawn again": same,
    "noised digits": judged["noised digits"],
}
table(
    [[name, distance(row)] for name, row in starts.items()],
    ["start", "Fréchet distance"],
    f"B2's last weights from different starts: {judge['images']:,} samples each. These are of {judge['steps']} steps; those above are of {strided['rows'][0]['steps']}.",
)

# %% [markdown]
# From noised digits the samples come nearer to real ones, by a bit more than chance explains. So the start seems to matter. But the test does not say how much another schedule can mend: noised digits bring a trace of
# real ones along, and a schedule with more noise changes every timestep, not just the last. Why more noise alone shows no gain in {numref}`fig-limits-distances`, we do not know.
#
# ```{dropdown} Still more noise
# Even the end of the DDPM paper's schedule is not quite pure noise. {cite:t}`lin2024` set it to exactly zero. There (N.2) would divide by zero, and $x_t$ says nothing about $x_0$, so their network predicts another quantity in place of the noise. Ours still predicts the noise.
# At its first step (N.2) divides by 0.006, so that a small error of $\epsilon_\theta$ becomes a large one of $\hat x_0$. The usual help is to clip $\hat x_0$ to $[0, 1]$. We have not tried either.
# ```
#
# ## Second suspect: the last weights
#
# The weights $\theta$ move at each step of training. A running average $\bar\theta$ moves much less. After each step it becomes
#
# $$ \bar\theta \leftarrow d\,\bar\theta + (1-d)\,\theta, \qquad d = 0.999. \tag{B2.4} $$
#
# The newest weights count for a thousandth. Weights that are $k$ steps old count for $d^k$ times as much: a third as much after 1,100 steps, a twentieth after 3,000 (six epochs). This is an exponential moving average, EMA
# {cite:p}`tarvainen2017`. The DDPM paper samples with one; the coursework leaves it out. It costs a copy of the weights.
#
# Why does it help? The mean of two networks from two trainings would be useless, as a rule, because their channels do not correspond. But late in one training the weights wander around one place, and in the mean a part of
# the wandering cancels. {numref}`fig-limits-digits` fits that: with averaged weights the same noise becomes, in most columns, nearly the same digit with other details. (Ten digits in a row are too few to say by eye which row is the best.)

# %% mystnb={"figure": {"caption": "The same noise in all four combinations, seeds 0 to 9, 50 steps.", "name": "fig-limits-digits"}, "image": {"alt": "Four rows of ten generated digits. The first two rows have mostly the same digits with other details, and so have the last two."}} tags=["remove-input"]
networks = {False: weights, True: averages}
grid(
    [ten_digits(networks[average][name], name) for name, average in names],
    labels=names.values(),
)

# %% [markdown]
# In code, with $\bar\theta$ as `ema` and $\theta$ as `network`:
#
# ```{literalinclude} ../../diffusion_utils/training/loop.py
# :pyobject: average
# :lines: 1-2,7-
# ```
#
# `mean.lerp_(now, 1 - decay)` moves `mean` by the share $1-d$ towards `now`. The last loop copies the statistics of BatchNorm.
#
# ## Where it fails: statistics that do not fit
#
# BatchNorm, a layer after nearly every convolution of the network, shifts and scales each channel by its mean and variance. It notes these statistics in training and uses them in sampling. The copied ones were noted with the last weights,
# and do not quite fit the average. To take new ones, let some batches go through the averaged network; no weight changes.


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


rows = []
for name, label in (("b2", "B2's schedule"), ("b2_to_noise", "more noise")):
    own = with_own_statistics(averages[name], schedules[name], by_profile(8, 1))
    before = losses(weights[name], name)
    for kind, network in (
        ("last weights", weights[name]),
        ("average, copied statistics", averages[name]),
        ("average, new statistics", own),
    ):
        change = losses(network, name) - before
        deviation = change.std() / len(change) ** 0.5
        more = f"{change.mean():+.4f} ± {deviation:.4f}"
        rows.append(
            [
                f"{label}, {kind}",
                f"{(before + change).mean():.4f}",
                "–" if network is weights[name] else more,
            ]
        )
table(
    rows,
    ["", "loss", "against the last weights"],
    f"Loss (B2.1) on {len(some)} test digits, the same noise for each network of a schedule (± standard error).",
)

# %% [markdown]
# With copied statistics the loss of the average is no smaller than that of the last weights, and with more noise it is larger. With new statistics it is a little smaller in both. (Losses of the two schedules cannot be compared: their timesteps are not
# equally hard. Nor can these be compared with those on B2's page, of other digits and other timesteps. Only the last column compares networks on the same digits and noise.) The averages of {numref}`fig-limits-distances` have copied statistics. So the network with the smallest distance has a larger loss than the same training's last weights: a loss alone does not say how good samples are. Whether new statistics would bring the digits still nearer, we have not measured.
#
# ## For a training of your own
#
# Let the last timestep be as noisy as the start of your sampling. Keep an average of the weights. New statistics of BatchNorm lower its loss; whether they improve its samples is untested. Much of the distance to real digits is left even so; we have not tried a longer training or a larger network.
#
# ## Try it
#
# 1. **Mix them up.** In the notebook, `ten_digits(network, name)` draws with the schedule `name`. `averages["b2_to_noise"]` is the network of "both changes". What becomes of its strokes in `grid([ten_digits(averages["b2_to_noise"], "b2")])`, with the wrong schedule?
# 2. **Hurry.** Where the notebook defines `timesteps`, change `full=50` to `full=10`. Which row of {numref}`fig-limits-digits` suffers most?
#
# Next: [B3](b3_class_conditioned.ipynb) tells the network which digit to draw.
