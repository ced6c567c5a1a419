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
# # 1.1 The forward process
#
# What does an image lose when noise is added to it? The forward process mixes a clean image $x_0$ with unit Gaussian
# noise {cite:p}`ho2020`; everything after this chapter is about undoing it.

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

from diffusion_utils.pictures import shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import grid, unit_range
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
schedule = model.schedule
x_0 = shipped_image("sailboat")[None]

# %% [markdown]
# The test image is a sailboat, from a set of drawings that the model was not trained on (`data/images/README.md` names the sources of all
# pictures). `load_pretrained` gives the model that ships with the book ([how it was trained](../appendix/emoji64.ipynb)), or DeepFloyd IF where
# the environment variable `DIFFUSION_MODEL` says `deepfloyd` ([how to](../appendix/deepfloyd.md)). This chapter needs nothing of it but its schedule: the number
# $\bar\alpha_t$ for each of $T = 1000$ timesteps.
#
# $$ \bar\alpha_t = \frac{f((t+1)/T)}{f(0)}, \qquad f(u) = \cos^2\!\left(\frac{u + 0.008}{1.008} \cdot \frac\pi2\right), $$
#
# the squared-cosine schedule {cite:p}`nichol2021` (only its very last step is cut shorter). With these,
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad \epsilon \sim \mathcal N(0, I) \tag{N.1} $$
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.forward
# ```

# %% mystnb={"figure": {"caption": "$\\bar\\alpha_t$, the share of the image's variance that is left at timestep $t$; dots mark the three levels used in this part.", "name": "fig-a11-alpha-bar"}, "image": {"alt": "A smooth curve that falls from one at t = 0 to zero at t = 999, with dots at 250, 500 and 750."}} tags=["hide-input"]
levels = [250, 500, 750]
fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
ax.plot(schedule.alpha_bar)
ax.plot(levels, schedule.alpha_bar[levels], "o")
ax.set(xlabel="$t$", ylabel=r"$\bar\alpha_t$")
plt.show()

# %%
eps = unit_noise(model.shape, generators([0]))
noisy = [schedule.forward(x_0, t, eps) for t in levels]
for t in levels:
    abar = schedule.at(t)
    ratio = abar * x_0.var() / (1 - abar)
    print(
        f"t = {t}: {abar.sqrt():.2f} of the image + {(1 - abar).sqrt():.2f} of the noise, "
        f"variance of image over that of noise: {ratio:.2f}"
    )

# %% mystnb={"figure": {"caption": "The test image at 64x64, and the same with the noise of seed 0 at $t = 250, 500, 750$.", "name": "fig-a11-noisy"}, "image": {"alt": "A sailboat on water; then with light grain, with heavy grain through which the sails can be guessed, and nearly pure noise."}} tags=["hide-input"]
grid(
    [unit_range(torch.cat([x_0, *noisy]))],
    titles=["$x_0$", *(f"$t={t}$" for t in levels)],
    size=1.6,
)

# %% [markdown]
# In {numref}`fig-a11-noisy` small things go first: the waves are lost at $t = 500$, while at $t = 750$ an eye that knows the picture still
# finds the red of the sail and the blue of the water. The curve of {numref}`fig-a11-alpha-bar` says how much is left; it does not say that small
# things go first. That follows from how images are made: noise is equally strong at all spatial frequencies, but images have most of their
# variance in the coarse ones, so these stay above the noise longest.
#
# `bands` splits a picture with two Gaussian blurs: coarse is what a blur of 4 pixels keeps, fine is what a blur of 1 pixel
# removes, middle is the rest.

# %%
from diffusion_utils.views import bands

for name, band in zip(("coarse", "middle", "fine"), bands(4.0, 1.0), strict=True):
    image, noise = band(x_0).var(), band(eps).var()
    gone = next(
        t for t in range(1000) if schedule.at(t) * image < (1 - schedule.at(t)) * noise
    )
    print(
        f"{name:>6} details: variance {image:.4f}, below the noise's from t = {gone} on"
    )

# %% [markdown]
# ## Where it fails
#
# At $t = 999$ next to nothing of the image is left, as the number below says, and no formula brings it back: a model that has
# seen many images must supply what is missing. [1.2](a1_2_classical_denoising.ipynb) shows how far one gets without such a model.

# %%
print(f"alpha_bar at t = 999: {schedule.at(999):.1e}")
