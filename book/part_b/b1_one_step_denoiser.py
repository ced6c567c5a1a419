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
from diffusion_utils.metrics import in_batches, psnr
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


def pictures(rows, titles, labels=None, margin=0):
    """Rows of digits, each digit under its own title, without `margin` pixels at each edge."""
    shape, side = (len(rows), len(rows[0])), 6.6 / len(rows[0])
    size = (7.2, side * len(rows) + 0.25 * sum(map(any, titles)))
    fig, axes = plt.subplots(*shape, figsize=size, squeeze=False, layout="constrained")
    inside = slice(margin, 28 - margin)
    for ax, image, title in zip(
        axes.flat, torch.cat([*rows]), np.ravel(titles), strict=True
    ):
        shown = image[0, inside, inside].clamp(0, 1)
        ax.imshow(shown, cmap="gray", vmin=0, vmax=1)
        ax.set_title(title, fontsize=9)
        ax.set(xticks=[], yticks=[])
    for ax, label in zip(axes[:, 0], labels or [], strict=False):
        ax.set_ylabel(label, rotation=0, ha="right", va="center")
    plt.show()


# %% mystnb={"figure": {"caption": "Six test digits $x$, the same with noise of $\\sigma = 0.5$ (seeds 0 to 5), and the network's answers after the epochs named on the left; values clipped to $[0, 1]$ for display.", "name": "fig-b1-denoised"}, "image": {"alt": "Rows of six digits: clean, noisy, and denoised after each shipped epoch; the denoised digits have much less noise, and softer strokes."}} tags=["remove-input"]
names = [f"epoch {epoch:g}" for epoch in estimates]
shown = [row[:6] for row in (x, z, *estimates.values())]
grid(shown, labels=[r"$x$", r"$z$", *names], size=1.1)

# %% [markdown]
# ```{live} b1
# ```

# %% [markdown]
# **Yes, but with soft strokes: the best single answer is an average of digits.** The second row of {numref}`fig-b1-denoised` is what the network sees, the last row is what it answers
# after five epochs of training. Most of the noise is gone. Compare it with the first row: the strokes are softer, and the gap in the 5 is closed. This page builds and trains such a network, and shows why.
#
# ## Adding noise
#
# A digit $x$ is an image of MNIST {cite:p}`lecun1998`: $28 \times 28$ pixels with values from 0 (black) to 1 (white). The noise $\epsilon$ is a random number
# for each pixel, drawn from a Gaussian with mean 0 and standard deviation 1. The noise level $\sigma$ says how much of it is added:
#
# $$ z = x + \sigma \epsilon, \qquad \epsilon \sim \mathcal N(0, I). \tag{B1.1} $$

# %% mystnb={"figure": {"caption": "Five test digits $x$ and the same digits with noise, $z = x + \\sigma\\epsilon$. Seeds 0 to 4; one $\\epsilon$ for each digit, scaled by $\\sigma$; values clipped to $[0, 1]$ for display.", "name": "fig-b1-noising"}, "image": {"alt": "A grid of handwritten digits 0 to 4; from left to right grainy noise grows until the strokes can hardly be seen."}} tags=["remove-input"]
columns = [
    torch.cat([x[i] + sigma * eps[i] for sigma in sigmas])[:, None] for i in range(5)
]
grid(columns, titles=[rf"$\sigma={sigma}$" for sigma in sigmas])

# %% [markdown]
# This page trains at $\sigma = 0.5$. There most digits of {numref}`fig-b1-noising` can be read, the 3 only with difficulty. At $\sigma = 1$ the noise is as large as the step
# from black to white, and some digits have to be guessed.
#
# ## The best answer is an average
#
# The network $x_\theta$ with weights $\theta$ gets $z$ and answers with an estimate of $x$. Training makes the squared error small, on average over all digits and all noise:
#
# $$ L(\theta) = \mathbb E_{x, \epsilon} \lVert x_\theta(z) - x \rVert^2, \qquad \sigma = 0.5. \tag{B1.2} $$
#
# In this book $\lVert\cdot\rVert^2$ is the mean over the pixels. Many digits, each with its own noise, could have given the same $z$. The network cannot know which one it was.
# The answer with the smallest squared error is **the average of all digits, each weighted by how probable it is given $z$**:
#
# $$ x^*(z) = \mathbb E[x \mid z]. \tag{B1.3} $$
#
# We can compute this average if we let the 60,000 training digits $x_i$ stand for all digits. By (B1.1) and Bayes' rule the weight of a digit falls with its distance from $z$:
#
# $$ x^*(z) \approx \sum_i w_i\, x_i, \qquad w_i \propto e^{-\|z - x_i\|^2 / (2\sigma^2)} \tag{B1.4} $$
#
# The square is a sum over all pixels, and the weights $w_i$ add up to one.

