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


def ten_digits(network, name):
    denoise = unet_denoiser(network, T)
    return sample(denoise, (1, 28, 28), timesteps, schedules[name], seeds=range(10))


drawn = {
    f"{label}, {kind}": ten_digits(networks[name], name)
    for name, label in (("b2", "B2"), ("b2_to_noise", "to noise"))
    for kind, networks in (("last", weights), ("average", averages))
}

# %% mystnb={"figure": {"caption": "Digits from the same noise, seeds 0 to 9, 50 steps. From above: the last weights of B2's training; the average of its weights; the last weights of a training whose schedule ends at pure noise; the average of those. The last row is the first ten test digits.", "name": "fig-limits-digits"}, "image": {"alt": "Five rows of ten handwritten digits: four rows of generated ones, and one row of real ones."}} tags=["remove-input"]
grid([*drawn.values(), test_digits[:10]], labels=[*drawn, "real digits"])

# %% [markdown]
# Two things in B2's recipe look suspicious. Its schedule does not end at pure noise, where sampling starts. And its samples are drawn with the weights of the very last step of training, which
# are as good or as bad as that step happened to leave them. So we trained B2 once more with another schedule, and in both trainings we kept a running average of the weights beside the weights
# themselves. {numref}`fig-limits-digits` shows what each of the four networks draws.
#
# Look for strokes that do not join up. Each of the four rows has some: the fourth digit of the first two rows, the first and the eighth of the next two. The average changes little in a digit.
# It joins the pieces of the first digit in the fourth row, and tears the eighth in the second. Ten digits are too few to say which row is best, so we will measure a thousand.
#
# ## First suspect: the start
#
# Training shows the network noised digits. At the last timestep $T-1$ they are, by (N.1),
#
# $$ x_{T-1} = \sqrt{\bar\alpha_{T-1}}\,x_0 + \sqrt{1-\bar\alpha_{T-1}}\,\epsilon. \tag{B2.3} $$
#
# Sampling starts from pure noise, $x_{T-1} = \epsilon$.
#
# The two agree where $\sqrt{\bar\alpha_{T-1}}$, the share of the clean digit $x_0$ that is left, is 0. In B2 it is not.

# %% mystnb={"figure": {"caption": "The factor of the clean digit against the timestep, for B2's schedule ($\\beta_t$ grows to 0.02) and for one that ends at pure noise ($\\beta_t$ grows to 0.067). $T = 300$.", "name": "fig-limits-schedules"}, "image": {"alt": "Two curves that fall from one: the upper one ends at about a fifth, the lower one falls faster and ends at nearly zero. Each end is marked with its value."}} tags=["remove-input"]
fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
for name, label, height in (
    ("b2", "B2", 0.45),
    ("b2_to_noise", "to noise", 0.18),
):
    left = schedules[name].alpha_bar.sqrt()
    (line,) = ax.plot(left, label=label)
    ax.plot(T - 1, left[-1], "o", color=line.get_color(), clip_on=False)
    ax.annotate(
        f"{left[-1]:.3f} is left",
        (T - 1, left[-1]),
        (245, height),
        arrowprops={"arrowstyle": "-"},
    )
ax.set(xlabel="$t$", ylabel=r"$\sqrt{\bar\alpha_t}$", ylim=(0, 1.05), xlim=(0, T - 1))
ax.legend()
plt.show()

# %% [markdown]
# Does that matter? We can test it without a new training: start from real digits, noised to the last timestep, as in training.

# %% mystnb={"figure": {"caption": "From above: ten training digits; the same noised to $t = 299$ by (N.1), seeds 0 to 9; what B2 makes of that; what it makes of pure noise, seeds 0 to 9. 50 steps each, last weights.", "name": "fig-limits-start"}, "image": {"alt": "Four rows of ten squares: real digits, noise in which they can hardly be seen, generated digits from that noise, generated digits from pure noise."}} tags=["remove-input"]
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
    [train_digits[:10], noised, last(steps), drawn["B2, last"]],
    labels=["digits", "$x_{299}$", "from digits", "from noise"],
)


# %% tags=["remove-input"]
def distance(row):
    return f"{row['fid']['mean']:.0f} ± {row['fid']['std']:.0f}"


