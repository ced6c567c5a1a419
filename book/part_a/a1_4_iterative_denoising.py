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
# Can many small steps make a better picture than one large step?

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
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch

from diffusion_utils.files import ROOT
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import noise_like
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import animation, grid, table, unit_range
from diffusion_utils.tasks import denoise_from, noised
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import low_pass

model = load_pretrained()
schedule = model.schedule
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 110)
)
i_start = by_profile(full=10, fast=3)

# %% mystnb={"figure": {"caption": "The test image noised to larger and larger $t$, then denoised in one step (top) and in many steps of 30 timesteps each (bottom). Seed 0, \"a high quality photo\", no guidance.", "name": "fig-a14-starts"}, "image": {"alt": "Top, from left to right, a sailboat that dissolves into a pale spot. Bottom, pictures that keep clear outlines, but are less and less like the sailboat."}} tags=["hide-input"]
boat = shipped_image("sailboat")[None].to(model.device)
photo = model.denoiser("a high quality photo")
i_starts = by_profile(full=[10, 7, 4, 2, 0], fast=[3, 0])
both = []
for i in i_starts:
    one, *_, many = denoise_from(model, photo, boat[0], i, [0], timesteps)
    both.append((one.x0_hat, many.x))
grid(
    [unit_range(torch.cat(row)) for row in zip(*both, strict=True)],
    titles=[f"$t={timesteps[i]}$" for i in i_starts],
    labels=["one step", "many steps"],
    size=1.4,
)

# %% [markdown]
# ## The idea
#
# One step has to guess the whole picture at once, so it answers with an average of all that fit ([1.3](a1_3_one_step_denoising.ipynb)). Many steps need not. Each goes only a little way towards the guess,
# to a picture with a bit less noise. There the network looks again, sees more, and guesses better. Small decisions add up: the picture becomes one that could be real, and is no average any more.
#
# We visit every 30th timestep: 990, 960, .., 30, 0. A step goes from $t$ to the next one, $t'$. It mixes the guess $\hat x_0$ with the noisy picture $x_t$, and adds a little fresh noise {cite:p}`ho2020`:
#
# $$ x_{t'} = a\,\hat x_0 + b\, x_t + \sqrt{\tilde\beta}\, z \tag{N.3} $$
#
# $$ a = \frac{\sqrt{\bar\alpha_{t'}}\,\beta}{1-\bar\alpha_t}, \qquad b = \frac{\sqrt{\alpha}\,(1-\bar\alpha_{t'})}{1-\bar\alpha_t} $$
#
# $$ \tilde\beta = \frac{1-\bar\alpha_{t'}}{1-\bar\alpha_t}\,\beta \tag{N.4} $$
#
# * $\alpha = \bar\alpha_t / \bar\alpha_{t'}$ is the share of the picture's variance that survives from $t'$ to $t$, and $\beta = 1 - \alpha$.
# * $\hat x_0$ is the clean picture that the network sees in $x_t$, by (N.2).
# * $z \sim \mathcal N(0, I)$ is fresh noise, and $\tilde\beta$ ("beta tilde") is its variance.
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.step
# :start-at: alpha_bar, alpha_bar_prev
# :dedent:
# ```
#
# (A network may also learn the variance. Then $\tilde\beta$ is replaced by (N.5) of the [notation](../notation.md), and `nu` says by how much. Emoji-64 leaves `nu` empty.)
#
# The loop around it has six lines. Here it denoises the sailboat from $t = 690$ on, which is number 10 of the list (`i_start`, counted from 0):

# %%
x, noise = noised(model, boat, i_start, [0], timesteps)
path = []
for t, t_prev in pairwise(timesteps[i_start:]):
    eps, nu = photo(x, t)
    x0_hat = schedule.predict_x0(x, t, eps)  # (N.2)
    z = noise_like(x, noise)
    path.append((t, x, x0_hat))
    x = schedule.step(x, x0_hat, t, t_prev, z, nu)  # (N.3)