# %% tags=["remove-input"]
train_images, train_labels = mnist(train=True)
train_digits = to_unit(train_images).flatten(1)


def weights_of_digits(z, sigma=0.5):
    """The weight of each training digit for each z: (B, 1, 28, 28) -> (B, 60000)."""
    # the square of z is the same for all digits, so that it can be left out
    squares = train_digits.square().sum(1) - 2 * z.flatten(1) @ train_digits.T
    return (-squares / (2 * sigma**2)).softmax(1)  # (B1.4)


def weighted_mean(weights):
    return (weights @ train_digits).view(-1, 1, 28, 28)


# %% mystnb={"figure": {"caption": "Three noisy test digits $z$; the three training digits with the largest weights $w_i$; the weighted mean (B1.4) of all 60,000 and the network's answer after epoch 5, each with its mean squared error; and the clean $x$. The middle 22 × 22 pixels; seeds 0, 1 and 4.", "name": "fig-b1-average"}, "image": {"alt": "Three rows, for a zero, a one and a four: the noisy digit, three training digits that resemble it, their softer weighted mean, the network's answer, and the clean digit. In the row of the four the heaviest training digit is a nine."}} tags=["remove-input"]
rows, titles = [], []
for digit in (0, 1, 4):
    weights = weights_of_digits(z[[digit]])
    largest, indices = weights[0].topk(3)
    likely = train_digits[indices].view(-1, 1, 28, 28)
    answers = torch.cat([weighted_mean(weights), network(z[[digit]]).detach()])
    errors = (answers - x[digit]).square().mean((1, 2, 3))
    rows.append(torch.cat([z[[digit]], likely, answers, x[[digit]]]))
    chances = [f"$w_i$ = {chance:.1%}" for chance in largest]
    named = zip(("mean (B1.4)", "network"), errors, strict=True)
    scored = [f"{name}\n{error:.4f}" for name, error in named]
    titles.append(["$z$", *chances, *scored, "$x$"])
pictures(rows, titles, margin=3)

# %% [markdown]
# In the first two rows of {numref}`fig-b1-average` the likely digits are alike, but their strokes lie in slightly different places. Each has sharp strokes; their mean has softer ones.
# In the last row the likeliest training digit is a 9, a 4 comes second, and the mean is a mixture of both. The network's answer is nearer to $x$ in all three rows: the 60,000 digits
# are only a sample of all the digits that people write, and (B1.4) knows nothing between them.
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
# ## Training
#
# Here is the whole of training, on a network small enough to be trained while this page is built: 30 steps, each on 64 digits.
# `hidden=16` is $D$, the number of channels that the network has at full resolution. The noise is new in every step, so that the network never sees the same $z$ twice.

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

# %% mystnb={"figure": {"caption": "What this small network makes of six noisy test digits after its 30 steps ($D = 16$, $\\sigma = 0.5$, seeds 0 to 5).", "name": "fig-b1-live"}, "image": {"alt": "Six noisy digits over the small network's blotchy estimates, in which the digits are recognisable shapes."}} tags=["remove-input"]
with torch.no_grad():
    quick = small.eval()(z[:6])
grid([z[:6], quick], labels=[r"$z$", "30 steps"], size=1.1)

# %% [markdown]
# After thirty steps the digits stand out from the noise, in blotchy strokes. The network of {numref}`fig-b1-denoised` has $D = 128$. It saw all 60,000 digits five times, 256 a step, with Adam and a
# learning rate of $10^{-4}$. Its loop, [`diffusion_utils.training.loop.train`](../appendix/api.md), repeats the same lines.

# %% mystnb={"figure": {"caption": "Training loss (B1.2) of the network with $D = 128$ against the step, from the history of the run that made these weights. $\\sigma = 0.5$, batch 256, Adam, learning rate $10^{-4}$, seed 180. Each value of the second curve stands at the middle of its 50 steps.", "name": "fig-b1-loss"}, "image": {"alt": "A loss curve on a logarithmic axis, falling steeply in the first steps and slowly after that."}} tags=["remove-input"]
loss_curve(history)

