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
# **Can a small network remove the noise from a digit in a single pass?**

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
import numpy as np
import torch

from diffusion_utils.diagrams import draw, unet_plan
from diffusion_utils.files import ROOT
from diffusion_utils.metrics import psnr
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.release import released, trained
from diffusion_utils.mnist.unet import UNet
from diffusion_utils.pictures import to_unit
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import grid, loss_curve, table

networks, history = trained("b1", device="cpu")
network = networks[max(networks)]
test_images, test_labels = mnist(train=False)
x = torch.stack([to_unit(test_images)[test_labels == digit][0] for digit in range(10)])
eps = unit_noise((1, 28, 28), generators(range(10)))
sigmas = [0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0]
z = x + 0.5 * eps
with torch.no_grad():
    estimates = {epoch: net(z) for epoch, net in networks.items()}

# %% mystnb={"figure": {"caption": "Ten test digits $x$, the same with noise of $\\sigma = 0.5$ (seeds 0 to 9), and the network's estimates after the epochs named on the left; values clipped to $[0, 1]$ for display.", "name": "fig-b1-denoised"}, "image": {"alt": "Rows of ten digits: clean, noisy, and denoised after each shipped epoch; the denoised digits have much less noise, and softer strokes."}} tags=["remove-input"]
names = [f"epoch {epoch:g}" for epoch in estimates]
grid([x, z, *estimates.values()], labels=[r"$x$", r"$z$", *names])

# %% [markdown]
# ```{live} b1
# ```

# %% [markdown]
# Yes, if you do not mind soft strokes. The second row of {numref}`fig-b1-denoised` is what the network sees, the last row is what it answers
# after five epochs of training. Most of the noise is gone, and every digit can be read. Look at the strokes, though: they are softer than those in
# the first row. This page shows how such a network is built and trained, and why its strokes must be soft.
#
# ## Adding noise
#
# A digit $x$ is an image of MNIST {cite:p}`lecun1998`: $28 \times 28$ pixels with values in $[0, 1]$. The noise $\epsilon$ is a random number
# for each pixel, drawn from a Gaussian with mean 0 and standard deviation 1. The noise level $\sigma$ says how much of it is added:
#
# $$ z = x + \sigma \epsilon, \qquad \epsilon \sim \mathcal N(0, I). \tag{B1.1} $$

# %% mystnb={"figure": {"caption": "Five test digits $x$ and the same digits with noise, $z = x + \\sigma\\epsilon$. Seeds 0 to 4; one $\\epsilon$ for each digit, scaled by $\\sigma$; values clipped to $[0, 1]$ for display.", "name": "fig-b1-noising"}, "image": {"alt": "A grid of handwritten digits 0 to 4; from left to right grainy noise grows until the strokes can hardly be seen."}} tags=["remove-input"]
columns = [
    torch.cat([x[i] + sigma * eps[i] for sigma in sigmas])[:, None] for i in range(5)
]
grid(columns, titles=[rf"$\sigma={sigma}$" for sigma in sigmas])

# %% [markdown]
# In {numref}`fig-b1-noising` every digit can be read up to $\sigma = 0.5$. At $\sigma = 1$ the noise is as large as the step
# from paper to ink, and some digits have to be guessed.
#
# ## What to ask for: the mean square
#
# The network $x_\theta$ gets $z$ and shall answer $x$. Its weights are $\theta$. Training makes the squared error small, on average over all digits and all noise:
#
# $$ L(\theta) = \mathbb E_{x, \epsilon} \lVert x_\theta(z) - x \rVert^2, \qquad \sigma = 0.5. \tag{B1.2} $$
#
# In this book $\lVert\cdot\rVert^2$ is the mean over the pixels. Why the square? Because we know what its minimum is: **the best answer to $z$ is the average of
# all digits that could lie behind it**,
#
# $$ x^*(z) = \mathbb E[x \mid z]. \tag{B1.3} $$
#
# That average explains the soft strokes. Behind a noisy 7 there may be many sevens, with strokes in slightly different places. Each has a sharp stroke; their average has a soft one.
#
# ```{dropdown} Why the average is the best answer
# Fix $z$, and let $m = \mathbb E[x \mid z]$. For any answer $y$,
#
# $$ \mathbb E\big[\lVert y - x \rVert^2 \,\big|\, z\big] = \lVert y - m \rVert^2 + \mathbb E\big[\lVert m - x \rVert^2 \,\big|\, z\big], $$
#
# because the mixed term $2\,\langle y - m,\ \mathbb E[m - x \mid z]\rangle$ is zero. The second term does not depend on $y$, so $y = m$ is best. What is left is the spread of the digits
# behind $z$: no network can get below it. With the absolute error in place of the square the best answer would be the median of each pixel.
# ```
#
# ## Training, in eight lines
#
# Here is the whole of training, on a network small enough to be trained while this page is built: 30 steps, each on 64 digits.
# The noise is new in every step, so that the network never sees the same $z$ twice.

