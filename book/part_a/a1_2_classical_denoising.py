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
# # 1.2 Classical denoising
#
# How much noise can we remove without a network?
#
# **The two filters here only average. Pixels of one colour do not share their noise, so an average removes most of it. A blur averages neighbours, so it softens edges. Non-local means averages what looks alike: with little noise, its edges are sharper.**

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
import matplotlib.pyplot as plt
import torch
from torchvision.transforms.v2.functional import gaussian_blur

from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import plain
from diffusion_utils.filters import best_linear, non_local_means
from diffusion_utils.metrics import psnr
from diffusion_utils.pictures import shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import low_pass

schedule = load_pretrained().schedule

# %% mystnb={"figure": {"caption": "The test image with noise (top, seed 0, divided by $\\sqrt{\\bar\\alpha_t}$) and blurred (bottom). Above each column: the best width tried, in pixels, and the PSNR before and after, in decibels (dB). More is better.", "name": "fig-a12-best"}, "image": {"alt": "Three noisy sailboats above; below, blurry ones: at t = 250 soft but clear, at t = 500 a vague boat, at t = 750 a soft red triangle over brown and blue."}} tags=["hide-input"]
levels, names = [250, 500, 750], ["sailboat", "mushroom", "cactus", "photograph-cat"]
widths = [0.5, 0.6, 0.7, 0.85, 1, 1.2, 1.4, 1.7, 2, 2.4, 2.8, 3.4, 4, 4.8, 5.6]
clean = torch.stack([shipped_image(name) for name in names])
noise = unit_noise((1, 3, 64, 64), generators([0]))[0]  # the same for each picture

# divided by its factor, the picture has its own brightness again
noisy = {t: schedule.forward(clean, t, noise) / schedule.at(t).sqrt() for t in levels}
blurred = {(t, w): low_pass(w)(noisy[t]) for t in levels for w in widths}
scores = {key: psnr(blur.clamp(-1, 1), clean, peak=2) for key, blur in blurred.items()}
best = {t: max(widths, key=lambda w: scores[t, w][0]) for t in levels}

titles = ["$x_0$\n"]
for t in levels:
    before = psnr(noisy[t][:1].clamp(-1, 1), clean[:1], peak=2).item()
    after = scores[t, best[t]][0]
    titles.append(f"$t={t}$, width {best[t]}\n{before:.1f} → {after:.1f} dB")
above = [clean[:1], *(noisy[t][:1] for t in levels)]
below = [torch.ones(1, 3, 64, 64), *(blurred[t, best[t]][:1] for t in levels)]
grid(
    [unit_range(torch.cat(above)), unit_range(torch.cat(below))],
    titles=titles,
    labels=["noisy", "blurred"],
    size=1.7,
)

# %% [markdown]
# At $t = 250$ much grain is left. At $t = 500$ all edges are soft. At $t = 750$ a red triangle, some brown and a blue band are left.
#
# ## The idea
#
# Neighbouring pixels mostly have nearly the same colour, but independent noise. So an average keeps most of the picture, and the noise mostly cancels.
# This is a **blur**. In a Gaussian one, the weight of a neighbour falls with its distance $d$ as
#
# $$ w(d) \propto e^{-d^2 / (2 \sigma_b^2)}, $$
#
# where $\sigma_b$ is the width of the blur in pixels. All weights together are 1. The forward process has made the picture weaker, so $x_t$ is divided by $\sqrt{\bar\alpha_t}$ first.

# %%
x_0 = shipped_image("sailboat")[None]
eps = unit_noise((3, 64, 64), generators([0]))  # noise of seed 0
x = schedule.forward(x_0, 500, eps) / schedule.at(500).sqrt()
# width 1.7 pixels, over a neighbourhood of 33x33
x0_hat = gaussian_blur(x, [33, 33], [1.7, 1.7])

# %% [markdown]
# ## How wide should the blur be?
#
# A blur makes two errors. It leaves some noise, and it takes something from the picture. A wide blur leaves less noise but takes more. Write $Bx$ for "$x$ blurred", $w_i$ for the weights, and $N = (1 - \bar\alpha_t)/\bar\alpha_t$ for the variance of the noise after the division. Then the mean squared error (MSE) to expect is
#
# $$ \text{MSE} = \overline{(B x_0 - x_0)^2} + N \sum_i w_i^2. $$
#
# The first part is what the blur takes, averaged over all values of the picture. The second is the noise that it leaves: a noise times $w_i$ has the variance $N w_i^2$, and variances of independent noises add up.

# %%
point = torch.zeros(1, 1, 64, 64)
point[..., 32, 32] = 1  # a blurred point shows the weights


def expected_mse(x_0, N, width):
    taken = (low_pass(width)(x_0) - x_0).square().mean()
    left = N * low_pass(width)(point).square().sum()
    return taken, left