# %% tags=["remove-input"]
known = to_unit(test_images[: by_profile(200, 8)])
noise = unit_noise((1, 28, 28), generators(range(len(known))))
answers = in_batches(network, known + 0.5 * noise, 50)
on_test = (answers - known).square().mean((1, 2, 3))
error = on_test.std() / len(known) ** 0.5
loss_at = np.array([row.loss for row in history])
first = sum(row.epoch <= 1 for row in history)
table(
    [
        ["black everywhere", f"{to_unit(test_images).square().mean():.4f}"],
        ["the small network, last 5 of its 30 steps", f"{np.mean(losses[-5:]):.4f}"],
        ["this network, steps 6 to 10", f"{loss_at[5:10].mean():.4f}"],
        [
            "this network, last 100 steps of epoch 1",
            f"{loss_at[first - 100 : first].mean():.4f}",
        ],
        ["this network, last 100 steps of epoch 5", f"{loss_at[-100:].mean():.4f}"],
        [
            f"the same on {len(known)} test digits",
            f"{on_test.mean():.4f} ± {error:.4f}",
        ],
    ],
    ["", "mean squared error"],
    "The loss (B1.2) with σ = 0.5 (± one standard error).",
)

# %% [markdown]
# Within its first ten steps the network is better than an answer that is black everywhere. The steep part of {numref}`fig-b1-loss` lies within the first epoch and already gives legible strokes (third row of {numref}`fig-b1-denoised`). The
# four epochs after it refine them. The error on test digits is about that of training: the network has not just memorised its digits.

# %% mystnb={"code_prompt_show": "How long training takes"} tags=["remove-input", "hide-output"]
stored = ROOT / "benchmarks/results"
speed, of_b3 = json.loads((stored / "mnist_train_step.json").read_text())["networks"]
same = json.loads((stored / "mnist_precision.json").read_text())
rows = [
    [f"two cores, {speed['precision']}", f"{speed['ours']:.0f} images a second"],
    ["two cores, a plain loop in fp32", f"{speed['plain']:.0f} images a second"],
    ["the convolutions alone would allow", f"{speed['roofline']:.0f} images a second"],
]
rows += [
    [f"B3's loss over {same['steps']} steps, {name}", f"{apart:.1%} from fp32"]
    for name, apart in same["apart"].items()
]
for name, fast, steps in (("B1", speed, history), ("B3", of_b3, released("b3")[1])):
    hours = len(steps) * fast["batch_size"] / fast["ours"] / 3600
    rows.append(
        [f"the run of {name} on two cores, at this speed", f"{hours:.1f} hours"]
    )
    rows.append(
        [f"the run of {name} on the GPU", f"{steps[-1].seconds / 60:.1f} minutes"]
    )
table(
    rows,
    ["", ""],
    "The page loads weights that were trained on one NVIDIA H200 GPU, in single precision (fp32). RETRAIN=1 trains them "
    "now, in bf16 where the processor can: numbers of half as many bits. Speeds from python -m benchmarks.train_step and "
    "python -m benchmarks.precision.",
)

# %% [markdown]
# ## The network
#
# A U-Net {cite:p}`ronneberger2015` looks at the image at three resolutions. {numref}`fig-b1-unet` reads from the upper left: down to 14 and 7 pixels a side, then through
# a single vector that can describe the whole digit (the arrow at the bottom), and back up. At each resolution the features of the way down are joined to those of the way up,
# so that the way up knows where the strokes are.

# %% mystnb={"figure": {"caption": "The U-Net of this page, drawn from its modules. Each blue box is a block; a box names the shape of what it returns, channels × height × width, for $D = 128$. \"join\" takes the channels of both maps together.", "name": "fig-b1-unet"}, "image": {"alt": "Two columns of boxes. Left, downwards: z, conv_in, down1, down2, flatten. Right, upwards: unflatten, join, up1, join, up2, join, conv_out, out. Arrows lead across from conv_in, down1 and down2 to the joins."}} tags=["remove-input"]
draw(*unet_plan(network))

# %% [markdown]
# The code of `UNet.forward` follows the figure, and `torch.cat` is its "join". The input `x` is the noisy image, here $z$. The conditions $t$ and $c$ are for the next chapters; here `t1 = t2 = 0` and `c1 = c2 = 1`.
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
# ## Noise it was not trained for
#
# The network has only ever seen $\sigma = 0.5$. What does it make of less noise, and of more?

