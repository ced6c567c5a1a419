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
    if not fetches:
        sys.exit("Open this notebook where it belongs, in a complete copy of the book.")
    if ADDRESS.endswith(".invalid"):
        sys.exit(
            "This copy of the book is not published, so there is nothing to fetch."
        )
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
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch

from diffusion_utils.diagrams import draw, unet_plan
from diffusion_utils.files import ROOT
from diffusion_utils.filters import exact_mean, posterior
from diffusion_utils.metrics import in_batches, psnr
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.judge import load_classifier
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
# The answers to the first 1,000 test digits, each with the seed of its number, were
# sorted by the second highest of the judge's probabilities; we chose three of the first ten.
doubtful = [882, 505, 582]
shown_x = torch.cat([x[:3], to_unit(test_images[doubtful])])
shown_z = shown_x + 0.5 * unit_noise((1, 28, 28), generators([0, 1, 2, *doubtful]))
with torch.no_grad():
    estimates = {epoch: net(shown_z) for epoch, net in networks.items()}
    judge = load_classifier()
    chances = judge(estimates[max(estimates)]).softmax(1)
    clean = judge(shown_x).softmax(1).max(1)[0]
assert clean[[3, 5]].max() < 0.9  # of these two it is not sure without noise either


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


# %% mystnb={"figure": {"caption": "Six test digits: clean, $x$; with noise, $z$; and the network's answers after the epochs named on the left (an epoch is one pass over the training digits). Above, the true digit. The last three are chosen from the ten of 1,000 digits about whose answers a classifier is most in doubt; below their names, the two digits that it finds likeliest in the last answer. $\\sigma = 0.5$, seeds 0, 1, 2, 882, 505, 582; values clipped to $[0, 1]$.", "name": "fig-b1-denoised"}, "image": {"alt": "Rows of six digits: clean, noisy, and denoised after each shipped epoch. The first three answers are a clear 0, 1 and 2. In the last row the fourth, a 9, is open at the top like a 4, as the clean one is; the fifth, a 3, is an 8; the sixth, an 8, has a lower loop that is closed in grey and open in the clean one."}} tags=["remove-input"]
names = [f"epoch {epoch:g}" for epoch in estimates]
titles = [f"a {digit}" for digit in [0, 1, 2, *test_labels[doubtful].tolist()]]
for i, likeliest in enumerate(chances.topk(2).indices[3:], 3):
    for digit in likeliest.tolist():
        titles[i] += f"\n{digit}: {chances[i, digit]:.0%}"
rows = [shown_x, shown_z, *estimates.values()]
grid(rows, titles=titles, labels=["clean $x$", "noisy $z$", *names], size=1.1)

# %% [markdown]
# ```{live} b1
# ```

# %% [markdown]
# **Mostly yes.** In the last row of {numref}`fig-b1-denoised` most of the noise is gone, and the first three answers are clear. **But where several digits could be behind the noise, the best answer is an average of them**, and it can be wrong. The fourth answer lies between a 4 and a 9. In the sixth the lower loop is closed in grey, and the classifier wavers between an 8 and a 2. The handwriting of the fourth and the sixth is odd: even of the clean digits the classifier is less than 90 % sure. The fifth is a plain 3, and the answer looks like an 8.
#
# ## Adding noise
#
# A digit $x$ is an image of MNIST {cite:p}`lecun1998`: $28 \times 28$ pixels with values from 0 (black) to 1 (white). The noise $\epsilon$ is a random number
# for each pixel, drawn from a Gaussian with mean 0 and standard deviation 1, written $\mathcal N(0, I)$. The noise level $\sigma$ says how much of it is added:
#
# $$ z = x + \sigma \epsilon, \qquad \epsilon \sim \mathcal N(0, I). \tag{B1.1} $$