judge = json.loads((ROOT / "benchmarks/results/mnist_b2_judge.json").read_text())
judged = {row["name"]: row for row in judge["rows"]}
starts = {
    "epoch 20": "from pure noise",
    "noised digits": "from noised digits",
    "real digits": "real digits",
}
table(
    [
        [
            label,
            f"{judged[name]['confidence']:.3f} ± {judged[name]['standard_error']:.3f}",
            distance(judged[name]),
        ]
        for name, label in starts.items()
    ],
    ["", "confidence", "Fréchet distance"],
    "Where sampling starts: confidence of the judge (± standard error), and distance to test digits (± standard deviation over five sets of them). "
    f"{judge['images']:,} images each, {judge['steps']} sampling steps, last weights of B2.",
)

# %% [markdown]
# So little of a digit is left at $t = 299$ that most samples in the third row of {numref}`fig-limits-start` are other digits than those above them. Still the start matters. From noised digits the
# distance is smaller by more than a third, which is several times its standard deviation; the judge is not measurably surer. A better start from pure noise can hardly
# bring more: a noised digit gives the sampler a little of a real digit, and pure noise does not.
#
# The second training has a schedule for which pure noise is the right start: its $\beta_t$ grows to 0.067 instead of 0.02. All else is B2's recipe.
#
# ## Second suspect: the last step
#
# Each step of training moves the weights $\theta$ to suit the 128 digits at hand, so they never come to rest. A running average $\bar\theta$ moves much less. After each step it becomes
#
# $$ \bar\theta \leftarrow d\,\bar\theta + (1-d)\,\theta. \tag{B2.4} $$
#
# With the decay $d = 0.999$ a step counts for a thousandth, and what is much older than a thousand steps is nearly forgotten: the average is over about the last two epochs. It costs a copy
# of the weights and changes nothing in the training. Papers call it an exponential moving average, EMA {cite:p}`tarvainen2017`.
#
# ```{literalinclude} ../../diffusion_utils/training/loop.py
# :pyobject: average
# :start-at: weights = zip
# :dedent:
# ```
#
# The average is a network like any other, and the loop of B2 draws with it:

# %%
schedule = schedules["b2_to_noise"]
network = averages["b2_to_noise"]
denoise = unet_denoiser(network, T)
images = sample(denoise, (1, 28, 28), timesteps, schedule, seeds=range(10, 20))

# %% mystnb={"figure": {"caption": "Ten more digits of the average with the schedule that ends at pure noise, seeds 10 to 19, 50 steps.", "name": "fig-limits-average"}, "image": {"alt": "A row of ten generated digits."}} tags=["remove-input"]
grid([images])

# %% [markdown]
# ## What each of them brings

# %% tags=["remove-input"]
limits = json.loads((ROOT / "benchmarks/results/mnist_b2_limits.json").read_text())
floor = limits["real"]
found = {(row["recipe"], row["average"]): row for row in limits["rows"]}


def with_ratio(row):
    times = row["fid"]["mean"] / floor["fid"]["mean"]
    return f"{distance(row)} ({times:.1f} ×)"


table(
    [
        [label, *(with_ratio(found[name, average]) for name in schedules)]
        for label, average in (("last weights", False), ("average", True))
    ]
    + [["real digits, the floor", distance(floor), distance(floor)]],
    ["", "B2's schedule", "schedule to pure noise"],
    f"Fréchet distance to test digits, mean ± standard deviation over five sets of them; {limits['images']:,} samples, {T} steps. In brackets: how many times the floor.",
)

# %% [markdown]
# Read the table line by line:
#
# * **The schedule alone** brings nothing that we can measure: the two distances in the first line differ by less than their standard deviations.
# * **The average alone** helps, by more than two standard deviations.
# * **Both together** help most. The schedule pays off once the weights are averaged.
#
# Why the schedule helps the average only, we do not know. One thing that changes with it is the first step. There (N.2) divides by $\sqrt{\bar\alpha_t}$, which is nearly 0 now,
# so that a small error of $\epsilon_\theta$ becomes a large one of $\hat x_0$; the next section shows how large. And each recipe was trained once: another training would end at other weights,
# which the ± does not cover.
#
# ## Where it fails: statistics of another network
#
# The last two lines of `average` copy what is no weight. In this network that is BatchNorm's statistics: the mean and the variance of each channel, with which eval mode normalises. They belong
# to the last weights, and the average gets them although its channels have others. We can give it statistics of its own. In train mode a few batches go through it, and each layer
# notes what it sees; no weight changes.


