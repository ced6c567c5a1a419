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
# **A blur removes noise, but edges too. Where there is much noise, it helps a little to know how pictures usually look.**

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
from skimage.restoration import denoise_nl_means
from torchvision.transforms.v2.functional import gaussian_blur

from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import plain
from diffusion_utils.metrics import psnr
from diffusion_utils.pictures import shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import drowned_from, low_pass, pattern_strength

schedule = load_pretrained().schedule

# %% mystnb={"figure": {"caption": "The test image with noise (top, seed 0, divided by $\\sqrt{\\bar\\alpha_t}$) and blurred (bottom). Above each column: the best width of the blur for this picture, in pixels, and how close the picture is to the clean one before and after. More decibels (dB) are better.", "name": "fig-a12-best"}, "image": {"alt": "Three noisy sailboats above; below, blurry ones: at t = 250 soft but clear, at t = 500 a vague boat, at t = 750 a red cloud over a blue one."}} tags=["hide-input"]
levels, names = [250, 500, 750], ["sailboat", "mushroom", "cactus", "photograph-cat"]
widths = [0.5, 0.75, 1, 1.5, 2, 3, 4, 6]
images = torch.stack([shipped_image(name) for name in names])
clean = images.repeat_interleave(3, 0)
noise = unit_noise((3, 64, 64), generators([0, 1, 2] * len(names)))

# divided by its factor, the picture has its own brightness again
noisy = {t: schedule.forward(clean, t, noise) / schedule.at(t).sqrt() for t in levels}
blurred = {(t, w): low_pass(w)(noisy[t]).clamp(-1, 1) for t in levels for w in widths}
scores = {key: psnr(blur, clean, peak=2) for key, blur in blurred.items()}
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
# At $t = 250$ the blur makes the grain weaker, but a lot is left. At $t = 500$ all edges are soft. At $t = 750$ a red triangle over a blue band is left. The network of [1.3](a1_3_one_step_denoising.ipynb) has to beat this.
#
# ## The idea
#
# In most places of a picture, neighbouring pixels have nearly the same colour. Their noises are independent. So an average over neighbours keeps most of the picture, while the noise, positive here and negative there, mostly cancels.
# This is a **blur**. In a Gaussian one, the weight of a neighbour falls with its distance $d$ as
#
# $$ w(d) \propto e^{-d^2 / (2 \sigma_b^2)}, $$
#
# where $\sigma_b$ is the width of the blur in pixels. The forward process has made the picture weaker, so $x_t$ is divided by $\sqrt{\bar\alpha_t}$ first.

# %%
x_0 = shipped_image("sailboat")[None]
eps = unit_noise((3, 64, 64), generators([0]))  # noise of seed 0
x_t = schedule.forward(x_0, 500, eps)
# width 2 pixels, over a neighbourhood of 33x33
x0_hat = gaussian_blur(x_t / schedule.at(500).sqrt(), [33, 33], [2.0, 2.0])

# %% [markdown]
# ## How wide should the blur be?
#
# Take the mean squared error (MSE) of all values. The peak signal-to-noise ratio puts it on a logarithmic scale, in decibels:
#
# $$ \text{PSNR} = 10 \log_{10} \frac{4}{\text{MSE}}. $$
#
# The 4 is the square of the widest possible error, from $-1$ to $1$. An MSE of 0.04 gives 20 dB, and 10 dB more mean a tenth of the MSE. Values outside $[-1, 1]$ are cut off first.

# %% mystnb={"figure": {"caption": "PSNR of the blurred test image against the width of the blur (logarithmic axis); mean over seeds 0, 1, 2. Triangles: the predicted width, see the text.", "name": "fig-a12-widths"}, "image": {"alt": "Three curves, one for each timestep. Each rises to a maximum and falls again, and the maximum moves to wider blurs as t grows. A triangle above each curve marks a width near its maximum."}} tags=["hide-input"]
strength = pattern_strength(images[0])
fig, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for i, t in enumerate(levels):
    means = [scores[t, width][:3].mean() for width in widths]
    ax.plot(widths, means, "o-", color=f"C{i}", label=f"$t={t}$")
    N = ((1 - schedule.at(t)) / schedule.at(t)).item()
    cross = drowned_from(strength, N)
    ax.plot(12 / cross, max(means) + 0.8, "v", color=f"C{i}")
ax.set(xscale="log", xlabel=r"width of the blur $\sigma_b$, pixels", ylabel="PSNR, dB")
ax.set_xticks(widths, widths)
ax.minorticks_off()
ax.legend()
assert sorted(best.values()) == [*best.values()]  # wider with more noise
plt.show()

# %% [markdown]
# A narrower blur than the best leaves more noise, a wider one removes more of the picture. With more noise, the best blur is wider.
#
# The best width can be predicted. Let a stripe pattern of [1.1](a1_1_forward.ipynb) have amplitude $s$ in the picture and, independent of it, $n$ in the noise, with mean squares $S$ and $N$ (and $n$ with mean 0). A filter multiplies the sum by $c$. Its mean squared error is
#
# $$ \mathbb E\big[(c\,(s + n) - s)^2\big] = (1 - c)^2 S + c^2 N, \qquad \text{smallest at } c = \frac{S}{S + N}. $$
#
# So a pattern as strong as the noise should be halved. A blur halves those with about $12/\sigma_b$ stripes. The triangles mark the $\sigma_b$ for which these are as strong as the noise ({numref}`fig-a11-spectrum`). All three are wider than the best width tried, by about a fifth to a third.
#
# ## Where it fails
#
# A blur cannot tell an edge from noise, since both are differences between neighbours. It must soften both:

