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
# **The Fréchet distance of B2's digits to real ones is about ten times that of other real digits. What in B2's recipe is to blame?**
#
# **In our one training of it, three things. Each can be repaired without training for longer:**
#
# 1. **Statistics.** BatchNorm uses means and variances that were noted while the weights still moved. The repair measures them anew.
# 2. **Weights.** The last weights depend on which digits came last. The repair takes the average of the weights over the last few thousand steps of training.
# 3. **Start.** Sampling starts from pure noise, which the network has never seen. The repair starts from the mean digit in noise.
#
# A second training, with more noise, agrees only in part: there, repair 1 makes the distance larger where repair 2 is made as well.

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

recipe = RECIPES["b2"]
schedule, T = recipe.schedule, recipe.schedule.T
timesteps = spaced_timesteps(T, by_profile(full=20, fast=3))
train_digits = to_unit(mnist(train=True)[0])
mean_digit = train_digits.mean(0)

stored = json.loads((ROOT / "benchmarks/results/mnist_b2.json").read_text())
limits = json.loads((ROOT / "benchmarks/results/mnist_limits.json").read_text())
found = {
    (r["recipe"], r["weights"], r["statistics"], r["start"]): r for r in limits["rows"]
}
by_steps = {r["steps"]: r for r in stored["rows"] if r["way"] == "beta tilde"}
STEPS = limits["rows"][0]["steps"]
B2, REPAIRED = ("b2", "last", "noted", "noise"), ("b2", "average", "anew", "mean digit")


def change(before, after):
    """How much larger the distance is after, and the standard deviation of that."""
    pairs = zip(before["without_a_tenth"], after["without_a_tenth"], strict=True)
    return after["fid"] - before["fid"], jackknife([b - a for a, b in pairs])


def some_digits(network, x_0=None):
    """Seeds 0 to 19 of a network, from noise, or from x_0 noised."""
    noise = generators(range(20))
    x = unit_noise((1, 28, 28), noise)
    if x_0 is not None:
        x = schedule.forward(x_0.expand_as(x), T - 1, x)
    denoise = unet_denoiser(network, T)
    drawn = trajectory(denoise, x, timesteps, schedule, generators=noise)
    return last(drawn).clamp(0, 1)


# %% mystnb={"figure": {"caption": "B2's digits; those of the same noise after each single repair; and after all three. Seeds 0 to 9, 20 steps.", "name": "fig-limits-digits"}, "image": {"alt": "Five rows of ten digits. The first stays in pieces in all rows. From the first row to the last, strokes get brighter and six digits turn into other shapes, such as a 6 into a 0."}} tags=["remove-input"]
last_weights, average = released("b2")[0][20], released_average("b2")
anew, average_anew = (with_own_statistics(n, recipe) for n in (last_weights, average))
drawn = {
    "B2": some_digits(last_weights),
    "statistics": some_digits(anew),
    "weights": some_digits(average),
    "start": some_digits(last_weights, mean_digit),
    "all three": some_digits(average_anew, mean_digit),
}
grid([digits[:10] for digits in drawn.values()], labels=[*drawn], size=0.65)

# %% tags=["remove-input"]
keys = {
    "B2": B2,
    "statistics": ("b2", "last", "anew", "noise"),
    "weights": ("b2", "average", "noted", "noise"),
    "start": ("b2", "last", "noted", "mean digit"),
    "all three": REPAIRED,
}


def measured(name, row, light, brighter):
    return [name, f"{row['fid']:.0f}", f"{row['spread']:.3f}", f"{light:.3f}", brighter]


gap = found[B2]["fid"] - limits["real"]["fid"]
assert 0.75 < (found[B2]["fid"] - found[REPAIRED]["fid"]) / gap < 0.85
table(
    [
        measured(
            name,
            found[keys[name]],
            digits.mean(),
            int(((digits - drawn["B2"]).mean((1, 2, 3)) > 0).sum()) or "",
        )
        for name, digits in drawn.items()
    ]
    + [measured("real digits", limits["real"], mean_digit.mean(), "")],
    ["", "Fréchet distance", "spread", "mean brightness", "brighter than B2's"],
    f"Distance and spread: of {limits['images']:,} samples, as in B2. Brightness: of {len(drawn['B2'])} samples (the figure shows the first ten), and of all training digits. {STEPS} steps.",
)

