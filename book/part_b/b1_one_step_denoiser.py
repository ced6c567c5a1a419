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
# # B1 One-step denoising
#
# Can a small network remove the noise from a digit in a single pass? The rest of Part B asks a network to
# do this again and again; here it gets one try, which shows what a denoiser can do and what it cannot.
#
# Digits are MNIST images $x$ {cite:p}`lecun1998`, $28 \times 28$ pixels with values in $[0, 1]$. A noisy one is
#
# $$ z = x + \sigma \epsilon, \qquad \epsilon \sim \mathcal N(0, I). \tag{B1.1} $$

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

from diffusion_utils.files import ROOT
from diffusion_utils.metrics import psnr
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.recipes import RECIPES
from diffusion_utils.mnist.release import trained
from diffusion_utils.pictures import to_unit
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import grid, loss_curve

test_images, test_labels = mnist(train=False)
x = torch.stack([to_unit(test_images)[test_labels == digit][0] for digit in range(10)])
eps = unit_noise((1, 28, 28), generators(range(10)))
sigmas = [0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0]

# %% [markdown]
# {numref}`fig-b1-noising` applies (B1.1) to five test digits. Up to $\sigma = 0.5$ every digit can be read; at
# $\sigma = 1$ the noise's standard deviation is as large as the step from paper to ink, and some digits are a matter of guessing.

# %% mystnb={"figure": {"caption": "Five test digits $x$ and the same digits with noise, $z = x + \\sigma\\epsilon$. Seeds 0 to 4; one $\\epsilon$ for each digit, scaled by $\\sigma$; values clipped to $[0, 1]$ for display.", "name": "fig-b1-noising"}, "image": {"alt": "A grid of handwritten digits 0 to 4; from left to right grainy noise grows until the strokes can hardly be seen."}} tags=["hide-input"]
columns = [
    torch.cat([x[i] + sigma * eps[i] for sigma in sigmas])[:, None] for i in range(5)
]
grid(columns, titles=[rf"$\sigma={sigma}$" for sigma in sigmas])

# %% [markdown]
# ## The network
#
# A U-Net {cite:p}`ronneberger2015`: three resolutions on the way down, one vector at the bottom, and back up,
# with each resolution's features handed across. The smallest block is a convolution, BatchNorm (each channel is brought to mean 0 and variance 1
# over the batch, then scaled and shifted) and GELU (nearly $x$ for large $x$, nearly 0 for very negative $x$, and smooth between):
#
# ```{literalinclude} ../../diffusion_utils/mnist/unet.py
# :pyobject: Conv
# ```
#
# Others halve the resolution, double it, average a 7x7 map to one vector (`Flatten`) or spread a vector over such a map (`Unflatten`). Their channels are
# multiples of $D$:
#
# ```{literalinclude} ../../diffusion_utils/mnist/unet.py
# :pyobject: UNet.__init__
# :start-after: self.config
# :end-before: if time
# ```
#
# `forward` takes them from top to bottom. The conditions $t$ and $c$ are for the next chapters: here `t1 = t2 = 0` and `c1 = c2 = 1`.
#
# ```{literalinclude} ../../diffusion_utils/mnist/unet.py
# :pyobject: UNet.forward
# :start-after: self.check
# ```

# %%
networks, history = trained("b1")
recipe, epochs = RECIPES["b1"], max(networks)
network = networks[epochs]
print(
    f"{sum(p.numel() for p in network.parameters()):,} parameters with D = {recipe.hidden}"
)
print(f"trained for {epochs:g} of {recipe.epochs} epochs, {len(history):,} steps")

# %% [markdown]
# ## The objective
#
# The network $x_\theta$ sees $z$ and is asked for $x$. In all losses of this book $\lVert\cdot\rVert^2$ is the mean over pixels, not the sum:
#
# $$ L(\theta) = \mathbb E_{x, \epsilon} \lVert x_\theta(x + \sigma\epsilon) - x \rVert^2, \qquad \sigma = 0.5. \tag{B1.2} $$
#
# The noise is new in every batch, so the network never sees the same $z$ twice.
#
# ```{literalinclude} ../../diffusion_utils/mnist/objectives.py
# :pyobject: denoising_objective
# ```
#
# and one step of the optimiser, for this network and all others of the book (`accelerator` takes care of devices, and of several processes):
#
# ```{literalinclude} ../../diffusion_utils/training/loop.py
# :pyobject: update
# :start-at: inputs, target = batch
# ```
#
# The recipe is Adam with a learning rate of $10^{-4}$, batches of 256, and five epochs. The page does not train: it
# loads the weights that ship with the book and plots the history that their run left behind. `RETRAIN=1` trains now: hours on two
# processor cores, while the course that this follows names 7 minutes on a T4 GPU. Where the processor can, it computes in bf16, half as many bits
# as usual. The second cell says how fast the loop is beside a plain one, and whether bf16 changes what is learned (`python -m benchmarks.train_step` and `benchmarks.precision`).