# %%
images = to_unit(mnist(train=True)[0][:6000])
torch.manual_seed(0)
small = UNet(hidden=16)
optimizer = torch.optim.Adam(small.parameters(), lr=3e-3)
losses = []
for _ in range(30):
    batch = images[torch.randint(len(images), (64,))]
    noisy = batch + 0.5 * torch.randn(batch.shape)  # (B1.1)
    loss = (small(noisy) - batch).square().mean()  # (B1.2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

# %% mystnb={"figure": {"caption": "Trained just now: the loss (B1.2) of 30 steps with $D = 16$ and 64 digits a step, and what this network makes of four noisy test digits ($\\sigma = 0.5$, seeds 0 to 3). Seed of the training: 0.", "name": "fig-b1-live"}, "image": {"alt": "Left, a falling loss curve of thirty steps. Right, four noisy digits over the small network's blurred estimates, in which the digits are recognisable shapes."}} tags=["remove-input"]
with torch.no_grad():
    quick = small.eval()(z[:4])
fig, (left, right) = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained")
left.plot(range(1, 31), losses)
left.set(xlabel="step", ylabel="mean squared error", ylim=(0, None))
shown = torch.cat([torch.cat(list(row), -1) for row in (z[:4], quick)], 1)
right.imshow(shown[0].clamp(0, 1), cmap="gray")
right.set_axis_off()
plt.show()

# %% [markdown]
# Thirty steps make a rough denoiser. On the right of {numref}`fig-b1-live` the digits stand out from the noise, in blotchy strokes on a grey haze.
#
# The network of {numref}`fig-b1-denoised` is the same with $D = 128$ in place of 16. It saw all 60,000 digits five times, 256 a step, with Adam and a
# learning rate of $10^{-4}$. Its loop is [`diffusion_utils.training.loop.train`](../appendix/api.md): the same lines, with
# what a long run needs besides (it can be stopped and taken up again, and it uses several processors). All networks of Part B were trained on one GPU, in minutes.
# Two processor cores need one and a half to two hours for each.
#
# ## The network
#
# A U-Net {cite:p}`ronneberger2015` looks at the image at three resolutions. {numref}`fig-b1-unet` reads from the upper left: down to 14 and 7 pixels a side, then to
# a single vector that can describe the whole digit, and back up. At each resolution the features of the way down are joined to those of the way up,
# so that the way up knows where the strokes are.

# %% mystnb={"figure": {"caption": "The U-Net of this page, drawn from its modules. Each box is a block and names the shape of what it returns, channels × height × width, for $D = 128$. \"join\" puts two maps on top of each other.", "name": "fig-b1-unet"}, "image": {"alt": "Two columns of boxes. Left, downwards: x, conv_in, down1, down2, flatten. Right, upwards: unflatten, join, up1, join, up2, join, conv_out, out. Arrows lead across from conv_in, down1 and down2 to the joins."}} tags=["remove-input"]
draw(*unet_plan(network))

# %% [markdown]
# The code of `UNet.forward` has one line for each arrow of the figure. (The conditions $t$ and $c$ are for the next chapters. Here `t1 = t2 = 0` and `c1 = c2 = 1`.)
#
# ```{literalinclude} ../../diffusion_utils/mnist/unet.py
# :pyobject: UNet.forward
# :start-at: h28 = self.conv_in
# :dedent:
# ```
#
# ```{dropdown} What is in a block
# The smallest block is a convolution, BatchNorm (each channel is brought to mean 0 and variance 1
# over the batch, then scaled and shifted) and GELU (nearly $x$ for large $x$, nearly 0 for very negative $x$, and smooth between):
#
# ~~~{literalinclude} ../../diffusion_utils/mnist/unet.py
# :pyobject: Conv
# ~~~
#
# Others halve the resolution, double it, average a 7x7 map to one vector (`Flatten`) or spread a vector over such a map (`Unflatten`):
#
# ~~~{literalinclude} ../../diffusion_utils/mnist/unet.py
# :pyobject: UNet.__init__
# :start-after: self.config
# :end-before: if time
# :dedent:
# ~~~
# ```
#
# ## How well it learned