# %% mystnb={"figure": {"caption": "The loop at work on the test image: $x_t$ at every fifth step (top) and the clean picture $\\hat x_0$ that the network sees in it (bottom). Seed 0, \"a high quality photo\", timesteps 690, 660, .., 0.", "name": "fig-a14-steps"}, "image": {"alt": "Top, a noisy sailboat becomes a clean picture from left to right; bottom, a soft estimate becomes sharp."}} tags=["hide-input"]
shown = path[::5]
grid(
    [
        unit_range(torch.cat([x_t for _, x_t, _ in shown])),
        unit_range(torch.cat([x0_hat for *_, x0_hat in shown])),
    ],
    titles=[f"$t={t}$" for t, *_ in shown],
    labels=["$x_t$", r"$\hat x_0$"],
    size=1.35,
)

# %% mystnb={"figure": {"caption": "The same, every other step. Left: $x_t$; right: $\\hat x_0$.", "name": "fig-a14-animation"}} tags=["hide-input"]
animation(
    [unit_range(torch.cat([x_t, x0_hat], 3)) for _, x_t, x0_hat in path[::2]]
    + [unit_range(torch.cat([x, path[-1][2]], 3))],
    alt="Left, noise fades from a picture; right, the estimate of the clean picture sharpens.",
    captions=[f"t = {t}" for t, *_ in path[::2]] + [f"t = {timesteps[-1]}"],
)

# %% [markdown]
# All chapters from here on use this loop. In the package it is called `trajectory`. There it can also enforce a condition after each step, which [1.7.2](a1_7_2_inpainting.ipynb) needs.
#
# ## What to see
#
# In {numref}`fig-a14-starts`, one step ends at the average of all pictures, a pale spot. Many steps always end at a picture with clear outlines. But the less is left of the boat, the less it is a boat.
#
# In the bottom row of {numref}`fig-a14-steps` the guess gets sharper from step to step. Here is the end of that loop for three pictures, beside one step and a blur:

# %% mystnb={"figure": {"caption": "From the same noisy pictures ($t = 690$, seed 0): a blur 3 pixels wide, one large step, and 23 small steps. Prompt \"a high quality photo\", no guidance.", "name": "fig-a14-compare"}, "image": {"alt": "A sailboat, a mushroom and a cactus in five columns: the original; the noisy one; a blur, in which only colours are left; one step, soft; many steps, sharp."}} tags=["hide-input"]
names = ["sailboat", "mushroom", "cactus"]
clean = torch.stack([shipped_image(name) for name in names]).to(model.device)
noisy, _ = noised(model, clean, i_start, [0, 0, 0], timesteps)
first, *_, end = denoise_from(model, photo, clean, i_start, [0, 0, 0], timesteps)
blur = low_pass(3)(noisy / schedule.at(timesteps[i_start]).sqrt())
ways = {
    "original": clean,
    f"$t={timesteps[i_start]}$": noisy,
    "blur": blur,
    "one step": first.x0_hat,
    "many steps": end.x,
}
grid(
    [unit_range(torch.stack([w[i] for w in ways.values()])) for i in range(3)],
    titles=list(ways),
    size=1.4,
)

# %% [markdown]
# At $t = 690$ one step does well too. The difference is in the edges. Enlarged:

# %% mystnb={"figure": {"caption": "Parts of {numref}`fig-a14-compare`, 24x24 pixels, enlarged.", "name": "fig-a14-crops"}, "image": {"alt": "Cuts from the three pictures. Edges that are soft after one step are sharper after many, though not always at the same place as in the original."}} tags=["hide-input"]
corners = [(4, 16), (2, 6), (20, 8)]  # top and left of each part
compared = [ways[name] for name in ("original", "blur", "one step", "many steps")]
rows = [
    torch.stack([w[i, :, top : top + 24, left : left + 24] for w in compared])
    for i, (top, left) in enumerate(corners)
]
grid(
    [unit_range(row) for row in rows],
    titles=["original", "blur", "one step", "many steps"],
    size=1.4,
)