# %%
last = [row.loss for row in history[-100:]]
print(f"mean squared error, mean of the last 100 steps: {np.mean(last):.4f}")
print(f"time it took: {history[-1].seconds / 3600:.1f} hours")
print(
    f"predicting black everywhere would cost {to_unit(test_images).square().mean():.4f}"
)

# %% tags=["hide-input"]
stored = ROOT / "benchmarks/results"
speed, _ = json.loads((stored / "mnist_train_step.json").read_text())["networks"]
print(
    f"images per second in training, two cores, {speed['precision']}: {speed['ours']:.0f}"
)
print(f"  a plain loop in fp32: {speed['plain']:.0f}")
print(f"  the convolutions alone would allow {speed['roofline']:.0f}")
same = json.loads((stored / "mnist_precision.json").read_text())
print(f"B3's loss over its first {same['steps']} steps, how far from that in fp32:")
for name, distance in same["apart"].items():
    print(f"  {name}: {distance:.1%}")

# %% mystnb={"figure": {"caption": "Training loss (B1.2) against the step, from the history of the run that made these weights. $\\sigma = 0.5$, batch 256, Adam, learning rate $10^{-4}$, seed 180.", "name": "fig-b1-loss"}, "image": {"alt": "A loss curve on a logarithmic axis, falling steeply in the first steps and slowly after that."}} tags=["hide-input"]
loss_curve(history)

# %% [markdown]
# {numref}`fig-b1-loss` falls steeply while the network finds out that most of a digit is black, then slowly,
# while it learns the shapes of strokes. The drop at step 80 is where the run was taken up again from stored weights: steps 31 to 80 were then taken a second time, which the history does not show, so that from there on the weights have had 50 steps more than the axis
# says. Courses that use this recipe show curves that end at 0.0083 to 0.0085 after 1,175 steps. This run ends lower, by more than 50 steps explain; what in the implementations makes the difference we do not know.
#
# ## Digits it has not seen

# %%
z = x + 0.5 * eps
with torch.no_grad():
    estimates = {epoch: net(z) for epoch, net in networks.items()}
print(f"PSNR over the ten digits below: noisy {psnr(z, x).mean():.1f} dB")
for epoch, estimate in estimates.items():
    print(f"  after epoch {epoch:g}: {psnr(estimate, x).mean():.1f} dB")

# %% mystnb={"figure": {"caption": "Ten test digits, the same with noise of $\\sigma = 0.5$ (seeds 0 to 9), and one-step estimates after the epochs named on the left; values clipped to $[0, 1]$ for display.", "name": "fig-b1-denoised"}, "image": {"alt": "Rows of ten digits: clean, noisy, and denoised after each shipped epoch; the denoised digits have much less noise, and softer strokes."}} tags=["hide-input"]
names = [f"epoch {epoch:g}" for epoch in estimates]
grid([x, z, *estimates.values()], labels=[r"$x$", r"$z$", *names])

# %% [markdown]
# The estimates in {numref}`fig-b1-denoised` have less noise, but soft strokes. Training longer removes more noise; it does not make the strokes sharp: the best answer
# in the mean square is the average $\mathbb E[x \mid z]$ of all digits that could lie behind the noise, and an average of sharp
# strokes in slightly different places is a soft stroke.
#
# ## Noise it was not trained for
#
# The network has only ever seen $\sigma = 0.5$. {numref}`fig-b1-ood` gives it the same digit at every level of the grid.

# %%
digit = 7
noisy = torch.stack([x[digit] + sigma * eps[digit] for sigma in sigmas])
with torch.no_grad():
    denoised = network(noisy)
quality = psnr(denoised, x[digit].expand_as(denoised))

# %% mystnb={"figure": {"caption": "One test digit at seven noise levels (above) and its one-step estimate (below), with the PSNR of the estimate. Seed 7; the network was trained at $\\sigma = 0.5$ only.", "name": "fig-b1-ood"}, "image": {"alt": "The digit seven with growing noise above, and the network's estimates below."}} tags=["hide-input"]
titles = [
    f"$\\sigma={sigma}$\n{q:.1f} dB" for sigma, q in zip(sigmas, quality, strict=True)
]
grid([noisy, denoised], titles=titles, labels=[r"$z$", "estimate"])

