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
# How much closer than filters does a network come in one step?
#
# **For our test pictures, 1 to 3 decibels closer than the best of three filters** (with 3 decibels more, the squared error is half as large). A blur averages pixels. The best guess averages whole pictures: all that may be under the noise, each weighted by how well it fits. Which pictures may be there? If only the training drawings may, this average can be computed. We compare it with what the network answers. The two differ, and on new drawings the network is much closer to the truth, up to $t = 900$.

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
    if not fetches:
        sys.exit("Open this notebook where it belongs, in a complete copy of the book.")
    if ADDRESS.endswith(".invalid"):
        sys.exit(
            "This copy of the book is not published, so there is nothing to fetch."
        )
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

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown

from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import plain
from diffusion_utils.files import ROOT
from diffusion_utils.filters import (
    best_linear,
    exact_mean,
    non_local_means,
)
from diffusion_utils.pictures import shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import low_pass

model = load_pretrained()
schedule = model.schedule
data = emoji()
drawings = plain(data, torch.arange(len(data.images)))
stored = json.loads((ROOT / "benchmarks/results/one_step.json").read_text())
linear = best_linear(drawings)

# %% mystnb={"figure": {"caption": "From top to bottom: the test image $x_0$ and its noisy versions $x_t$ (seed 0); the network's guess $\\hat x_0$ in one step; and three filters of [1.2](a1_2_classical_denoising.ipynb).", "name": "fig-a13-one-step"}, "image": {"alt": "A sailboat, and its noisy versions at three timesteps. The network: clear boats at t = 250 and 500, a softer one of another shape at 750. Blur: a grainy boat, a soft one, a red patch over brown and blue. Non-local means: a clear boat, a grainy one with a faint mast, a red cloud over a blue one. Best linear filter: two grainy boats and a vague one, with dark smears."}} tags=["hide-input"]
clean = shipped_image("sailboat")[None]
eps = unit_noise(model.shape, generators([0]))
photo = model.denoiser("a high quality photo")


@torch.no_grad()
def one_step(x_t, t):
    return schedule.predict_x0(x_t, t, photo(x_t.to(model.device), t).eps.to(x_t))


def brightened(x_t, t):
    """In the brightness of the clean picture, and the variance of its noise."""
    alpha_bar = schedule.at(t).item()
    return x_t / alpha_bar**0.5, (1 - alpha_bar) / alpha_bar


levels = [250, 500, 750]
noisy = {t: schedule.forward(clean, t, eps) for t in levels}
rows = {"noisy": [clean, *noisy.values()]}
for way in "network", "blur", "non-local means", "best linear":
    rows[way] = [torch.ones_like(clean)]  # a blank under the clean picture
for t, x_t in noisy.items():
    x, N = brightened(x_t, t)
    best = stored["filters"][str(t)]
    h = best["setting"] * N**0.5
    rows["network"].append(one_step(x_t, t))
    rows["blur"].append(low_pass(best["width"])(x))
    rows["non-local means"].append(non_local_means(x, h, N))
    rows["best linear"].append(linear(x, N))
grid(
    [unit_range(torch.cat(pictures)) for pictures in rows.values()],
    titles=["$x_0$", *(f"$t={t}$" for t in levels)],
    labels=list(rows),
    size=1.2,
)

