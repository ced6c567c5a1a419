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
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.objectives import MNIST_SCHEDULE as schedule
from diffusion_utils.mnist.release import trained
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.pictures import to_unit
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

# %% mystnb={"figure": {"caption": "One sample on its way. Above: the image $x_t$. Below: the network's estimate $\\hat x_0$ of the clean image, from the step before. At $t=-1$ all noise is gone. Seed 0, 300 steps, weights of epoch 20.", "name": "fig-b2-trajectory"}, "image": {"alt": "Above, noise turns into a digit from left to right; below, the estimate starts as a grey cloud, becomes a soft digit early, and sharpens."}} tags=["remove-input"]
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
# **Yes: after 300 small steps most of what comes out can be read as a digit, though not all.** Read {numref}`fig-b2-trajectory` from left to right. The upper row begins one step after pure noise and ends as a 7 with a bent top. The lower row shows what the network
# believes to be behind the noise. At first that is a speckled cloud, then a soft digit, then a sharp one. The network can change its mind: at $t = 112$ the foot has a hook, and at $t = 74$ the hook is gone.
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
# $x_0$ is the clean digit and $\epsilon$ is the noise. The digit's amplitude shrinks by $\sqrt{\bar\alpha_t}$, its variance by $\bar\alpha_t$. Here $\bar\alpha_t$ is the product of
# $1 - \beta_s$ over all $s \le t$, and $\beta_t$ is the variance of the noise that timestep $t$ adds. It grows linearly from $10^{-4}$ to $0.02$.

# %% mystnb={"figure": {"caption": "What (N.1) mixes at each timestep: the factors of the clean image and of the noise. $T = 300$, linear $\\beta_t$.", "name": "fig-b2-schedule"}, "image": {"alt": "Two curves against t: the image's factor falls from one to about a fifth, the noise's rises from zero to nearly one. The end of the first curve is marked with its value."}} tags=["remove-input"]
left = schedule.alpha_bar.sqrt()
fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
ax.plot(left, label=r"$\sqrt{\bar\alpha_t}$, the image")
ax.plot((1 - schedule.alpha_bar).sqrt(), label=r"$\sqrt{1-\bar\alpha_t}$, the noise")
ax.plot(T - 1, left[-1], "o", color="C0", clip_on=False)
ax.annotate(
    f"amplitude {left[-1]:.2f},\nvariance {left[-1] ** 2:.3f}",
    (T - 1, left[-1]),
    (215, 0.02),
    arrowprops={"arrowstyle": "-"},
)
ax.set(xlabel="$t$", ylabel="factor", ylim=(0, 1.05), xlim=(0, T - 1))
fig.legend(loc="outside upper center", ncols=2)
plt.show()

# %% [markdown]
# The left end of {numref}`fig-b2-schedule` is a nearly clean digit. The right end is not quite pure noise: a little of the digit is left. Sampling will start from pure noise, and [What limits B2](b2_limits.ipynb) tests whether that matters.
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
# So the network $\epsilon_\theta$ sees the noisy digit and the time, and says which noise was added. (The time goes in as $t/T$, a number from 0 to 1.) Its loss, on average over all three draws, is
#
# $$ L(\theta) = \mathbb E_{t, x_0, \epsilon} \lVert \epsilon_\theta(x_t, t/T) - \epsilon \rVert^2, \qquad t \sim \mathcal U\{0, \dots, T-1\}. \tag{B2.1} $$
#
# B1 asked for the digit, this page asks for the noise. The one gives the other, because (N.1) can be solved for $x_0$:
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
# The loss of single steps in {numref}`fig-b2-loss` is noisy, because each batch draws other timesteps, and these are not equally hard. {numref}`fig-b2-loss-t` shows it: the loss is largest at small $t$, where
# there is little noise to see. At equal steps its loss is a little above the range that the course staff reports.

