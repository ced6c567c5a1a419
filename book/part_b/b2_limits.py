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
# **The digits of B2 are about ten times as far from real digits as real digits are from each other. What in its recipe is to blame?**

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
import torch
from IPython.display import Markdown

from diffusion_utils.files import ROOT
from diffusion_utils.metrics import jackknife
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.recipes import RECIPES
from diffusion_utils.mnist.release import (
    released,
    released_average,
    with_own_statistics,
)
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.pictures import to_unit
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, last, trajectory, unit_noise
from diffusion_utils.schedule import Schedule, spaced_timesteps
from diffusion_utils.show import grid, table

schedules = {name: RECIPES[name].schedule for name in ("b2", "b2_to_noise")}
T = schedules["b2"].T
timesteps = spaced_timesteps(T, by_profile(full=20, fast=3))
weights = {name: released(name)[0][20] for name in schedules}
averages = {
    name: with_own_statistics(released_average(name), RECIPES[name])
    for name in schedules
}
train_digits = to_unit(mnist(train=True)[0])


def some_digits(network, name, x_0=None):
    """Seeds 0 to 29 of a network, from noise, or from x_0 noised; name: "b2" or "b2_to_noise"."""
    schedule, noise = schedules[name], generators(range(by_profile(full=30, fast=10)))
    x = unit_noise((1, 28, 28), noise)
    if x_0 is not None:
        x = schedule.forward(x_0.expand_as(x), T - 1, x)
    denoise = unet_denoiser(network, T)
    return last(trajectory(denoise, x, timesteps, schedule, generators=noise))


# %% [markdown]
# The network holds two kinds of numbers. Its **weights** are trained. And BatchNorm, a layer after nearly every convolution, shifts and scales each channel by a mean and a variance. Training notes these **statistics** as it goes; sampling uses them. We change three things:
#
# * **The weights.** Each step of training moves them to suit the 128 digits at hand, so the **last** ones depend on which digits came last. We also try their **average** over many steps.
# * **The statistics.** They were **noted** while the weights still moved; the average gets a copy of them. We also take them **anew**: eight batches of training digits go through the network, and no weight moves.
# * **The schedule.** Sampling starts from pure noise, which the network has never seen: at its last timestep a fifth of the digit's amplitude is left. We also train with **more noise**, so that almost nothing is left.

# %% tags=["remove-input"]
limits = json.loads((ROOT / "benchmarks/results/mnist_b2_limits.json").read_text())
found = {(row["recipe"], row["way"]): row for row in limits["rows"]}
ways = {
    ("last", "noted"): "last",
    ("last", "anew"): "last, own statistics",
    ("average", "noted"): "average",
    ("average", "anew"): "own statistics",
}


def distance(schedule, way):
    row = found[schedule, way]
    return f"{row['fid']:.0f} ± {jackknife(row['without_a_tenth']):.0f}"


def change(before, after):
    """How much larger the distance is after, and the standard deviation of that."""
    before, after = found[before], found[after]
    pairs = zip(before["without_a_tenth"], after["without_a_tenth"], strict=True)
    return after["fid"] - before["fid"], jackknife([b - a for a, b in pairs])


def more_noise(way):
    return "{:+.0f} ± {:.0f}".format(*change(("b2", way), ("b2_to_noise", way)))


table(
    [
        [*names, distance("b2", way), distance("b2_to_noise", way), more_noise(way)]
        for names, way in ways.items()
    ]
    + [["real digits", "", distance("real", ""), "", ""]],
    ["weights", "statistics", "B2's schedule", "more noise", "difference"],
    f"Fréchet distance of {limits['images']:,} samples to 5,000 test digits (smaller is better), ± one standard deviation; the difference (more noise minus B2's schedule) has its own. The same seeds everywhere, {limits['steps']} steps.",
)

# %% [markdown]
# **With either schedule the average draws nearer to real digits than the last weights do, whichever statistics it uses. Statistics taken anew help in three of four cases. More noise helps in one, hurts in one, and makes no clear difference in two.**
# The two nearest sets, one of each schedule, are not told apart, and leave about half of the way to real digits. With a better start (below) B2's average leaves about a fifth. We trained once with each schedule; what another training would change is not in the ±.

