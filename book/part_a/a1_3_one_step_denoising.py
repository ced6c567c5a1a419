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
# How much better than a filter is a denoiser that has seen many pictures?
#
# **It comes closer to the clean picture, and it keeps edges. A blur is an average of pixels. The best possible answer is an average of pictures.**

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
from skimage.restoration import denoise_nl_means

from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import plain
from diffusion_utils.emoji64.recipe import Batches, Recipe
from diffusion_utils.metrics import psnr
from diffusion_utils.pictures import shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import low_pass

model = load_pretrained()
schedule = model.schedule
data = emoji()
on_white = plain(data, torch.arange(len(data.images)))
mean = on_white.mean(0)
S = torch.fft.fft2(on_white - mean, norm="ortho").abs().square().mean((0, 1))

# one pass of the training: each drawing once or twice, as it is shown there
batches, rng = Batches(Recipe("refiner"), data, None), torch.Generator().manual_seed(0)
passed = [batches.pictures(some, rng)[0] for some in batches.one_pass.split(256)]
drawings = torch.cat(passed).flatten(1)  # (5090, 12288), a row for each picture


def filters(x, sd):
    """What the filters of 1.2 make of x (B, 3, H, W) with noise of that sd."""
    yield from (low_pass(w)(x) for w in (0.5, 0.75, 1, 1.5, 2, 3, 4, 6))
    waves = torch.fft.fft2(x - mean) * S / (S + sd**2)
    yield mean + torch.fft.ifft2(waves).real
    for k in (0.35, 0.5, 0.7):
        options = {"h": k * sd, "sigma": sd, "patch_size": 7, "patch_distance": 11}
        done = [
            denoise_nl_means(p, channel_axis=-1, **options)
            for p in x.permute(0, 2, 3, 1).numpy()
        ]
        yield torch.stack([torch.from_numpy(p) for p in done]).permute(0, 3, 1, 2)


# %% mystnb={"figure": {"caption": "Top: the test image $x_0$ and its noisy versions $x_t$ (seed 0). Middle: the network's guess $\\hat x_0$, in one step. Bottom: the best filter of [1.2](a1_2_classical_denoising.ipynb) at that timestep.", "name": "fig-a13-one-step"}, "image": {"alt": "A sailboat, and its noisy versions at three timesteps. Below each, what the network makes of it: a clear boat at t = 250, softer and less faithful ones at 500 and 750. Below that, what classical filters make of it: clear at 250, rough at 500, very blurred at 750."}} tags=["hide-input"]
names = ["sailboat", "mushroom", "cactus", "photograph-cat"]
clean = torch.stack([shipped_image(name) for name in names]).repeat_interleave(3, 0)
eps = unit_noise(model.shape, generators([0, 1, 2] * len(names)))
photo = model.denoiser("a high quality photo")


@torch.no_grad()
def one_step(x_t, t):
    return schedule.predict_x0(x_t, t, photo(x_t.to(model.device), t).eps.to(x_t))


levels = [250, 500, 750]
noisy = {t: schedule.forward(clean, t, eps) for t in levels}
seen = {t: one_step(x_t, t).clamp(-1, 1) for t, x_t in noisy.items()}
filtered = {}
for t, x_t in noisy.items():
    abar = schedule.at(t).item()
    tried = filters(x_t / abar**0.5, ((1 - abar) / abar) ** 0.5)
    tried = [x.clamp(-1, 1) for x in tried]
    filtered[t] = max(tried, key=lambda x: psnr(x, clean, peak=2).mean())

blank = torch.ones_like(clean[:1])
grid(
    [
        unit_range(torch.cat([first, *(at[t][:1] for t in levels)]))
        for first, at in ((clean[:1], noisy), (blank, seen), (blank, filtered))
    ],
    titles=["$x_0$", *(f"$t={t}$" for t in levels)],
    labels=["noisy", "one step", "best filter"],
    size=1.45,
)

# %% [markdown]
# At $t = 250$ the best filter looks nearly as good as the network, at 500 it is rough, and at 750 only a blur is left. The network's areas are plainer and its edges clearer.
# What the noise has covered, it has to guess: at $t = 750$ the shape is wrong.
#
# ## The idea
#
# The denoiser is [Emoji-64](../appendix/emoji64.ipynb), a network that takes 3x64x64 values, a timestep and a prompt, and gives back as many values. It was trained on 3,060 drawings with captions. The test image is not one of them.
#
# **Training.** Take a drawing $x_0$ with its caption, a timestep $t$ and noise $\epsilon$. Make $x_t$ by (N.1). The network sees $x_t$, $t$ and the caption, and guesses the noise. Change its weights $\theta$ a
# little, so that the squared error $\lVert \epsilon - \epsilon_\theta(x_t, t) \rVert^2$ gets smaller. Repeat. (Emoji-64 gives its guess in another form, see the end of the page. The best guess is the same.)
#
# **Use.** Put the guess in place of the noise in (N.1), and solve for the clean picture. The result $\hat x_0$ ("x zero hat") is an estimate of it. (The formula leaves out the prompt to be short.)
#
# $$ \hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\,\epsilon_\theta(x_t, t)}{\sqrt{\bar\alpha_t}} \tag{N.2} $$
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
# The prompt says nothing about the picture: in training, this phrase was now and then the caption of any drawing.
#
# ## How much closer?

