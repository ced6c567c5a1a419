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
# **A blur removes noise, but edges too. Against little noise it helps to average over places that look alike, against much to know other pictures of the same kind.**

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
import math

import matplotlib.pyplot as plt
import torch
from skimage.restoration import denoise_nl_means
from torchvision.transforms.v2.functional import gaussian_blur

from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import plain
from diffusion_utils.metrics import psnr
from diffusion_utils.pictures import shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import low_pass, pattern_strength

schedule = load_pretrained().schedule

# %% mystnb={"figure": {"caption": "The test image with noise (top, seed 0, divided by $\\sqrt{\\bar\\alpha_t}$) and blurred (bottom). Above each column: the best width tried, in pixels, and the PSNR before and after, in decibels (dB). More is better.", "name": "fig-a12-best"}, "image": {"alt": "Three noisy sailboats above; below, blurry ones: at t = 250 soft but clear, at t = 500 a vague boat, at t = 750 a red cloud over a blue one."}} tags=["hide-input"]
levels, names = [250, 500, 750], ["sailboat", "mushroom", "cactus", "photograph-cat"]
widths = [0.5, 0.6, 0.7, 0.85, 1, 1.2, 1.4, 1.7, 2, 2.4, 2.8, 3.4, 4, 4.8, 5.6]
images = torch.stack([shipped_image(name) for name in names])
clean = images.repeat_interleave(3, 0)
noise = unit_noise((3, 64, 64), generators([0, 1, 2] * len(names)))

# divided by its factor, the picture has its own brightness again
noisy = {t: schedule.forward(clean, t, noise) / schedule.at(t).sqrt() for t in levels}
blurred = {(t, w): low_pass(w)(noisy[t]) for t in levels for w in widths}
scores = {key: psnr(blur.clamp(-1, 1), clean, peak=2) for key, blur in blurred.items()}
best = {t: max(widths, key=lambda w: scores[t, w][:3].mean()) for t in levels}

boat = images[:1]
titles = ["$x_0$\n"]
for t in levels:
    before = psnr(noisy[t][:1].clamp(-1, 1), boat, peak=2).item()
    after = scores[t, best[t]][0]
    titles.append(f"$t={t}$, width {best[t]}\n{before:.1f} → {after:.1f} dB")
after = [torch.ones_like(boat), *(blurred[t, best[t]][:1] for t in levels)]
grid(
    [
        unit_range(torch.cat([boat, *(noisy[t][:1] for t in levels)])),
        unit_range(torch.cat(after)),
    ],
    titles=titles,
    labels=["noisy", "blurred"],
    size=1.7,
)

# %% [markdown]
# At $t = 250$ much grain is left. At $t = 500$ all edges are soft. At $t = 750$ only a red triangle, some brown and a blue band are left.
#
# ## The idea
#
# Neighbouring pixels mostly have nearly the same colour, but independent noise. So an average over neighbours keeps most of the picture, while the noise mostly cancels.
# This is a **blur**. In a Gaussian one, the weight of a neighbour falls with its distance $d$ as
#
# $$ w(d) \propto e^{-d^2 / (2 \sigma_b^2)}, $$
#
# where $\sigma_b$ is the width of the blur in pixels. The forward process has made the picture weaker, so $x_t$ is divided by $\sqrt{\bar\alpha_t}$ first.

# %%
x_0 = shipped_image("sailboat")[None]
eps = unit_noise((3, 64, 64), generators([0]))  # noise of seed 0
x = schedule.forward(x_0, 500, eps) / schedule.at(500).sqrt()
# width 1.7 pixels, over a neighbourhood of 33x33
x0_hat = gaussian_blur(x, [33, 33], [1.7, 1.7])

# %% [markdown]
# ## How wide should the blur be?
#
# The peak signal-to-noise ratio puts the mean squared error (MSE) of all values on a logarithmic scale, in decibels:
#
# $$ \text{PSNR} = 10 \log_{10} \frac{4}{\text{MSE}}. $$
#
# The 4 is the square of the widest error, from $-1$ to $1$. 10 dB more mean a tenth of the MSE. Values outside $[-1, 1]$ are cut off first.
#
# A blur multiplies each stripe pattern of [1.1](a1_1_forward.ipynb) by a factor $g$, from 1 for wide stripes to 0 for narrow ones.
# Let a pattern have amplitude $s$ in the picture and, independent of it, $e$ in the noise, with mean squares $S$ and $N = (1 - \bar\alpha_t)/\bar\alpha_t$ (and $e$ with mean 0). Its mean squared error after the blur is
#
# $$ \mathbb E\big[(g\,(s + e) - s)^2\big] = (1 - g)^2 S + g^2 N. $$
#
# The first part is what the blur takes from the picture, the second what it leaves of the noise. The mean over all patterns is the MSE to expect:

# %%
point = torch.zeros(1, 1, 64, 64)
point[..., 32, 32] = 1  # a point holds all patterns, equally strong