# %% mystnb={"figure": {"caption": "What one change does while the other two stay. Left of the grey line: the digits come nearer to real ones. Bars: ± two standard deviations; a bar that reaches the line is not told from chance. Samples as in the table.", "name": "fig-limits-changes"}, "image": {"alt": "Eight dots with bars and a vertical line at zero. Seven bars lie left of the line: all four of the average, and three of the statistics. The last one, of the average's statistics with more noise, lies right of it."}} tags=["remove-input"]
schedule_names = {"b2": "B2's schedule", "b2_to_noise": "more noise"}
averaged, taken_anew = {}, {}
for name, label in schedule_names.items():
    for other in ("noted", "anew"):
        averaged[f"{label}, statistics {other}"] = (
            (name, ways["last", other]),
            (name, ways["average", other]),
        )
    for other in ("last", "average"):
        taken_anew[f"{label}, {other} weights"] = (
            (name, ways[other, "noted"]),
            (name, ways[other, "anew"]),
        )


def draw_changes(groups):
    count = sum(map(len, groups.values()))
    fig, ax = plt.subplots(figsize=(7, 0.35 * count + 1), layout="constrained")
    labels = []
    for name, pairs in groups.items():
        middles, errors = zip(*(change(*pair) for pair in pairs.values()), strict=True)
        places = range(len(labels), len(labels) + len(pairs))
        bars = [2 * error for error in errors]
        ax.errorbar(middles, places, xerr=bars, fmt="o", capsize=4, label=name)
        for middle, place in zip(middles, places, strict=True):
            ax.annotate(
                f"{middle:+.0f}", (middle, place), (0, 4), textcoords="offset points"
            )
        labels += pairs
    ax.axvline(0, color="grey")
    ax.set_yticks(range(count), labels)
    ax.set(xlabel="change of the Fréchet distance", ylim=(count - 0.5, -0.7))
    fig.legend(loc="outside upper center", ncols=len(groups))
    plt.show()


draw_changes({"average": averaged, "statistics anew": taken_anew})

# %% [markdown]
# ```{dropdown} Where the ± comes from
# We leave out a tenth of the samples and of the test digits, and measure again, for each tenth in turn. From how much these ten numbers vary, the jackknife estimates a standard deviation. Two networks draw from the same noise, so a part of the chance is common to both and cancels in their difference: its ± is that of the ten differences.
# ```
#
# ## The start
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
# Does the start matter? As a test we start B2 from real digits, noised to $t = 299$ as in training. In a single $x_{299}$ the digit cannot be seen. The mean of many such images shows what pure noise lacks:

# %% mystnb={"figure": {"caption": "One training digit, noised to $t = 299$ by (N.1); the mean of 10,000 training digits, each noised so; the mean of 10,000 images of pure noise. Both means with more contrast.", "name": "fig-limits-start"}, "image": {"alt": "Three squares: noise; a bright, soft patch in the middle of a dark square; and an even grey."}} tags=["remove-input"]
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
def from_start(way, start):
    pair = ("b2", way), ("b2", start)
    return "{:+.0f} ± {:.0f}".format(*change(*pair))


Markdown(
    "But noised digits leak: each brings a trace of a real digit along. So we also noise the mean of all training digits, one image for every seed. "
    f"With B2's last weights and noted statistics this changes the distance by {from_start('last', 'noised mean')}; noised digits change it by {from_start('last', 'noised digits')}. "
    "So the start matters, and no leak is needed: the mean is enough (with noise that is 2 % weaker, by (N.1)). "
    f"It changes that of the average with new statistics by {from_start('own statistics', 'own statistics, noised mean')}, to {distance('b2', 'own statistics, noised mean')}, the smallest on this page."
)

