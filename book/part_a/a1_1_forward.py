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
# # 1.1 The forward process
#
# What does a picture lose when noise is added to it?

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

from diffusion_utils.pictures import shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.schedule import Schedule
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
schedule = model.schedule

# %% mystnb={"figure": {"caption": "The test image $x_0$, 64x64 pixels, and what the forward process makes of it at four timesteps. Noise of seed 0, the same in all four.", "name": "fig-a11-noisy"}, "image": {"alt": "A sailboat on water; then with light grain; with heavy grain through which the sails can be seen; with noise in which only their colour is left; and pure noise."}} tags=["hide-input"]
x_0 = shipped_image("sailboat")[None]
eps = unit_noise(model.shape, generators([0]))
levels = [250, 500, 750, 990]
noisy = [schedule.forward(x_0, t, eps) for t in levels]
grid(
    [unit_range(torch.cat([x_0, *noisy]))],
    titles=["$x_0$", *(f"$t={t}$" for t in levels)],
    size=1.7,
)

# %% [markdown]
# ## The idea
#
# A diffusion model learns to turn noise into pictures. For that it needs noisy pictures to learn from, and making these is easy: multiply
# each value of the picture by a number below 1, and add random noise. This is the **forward process** {cite:p}`ho2020`:
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad \epsilon \sim \mathcal N(0, I) \tag{N.1} $$
#
# * $x_0$ is the clean picture, with values from $-1$ (black) to $1$ (white).
# * $\epsilon$ is the noise: for each value of the picture an independent random number with mean 0 and variance 1.
# * $t$ is the **timestep**, from 0 (almost clean) to $T - 1 = 999$ (almost only noise).
# * $\bar\alpha_t$ ("alpha bar") is a number between 1 and 0 that belongs to the timestep. It falls as $t$ grows.
# * $x_t$ is the noisy picture. The name $x_0$ is kept for the clean one: with $t = 0$, (N.1) already adds a trace of noise.
#
# If we know $x_0$ but not which noise was drawn, then $x_t$ is a random picture. (N.1) says that it is Gaussian, with mean
# $\sqrt{\bar\alpha_t}\, x_0$ and variance $1 - \bar\alpha_t$ for each value. In the usual notation, where $q(x_t \mid x_0)$ is the distribution of $x_t$ when $x_0$ is known:
#
# $$ q(x_t \mid x_0) = \mathcal N\!\left(\sqrt{\bar\alpha_t}\, x_0,\; (1 - \bar\alpha_t)\, I\right). $$
#
# This jumps from $x_0$ to $x_t$ at once. Adding the noise in many small steps comes to the same (the reason is at the end of the page).
#
# In code the jump is two lines:
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.forward
# :lines: 1,3-
# :dedent:
# ```
#
# This function belongs to the `schedule` (in the code, `self`), which holds the number $\bar\alpha_t$ for each timestep. The schedule belongs to the pretrained model: a model can only remove noise that follows
# the schedule it was trained with. The model of Part A is [Emoji-64](../appendix/emoji64.ipynb), which ships with this book. (The coursework's own model,
# DeepFloyd IF, [can be used instead](../appendix/deepfloyd.md).)
#
# ## What you see
#
# Look at {numref}`fig-a11-noisy` from left to right. At $t = 500$ hull and sails can still be seen. At $t = 750$ the red of the sails and the
# blue of the water are left. At $t = 990$ there is nothing to see but noise. **Details go first, large shapes last.** The small waves in the water are lost before $t = 250$:

# %% mystnb={"figure": {"caption": "The water of the test image, 24x24 pixels enlarged, with the noise of seed 0.", "name": "fig-a11-waves"}, "image": {"alt": "Four enlarged cuts. In the first, dark wavy lines on blue; in the second they are under light grain; in the third they can hardly be found; in the fourth there is only grain."}} tags=["hide-input"]
early = [0, 50, 100, 250]
water = torch.cat([schedule.forward(x_0, t, eps) for t in early])[..., 36:60, 10:34]
grid([unit_range(water)], titles=[f"$t={t}$" for t in early], size=1.7)