# %% tags=["remove-input"]
ways = {"one step": seen, "best filter of 1.2": filtered}
scores = {
    way: torch.stack([psnr(at[t], clean, peak=2) for t in levels])
    for way, at in ways.items()
}
gain = scores["one step"] - scores["best filter of 1.2"]
parts = {"gain: drawings": gain[:, :9], "gain: photograph": gain[:, 9:]}
table(
    [[way, *(f"{x:.1f}" for x in v.mean(1))] for way, v in (scores | parts).items()],
    ["PSNR, dB", *(f"t = {t}" for t in levels)],
    "Mean over three drawings and a photograph of a cat, with three seeds each.",
)

# %% [markdown]
# The filters' settings were even chosen with the clean pictures at hand. At $t = 500$ and 750 the one photograph gains less than the drawings, perhaps since the network has only seen drawings.
#
# ## The best guess is an average
#
# Many clean pictures can lead to the same $x_t$. The guess with the smallest squared error is their mean, each weighted by how probable it is when $x_t$ is known: $\mu = \mathbb E[x_0 \mid x_t]$. Any other guess $a$ has a larger error, by the square of its distance from the mean:
#
# $$ \mathbb E\big[(x_0 - a)^2 \mid x_t\big] = \mathbb E\big[(x_0 - \mu)^2 \mid x_t\big] + (\mu - a)^2. $$
#
# (The mixed term $2(\mu - a)\,\mathbb E[x_0 - \mu \mid x_t]$ is 0. The best guess of the noise is its mean, too, and (N.2) turns one mean into the other.)
#
# Take the smallest picture there is, one pixel that is black ($-1$) or white (1), equally often:

# %% mystnb={"figure": {"caption": "A picture of one pixel, black or white: the mean $\\mathbb E[x_0 \\mid x_t]$ against the noisy value $x_t$.", "name": "fig-a13-pixel"}, "image": {"alt": "Three rising curves from -1 to 1. The one for t = 250 jumps from black to white near zero; that for t = 500 is softer; that for t = 750 passes slowly through the greys."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
x = torch.linspace(-2, 2, 200)
for t in levels:
    abar = schedule.at(t).item()
    fits = [-((x - abar**0.5 * x_0) ** 2) / (2 * (1 - abar)) for x_0 in (-1, 1)]
    black, white = torch.stack(fits).softmax(0)
    ax.plot(x, white - black, label=f"$t={t}$")
ax.set(xlabel="$x_t$", ylabel="best guess")
ax.legend()
plt.show()

# %% [markdown]
# Black and white are weighted by the bell curves of [1.1](a1_1_forward.ipynb), $e^{-(x_t \mp \sqrt{\bar\alpha_t})^2 / (2(1-\bar\alpha_t))}$ with $-$ for white. Leave out what both have in common: $e^{u}$ for white and $e^{-u}$ for black are left, and
#
# $$ \mathbb E[x_0 \mid x_t] = \frac{e^{u} - e^{-u}}{e^{u} + e^{-u}} = \tanh u, \qquad u = \frac{\sqrt{\bar\alpha_t}\, x_t}{1 - \bar\alpha_t}. $$
#
# With little noise it is nearly black or white, with much noise a grey.
#
# ### An average over which pictures?
#
# **Over the training pictures?** This mean needs no network. All pictures are equally probable at first. So by Bayes' rule the weight of picture $x_0$ is the Gaussian $q(x_t \mid x_0)$ of 1.1, as a function of $x_0$:
#
# $$ w(x_0) \propto e^{-\lVert x_t - \sqrt{\bar\alpha_t}\, x_0 \rVert^2 / (2 (1 - \bar\alpha_t))}. $$
#
# ($\lVert\cdot\rVert^2$ is the sum of the squares of all values.) `drawings` has a row for each picture of one pass of the training, where some drawings get another colour or a coloured background.


# %%
def exact_mean(x_t, t):
    alpha_bar = schedule.at(t).item()
    distance = torch.cdist(x_t.flatten(1), alpha_bar**0.5 * drawings) ** 2
    # softmax: e to the power of each, divided by their sum
    weights = (-distance / (2 * (1 - alpha_bar))).softmax(1)
    return (weights @ drawings).view_as(x_t)


# %% [markdown]
# **Or over all pictures that anyone could draw?** The test image is one of these, so this mean is the best answer here. Nobody can compute it.
#
# The network's training rewards the first mean. What does it answer?

