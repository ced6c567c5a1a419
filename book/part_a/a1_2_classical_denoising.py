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
# How much noise can we remove without training anything?

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

from diffusion_utils.metrics import psnr, ssim
from diffusion_utils.pictures import shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import comparison, grid, table, unit_range
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import low_pass

schedule = load_pretrained().schedule

# %% mystnb={"figure": {"caption": "Top: the test image and its noisy versions (seed 0). Bottom: the same, blurred. For each timestep the width of the blur is the best one of {numref}`fig-a12-widths`.", "name": "fig-a12-best"}, "image": {"alt": "Three noisy sailboats above; below, blurry ones: at t = 250 soft but clear, at t = 500 a vague boat, at t = 750 coloured clouds."}} tags=["hide-input"]
levels, names = [250, 500, 750], ["sailboat", "mushroom", "cactus", "photograph-cat"]
widths = [0.5, 0.75, 1, 1.5, 2, 3, 4, 6]
images = torch.stack([shipped_image(name) for name in names])
clean = images.repeat_interleave(3, 0)
eps = unit_noise((3, 64, 64), generators([0, 1, 2] * len(names)))

# divided by its factor, the picture has its own brightness again
noisy = {t: schedule.forward(clean, t, eps) / schedule.at(t).sqrt() for t in levels}
blurred = {(t, w): low_pass(w)(noisy[t]).clamp(-1, 1) for t in levels for w in widths}
scores = {key: psnr(blur, clean, peak=2) for key, blur in blurred.items()}
best = {t: max(widths, key=lambda w: scores[t, w].mean()) for t in levels}

boat = images[:1]
grid(
    [
        unit_range(
            torch.cat([boat, *(noisy[t][:1] * schedule.at(t).sqrt() for t in levels)])
        ),
        unit_range(
            torch.cat(
                [torch.ones_like(boat), *(blurred[t, best[t]][:1] for t in levels)]
            )
        ),
    ],
    titles=["$x_0$", *(f"$t={t}$" for t in levels)],
    labels=["noisy", "blurred"],
    size=1.7,
)

# %% [markdown]
# ## The idea
#
# Noise differs from pixel to pixel. Most of a picture does not: neighbours have nearly the same colour. So replace each pixel by an average of its
# neighbourhood. The noise, positive here and negative there, mostly cancels, and the picture mostly stays. This is a **blur**. It is Gaussian if the weight of a neighbour falls with its
# distance $d$ as
#
# $$ w(d) \propto e^{-d^2 / (2 \sigma_b^2)}, $$
#
# where $\sigma_b$ is the width of the blur in pixels.
#
# ```{literalinclude} ../../diffusion_utils/views.py
# :pyobject: low_pass
# ```
#
# The noisy picture $x_t$ is darker and paler than the original, since (N.1) has shrunk it. So it is divided by $\sqrt{\bar\alpha_t}$ before it is blurred:

# %%
t = 500
x_t = schedule.forward(boat, t, eps[:1])
estimate = low_pass(best[t])(x_t / schedule.at(t).sqrt())

# %% mystnb={"figure": {"caption": "Move the slider: the noisy test image at $t = 500$ (seed 0) and its best blur.", "name": "fig-a12-slider"}} tags=["hide-input"]
comparison(
    unit_range(x_t),
    unit_range(estimate),
    captions=("noisy", "blurred"),
    alt="A noisy sailboat beside its blurred version: the grain is gone, and so are the edges of sails and waves.",
)

# %% [markdown]
# ## What to see
#
# In {numref}`fig-a12-best` the blur at $t = 250$ removes much of the grain. At $t = 500$ one can still name the boat, but all its edges are soft. At $t = 750$ clouds of red, brown and blue are
# left: the colours are in the right places, the shapes are gone.
#
# ## How wide should the blur be?
#
# We measure how close each blurred picture is to the clean one. The usual number is the peak signal-to-noise ratio, **PSNR**, in decibels: the mean squared error
# on a logarithmic scale, where 10 dB more means a tenth of the error. More is better.

# %% mystnb={"figure": {"caption": "PSNR of blurred pictures against the width of the blur. Mean over four pictures (sailboat, mushroom, cactus, photograph of a cat) and three seeds (0, 1, 2); the bars are one standard deviation.", "name": "fig-a12-widths"}, "image": {"alt": "Three curves, one for each timestep. Each rises to a maximum and falls again, and the maximum moves to wider blurs as t grows."}} tags=["hide-input"]
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


# %% tags=["hide-input"]
def mean(x):
    return f"{x.mean():.1f} ± {x.std():.1f}"


def mean_ssim(x):
    return f"{ssim(x.clamp(-1, 1), clean, peak=2).mean():.2f}"


table(
    [
        [
            t,
            f"{best[t]:g} pixels",
            mean(psnr(noisy[t].clamp(-1, 1), clean, peak=2)),
            mean(scores[t, best[t]]),
            mean_ssim(noisy[t]),
            mean_ssim(blurred[t, best[t]]),
        ]
        for t in levels
    ],
    ["t", "best blur", "PSNR noisy", "PSNR blurred", "SSIM noisy", "SSIM blurred"],
    "The best width for each timestep. PSNR in dB with its standard deviation; SSIM compares structure, and is 1 for equal pictures. The same pictures and seeds as in the figure.",
)

# %% [markdown]
# Each curve of {numref}`fig-a12-widths` has a top. A narrower blur leaves more noise, a wider one removes more of the picture. With more noise, the best blur is wider, and its result is worse.
# (SSIM is the structural similarity {cite:p}`wang2004`. The widths are chosen and scored on the same pictures, which favours the blur a little.)
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
# A better denoiser has to know which differences are likely in a picture. That is what a diffusion model has learned: [1.3](a1_3_one_step_denoising.ipynb).
#
# ## Try it
#
# * In the code of {numref}`fig-a12-best`, set `levels = [50, 250, 500]`. At $t = 50$ the best of these blurs is the narrowest, and it brings only a few decibels: where there is
#   little noise, a blur does almost as much harm as good.
# * Set `names = ["photograph-cat"]`, so that only the photograph is scored. At $t = 750$ the best width becomes the largest one, since a photograph has fewer sharp edges to lose than a drawing.