def factors(width):
    return torch.fft.fft2(low_pass(width)(point)).abs()[0, 0]


def expected_mse(S, N, width):
    g = factors(width)
    return ((1 - g) ** 2 * S + g**2 * N).mean()


# %% mystnb={"figure": {"caption": "Left: PSNR of the blurred test image against the width (logarithmic axis), values outside $[-1, 1]$ kept. Dots: measured, seeds 0, 1, 2. Lines: computed from the patterns of $x_0$. Right: factors of these patterns. Dashed: $g$ of the best blur. Solid: the best factors, $S/(S+N)$.", "name": "fig-a12-widths"}, "image": {"alt": "Left, three rows of dots close to three lines, one for each timestep, which rise to a maximum and fall again; it lies at wider blurs as t grows. At wide blurs the dots are a little below the lines. Right, three solid curves that fall to 0, each close to a dashed one; the larger t, the sooner they fall."}} tags=["hide-input"]
S = torch.fft.fft2(boat[0], norm="ortho").abs().square()
count, S_n = torch.arange(1, 33), pattern_strength(boat[0])
fine = torch.logspace(math.log10(0.5), math.log10(5.6), 60).tolist()
fig, (left, right) = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
for i, t in enumerate(levels):
    N = ((1 - schedule.at(t)) / schedule.at(t)).item()
    expected = torch.stack([expected_mse(S, N, width) for width in fine])
    computed = fine[expected.argmin()]
    found = torch.stack([(blurred[t, w] - clean)[:3].square().mean() for w in widths])
    tried = widths[found.argmin()]
    label = f"$t={t}$: best {tried}, computed {computed:.1f}"
    left.plot(
        widths, 10 * torch.log10(4 / found), "o", color=f"C{i}", ms=4, label=label
    )
    left.plot(fine, 10 * torch.log10(4 / expected), color=f"C{i}")
    right.plot(count, S_n / (S_n + N), color=f"C{i}", label=f"$t={t}$")
    right.plot(count, factors(computed)[0, 1:33], "--", color=f"C{i}")
left.set(xscale="log", xlabel=r"width $\sigma_b$, pixels", ylabel="PSNR, dB")
left.set_xticks([0.5, 1, 2, 4], [0.5, 1, 2, 4])
left.minorticks_off()
left.legend(fontsize=8)
right.set(xlabel="stripes across the picture", ylabel="factor")
plt.show()

# %% [markdown]
# With more noise, the best blur is wider, as computed (see the legend). Wide blurs do a little worse: they mirror the noise at the border, where it then cancels less. With values cut off, as in {numref}`fig-a12-best`, slightly narrower blurs are best.
#
# Of all factors, $g = S/(S+N)$ has the smallest error. So a pattern as strong as the noise should be halved. The best blur comes close (right).
#
# ## Where it fails
#
# A blur cannot tell an edge from noise: both are differences between neighbours.

# %% mystnb={"figure": {"caption": "The tip of the sail, 24x24 pixels enlarged: clean; noisy at $t = 500$ (seed 0); and blurred with three widths, in pixels.", "name": "fig-a12-edge"}, "image": {"alt": "Five enlarged cuts. The clean one has a sharp red edge and a dark mast. The narrow blur is still grainy; in the wide ones edge and mast are smeared."}} tags=["hide-input"]
shown = [1, 2, 4]
cuts = torch.cat([boat, noisy[500][:1], *(blurred[500, w][:1] for w in shown)])
grid(
    [unit_range(cuts[..., 6:30, 16:40])],
    titles=["clean", "noisy", *(f"blur {w}" for w in shown)],
    size=1.5,
)

# %% [markdown]
# ## Filters that know more
#
# $S/(S+N)$ needs the clean picture. The **Wiener filter** {cite:p}`wiener1949` takes the mean $S$ of the 3,060 training drawings of Part A's model (less their mean, which it puts back at the end).
#
# It treats each pattern by itself. But at an edge many belong together. The **best linear filter** also knows how all 12,288 values of the 3,060 drawings vary together (formula at the end of the page). It is best for pictures that vary as these do.
#
# **Non-local means** {cite:p}`buades2005` knows no other pictures. It averages over pixels up to 11 away. Those count most whose surroundings (7x7 pixels) look most alike.

# %% tags=["remove-input"]
data = emoji()
drawings = plain(data, torch.arange(len(data.images)))
mean = drawings.mean(0)
X = (drawings - mean).flatten(1)
usual = torch.fft.fft2(drawings - mean, norm="ortho").abs().square().mean((0, 1))


def wiener(x, N):
    patterns = torch.fft.fft2(x - mean) * usual / (usual + N)
    return mean + torch.fft.ifft2(patterns).real


def non_local(x, h, sd):
    """Non-local means, which takes pictures (H, W, 3), for a batch (B, 3, H, W)."""
    options = {"h": h, "sigma": sd, "patch_size": 7, "patch_distance": 11}
    pictures = x.permute(0, 2, 3, 1).numpy()
    done = [denoise_nl_means(p, channel_axis=-1, **options) for p in pictures]
    return torch.stack([torch.from_numpy(p) for p in done]).permute(0, 3, 1, 2)