# %% mystnb={"figure": {"caption": "Five test digits $x$ and the same digits with noise, $z = x + \\sigma\\epsilon$. Seeds 0 to 4; one $\\epsilon$ for each digit, scaled by $\\sigma$; values clipped to $[0, 1]$ for display.", "name": "fig-b1-noising"}, "image": {"alt": "A grid of handwritten digits 0 to 4; from left to right grainy noise grows until the strokes can hardly be seen."}} tags=["remove-input"]
columns = [
    torch.cat([x[i] + sigma * eps[i] for sigma in sigmas])[:, None] for i in range(5)
]
grid(columns, titles=[rf"$\sigma={sigma}$" for sigma in sigmas])

# %% [markdown]
# This page trains at $\sigma = 0.5$, where most digits of {numref}`fig-b1-noising` can still be read.
#
# ## The best answer is an average
#
# The network answers $z$ with an estimate of $x$, written $x_\theta(z)$; $\theta$ are its weights. Training makes the squared error small, on average ($\mathbb E$) over the digits and the noise:
#
# $$ L(\theta) = \tfrac{1}{784}\, \mathbb E_{x, \epsilon} \lVert x_\theta(z) - x \rVert^2, \qquad \sigma = 0.5. \tag{B1.2} $$
#
# Here $\lVert\cdot\rVert^2$ is the sum of the squares over the 784 pixels. Many digits, each with its own noise, could have given the same $z$.
#
# Suppose that one pixel is as likely white (1) as black (0). The answer 1 then has a mean squared error of 0.5, and so has 0. The grey answer 0.5 is always wrong by 0.5, so that its squared error is only 0.25.
# In the same way the best image, $x^*(z)$, is **the average of all digits, each weighted by how probable it is given $z$**:
#
# $$ x^*(z) = \mathbb E[x \mid z]. \tag{B1.3} $$
#
# In training there are only the 60,000 training digits $x_i$, each as likely as the others. By Bayes' rule the weight $w_i$ of a digit is then proportional ($\propto$) to the probability of $z$ given $x_i$. By (B1.1) each pixel $z_p$ is Gaussian around the pixel $x_{i,p}$, with standard deviation $\sigma$. So
#
# $$ x^*(z) = \sum_i w_i\, x_i, \qquad w_i \propto \exp\Big( -\sum_p \frac{(z_p - x_{i,p})^2}{2\sigma^2} \Big). \tag{B1.4} $$
#
# The sum over $p$ is over all pixels, and the weights $w_i$ add up to one. The nearer a digit is to $z$, the larger is its weight. In this function, which Part A uses too, the noisy image $z$ is called `x`, and the variance $\sigma^2$ is called `N`. The square is multiplied out, and $\sum_p z_p^2$, the same for all $i$, is left out:
#
# ```{literalinclude} ../../diffusion_utils/filters.py
# :pyobject: posterior
# :lines: 1,3-
# :dedent:
# ```
#
# ```{literalinclude} ../../diffusion_utils/filters.py
# :pyobject: exact_mean
# :lines: 1,3-
# :dedent:
# ```

# %% tags=["remove-input"]
digits = to_unit(mnist(train=True)[0])  # 60,000 with values from 0 to 1