# %% [markdown]
# At $t = 250$ non-local means looks as clear as the network. At 500 the network's boat is the clearest. At 750 the network still draws a boat, a softer one, but its shape is wrong.
#
# ## The idea
#
# The denoiser is [Emoji-64](../appendix/emoji64.ipynb), a network: a function of a noisy picture, a timestep and a prompt, with many weights $\theta$. It was trained on 3,060 drawings with captions, without the test image.
#
# **Training.** Take a drawing $x_0$ with its caption, a timestep $t$ and noise $\epsilon$. Make $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon$ (N.1). The network sees $x_t$, $t$ and the caption, and makes a guess $\epsilon_\theta(x_t, t)$ of the noise. Change $\theta$ a little, so that the squared error $\lVert \epsilon - \epsilon_\theta(x_t, t) \rVert^2$, the sum over all values, gets smaller. Repeat. (What Emoji-64 really answers: see the end.)
#
# **The prompt** here is "a high quality photo". It names no thing: in training, it sometimes stood in place of a drawing's caption. The formulas leave it out.
#
# **Use.** Put the guess in place of the noise in (N.1), and solve for the clean picture. This gives the estimate $\hat x_0$ ("x zero hat").
#
# $$ \hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\,\epsilon_\theta(x_t, t)}{\sqrt{\bar\alpha_t}} \tag{N.2} $$
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.predict_x0
# :lines: 1,3-
# :dedent:
# ```

# Its error is $\hat x_0 - x_0 = \sqrt N\,(\epsilon - \epsilon_\theta)$, with $N = (1 - \bar\alpha_t)/\bar\alpha_t$. At a given $t$, $N$ is a fixed number. So the best guess of the noise is also the best guess of the picture.

# %%
denoise = model.denoiser("a high quality photo")
x_t = noisy[500].to(model.device)
x0_hat = schedule.predict_x0(x_t, 500, denoise(x_t, 500).eps)
# with the noise that was added, the clean picture itself comes back
back = schedule.predict_x0(noisy[500], 500, eps)
assert torch.allclose(back, clean, atol=1e-5)

# %% [markdown]
# ## How much closer?

# %% tags=["remove-input"]
seeds = stored["seeds"]
filters = ["blur", "non-local means", "best linear"]
rows = []
for kind, some in (
    ("drawings", slice(-seeds)),
    ("photograph", slice(-seeds, None)),
):
    ours, theirs = [f"{kind}: network"], [f"{kind}: best filter"]
    for t in levels:
        found = stored["filters"][str(t)]
        scores = {way: np.mean(found[way][some]) for way in filters}
        best = max(scores, key=scores.get)
        ours.append(f"{np.mean(found['one step'][some]):.1f}")
        theirs.append(f"{scores[best]:.1f} ({best})")
    rows += [ours, theirs]
table(
    rows,
    ["PSNR, dB", *(f"t = {t}" for t in levels)],
    "Mean over six drawings that the network was not trained on, or a photograph of a cat, from "
    f"{seeds} seeds each. From python -m benchmarks.one_step.",
)

# %% [markdown]
# The network is ahead at each timestep. At $t = 250$ non-local means looks as clear in {numref}`fig-a13-one-step`; in one picture that is hard to see. (Blur and non-local means have the settings that are best for these pictures on average.)
#
# ## The best guess is an average
#
# Many clean pictures can lead to the same $x_t$. Which guess has the smallest squared error on average over them? Their mean $\mu = \mathbb E[x_0 \mid x_t]$, in which each picture has as much weight as it is probable, given $x_t$. Any other guess $a$ has a larger error, by its squared distance from the mean. For one value of the picture:
#
# $$ \mathbb E\big[(x_0 - a)^2 \mid x_t\big] = \mathbb E\big[(x_0 - \mu)^2 \mid x_t\big] + (\mu - a)^2. $$
#
# If all pictures that there can be are on a list, and equally probable at first, this mean can be computed, without a network. As in 1.2, $x = x_t/\sqrt{\bar\alpha_t}$ has noise of variance $N = (1 - \bar\alpha_t)/\bar\alpha_t$. If $x_0$ is the clean picture, the noise is $x - x_0$. The less probable this noise, the less probable is $x_0$. By Bayes' rule the weight of $x_0$ is proportional ($\propto$) to its Gaussian density:
#
# $$ w(x_0) \propto e^{-\lVert x - x_0 \rVert^2 / (2 N)}. $$
#
# Take one pixel that is black ($-1$) or white (1), and let $x = 0.5$ and $N = 1$ (at $t = 500$ it is 1.03). White needs the noise $-0.5$, and $e^{-0.5^2/2} = 0.88$. Black needs $1.5$, and $e^{-1.5^2/2} = 0.32$. Divided by their sum, the weights are 0.73 and 0.27. The mean is $0.73 - 0.27 = 0.46$, a light grey.
#
# In code, `softmax` makes such weights of their exponents:
#
# ```{literalinclude} ../../diffusion_utils/filters.py
# :pyobject: posterior
# :lines: 1,3-
# :dedent:
# ```
#
# ```{literalinclude} ../../diffusion_utils/filters.py
# :pyobject: exact_mean
# :lines: 1,3-
# :dedent:
# ```
#
# Here is the pixel's mean for each $x$, and the mean of a longer list: rows of 32 pixels, black left of an edge and white right of it, one for each place of the edge.