# %% [markdown]
# ## How much is left
#
# $\bar\alpha_t$ is the share of the picture's variance that is left, and $1 - \bar\alpha_t$ is the variance of the noise:

# %% mystnb={"figure": {"caption": "$\\bar\\alpha_t$ of Emoji-64, a squared cosine. The dots are the timesteps of {numref}`fig-a11-noisy`. Dashed: the schedule of the first paper on such models (DDPM), which destroys the picture sooner.", "name": "fig-a11-alpha-bar"}, "image": {"alt": "A smooth curve that falls from one at t = 0 to zero at t = 999, with dots at 250, 500, 750 and 990. A dashed curve lies below it."}} tags=["remove-input"]
fig, ax = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
ax.plot(schedule.alpha_bar, label="cosine (Emoji-64)")
ax.plot(levels, schedule.alpha_bar[levels], "o", color="C0")
ax.plot(Schedule.linear(T=1000).alpha_bar, "--", color="C1", label="linear (DDPM)")
ax.set(xlabel="$t$", ylabel=r"$\bar\alpha_t$")
ax.legend()
plt.show()

# %% tags=["remove-input"]
rows = []
value, its_noise = x_0[0, 0, 20, 34], eps[0, 0, 20, 34]  # red, in the sail
for t in levels:
    abar = schedule.at(t)
    left, added = abar.sqrt(), (1 - abar).sqrt()
    x_t = left * value + added * its_noise
    pixel = f"{left:.2f} · {value:.2f} + {added:.2f} · ({its_noise:.2f}) = {x_t:.2f}"
    ratio = abar * x_0.var() / (1 - abar)
    rows.append([f"t = {t}", pixel.replace("-", "−"), f"{ratio:.2g}"])
table(
    rows,
    ["", "(N.1) for one value: √ᾱ · x₀ + √(1−ᾱ) · ε = x_t", "picture : noise"],
    "The value is the red of one pixel of the sail. Last column: the variance that is left of the test image, "
    f"divided by that of the noise. The test image itself has the variance {x_0.var():.2f}.",
)

# %% [markdown]
# Why do details go first? A picture can be split into waves. The long ones make its large shapes, the short ones its details:

# %% mystnb={"figure": {"caption": "The test image, and the same as the sum of two parts: its long waves, of which at most four fit into the picture's width, and its short waves (grey is zero).", "name": "fig-a11-bands"}, "image": {"alt": "Three pictures: a sailboat; a very blurred sailboat; grey with the outlines and fine lines of the boat."}} tags=["remove-input"]
spectrum = torch.fft.fft2(x_0 - x_0.mean((2, 3), keepdim=True), norm="ortho")
f = torch.fft.fftfreq(64, 1 / 64)
waves = torch.hypot(f[:, None], f).round().long()
short = torch.fft.ifft2(spectrum * (waves > 4), norm="ortho").real
grid(
    [unit_range(torch.cat([x_0, x_0 - short, short]))],
    titles=["$x_0$", "long waves", "short waves"],
    size=1.7,
)

# %% [markdown]
# In the test image the long waves are much stronger than the short ones. Noise is equally strong at all wavelengths, so it drowns the short ones first.

# %% mystnb={"figure": {"caption": "How strong the waves of the test image are, against the number of waves that fit into the picture's width (mean over directions and colours). Dashed: the strength of the noise beside it, $(1 - \\bar\\alpha_t) / \\bar\\alpha_t$. Where the black curve runs below a dashed line, the noise drowns the waves. (The line for $t = 990$ would lie far above the plot.)", "name": "fig-a11-spectrum"}, "image": {"alt": "A curve that falls steeply from left to right, and three horizontal lines that cross it: the one for t = 750 far to the left, those for 500 and 250 further to the right."}} tags=["remove-input"]
power = spectrum.abs().square().mean((0, 1))
mean_power = (
    power.flatten().double() @ torch.eye(waves.max() + 1).double()[waves.flatten()]
)
mean_power /= waves.flatten().bincount()
assert mean_power[1:5].min() > mean_power[5:].max()  # long waves, short waves