def best_linear(x, N):
    both = X @ X.T + len(X) * N * torch.eye(len(X))
    weights = torch.linalg.solve(both, X @ (x - mean).flatten(1).T)
    return mean + (weights.T @ X).view_as(x)


# %% mystnb={"figure": {"caption": "The noisy test image (seed 0) and what four filters make of it; the blur and non-local means with the setting that is best on average over four pictures.", "name": "fig-a12-filters"}, "image": {"alt": "Three rows, one for each timestep. At t = 250 non-local means shows a clean boat with sharp edges, the others a softer or grainier one. At t = 500 all are soft or grainy. At t = 750 all show a red cloud over a blue one; that of the best linear filter is the clearest, with dark smears around it."}} tags=["hide-input"]


def mean_psnr(x):
    return psnr(x, clean, peak=2).mean().item()


filtered = {}
for t in levels:
    N = ((1 - schedule.at(t)) / schedule.at(t)).item()
    tried = [non_local(noisy[t], k * N**0.5, N**0.5) for k in (0.35, 0.5, 0.7)]
    tried = [x.clamp(-1, 1) for x in tried]
    filtered[t] = {
        "noisy": noisy[t].clamp(-1, 1),
        "blur": max((blurred[t, w].clamp(-1, 1) for w in widths), key=mean_psnr),
        "Wiener": wiener(noisy[t], N).clamp(-1, 1),
        "best linear": best_linear(noisy[t], N).clamp(-1, 1),
        "non-local means": max(tried, key=mean_psnr),
    }
grid(
    [unit_range(torch.cat([x[:1] for x in filtered[t].values()])) for t in levels],
    titles=[*filtered[250]],
    labels=[f"$t={t}$" for t in levels],
    size=1.4,
)

# %% tags=["remove-input"]
each = {
    name: torch.stack([psnr(filtered[t][name], clean, peak=2) for t in levels])
    for name in filtered[250]
}
for name in ("blur", "best linear"):
    each[f"{name}, photograph"] = each[name][:, -3:]
rows = [[name, *(f"{x:.1f}" for x in v.mean(1))] for name, v in each.items()]
table(
    rows,
    ["PSNR, dB", *(f"t = {t}" for t in levels)],
    "Mean over four pictures (sailboat, mushroom, cactus, photograph of a cat), or the photograph alone, and three seeds. The settings of blur and non-local means were chosen on these pictures.",
)

# %% [markdown]
# Non-local means is clearly ahead at $t = 250$. At 500 it looks cleaner than the best linear filter though both have the same PSNR, and leaves a fine hatching, as at 750. At $t = 750$ the best linear filter is ahead. It leaves dark smears, but little coloured grain. On the photograph it loses: it knows only drawings, and so few that much of a photograph lies outside of what they span.
#
# If pictures were Gaussian with the mean and the covariances of the drawings, no denoiser would have a smaller expected error. But they have edges and plain areas. A network can learn that, too: [1.3](a1_3_one_step_denoising.ipynb).
#
# ## Try it
#
# * In the code of {numref}`fig-a12-best`, set `levels = [50, 250, 500]`. How many decibels does a blur bring at $t = 50$?
# * Set `names = ["photograph-cat"]`, so that only the photograph is scored. Which widths are the best now?
#
# ## More
#
# ```{dropdown} How much noise a blur leaves
# A Gaussian blur gives each pixel the mean $\sum_i w_i n_i$ of independent noises $n_i$ of variance $N$, with weights that add up to 1. Its variance is $N \sum_i w_i^2$. For a blur that is wide compared with a pixel, the sum is an integral over the plane:
#
# $$ N \int \left(\frac{e^{-d^2/(2\sigma_b^2)}}{2\pi\sigma_b^2}\right)^{\!2} = \frac{N}{4\pi\sigma_b^2}. $$
#
# So twice the width leaves a quarter of the variance.
# ```
#
# ```{dropdown} The best linear filter
# Let $m$ be the mean of the drawings, and $C$ the covariances of their values. For $x = x_t / \sqrt{\bar\alpha_t}$ the linear filter with the smallest expected squared error is
#
# $$ \hat x_0 = m + C\,(C + N I)^{-1} (x - m). $$
#
# Where the stripe patterns of each colour vary independently, this is the Wiener filter. Let $X$ have a row for each drawing, less $m$. Then $C = X^\top X / 3060$, and
#
# $$ C\,(C + N I)^{-1} = X^\top (X X^\top + 3060\, N I)^{-1} X. $$
#
# So the answer is $m$ plus a weighted sum of drawings, with weights that may be below 0. The code of {numref}`fig-a12-filters` solves for the weights. In 1.3 the best answer is a weighted mean of pictures, too.
# ```