# %% mystnb={"figure": {"caption": "The mean $\\mathbb E[x_0 \\mid x_t]$. Left: of one pixel that is black or white, against its noisy value $x$. Right: of a row of 32 pixels with one edge (grey), seed 0.", "name": "fig-a13-pixel"}, "image": {"alt": "Left, three rising curves: the one for t = 250 jumps from -1 to 1 near zero, that for t = 500 does so more softly, that for t = 750 only goes from -0.3 to 0.3. Right, a grey step at place 17. The mean for t = 250 lies on it; that for t = 500 is a slightly soft step two places further right; that for t = 750 is a slope over about 18 places."}} tags=["hide-input"]
fig, (left, right) = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained")
pixel, row = torch.tensor([[-1.0], [1.0]]), torch.ones(33, 32).triu() * 2 - 1
assert round(exact_mean(torch.tensor([[0.5]]), 1, pixel).item(), 2) == 0.46
x, place = torch.linspace(-2, 2, 200)[:, None], range(1, 33)
right.step(place, row[16], where="mid", color="silver", lw=4)
for t in levels:
    N = brightened(x, t)[1]
    left.plot(x, exact_mean(x, N, pixel), label=f"$t={t}$")
    x_t = schedule.forward(row[16:17], t, unit_noise((32,), generators([0])))
    right.step(place, exact_mean(*brightened(x_t, t), row)[0], where="mid")
left.set(xlabel="$x$", ylabel="best guess")
right.set(xlabel="place in the row")
left.legend()
plt.show()

# %% [markdown]
# With little noise, the pixel's mean is mostly nearly black or white, with much noise a grey. In the row, almost only one edge fits at $t = 250$, and the mean is sharp. At $t = 500$ the mean is nearly sharp but in a wrong place: this noise favours places right of the edge. At $t = 750$ many fit, and the mean is a slope.
#
# ## Does the network answer with this mean?
#
# A network that could be any function, and that was trained long enough, would answer with exactly this mean over all that it was shown. Does ours?
#
# First let the list be the 3,060 training drawings, each once and as it is. We take a drawing that is on the list, and the test image, which is not. For each we ask the network, and compute the **exact mean** over the list:

# %% mystnb={"figure": {"caption": "Two pictures with more and more noise (seed 0), the network's answer $\\hat x_0$ and the exact mean over all training drawings.", "name": "fig-a13-average"}, "image": {"alt": "Twice three rows: noisy, network, exact mean. A training drawing of a yellow sailboat: the network's boats, softer and softer, and a brownish square; the exact mean is the drawing itself up to t = 900, a mixture with a hospital at 950, and a brownish spot at 990. The test image: the network's red boats, softer and softer, and a brownish square; the exact mean is another boat at 500 and 800, a hospital at 900, a hospital mixed with a mountain at 950, and the same spot."}} tags=["hide-input"]
more = [500, 800, 900, 950, 990]
known = drawings[2333][None]
rows = []
for picture in known, clean:
    steps = [schedule.forward(picture, t, eps) for t in more]
    answers = [one_step(x_t, t) for x_t, t in zip(steps, more, strict=True)]
    means = [
        exact_mean(*brightened(x_t, t), drawings)
        for x_t, t in zip(steps, more, strict=True)
    ]
    blank = torch.ones_like(picture)
    rows += [[picture, *steps], [blank, *answers], [blank, *means]]