# %% mystnb={"figure": {"caption": "Three noisy test digits $z$; the three training digits with the largest weights $w_i$; the weighted mean (B1.4) and the network's answer after epoch 5, each with its mean squared error over the whole image; and $x$. Shown are the middle 22 × 22 pixels; seeds 1, 957 and 3. The second row was chosen from 1,000 test digits, the others from ten.", "name": "fig-b1-average"}, "image": {"alt": "Three rows, for a one and two threes: the noisy digit, the three training digits with the largest weights, the weighted mean, the network's answer, and the clean digit. In the second row a five and a three share the weight, and their mean is a grey mixture of both. In the last row one training digit has nearly all the weight."}} tags=["remove-input"]
rows, titles = [], []
undecided = to_unit(test_images[[957]])
for digit, clean, seed in ((1, x[[1]], 1), (3, undecided, 957), (3, x[[3]], 3)):
    noisy = clean + 0.5 * unit_noise((1, 28, 28), generators([seed]))
    largest, indices = posterior(noisy, 0.5**2, digits)[0].topk(3)
    mean = exact_mean(noisy, 0.5**2, digits)
    answers = torch.cat([mean, network(noisy).detach()])
    errors = (answers - clean).square().mean((1, 2, 3))
    rows.append(torch.cat([noisy, digits[indices], answers, clean]))
    chances = [f"$w_i$ = {chance:.1%}" for chance in largest]
    named = zip(("mean (B1.4)", "network"), errors, strict=True)
    scored = [f"{name}\n{error:.4f}" for name, error in named]
    titles.append(["$z$", *chances, *scored, f"$x$, a {digit}"])
pictures(rows, titles, margin=3)


# %% tags=["remove-input"]
def compared(known):
    """The median of the largest weight, and the errors of (B1.4) and the network."""
    noisy = known + 0.5 * unit_noise((1, 28, 28), generators(range(len(known))))
    weights = torch.cat([posterior(z, 0.5**2, digits) for z in noisy.split(100)])
    means = (weights @ digits.flatten(1)).view_as(known)
    found = [f"{weights.max(1)[0].median():.0%}"]
    for answers in means, in_batches(network, noisy, 50):
        errors = (answers - known).square().mean((1, 2, 3))
        found.append(f"{errors.mean():.4f} ± {errors.std() / len(known) ** 0.5:.4f}")
    return found


known = to_unit(test_images[: by_profile(200, 8)])
learnt = digits[: by_profile(100, 8)]
of_test = compared(known)
on_test = of_test[-1]
names = [
    "median of the largest weight",
    "mean squared error of (B1.4)",
    "mean squared error of the network",
]
table(
    list(zip(names, of_test, compared(learnt), strict=True)),
    ["", f"{len(known)} test digits", f"{len(learnt)} training digits"],
    "How much weight the heaviest digit has, and two errors at σ = 0.5; after ±, the standard error.",
)

# %% [markdown]
# In {numref}`fig-b1-average`:
#
# * **The 1:** several training digits share the weight. Their strokes lie in slightly different places, so the mean is a little softer.
# * **The first 3:** a 5 and a 3 share the weight. The mean is a grey mixture of both, which nobody would write. If only training digits could be behind the noise, no answer would have a smaller squared error on average.
# * **The second 3:** one training digit has nearly all the weight, and (B1.4) merely copies it. The median in the table shows that this is common: two handwritten digits differ in so many pixels that mostly only one training digit fits.
#
# For a new digit, a copy of an old one is a poor answer. The table shows it: on test digits the network, which does not know (B1.4), is closer.
#
# **The network does not copy.** No answer has a smaller training loss than (B1.4), which mostly finds the training digit behind $z$ (last column of the table). A network at this minimum would copy, too. Ours is not there: its error is about the same on training and on test digits. One reason is plain: it saw each digit only five times, each time with new noise. Another may be that convolutions look at small neighbourhoods: the best guess that may use only these joins pieces of many training pictures {cite:p}`kamb2025` ([1.3](../part_a/a1_3_one_step_denoising.ipynb)). For our network this has not been tested, and `flatten` (below) looks at the whole digit.
#
# A smaller error can still be the wrong digit: in the last row of the figure the network's answer reads as an 8, and the copied digit is a 3.
#
# ```{dropdown} Why the average is the best answer
# Fix $z$, and let $m = \mathbb E[x \mid z]$. For any answer $y$,
#
# $$ \mathbb E\big[\lVert y - x \rVert^2 \,\big|\, z\big] = \lVert y - m \rVert^2 + \mathbb E\big[\lVert m - x \rVert^2 \,\big|\, z\big], $$
#
# because the mixed term $2\,\langle y - m,\ \mathbb E[m - x \mid z]\rangle$ is zero. The second term does not depend on $y$, so $y = m$ is best. What is left is the spread of the digits
# behind $z$: no network can get below it.
# ```
#
# ```{dropdown} The average as a direction: Tweedie's formula
# Let $p(z)$ be the probability density of noisy images, that is $p(z) = \mathbb E_x[p(z \mid x)]$ with the Gaussian of (B1.1). The gradient of its logarithm is $\mathbb E[\nabla_{\!z} \log p(z \mid x) \mid z] = \mathbb E[(x - z)/\sigma^2 \mid z]$. So
#
# $$ \mathbb E[x \mid z] = z + \sigma^2\, \nabla_{\!z} \log p(z). $$
#
# From $z$, the average lies in the direction in which noisy images become more probable.
# ```
#
# ## Training
#
# Here is the whole of training, for a network small enough to be trained while this page is built. Each of 30 steps takes 64 digits, adds new noise, and changes the weights a little.
# `UNet` is the network of the next section; `hidden=16` is $D$, its number of channels (numbers for each pixel) at full resolution. At the end the loss of the last batch is printed. Expect about 0.016.