# %% mystnb={"figure": {"caption": "The test image under noise of seed 0, blurred. Left: MSE at $t = 500$ against the width of the blur. Dots: measured. Lines: what the blur takes from the picture, what it leaves of the noise, and their sum. Right: the same sum as PSNR, at three timesteps. Values outside $[-1, 1]$ are kept.", "name": "fig-a12-widths"}, "image": {"alt": "Left, a rising line and a falling line that cross at a width of about two pixels, and above them their sum, which is lowest near there; dots lie on the sum. Right, three curves with dots close to them, each with a maximum; the larger t, the lower the curve and the further to the right its maximum."}} tags=["hide-input"]
boat = clean[:1]
fig, (left, right) = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
for i, t in enumerate(levels):
    N = ((1 - schedule.at(t)) / schedule.at(t)).item()
    parts = torch.tensor([expected_mse(boat, N, w) for w in widths])
    mse = torch.tensor([(blurred[t, w][0] - boat[0]).square().mean() for w in widths])
    right.plot(widths, 10 * torch.log10(4 / mse), "o", color=f"C{i}", ms=4)
    right.plot(widths, 10 * torch.log10(4 / parts.sum(1)), f"C{i}", label=f"$t={t}$")
    if t == 500:
        left.plot(widths, mse, "o", color=f"C{i}", ms=4)
        left.plot(widths, parts.sum(1), f"C{i}", label="sum")
        left.plot(widths, parts[:, 0], "C3--", label="taken from the picture")
        left.plot(widths, parts[:, 1], "C4:", label="noise left")
for ax in (left, right):
    ax.set(xscale="log", xlabel=r"width $\sigma_b$, pixels")
    ax.set_xticks([0.5, 1, 2, 4], [0.5, 1, 2, 4])
    ax.minorticks_off()
    ax.legend(fontsize=8)
left.set(ylabel="MSE", ylim=(0, 0.2))
right.set(ylabel="PSNR, dB")
plt.show()

# %% [markdown]
# The best width is where the sum is smallest. With more noise it is wider.
#
# The peak signal-to-noise ratio puts the MSE on a logarithmic scale, in decibels:
#
# $$ \text{PSNR} = 10 \log_{10} \frac{4}{\text{MSE}}. $$
#
# The 4 is the square of the widest error, from $-1$ to $1$. 10 dB more mean a tenth of the MSE. For all other numbers of this page, values outside $[-1, 1]$ are cut off first. That takes noise away, most from narrow blurs, so narrower ones are best: 2.8 instead of 3.4 at $t = 750$.
#
# ## Where it fails
#
# A blur cannot tell an edge from noise: both are differences between neighbours. Below, blur 1 leaves grain; blur 4 smears mast and edge.

# %% mystnb={"figure": {"caption": "The tip of the sail, 24x24 pixels enlarged: clean; noisy at $t = 500$ (seed 0); and blurred with three widths, in pixels.", "name": "fig-a12-edge"}, "image": {"alt": "Five enlarged cuts. The clean one has a sharp red edge and a dark mast. The narrow blur is still grainy; in the wide ones edge and mast are smeared."}} tags=["hide-input"]
shown = [1, 2, 4]
cuts = torch.cat([boat, noisy[500][:1], *(blurred[500, w][:1] for w in shown)])
grid(
    [unit_range(cuts[..., 6:30, 16:40])],
    titles=["clean", "noisy", *(f"blur {w}" for w in shown)],
    size=1.5,
)

# %% [markdown]
# ## Average what looks alike
#
# A pixel beside an edge should be averaged with pixels of its own side only. **Non-local means** {cite:p}`buades2005` looks for them. Around each pixel it takes a square of 7x7, and compares it with the squares around all pixels up to 11 away. The more alike the squares, the more that pixel weighs in the average.


# %% mystnb={"figure": {"caption": "The noisy test image (seed 0), the best blur and the best of three settings of non-local means.", "name": "fig-a12-filters"}, "image": {"alt": "Three rows of three sailboats: noisy, blurred, and after non-local means. At t = 250 the last one has clean areas and sharp edges. At t = 500 it is cleaner than the blur, with a fine hatching. At t = 750 the blur shows a soft red triangle over brown and blue, non-local means a red cloud over a pale green and blue one."}} tags=["hide-input"]
def best_of(tried):
    """Of each picture, the one of the filtered versions with the highest PSNR."""
    tried = torch.stack([x.clamp(-1, 1) for x in tried])
    score = torch.stack([psnr(x, clean, peak=2) for x in tried])
    return tried[score.argmax(0), range(len(clean))]


filtered = {}
for t in levels:
    N = ((1 - schedule.at(t)) / schedule.at(t)).item()
    alike = [non_local_means(noisy[t], k * N**0.5, N) for k in (0.35, 0.5, 0.7)]
    filtered[t] = {
        "noisy": noisy[t].clamp(-1, 1),
        "blur": best_of([blurred[t, w] for w in widths]),
        "non-local means": best_of(alike),
    }