grid(
    [unit_range(torch.cat(row)) for row in rows],
    titles=["$x_0$", *(f"$t={t}$" for t in more)],
    labels=[
        *("on the list:\nnoisy", "network", "exact mean"),
        *("not on it:\nnoisy", "network", "exact mean"),
    ],
    size=1.1,
)

# %% mystnb={"figure": {"caption": "Mean squared error against $t$, of 102 training drawings (on the list, one seed each) and the six new ones of the first table (eight seeds each). From `python -m benchmarks.one_step`.", "name": "fig-a13-errors"}, "image": {"alt": "Four lines. On the list: the exact mean is at 0 up to t = 900, then rises steeply to 0.25, below the network, which rises from 0.02 to 0.27. New drawings: the exact mean stays near 0.2, the network rises from 0.03 to 0.24 and crosses it between 950 and 990."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
for name, kind, some, style in (
    ("new drawings", "pictures", slice(-seeds), "-"),
    ("on the list", "drawings", slice(None), "--"),
):
    for way, color in ("exact mean", "C1"), ("one step", "C0"):
        found = [np.mean(stored["means"][kind][str(t)][way][some]) for t in more]
        label = f"{way.replace('one step', 'network')}, {name}"
        ax.plot(more, found, style, marker="o", ms=4, color=color, label=label)
ax.set(xlabel="$t$", ylabel="mean squared error", ylim=(0, None), xticks=more)
ax.legend(fontsize=8)
plt.show()

# %% [markdown]
# **On the list, the exact mean is the best guess.** Up to $t = 900$ almost only the drawing itself fits, and the mean is nearly the drawing. (See below for how that can be, where we see nothing but noise.) At $t = 950$ a hospital fits, too. The error of the mean is below the network's at each timestep.
#
# **Not on the list, it is often far off.** It is the best guess on average over the list, and knows nothing else. With this noise, the mean up to $t = 900$ is mostly one drawing of the list: another boat, or a hospital, which this noise happens to favour. The network is much closer to the new drawings there. At $t = 950$ it is barely ahead. At $t = 990$ the noise hides almost everything, and almost every drawing of the list fits. Their mean, a brownish spot on white, is then a little closer than the network, whose guess has colours in the corners, too. (Solid and dashed lines are of different drawings. So compare lines of the same kind.)

# %% tags=["remove-input"]
levels_of_noise = [
    (1 - schedule.at(t).item()) / schedule.at(t).item() for t in more[2:]
]
lower = [drawings[0].numel() * 0.4 / (2 * N) for N in levels_of_noise]
assert (
    lower[0] > 3 * np.log(len(drawings)) > lower[1] > np.log(len(drawings)) > lower[2]
)
Markdown(
    f"**Why does a single drawing win where we see nothing but noise?** The exponent of its weight adds up the differences of all {drawings[0].numel():,} values. Take a wrong drawing whose squared difference from the right one is 0.4 on average. In the mean over the noise its exponent is lower by {lower[0]:.0f} at $t = 900$, by {lower[1]:.0f} at 950, and by {lower[2]:.1f} at 990. To outweigh {len(drawings):,} wrong ones takes about $\\ln {len(drawings)} = {np.log(len(drawings)):.0f}$."
)

# %% [markdown]
# **So the network does not answer with this mean.** That is lucky: a model that always gave the exact mean would only draw its list again, as [1.5](a1_5_sampling.ipynb) shows.
#
# Why is the network different? In training it did not see the drawings just as they are. They were moved a little, and some got another colour or background. So let us compute the mean over all that was shown in some passes of the training. (A pass shows some of the drawings twice.)