# %% mystnb={"figure": {"caption": "Training loss (B1.2) against the step, from the history of the run that made these weights. $\\sigma = 0.5$, batch 256, Adam, learning rate $10^{-4}$, seed 180.", "name": "fig-b1-loss"}, "image": {"alt": "A loss curve on a logarithmic axis, falling steeply in the first steps and slowly after that."}} tags=["remove-input"]
loss_curve(history)

# %% [markdown]
# The loss falls steeply while the network finds out that most of a digit is black, then slowly, while it learns the shapes of strokes.

# %% tags=["remove-input"]
last = np.mean([row.loss for row in history[-100:]])
rows = [["predicting black everywhere", f"{to_unit(test_images).square().mean():.4f}"]]
rows += [["the 30 steps above, last 5", f"{np.mean(losses[-5:]):.4f}"]]
rows += [["this network, last 100 of its steps", f"{last:.4f}"]]
rows += [["course staff, after 1,175 steps", "0.0083 to 0.0085"]]
table(rows, ["", "mean squared error"], "The loss (B1.2) with σ = 0.5.")

# %% [markdown]
# This run ends a little lower than the course staff's. We do not know why.
#
# ```{dropdown} How long training takes, and how to repeat it
# The page does not train the large network: it loads the weights that ship with the book, which were trained from nothing in one go, in single precision, on one NVIDIA H200 GPU.
# `RETRAIN=1` trains it now. The course names 7 minutes on a T4 GPU. Where the processor can, training computes in bf16, which has half as many bits as single precision.
# The speeds below are stored by `python -m benchmarks.train_step` and `python -m benchmarks.precision`.
# ```

# %% mystnb={"code_prompt_show": "Show how fast training is"} tags=["remove-input", "hide-output"]
stored = ROOT / "benchmarks/results"
speed, of_b3 = json.loads((stored / "mnist_train_step.json").read_text())["networks"]
same = json.loads((stored / "mnist_precision.json").read_text())
rows = [
    [f"training, {speed['precision']}", f"{speed['ours']:.0f} images a second"],
    ["a plain loop in fp32", f"{speed['plain']:.0f} images a second"],
    ["the convolutions alone would allow", f"{speed['roofline']:.0f} images a second"],
]
rows += [
    [f"B3's loss over {same['steps']} steps, {name}", f"{apart:.1%} from fp32"]
    for name, apart in same["apart"].items()
]
for name, fast, steps in (("B1", speed, history), ("B3", of_b3, released("b3")[1])):
    hours = len(steps) * fast["batch_size"] / fast["ours"] / 3600
    rows.append([f"at this speed, the run of {name} would take", f"{hours:.1f} hours"])
    rows.append(
        [f"on the GPU, the run of {name} took", f"{steps[-1].seconds / 60:.1f} minutes"]
    )
table(
    rows,
    ["", ""],
    "Training on two processor cores and on the GPU, and what bf16 changes.",
)

# %% [markdown]
# ## Noise it was not trained for
#
# The network has only ever seen $\sigma = 0.5$. What does it make of less noise, and of more?

# %% tags=["remove-input"]
digit = 7
noisy = torch.stack([x[digit] + sigma * eps[digit] for sigma in sigmas])
with torch.no_grad():
    denoised = network(noisy)
quality = psnr(denoised, x[digit].expand_as(denoised))

# %% mystnb={"figure": {"caption": "One test digit at seven noise levels (above) and its one-step estimate (below), with the PSNR of the estimate. Seed 7; the network was trained at $\\sigma = 0.5$ only.", "name": "fig-b1-ood"}, "image": {"alt": "The digit seven with growing noise above, and the network's estimates below; from sigma 0.8 on the estimates have stray strokes."}} tags=["remove-input"]
titles = [
    f"$\\sigma={sigma}$\n{q:.1f} dB" for sigma, q in zip(sigmas, quality, strict=True)
]
grid([noisy, denoised], titles=titles, labels=[r"$z$", "estimate"])

