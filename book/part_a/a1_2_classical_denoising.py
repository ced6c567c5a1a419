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
# How much noise can be removed without training anything? The classical answer is to blur: noise differs from
# pixel to pixel, images mostly don't, so an average over neighbours keeps the image and loses the noise.

# %% tags=["remove-cell"]
# In Colab: fetch the book. Does nothing where its package is installed.
import importlib.util
import subprocess
import sys
from pathlib import Path

ADDRESS = "https://github.com/fun-with-diffusion/fun-with-diffusion-models"
if importlib.util.find_spec("diffusion_utils") is None:
    if not Path("book-source").exists():
        subprocess.run(
            ["git", "clone", "--depth=1", ADDRESS, "book-source"], check=True
        )
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--editable",
        "book-source",
    ]
    subprocess.run(pip, check=True)
    sys.path.insert(0, "book-source")

# %%
import matplotlib.pyplot as plt
import torch

from diffusion_utils.metrics import psnr, ssim
from diffusion_utils.pictures import shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import comparison, grid, unit_range
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import low_pass

schedule = load_pretrained().schedule
levels = [250, 500, 750]
names = ["sailboat", "mushroom", "cactus", "photograph-cat"]
images = torch.stack([shipped_image(name) for name in names])

# %% [markdown]
# The blur is a Gaussian of width $\sigma_b$ pixels, applied to $x_t / \sqrt{\bar\alpha_t}$, so that the image in it has its own brightness again.
# Which width is best depends on the noise, so try several, on four pictures and three seeds each. PSNR says how close an estimate is to the clean image: the
# square of the range of values (here $2^2$) over the mean squared error, in decibels. SSIM compares structure instead of values, and is 1 for equal
# images {cite:p}`wang2004`.
#
# ```{literalinclude} ../../diffusion_utils/views.py
# :pyobject: low_pass
# ```

# %%
widths = [0.5, 0.75, 1, 1.5, 2, 3, 4, 6]
clean = images.repeat_interleave(3, 0)
eps = unit_noise((3, 64, 64), generators(list(range(3)) * len(names)))
# the blurred image is compared with x_0, so undo the forward process's scaling first
rescaled = {t: schedule.forward(clean, t, eps) / schedule.at(t).sqrt() for t in levels}
scores = {
    (t, width): psnr(low_pass(width)(rescaled[t]).clamp(-1, 1), clean, peak=2)
    for t in levels
    for width in widths
}
best = {t: max(widths, key=lambda w: scores[t, w].mean()) for t in levels}
for t in levels:
    score = scores[t, best[t]]
    before, after = (
        ssim(x.clamp(-1, 1), clean, peak=2)
        for x in (rescaled[t], low_pass(best[t])(rescaled[t]))
    )
    print(
        f"t = {t}: best width {best[t]} pixels, "
        f"PSNR {score.mean():.1f} dB (standard deviation {score.std():.1f}), "
        f"SSIM {after.mean():.2f} ({after.std():.2f}), unblurred {before.mean():.2f} ({before.std():.2f})"
    )

# %% mystnb={"figure": {"caption": "PSNR of blurred noisy images against the width of the blur, mean over four pictures and seeds 0, 1, 2; bars are one standard deviation.", "name": "fig-a12-widths"}, "image": {"alt": "Three curves, one for each noise level; each rises to a maximum and falls again, and the maximum moves to wider blurs as noise grows."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for t in levels:
    values = torch.stack([scores[t, width] for width in widths])
    ax.errorbar(
        widths, values.mean(1), values.std(1), marker="o", capsize=2, label=f"$t={t}$"
    )
ax.set(xscale="log", xlabel=r"width of the blur $\sigma_b$, pixels", ylabel="PSNR, dB")
ax.set_xticks(widths, widths)
ax.minorticks_off()
ax.legend()
plt.show()

# %% [markdown]
# Each curve of {numref}`fig-a12-widths` has a top: a narrow blur leaves noise, a wide one removes the picture. The top moves right and down as noise
# grows. The widths are chosen and scored on the same pictures, which favours the blur a little.

# %%
x_0 = images[:1]
noisy = {t: schedule.forward(x_0, t, eps[:1]) for t in levels}
blurred = {t: low_pass(best[t])(noisy[t] / schedule.at(t).sqrt()) for t in levels}

# %% mystnb={"figure": {"caption": "Above: the test image with the noise of seed 0. Below: the same, divided by $\\sqrt{\\bar\\alpha_t}$ and blurred with the width that is best for its level by the numbers above; $t = 250, 500, 750$.", "name": "fig-a12-best"}, "image": {"alt": "Three noisy sailboats above; below, blurry ones: at t = 250 soft but clear, at t = 750 coloured clouds."}} tags=["hide-input"]
grid(
    [
        unit_range(torch.cat(list(noisy.values()))),
        unit_range(torch.cat(list(blurred.values()))),
    ],
    titles=[f"$t={t}$" for t in levels],
    labels=["noisy", "blurred"],
    size=1.6,
)

# %% mystnb={"figure": {"caption": "Move the slider: the noisy image at $t = 500$ (seed 0) and its best blur.", "name": "fig-a12-slider"}} tags=["hide-input"]
comparison(
    unit_range(noisy[500]),
    unit_range(blurred[500]),
    captions=("noisy", "blurred"),
    alt="A noisy sailboat beside its blurred version: the grain is gone, and so are the edges of sails and waves.",
)

# %% [markdown]
# ## Where it fails
#
# The blur cannot tell an edge from noise: both are differences between neighbours. In {numref}`fig-a12-best` every edge is softened by as much as the
# noise requires, and at $t = 750$ little but colour is left. A better denoiser must know which differences are likely in an image.
# That is what a diffusion model has learned: [1.3](a1_3_one_step_denoising.ipynb).