# %% [markdown]
# New statistics, the new start or all three repairs brighten each of the 20 digits. The average of the weights makes about as many darker as brighter.
#
# With all three, only four of the ten digits in the figure keep their shape: the first three and the fifth. The seventh and the ninth were plain 1s and are now hard to name.
#
# The **Fréchet distance** of [B2](b2_time_conditioned.ipynb) compares a thousand such samples with real digits. The repairs close about four fifths of that gap. The **spread** of the pixels grows too, but most of its gap stays.
#
# Does each repair help whatever the other two do? {numref}`fig-limits-changes` tries all eight combinations:

# %% mystnb={"figure": {"caption": "Each panel makes one repair, from left to right. A line's colours name the other repairs that are made at both its ends; black: neither. Bars: ± two standard deviations. Grey: real digits.", "name": "fig-limits-changes"}, "image": {"alt": "Three panels with four lines each. All twelve lines go down from left to right. In each panel the topmost line is black and the lowest, dashed in two colours, stands for both other repairs."}} tags=["remove-input"]
repairs = {
    "statistics": (2, "noted", "anew"),
    "weights": (1, "last", "average"),
    "start": (3, "noise", "mean digit"),
}
colours = {"neither": "k", "statistics": "C0", "weights": "C1", "start": "C2"}
rest = {key: row for key, row in found.items() if key[0] == "b2"}
fig, axes = plt.subplots(1, 3, figsize=(7, 3.3), sharey=True, layout="constrained")
falls, lines = {}, {}
for ax, (title, (place, old, new)) in zip(axes, repairs.items(), strict=True):
    for before in (key for key in rest if key[place] == old):
        made = [n for n, (i, _, made) in repairs.items() if before[i] == made]
        first, *second = [colours[n] for n in made or ["neither"]]
        after = (*before[:place], new, *before[place + 1 :])
        ends = rest[before], rest[after]
        line = ax.errorbar(
            [0, 1],
            [row["fid"] for row in ends],
            yerr=[2 * jackknife(row["without_a_tenth"]) for row in ends],
            fmt="o-",
            capsize=3,
            color=first,
        )
        if second:
            dots = {"ms": 7, "mew": 2.5, "mec": second[0]}
            line[0].set(lw=2, ls=(0, (5, 5)), gapcolor=second[0], **dots)
        else:
            lines[made[0] if made else "neither"] = line
        falls[before, after] = change(*ends)
    ax.axhline(limits["real"]["fid"], color="grey", lw=2)
    ax.set(title=title, xlim=(-0.4, 1.4), ylim=(0, None))
    ax.set_xticks([0, 1], [old, new])
axes[0].set_ylabel("Fréchet distance")
fig.legend(
    [lines[name] for name in colours],
    colours,
    title="other repairs made",
    loc="outside upper center",
    ncols=4,
)
plt.show()

# %% tags=["remove-input"]
assert len(falls) == 12 and max(by for by, _ in falls.values()) < 0
sizes = [
    round(rest[before]["fid"]) - round(rest[after]["fid"]) for before, after in falls
]
fall, error = max(falls.values(), key=lambda f: f[0] / f[1])
noisier = {key[1:3]: row for key, row in found.items() if key[0] == "b2_to_noise"}
fids = {key: round(row["fid"]) for key, row in noisier.items()}
rise = change(noisier["average", "noted"], noisier["average", "anew"])
Markdown(
    f"The twelve lines fall by {min(sizes)} to {max(sizes)}. The least certain fall is {-fall:.0f} ± {error:.0f} (one standard deviation), so chance in the samples does not explain any. "
    "This ± is smaller than the bars suggest: both ends of a line draw from the same noise, so chance moves them together.\n\n"
    f"In the second training (section 3), new statistics help the last weights ({fids['last', 'noted']} to {fids['last', 'anew']}) "
    f"but harm the average ({fids['average', 'noted']} to {fids['average', 'anew']}, {rise[0]:+.0f} ± {rise[1]:.0f}). "
    "`python -m benchmarks.mnist_limits b2 --seed 181` trains B2 once more and measures it."
)

