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
# One step cannot invent a digit ([B1](b1_one_step_denoiser.ipynb)). Can many small ones? This is the denoising
# diffusion probabilistic model {cite:p}`ho2020`: a network learns to see the noise at every noise level, and a loop
# removes a little of it at a time, starting from nothing but noise.

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
import copy
import json

import matplotlib.pyplot as plt
import numpy as np
import torch

from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.files import ROOT
from diffusion_utils.mnist.objectives import MNIST_SCHEDULE as schedule
from diffusion_utils.mnist.recipes import RECIPES
from diffusion_utils.mnist.release import trained
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, sample, trajectory, unit_noise
from diffusion_utils.schedule import Schedule, spaced_timesteps
from diffusion_utils.show import animation, grid, loss_curve, tile

device = "cuda" if torch.cuda.is_available() else "cpu"
T = schedule.T
steps = by_profile(full=T, fast=5)
timesteps = spaced_timesteps(T, steps)

# %% [markdown]
# ## How much noise
#
# There are $T = 300$ noise levels. With $\beta_t$ on a line from $10^{-4}$ to $0.02$ and
# $\bar\alpha_t = \prod_{s \le t} (1 - \beta_s)$, the noisy image at timestep $t$ is
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad \epsilon \sim \mathcal N(0, I). \tag{N.1} $$
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.forward
# ```

# %%
abar_T = schedule.alpha_bar[-1]
print(f"at the last timestep alpha_bar = {abar_T:.3f},")
print(f"so {abar_T.sqrt():.2f} times the image is left, {abar_T:.0%} of its variance")

# %% mystnb={"figure": {"caption": "What (N.1) mixes at each timestep: the factors of the clean image and of the noise. $T = 300$, linear $\\beta_t$.", "name": "fig-b2-schedule"}, "image": {"alt": "Two curves against t: the signal's factor falls from one to about a fifth, the noise's rises from zero to nearly one."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
ax.plot(schedule.alpha_bar.sqrt(), label=r"$\sqrt{\bar\alpha_t}$, the image")
ax.plot((1 - schedule.alpha_bar).sqrt(), label=r"$\sqrt{1-\bar\alpha_t}$, the noise")
ax.set(xlabel="$t$", ylabel="factor", ylim=(0, 1.05))
ax.legend()
plt.show()

# %% [markdown]
# {numref}`fig-b2-schedule` shows a flaw of the recipe, which this chapter keeps: at the last timestep a part of the image is still there,
# but sampling will start from pure noise, which the network has never seen.
#
# ## The objective
#
# Show the network $x_t$ and $t/T$, and ask for the noise:
#
# $$ L(\theta) = \mathbb E_{t, x_0, \epsilon} \lVert \epsilon_\theta(x_t, t/T) - \epsilon \rVert^2, \qquad t \sim \mathcal U\{0, \dots, T-1\}. \tag{B2.1} $$
#
# ```{literalinclude} ../../diffusion_utils/mnist/objectives.py
# :pyobject: noise_objective
# ```
#
# The optimiser's step is that of [B1](b1_one_step_denoiser.ipynb). The network is that of B1 with $D = 64$; the timestep enters as two shifts `t1` and `t2`, each made by a small
# fully connected block from $t/T$.

# %%
networks, history = trained("b2", device)
recipe, epochs = RECIPES["b2"], max(networks)
network = networks[epochs]
size = {
    name: sum(p.numel() for p in part.parameters())
    for name, part in network.named_children()
}
total, without_time = (
    sum(size.values()),
    sum(size.values()) - size["time1"] - size["time2"],
)
print(f"{total:,} parameters, {without_time:,} without the time blocks")
print(f"{size['unflatten'] / without_time:.0%} of the latter are in Unflatten alone")
print(f"trained for {epochs:g} of {recipe.epochs} epochs, {len(history):,} steps")
print(
    f"mean squared error, mean of the last 100 steps: {np.mean([row.loss for row in history[-100:]]):.4f}"
)
print(
    f"the same at step 4,700: {np.mean([row.loss for row in history[4600:4700]]):.4f}"
)

# %% mystnb={"figure": {"caption": "Training loss (B2.1) against the step, from the history of the run that made these weights. Batch 128, Adam, learning rate from $10^{-3}$, shrunk after each epoch to reach a tenth after 20; seed 180. Taken up again at steps 469 and 2,345 from stored weights, with 50 steps repeated each time.", "name": "fig-b2-loss"}, "image": {"alt": "A loss curve on a logarithmic axis: a steep fall in the first few hundred steps, then a long shallow decline."}} tags=["hide-input"]
loss_curve(history)