# %%


def train_small(steps, visible=1):  # visible=0: for "Where it fails"
    rng = torch.Generator().manual_seed(0)  # for digits and noise
    torch.manual_seed(0)  # for the first weights
    small = UNet(hidden=16)
    optimizer = torch.optim.Adam(small.parameters(), lr=3e-3)
    for _ in range(steps):
        x = digits[torch.randint(len(digits), (64,), generator=rng)]
        eps = torch.randn(x.shape, generator=rng)
        z = visible * x + 0.5 * eps  # (B1.1)
        loss = (small(z) - x).square().mean()  # (B1.2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss of the last batch: {loss:.3f}")
    return small.eval()  # training is over


small = train_small(30)

# %% mystnb={"figure": {"caption": "What this small network makes of six noisy test digits after its 30 steps ($D = 16$, $\\sigma = 0.5$, seeds 0 to 5).", "name": "fig-b1-live"}, "image": {"alt": "Six noisy digits over the small network's blotchy estimates, in which the digits are recognisable shapes."}} tags=["remove-input"]
with torch.no_grad():
    quick = small(z[:6])
grid([z[:6], quick], labels=[r"$z$", "small\nnetwork"], size=1.1)

# %% [markdown]
# After 30 steps strokes stand out from the noise, blotchy ones; not each digit can be read. The network of {numref}`fig-b1-denoised` has $D = 128$ and saw all 60,000 digits five times, with
# [`diffusion_utils.training.loop.train`](../appendix/api.md), which repeats the same lines with batches of 256 and a smaller learning rate. The {download}`model card <../../models/mnist/README.md>` says how its run was made.

# %% mystnb={"figure": {"caption": "Training loss (B1.2) of the network with $D = 128$ against the step, from the history of the run that made these weights. $\\sigma = 0.5$, batch 256, Adam, learning rate $10^{-4}$, seed 180. Each value of the second curve stands at the middle of its 50 steps. Dotted: a new epoch begins.", "name": "fig-b1-loss"}, "image": {"alt": "A loss curve on a logarithmic axis, falling steeply in the first fifty steps and slowly after that; dotted lines between the five epochs."}} tags=["remove-input"]
ends = [row.step for row, after in pairwise(history) if after.epoch > row.epoch]
loss_curve(history, marks=ends)