# %% tags=["remove-input"]
of_new = {
    way: {t: np.mean(stored["means"]["pictures"][str(t)][way][:-seeds]) for t in more}
    for way in ("exact mean", "as in training", "one step")
}
exact, shown, network = of_new.values()
for t in (500, 800, 900):
    assert 0.05 < (exact[t] - shown[t]) / (exact[t] - network[t]) < 0.15
assert abs(shown[990] - network[990]) < 0.02 < shown[990] - exact[990]
names = [
    f"exact mean, {len(drawings):,} drawings",
    f"exact mean, {stored['as in training']:,} as in training",
    "network",
]
table(
    [
        [name, *(f"{errors[t]:.3f}" for t in more)]
        for name, errors in zip(names, of_new.values(), strict=True)
    ],
    ["mean squared error", *(f"t = {t}" for t in more)],
    "The six new drawings, eight seeds each. From python -m benchmarks.one_step.",
)

# %% [markdown]
# At $t = 990$ the network errs about as much as the mean of this second list. (A part of the changed drawings have coloured backgrounds. Perhaps that is why it expects some colour in the corners.) At less noise the second list explains about a tenth of the difference. A longer one may explain more. Two other reasons are possible, and we have not tested them. The network may be too small to know all drawings by heart. And it can look for small pieces that fit, not only for whole pictures. How much it copies all the same is measured [for Emoji-64](../appendix/emoji64.ipynb).
#
# ## Where it fails
#
# An average of several shapes is none of them. For the list of 3,060, a single drawing fits at $t = 750$. But we suppose that the network has learned to expect more drawings than these: moved ones, recoloured ones, perhaps drawings that nobody has drawn. Of those many fit, and which fit best depends on the noise:

# %% mystnb={"figure": {"caption": "The test image, and the network's answer in one step at $t = 750$, for five noises (seeds 0 to 4).", "name": "fig-a13-seeds"}, "image": {"alt": "The sailboat, and five soft pictures with its colours, whose shapes differ from it and from each other."}} tags=["hide-input"]
several = unit_noise(model.shape, generators(range(5)))
answers = one_step(schedule.forward(clean, 750, several), 750)
grid(
    [unit_range(torch.cat([clean, answers]))],
    titles=["$x_0$", *(f"seed {s}" for s in range(5))],
    size=1.2,
)