# %% [markdown]
# {numref}`fig-b2-loss` can be compared with the curves of courses that use this recipe, which end at 0.028 to 0.030 near step 4,700. The loss of
# single steps stays noisy, since a batch with many small $t$ is harder than one with few: seeing a little noise
# in a clean image is the hard part.
#
# ## Sampling
#
# The estimate of the noise gives an estimate of the clean image, and the two together a slightly less noisy image:
#
# $$ \hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\,\epsilon_\theta}{\sqrt{\bar\alpha_t}}, \tag{N.2} $$
#
# $$ x_{t'} = \frac{\sqrt{\bar\alpha_{t'}}\,\beta}{1-\bar\alpha_t}\,\hat x_0 + \frac{\sqrt{\alpha}\,(1-\bar\alpha_{t'})}{1-\bar\alpha_t}\, x_t + \sqrt{\tilde\beta}\, z, \qquad \alpha = \frac{\bar\alpha_t}{\bar\alpha_{t'}},\quad \beta = 1-\alpha, \tag{N.3} $$
#
# $$ \tilde\beta = \frac{1-\bar\alpha_{t'}}{1-\bar\alpha_t}\,\beta, \tag{N.4} $$
#
# where $t'$ is the next timestep of the list and $z \sim \mathcal N(0, I)$. This is the loop that the whole book runs through:
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: trajectory
# :start-at: for t, t_prev
# ```
#
# Here it starts from unit noise and visits all 300 timesteps. The network is in eval mode: BatchNorm uses the
# statistics it collected in training, not those of the batch, so a digit does not depend on its neighbours.

# %%
seeds = range(by_profile(full=20, fast=4))
drawn = {
    epoch: sample(unet_denoiser(net, T), (1, 28, 28), timesteps, schedule, seeds=seeds)
    for epoch, net in networks.items()
}

# %% mystnb={"figure": {"caption": "Samples after the epochs named on the left, seeds 0 to 9 and 10 to 19, the same for each epoch; 300 steps.", "name": "fig-b2-samples"}, "image": {"alt": "Rows of ten generated digits, two rows for each epoch."}} tags=["hide-input"]
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
# In {numref}`fig-b2-samples` the strokes have the width and the curvature of handwriting after five epochs already, with stray dots here and there. After twenty the dots are gone, and more strokes join up
# to a digit, but not all: seed 9 (the last of its first row) is two bars, seed 14 a 0 with a tail. Nobody told the network which digit to draw, and between two of them it may finish neither.
#
# ## One sample, step by step

# %%
noise = generators([0])
x_T = unit_noise((1, 28, 28), noise)
path = list(
    trajectory(unet_denoiser(network, T), x_T, timesteps, schedule, generators=noise)
)
shown = [path[i] for i in np.linspace(0, len(path) - 1, by_profile(9, 3)).astype(int)]

# %% mystnb={"figure": {"caption": "One sample on its way: the image $x_t$ (above) and the clean image $\\hat x_0$ that the step to it used (below), after the step to timestep $t$; $-1$ is the end. Seed 0, 300 steps.", "name": "fig-b2-trajectory"}, "image": {"alt": "Above, noise turns into a figure like a digit from left to right; below, the estimate starts as a grey cloud, becomes a soft digit early, and sharpens."}} tags=["hide-input"]
rows = [
    torch.cat([step.x for step in shown]),
    torch.cat([step.x0_hat for step in shown]),
]
grid(rows, titles=[f"$t={step.t}$" for step in shown], labels=["$x_t$", r"$\hat x_0$"])

# %% [markdown]
# In {numref}`fig-b2-trajectory` the estimate $\hat x_0$ is at first the soft average of B1. Each step commits a little more, and early ones can be undone: what looks like a 9 opens, and is an 8 from $t = 112$ on, where $x_t$
# only begins to show it. {numref}`fig-b2-animation` plays it for sixteen seeds.