# %% [markdown]
# Below $\sigma = 0.5$ the estimates stay good; only without any noise, where there is nothing to gain, is the input better than the estimate, because the network smooths all the same. Above, it leaves noise standing, or takes it for strokes. One digit proves little, so {numref}`fig-b1-psnr` repeats this for many test digits and
# compares with the best that a Gaussian blur can do, the width chosen for each $\sigma$ with the clean images at hand.
# The numbers come from `python -m benchmarks.mnist_quality b1`.

# %%
result = json.loads((ROOT / "benchmarks/results/mnist_b1.json").read_text())
rows = result["rows"]


def mean_and_spread(row, name):
    psnr, ssim = row[name]["psnr"], row[name]["ssim"]
    numbers = psnr["mean"], psnr["std"], ssim["mean"], ssim["std"]
    return "{:5.1f} ± {:.1f} dB, {:.2f} ± {:.2f}".format(*numbers)


print(f"PSNR and SSIM, mean ± standard deviation over {result['images']} test digits,")
print(f"weights of epoch {result['epoch']:g}")
print("sigma  network                     best blur (100 dB: exact)")
for row in rows:
    both = mean_and_spread(row, "network"), mean_and_spread(row, "blur")
    print(f"  {row['sigma']:.1f}", *both, sep="  ")
better = [
    r["sigma"] for r in rows if r["blur"]["psnr"]["mean"] > r["network"]["psnr"]["mean"]
]
print("the blur has the higher PSNR at sigma =", *better)

# %% mystnb={"figure": {"caption": "PSNR of the one-step estimate, of the best Gaussian blur, and of the noisy input itself, against $\\sigma$. Mean and standard deviation over the test digits counted above, noise of seeds from 0; at $\\sigma = 0$ the input is exact and only the network is shown. From `python -m benchmarks.mnist_quality b1`.", "name": "fig-b1-psnr"}, "image": {"alt": "Three curves of PSNR against sigma, for the network, the blur and the noisy input; a dotted line marks the sigma of the training."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
for name in ("network", "blur", "noisy"):
    shown = [row for row in rows if row["sigma"] or name == "network"]
    values = [
        (row["sigma"], row[name]["psnr"]["mean"], row[name]["psnr"]["std"])
        for row in shown
    ]
    ax.errorbar(*zip(*values, strict=True), label=name, capsize=3, marker="o")
ax.axvline(0.5, color="grey", lw=1, ls=":")
ax.set(xlabel=r"$\sigma$", ylabel="PSNR (dB)")
ax.legend()
plt.show()

# %% [markdown]
# Wherever there is noise, the network in {numref}`fig-b1-psnr` is above the best blur. Its curve is nearly flat up to the $\sigma$ of the training (dotted) and falls fastest beyond it, where it takes away as much noise as it has learned to
# and leaves the rest.
#
# ## Where it fails: nothing but noise
#
# A generator would start from pure noise. {numref}`fig-b1-pure` gives the network $z = 0.5\,\epsilon$ with no digit in it.

# %%
pure = 0.5 * unit_noise((1, 28, 28), generators(range(by_profile(200, 8))))
with torch.no_grad():
    invented = network(pure)
print(f"spread of the estimates around their mean: {invented.std(0).mean():.3f}")
print(
    f"spread of real digits around theirs:       {to_unit(test_images).std(0).mean():.3f}"
)

# %% mystnb={"figure": {"caption": "One-step estimates from pure noise of $\\sigma = 0.5$, seeds 0 to 7 (above: the input, below: the estimate).", "name": "fig-b1-pure"}, "image": {"alt": "Eight squares of noise above; below them, what the network makes of each."}} tags=["hide-input"]
grid([pure[:8], invented[:8]], labels=[r"$z$", "estimate"])

# %% [markdown]
# There is no digit in this $z$ to go by, so the best answer in the mean square is close to the average of all digits: in {numref}`fig-b1-pure` a faint blob in the middle, with a few strokes where the noise happens to suggest some.
# The first number above says how much the estimates differ from each other, the second how much digits do. To draw a digit, a network has to choose one, and this loss forbids choosing. But it can commit to
# one a little at a time. That takes [many steps](b2_time_conditioned.ipynb).