# %% [markdown]
# All five are soft beside the original, and each has a wrong shape of its own.
#
# What helps? In squared error nothing does: no guess is better than the mean. But as a picture a mean is soft. For a sharp picture, take away only a little of the noise, and ask again. With less noise fewer pictures fit, so their mean is sharper. In the end one picture is left: one of those that fitted, and not always the true one. So the steps make the result sharper, not closer. [1.4](a1_4_iterative_denoising.ipynb) takes many of them.
#
# ## Try it
#
# Change the code, and run its cell again.
#
# 1. **A wrong prompt.** In the code of {numref}`fig-a13-one-step`, set `photo = model.denoiser("a cactus")`. At which timesteps does the prompt matter?
# 2. **A photograph.** There, replace `"sailboat"` by `"photograph-cat"`. The network was trained on drawings only. What does it make of the cat?
#
# ```{dropdown} What we got
# 1. Where the noise hides the boat. At $t = 250$ and 500 it stays a boat; at 750 it gets green.
# 2. At $t = 250$ a cat that looks drawn, with smooth areas in place of fur. At 500 a face is left without eyes.
# ```
#
# ## More
#
# ```{dropdown} The guess as a direction
# The guess also says in which direction a noisy picture becomes more probable (Tweedie's formula, for [1.6](a1_6_guidance.ipynb)):
#
# $$ \epsilon_\theta(x_t, t) \approx -\sqrt{1 - \bar\alpha_t}\; \nabla_{\!x_t} \log p(x_t) $$
#
# Here $p(x_t)$ is the probability density of noisy pictures. The gradient $\nabla_{\!x_t} \log p(x_t)$ is called the **score**.
#
# Why? Write $p(x_t) = \mathbb E_{x_0}[q(x_t \mid x_0)]$, with the Gaussian $q$ of 1.1, and take the gradient of the logarithm:
#
# $$ \nabla_{\!x_t} \log p(x_t) = \mathbb E\big[\nabla_{\!x_t} \log q(x_t \mid x_0) \mid x_t\big] = -\,\mathbb E\left[\frac{x_t - \sqrt{\bar\alpha_t}\,x_0}{1 - \bar\alpha_t} \;\middle|\; x_t\right] = -\frac{\mathbb E[\epsilon \mid x_t]}{\sqrt{1 - \bar\alpha_t}}. $$
#
# The network's guess $\epsilon_\theta$ is an estimate of $\mathbb E[\epsilon \mid x_t]$.
# ```
#
# ```{dropdown} Why the mean is the best guess
# Write $x_0 - a = (x_0 - \mu) + (\mu - a)$ and square it. The mixed term is $2(\mu - a)(x_0 - \mu)$. Here $\mu - a$ is fixed, and $\mathbb E[x_0 - \mu \mid x_t] = 0$, so its expectation is 0. The best guess of the noise is its mean, too, and (N.2) turns one mean into the other.
# ```
#
# ```{dropdown} What may keep the network from the exact mean
# A convolution computes each value from a small neighbourhood, by the same rule at all places. (Emoji-64 also looks at the picture at smaller sizes, and there compares all places, so not all its pieces are small.) If a guess may use only a small neighbourhood, the best one joins pieces of different training pictures. It predicts well what convolutional networks draw {cite:p}`kamb2025`. Two networks trained on different parts of a large collection drew nearly the same {cite:p}`kadkhodaie2024`: single pictures mattered little.
# ```
#
# ```{dropdown} The mean of the one pixel as a formula
# In the squares $x^2 + 1 - 2x$ (white) and $x^2 + 1 + 2x$ (black), the part $x^2 + 1$ cancels in the mean. With $u = x/N$, what is left is $e^{u}$ and $e^{-u}$:
#
# $$ \mathbb E[x_0 \mid x_t] = \frac{e^{u} - e^{-u}}{e^{u} + e^{-u}} = \tanh u, \qquad u = \frac{x}{N} = \frac{\sqrt{\bar\alpha_t}\, x_t}{1 - \bar\alpha_t}. $$
# ```
#
# `````{dropdown} What Emoji-64 really answers: the velocity
# With much noise, (N.2) divides by a small number, so each error of the noise would grow. Emoji-64 therefore answers with a mixture of noise and picture, called the velocity
# {cite:p}`salimans2022`:
#
# $$ v = \sqrt{\bar\alpha_t}\,\epsilon - \sqrt{1-\bar\alpha_t}\,x_0. $$
#
# From $v$ and $x_t$ both parts follow without a division:
#
# $$ \hat x_0 = \sqrt{\bar\alpha_t}\,x_t - \sqrt{1-\bar\alpha_t}\,v, \qquad \epsilon_\theta = \sqrt{\bar\alpha_t}\,v + \sqrt{1-\bar\alpha_t}\,x_t. $$
#
# With this $\epsilon_\theta$, (N.2) gives the same $\hat x_0$, so all chapters can speak of the noise. Since $x_t$ is known, an error of $v$ becomes an error of $\epsilon_\theta$ that is $\sqrt{\bar\alpha_t}$ times as large. Emoji-64 is trained on the squared error of $v$, which
# is that of $\epsilon_\theta$ times $1/\bar\alpha_t$. A weight for each timestep does not change which answer is the best one at that timestep.
#
# In code, $\epsilon_\theta$ is:
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.noise_from_velocity
# :lines: 1,3-
# :dedent:
# ```
# `````
