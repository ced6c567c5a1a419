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
# **It comes closer. A blur is an average of pixels, the best possible answer an average of pictures. It is sharp where the pictures that fit nearly agree.**

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
X = (on_white - mean).flatten(1)
widths = [0.5, 0.6, 0.7, 0.85, 1, 1.2, 1.4, 1.7, 2, 2.4, 2.8, 3.4, 4, 4.8, 5.6]

# one pass of the training: each drawing once or twice, as it is shown there
batches, rng = Batches(Recipe("refiner"), data, None), torch.Generator().manual_seed(0)
passed = [batches.pictures(some, rng)[0] for some in batches.one_pass.split(256)]
drawings = torch.cat(passed).flatten(1)  # (5090, 12288), a row for each picture


def filters(x, sd):
    """What the filters of 1.2 make of x (B, 3, H, W) with noise of that sd."""
    yield from (low_pass(w)(x) for w in widths)
    waves = torch.fft.fft2(x - mean) * S / (S + sd**2)
    yield mean + torch.fft.ifft2(waves).real
    both = X @ X.T + len(X) * sd**2 * torch.eye(len(X))
    shares = torch.linalg.solve(both, X @ (x - mean).flatten(1).T)
    yield mean + (shares.T @ X).view_as(x)
    for k in (0.35, 0.5, 0.7):
        options = {"h": k * sd, "sigma": sd, "patch_size": 7, "patch_distance": 11}
        done = [
            denoise_nl_means(p, channel_axis=-1, **options)
            for p in x.permute(0, 2, 3, 1).numpy()
        ]
        yield torch.stack([torch.from_numpy(p) for p in done]).permute(0, 3, 1, 2)


# %% mystnb={"figure": {"caption": "Top: the test image $x_0$ and its noisy versions $x_t$ (seed 0). Middle: the network's guess $\\hat x_0$. Bottom: the best filter of [1.2](a1_2_classical_denoising.ipynb): non-local means, then twice the best linear one.", "name": "fig-a13-one-step"}, "image": {"alt": "A sailboat, and its noisy versions at three timesteps. Below each, what the network makes of it: a clear boat at t = 250, softer and less faithful ones at 500 and 750. Below that, what the best filters make of it: clear at 250; soft, with dark smears, at 500 and 750."}} tags=["hide-input"]
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
# At $t = 250$ the filter looks as good as the network, and its hull is plainer. At 500 and 750 it leaves a soft boat with dark smears. The network's outlines are clear at 500, but its hull has spots. At 750 the shape is wrong: what the noise has covered, it has to guess.
#
# ## The idea
#
# The denoiser is [Emoji-64](../appendix/emoji64.ipynb), a network that turns 3x64x64 values, a timestep and a prompt into as many values. It was trained on 3,060 drawings with captions, without the test image.
#
# **Training.** Take a drawing $x_0$ with its caption, a timestep $t$ and noise $\epsilon$. Make $x_t$ by (N.1). The network sees $x_t$, $t$ and the caption, and guesses the noise. Change its weights $\theta$ a
# little, so that the squared error $\lVert \epsilon - \epsilon_\theta(x_t, t) \rVert^2$, the sum over all values, gets smaller. Repeat. (Emoji-64's guess has another form, see the end.)
#
# **Use.** Put the guess in place of the noise in (N.1), and solve for the clean picture. The result $\hat x_0$ ("x zero hat") is an estimate of it.
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
back = schedule.predict_x0(noisy[500], 500, eps)
assert torch.allclose(back, clean, atol=1e-5)