fig, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
ax.loglog(range(1, 33), mean_power[1:33], color="black")
for i, t in enumerate(levels[:3]):
    noise = (1 - schedule.at(t)) / schedule.at(t)
    ax.axhline(noise, ls="--", color=f"C{i}")
    ax.text(
        32, noise * 1.1, f"noise at $t={t}$", color=f"C{i}", ha="right", va="bottom"
    )
ax.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
ax.minorticks_off()
ax.set(xlabel="waves across the picture", ylabel="strength of a wave (variance)")
plt.show()

# %% [markdown]
# ## Where it fails
#
# The way back cannot be found by looking. Here are two pictures at $t = 990$, each with two different noises. Which two are the boat?

# %% mystnb={"figure": {"caption": "The test image and a mushroom at $t = 990$, each with two noises (seeds 0 to 3), in mixed order.", "name": "fig-a11-lost"}, "image": {"alt": "Four squares of coloured noise in which nothing can be recognised."}} tags=["hide-input"]
pair = torch.stack([shipped_image(name) for name in ("sailboat", "mushroom")])
mixed = pair[[1, 0, 0, 1]]
lost = schedule.forward(mixed, 990, unit_noise(model.shape, generators(range(4))))
grid([unit_range(lost)], titles=["A", "B", "C", "D"], size=1.7)

# %% [markdown]
# They are B and C. A trace of the picture is left in each, but no eye finds it under so much noise.
#
# So to the eye the boat is gone. A network that starts there will not recover a picture. It will have to make one up, and for that it has to know what pictures look like.
# [1.3](a1_3_one_step_denoising.ipynb) meets such a network. First, [1.2](a1_2_classical_denoising.ipynb) shows how far one gets without it.
#
# ## Try it
#
# * In the code of {numref}`fig-a11-noisy`, set `levels = [50, 100, 150, 200]`. The grain is there at once. Which details of the boat are gone
#   at the end, and is it still easy to name?
# * Replace `"sailboat"` by `"photograph-cat"`. Up to which of the four timesteps would you know that it is a cat?
#
# ## More
#
# ```{dropdown} Why one formula is enough for many steps of noise
# One small step, from $t-1$ to $t$, adds noise of variance $\beta_t$:
#
# $$ q(x_t \mid x_{t-1}) = \mathcal N\!\left(\sqrt{1 - \beta_t}\; x_{t-1},\; \beta_t I\right), \qquad \bar\alpha_t = \prod_{s=0}^{t} (1 - \beta_s). $$
#
# (The step with $s = 0$ leads from the clean picture to timestep 0.) Written with its noise $\epsilon_t$, the step is
#
# $$ x_t = \sqrt{1 - \beta_t}\, x_{t-1} + \sqrt{\beta_t}\, \epsilon_t. $$
#
# Two such steps give
#
# $$ x_t = \sqrt{(1 - \beta_t)(1 - \beta_{t-1})}\, x_{t-2} + \sqrt{(1-\beta_t)\beta_{t-1}}\, \epsilon_{t-1} + \sqrt{\beta_t}\, \epsilon_t. $$
#
# The last two terms are independent Gaussians, so their sum is one Gaussian, and the variances add up:
# $(1-\beta_t)\beta_{t-1} + \beta_t = 1 - (1-\beta_t)(1-\beta_{t-1})$. Going on like this down to the clean picture gives (N.1).
# ```
#
# ```{dropdown} Where the numbers $\bar\alpha_t$ come from
# Emoji-64 uses the squared-cosine schedule {cite:p}`nichol2021`:
#
# $$ \bar\alpha_t = \frac{f((t+1)/T)}{f(0)}, \qquad f(u) = \cos^2\!\left(\frac{u + 0.008}{1.008} \cdot \frac\pi2\right). $$
#
# Only the very last step is cut shorter, so that $\bar\alpha_{999}$ is not 0. Part B uses another schedule, with $\beta_t$ on a straight line.
# ```
