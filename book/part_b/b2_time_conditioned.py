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
# # B2 Denoising in many steps
#
# **Can many small steps make a digit out of nothing but noise?**

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
import numpy as np
import torch

from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.diagrams import draw, unet_plan
from diffusion_utils.files import ROOT
from diffusion_utils.mnist.objectives import MNIST_SCHEDULE as schedule
from diffusion_utils.mnist.release import trained
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, sample, trajectory, unit_noise
from diffusion_utils.schedule import Schedule, spaced_timesteps
from diffusion_utils.show import animation, grid, loss_curve, table, tile

networks, history = trained("b2")
network = networks[max(networks)]
T = schedule.T
timesteps = spaced_timesteps(T, by_profile(full=T, fast=5))
noise = generators(range(16))
x_T = unit_noise((1, 28, 28), noise)
path = list(
    trajectory(unet_denoiser(network, T), x_T, timesteps, schedule, generators=noise)
)

# %% mystnb={"figure": {"caption": "One sample on its way: the image $x_t$ (above) and the clean image $\\hat x_0$ that the step to it used (below), after the step to timestep $t$; $-1$ is the end. Seed 0, 300 steps, weights of epoch 20.", "name": "fig-b2-trajectory"}, "image": {"alt": "Above, noise turns into a digit from left to right; below, the estimate starts as a grey cloud, becomes a soft digit early, and sharpens."}} tags=["remove-input"]
shown = [path[i] for i in np.linspace(0, len(path) - 1, by_profile(9, 3)).astype(int)]
rows = [
    torch.cat([step.x[:1] for step in shown]),
    torch.cat([step.x0_hat[:1] for step in shown]),
]
grid(rows, titles=[f"$t={step.t}$" for step in shown], labels=["$x_t$", r"$\hat x_0$"])

# %% [markdown]
# ```{live} b2
# ```

# %% [markdown]
# Yes. Read {numref}`fig-b2-trajectory` from left to right. The upper row starts as pure noise, and 300 steps later it is a 7. The lower row shows what the network
# believes to be behind the noise. At first that is a soft average, as in [B1](b1_one_step_denoiser.ipynb). Each step commits to a little more, and an early decision can be
# taken back: at $t = 224$ the estimate looks like a 9, at $t = 112$ its foot has a hook, and at $t = 74$ the hook is gone.
#
# This is the denoising diffusion probabilistic model, DDPM {cite:p}`ho2020`. {numref}`fig-b2-animation` plays it for sixteen digits.