# %% mystnb={"figure": {"caption": "Loss on test digits at twelve timesteps, with the standard error; weights of epoch 20.", "name": "fig-b2-loss-t"}, "image": {"alt": "The loss falls steeply over the first timesteps and slowly after that."}} tags=["remove-input"]
count = by_profile(full=500, fast=8)
test_digits = to_unit(mnist(train=False)[0][-count:])
eps = unit_noise((1, 28, 28), generators(range(count)))
times = [0, 2, 5, 10, 20, 40, 75, 110, 150, 200, 250, T - 1]
errors = []
for t in times:
    guess = unet_denoiser(network, T)(schedule.forward(test_digits, t, eps), t).eps
    errors.append((guess - eps).square().mean((1, 2, 3)).detach())
fig, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
ax.errorbar(
    times,
    [e.mean() for e in errors],
    [e.std() / count**0.5 for e in errors],
    marker="o",
    capsize=3,
)
ax.set(xlabel="$t$", ylabel="mean squared error", yscale="log")
plt.show()

# %% mystnb={"code_prompt_show": "Show where the parameters are"} tags=["remove-input", "hide-output"]
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
# ```{admonition} Sampling, as algorithm 2 of the DDPM paper, with steps of any length
# Start from pure noise, $x_{T-1} \sim \mathcal N(0, I)$. From each timestep $t$ of a list go to the next one, $t' < t$; the last is $t' = -1$, where $\bar\alpha = 1$ and no noise is left:
# 1. Ask the network for the noise $\epsilon_\theta(x_t, t/T)$ and solve (N.2) for the clean image $\hat x_0$.
# 2. Draw unit noise $z$. (In B1 $z$ was the noisy image; here and in Part A it is fresh noise.)
# 3. Go from $x_t$ to $x_{t'}$ with (N.3).
# ```
#
# $$ x_{t'} = \frac{\sqrt{\bar\alpha_{t'}}\,\beta}{1-\bar\alpha_t}\,\hat x_0 + \frac{\sqrt{\alpha}\,(1-\bar\alpha_{t'})}{1-\bar\alpha_t}\, x_t + \sqrt{\tilde\beta}\, z \tag{N.3} $$
#
# Here $\alpha = \bar\alpha_t / \bar\alpha_{t'}$ and $\beta = 1 - \alpha$ belong to the step from $t$ to $t'$. The third term has the variance
#
# $$ \tilde\beta = \frac{1-\bar\alpha_{t'}}{1-\bar\alpha_t}\,\beta. \tag{N.4} $$
#
# If we knew $x_0$, then (N.1) would tell how likely each $x_{t'}$ is, given $x_t$. That is a Gaussian. The first two terms of (N.3) are its mean, and $\tilde\beta$ is its variance. We do not know $x_0$, so the
# estimate $\hat x_0$ stands in for it. A box at the end of [1.4](../part_a/a1_4_iterative_denoising.ipynb) derives it. Three steps in numbers:

# %% tags=["remove-input"]
rows = []
x0_part, x_part, z_part = torch.eye(
    3
).double()  # a step is linear: one factor at a time
for t in (200, 20, 0):
    factors = schedule.step(x_part, x0_part, t, t - 1, z_part)
    rows.append([f"{t} → {t - 1}", *(f"{factor:.3f}" for factor in factors)])
table(
    rows,
    ["step", "weight of x̂₀", "weight of x_t", "√β̃, of z"],
    "What (N.3) mixes. The smaller t, the more of the estimate. The last step takes the estimate alone.",
)