# %% [markdown]
# The prompt says nothing about the picture: in training, any drawing had this caption now and then.
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
# The filters' settings were even chosen with the clean pictures at hand. At $t = 750$ the photograph gains more than the drawings: the filter that is best there knows only drawings, too.
#
# ## The best guess is an average
#
# Many clean pictures can lead to the same $x_t$. The guess with the smallest expected squared error is their mean, each weighted by how probable it is given $x_t$: $\mu = \mathbb E[x_0 \mid x_t]$. The error of any other guess $a$ is larger by the square of its distance from the mean:
#
# $$ \mathbb E\big[(x_0 - a)^2 \mid x_t\big] = \mathbb E\big[(x_0 - \mu)^2 \mid x_t\big] + (\mu - a)^2. $$
#
# So no answer is better on average, as long as the picture comes from the list. The test image does not. (The best guess of the noise is its mean, too, and (N.2) turns one mean into the other.)
#
# For a list of pictures, all equally probable at first, the mean needs no network. By Bayes' rule the weight of $x_0$ is the Gaussian $q(x_t \mid x_0)$ of [1.1](a1_1_forward.ipynb):
#
# $$ w(x_0) \propto e^{-\lVert x_t - \sqrt{\bar\alpha_t}\, x_0 \rVert^2 / (2 (1 - \bar\alpha_t))}. $$


# %%
def weights(x_t, t, pictures):  # a row of values for each picture
    alpha_bar = schedule.at(t).item()
    scaled = alpha_bar**0.5 * pictures
    distance = torch.cdist(x_t.flatten(1), scaled) ** 2
    # softmax: e to the power of each, divided by their sum
    return (-distance / (2 * (1 - alpha_bar))).softmax(1)


# %% [markdown]
# Take two small lists: one pixel, black ($-1$) or white (1), and a row of 32 pixels, black on the left of an edge and white on the right:

# %% mystnb={"figure": {"caption": "The mean $\\mathbb E[x_0 \\mid x_t]$. Left: of one pixel, against its noisy value $x_t$. Right: of a row of 32 pixels with one edge (grey), seed 0.", "name": "fig-a13-pixel"}, "image": {"alt": "Left, three rising curves from -1 to 1: the one for t = 250 jumps near zero, that for t = 500 is softer, that for t = 750 passes slowly through the greys. Right, a grey step at place 17. The mean for t = 250 lies on it; that for t = 500 is a slightly soft step two places further right; that for t = 750 is a slope over about 18 places."}} tags=["hide-input"]
fig, (left, right) = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained")
pixel, row = torch.tensor([[-1.0], [1.0]]), torch.ones(33, 32).triu() * 2 - 1
x, place = torch.linspace(-2, 2, 200)[:, None], range(1, 33)
right.step(place, row[16], where="mid", color="silver", lw=4)
for t in levels:
    left.plot(x, weights(x, t, pixel) @ pixel, label=f"$t={t}$")
    x_t = schedule.forward(row[16:17], t, unit_noise((32,), generators([0])))
    right.step(place, (weights(x_t, t, row) @ row)[0], where="mid")
left.set(xlabel="$x_t$", ylabel="best guess")
right.set(xlabel="place in the row")
left.legend()
plt.show()

# %% [markdown]
# With little noise, the mean of the pixel is nearly black or white, with much noise a grey. In the row, the edges that fit at $t = 250$ nearly agree: the mean is sharp. At $t = 500$ it is two pixels off: this noise makes another edge fit better. At $t = 750$ many edges fit, and the mean is a slope.
#
# ### An average over which pictures?
#
# Nobody can list all pictures that one could draw. `drawings` lists those of one pass of the training, which moves each drawing a little, and recolours some or their background.

# %%
x_t = noisy[500][:1]
exact_mean = (weights(x_t, 500, drawings) @ drawings).view_as(x_t)

# %% mystnb={"figure": {"caption": "For the test image with more and more noise (seed 0): the network's answer, the exact mean over one pass of the training, and the four pictures with the largest weights.", "name": "fig-a13-average"}, "image": {"alt": "Five rows. The network's answers: a sailboat like that of the test image, softer and softer, and a brownish square at the end. The exact mean: a pink cupcake, which has all the weight; a motor boat on blue and pink, with 92 %, and again with nearly all; a hospital and a mountain one over the other, with 24 and 22 %; and a brownish spot, of pictures that weigh less than 1 % each."}} tags=["hide-input"]
more = [500, 800, 900, 950, 990]
steps = [schedule.forward(clean[:1], t, eps[:1]) for t in more]
estimates = [one_step(x_t, t) for x_t, t in zip(steps, more, strict=True)]
exact = []
fig, axes = plt.subplots(5, 6, figsize=(7, 6.2), layout="compressed")
for x_t, t, answer, line in zip(steps, more, estimates, axes, strict=True):
    w = weights(x_t, t, drawings)
    exact.append((w @ drawings).view_as(x_t))
    heaviest, which = w[0].topk(4)
    shown = [answer, exact[-1], *drawings[which].view(4, 1, 3, 64, 64)]
    for ax, picture in zip(line, shown, strict=True):
        ax.imshow(unit_range(picture.clamp(-1, 1))[0].permute(1, 2, 0))
        ax.set_axis_off()
    for ax, share in zip(line[2:], heaviest, strict=True):
        ax.set_title(f"{100 * share:.1f} %", fontsize=9)
    line[0].text(-5, 32, f"$t={t}$", ha="right", va="center")
