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
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import plain
from diffusion_utils.metrics import psnr
from diffusion_utils.pictures import shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import comparison, grid, table, unit_range
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import low_pass

schedule = load_pretrained().schedule

# %% mystnb={"figure": {"caption": "Top: the test image and its noisy versions (seed 0), as in [1.1](a1_1_forward.ipynb). Bottom: divided by $\\sqrt{\\bar\\alpha_t}$, which gives them back their contrast, and blurred. The width of the blur, in pixels, is for each timestep the best one of {numref}`fig-a12-widths`.", "name": "fig-a12-best"}, "image": {"alt": "Three noisy sailboats above; below, blurry ones: at t = 250 soft but clear, at t = 500 a vague boat, at t = 750 a red cloud over a blue one."}} tags=["hide-input"]
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
# wider with more noise, and always between the narrowest and the widest
assert widths[0] < best[250] < best[500] < best[750] < widths[-1]

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
    titles=["$x_0$", *(f"$t={t}$\nblur {best[t]}" for t in levels)],
    labels=["noisy", "blurred"],
    size=1.7,
)

# %% [markdown]
# At $t = 250$ a blur removes much of the grain. At $t = 500$ one can still name the boat, but all its edges are soft. At $t = 750$ a red triangle over a blue band is left.
#
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
# The forward process (N.1) has pulled all values of the picture towards 0, which is a middle grey. So $x_t$ is divided by $\sqrt{\bar\alpha_t}$ before it is blurred. Values outside $[-1, 1]$ are cut off only afterwards, where a
# picture is shown or scored.

# %%
t = 500
x_t = schedule.forward(boat, t, eps[:1])
estimate = low_pass(best[t])(x_t / schedule.at(t).sqrt())

# %% mystnb={"code_prompt_show": "Show noisy and blurred under a slider", "figure": {"caption": "Move the slider: the noisy test image at $t = 500$ (seed 0) and its best blur.", "name": "fig-a12-slider"}} tags=["remove-input", "hide-output"]
comparison(
    unit_range(x_t),
    unit_range(estimate),
    captions=("noisy", "blurred"),
    alt="A noisy sailboat beside its blurred version: the grain is gone, and so are the edges of sails and waves.",
)

# %% [markdown]
# ## Where it fails
#
# A blur cannot tell an edge from noise, since both are differences between neighbours. It must soften both:

# %% mystnb={"figure": {"caption": "The tip of the sail, 24x24 pixels enlarged: clean; noisy at $t = 500$ (seed 0, divided by $\\sqrt{\\bar\\alpha_t}$); and blurred with three widths, in pixels.", "name": "fig-a12-edge"}, "image": {"alt": "Five enlarged cuts. The clean one has a sharp red edge and a dark mast. The narrow blur is still grainy; in the wide ones edge and mast are smeared."}} tags=["hide-input"]
shown = [1, 2, 4]
cuts = torch.cat([boat, noisy[500][:1], *(blurred[500, w][:1] for w in shown)])
grid(
    [unit_range(cuts[..., 6:30, 16:40])],
    titles=["clean", "noisy", *(f"blur {w}" for w in shown)],
    size=1.5,
)

# %% [markdown]
# ## How wide should the blur be?
#
# How close is a blurred picture to the clean one? Take the mean squared error (MSE) of all their values. The peak signal-to-noise ratio puts it on a logarithmic scale, in decibels:
#
# $$ \text{PSNR} = 10 \log_{10} \frac{4}{\text{MSE}}. $$
#
# The 4 is the square of the widest possible error, from $-1$ to $1$. An MSE of 0.04 gives 20 dB, and 10 dB more mean a tenth of the error. More is better.

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

# %% [markdown]
# Each curve has a top. A narrower blur leaves more noise, a wider one removes more of the picture. With more noise, the best blur is wider, and its result is worse.
#
# ## Can other filters do better?
#
# Three well-known ones, each with its own idea:
#
# * The **Wiener filter** weakens each wave of the picture by as much as the noise is stronger than such waves usually are. How strong they usually are is measured on the 3,060 training drawings of Part A's model.
# * **Total variation** looks for a picture that is near the noisy one, and in which the differences between neighbours add up to little. A sharp edge adds up to no more than the same edge made soft, so edges may stay
#   sharp.
# * **Non-local means** averages over places whose surroundings look alike, also far away.