# %% [markdown]
# ## Closer, or only sharper?
#
# Both questions have a number. **Closer**: the PSNR of [1.2](a1_2_classical_denoising.ipynb). **Sharper**: take all differences between neighbouring pixels, and of these the largest twentieth, which are the edges of
# the picture. Their mean, as a share of the same number of the original, is the sharpness: 1 is as sharp as the original.

# %% mystnb={"figure": {"caption": "Three ways to denoise, against the timestep that they start from. Left: how close the result is to the original. Right: how sharp it is. Mean and standard error over the drawings of the table below; stored by `python -m benchmarks.denoising`.", "name": "fig-a14-measured"}, "image": {"alt": "Two plots over t. Left, PSNR falls with t, highest for one step. Right, many steps stay sharp while one step and the blur get softer with t."}} tags=["hide-input"]
stored = json.loads((ROOT / "benchmarks/results/denoising.json").read_text())
starts = [key for key in stored["drawings"] if key != "original"]


def values(kind, t, way, measure):
    """One number for each picture; sharpness as a share of the original's."""
    found = np.array(stored[kind][t][way][measure])
    of = stored[kind]["original"][measure] if measure == "sharpness" else 1
    return found / of


def error(x):
    return x.std(ddof=1) / len(x) ** 0.5


fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for ax, measure, label in [
    (axes[0], "psnr", "PSNR, dB"),
    (axes[1], "sharpness", "sharpness, original = 1"),
]:
    for way, style in ("blur", "^:"), ("one step", "s--"), ("many steps", "o-"):
        found = [values("drawings", t, way, measure) for t in starts]
        ax.errorbar(
            [int(t) for t in starts],
            [x.mean() for x in found],
            [error(x) for x in found],
            fmt=style,
            capsize=2,
            label=way,
        )
    ax.set(xlabel="start at $t$", ylabel=label, xticks=[int(t) for t in starts])
axes[1].set_ylim(0, None)
axes[0].legend()
plt.show()


# %% tags=["hide-input"]
def named(kind, way, t):
    rank = np.array(stored[kind][t][way]["rank"] if t else stored[kind][way]["rank"])
    return f"{(rank == 1).mean():.0%}"


t = starts[0]
table(
    [
        [
            f"{kind}: {way}",
            *(
                f"{values(kind, t, way, m).mean():.{d}f} ± {error(values(kind, t, way, m)):.{d}f}"
                for m, d in (("psnr", 1), ("ssim", 2), ("sharpness", 2))
            ),
            named(kind, way, t),
        ]
        for kind in ("drawings", "unseen")
        for way in ("blur", "one step", "many steps")
    ],
    ["", "PSNR, dB", "SSIM", "sharpness", "named"],
    f"Start at t = {t}. Mean and standard error over {len(stored['drawings'][t]['blur']['psnr'])} drawings, which the network was trained on, and over three unseen pictures "
    f"({len(stored['unseen'][t]['blur']['psnr']) // 3} seeds each). Named: how often an independent network gives the picture its right name; "
    f"the originals: {named('drawings', 'original', None)} and {named('unseen', 'original', None)}.",
)

# %% [markdown]
# **One step is closer, many steps are sharper.** In the left plot one step is ahead. For a good network it has to be: its answer is the mean of all pictures that fit, and no other answer has a smaller mean squared error. In the right plot many steps are
# ahead: with more noise one step gets softer and softer, while many steps stay nearly as sharp as before. The loop gives up the mean and picks one of the pictures that fit. That one is sharp, but it is rarely the original.
#
# ## Where it fails
#
# What the noise has covered, the loop must make up. Another seed makes up something else:

# %% mystnb={"figure": {"caption": "The test image, noised and denoised from $t = 690$ with four seeds (\"a high quality photo\"), and how much the four results differ: the standard deviation over seeds, white where it is largest.", "name": "fig-a14-seeds"}, "image": {"alt": "Four sailboats that differ in hull, sail and water, and a map of their differences, bright at the outlines."}} tags=["hide-input"]
*_, four = denoise_from(model, photo, boat[0], i_start, range(4), timesteps)
spread = four.x.clamp(-1, 1).std(0).mean(0).expand(1, 3, -1, -1)
grid(
    [torch.cat([unit_range(four.x), (spread / spread.max()).cpu()])],
    titles=[*(f"seed {s}" for s in range(4)), "where they differ"],
    size=1.5,
)

# %% [markdown]
# The four agree on what could still be seen in the noise: something red above something blue. They differ in the rest, and nothing in a single result says which of its parts are made up.
# A denoised picture is a plausible picture. It is no evidence of what was there.
#
# [1.5](a1_5_sampling.ipynb) takes this to the end, and starts from noise alone.
#
# ## Try it
#
# * In the loop, replace `i_start` by 3 in both places. At $t = 900$ little is left of the boat. The result
#   keeps some of its colours, but shows another thing.
# * Take larger steps: in the loop, replace `timesteps[i_start:]` by `[690, 460, 230, 0]`. With only three steps the result
#   is closer to that of one step: its edges are softer.
#
# ## More
#
# ```{dropdown} Where the step comes from: the product of two Gaussians
# We look for the distribution of the less noisy picture $x_{t'}$, given the noisy one $x_t$ and the clean one $x_0$. By Bayes' rule
#
# $$ q(x_{t'} \mid x_t, x_0) \propto q(x_t \mid x_{t'})\; q(x_{t'} \mid x_0). $$
#
# Both factors are known. The second is the forward process of [1.1](a1_1_forward.ipynb). The first is the forward process from $t'$ on to $t$:
#
# $$ q(x_{t'} \mid x_0) = \mathcal N(\sqrt{\bar\alpha_{t'}}\, x_0,\, 1 - \bar\alpha_{t'}), $$
#
# $$ q(x_t \mid x_{t'}) = \mathcal N(\sqrt{\alpha}\, x_{t'},\, \beta). $$
#
# Seen as a function of $x_{t'}$, the first factor is a Gaussian with mean $x_t / \sqrt\alpha$ and variance $\beta / \alpha$. A product of two Gaussians is a Gaussian again. Its precision (one over the variance) is the
# sum of theirs:
#
# $$ \frac{1}{\tilde\beta} = \frac{\alpha}{\beta} + \frac{1}{1 - \bar\alpha_{t'}} = \frac{\alpha - \bar\alpha_t + \beta}{\beta\,(1 - \bar\alpha_{t'})} = \frac{1 - \bar\alpha_t}{\beta\,(1 - \bar\alpha_{t'})}, $$
#
# since $\alpha \bar\alpha_{t'} = \bar\alpha_t$ and $\alpha + \beta = 1$. That is (N.4). Its mean is the mean of the two means, weighted by their precisions:
#
# $$ \tilde\beta \left( \frac{\alpha}{\beta} \cdot \frac{x_t}{\sqrt\alpha} + \frac{\sqrt{\bar\alpha_{t'}}\, x_0}{1 - \bar\alpha_{t'}} \right) = \frac{\sqrt\alpha\,(1 - \bar\alpha_{t'})}{1 - \bar\alpha_t}\, x_t + \frac{\sqrt{\bar\alpha_{t'}}\,\beta}{1 - \bar\alpha_t}\, x_0. $$
#
# To draw from it, add noise of variance $\tilde\beta$ to the mean. The clean picture $x_0$ is not known, so the guess $\hat x_0$ stands in for it. This gives (N.3).
# ```
#
# ```{dropdown} What steps of 30 cost
# (N.4) takes the guess $\hat x_0$ for the truth. With small steps that does little harm. With steps of 30 the results spread too little, even with a perfect network:
# [B2](../part_b/b2_time_conditioned.ipynb) measures it on data for which the perfect denoiser is known.
# ```