# %% mystnb={"figure": {"caption": "One test digit at seven noise levels (above) and the network's answer (below), each with its PSNR. Seed 2; the network was trained at $\\sigma = 0.5$ only.", "name": "fig-b1-ood"}, "image": {"alt": "The digit two with growing noise above, and the network's answers below; from sigma 0.8 on the answers have stray strokes."}} tags=["remove-input"]
digit = 2
noisy = torch.stack([x[digit] + sigma * eps[digit] for sigma in sigmas])
with torch.no_grad():
    denoised = network(noisy)
quality = [f"{q:.1f} dB" for q in psnr(denoised, x[digit].expand_as(denoised))]
above = [rf"$\sigma={sigma}$" for sigma in sigmas]
pictures([noisy, denoised], [above, quality], [r"$z$", "network"])

# %% [markdown]
# PSNR (peak signal-to-noise ratio) is the error on a logarithmic scale: 10 dB more is a tenth of the mean squared error. Up to $\sigma = 0.6$ the answers in {numref}`fig-b1-ood` stay good.
# With more noise the network takes some of it for strokes. {numref}`fig-b1-psnr` repeats this for many digits.

# %% mystnb={"figure": {"caption": "PSNR of the one-step estimate, of the best Gaussian blur, and of the noisy input itself, against $\\sigma$. Mean and standard deviation over 1,000 test digits, seeds from 0. The network was trained at the dotted line. At $\\sigma = 0$ the input is exact and only the network is shown. From `python -m benchmarks.mnist_quality b1`.", "name": "fig-b1-psnr"}, "image": {"alt": "Three curves of PSNR against sigma, for the network, the blur and the noisy input; a dotted line marks the sigma of the training."}} tags=["remove-input"]
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
# Wherever there is noise, the network is on average above the best blur, although the blur's width was chosen for each $\sigma$ with the clean images at hand. The lead is smallest at
# $\sigma = 1$. At $\sigma = 0$ nothing should be changed at all, and the network changes the digit: at 25 dB it is hardly better than at $\sigma = 0.2$.
#
# ## Where it fails: nothing but noise
#
# To draw new digits, a network has to start from noise alone. {numref}`fig-b1-pure` gives it $z = 0.5\,\epsilon$, with no digit in it.

# %% mystnb={"figure": {"caption": "Noise without a digit, $z = 0.5\\,\\epsilon$ (seeds 0 to 6); the weighted mean (B1.4), and the share of the weight that falls on ones; the network's answer; and, for comparison, the plain mean of all training digits (in each column the same).", "name": "fig-b1-pure"}, "image": {"alt": "Seven squares of noise; below them thin strokes, nearly all upright ones; below those the network's dark answers with faint strokes; in the last row a broad grey blob."}} tags=["remove-input"]
pure = 0.5 * unit_noise((1, 28, 28), generators(range(7)))
weights = weights_of_digits(pure)
with torch.no_grad():
    invented = network(pure)
ones = [f"ones: {part:.0%}" for part in weights[:, train_labels == 1].sum(1)]
plain = train_digits.mean(0).view(1, 1, 28, 28).expand_as(pure)
pictures(
    [pure, weighted_mean(weights), invented, plain],
    [[""] * 7, ones, [""] * 7, [""] * 7],
    ["$z$", "mean (B1.4)", "network", "all digits"],
)

# %% [markdown]
# Where $z$ holds no digit, (B1.4) gives the weight to the digits with the least white, because they are nearest: almost always thin ones. The network's answers have
# traces of such strokes, but are darker. It has never seen a $z$ without a digit, so nothing made it learn (B1.3) there. In no case does the broad mean of all digits come out.
#
# So one step from this noise cannot draw the ten digits. It takes a start with so much noise that every digit is still possible, and
# [many steps](b2_time_conditioned.ipynb), each of which commits to a little more.
#
# ## Try it
#
# 1. **Train longer.** In the training cell, change `range(30)` to `range(300)` and run the cells from there on (about ten times as long). What happens to the gaps in the strokes of {numref}`fig-b1-live`?
# 2. **Learn something else.** Change `0.5 * torch.randn` to `1.0 * torch.randn`, and nothing else. The network now expects twice the noise that it is given. What becomes of thin strokes?