# %% mystnb={"figure": {"caption": "The test image with more and more noise (seed 0). Top: the exact mean over one pass of the training. Bottom: the network's answer in one step.", "name": "fig-a13-average"}, "image": {"alt": "Two rows of five. Top: a pink cupcake; a motor boat on blue and pink, twice; a house with a red cross and a mountain, one over the other; and a brownish spot. Bottom: a sailboat like that of the test image, softer and softer from left to right, and a brownish square at the end."}} tags=["hide-input"]
more = [500, 800, 900, 950, 990]
steps = [schedule.forward(clean[:1], t, eps[:1]) for t in more]
exact = [exact_mean(x_t, t) for x_t, t in zip(steps, more, strict=True)]
estimates = [one_step(x_t, t) for x_t, t in zip(steps, more, strict=True)]
grid(
    [unit_range(torch.cat(exact)), unit_range(torch.cat(estimates))],
    titles=[f"$t={t}$" for t in more],
    labels=["exact mean", "network"],
    size=1.3,
)

# %% tags=["remove-input"]
original = [clean[:1]] * len(more)
table(
    [
        [
            name,
            *(
                f"{psnr(a.clamp(-1, 1), b.clamp(-1, 1), peak=2).item():.1f}"
                for a, b in zip(first, second, strict=True)
            ),
        ]
        for name, first, second in (
            ("exact mean and test image", exact, original),
            ("network and test image", estimates, original),
            ("network and exact mean", estimates, exact),
        )
    ],
    ["PSNR, dB", *(f"t = {t}" for t in more)],
    "How close the pictures above are to the test image and to each other.",
)

# %% [markdown]
# Up to $t = 900$ the exact mean is nearly one training picture: the one that fits the 12,288 noisy values a little better than the others gets nearly all the weight. Only the values of the pixels count, not the thing drawn. So a cupcake, pink above and blue below, can be the nearest to a sailboat. The network's answer is far from this mean, and closer to the test image.
#
# At $t = 950$ one sees an average: a house with a red cross and a mountain by water lie over each other. At $t = 990$ many pictures fit, and their mean is a brownish spot. Here the network comes near the exact mean.
#
# ## Where it fails
#
# At $t = 750$ the answer depends on the noise. Here is the same boat under five noises:

# %% mystnb={"figure": {"caption": "The test image, and the network's answer in one step at $t = 750$, for five noises (seeds 0 to 4).", "name": "fig-a13-seeds"}, "image": {"alt": "The sailboat, and five soft pictures with its colours, whose shapes differ from it and from each other."}} tags=["hide-input"]
several = unit_noise(model.shape, generators(range(5)))
answers = one_step(schedule.forward(clean[:1], 750, several), 750)
grid(
    [unit_range(torch.cat([clean[:1], answers]))],
    titles=["$x_0$", *(f"seed {s}" for s in range(5))],
    size=1.2,
)

# %% [markdown]
# The shapes differ from the boat and from each other. [1.4](a1_4_iterative_denoising.ipynb) takes many small steps. After each one the network looks again, so the average can settle on one picture.
#
# ## Try it
#
# * In the code of {numref}`fig-a13-one-step`, set `photo = model.denoiser("a cactus")`. At which timesteps does the prompt matter?
# * In the code of {numref}`fig-a13-average`, replace `clean[:1]` by `clean[9:10]`, the cat. What is the exact mean now?
#
# ## More
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
# Given this $\epsilon_\theta$, (N.2) leads to the same $\hat x_0$, and all chapters can speak of the noise. Since $x_t$ is known, an error of $v$ becomes an error of $\epsilon_\theta$ that is $\sqrt{\bar\alpha_t}$ times as large. Emoji-64 is trained on the squared error of $v$, which
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
#
# ```{dropdown} The guess as a direction
# The guess also says in which direction a noisy picture becomes more probable (Tweedie's formula, for [1.6](a1_6_guidance.ipynb)):
#
# $$ \epsilon_\theta(x_t, t) \approx -\sqrt{1 - \bar\alpha_t}\; \nabla_{\!x_t} \log p(x_t) $$
#
# Here $p(x_t)$ is the probability density of noisy pictures. The gradient $\nabla_{\!x_t} \log p(x_t)$ is called the **score**. A change of $x_t$ in this direction makes it more probable. Noise leads the other way, hence the minus.
#
# Why? Write $p(x_t) = \mathbb E_{x_0}[q(x_t \mid x_0)]$, with the Gaussian $q$ of 1.1, and take the gradient of the logarithm:
#
# $$ \nabla_{\!x_t} \log p(x_t) = \mathbb E\big[\nabla_{\!x_t} \log q(x_t \mid x_0) \mid x_t\big] = -\,\mathbb E\left[\frac{x_t - \sqrt{\bar\alpha_t}\,x_0}{1 - \bar\alpha_t} \;\middle|\; x_t\right] = -\frac{\mathbb E[\epsilon \mid x_t]}{\sqrt{1 - \bar\alpha_t}}. $$
#
# The network's guess $\epsilon_\theta$ is an estimate of $\mathbb E[\epsilon \mid x_t]$.
# ```