# %% tags=["remove-input"]
data = emoji()
drawings = plain(data, torch.arange(len(data.images)))
mean = drawings.mean(0)
S = torch.fft.fft2(drawings - mean, norm="ortho")
S = S.abs().square().mean((0, 1))


def wiener(x, n):
    waves = torch.fft.fft2(x - mean) * S / (S + n)
    return mean + torch.fft.ifft2(waves).real


# %% mystnb={"figure": {"caption": "The noisy test image (seed 0, divided by $\\sqrt{\\bar\\alpha_t}$) and what four filters make of it; each with the setting that has the best mean PSNR at that timestep.", "name": "fig-a12-filters"}, "image": {"alt": "Three rows, one for each timestep. At t = 250 non-local means shows a clean boat with sharp edges, the others a softer or grainier one. At t = 500 all are soft or grainy. At t = 750 all show a red cloud over a blue one."}} tags=["hide-input"]


def on_each(denoise, **options):
    """A filter for pictures (H, W, 3) as one for (B, 3, H, W)."""

    def denoise_all(x):
        pictures = x.permute(0, 2, 3, 1).numpy()
        done = [denoise(p, channel_axis=-1, **options) for p in pictures]
        return torch.stack(list(map(torch.from_numpy, done))).permute(0, 3, 1, 2)

    return denoise_all


patches = {"patch_size": 7, "patch_distance": 11}
filtered = {}
for t in levels:
    sd = ((1 - schedule.at(t)) / schedule.at(t)).sqrt().item()
    settings = {
        "blur": [low_pass(width) for width in widths],
        "Wiener": [lambda x, n=sd**2: wiener(x, n)],
        "total variation": [
            on_each(denoise_tv_chambolle, weight=k * sd)
            for k in (0.5, 0.8, 1.2, 1.8, 3)
        ],
        "non-local means": [
            on_each(denoise_nl_means, h=k * sd, sigma=sd, **patches)
            for k in (0.35, 0.5, 0.7)
        ],
    }
    for name, filters in settings.items():
        tried = [keep(noisy[t]).clamp(-1, 1) for keep in filters]
        filtered[t, name] = max(tried, key=lambda x: psnr(x, clean, peak=2).mean())
grid(
    [
        unit_range(
            torch.cat([noisy[t][:1], *(filtered[t, name][:1] for name in settings)])
        )
        for t in levels
    ],
    titles=["noisy", *settings],
    labels=[f"$t={t}$" for t in levels],
    size=1.4,
)

# %% tags=["remove-input"]


def row(name, pictures):
    found = [psnr(pictures[t].clamp(-1, 1), clean, peak=2) for t in levels]
    return [name, *(f"{x.mean():.1f}" for x in found)]


table(
    [row("noisy", noisy)]
    + [row(name, {t: filtered[t, name] for t in levels}) for name in settings],
    ["PSNR, dB", *(f"t = {t}" for t in levels)],
    "Mean over the pictures and seeds of the plot above. The settings of the blur and of the last two were chosen on these pictures.",
)

# %% [markdown]
# At $t = 250$ non-local means is clearly ahead, in the picture and in the table. At $t = 500$ its picture still looks the sharpest, and yet the table puts others level with it. PSNR does not ask what looks sharp:
# a sharp edge in the wrong place, or a spot of noise that was kept, costs more than a soft edge. At $t = 750$ so much is covered that it falls behind.
#
# To do better, one has to know what pictures look like. That is what a diffusion model has learned: [1.3](a1_3_one_step_denoising.ipynb).
#
# ## Try it
#
# * In the code of {numref}`fig-a12-best`, set `levels = [50, 250, 500]`. At $t = 50$ the best of these blurs is the narrowest, and it brings only a few decibels: where there is
#   little noise, a blur does almost as much harm as good.
# * Set `names = ["photograph-cat"]`, so that only the photograph is scored. At $t = 750$ the best width becomes the largest one.
