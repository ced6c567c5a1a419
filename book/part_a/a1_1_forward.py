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
#
# **Noise covers first what is faint. Fine details are mostly faint, so the large shapes go last.**

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
import matplotlib.pyplot as plt
import torch
from IPython.display import Markdown

from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import plain
from diffusion_utils.pictures import shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.schedule import Schedule, strided_timesteps
from diffusion_utils.show import animation, grid, tile, unit_range
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import bands, drowned_from, pattern_strength

model = load_pretrained()
schedule = model.schedule

# %% mystnb={"figure": {"caption": "The test image $x_0$, 64x64 pixels, and what the forward process makes of it at four timesteps. Noise of seed 0, the same in all four.", "name": "fig-a11-noisy"}, "image": {"alt": "A sailboat on water; then with light grain; with heavy grain through which hull, sails and mast can be seen; with noise in which their colours are left; and noise alone."}} tags=["hide-input"]
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
# In {numref}`fig-a11-noisy`, at $t = 250$ the faint waves in the water are gone. The mast is fine but not faint: it can still be seen at $t = 500$. At $t = 990$ there is nothing to see.
#
# ## The idea
#
# A diffusion model learns from noisy pictures. Making these is easy: multiply
# each value of a picture by a number below 1, and add random noise. This is the **forward process** {cite:p}`ho2020`:
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad \epsilon \sim \mathcal N(0, I) \tag{N.1} $$
#
# * $x_0$ is the clean picture, with values from $-1$ (black) to $1$ (white).
# * $\epsilon$ is the noise: for each value of the picture an independent random number with mean 0 and variance 1.
# * $t$ is the **timestep**, from 0 to $T - 1 = 999$. At $t = 0$ there is already a trace of noise. (The symbol $x_0$ is kept for the clean picture; the noisy picture at $t = 0$ has none.)
# * $\bar\alpha_t$ ("alpha bar") is a number that falls from almost 1 to almost 0 as $t$ grows.
#
# **Why these two factors?** Think of the noise as added in many small steps. Each step also weakens the picture. The first step, $t = 0$, begins with the clean picture. Each later step $t$ takes the noisy picture $x_{t-1}$ of the step before, weakens it and adds fresh noise $\epsilon_t$ of variance $\beta_t$, a number that is small at most timesteps:
#
# $$ x_t = \sqrt{1 - \beta_t}\; x_{t-1} + \sqrt{\beta_t}\; \epsilon_t. $$
#
# If the values of the picture before have variance 1, so have those after, since $(1 - \beta_t) \cdot 1 + \beta_t = 1$ ("variance preserving" {cite:p}`song2021sde`).
#
# (N.1) follows by induction. The first step makes $\sqrt{1 - \beta_0}\; x_0 + \sqrt{\beta_0}\; \epsilon_0$ of the clean picture. This is (N.1) with $\bar\alpha_0 = 1 - \beta_0$. If (N.1) holds for $x_{t-1}$, put it in:
#
# $$ x_t = \sqrt{(1 - \beta_t)\,\bar\alpha_{t-1}}\; x_0 + \sqrt{(1 - \beta_t)(1 - \bar\alpha_{t-1})}\; \epsilon + \sqrt{\beta_t}\; \epsilon_t. $$
#
# The two noises are Gaussian and independent, so their sum is Gaussian too, and their variances add up, to $(1 - \beta_t)(1 - \bar\alpha_{t-1}) + \beta_t = 1 - (1 - \beta_t)\,\bar\alpha_{t-1}$. With the sum again called $\epsilon$, this is (N.1) for $x_t$, with
#
# $$ \bar\alpha_t = (1 - \beta_t)\,\bar\alpha_{t-1} = \prod_{s \le t} (1 - \beta_s). $$
#
# The bar stands for this product: (N.1) gets from the clean picture to $x_t$ in one go. With $\beta_0 = 0.1$ and $\beta_1 = 0.2$, for example, $\bar\alpha_1 = 0.9 \cdot 0.8 = 0.72$, and the noise has the variance $0.28$. With more steps the variance of the noise grows up to almost 1, and the values of the picture come to follow the noise's bell curve.

