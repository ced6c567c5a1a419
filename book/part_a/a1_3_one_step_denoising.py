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
#
# The denoiser is the pretrained network [Emoji-64](../appendix/emoji64.ipynb). It was trained on drawings, each with a caption, and it wants a prompt. Here the prompt is "a high quality photo", which the coursework
# uses for "any picture". Emoji-64 has learned it that way: now and then its training drawings were called by this phrase, or one like it, instead of their name.

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

from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import plain
from diffusion_utils.metrics import psnr
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
# Compare the two lower rows. The blur has to soften every edge. The network knows that drawings have sharp edges and plain areas, so it can
# clean an area and keep its edge. The more noise there is, the more it has to guess, and the softer its picture becomes.
#
# ## The idea
#
# **Training.** Take a drawing $x_0$. Draw a timestep $t$ and noise $\epsilon$, and make the noisy picture $x_t$ by (N.1). Show the network $x_t$, $t$ and the caption, and ask it for the noise. Change its weights $\theta$ a
# little, so that its error gets smaller:
#
# $$ \lVert \epsilon - \epsilon_\theta(x_t, t) \rVert^2 $$
#
# Repeat this many thousand times.
#
# **Use.** If we know the noise, we can take it away. Solving (N.1) for the clean picture gives
#
# $$ \hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\,\epsilon_\theta(x_t, t)}{\sqrt{\bar\alpha_t}} \tag{N.2} $$
#
# * $\epsilon_\theta(x_t, t)$ is the network's guess of the noise; $\theta$ stands for its weights. The prompt is left out of the formula to keep it short.
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

# %% tags=["remove-input"]
amplified = ((1 - schedule.at(990)) / schedule.at(990)).sqrt()
table(
    [[f"{schedule.at(990).sqrt():.3f}", f"{amplified:.0f}"]],
    ["√ᾱ at t = 990", "an error of ε grows in x̂₀ by"],
    "What (N.2) divides by when there is much noise.",
)

# %% [markdown]
# With much noise, (N.2) divides by a small number and makes each error of the noise much larger. This is why Emoji-64 does not answer with the noise itself. It answers with a mixture of noise and picture, the velocity
# $v = \sqrt{\bar\alpha_t}\,\epsilon - \sqrt{1-\bar\alpha_t}\,x_0$ {cite:p}`salimans2022`, and $\epsilon_\theta$ is computed from that.
#
# ## How much closer?

# %% tags=["hide-input"]
gain = {
    t: psnr(seen[t], clean, peak=2) - psnr(blurred[t], clean, peak=2) for t in levels
}


def pm(values):
    return f"{values.mean():.1f} ± {values.std() / len(values) ** 0.5:.1f}"


rows = [
    ["one step", *(pm(psnr(seen[t], clean, peak=2)) for t in levels)],
    ["best blur", *(pm(psnr(blurred[t], clean, peak=2)) for t in levels)],
    ["gain", *(pm(gain[t]) for t in levels)],
]
rows += [
    [
        f"gain: {name.replace('-cat', '')}",
        *(f"{gain[t].view(-1, 2)[i].mean():.1f}" for t in levels),
    ]
    for i, name in enumerate(names)
]
table(
    rows,
    ["PSNR, dB", *(f"t = {t}" for t in levels)],
    "Upper three rows: mean ± its standard error over four pictures with two seeds each (0, 1); the gain is taken picture by picture. Below: the gain for each picture, mean of both seeds.",
)

# %% [markdown]
# The width of the blur was chosen with the clean pictures at hand, so the table is fair to the blur.
#
# ## The guess is an average
#
# Many clean pictures fit the same noisy one. The squared error is smallest for the mean of all of them, each weighted by how well it fits. If the training drawings were all pictures there are, this mean could be computed
# exactly. The weight of drawing $x_0$ is
#
# $$ w(x_0) \propto e^{-\lVert x_t - \sqrt{\bar\alpha_t}\, x_0 \rVert^2 / (2 (1 - \bar\alpha_t))}. $$
#
# (Here $\lVert\cdot\rVert^2$ is the sum over pixels.) In code, with all 3,060 drawings on white:

# %%
data = emoji()
drawings = plain(data, torch.arange(len(data.images))).flatten(1)


def exact_mean(x_t, t):
    alpha_bar = schedule.at(t).item()
    scaled = alpha_bar**0.5 * drawings
    distance = torch.cdist(x_t.flatten(1), scaled) ** 2
    weights = (-distance / (2 * (1 - alpha_bar))).softmax(1)
    return (weights @ drawings).view_as(x_t)