# %% [markdown]
# The loop, `trajectory`, is the one of the whole book. (`nu` is for networks that also learn a variance, `constrain` for inpainting, and a `t_prev` above `t` noises again; none of them is used here.)
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: trajectory
# :start-at: for t, t_prev in pairwise
# :dedent:
# ```
#
# `sample` calls it with noise to start from:

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
# to a digit, but not all: seed 2 (the third of its first row) could be a 6 or an L, and seed 16 (the seventh of its second) is no digit at all. Nobody told the network which digit to draw.
#
# How good are they? We measure with a classifier of digits that was trained on MNIST, the judge, in two ways. Its **confidence** is the probability of the digit that it finds most likely. It looks at one image at a time, and it can be sure of a scribble as well.
# The **Fréchet distance** {cite:p}`heusel2017` compares whole sets. Inside the judge each image becomes 128 numbers, its features. The distance compares their means and covariances over 1,000 samples with those over 1,000 test digits: 0 would be the same. Real digits against other real digits are the floor.
#
# The ± of a distance has two causes. Which test digits are chosen is the first: we use five sets. Which samples are drawn is the second. Two sets of samples of the same network, both of 50 steps, differ by more than the first ± ({numref}`fig-b2-fid` has the other one). Each ± of this page and the next combines both;
# two distances are told apart only if they differ by about 60 or more, twice the ± of a difference.

# %% tags=["remove-input"]
judge = json.loads((ROOT / "benchmarks/results/mnist_b2_judge.json").read_text())
judged = {row["name"]: row for row in judge["rows"]}
result = json.loads((ROOT / "benchmarks/results/mnist_b2.json").read_text())
measured = {row["steps"]: row for row in result["rows"]}
apart = judged["epoch 20"]["fid"]["mean"] - measured[judge["steps"]]["fid"]["mean"]
of_samples = abs(apart) / 2**0.5  # two sets differ with twice the variance of each


def error(row):
    """Standard deviation for the choice of the test digits and of the samples together."""
    return (row["fid"]["std"] ** 2 + of_samples**2) ** 0.5


def judge_table(names, caption):
    rows = []
    for name, label in names.items():
        row = judged[name]
        sure = f"{row['confidence']:.3f} ± {row['standard_error']:.3f}"
        both = row["fid"]["std"] if name == "real digits" else error(row)
        fid = f"{row['fid']['mean']:.0f} ± {both:.0f}"
        rows.append([label, sure, fid])
    details = f"{judge['images']} images each, {judge['steps']} sampling steps."
    header = ["", "confidence", "Fréchet distance"]
    return table(rows, header, f"{caption} {details}")


judge_table(
    {"epoch 5": "epoch 5", "epoch 20": "epoch 20", "real digits": "real digits"},
    "Confidence of the judge (± standard error), and distance to test digits (± standard deviation, both causes).",
)

# %% [markdown]
# After twenty epochs the judge is surer than after five, and the samples are nearer to real digits. They are still far above the floor.
#
# ## Fewer steps
#
# The step (N.3) can have any length, so the loop can skip timesteps. What does that cost?