# %% mystnb={"figure": {"caption": "All values of the pictures in {numref}`fig-a11-noisy`, as histograms (the highest bars of $x_0$ are cut off). Black: the bell curve of $\\mathcal N(0, 1)$.", "name": "fig-a11-values"}, "image": {"alt": "Five histograms. The first has high bars near 1, cut off above, and lower ones down to -1. From left to right they come closer to the bell curve, and the last one follows it."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 5, figsize=(7, 1.7), sharey=True, layout="constrained")
values = torch.linspace(-4, 4, 200)
bins = 1.0001 * torch.linspace(-4, 4, 41)  # so -1 and 1 lie inside of one
bell = torch.exp(-(values**2) / 2) / (2 * torch.pi) ** 0.5
kept = [f"{schedule.at(t).item():.2g}" for t in levels]
titles = [
    rf"$t={t}$, $\bar\alpha_t={share}$" for t, share in zip(levels, kept, strict=True)
]
for ax, x, title in zip(axes, [x_0, *noisy], ["$x_0$", *titles], strict=True):
    ax.hist(x.flatten(), bins, density=True, color="C0")
    ax.plot(values, bell, color="black")
    ax.set(ylim=(0, 1), yticks=[], xticks=[-4, 0, 4])
    ax.set_title(title, fontsize=8)
axes[0].set_ylabel("density")
plt.show()

# %% [markdown]
# These histograms are over the pixels of one picture, with one noise. Now think of one value instead, and of all possible noises: if we know $x_0$ but not the noise, $x_t$ is Gaussian, with this mean and variance for each value:
#
# $$ q(x_t \mid x_0) = \mathcal N\!\left(\sqrt{\bar\alpha_t}\, x_0,\; (1 - \bar\alpha_t)\, I\right). $$
#
# In code (N.1) is two lines. The first looks up $\bar\alpha_t$, in the shape that fits `x_0`:
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.forward
# :lines: 1,3-
# :dedent:
# ```
#
# ## Why fine details go first
#
# A picture is a sum of stripe patterns of all widths and directions (its Fourier transform). The wide stripes make its large shapes, the narrow ones its fine details:

# %% mystnb={"figure": {"caption": "Above: wide stripes; and the pictures of {numref}`fig-a11-noisy`, blurred by 2 pixels. Below: narrow stripes, and what the blur takes away (grey is zero).", "name": "fig-a11-bands"}, "image": {"alt": "Two rows of five. Above, wide stripes, a blurred sailboat, and the same with more and more stains; at t = 750 the boat can still be seen. Below, narrow stripes, and the outlines of the boat on grey; at t = 250 they are under grain, at 500 and 750 hardly more than grain is left."}} tags=["hide-input"]
across = torch.arange(64) / 64
stripes = [torch.cos(2 * torch.pi * n * across).expand(1, 3, 64, 64) for n in (2, 12)]
seen = torch.cat([x_0, *noisy[:3]])
parts = [band(seen) for band in bands(2.0)]
assert 1 / 55 < bands(2.0)[0](eps).var() < 1 / 45  # of the noise's variance, 1
grid(
    [unit_range(torch.cat(row)) for row in zip(stripes, parts, strict=True)],
    titles=["stripes", "$x_0$", *(f"$t={t}$" for t in levels[:3])],
    labels=["coarse", "fine"],
    size=1.4,
)

# %% [markdown]
# At $t = 500$ little more than the mast is left of the fine part. The coarse part shows a boat even at $t = 750$. Why?
#
# **A picture is strong in the wide stripes and weak in the narrow ones.** Take two neighbouring pixels with the values 0.8 and 0.7. The coarse pattern is $(x_1 + x_2)/\sqrt 2$, here 1.06. The fine one is $(x_1 - x_2)/\sqrt 2$, only 0.07.
#
# **Noise is equally strong in all of them.** With noise in place of the two values, both patterns have mean 0 and variance $(1 + 1)/2 = 1$. It is the same for the stripes of a larger picture, of any width. (They are sums too: $F\epsilon$, with a matrix $F$ whose rows have length 1 and are perpendicular. So $F\epsilon$ has the covariance $F F^\top = I$.) The coarse row above has less noise only because there are few wide patterns: the blur keeps about a fiftieth of the noise's variance.
#
# Dividing $x_t$ by $\sqrt{\bar\alpha_t}$ gives the picture its full strength again, and the noise the variance $(1-\bar\alpha_t)/\bar\alpha_t$. Now both can be compared, for each width of the stripes:

# %% mystnb={"figure": {"caption": "How strong the stripe patterns are (mean square of their amplitudes, over directions and colours). Grey: the mean over the drawings that Emoji-64 was trained on. Dashed: the noise, $(1 - \\bar\\alpha_t) / \\bar\\alpha_t$. Dots: where the test image first falls below the noise. Dotted: of these stripes the blur of {numref}`fig-a11-bands` halves the amplitude.", "name": "fig-a11-spectrum"}, "image": {"alt": "Two curves close together that fall steeply from left to right, and three horizontal lines that cross them: the one for t = 750 far to the left, those for 500 and 250 further to the right."}} tags=["hide-input"]
strength = pattern_strength(x_0[0])  # for 1, 2, .., 32 stripes across
assert strength[:4].min() > strength[4:].max()  # wide stripes, narrow ones

fig, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
ax.loglog(range(1, 33), strength, color="black", label="test image")
drawings = plain(emoji(), slice(None))
usual = pattern_strength(drawings.flatten(0, 1))
label = f"{len(drawings):,} drawings (mean)"
ax.loglog(range(1, 33), usual, color="grey", label=label)
for i, t in enumerate(levels[:3]):
    noise = ((1 - schedule.at(t)) / schedule.at(t)).item()
    cross = drowned_from(strength, noise)
    ax.axhline(noise, ls="--", color=f"C{i}")
    ax.plot(cross, noise, "o", color=f"C{i}")
    label = f"$t={t}$: {cross:.1f} stripes"
    ax.text(1, noise * 0.85, label, color=f"C{i}", va="top")
ax.axvline(6, ls=":", color="grey")
ax.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
ax.minorticks_off()
ax.set(xlabel="stripes across the picture", ylabel="strength (variance)")
ax.legend()
plt.show()

# %% [markdown]
# For $t = 750$ the test image is above the noise up to about 3 stripes, for $t = 500$ up to 6, for $t = 250$ up to 10. Most narrower stripes are weaker than the noise. (Why can the mast be seen at $t = 500$? At a sharp edge the crests of many stripes meet in one place, and add up. Those of the noise are spread at random.)
#
# A model that removes noise goes backwards. So we expect it to settle the large shapes first and the details last {cite:p}`rissanen2023`, like the flowers on the first page.
#
# ## How much noise, and when
#
# The numbers $\bar\alpha_t$ are called the **schedule**. That of Part A's model, Emoji-64, is a squared cosine {cite:p}`nichol2021`: about $\cos^2\!\left(\frac\pi2 \cdot \frac tT\right)$ (exactly: see the end). In Part B, $\beta_t$ grows on a straight line.

# %% mystnb={"figure": {"caption": "Left: the share $\\bar\\alpha_t$ of the picture's variance that is left. Right: the logarithm of $\\bar\\alpha_t / (1 - \\bar\\alpha_t)$, the signal-to-noise ratio for values of variance 1. Dots: the timesteps of {numref}`fig-a11-noisy`. Both lines go from $\\beta = 10^{-4}$ to 0.02.", "name": "fig-a11-alpha-bar"}, "image": {"alt": "Two plots against t / T. Left, the share falls from one: the cosine to zero, Part B's line to 0.05, close together until then; the grey one falls to zero much earlier. Right, the logarithm: cosine and Part B run together from 4 to -0.5, then Part B ends at -1.3 and the cosine falls below -3.5; the grey one lies below both until near the end."}} tags=["remove-input"]
schedules = {
    "cosine, Part A": (schedule, "C0"),
    "line, Part B ($T = 300$)": (Schedule.linear(T=300), "C1"),
    "line, $T = 1000$": (Schedule.linear(T=1000), "grey"),
}
fig, (left, right) = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained")
for label, (numbers, color) in schedules.items():
    kept = numbers.alpha_bar
    ratio = (kept / (1 - kept)).log10()
    share = torch.arange(numbers.T) / numbers.T
    left.plot(share, kept, color=color, label=label)
    right.plot(share, ratio, color=color)
    if numbers is schedule:
        left.plot(share[levels], kept[levels], "o", color="C0")
        right.plot(share[levels], ratio[levels], "o", color="C0")