# %% [markdown]
# One would expect more noise to bring as much, since it too lets the network start where it was trained. With the last weights and noted statistics it does not (first row of the table). Its network has to learn more levels of almost pure noise, and its first steps enlarge each error more. Which of these costs what the start gains, we do not know.
#
# ```{dropdown} Still more noise
# Even the end of the DDPM paper's schedule is not quite pure noise. {cite:t}`lin2024` set it to exactly zero. There (N.2) would divide by zero, and $x_t$ says nothing about $x_0$, so their network predicts another quantity in place of the noise. Ours still predicts the noise.
# At its first step (N.2) divides by 0.006, so that a small error of $\epsilon_\theta$ becomes a large one of $\hat x_0$. The usual help is to clip $\hat x_0$ to $[0, 1]$; in one trial with the last weights it changed little. We have not tried the schedule that ends at zero.
# ```
#
# ## The average
#
# The weights $\theta$ move at each step of training. A running average $\bar\theta$ moves much less. After each step it becomes
#
# $$ \bar\theta \leftarrow d\,\bar\theta + (1-d)\,\theta, \qquad d = 0.999. \tag{B2.2} $$
#
# The newest weights count for a thousandth. Weights that are $k$ steps old count for $d^k$ times as much: a third as much after 1,100 steps, a twentieth after 3,000 (six epochs). This is an exponential moving average, EMA
# {cite:p}`tarvainen2017`. The DDPM paper samples with one; the coursework leaves it out.
#
# Why can it help? The usual explanation: late in a training the weights wander around one place, and in the mean a part of the wandering cancels. Then a learning rate that goes nearer to zero should help as well; B2's ends at a tenth of its first value. We have not tried it.

# %% mystnb={"figure": {"caption": "The same noise, seeds 0 to 29, 20 steps: B2's last weights with noted statistics; their average with statistics anew; and the same from the noised mean digit, the set with the smallest distance of this page. Below: 30 training digits.", "name": "fig-limits-digits"}, "image": {"alt": "Four blocks of three rows of ten digits: from the last weights, from their average, from their average with the other start, and real digits."}} tags=["remove-input"]
blocks = {
    "last, noted": some_digits(weights["b2"], "b2"),
    "average, anew": some_digits(averages["b2"], "b2"),
    "from the mean": some_digits(averages["b2"], "b2", train_digits.mean(0)),
    "real digits": train_digits[:30],
}
labels, rows = [], []
for label, digits in blocks.items():
    rows += digits.split(10)
    labels += [label, *[""] * (len(digits) // 10 - 1)]
grid(rows, labels=labels)

# %% [markdown]
# By eye the average is no better: most digits are the same with other details, and some have become worse. With the other start a few become others, most of them clear. So eye and distance disagree on the average; thirty digits are few, and the distance looks at a thousand.
#
# In code, with $\bar\theta$ as `ema` and $\theta$ as `network`:
#
# ```{literalinclude} ../../diffusion_utils/training/loop.py
# :pyobject: average
# :lines: 1-2,7-
# ```
#
# `mean.lerp_(now, 1 - decay)` moves `mean` by the share $1-d$ towards `now`. The last loop copies the statistics of BatchNorm.
#
# ## Where it fails: the statistics
#
# With more noise the average draws worse with statistics taken anew than with copied ones (last row of {numref}`fig-limits-changes`). Statistics that fit the weights need not draw best. Why the schedules differ here, we do not know. So which schedule is better for the average hangs on the statistics: with noted ones it is more noise, also with all 300 steps (fold); with new ones it is B2's. Chance in the eight batches is not in the bars.

# %% mystnb={"code_prompt_show": "Show the distances with noted statistics and all 300 steps"} tags=["remove-input", "hide-output"]
path = ROOT / "benchmarks/results/mnist_b2_limits_300.json"
copied = json.loads(path.read_text())
recipes = {"b2": "B2", "b2_to_noise": "more noise"}
table(
    [
        [
            recipes[row["recipe"]] + row["average"] * ", average",
            f"{row['fid']['mean']:.0f} ± {row['fid']['std']:.0f}",
        ]
        for row in copied["rows"]
    ],
    ["", "Fréchet distance"],
    f"Noted statistics, {copied['images']:,} samples, 300 steps; mean over five sets of 1,000 test digits ± their standard deviation.",
)

# %% [markdown]
# ## For a training of your own
#
# Start from the noised mean digit, and keep an average of the weights. Measure it with noted statistics and with new ones, and look at the digits as well: here only the distance was better. A part of the distance is left even so; we have not tried a longer training or a larger network.
#
# ## Try it
#
# 1. **Mix them up.** In the notebook, `some_digits(network, name)` draws with the schedule `name`. What becomes of the strokes in `grid([some_digits(averages["b2_to_noise"], "b2")])`, with the wrong schedule?
# 2. **Hurry.** Where the notebook defines `timesteps`, change `full=20` to `full=5`. Which block of {numref}`fig-limits-digits` suffers more?
#
# Next: [B3](b3_class_conditioned.ipynb) tells the network which digit to draw.
