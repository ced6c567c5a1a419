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
# # 1.3 One-step denoising
#
# How much better is a denoiser that has seen many pictures?

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
import torch

from diffusion_utils.metrics import psnr, ssim
from diffusion_utils.pictures import shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import low_pass

model = load_pretrained()
schedule = model.schedule

# %% mystnb={"figure": {"caption": "Top: the test image $x_0$ and its noisy versions (seed 0). Middle: the clean picture $\\hat x_0$ that the network sees in each, in one step, with the prompt \"a high quality photo\". Bottom: the best blur of [1.2](a1_2_classical_denoising.ipynb).", "name": "fig-a13-one-step"}, "image": {"alt": "A sailboat, and its noisy versions at three timesteps. Below each, what the network makes of it: a clear boat at t = 250, softer and less faithful ones at 500 and 750. Below that, much blurrier ones by the classical method."}} tags=["hide-input"]
names = ["sailboat", "mushroom", "cactus", "photograph-cat"]
clean = torch.stack([shipped_image(name) for name in names]).repeat_interleave(2, 0)
eps = unit_noise(model.shape, generators([0, 1] * len(names)))
photo = model.denoiser("a high quality photo")


@torch.no_grad()
def one_step(x_t, t):
    return schedule.predict_x0(x_t, t, photo(x_t.to(model.device), t).eps.to(x_t))


levels, widths = [250, 500, 750], [0.5, 1, 1.5, 2, 3, 4, 6]
noisy = {t: schedule.forward(clean, t, eps) for t in levels}
seen = {t: one_step(x_t, t).clamp(-1, 1) for t, x_t in noisy.items()}
blurred = {}
for t, x_t in noisy.items():
    blurs = [low_pass(w)(x_t / schedule.at(t).sqrt()).clamp(-1, 1) for w in widths]
    blurred[t] = max(blurs, key=lambda blur: psnr(blur, clean, peak=2).mean())


def row(i, *per_level):
    """Rows of pictures of image i; the clean one stands before the first."""
    start = [clean[i : i + 1]] + [torch.ones_like(clean[:1])] * (len(per_level) - 1)
    return [
        unit_range(torch.cat([first, *(at[t][i : i + 1] for t in levels)]))
        for first, at in zip(start, per_level, strict=True)
    ]


grid(
    row(0, noisy, seen, blurred),
    titles=["$x_0$", *(f"$t={t}$" for t in levels)],
    labels=["noisy", "one step", "blur"],
    size=1.45,
)

# %% [markdown]
# ## The idea
#
# The pretrained network gets a noisy picture $x_t$, the timestep $t$ and a prompt. It answers with its guess of the noise in the picture. If we know the noise, we can take it away. Solving (N.1) for the clean picture gives
#
# $$ \hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\,\epsilon_\theta(x_t, t)}{\sqrt{\bar\alpha_t}} \tag{N.2} $$
#
# * $\epsilon_\theta(x_t, t)$ is the network's guess of the noise; $\theta$ stands for its weights. The prompt is not written out.
# * $\hat x_0$ ("x zero hat") is the clean picture that follows from it. The hat says that it is an estimate.
# * $\bar\alpha_t$ is the number of [1.1](a1_1_forward.ipynb): how much of the picture is left.
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.predict_x0
# :lines: 1,3-
# :dedent:
# ```

# %%
denoise = model.denoiser("a high quality photo")
x_t = noisy[500].to(model.device)
x0_hat = schedule.predict_x0(x_t, 500, denoise(x_t, 500).eps)

# %% [markdown]
# The prompt "a high quality photo" stands for "any picture". Emoji-64 has learned it that way: now and then its training drawings were called by this phrase, or one like it,
# instead of their name.
#
# ## What to see
#
# In {numref}`fig-a13-one-step`, compare the two lower rows. The blur has to soften every edge. The network knows that drawings have sharp edges and plain areas, so it can
# clean an area and keep its edge. The more noise there is, the more it has to guess, and the softer its picture becomes.
#
# ## How much closer?


# %% tags=["hide-input"]
def pm(values, digits=1):
    return f"{values.mean():.{digits}f} ± {values.std():.{digits}f}"