# %% [markdown]
# Up to $\sigma = 0.6$ the estimates in {numref}`fig-b1-ood` stay good. With more noise the network leaves noise standing, or takes it for strokes. PSNR is the error on a logarithmic scale:
# 10 dB more is a tenth of the mean squared error. One digit proves little, so {numref}`fig-b1-psnr` repeats this for many.

# %% mystnb={"figure": {"caption": "PSNR of the one-step estimate, of the best Gaussian blur, and of the noisy input itself, against $\\sigma$. Mean and standard deviation over 1,000 test digits, noise of seeds from 0. The dotted line is the $\\sigma$ of the training. At $\\sigma = 0$ the input is exact and only the network is shown. From `python -m benchmarks.mnist_quality b1`.", "name": "fig-b1-psnr"}, "image": {"alt": "Three curves of PSNR against sigma, for the network, the blur and the noisy input; a dotted line marks the sigma of the training."}} tags=["remove-input"]
result = json.loads((ROOT / "benchmarks/results/mnist_b1.json").read_text())
rows = result["rows"]
fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
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
# Wherever there is noise, the network is above the best blur, whose width was chosen for each $\sigma$ with the clean images at hand. Its own curve falls
# with every step to more noise, and most steeply between 0.6 and 0.8, beyond the $\sigma$ of the training: there it takes away as much noise as it has learned to and leaves the rest.


# %% mystnb={"code_prompt_show": "Show the numbers"} tags=["remove-input", "hide-output"]
def cell(values):
    return f"{values['mean']:.2f} ± {values['std']:.2f}"


table(
    [
        [f"{r['sigma']:.1f}"]
        + [
            cell(r[name][kind])
            for name in ("network", "blur")
            for kind in ("psnr", "ssim")
        ]
        for r in rows
    ],
    ["σ", "network, PSNR", "network, SSIM", "best blur, PSNR", "best blur, SSIM"],
    f"PSNR in dB and SSIM, mean ± standard deviation over {result['images']:,} test digits; "
    "100 dB stands for an exact copy.",
)

# %% [markdown]
# ## Where it fails: nothing but noise
#
# A generator would have to start from nothing. {numref}`fig-b1-pure` gives the network $z = 0.5\,\epsilon$, with no digit in it.

# %% tags=["remove-input"]
pure = 0.5 * unit_noise((1, 28, 28), generators(range(by_profile(200, 8))))
with torch.no_grad():
    invented = network(pure)

# %% mystnb={"figure": {"caption": "One-step estimates from pure noise of $\\sigma = 0.5$, seeds 0 to 7 (above: the input, below: the estimate).", "name": "fig-b1-pure"}, "image": {"alt": "Eight squares of noise above; below them, faint grey blobs with a few strokes."}} tags=["remove-input"]
grid([pure[:8], invented[:8]], labels=[r"$z$", "estimate"])

# %% [markdown]
# There is no digit in this $z$ to go by, so by (B1.3) the best answer is close to the average of all digits. What comes out is a faint blob in the middle, with a few strokes where the
# noise happens to suggest some.

# %% tags=["remove-input"]
table(
    [
        ["estimates from pure noise", f"{invented.std(0).mean():.3f}"],
        ["real digits", f"{to_unit(test_images).std(0).mean():.3f}"],
    ],
    ["", "spread"],
    f"Standard deviation of a pixel over the images, the mean over pixels; {len(pure)} estimates.",
)

# %% [markdown]
# The estimates differ less from each other than digits do. To draw a digit, a network has to choose one, and this loss rewards not choosing. But a network can
# commit to a digit a little at a time. That takes [many steps](b2_time_conditioned.ipynb).
#
# ## Try it
#
# 1. **Train longer.** In the training cell, change `range(30)` to `range(300)` and run the cells from there on. It takes about ten times as long. The
#    estimates of {numref}`fig-b1-live` lose their haze, and the gaps in the strokes close.
# 2. **Learn something else.** Change `0.5 * torch.randn` to `1.0 * torch.randn`, and nothing else. The network now expects twice the noise that it is given, and smooths too
#    much: the estimates in {numref}`fig-b1-live` become grey and soft, and thin strokes fade.