axes[0, 0].set_title("network", fontsize=9)
axes[0, 1].set_title("exact mean", fontsize=9)
plt.show()

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
# Up to $t = 900$ one picture has nearly all the weight: the one that fits the 12,288 noisy values best. Which one that is, and by how much, hangs on this noise, too. What it shows does not count: a cupcake, pink above and blue below, can be nearest to a sailboat. The network's answer is far from this mean, and closer to the test image.
#
# At $t = 950$ a hospital and a mountain lie over each other. At $t = 990$ very many pictures fit, and the network comes near their mean, a brownish spot.
#
# **Why does the network answer otherwise?** Training rewards the mean over all passes. But a convolution treats all places alike, and sees a small neighbourhood (a U-Net with its small sizes sees more). The best answer under such limits joins pieces of different training pictures, and predicts well what convolutional networks draw {cite:p}`kamb2025`. Two networks trained on different parts of a large collection drew nearly the same {cite:p}`kadkhodaie2024`: single pictures mattered little. Whether either explains Emoji-64 was not tested.
#
# ## Where it fails
#
# At $t = 750$ the answer depends on the noise so much that the boat changes:

# %% mystnb={"figure": {"caption": "The test image, and the network's answer in one step at $t = 750$, for five noises (seeds 0 to 4).", "name": "fig-a13-seeds"}, "image": {"alt": "The sailboat, and five soft pictures with its colours, whose shapes differ from it and from each other."}} tags=["hide-input"]
several = unit_noise(model.shape, generators(range(5)))
answers = one_step(schedule.forward(clean[:1], 750, several), 750)
grid(
    [unit_range(torch.cat([clean[:1], answers]))],
    titles=["$x_0$", *(f"seed {s}" for s in range(5))],
    size=1.2,
)

# %% [markdown]
# All are soft, as averages are, and all shapes are wrong, each in another way. The many small steps of [1.4](a1_4_iterative_denoising.ipynb) mend the first fault, not the second.
#
# ## Try it
#
# * In the code of {numref}`fig-a13-one-step`, set `photo = model.denoiser("a cactus")`. At which timesteps does the prompt matter?
# * In the code of {numref}`fig-a13-average`, replace `clean[:1]` by `clean[9:10]`, the cat. What is the exact mean now?
#
# ## More
#
# ```{dropdown} Why the mean is the best guess
# Write $x_0 - a = (x_0 - \mu) + (\mu - a)$ and square it. The mixed term is $2(\mu - a)(x_0 - \mu)$. Here $\mu - a$ is fixed, and $\mathbb E[x_0 - \mu \mid x_t] = 0$, so its expectation is 0.
# ```
#
# ```{dropdown} The mean of the one pixel as a formula
# The squares in the two weights are $x_t^2 + \bar\alpha_t - 2\sqrt{\bar\alpha_t}\,x_t$ for white and $x_t^2 + \bar\alpha_t + 2\sqrt{\bar\alpha_t}\,x_t$ for black. The part $x_t^2 + \bar\alpha_t$ is the same in both, and cancels in the mean. What is left is $e^{u}$ for white and $e^{-u}$ for black:
#
# $$ \mathbb E[x_0 \mid x_t] = \frac{e^{u} - e^{-u}}{e^{u} + e^{-u}} = \tanh u, \qquad u = \frac{\sqrt{\bar\alpha_t}\, x_t}{1 - \bar\alpha_t}. $$
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