left.set(xlabel="$t / T$", ylabel=r"$\bar\alpha_t$")
left.legend(fontsize=8)
right.set(xlabel="$t / T$", ylim=(-4.5, 4.5))
right.set_ylabel(r"$\log_{10}\; \bar\alpha_t / (1 - \bar\alpha_t)$")
plt.show()
assert 0.32 < (Schedule.linear(T=1000).alpha_bar < 0.01).double().mean() < 0.34
assert 1 / 16 < (schedule.alpha_bar < 0.01).double().mean() < 1 / 14
assert round(Schedule.linear(T=300).alpha_bar[-1].item(), 2) == 0.05

# %% [markdown]
# With the line over 1000 timesteps {cite:p}`ho2020`, about the last third has less than a hundredth of the picture's variance left: steps in which a model can decide little. Over 300, as in Part B, a twentieth of it is left even at the end. There a model learns to rely on a trace of the picture, but drawing starts from pure noise, without it ([B2's limits](../part_b/b2_limits.ipynb)). The cosine has nearly nothing left at its end, and only a fifteenth of its timesteps have less than a hundredth.
#
# ## When is it gone?
#
# Under this noise are two other pictures. Play takes the noise away, down to $t = 0$ in the middle of the slider, and brings it back. At which $t$ can you name them?

# %% mystnb={"figure": {"caption": "Two pictures under the noise of seeds 0 and 1, from $t = 990$ to 0 and back to 990.", "name": "fig-a11-lost"}} tags=["hide-input"]
pair = torch.stack([shipped_image(name) for name in ("mushroom", "photograph-cat")])
both = unit_noise(model.shape, generators([0, 1]))
down = strided_timesteps(990, 110)
visited = [*down, *down[-2::-1]]  # the player opens on the last one
animation(
    [tile(unit_range(schedule.forward(pair, t, both)), 2) for t in visited],
    alt="Two squares of coloured noise; at small timesteps they turn out to be a mushroom and a cat's face.",
    captions=[f"t = {t}" for t in visited],
    width=400,
)

# %% [markdown]
# At $t = 990$ a trace of each picture is left, but we cannot see it. A network that starts there has to make a picture up.

# %% tags=["remove-input"]
noise = (1 - schedule.alpha_bar) / schedule.alpha_bar
gone = (noise > strength.max()).nonzero()[0].item()
Markdown(
    f"The measure of {{numref}}`fig-a11-spectrum` says the same of the sailboat: from $t = {gone}$ on, even its strongest stripes are weaker than the noise, on average over directions and colours."
)

# %% [markdown]
# [1.3](a1_3_one_step_denoising.ipynb) meets such a network. First, [1.2](a1_2_classical_denoising.ipynb) tries without one.
#
# ## Try it
#
# Change the code, and run its cell again.
#
# 1. **Little noise.** In the code of {numref}`fig-a11-noisy`, set `levels = [50, 100, 150, 200]`. Which details of the boat are gone first?
# 2. **A photograph.** There, replace `"sailboat"` by `"photograph-cat"`. Then run the code of {numref}`fig-a11-spectrum` again. Does the noise cover the cat earlier than the boat?
#
# ```{dropdown} What we got
# 1. The waves. At $t = 200$ they can hardly be found, while the mast is still clear.
# 2. Earlier: the cat has less contrast. At $t = 750$ even its widest stripes are weaker than the noise.
# ```
#
# ## More
#
# ```{dropdown} What a blur does to the stripes
# A blur $\sigma_b$ pixels wide multiplies the amplitude of $n$ stripes across by $e^{-2(\pi\sigma_b n/64)^2}$. This is a half where $n$ is about $12/\sigma_b$, for 2 pixels at 6 stripes.
# ```
#
# ```{dropdown} Where the numbers $\bar\alpha_t$ come from
# Emoji-64 uses the squared-cosine schedule:
#
# $$ \bar\alpha_t = \frac{f((t+1)/T)}{f(0)}, \qquad f(u) = \cos^2\!\left(\frac{u + 0.008}{1.008} \cdot \frac\pi2\right). $$
#
# Only the very last step is cut shorter, so that $\bar\alpha_{999}$ is not 0.
# ```