# %% mystnb={"figure": {"caption": "Sixteen digits coming out of noise, seeds 0 to 15, 300 steps. Left half: $x_t$; right half: $\\hat x_0$.", "name": "fig-b2-animation"}} tags=["remove-input"]
kept = path[:: max(1, len(path) // 30)] + [path[-1]]
frames = [
    torch.cat([tile(step.x, 4), torch.ones(1, 1, 112, 4), tile(step.x0_hat, 4)], 3)
    for step in kept
]
animation(
    frames,
    alt="Two panels of sixteen squares: on the left noise turns into figures like digits, on the right soft ones sharpen.",
    captions=[f"t = {step.t}" for step in kept],
    width=460,
)

# %% [markdown]
# ## From a digit to noise
#
# B1 had one noise level. Here there are $T = 300$ of them, one for each timestep $t = 0 \dots 299$:
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad \epsilon \sim \mathcal N(0, I). \tag{N.1} $$
#
# $x_0$ is the clean digit and $\epsilon$ is the noise. The number $\bar\alpha_t$ says how much of the digit's variance is left, and the noise fills up the rest. It is the product of
# $1 - \beta_s$ over all $s \le t$, where $\beta_t$ is the noise that timestep $t$ adds: it grows on a line from $10^{-4}$ to $0.02$.

# %% mystnb={"figure": {"caption": "What (N.1) mixes at each timestep: the factors of the clean image and of the noise. $T = 300$, linear $\\beta_t$.", "name": "fig-b2-schedule"}, "image": {"alt": "Two curves against t: the image's factor falls from one to about a fifth, the noise's rises from zero to nearly one. The end of the first curve is marked with its value."}} tags=["remove-input"]
left = schedule.alpha_bar.sqrt()
fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
ax.plot(left, label=r"$\sqrt{\bar\alpha_t}$, the image")
ax.plot((1 - schedule.alpha_bar).sqrt(), label=r"$\sqrt{1-\bar\alpha_t}$, the noise")
ax.plot(T - 1, left[-1], "o", color="C0", clip_on=False)
ax.annotate(
    f"{left[-1]:.2f} of the image is left",
    (T - 1, left[-1]),
    (200, 0.12),
    arrowprops={"arrowstyle": "-"},
)
ax.set(xlabel="$t$", ylabel="factor", ylim=(0, 1.05), xlim=(0, T - 1))
fig.legend(loc="outside upper center", ncols=2)
plt.show()

# %% [markdown]
# The left end of {numref}`fig-b2-schedule` is a nearly clean digit. The right end is not quite pure noise: a part of the image is left. [What limits B2](b2_limits.ipynb) comes back to this, because sampling will start from pure noise.
#
# ## Training: guess the noise
#
# ```{admonition} Training, algorithm 1 of the DDPM paper
# Repeat:
# 1. Take a clean digit $x_0$.
# 2. Draw a timestep $t$ from $0 \dots T-1$, each with the same probability.
# 3. Draw the noise $\epsilon \sim \mathcal N(0, I)$.
# 4. Take a step of gradient descent on $\lVert \epsilon_\theta(x_t, t/T) - \epsilon \rVert^2$, with $x_t$ from (N.1).
# ```
#
# So the network $\epsilon_\theta$ sees the noisy digit and the time, and shall say which noise was added. On average its loss is
#
# $$ L(\theta) = \mathbb E_{t, x_0, \epsilon} \lVert \epsilon_\theta(x_t, t/T) - \epsilon \rVert^2, \qquad t \sim \mathcal U\{0, \dots, T-1\}. \tag{B2.1} $$
#
# Asking for the noise is as good as asking for the digit. Whoever knows $x_t$ and one of the two can solve (N.1) for the other:
#
# $$ \hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\,\epsilon_\theta}{\sqrt{\bar\alpha_t}}. \tag{N.2} $$
#
# In code, points 2 to 4 are these lines. The optimiser's step is that of B1.
#
# ```{literalinclude} ../../diffusion_utils/mnist/objectives.py
# :pyobject: noise_objective
# :start-at: t = torch.randint
# :dedent:
# ```
#
# The network is the U-Net of B1 with $D = 64$ and two more blocks, which turn $t/T$ into one number for each channel. {numref}`fig-b2-unet` shows where these numbers are added.

# %% mystnb={"figure": {"caption": "Where the time enters: `time1` and `time2` turn $t/T$ into a number for each channel, which is added to the features $h$ at 7x7 and at 14x14. Drawn from the modules, $D = 64$; each box names the shape of what it returns.", "name": "fig-b2-unet"}, "image": {"alt": "The U-Net as two columns of boxes, down on the left and up on the right. Two orange boxes, time1 and time2, point to the places h + t1 and h + t2 in the right column, after unflatten and after up1."}} tags=["remove-input"]
draw(*unet_plan(network))

# %% mystnb={"figure": {"caption": "Training loss (B2.1) against the step, from the history of the run that made these weights. Batch 128, Adam, learning rate from $10^{-3}$, shrunk after each epoch to reach a tenth after 20; seed 180.", "name": "fig-b2-loss"}, "image": {"alt": "A loss curve on a logarithmic axis: a steep fall in the first few hundred steps, then a long shallow decline."}} tags=["remove-input"]
loss_curve(history)

# %% tags=["remove-input"]
losses = np.array([row.loss for row in history])
table(
    [
        ["this network, at step 4,700", f"{losses[4600:4700].mean():.4f}"],
        [
            f"this network, at the end (step {len(losses):,})",
            f"{losses[-100:].mean():.4f}",
        ],
        ["course staff, near step 4,700", "0.028 to 0.030"],
    ],
    ["", "mean squared error"],
    "The loss (B2.1), each the mean of the 100 steps before.",
)

# %% [markdown]
# The loss of single steps in {numref}`fig-b2-loss` stays noisy, because a batch with many small $t$ is harder than one with few: a little noise in a nearly
# clean image is hard to see.
#
# The parameters of this network sit in unexpected places. The layer `unflatten` alone holds two fifths of them: it has a weight for each of its 49 places, each channel in and each channel out.

# %% mystnb={"code_prompt_show": "Show the numbers"} tags=["remove-input", "hide-output"]
size = {
    name: sum(p.numel() for p in part.parameters())
    for name, part in network.named_children()
}
plain = sum(size.values()) - size["time1"] - size["time2"]
table(
    [
        ["all", f"{sum(size.values()):,}", ""],
        ["without time1 and time2", f"{plain:,}", "100%"],
        [
            "unflatten alone",
            f"{size['unflatten']:,}",
            f"{size['unflatten'] / plain:.0%}",
        ],
    ],
    ["", "parameters", "share"],
    "Parameters of the network of this page.",
)

# %% [markdown]
# ## Sampling: take a little of the noise away
#
# ```{admonition} Sampling, algorithm 2 of the DDPM paper
# Start from pure noise, $x_{T-1} \sim \mathcal N(0, I)$. For each timestep $t$, from $T-1$ down to 0, with the next timestep $t'$:
# 1. Ask the network for the noise $\epsilon_\theta(x_t, t/T)$ and solve (N.2) for the clean image $\hat x_0$.
# 2. Draw unit noise $z$.
# 3. Go from $x_t$ to $x_{t'}$ with (N.3).
# ```
#
# $$ x_{t'} = \frac{\sqrt{\bar\alpha_{t'}}\,\beta}{1-\bar\alpha_t}\,\hat x_0 + \frac{\sqrt{\alpha}\,(1-\bar\alpha_{t'})}{1-\bar\alpha_t}\, x_t + \sqrt{\tilde\beta}\, z \tag{N.3} $$
#
# Here $\alpha = \bar\alpha_t / \bar\alpha_{t'}$ and $\beta = 1 - \alpha$ belong to the step from $t$ to $t'$. The first two terms are a weighted sum of the estimate and of the image at hand.
# The third puts a little noise back, with the variance
#
# $$ \tilde\beta = \frac{1-\bar\alpha_{t'}}{1-\bar\alpha_t}\,\beta. \tag{N.4} $$
#
# The loop is the one that the whole book runs through:
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: trajectory
# :start-at: eps, nu = denoise
# :dedent:
# ```
#
# and a call of it draws digits from nothing:

# %%
seeds = range(by_profile(full=20, fast=4))
drawn = {}
for epoch, net in networks.items():
    denoise = unet_denoiser(net, T)
    x_0 = sample(denoise, (1, 28, 28), timesteps, schedule, seeds=seeds)
    drawn[epoch] = x_0

# %% mystnb={"figure": {"caption": "Samples after the epochs named on the left, seeds 0 to 9 and 10 to 19, the same for each epoch; 300 steps.", "name": "fig-b2-samples"}, "image": {"alt": "Rows of ten generated digits, two rows for each epoch."}} tags=["remove-input"]
rows = [
    images[i : i + 10] for images in drawn.values() for i in range(0, len(images), 10)
]
labels = [
    f"epoch {epoch:g}"
    for epoch, images in drawn.items()
    for _ in range(0, len(images), 10)
]
grid(rows, labels=labels)

# %% [markdown]
# In {numref}`fig-b2-samples` the strokes have the width and the curvature of handwriting after five epochs already, with stray dots here and there. After twenty there are fewer dots, and more strokes join up
# to a digit, but not all: seed 2 (the third of its first row) could be a 6 or an L, and seed 16 (the seventh of its second) is no digit at all. Nobody told the network which digit to draw, and between
# two of them it may finish neither.
#
# How good are they? We ask a judge that has nothing to do with this network: a classifier of digits. Its confidence is the probability of the digit that it finds most likely. Of a clear digit it is
# sure, of a scribble it is not.

# %% tags=["remove-input"]
judge = json.loads((ROOT / "benchmarks/results/mnist_b2_judge.json").read_text())
judged = {row["name"]: row for row in judge["rows"]}


def judge_table(names, caption):
    rows = []
    for name, label in names.items():
        row = judged[name]
        sure = f"{row['confidence']:.3f} ± {row['standard_error']:.3f}"
        fid = f"{row['fid']['mean']:.0f} ± {row['fid']['std']:.0f}"
        rows.append([label, sure, fid])
    details = f"{judge['images']} images each, {judge['steps']} sampling steps."
    header = ["", "confidence", "Fréchet distance"]
    return table(rows, header, f"{caption} {details}")


judge_table(
    {"epoch 5": "epoch 5", "epoch 20": "epoch 20", "real digits": "real digits"},
    "Confidence of the judge (± standard error), and distance to test digits (± standard deviation over five sets of them).",
)

# %% [markdown]
# The judge is surer after twenty epochs than after five, and the samples are nearer to real digits. It is still surer of real digits. The second column is explained below.
#
# ## Fewer steps
#
# The step (N.3) allows any stride, so the same loop can skip timesteps. What does that cost? The Fréchet distance
# {cite:p}`heusel2017` says how far apart the samples and the test digits are as two sets (smaller is better), on the features of the
# judge. Distances on other features cannot be compared with these. They can be compared with the floor: the distance of real digits to other real digits.

# %% mystnb={"figure": {"caption": "Fréchet distance of samples to test digits against the number of sampling steps, mean and standard deviation over five sets of test digits, and the mean distance of real digits to real digits (dashed). 1,000 samples, weights of epoch 20. From `python -m benchmarks.mnist_quality b2`, seeds from 0.", "name": "fig-b2-fid"}, "image": {"alt": "The distance against the number of steps on a logarithmic axis, above a dashed line for real digits."}} tags=["remove-input"]
result = json.loads((ROOT / "benchmarks/results/mnist_b2.json").read_text())
rows, real = result["rows"], result["real"]
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.errorbar(
    [row["steps"] for row in rows],
    [row["fid"]["mean"] for row in rows],
    [row["fid"]["std"] for row in rows],
    marker="o",
    capsize=3,
    label="samples",
)
ax.axhline(real["fid"]["mean"], ls="--", color="grey", label="real digits")
ax.set(xscale="log", xlabel="sampling steps", ylabel="Fréchet distance", ylim=(0, None))
ax.set_xticks([row["steps"] for row in rows], [row["steps"] for row in rows])
ax.legend()
plt.show()

# %% [markdown]
# Read {numref}`fig-b2-fid` from right to left. The distance rises from point to point, but by about a standard deviation at most, so many of the 300 steps can be saved. With ten steps it
# is more than two standard deviations above that of all steps, and in {numref}`fig-b2-strided` several of the digits that ten steps draw fall apart. (The ± is for the choice of the test
# digits. The choice of the samples matters as well: the table above has 50 steps too, with other noise, and a smaller distance.)
#
# Even with all steps the samples are several times as far from real digits as real digits are from each other: the number of steps is not what limits them.
# [What limits B2](b2_limits.ipynb) looks for what does.

# %% mystnb={"figure": {"caption": "Seeds 0 to 9 with fewer and fewer steps; each step draws noise of its own, so that a seed makes another digit with another number of steps.", "name": "fig-b2-strided"}, "image": {"alt": "Rows of ten generated digits for different numbers of steps, from many above to few below."}} tags=["remove-input"]
denoise = unet_denoiser(network, T)
strided = {len(timesteps) - 1: drawn[max(drawn)][:10]}
for n in by_profile([50, 10], [3]):
    strided[n] = sample(
        denoise, (1, 28, 28), spaced_timesteps(T, n), schedule, seeds=range(10)
    )
grid(list(strided.values()), labels=[f"{n} steps" for n in strided])

# %% mystnb={"code_prompt_show": "Show the numbers"} tags=["remove-input", "hide-output"]
measured = [*((f"{row['steps']} steps", row) for row in rows), ("real digits", real)]
table(
    [
        [
            name,
            f"{row['fid']['mean']:.0f} ± {row['fid']['std']:.0f}",
            f"{row['fid']['mean'] / real['fid']['mean']:.1f}",
            f"{row['spread']:.3f}",
        ]
        for name, row in measured
    ],
    ["", "Fréchet distance", "times the floor", "spread"],
    f"{result['images']:,} samples against five sets of as many test digits, mean ± standard deviation. "
    "Spread: the standard deviation of a pixel over the samples, the mean over pixels.",
)

# %% [markdown]
# ## Where it fails: the start
#
# At the last timestep the network was trained on noised digits, of which {numref}`fig-b2-schedule` shows that a fifth is left; sampling starts from pure noise, which the network has never seen there.
# [What limits B2](b2_limits.ipynb) tests how much that matters, and what else does.
#
# ## Where it fails: BatchNorm in the wrong mode
#
# BatchNorm has two modes. In eval mode it uses the statistics that it collected in training. In train mode it uses those of the batch at hand, so that a
# digit depends on the digits that are drawn with it. All samples above are drawn in eval mode. {numref}`fig-b2-batchnorm` shows what the other mode does.

# %% tags=["remove-input"]
wrong = copy.deepcopy(network).cpu().train()
fewer = spaced_timesteps(T, by_profile(100, 3))


def in_train_mode(x_t, t):
    return NoiseEstimate(wrong(x_t, torch.full((len(x_t),), t / T)))


modes = {"eval mode": denoise, "train mode": in_train_mode}
among_ten, alone = (
    {
        mode: sample(function, (1, 28, 28), fewer, schedule, seeds=range(n))
        for mode, function in modes.items()
    }
    for n in (10, 5)
)

# %% mystnb={"figure": {"caption": "Seeds 0 to 9 drawn together, 100 steps, with BatchNorm in eval mode (above) and in train mode (below).", "name": "fig-b2-batchnorm"}, "image": {"alt": "Two rows of ten generated digits; the same seeds give different images in the two rows."}} tags=["remove-input"]
grid(list(among_ten.values()), labels=list(among_ten))

# %% tags=["remove-input"]
table(
    [
        [mode, f"{(alone[mode] - ten[:5]).square().mean().sqrt():.4f}"]
        for mode, ten in among_ten.items()
    ],
    ["BatchNorm", "difference"],
    "Seeds 0 to 4 drawn alone and among ten: root mean square difference of the pixels.",
)

# %% tags=["remove-input"]
judge_table(
    {
        "epoch 20": "eval mode",
        "BatchNorm in train mode": "train mode, 100 at a time",
        "real digits": "real digits",
    },
    "The two modes of BatchNorm, and what the judge says.",
)

# %% [markdown]
# By eye the digits of train mode are greyer, and some are easier to read: the third is a 6 and the ninth a 3 where eval mode has fragments, but the eighth has nearly vanished. The judge is a
# little surer of them, by about two standard errors. But they are no better: their distance to real digits is more than twice as large, and the first table shows that each digit depends on those that happen to be drawn with it. A likely reason for the difference is that in
# training a batch mixes all noise levels, while here all images are at the same $t$. `unet_denoiser` therefore always asks its network in eval mode.
#
# ## Where it fails: long strides lose variety
#
# With few steps the spread of the samples falls, and that is no fault of the network. Take data of which we know everything: single numbers from a Gaussian with mean 0.3 and standard
# deviation 0.5. The best denoiser is then a formula, and the loop's output can be compared with what should come out.

# %% tags=["remove-input"]
mean, std = 0.3, 0.5
long_schedule = Schedule.linear(1e-4, 0.02, T=1000)


def exact(x_t, t):
    """The best denoiser there is for Gaussian data."""
    abar = long_schedule.at(t, x_t)
    variance = abar * std**2 + 1 - abar
    return NoiseEstimate(
        (1 - abar).sqrt() * (x_t - abar.sqrt() * mean) / variance
    )  # (B2.2)


rows = []
for stride in by_profile([1, 10, 30, 90], [30]):
    times = [*range(990, -1, -stride), -1]
    values = sample(exact, (200_000,), times, long_schedule, seeds=[0])
    rows.append([f"{stride}", f"{values.mean():.3f}", f"{values.std():.3f}"])
table(
    [*rows, ["should be", f"{mean}", f"{std}"]],
    ["stride", "mean", "standard deviation"],
    "200,000 numbers drawn by the loop with the exact denoiser (B2.2), T = 1000.",
)

# %% [markdown]
# The variance that a step puts back, (N.4), is right for infinitely small steps and too small for long ones. Each long stride loses
# some variance, and the samples crowd around the mean.
#
# ```{dropdown} The exact denoiser
# For $x_0 \sim \mathcal N(0.3, 0.5^2)$ both $x_0$ and $x_t$ are Gaussian, and the mean of the noise given $x_t$ is
#
# $$ \mathbb E[\epsilon \mid x_t] = \sqrt{1-\bar\alpha_t}\; \frac{x_t - 0.3 \sqrt{\bar\alpha_t}}{0.5^2\, \bar\alpha_t + 1 - \bar\alpha_t}. \tag{B2.2} $$
# ```
#
# ## Try it
#
# 1. **Hurry.** In the set-up cell of the notebook, change `full=T` to `full=5` and run everything. In {numref}`fig-b2-samples` the digits of epoch 20 are soft then, and some
#    break up into pieces; others can still be read.
# 2. **Leave out the noise that each step puts back.** In `Schedule.step`, return `mean` alone. Nearly all images come out black. A likely reason: the image is then cleaner than the network has
#    ever seen it at that timestep, so it takes the strokes for noise.
#
# Next: [What limits B2](b2_limits.ipynb) looks for what keeps these samples from being better. Then [B3](b3_class_conditioned.ipynb) tells the network which digit to draw.