# %% tags=["remove-input"]
loss_at = np.array([row.loss for row in history])
first = sum(row.epoch <= 1 for row in history)
table(
    [
        [
            "answering black, all test digits",
            f"{to_unit(test_images).square().mean():.4f}",
        ],
        ["steps 6 to 10", f"{loss_at[5:10].mean():.4f}"],
        [
            "last 100 steps of epoch 1",
            f"{loss_at[first - 100 : first].mean():.4f}",
        ],
        ["last 100 steps of epoch 5", f"{loss_at[-100:].mean():.4f}"],
        [
            f"final weights, {len(known)} test digits",
            on_test,
        ],
    ],
    ["", "mean squared error"],
    "The loss (B1.2) of the network with D = 128. Rows with steps are means over training batches, while the weights still move; the last row has its standard error.",
)

# %% [markdown]
# The loss in {numref}`fig-b1-loss` falls steeply for about 50 steps, and slowly from then on. After the first epoch the strokes are legible (third row of {numref}`fig-b1-denoised`). The
# other four sharpen them, for better and for worse: the fifth answer closes to an 8. (The course's own network ends at 0.0083 to 0.0085, read off its curve.)

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
rows.append(["B1 on a T4 GPU, as the course reports it", "7 minutes"])
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
# A U-Net {cite:p}`ronneberger2015` looks at the image at three resolutions, and once as a single vector. Read {numref}`fig-b1-unet` from the upper left. The way goes down to 14 and 7 pixels a side, through
# a single vector that can describe the whole digit (`flatten`), and back up. The vector is an average over all places, which loses much of where the strokes are. So on the way up the features of the way down are joined in.

# %% mystnb={"figure": {"caption": "The U-Net of this page, drawn from its modules. Each box names a shape, channels × height × width, for $D = 128$. \"join\" takes the channels of both maps together.", "name": "fig-b1-unet"}, "image": {"alt": "Two columns of boxes. Left, downwards: z, conv_in, down1, down2, flatten. Right, upwards: unflatten, join, up1, join, up2, join, conv_out, out. Arrows lead across from conv_in, down1 and down2 to the joins."}} tags=["remove-input"]
draw(*unet_plan(network))

# %% [markdown]
# A **convolution** computes each value anew from a small neighbourhood, by the same rule at all places. *BatchNorm* brings each channel to mean 0 and variance 1 over the batch, then scales and shifts it. *GELU* is a bent line: it keeps large values, and turns very negative ones into nearly 0. In a block both follow each convolution (box below). Two differ: `flatten` is an average and GELU, and `out` is a convolution alone.
# In the code `x` is the noisy image, here $z$, and `torch.cat` is "join". Left out are two lines in which the next chapters add a time and a class.
#
# ```{literalinclude} ../../diffusion_utils/mnist/unet.py
# :pyobject: UNet.forward
# :start-at: h28 = self.conv_in
# :lines: 1-4,6,8-
# :dedent:
# ```
#
# ```{dropdown} What is in a block
# The smallest block is a convolution, BatchNorm and GELU:
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
# ## Out of distribution: noise it was not trained for
#
# What does the network make of less noise than $\sigma = 0.5$, and of more?

# %% mystnb={"figure": {"caption": "One test digit at seven noise levels (above) and the network's answer (below), each with its PSNR. Seed 2; the network was trained at $\\sigma = 0.5$ only.", "name": "fig-b1-ood"}, "image": {"alt": "The digit two with growing noise above, and the network's answers below; from sigma 0.8 on the answers have stray strokes."}} tags=["remove-input"]
digit = 2
noisy = torch.stack([x[digit] + sigma * eps[digit] for sigma in sigmas])
with torch.no_grad():
    denoised = network(noisy)
quality = [f"{q:.1f} dB" for q in psnr(denoised, x[digit].expand_as(denoised))]
above = [rf"$\sigma={sigma}$" for sigma in sigmas]
pictures([noisy, denoised], [above, quality], [r"$z$", "network"])

# %% [markdown]
# PSNR (peak signal-to-noise ratio) is $-10 \log_{10}$ of the mean squared error: 20 dB is an error of 0.01. Up to $\sigma = 0.6$ the answers in {numref}`fig-b1-ood` stay good.
# With more noise the network takes some of it for strokes. {numref}`fig-b1-psnr` repeats this for many digits and for a blur, which averages neighbouring pixels.