# %% mystnb={"figure": {"caption": "Sixteen digits coming out of noise, seeds 0 to 15, 300 steps. Left half: $x_t$; right half: $\\hat x_0$.", "name": "fig-b2-animation"}} tags=["hide-input"]
noise = generators(range(16))
x_T = unit_noise((1, 28, 28), noise)
steps_16 = list(
    trajectory(unet_denoiser(network, T), x_T, timesteps, schedule, generators=noise)
)
kept = steps_16[:: max(1, len(steps_16) // 30)] + [steps_16[-1]]
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
# ## Fewer steps
#
# The step allows any stride, so the same loop can skip timesteps. What does that cost? The Fréchet distance
# {cite:p}`heusel2017` between samples and test digits says how far apart the two sets are, on the features of an
# independent digit classifier (smaller is better). Distances on other features cannot be compared with these;
# the floor, sets of real test digits against other such sets, can. The last column is the standard deviation of a pixel over the samples, the mean over pixels.

# %%
result = json.loads((ROOT / "benchmarks/results/mnist_b2.json").read_text())
rows, real = result["rows"], result["real"]
print(f"{result['images']} samples against five sets of as many test digits,")
print(f"mean ± standard deviation; weights of epoch {result['epoch']:g}")
for name, row in [*((f"{row['steps']} steps", row) for row in rows), ("real", real)]:
    fid = row["fid"]
    print(
        f"{name:>9}: distance {fid['mean']:5.1f} ± {fid['std']:.1f}, "
        f"{fid['mean'] / real['fid']['mean']:.1f} times the floor, spread {row['spread']:.3f}"
    )

# %% mystnb={"figure": {"caption": "Fréchet distance of samples to test digits against the number of sampling steps, mean and standard deviation over five sets of test digits, and the mean distance of real digits to real digits (dashed). From `python -m benchmarks.mnist_quality b2`, seeds from 0.", "name": "fig-b2-fid"}, "image": {"alt": "The distance against the number of steps on a logarithmic axis, above a dashed line for real digits."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
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
# Read {numref}`fig-b2-fid` from right to left: down to 50 steps the distances differ by about a standard deviation, so most of the 300 steps can be saved. Below that the distance
# rises, and the spread falls. Even with all steps the samples are several times as far from real digits as real digits are from each other, so it is not the number of steps that limits them. In {numref}`fig-b2-strided` some of the digits that ten steps draw fall apart.

# %% mystnb={"figure": {"caption": "Seeds 0 to 9 with fewer and fewer steps; each step draws noise of its own, so that a seed makes another digit with another number of steps.", "name": "fig-b2-strided"}, "image": {"alt": "Rows of ten generated digits for different numbers of steps, from many above to few below."}} tags=["hide-input"]
counts = by_profile([300, 50, 10], [5, 3])
strided = [
    sample(
        unet_denoiser(network, T),
        (1, 28, 28),
        spaced_timesteps(T, n),
        schedule,
        seeds=range(10),
    )
    for n in counts
]
grid(strided, labels=[f"{n} steps" for n in counts])

# %% [markdown]
# ## Where it fails: the steps forget some of the noise
#
# Long strides lose variety, and that is no fault of the network. Take data that is Gaussian, $x_0 \sim \mathcal N(0.3, 0.5^2)$: then the
# best possible denoiser is known in closed form,
#
# $$ \mathbb E[\epsilon \mid x_t] = \sqrt{1-\bar\alpha_t}\; \frac{x_t - 0.3 \sqrt{\bar\alpha_t}}{0.5^2\, \bar\alpha_t + 1 - \bar\alpha_t}, \tag{B2.2} $$
#
# and the loop's output can be compared with what should come out. With $T = 1000$ and the same linear $\beta_t$:

# %%
mean, std = 0.3, 0.5
long_schedule = Schedule.linear(1e-4, 0.02, T=1000)


def exact(x_t, t):
    """The best denoiser there is for Gaussian data."""
    abar = long_schedule.at(t, x_t)
    variance = abar * std**2 + 1 - abar
    return NoiseEstimate(
        (1 - abar).sqrt() * (x_t - abar.sqrt() * mean) / variance
    )  # (B2.2)


for stride in by_profile([1, 10, 30, 90], [30]):
    times = [*range(990, -1, -stride), -1]
    values = sample(exact, (200_000,), times, long_schedule, seeds=[0])
    print(
        f"stride {stride:>2}: mean {values.mean():.3f}, standard deviation {values.std():.3f}, should be {std}"
    )

# %% [markdown]
# The variance that the step puts back, (N.4), is right for infinitely small steps, and too small for long ones: each long stride loses
# some, and the samples crowd around the mean. On digits, the column "spread" above says how much is left at each number of steps.
#
# ## Where it fails: BatchNorm in the wrong mode
#
# In train mode BatchNorm normalises with the statistics of the batch at hand, so a digit depends on the others that are drawn with it. To see it, draw the same
# five seeds alone and among ten:

# %%
wrong = copy.deepcopy(network).cpu().train()


def in_train_mode(x_t, t):
    return NoiseEstimate(wrong(x_t, torch.full((len(x_t),), t / T)))


compared = {}
for mode, denoise in (
    ("eval mode", unet_denoiser(network, T)),
    ("train mode", in_train_mode),
):
    five, ten = (
        sample(denoise, (1, 28, 28), timesteps, schedule, seeds=range(n))
        for n in (5, 10)
    )
    compared[mode] = ten
    difference = (five - ten[:5]).square().mean().sqrt()
    print(f"{mode}: root mean square difference of the five {difference:.4f}")

# %% mystnb={"figure": {"caption": "Seeds 0 to 9 drawn together, 300 steps, with BatchNorm in eval mode (above) and in train mode (below).", "name": "fig-b2-batchnorm"}, "image": {"alt": "Two rows of ten generated digits; the same seeds give different images in the two rows."}} tags=["hide-input"]
grid(list(compared.values()), labels=list(compared))

# %% [markdown]
# In {numref}`fig-b2-batchnorm` the digits of train mode are greyer, and some have become others. A likely reason is that in training every batch mixes all noise levels, while here all
# images are at the same $t$. `unet_denoiser` therefore always asks its network in eval mode, and puts it back into the mode that it was in.