# %%
def with_own_statistics(network, schedule, batches=8):
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


# %% tags=["remove-input"]
count = by_profile(8, 1)
own = {
    name: with_own_statistics(averages[name], schedules[name], count)
    for name in schedules
}
mended = {name: ten_digits(own[name], name) for name in schedules}

# %% mystnb={"figure": {"caption": "The two averages as they ship, with the statistics of the last weights, and with statistics of their own. Seeds 0 to 9, 50 steps.", "name": "fig-limits-statistics"}, "image": {"alt": "Four rows of ten generated digits; the rows of a pair differ in a few digits."}} tags=["remove-input"]
grid(
    [
        drawn["B2, average"],
        mended["b2"],
        drawn["to noise, average"],
        mended["b2_to_noise"],
    ],
    labels=["B2, copied", "own", "to noise, copied", "own"],
)

# %% tags=["remove-input"]
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


rows = []
for name, label in (("b2", "B2"), ("b2_to_noise", "to noise")):
    before = losses(weights[name], name)
    for kind, network in (
        ("last weights", weights[name]),
        ("average, copied statistics", averages[name]),
        ("average, its own statistics", own[name]),
    ):
        now = losses(network, name)
        change = now - before
        error = change.std() / len(change) ** 0.5
        more = f"{change.mean():+.4f} ± {error:.4f}"
        rows.append(
            [
                f"{label}, {kind}",
                f"{now.mean():.4f}",
                "–" if network is weights[name] else more,
                f"{first_estimate(network, name):.2f}",
            ]
        )
table(
    [*rows, ["training digits", "", "", f"{train_digits.mean():.2f}"]],
    ["", "loss", "more than the last weights", "mean of the first x̂₀"],
    f"Loss (B2.1) on {len(some)} test digits, the same noise for each network of a schedule (± standard error); mean pixel of what the network sees in pure noise at the first step, "
    f"{len(noise)} seeds.",
)

# %% [markdown]
# In {numref}`fig-limits-statistics` its own statistics close a few gaps, such as those of the fourth digit in the upper pair, and open one in the ninth. The table says more. With statistics of its own, the loss of either average is a little below that of the last weights, by several standard errors. So the average is, by this measure, the better network. With copied statistics it loses
# that, and in the second training its loss is clearly larger.
#
# The last column shows where the harm is largest. Pure noise tells the network nothing, so the best $\hat x_0$ is the mean of all digits, and
# its mean pixel is that of the training digits. With the schedule that ends at pure noise, the last weights see something darker than black, and the average with copied statistics something
# brighter than white. Later steps correct most of it, or no digit would come out.
#
# A smaller loss is not yet a smaller distance. The distances above are those of averages with copied statistics, as they ship. In a trial with 1,000 samples of 50 steps, statistics of
# its own did not make the distance of the second average smaller. We do not know why.
#
# ## What is left
#
# Even the best of the four is several times as far from real digits as real digits are from each other. So schedule and average are not all that limits B2. What we have not
# tried: a longer training, a larger network, or a loss that weighs timesteps differently.
#
# ## Try it
#
# 1. **Mix them up.** In the cell that draws ten digits, change `schedules["b2_to_noise"]` to `schedules["b2"]`. The network then takes the image for noisier than it is, and
#    the strokes of {numref}`fig-limits-average` break into thin pieces. With `averages["b2"]` and the other schedule it is the other way round: the digits swell until their holes close.
# 2. **Average what is far apart.** Put half of epoch 5 and half of epoch 20 into one network, in a new cell at the end:
#
#    ~~~python
#    from diffusion_utils.training.loop import average
#    half = released("b2")[0][5]
#    average(half, weights["b2"], decay=0.5)
#    own_half = with_own_statistics(half, schedules["b2"])
#    grid([ten_digits(half, "b2"), ten_digits(own_half, "b2")])
#    ~~~
#
#    In the upper row most strokes are lost. In the lower row, with statistics of their own, the same weights draw digits.
#
# Next: [B3](b3_class_conditioned.ipynb) tells the network which digit to draw.