# %% mystnb={"code_prompt_show": "Show the eight distances"} tags=["remove-input", "hide-output"]
table(
    [
        [*key[1:], f"{row['fid']:.0f} ± {jackknife(row['without_a_tenth']):.0f}"]
        for key, row in sorted(rest.items(), key=lambda item: -item[1]["fid"])
    ]
    + [["real digits", "", "", f"{limits['real']['fid']:.0f}"]],
    ["weights", "statistics", "start", "Fréchet distance"],
    f"{limits['images']:,} samples against 5,000 test digits, {STEPS} steps, the same seeds in each row; ± one standard deviation. Stored by python -m benchmarks.mnist_limits.",
)

# %% [markdown]
# ```{dropdown} Where the ± comes from
# We leave out a tenth of the samples and of the test digits, and measure again, for each tenth in turn. From how much these ten numbers vary, the jackknife estimates a standard deviation. The ± of a fall is that of ten falls.
# ```
#
# ## 1. The statistics
#
# A network with BatchNorm holds two kinds of numbers. Its weights are trained. And after nearly every convolution, BatchNorm shifts and scales each channel by a mean and a variance. In training these **statistics** are those of the batch at hand. A running mean of them is **noted** for later, and sampling uses what was noted.
#
# The weights still moved meanwhile, and the running mean covers only the last few batches. Which matters, we have not tested. The repair takes the statistics **anew**: a thousand training digits, with their noise, go through the network, and no weight moves.
#
# ```{literalinclude} ../../diffusion_utils/mnist/release.py
# :pyobject: with_own_statistics
# :lines: 1-2,7-
# ```
#
# ## 2. The weights
#
# Each step of training moves the weights $\theta$ to suit the 128 digits at hand. So the **last** ones depend on which digits came last. A running **average** $\bar\theta$ moves much less. After each step it becomes
#
# $$ \bar\theta \leftarrow d\,\bar\theta + (1-d)\,\theta, \qquad d = 0.999. \tag{B2.2} $$
#
# Weights that are $k$ steps old count for $d^k$ times as much as the newest: a third as much after 1,100 steps, a twentieth after 3,000. This is an exponential moving average, EMA {cite:p}`tarvainen2017`. The DDPM paper samples with one; the coursework leaves it out.
#
# ```{literalinclude} ../../diffusion_utils/training/loop.py
# :pyobject: average
# :lines: 1-2,7-
# ```
#
# Here `ema` holds $\bar\theta$, and `mean.lerp_(now, 1 - decay)` moves `mean` by the share $1-d$ towards `now`. The last loop copies the statistics of the moving weights: those are what the average has as **noted** ones. They do not belong to it, so one expects repair 1 to help the average. In the second training it does not.
#
# Why can an average help? The usual explanation: late in a training the weights wander around one place, and in the mean a part of the wandering cancels.
#
# ## 3. The start
#
# Sampling starts from pure noise. The network has never seen that: at its last timestep, $t = 299$, a fifth of the digit's amplitude is left. The mean of many $x_{299}$ shows what pure noise lacks:

# %% mystnb={"figure": {"caption": "One training digit, noised to $t = 299$ by (N.1); the mean of 10,000 training digits, each noised so; the mean of 10,000 images of pure noise. Both means with more contrast.", "name": "fig-limits-start"}, "image": {"alt": "Three squares: noise; a bright, soft patch in the middle of a dark square; and an even grey."}} tags=["remove-input"]
many = train_digits[: by_profile(10_000, 500)]
eps = torch.randn(many.shape, generator=torch.Generator().manual_seed(0))
noised = schedule.forward(many, T - 1, eps)
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
assert 0.2 < schedule.alpha_bar[-1].sqrt() < 0.25