# %% mystnb={"figure": {"caption": "Fréchet distance of samples to test digits against the number of sampling steps, with the ± of both causes, and the mean distance of real digits to real digits (dashed). 1,000 samples, weights of epoch 20. From `python -m benchmarks.mnist_quality b2`, seeds from 0.", "name": "fig-b2-fid"}, "image": {"alt": "The distance against the number of steps on a logarithmic axis, above a dashed line for real digits."}} tags=["remove-input"]
rows, real = result["rows"], result["real"]
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.errorbar(
    [row["steps"] for row in rows],
    [row["fid"]["mean"] for row in rows],
    [error(row) for row in rows],
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
# From {numref}`fig-b2-fid` no loss can be told: even the ends of the curve differ by only about the ± of a difference. So 50 steps, a sixth of the work, serve as well by this measure. And more steps are not what brings samples nearer to the floor.
# [What limits B2](b2_limits.ipynb) looks for what does. {numref}`fig-b2-strided` has samples of each kind.

# %% mystnb={"figure": {"caption": "Seeds 0 to 9 with fewer and fewer steps; each step draws noise of its own, so that a seed makes another digit with another number of steps.", "name": "fig-b2-strided"}, "image": {"alt": "Rows of ten generated digits for different numbers of steps, from many above to few below."}} tags=["remove-input"]
denoise = unet_denoiser(network, T)
strided = {len(timesteps) - 1: drawn[max(drawn)][:10]}
for n in by_profile([50, 10], [3]):
    strided[n] = sample(
        denoise, (1, 28, 28), spaced_timesteps(T, n), schedule, seeds=range(10)
    )
grid(list(strided.values()), labels=[f"{n} steps" for n in strided])

# %% [markdown]
# ## Where it fails: long strides lose variety
#
# The distance does not show it, but something is lost with few steps: the samples become more alike.

# %% tags=["remove-input"]
table(
    [
        *([f"{row['steps']} steps", f"{row['spread']:.3f}"] for row in rows),
        [f"{judge['steps']} steps, other noise", f"{judged['epoch 20']['spread']:.3f}"],
        ["real digits", f"{real['spread']:.3f}"],
    ],
    ["", "spread"],
    f"How much {result['images']:,} images differ: the standard deviation of each pixel over the images, averaged over the pixels.",
)

# %% [markdown]
# From 50 steps to 10 the spread falls by far more than from one set of samples to another. Some of that is no fault of the network: it happens with the best denoiser there is, on data of which we know everything.

# %% mystnb={"code_prompt_show": "Show the numbers of the Gaussian"} tags=["remove-input", "hide-output"]
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
# ```{dropdown} The exact denoiser of a Gaussian
# Take numbers from a Gaussian with mean 0.3 and standard deviation 0.5, noised by a schedule of 1,000 timesteps. The mean of the noise given $x_t$ is then a formula:
#
# $$ \mathbb E[\epsilon \mid x_t] = \sqrt{1-\bar\alpha_t}\; \frac{x_t - 0.3 \sqrt{\bar\alpha_t}}{0.5^2\, \bar\alpha_t + 1 - \bar\alpha_t}. \tag{B2.2} $$
#
# In the table above, the numbers that the loop draws spread less and less as the stride grows. (N.4) is the variance for a known $x_0$. Over a long stride the uncertainty of $\hat x_0$ counts too, and it is left out.
# ```
#
# ```{dropdown} BatchNorm in the wrong mode
# In eval mode BatchNorm uses the statistics of training, in train mode those of the batch at hand. All samples of this page are drawn in eval mode. In train mode the digits become greyer ({numref}`fig-b2-batchnorm`), and their distance
# to real digits is more than twice as large. The judge is even a little surer of them: its confidence alone is no proof of quality.
# ```

# %% tags=["remove-input"]
wrong = copy.deepcopy(network).cpu().train()
fewer = spaced_timesteps(T, by_profile(100, 3))


def in_train_mode(x_t, t):
    return NoiseEstimate(wrong(x_t, torch.full((len(x_t),), t / T)))


modes = {"eval mode": denoise, "train mode": in_train_mode}
among_ten = {
    mode: sample(function, (1, 28, 28), fewer, schedule, seeds=range(10))
    for mode, function in modes.items()
}

# %% mystnb={"figure": {"caption": "Seeds 0 to 9 drawn together, 100 steps, with BatchNorm in eval mode (above) and in train mode (below).", "name": "fig-b2-batchnorm"}, "code_prompt_show": "Show digits of both modes", "image": {"alt": "Two rows of ten generated digits; the same seeds give different images in the two rows."}} tags=["remove-input", "hide-output"]
grid(list(among_ten.values()), labels=list(among_ten))

# %% mystnb={"code_prompt_show": "Show the numbers of both modes"} tags=["remove-input", "hide-output"]
judge_table(
    {
        "epoch 20": "eval mode",
        "BatchNorm in train mode": "train mode, 100 at a time",
        "real digits": "real digits",
    },
    "The two modes of BatchNorm, and what the judge says.",
)

# %% [markdown]
# ## Try it
#
# 1. **Hurry.** In the set-up cell of the notebook, change `full=T` to `full=5` and run everything. Which digits of {numref}`fig-b2-samples` can still be read?
# 2. **Leave out the fresh noise.** In `Schedule.step`, return `mean` alone. What comes out, and why? The image then has less noise than the network has seen in training at that timestep.
#
# Next: [What limits B2](b2_limits.ipynb) looks for what keeps these samples from being better. Then [B3](b3_class_conditioned.ipynb) tells the network which digit to draw.