# a column for each timestep
rows = [torch.cat([filtered[t][way][:1] for t in levels]) for way in filtered[250]]
grid(
    [unit_range(row) for row in rows],
    titles=[f"$t={t}$" for t in levels],
    labels=[*filtered[250]],
    size=1.6,
)

# %% tags=["remove-input"]
each = {
    way: torch.stack([psnr(filtered[t][way], clean, peak=2) for t in levels])
    for way in filtered[250]
}
rows = [
    [f"t = {t}", name.replace("-cat", " of a cat"), *(f"{v[i, k]:.1f}" for v in each.values())]
    for i, t in enumerate(levels)
    for k, name in enumerate(names)
]  # fmt: skip
table(
    rows,
    ["", "picture", *each],
    "PSNR in dB of four pictures. Noise of seed 0; the setting of each filter that is best for the picture.",
)

# %% [markdown]
# At $t = 250$ non-local means is ahead on the three drawings: the boat has clean areas and sharp edges. On the photograph the blur is ahead, at all three timesteps. At $t = 750$ the blur is ahead on all four pictures: of the boat it shows sail, hull and water, non-local means only a cloud. Perhaps the squares are then too noisy to compare.
#
# Both filters only average what is in the noisy picture. What they cannot find there, like the mast at $t = 750$, they cannot bring back. For that one must know other pictures, as a network does: [1.3](a1_3_one_step_denoising.ipynb).
#
# ## Try it
#
# * In the code of {numref}`fig-a12-best`, set `levels = [50, 250, 500]`. How many decibels does a blur bring at $t = 50$?
# * Set `names = ["photograph-cat"]`. Which widths are the best for the photograph?
#
# ## More
#
# ```{dropdown} How much noise a wide blur leaves
# For a blur that is wide compared with a pixel, the sum of the squares of its weights is an integral over the plane:
#
# $$ N \sum_i w_i^2 \approx N \int \left(\frac{e^{-d^2/(2\sigma_b^2)}}{2\pi\sigma_b^2}\right)^{\!2} = \frac{N}{4\pi\sigma_b^2}. $$
#
# So twice the width leaves a quarter of the variance.
# ```
#
# ```{dropdown} Filters that know other pictures: Wiener and the best linear filter
# A blur multiplies each stripe pattern of [1.1](a1_1_forward.ipynb) by a factor $g$. Of all factors, $g = S/(S+N)$ has the smallest error to expect, where $S$ is the mean square of the pattern in the picture. The **Wiener filter** {cite:p}`wiener1949` takes the mean $S$ of the 3,060 training drawings of Part A's model (less their mean, which it puts back at the end).
#
# The **best linear filter** also knows how all 12,288 values of the drawings vary together. Let $m$ be their mean and $C$ their covariances. For $x = x_t / \sqrt{\bar\alpha_t}$ the linear filter with the smallest expected squared error is
#
# $$ \hat x_0 = m + C\,(C + N I)^{-1} (x - m). $$
#
# Where the patterns of each colour vary independently, this is the Wiener filter. Let $X$ have a row for each drawing, less $m$. Then $C = X^\top X / 3060$, and
#
# $$ C\,(C + N I)^{-1} = X^\top (X X^\top + 3060\, N I)^{-1} X. $$
#
# So the answer is $m$ plus a weighted sum of drawings less $m$, with weights that may be below 0.
# ```

# %% mystnb={"code_prompt_show": "Show how well they do"} tags=["remove-input", "hide-output"]
data = emoji()
drawings = plain(data, torch.arange(len(data.images)))
mean = drawings.mean(0)
usual = torch.fft.fft2(drawings - mean, norm="ortho").abs().square().mean((0, 1))


def wiener(x, N):
    patterns = torch.fft.fft2(x - mean) * usual / (usual + N)
    return mean + torch.fft.ifft2(patterns).real


for way, function in (("Wiener", wiener), ("best linear", best_linear(drawings))):
    found = []
    for t in levels:
        N = ((1 - schedule.at(t)) / schedule.at(t)).item()
        found.append(psnr(function(noisy[t], N).clamp(-1, 1), clean, peak=2))
    each[way] = torch.stack(found)
rows = [
    [way, some, *(f"{x:.1f}" for x in v)]
    for some, of in (("all", slice(None)), (names[-1], slice(-1, None)))
    for way, v in ((way, v[:, of].mean(1)) for way, v in each.items())
]
table(
    rows,
    ["", "picture", *(f"t = {t}" for t in levels)],
    "PSNR in dB, mean over all pictures of the table above, and the last one alone. Blur and non-local means with the best settings for each picture; the other two have no settings.",
)