# %% mystnb={"figure": {"caption": "PSNR of the network's answer, of the best Gaussian blur, and of the noisy input. Mean and standard deviation over 1,000 test digits. The network was trained at the dotted line. At $\\sigma = 0$ the input is exact and only the network is shown. From `python -m benchmarks.mnist_quality b1`.", "name": "fig-b1-psnr"}, "image": {"alt": "Three curves of PSNR against sigma, for the network, the blur and the noisy input; a dotted line marks the sigma of the training."}} tags=["remove-input"]
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
# At each $\sigma$ from 0.2 on the network is on average above the blur, although the blur's width was chosen for each $\sigma$ with the clean images at hand. At $\sigma = 0$ nothing should be changed, but the network changes the 2 a little (25.0 dB, an error of 0.003):
# it was never shown a digit without noise. (PSNR falls with $\sigma$ for each denoiser, as more is hidden. How much of the fall is due to the training at 0.5 alone, the figure cannot say.)
#
# ## Where it fails: nothing but noise
#
# Can a network draw new digits if it is trained with the loss (B1.2), but given noise alone? The noise is drawn independently of $x$. So $z$ says nothing about $x$, and (B1.3) is the plain mean of all digits. To see this, we train a small network on noise alone. `visible=0` takes the digit away: the network gets $z = 0.5\,\epsilon$, and should still answer $x$. The mean of all digits itself has an error of 0.067. Expect a last loss close to that (one batch is a little above or below):

# %%
blind = train_small(60, visible=0)

# %% mystnb={"figure": {"caption": "Noise without a digit, $z = 0.5\\,\\epsilon$ (seeds 0 to 6); the answer of the network with $D = 128$, trained on noisy digits; that of a small network ($D = 16$, 60 steps) trained on noise alone; and the mean of all training digits.", "name": "fig-b1-pure"}, "image": {"alt": "Seven squares of noise; below them dark answers with faint strokes; below those seven grey blobs that are nearly alike; in the last row the grey blob of the mean."}} tags=["remove-input"]
pure = 0.5 * unit_noise((1, 28, 28), generators(range(7)))
with torch.no_grad():
    answers = [network(pure), blind(pure)]
plain = digits.mean(0, keepdim=True).expand_as(pure)
labels = [
    "$z$",
    "trained on\nnoisy digits",
    "trained on\nnoise alone",
    "mean of\nall digits",
]
grid([pure, *answers, plain], labels=labels)
assert abs((digits - plain[:1]).square().mean() - 0.067) < 0.001

# %% [markdown]
# The network trained on noise alone answers each noise with nearly the same grey blob, close to the mean of all digits. The one trained on noisy digits has never met a $z$ without a digit; it answers with traces of strokes.
#
# So with this loss the best answer to noise alone is the mean of all digits, and a network that learns it cannot draw a digit in one step. [Many steps](b2_time_conditioned.ipynb) can. Take away only a little of the noise, towards that mean. By chance, what is left fits some digits a little better than others. So the next average is over fewer digits, and a little sharper. Step by step the number of digits that fit gets smaller, until one is left.
#
# ## Try it
#
# Change the code, and run its cell again.
#
# 1. **Train longer.** In the training cell, change `train_small(30)` to `train_small(300)` (ten times as long). Then run the code of {numref}`fig-b1-live` again. What happens to the gaps in the strokes?
# 2. **Learn something else.** In `train_small`, change `0.5 * eps` to `1.0 * eps`, and nothing else. The network now expects twice the noise that it is given. What becomes of thin strokes in {numref}`fig-b1-live`?
#
# ```{dropdown} What we got
# 1. They close.
# 2. They fade, as in the 1 and the 4, and all edges get soft. What is as weak as the expected noise may be taken for noise.
# ```