# %% mystnb={"figure": {"caption": "The test image at more and more noise (seed 0). Top: the exact mean over the 3,060 training drawings. Bottom: the network's answer in one step, \"a high quality photo\".", "name": "fig-a13-average"}, "image": {"alt": "Two rows of six. Top: another sailboat, up to t = 800; a sailboat with a ferry shining through it; a hospital; two buildings in one; a grey spot. Bottom: the red sailboat of the test image, softer and softer from left to right, and a grey spot at the end."}} tags=["hide-input"]
more = [500, 800, 850, 900, 950, 990]
steps = [schedule.forward(clean[:1], t, eps[:1]) for t in more]
exact = [exact_mean(x_t, t) for x_t, t in zip(steps, more, strict=True)]
estimates = [one_step(x_t, t) for x_t, t in zip(steps, more, strict=True)]
grid(
    [unit_range(torch.cat(exact)), unit_range(torch.cat(estimates))],
    titles=[f"$t={t}$" for t in more],
    labels=["exact", "network"],
    size=1.2,
)

# %% [markdown]
# At $t = 990$ everything fits, and both rows show the same grey spot: the mean of all drawings. At $t = 850$ and 950 the upper row shows a mean of two or three drawings, one shining through the other. At $t = 500$ and 800 hardly more than one drawing is left, the
# nearest one. It is a sailboat, but not this one.
#
# There the network is closer to the test image than the exact mean is. It does not only look its drawings up. It has learned what they have in common, and answers as if there were many more of them, so the sails stay red.
# The price is that its answer gets soft long before $t = 990$.
#
# Two facts that later chapters use. The best guess is $\hat x_0 = \mathbb E[x_0 \mid x_t]$, the mean of all clean pictures that fit. And it also says in which direction a noisy picture becomes more probable (Tweedie's formula):
#
# $$ \mathbb E[x_0 \mid x_t] = \frac{x_t + (1 - \bar\alpha_t)\, \nabla_{\!x_t} \log p(x_t)}{\sqrt{\bar\alpha_t}}. $$
#
# Here $p(x_t)$ is the probability density of noisy pictures. Beside (N.2) this says that $\epsilon_\theta$ stands for $-\sqrt{1 - \bar\alpha_t}\; \nabla \log p(x_t)$. The gradient $\nabla \log p$ is called the **score**.
#
# ## Where it fails
#
# **It knows only what it has seen.** Emoji-64 was trained on drawings, and a photograph is something else:

# %% mystnb={"figure": {"caption": "A photograph at three timesteps, seed 0, and what the network and the best blur make of it.", "name": "fig-a13-photograph"}, "image": {"alt": "A cat's face, and the same under noise. Below, the network's version, in which the eyes can be seen at t = 250 and the face is lost at t = 750; and the blur's, which is softer still."}} tags=["hide-input"]
grid(
    row(6, noisy, seen, blurred),
    titles=["original", *(f"$t={t}$" for t in levels)],
    labels=["noisy", "one step", "blur"],
    size=1.45,
)

# %% [markdown]
# The network gains least on the photograph (last row of the table). What it cannot know it replaces by what drawings have, and at $t = 750$ its answer is no face any more.
#
# One step must answer with an average. [1.4](a1_4_iterative_denoising.ipynb) takes many small steps, and can choose one picture.
#
# ## Try it
#
# * In the code of {numref}`fig-a13-one-step`, ask for `model.denoiser("a sailboat")`. The pictures hardly change: at these timesteps the
#   noisy picture says more than the prompt. [1.5](a1_5_sampling.ipynb) shows where the prompt counts.
# * In the code of {numref}`fig-a13-average`, replace `clean[:1]` by `clean[6:7]`, the cat. The exact mean answers with a door and a postbox.
#
# ## More
#
# ```{dropdown} Why the best answer is a mean
# For a given $x_t$, every other number $a$ in place of the mean $\mu = \mathbb E[\epsilon \mid x_t]$ is worse:
#
# $$ \mathbb E\big[(\epsilon - a)^2 \mid x_t\big] = \mathbb E\big[(\epsilon - \mu)^2 \mid x_t\big] + (\mu - a)^2, $$
#
# since the mixed term $2(\mu - a)\,\mathbb E[\epsilon - \mu \mid x_t]$ is 0. So the best network answers with $\mathbb E[\epsilon \mid x_t]$, and (N.2) turns it into
# $\hat x_0 = \mathbb E[x_0 \mid x_t]$, the mean of all clean pictures, weighted by how well they fit.
# ```
