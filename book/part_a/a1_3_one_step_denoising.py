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
# The denoiser is the pretrained network [Emoji-64](../appendix/emoji64.ipynb). It was trained on 3,060 drawings with captions. The test image is not one of them. The network also reads a prompt. Here it is
# "a high quality photo", which stands for "any picture".

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
from skimage.restoration import denoise_nl_means

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

# %% mystnb={"figure": {"caption": "Top: the test image $x_0$ and its noisy versions (seed 0). Middle: the network's guess $\\hat x_0$ of the clean picture, in one step, with the prompt \"a high quality photo\". Bottom: the best blur of [1.2](a1_2_classical_denoising.ipynb).", "name": "fig-a13-one-step"}, "image": {"alt": "A sailboat, and its noisy versions at three timesteps. Below each, what the network makes of it: a clear boat at t = 250, softer and less faithful ones at 500 and 750. Below that, much blurrier ones by the classical method."}} tags=["hide-input"]
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
# **Training.** Take a drawing $x_0$. Draw a timestep $t$ and noise $\epsilon$, and make the noisy picture $x_t$ by (N.1). Show the network $x_t$, $t$ and the caption, and let it guess the noise. Change its weights $\theta$ a
# little, so that the squared error of its guess gets smaller. Repeat this many thousand times.
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
# with the noise that was added, the clean picture itself comes back
assert torch.allclose(schedule.predict_x0(noisy[500], 500, eps), clean, atol=1e-5)

# %% [markdown]
# **What the network of Part A really answers.** With much noise, (N.2) divides by a small number, so each error of the noise would grow. Emoji-64 therefore answers with a mixture of noise and picture, called the velocity
# {cite:p}`salimans2022`:
#
# $$ v = \sqrt{\bar\alpha_t}\,\epsilon - \sqrt{1-\bar\alpha_t}\,x_0. $$
#
# It is trained on the error of $v$. From $v$ and $x_t$ both parts follow without a division:
#
# $$ \hat x_0 = \sqrt{\bar\alpha_t}\,x_t - \sqrt{1-\bar\alpha_t}\,v, \qquad \epsilon_\theta = \sqrt{\bar\alpha_t}\,v + \sqrt{1-\bar\alpha_t}\,x_t. $$
#
# An error of $v$ is multiplied by a number below 1 in both, so it does not grow. Given this $\epsilon_\theta$, (N.2) leads to the same $\hat x_0$, and all chapters can speak of the noise.
#
# ## How much closer?


# %% tags=["remove-input"]
def non_local(x_t, t, k):
    """Non-local means of 1.2, for pictures (B, 3, H, W)."""
    sd = ((1 - schedule.at(t)) / schedule.at(t)).sqrt().item()
    options = {"h": k * sd, "sigma": sd, "patch_size": 7, "patch_distance": 11}
    pictures = (x_t / schedule.at(t).sqrt()).permute(0, 2, 3, 1).numpy()
    done = [denoise_nl_means(p, channel_axis=-1, **options) for p in pictures]
    return torch.stack([torch.from_numpy(p) for p in done]).permute(0, 3, 1, 2)


ways = {"one step": seen, "best blur": blurred, "non-local means": {}}
for t, x_t in noisy.items():
    tried = [non_local(x_t, t, k).clamp(-1, 1) for k in (0.35, 0.5, 0.7)]
    ways["non-local means"][t] = max(tried, key=lambda x: psnr(x, clean, peak=2).mean())
scores = {
    way: torch.stack([psnr(at[t], clean, peak=2) for t in levels])
    for way, at in ways.items()
}
gain = scores["one step"] - scores["best blur"]
rows = [[way, *(f"{x:.1f}" for x in found.mean(1))] for way, found in scores.items()]
rows.append(
    ["gain over the blur: drawings", *(f"{x:.1f}" for x in gain[:, :6].mean(1))]
)
rows.append(
    ["gain over the blur: photograph", *(f"{x:.1f}" for x in gain[:, 6:].mean(1))]
)
table(
    rows,
    ["PSNR, dB", *(f"t = {t}" for t in levels)],
    "Mean over three drawings and a photograph, with two seeds each. Non-local means is the best filter of 1.2 at t = 250.",
)

# %% [markdown]
# The settings of both filters were chosen with the clean pictures at hand.
#
# ## The guess is an average
#
# Many clean pictures fit the same noisy one. The squared error is smallest for the mean of all of them, each weighted by how well it fits. If the training drawings were all pictures there are, this mean could be computed
# exactly, with no network. The weight of drawing $x_0$ is
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
    # softmax: e to the power of each, divided by their sum
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
    labels=["exact mean", "network"],
    size=1.2,
)

# %% [markdown]
# At $t = 990$ everything fits, and both rows show nearly the same spot: the mean of all drawings. With less noise, the exact mean soon collapses onto one drawing or two. The pictures have 12,288 values, and a drawing that
# fits them a little better than the others gets nearly all the weight. Which one that is depends on the noise, too: at $t = 900$ it is a hospital. At $t = 500$ and 800 it is a sailboat, but not this one.
#
# The network does not look its drawings up like this. Its answer gets softer with more noise, but it stays closer to the test image where the boat can still be seen, at $t = 500$ and 800:

# %% tags=["remove-input"]
table(
    [
        [name, *(f"{psnr(x.clamp(-1, 1), clean[:1], peak=2).item():.1f}" for x in row)]
        for name, row in (("exact mean", exact), ("network", estimates))
    ],
    ["PSNR, dB", *(f"t = {t}" for t in more)],
    "How close the pictures above are to the test image.",
)

# %% [markdown]
# **So the best guess is a mean**, $\hat x_0 = \mathbb E[x_0 \mid x_t]$: the average ($\mathbb E$) of all clean pictures, weighted by how well they fit the noisy one.
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
# On the photograph the network gains less than on the drawings (last row of the first table).
#
# One step answers with an average. [1.4](a1_4_iterative_denoising.ipynb) takes many small steps, and can choose one picture.
#
# ## Try it
#
# * In the code of {numref}`fig-a13-one-step`, ask for `model.denoiser("a sailboat")`. The pictures hardly change: at these timesteps the
#   noisy picture says more than the prompt. [1.5](a1_5_sampling.ipynb) shows where the prompt counts.
# * In the code of {numref}`fig-a13-average`, replace `clean[:1]` by `clean[6:7]`, the cat. Which drawings does the exact mean answer with?
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
#
# ```{dropdown} What the guess has to do with the score
# The mean of all pictures that fit also says in which direction a noisy picture becomes more probable (Tweedie's formula):
#
# $$ \mathbb E[x_0 \mid x_t] = \frac{x_t + (1 - \bar\alpha_t)\, \nabla_{\!x_t} \log p(x_t)}{\sqrt{\bar\alpha_t}}. $$
#
# Here $p(x_t)$ is the probability density of noisy pictures, and $\nabla_{\!x_t}$ is the gradient with respect to the values of $x_t$. Comparing this with (N.2), $\epsilon_\theta$ is an estimate of
# $-\sqrt{1 - \bar\alpha_t}\; \nabla_{\!x_t} \log p(x_t)$. The gradient $\nabla_{\!x_t} \log p(x_t)$ is called the **score**.
# ```