# %% mystnb={"figure": {"caption": "The tip of the sail, 24x24 pixels enlarged: clean; noisy at $t = 500$ (seed 0); and blurred with three widths, in pixels.", "name": "fig-a12-edge"}, "image": {"alt": "Five enlarged cuts. The clean one has a sharp red edge and a dark mast. The narrow blur is still grainy; in the wide ones edge and mast are smeared."}} tags=["hide-input"]
shown = [1, 2, 4]
cuts = torch.cat([boat, noisy[500][:1], *(blurred[500, w][:1] for w in shown)])
grid(
    [unit_range(cuts[..., 6:30, 16:40])],
    titles=["clean", "noisy", *(f"blur {w}" for w in shown)],
    size=1.5,
)

# %% [markdown]
# ## A filter that knows how pictures look
#
# The **Wiener filter** {cite:p}`wiener1949` has this best factor, $S / (S + N)$, for each pattern. How strong a pattern usually is, $S$, is measured on the 3,060 training drawings of Part A's model. The noise has $N = (1 - \bar\alpha_t)/\bar\alpha_t$, the dashed line in {numref}`fig-a11-spectrum`.
# The filter takes the mean drawing away, multiplies each pattern, and puts the mean drawing back.
#
# **Non-local means** {cite:p}`buades2005` knows nothing of other pictures. It averages over pixels whose surroundings (7x7) look alike, up to 11 pixels away. The weight is $e^{-D/h^2}$: $D$ is the mean squared difference of the surroundings, less the $2N$ that noise makes (at least 0), and $h$ is a setting.

# %% tags=["remove-input"]
data = emoji()
drawings = plain(data, torch.arange(len(data.images)))
mean = drawings.mean(0)
S = torch.fft.fft2(drawings - mean, norm="ortho")
S = S.abs().square().mean((0, 1))


def wiener(x, N):
    patterns = torch.fft.fft2(x - mean) * S / (S + N)
    return mean + torch.fft.ifft2(patterns).real


def non_local(x, h, sd):
    """Non-local means, which takes pictures (H, W, 3), for a batch (B, 3, H, W)."""
    options = {"h": h, "sigma": sd, "patch_size": 7, "patch_distance": 11}
    pictures = x.permute(0, 2, 3, 1).numpy()
    done = [denoise_nl_means(p, channel_axis=-1, **options) for p in pictures]
    return torch.stack([torch.from_numpy(p) for p in done]).permute(0, 3, 1, 2)


# %% mystnb={"figure": {"caption": "The noisy test image (seed 0) and what three filters make of it; the blur and non-local means with the setting that is best on average over four pictures.", "name": "fig-a12-filters"}, "image": {"alt": "Three rows, one for each timestep. At t = 250 non-local means shows a clean boat with sharp edges, the others a softer or grainier one. At t = 500 all are soft or grainy. At t = 750 all show a red cloud over a blue one."}} tags=["hide-input"]


def mean_psnr(x):
    return psnr(x, clean, peak=2).mean().item()


filtered = {}
for t in levels:
    N = ((1 - schedule.at(t)) / schedule.at(t)).item()
    tried = [non_local(noisy[t], k * N**0.5, N**0.5) for k in (0.35, 0.5, 0.7)]
    tried = [x.clamp(-1, 1) for x in tried]
    filtered[t] = {
        "noisy": noisy[t].clamp(-1, 1),
        "blur": max((blurred[t, w] for w in widths), key=mean_psnr),
        "Wiener": wiener(noisy[t], N).clamp(-1, 1),
        "non-local means": max(tried, key=mean_psnr),
    }
grid(
    [unit_range(torch.cat([x[:1] for x in filtered[t].values()])) for t in levels],
    titles=[*filtered[250]],
    labels=[f"$t={t}$" for t in levels],
    size=1.7,
)

# %% tags=["remove-input"]
rows = [
    [name, *(f"{mean_psnr(filtered[t][name]):.1f}" for t in levels)]
    for name in filtered[250]
]
table(
    rows,
    ["PSNR, dB", *(f"t = {t}" for t in levels)],
    "Mean over four pictures (sailboat, mushroom, cactus, photograph of a cat) and three seeds. The settings of blur and non-local means were chosen on these pictures.",
)

# %% [markdown]
# Non-local means is clearly ahead at $t = 250$. At 500 and 750 it leaves a fine hatching. At $t = 750$ the Wiener filter is ahead, by less than 1 dB on these four pictures.
#
# If pictures were Gaussian with its mean and strengths, no filter would have a smaller mean squared error. But pictures have edges and plain areas. A network can learn that, too: [1.3](a1_3_one_step_denoising.ipynb).
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
