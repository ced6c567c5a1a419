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
# # 1.4 Iterative denoising
#
# One step answers with an average. What if we take only a small step towards it, look again, and repeat?

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
import torch

from diffusion_utils.metrics import psnr, ssim
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import animation, grid, unit_range
from diffusion_utils.tasks import denoise_from, noised
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import low_pass

model = load_pretrained()
schedule = model.schedule
photo = model.denoiser("a high quality photo")
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 110)
)
i_start = by_profile(full=10, fast=3)
t_start = timesteps[i_start]
print(f"{timesteps[:3]} .. {timesteps[-2:]}, start at t = {t_start}")
print(f"of the image's variance, {schedule.at(t_start):.0%} is left there")

# %% [markdown]
# `by_profile` shortens a list where the tests run this page; the site shows the full one.
#
# The step from $t$ to the next timestep $t'$ of the list mixes the estimate of the clean image with the noisy image, and puts a
# little new noise $z \sim \mathcal N(0, I)$ back {cite:p}`ho2020`. With $\alpha = \bar\alpha_t / \bar\alpha_{t'}$ and $\beta = 1 - \alpha$:
#
# $$ x_{t'} = \frac{\sqrt{\bar\alpha_{t'}}\,\beta}{1-\bar\alpha_t}\,\hat x_0 + \frac{\sqrt{\alpha}\,(1-\bar\alpha_{t'})}{1-\bar\alpha_t}\, x_t + \sqrt{\tilde\beta}\, z, \tag{N.3} $$
#
# $$ \tilde\beta = \frac{1-\bar\alpha_{t'}}{1-\bar\alpha_t}\,\beta. \tag{N.4} $$
#
# A network that predicts a variance, as DeepFloyd IF does and the shipped one does not, places it between $\tilde\beta$ and $\beta$; that is (N.5) of
# the [notation](../notation.md), and `v` in the code.
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.step
# :start-at: alpha_bar,
# ```
#
# The loop around it is the only one in this book. (Its first branch noises again; only [1.7.2](a1_7_2_inpainting.ipynb) takes it.)
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: trajectory
# :start-at: for t, t_prev
# ```

# %%
x_0 = shipped_image("sailboat")[None]
x_start, _ = noised(model, x_0, i_start, [0], timesteps)
steps = list(denoise_from(model, photo, x_0, i_start, [0], timesteps))
x_0 = x_0.to(model.device)


# %% mystnb={"figure": {"caption": "Denoising the test image from $t = 690$: $x_t$ at every fifth step (above) and the clean image $\\hat x_0$ that the network sees in it (below). Seed 0, \"a high quality photo\", timesteps 690, 660, .., 0.", "name": "fig-a14-steps"}, "image": {"alt": "Above, a noisy sailboat becomes a picture from left to right; below, a soft estimate sharpens."}} tags=["hide-input"]
# a step's x0_hat is what the network saw in the image before it
path = [(t_start, x_start), *((step.t, step.x) for step in steps)]
shown = [(t, x_t, step.x0_hat) for (t, x_t), step in zip(path, steps, strict=False)][
    ::5
]
grid(
    [
        unit_range(torch.cat([x_t for _, x_t, _ in shown])),
        unit_range(torch.cat([x0_hat for *_, x0_hat in shown])),
    ],
    titles=[f"$t={t}$" for t, *_ in shown],
    labels=["$x_t$", r"$\hat x_0$"],
    size=1.3,
)

# %% mystnb={"figure": {"caption": "The same, step by step. Left: $x_t$; right: the $\\hat x_0$ that the step to it used.", "name": "fig-a14-animation"}} tags=["hide-input"]
animation(
    [unit_range(torch.cat([step.x, step.x0_hat], 3)) for step in steps],
    alt="Left, noise fades from a picture; right, the estimate of the clean picture sharpens.",
    captions=[f"t = {step.t}" for step in steps],
)

# %% mystnb={"figure": {"caption": "From the same noisy image ($t = 690$, seed 0, \"a high quality photo\"): denoised iteratively, in one step, and with a Gaussian blur 3 pixels wide (widths 2, 3 and 4 are scored below).", "name": "fig-a14-compare"}, "image": {"alt": "Four pictures of the sailboat: the original; the iterative result; the one-step result; the blur."}} tags=["hide-input"]
blur = low_pass(3)(x_start / schedule.at(t_start).sqrt())
grid(
    [unit_range(torch.cat([x_0, steps[-1].x, steps[0].x0_hat, blur]))],
    titles=["original", "iterative", "one step", "blur"],
    size=1.7,
)