rows = []
for t in levels:
    for name, estimate in ("one step", seen[t]), ("best blur", blurred[t]):
        p, s = psnr(estimate, clean, peak=2), ssim(estimate, clean, peak=2)
        rows.append([t, name, pm(p), pm(s, 2)])
table(
    rows,
    ["t", "method", "PSNR, dB", "SSIM"],
    "Mean and standard deviation over four pictures (sailboat, mushroom, cactus, photograph of a cat) and two seeds (0, 1). Higher is closer to the original.",
)

# %% [markdown]
# The width of the blur was chosen with the clean pictures at hand, so the table is fair to the blur.
#
# ## Where it fails
#
# **The guess is an average.** Many clean pictures fit the same noisy one. In training the network was rewarded for a small *squared* error, and the best answer then is
# the mean of all pictures that fit. With little noise they are all alike and their mean is sharp. With much noise they differ, and their mean is a blur:

# %% mystnb={"figure": {"caption": "The clean picture that the network sees in the noisy test image as $t$ grows. Seed 0, \"a high quality photo\".", "name": "fig-a13-average"}, "image": {"alt": "Estimates of the sailboat at six timesteps. They lose their edges from left to right; the last is a pale spot without a shape."}} tags=["hide-input"]
more = [250, 500, 650, 800, 900, 990]
estimates = [one_step(schedule.forward(clean[:1], t, eps[:1]), t) for t in more]
grid([unit_range(torch.cat(estimates))], titles=[f"$t={t}$" for t in more], size=1.4)

# %% [markdown]
# **It knows only what it has seen.** Emoji-64 was trained on drawings, and a photograph is something else:

# %% mystnb={"figure": {"caption": "A photograph at three timesteps, seed 0, and what the network and the best blur make of it.", "name": "fig-a13-photograph"}, "image": {"alt": "A cat's face, and the same under noise. Below, the network's version, in which the eyes can be seen at t = 250 and the face is lost at t = 750; and the blur's, which is softer still."}} tags=["hide-input"]
grid(
    row(6, noisy, seen, blurred),
    titles=["original", *(f"$t={t}$" for t in levels)],
    labels=["noisy", "one step", "blur"],
    size=1.45,
)

# %% tags=["hide-input"]
gain = {
    t: psnr(seen[t], clean, peak=2) - psnr(blurred[t], clean, peak=2) for t in levels
}
table(
    [
        [
            name.replace("-cat", ""),
            *(f"{gain[t].view(-1, 2)[i].mean():+.1f}" for t in levels),
        ]
        for i, name in enumerate(names)
    ],
    ["picture", *(f"t = {t}" for t in levels)],
    "PSNR of one step minus PSNR of the best blur, in dB, mean of seeds 0 and 1.",
)

# %% [markdown]
# The network gains least on the photograph (last row). What it cannot know it replaces by what drawings have, and at $t = 750$ its answer is no face any more.
#
# One step must answer with an average. [1.4](a1_4_iterative_denoising.ipynb) takes many small steps, and can choose one picture.
#
# ## Try it
#
# * In the code of {numref}`fig-a13-one-step`, ask for `model.denoiser("a sailboat")`. The pictures hardly change: at these timesteps the
#   noisy picture says more than the prompt. [1.5](a1_5_sampling.ipynb) measures where the prompt counts.
# * Set `levels = [50, 100, 150]`. With so little noise the network brings back nearly everything, and even the narrowest blur does harm.
#
# ## More
#
# ```{dropdown} Why the best answer is a mean
# The network is trained to make $\mathbb E \lVert \epsilon - \epsilon_\theta(x_t, t) \rVert^2$ small. For a given $x_t$, every other number $a$ in place of the mean $m = \mathbb E[\epsilon \mid x_t]$
# is worse:
#
# $$ \mathbb E\big[(\epsilon - a)^2 \mid x_t\big] = \mathbb E\big[(\epsilon - m)^2 \mid x_t\big] + (m - a)^2, $$
#
# since the mixed term $2(m - a)\,\mathbb E[\epsilon - m \mid x_t]$ is 0. So the best network answers with $\mathbb E[\epsilon \mid x_t]$, and (N.2) turns it into
# $\hat x_0 = \mathbb E[x_0 \mid x_t]$, the mean of all clean pictures, weighted by how well they fit.
# ```