# %% [markdown]
# The repair noises the mean of all training digits by (N.1), the same mean for every seed, and starts there. In code, `x = schedule.forward(mean_digit, T - 1, eps)` in place of `x = eps`. This puts back what all digits share. What makes them differ from each other is still missing.
#
# Stable Diffusion, a large text-to-image model, had the same flaw: it started from pure noise, was never trained on it, and could not draw very bright or very dark pictures {cite:p}`lin2024`. Here 0 is black and the mean of pure noise is 0. B2's digits come out too dark, and brighter with the new start, but with new statistics too (table at the top). The authors mend it in training, with a schedule that ends in pure noise and another target for the network.
#
# ```{dropdown} Or train with more noise
# The schedule of the DDPM paper {cite:p}`ho2020` nearly ends so, too: its $\beta_t$ grows to 0.02 in 1,000 timesteps, and less than a hundredth of the digit's amplitude is left. The coursework keeps these $\beta_t$ but takes only 300 timesteps. To get as far in 300, we let $\beta_t$ grow to 0.067.
#
# The second training has this schedule (folded table and plot below). Against the one training with B2's schedule the distance is smaller in one row, larger in another, and not clearly different in two. Two single trainings do not tell what the schedule does.
# ```

# %% mystnb={"code_prompt_show": "Show the distances with more noise"} tags=["remove-input", "hide-output"]
table(
    [
        [
            weights,
            statistics,
            f"{found['b2', weights, statistics, 'noise']['fid']:.0f}",
            f"{found['b2_to_noise', weights, statistics, 'noise']['fid']:.0f}",
            "{:+.0f} ± {:.0f}".format(
                *change(
                    found["b2", weights, statistics, "noise"],
                    found["b2_to_noise", weights, statistics, "noise"],
                )
            ),
        ]
        for weights in ("last", "average")
        for statistics in ("noted", "anew")
    ],
    ["weights", "statistics", "B2's schedule", "more noise", "difference"],
    "Fréchet distance with either schedule, one training of each, always from pure noise; the difference with one standard deviation, of the samples only.",
)

# %% mystnb={"code_prompt_show": "Show the schedules", "figure": {"caption": "How much of the clean digit is left in $x_t$, for B2's schedule, for the one with more noise, and for that of the DDPM paper, its 1,000 timesteps squeezed to 300.", "name": "fig-limits-schedules"}, "image": {"alt": "Curves that fall from one: B2's ends at about a fifth; the one with more noise and the paper's nearly coincide and end near zero."}} tags=["remove-input", "hide-output"]
paper = Schedule.linear(1e-4, 0.02, T=1000).alpha_bar.sqrt()
fig, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
ax.plot(schedule.alpha_bar.sqrt(), label="B2's schedule")
ax.plot(RECIPES["b2_to_noise"].schedule.alpha_bar.sqrt(), label="more noise")
squeezed = torch.linspace(0, T - 1, len(paper))
ax.plot(squeezed, paper, "k:", lw=2, label="DDPM paper, squeezed to 300")
ax.set(xlabel="$t$", ylabel=r"$\sqrt{\bar\alpha_t}$", ylim=(0, 1.05), xlim=(0, T - 1))
ax.legend()
plt.show()

# %% [markdown]
# ## Where it fails

# %% tags=["remove-input"]
fall, error = change(found[B2], by_steps[300])
Markdown(
    f"**Steps are perhaps a fourth limit.** Everything above takes {STEPS} steps. Without repairs, B2's distance is {found[B2]['fid']:.0f} with {STEPS}, "
    f"{by_steps[50]['fid']:.0f} with 50 and {by_steps[300]['fid']:.0f} with 300 (from {STEPS} to 300: {fall:+.0f} ± {error:.0f}). With all three repairs we have tried no more than {STEPS}."
)

# %% [markdown]
# **The samples are not real digits yet.** About a fifth of the way is left, and the very first digit of {numref}`fig-limits-digits` stays in pieces. We have not tried a longer training or a larger network.
#
# ## Try it
#
# 1. **Start elsewhere.** In the notebook, change `mean_digit` in the line of `"start"` to `train_digits[0]`, a five. Of ours, only the eighth then looks a little like a five: perhaps what is left of one digit is too faint.
# 2. **Hurry.** Where the notebook defines `timesteps`, change `full=20` to `full=5`. Some strokes get pale or smeared, in all rows: the repairs do not replace steps.
#
# Next: [B3](b3_class_conditioned.ipynb) tells the network which digit to draw.