# %% [markdown]
# In {numref}`fig-a14-steps` the estimate in the lower row starts as a soft average and gains contrast as $t$ falls; in the last column shown, the rows differ by little
# more than the noise that is left. {numref}`fig-a14-compare` puts the end beside what one step and a blur make of the same noise. The loop has lost the mast, which one step still shows: each step goes on from
# what the one before has decided, right or wrong.
#
# ## Closer, or only sharper?
#
# The four pictures of [1.3](a1_3_one_step_denoising.ipynb), two seeds each, from $t = 690$; of the loop, the last $\hat x_0$, which is free of the noise at $t = 0$. Beside PSNR and SSIM, two numbers from the differences between neighbouring pixels: how
# large they are at the edges of the original (neighbours that differ by more than 0.2 on the range of 2), and how large in the areas that are flat in the original (less than 0.02), where they are grain or invention.

# %%
names = ["sailboat", "mushroom", "cactus", "photograph-cat"]
clean = torch.stack([shipped_image(name) for name in names])
clean = clean.repeat_interleave(2, 0).to(model.device)
seeds = [0, 1] * len(names)
x_t, _ = noised(model, clean, i_start, seeds, timesteps)
first, *_, end = denoise_from(model, photo, clean, i_start, seeds, timesteps)
blurs = {w: low_pass(w)(x_t / schedule.at(t_start).sqrt()) for w in (2, 3, 4)}


def jumps(x):
    """Absolute differences of neighbours, in both directions: (B, 3, H, W) -> (B, n)."""
    both = x.diff(dim=-1).flatten(1), x.diff(dim=-2).flatten(1)
    return torch.cat(both, 1).abs()


at_edges, in_flat = jumps(clean) > 0.2, jumps(clean) < 0.02


def contrast(x, where):
    """The mean jump in a part of each image: (B, 3, H, W) and (B, n) of bool -> (B,)."""
    return (jumps(x) * where).sum(1) / where.sum(1)


print(
    f"original: edges {contrast(clean, at_edges).mean():.3f}, "
    f"flat areas {contrast(clean, in_flat).mean():.3f}"
)
scores = {}
for name, estimate in {
    "iterative": end.x0_hat,
    "one step": first.x0_hat,
    **{f"blur {width}": blur for width, blur in blurs.items()},
}.items():
    estimate = estimate.clamp(-1, 1)
    scores[name] = (
        psnr(estimate, clean, peak=2),
        ssim(estimate, clean, peak=2),
        contrast(estimate, at_edges),
        contrast(estimate, in_flat),
    )
    means = [score.mean() for score in scores[name]]
    print(
        "{:>9}: PSNR {:4.1f} dB, SSIM {:.2f}, edges {:.3f}, flat areas {:.3f}".format(
            name, *means
        )
    )
print("iterative against one step, mean and standard deviation over the eight:")
(p_many, _, edges_many, flat_many), (p_one, _, edges_one, flat_one) = (
    scores["iterative"], scores["one step"],
)  # fmt: skip
for name, change, unit in [
    ("PSNR", p_many - p_one, " dB"),
    ("edges", 100 * (edges_many / edges_one - 1), " %"),
    ("flat areas", 100 * (flat_many / flat_one - 1), " %"),
]:
    print(f"{name:>12}: {change.mean():+.1f}{unit} ({change.std():.1f})")

# %% [markdown]
# For an ideal network the one-step estimate is the mean of all pictures that fit $x_t$, and nothing has a lower mean squared error: PSNR is one
# step's home ground. The loop draws one of the fitting pictures, and the last three lines say what that gives and costs: it is farther from the original in PSNR, and has the stronger contrast at the
# original's edges, on the mean if not in every picture; in the flat areas the change is small against its spread. Neither comes near the contrast of the original.
#
# ## Where it fails
#
# What the noise has covered, the model fills in as it thinks likely. That is not the original, and nothing in the loop says how much was made up. Compare two
# seeds: where they differ, the picture was made up; where they agree, it may come from the image, or from what the model always draws there. In {numref}`fig-a14-seeds` only the water is the same; with seed 1 the
# sail and the hull have other colours and shapes, and a stroke stands beside the boat that is nowhere in the original.

# %% mystnb={"figure": {"caption": "The same picture, noised and denoised from $t = 690$ with seeds 0 and 1 (\"a high quality photo\"), and where the two results differ: the mean absolute difference of the colours, white from 1 on.", "name": "fig-a14-seeds"}, "image": {"alt": "Two sailboats that differ in detail, and a map of their differences, brighter where they differ more."}} tags=["hide-input"]
difference = (end.x[:1] - end.x[1:2]).abs().mean(1, keepdim=True).expand(-1, 3, -1, -1)
grid(
    [torch.cat([unit_range(end.x[:2]), difference.clamp(0, 1).cpu()])],
    titles=["seed 0", "seed 1", "difference"],
    size=1.7,
)

# %% [markdown]
# A second limit lies in the stride of 30. Even a perfect network loses spread with so few steps, because the variance (N.4) takes $\hat x_0$ for the truth:
# [B2](../part_b/b2_time_conditioned.ipynb) measures it on data for which the perfect denoiser is known.
#
# From an image of whose variance a fifth is left to none at all is a small step: [1.5](a1_5_sampling.ipynb).
