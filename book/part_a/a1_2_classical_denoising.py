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
# # 1.2 Classical denoising
#
# How much noise can we remove without a network?
#
# **A blur averages neighbouring pixels. This removes noise, and softens edges. Non-local means averages pixels whose surroundings look alike. With little noise, they keep edges sharper than a blur.**

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
from torchvision.transforms.v2.functional import gaussian_blur

from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import plain
from diffusion_utils.filters import best_linear, non_local_means
from diffusion_utils.metrics import psnr
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import low_pass

schedule = load_pretrained().schedule

# %% mystnb={"figure": {"caption": "The test image with noise (top, seed 0, divided by $\\sqrt{\\bar\\alpha_t}$) and blurred (bottom). Above each column: the best width tried, in pixels, and the PSNR (see below) before and after.", "name": "fig-a12-best"}, "image": {"alt": "Three noisy sailboats above; below, blurry ones: at t = 250 soft but clear, at t = 500 a vague boat, at t = 750 a soft red triangle over brown and blue."}} tags=["hide-input"]
levels, names = [250, 500, 750], ["sailboat", "mushroom", "cactus", "photograph-cat"]
widths = [0.5, 0.6, 0.7, 0.85, 1, 1.2, 1.4, 1.7, 2, 2.4, 2.8, 3.4, 4, 4.8, 5.6]
seeds = by_profile(full=[0, 1, 2], fast=[0])  # the figures show the first
clean = torch.stack([shipped_image(name) for name in names]).repeat(len(seeds), 1, 1, 1)
noise = unit_noise((3, 64, 64), generators(seeds)).repeat_interleave(len(names), 0)

# divided by its factor, the picture has its own contrast again
noisy = {t: schedule.forward(clean, t, noise) / schedule.at(t).sqrt() for t in levels}
blurred = {(t, w): low_pass(w)(noisy[t]) for t in levels for w in widths}
scores = {key: psnr(blur.clamp(-1, 1), clean, peak=2) for key, blur in blurred.items()}
best = {t: max(widths, key=lambda w: scores[t, w][0]) for t in levels}

titles = ["$x_0$\n"]
for t in levels:
    before = psnr(noisy[t][:1].clamp(-1, 1), clean[:1], peak=2).item()
    after = scores[t, best[t]][0]
    titles.append(f"$t={t}$, width {best[t]}\n{before:.1f} → {after:.1f} dB")
above = [clean[:1], *(noisy[t][:1] for t in levels)]
below = [torch.ones(1, 3, 64, 64), *(blurred[t, best[t]][:1] for t in levels)]
grid(
    [unit_range(torch.cat(above)), unit_range(torch.cat(below))],
    titles=titles,
    labels=["noisy", "blurred"],
    size=1.7,
)

# %% [markdown]
# The blur removes most of the noise and softens the edges. At $t = 750$ the mast is only a dark smear.
#
# ## The idea
#
# Neighbouring pixels mostly have nearly the same colour, but independent noise, which mostly cancels in an average. In a Gaussian **blur**, the weight of a neighbour falls with its distance $d$ as
#
# $$ w(d) \propto e^{-d^2 / (2 \sigma_b^2)}, $$
#
# where $\sigma_b$ is its width in pixels. The weights add up to 1. First $x_t$ is divided by $\sqrt{\bar\alpha_t}$, so that the picture has its own contrast again.

# %%
x_0 = shipped_image("sailboat")[None]
eps = unit_noise((3, 64, 64), generators([0]))  # noise of seed 0
x = schedule.forward(x_0, 500, eps) / schedule.at(500).sqrt()
# width 1.7 pixels, over a neighbourhood of 33x33
x0_hat = gaussian_blur(x, [33, 33], [1.7, 1.7])

# %% [markdown]
# How close is the result to $x_0$? The peak signal-to-noise ratio (**PSNR**) puts the mean squared error (**MSE**) on a logarithmic scale, in decibels (dB):
#
# $$ \text{PSNR} = 10 \log_{10} \frac{4}{\text{MSE}}. $$
#
# The 4 is the square of the largest error, from $-1$ to $1$. With 10 dB more the MSE is a tenth. The values of a result outside $[-1, 1]$ are cut off first.
#
# ## How wide should the blur be?
#
# A wide blur leaves less noise, but takes more from the picture. Write $Bx$ for "$x$ blurred", $w_i$ for the weights, and $N = (1 - \bar\alpha_t)/\bar\alpha_t$ for the variance of the noise after the division. Then $x = x_0 + \sqrt N\,\epsilon$. Blurring is linear, so
#
# $$ B x - x_0 = (B x_0 - x_0) + \sqrt N\, B \epsilon. $$
#
# Square this and take the mean over the noise. The mixed term drops out, because $\epsilon$ has mean 0. A value of $B\epsilon$ is $\sum_i w_i \epsilon_i$, and the variances of its terms add up to $\sum_i w_i^2$. So the MSE to expect is
#
# $$ \text{MSE} = \overline{(B x_0 - x_0)^2} + N\, \overline{\textstyle\sum_i w_i^2}, $$
#
# where the overbar is the mean over the picture (near its border the weights are others). The first part is what the blur takes away from the picture (the squared **bias**). The second is the noise that is left (the **variance**).

# %%
# a blur acts along rows and along columns, with the same weights;
# 64 pictures with a bright line each show them, for each row
lines = torch.eye(64).view(64, 1, 64, 1).expand(64, 1, 64, 64)


def expected_mse(x_0, N, width):
    taken = (low_pass(width)(x_0) - x_0).square().mean()
    weights = low_pass(width)(lines)[..., 0]  # (line, row)
    return taken, N * (weights.square().sum() / 64) ** 2


# %% mystnb={"figure": {"caption": "The test image with noise, blurred. Left: MSE at $t = 500$ against the width of the blur. Dots: measured, mean over 20 noises. Lines: the two parts and their sum. Right: the sum as PSNR, at three timesteps. Values outside $[-1, 1]$ are kept.", "name": "fig-a12-widths"}, "image": {"alt": "Left, a rising line and a falling line that cross at a width of about two pixels, and above them their sum, which is lowest near there; dots lie on the sum. Right, three curves with dots close to them, each with a maximum; the larger t, the lower the curve and the further to the right its maximum."}} tags=["hide-input"]
boat, many = clean[:1], unit_noise((3, 64, 64), generators(range(20)))
fig, (left, right) = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
for i, t in enumerate(levels):
    N = ((1 - schedule.at(t)) / schedule.at(t)).item()
    parts = torch.tensor([expected_mse(boat, N, w) for w in widths])
    x = boat + N**0.5 * many
    mse = torch.tensor([(low_pass(w)(x) - boat).square().mean() for w in widths])
    assert (mse / parts.sum(1) - 1).abs().max() < 0.04
    right.plot(widths, 10 * torch.log10(4 / mse), "o", color=f"C{i}", ms=4)
    right.plot(widths, 10 * torch.log10(4 / parts.sum(1)), f"C{i}", label=f"$t={t}$")
    if t == 500:
        left.plot(widths, mse, "o", color=f"C{i}", ms=4)
        left.plot(widths, parts.sum(1), f"C{i}", label="sum")
        left.plot(widths, parts[:, 0], "C3--", label="taken from the picture")
        left.plot(widths, parts[:, 1], "C4:", label="noise left")
for ax in (left, right):
    ax.set(xscale="log", xlabel=r"width $\sigma_b$, pixels")
    ax.set_xticks([0.5, 1, 2, 4], [0.5, 1, 2, 4])
    ax.minorticks_off()
    ax.legend(fontsize=8)
left.set(ylabel="MSE", ylim=(0, 0.2))
right.set(ylabel="PSNR, dB")
plt.show()

# %% [markdown]
# The best width is where the sum is smallest. With more noise it is wider, and even the best result is worse. The dots lie on the lines. (In {numref}`fig-a12-best` values outside $[-1, 1]$ are cut off before the PSNR is measured. That removes some noise, so the best widths there are smaller.)
#
# ## Average what looks alike
#
# A blur averages across edges. **Non-local means** {cite:p}`buades2005` looks for pixels that belong together. It takes a square of 6x6 pixels around each of two pixels. $D$ is the mean squared difference of the two squares. Here is a pixel at the edge of the sail, and three others:

# %% mystnb={"figure": {"caption": "Squares of the test image, clean and noisy ($t = 250$, seed 0). Above: the difference $D$ of the noisy square from the first one, and the weight $w$ (see below; $h = 0.58 \\sqrt N$).", "name": "fig-a12-squares"}, "image": {"alt": "Two rows of four squares. Clean: two red squares with a slanting edge to pale blue, one all red, one all pale blue. Noisy: the same in mixed colours. Above: along the edge D = 0.403, w = 0.53; in the sail D = 0.560, w = 0.04; in the sky D = 1.460, w = 0.00."}} tags=["hide-input"]
N = ((1 - schedule.at(250)) / schedule.at(250)).item()
others = {"along the edge": (15, 30), "in the sail": (18, 28), "in the sky": (15, 40)}


def square_at(x, row, column):
    return x[:, row - 2 : row + 4, column - 2 : column + 4]


assert f"{2 * N:.3f}, {0.58**2 * N:.3f}" == "0.364, 0.061"
assert f"{2 * N * (2 / 108) ** 0.5:.2f}" == "0.05"  # of 108 squared differences
own = square_at(noisy[250][0], 18, 33)
titles = ["the pixel's own\n\n"]
for name, place in others.items():
    D = (square_at(noisy[250][0], *place) - own).square().mean()
    weight = torch.exp(-(D - 2 * N).clamp(min=0) / (0.58**2 * N))
    titles.append(f"{name}\n$D$ = {D:.3f}\n$w$ = {weight:.2f}")
rows = [
    [square_at(x, *place) for place in [(18, 33), *others.values()]]
    for x in (clean[0], noisy[250][0])
]
grid(
    [unit_range(torch.stack(row)) for row in rows],
    titles=titles,
    labels=["clean", "noisy"],
    size=1.5,
)

# %% [markdown]
# Both squares have noise of variance $N$, which alone makes $D$ about $2N$, here $2 \cdot 0.182 = 0.364$. If $D$ is much larger, the squares differ in the picture, too. So the weight falls with what $D$ has more:
#
# $$ w \propto e^{-\max(D - 2N,\, 0) / h^2}. $$
#
# The setting $h$ says how much more is allowed ($0.58\sqrt N$ does well here; we tried three, see below). With $h = 0.58 \sqrt N$, $h^2$ is 0.061. Chance alone makes $D$ vary by about 0.05, so an excess of 0.039 must not cost much: the weight of the square along the edge is $e^{-0.039/0.061} = 0.53$. In the sky, no weight is left. The average is over all pixels up to 11 rows and columns away:

# %% mystnb={"figure": {"caption": "The edge of the sail, 23x23 pixels enlarged: clean, noisy (seed 0), and the weights with which the pixels are averaged for the framed one. Blur: best width. Non-local means: $h = 0.58 \\sqrt N$. White is 0, black the largest weight.", "name": "fig-a12-edge"}, "image": {"alt": "Above, the clean sail's edge, and the same under more and more noise. The weights of the blur: a small dark spot, which grows with t. Those of non-local means: at t = 250 a thin dark line along the edge; at t = 500 a speckled triangle, as large as the sail; at t = 750 speckles nearly everywhere."}} tags=["hide-input"]
row, column = 18, 33
reach = slice(row - 11, row + 12), slice(column - 11, column + 12)


def likeness(x, N, h):
    """The weights of non-local means around the pixel, given a picture x (3, H, W)."""
    squares = x.unfold(1, 6, 1).unfold(2, 6, 1)  # that of pixel (2, 2) is the first
    row_of, column_of = (slice(s.start - 2, s.stop - 2) for s in reach)
    own = squares[:, row - 2, column - 2][:, None, None]
    D = (squares[:, row_of, column_of] - own).square().mean((0, 3, 4))
    weights = torch.exp(-(D - 2 * N).clamp(min=0) / h**2)
    return weights * (weights > torch.e**-5)  # scikit-image leaves smaller ones out


spot = torch.zeros(1, 1, 64, 64)
spot[..., row, column] = 1
fig, axes = plt.subplots(3, 4, figsize=(6, 4.7), layout="compressed")
for ax in axes.flat:
    ax.set_axis_off()
for t, line in zip(["clean", *levels], axes.T, strict=True):
    picture = clean[0] if t == "clean" else noisy[t][0]
    line[0].imshow(unit_range(picture)[:, *reach].clamp(0, 1).permute(1, 2, 0))
    line[0].set_title("$x_0$" if t == "clean" else f"$t={t}$")
    if t != "clean":
        N = ((1 - schedule.at(t)) / schedule.at(t)).item()
        line[1].imshow(low_pass(best[t])(spot)[0, 0, *reach], cmap="Greys", vmin=0)
        alike = likeness(picture, N, 0.5 * 7 / 6 * N**0.5)
        line[2].imshow(alike, cmap="Greys", vmin=0)
        # so it is scikit-image's weight: the mean is the same
        mean = (alike * picture[:, *reach]).sum((1, 2)) / alike.sum()
        whole = non_local_means(noisy[t][:1], 0.5 * N**0.5, N)
        assert (mean - whole[0, :, row, column]).abs().max() < 0.02
    for ax in line if t != "clean" else line[:1]:
        ax.plot(11, 11, "s", mfc="none", mec="C0", ms=5, mew=1.5)
for ax, label in zip(axes[1:, 0], ["blur", "non-local\nmeans"], strict=True):
    ax.text(0.95, 0.5, label, transform=ax.transAxes, ha="right", va="center")
plt.show()

# %% [markdown]
# Non-local means takes pixels along the edge at $t = 250$, and mostly those of the sail at $t = 500$. At $t = 750$ it takes many of the sky: the squares are too noisy to compare.
#
# ## Which filter is the closest?
#
# Blur and non-local means know nothing of other pictures. For each picture they get the setting that brings the highest PSNR, of 15 and of three. We can choose it only because we know $x_0$. The **best linear filter** has no setting, but it knows the 3,060 drawings that Part A's network was trained on. With $x = x_t / \sqrt{\bar\alpha_t}$, the mean $m$ of these drawings and the covariances $C$ of their values, its answer is
#
# $$ \hat x_0 = m + C\,(C + N I)^{-1} (x - m). $$
#
# It weakens each pattern of $x - m$: hardly, where the drawings differ by much more than the noise ($C$ large beside $N$), and to nearly nothing, where they differ by much less. With very much noise, $m$ is left. Of all linear filters it has the smallest squared error to expect, on average over these drawings.

# %% tags=["remove-input"]
data = emoji()
drawings = plain(data, torch.arange(len(data.images)))
mean = drawings.mean(0)
usual = torch.fft.fft2(drawings - mean, norm="ortho").abs().square().mean((0, 1))


def wiener(x, N):
    patterns = torch.fft.fft2(x - mean) * usual / (usual + N)
    return mean + torch.fft.ifft2(patterns).real


linear = best_linear(drawings)


# %% mystnb={"figure": {"caption": "The test image and the photograph of a cat: clean, noisy (seed 0) and after each filter, with the PSNR in dB. The blur has the best of 15 widths, non-local means the best of three settings ($h$ is 0.41, 0.58 or 0.82 times $\\sqrt N$).", "name": "fig-a12-filters"}, "image": {"alt": "Four rows: noisy, blurred, after non-local means, and after the best linear filter; three sailboats and three cats in each, and in the first row both without noise. At t = 250 only that of non-local means has clean areas and sharp edges. At t = 500 it is cleaner than the blur, with a fine hatching, and the linear one has dark smears. At t = 750 the blur shows a soft red triangle over brown and blue, non-local means a red cloud over a pale green and blue one, the linear filter a faint boat with dark smears. Of the cat all three leave eyes and nose at t = 250; at 500 and 750 blur and non-local means leave brown stains, the linear filter a brown square with dark ones."}} tags=["hide-input"]
def best_of(tried):
    """Of each picture, the one of the filtered versions with the highest PSNR."""
    tried = torch.stack([x.clamp(-1, 1) for x in tried])
    score = torch.stack([psnr(x, clean, peak=2) for x in tried])
    return tried[score.argmax(0), range(len(clean))]


filtered = {}
for t in levels:
    N = ((1 - schedule.at(t)) / schedule.at(t)).item()
    # scikit-image divides by 49 for its 36 pixels: the h of the text is 7/6 of this
    alike = [non_local_means(noisy[t], k * N**0.5, N) for k in (0.35, 0.5, 0.7)]
    filtered[t] = {
        "noisy": noisy[t].clamp(-1, 1),
        "blur": best_of([blurred[t, w] for w in widths]),
        "non-local means": best_of(alike),
        "Wiener filter": wiener(noisy[t], N).clamp(-1, 1),
        "best linear filter": linear(noisy[t], N).clamp(-1, 1),
    }
ways = [way for way in filtered[levels[0]] if way != "Wiener filter"]
columns = [(i, t) for i in (0, 3) for t in (0, *levels)]  # the boat, then the cat
fig, axes = plt.subplots(len(ways), 8, figsize=(7, 4.1), layout="compressed")
for way, line in zip(ways, axes, strict=True):
    for ax, (i, t) in zip(line, columns, strict=True):
        ax.set(xticks=[], yticks=[])
        x = filtered[t][way][i] if t else clean[i]
        if not t:
            ax.spines[:].set_visible(False)
        if t or way == "noisy":
            ax.imshow(unit_range(x).permute(1, 2, 0))
        score = f"{psnr(x[None], clean[i][None], peak=2).item():.1f}" if t else ""
        above = (f"$t={t}$\n" if t else "$x_0$\n") if way == "noisy" else ""
        ax.set_title(f"{above}{score}", fontsize=9, pad=2)
    line[0].set_ylabel(way.replace("best linear", "best linear\n"), fontsize=9)
plt.show()

# %% tags=["remove-input"]
each = {  # for each timestep and picture the mean over the seeds
    way: torch.stack([psnr(filtered[t][way], clean, peak=2) for t in levels])
    .view(len(levels), len(seeds), len(names))
    .mean(1)
    for way in filtered[levels[0]]
}
kinds = {"drawings": slice(3), "photograph": slice(3, 4)}
rows = [
    [f"{kind}: {way}", *(f"{x:.1f}" for x in each[way][:, which].mean(1))]
    for kind, which in kinds.items()
    for way in ways
]
table(
    rows,
    ["", *(f"t = {t}" for t in levels)],
    "PSNR in dB, mean over three drawings, or a photograph of a cat, and three seeds. None of the four is among the 3,060 drawings.",
)

# %% tags=["remove-cell"]
closest = [
    [max(ways, key=lambda way: each[way][i, which].mean()) for i in range(len(levels))]
    for which in kinds.values()
]
middle = by_profile(full="best linear filter", fast="non-local means")  # one seed
assert closest[0] == ["non-local means", middle, "best linear filter"]
assert closest[1] == ["blur"] * 3

# %% [markdown]
# **On the drawings**, non-local means is the closest at $t = 250$: the boat has clean areas and sharp edges. (The faint waves are lost with each filter.) At $t = 500$ the best linear filter and the next best are about equal (0.2 dB apart, for only three drawings). At $t = 750$ the best linear filter is the closest: it knows what drawings have in common.
#
# **On the photograph**, the blur is the closest, at $t = 750$ by only 0.2 dB. Fur has no large areas that look alike, so non-local means finds little to average. And the linear filter has seen no photograph: it is the best one for drawings, on average.
#
# So a filter brings back most of the picture under a little noise, and none does under much. What could? The best linear filter knows other pictures, but can only multiply and add. Non-local means can do more, but knows no other pictures. A network has both: [1.3](a1_3_one_step_denoising.ipynb).
#
# ## Try it
#
# Change the code, and run its cell again.
#
# 1. **Little noise.** In the code of {numref}`fig-a12-best`, set `levels, names = [50, 250, 500], ["sailboat"]`. How many decibels does a blur bring at $t = 50$?
# 2. **A photograph.** There, set `levels, names = [250, 500, 750], ["photograph-cat"]`. Which of its details does the best blur keep at $t = 500$?
#
# ```{dropdown} What we got
# 1. Fewer than at $t = 250$. With little noise there is little to remove, but a blur still softens the edges.
# 2. The places of eyes and nose, as dark and light spots. The fur is gone.
# ```
#
# ## More
#
# ```{dropdown} Filters that know other pictures: Wiener and the best linear filter
# A blur multiplies each stripe pattern of [1.1](a1_1_forward.ipynb) by a factor $g$. Of all factors, $g = S/(S+N)$ has the smallest error to expect, where $S$ is the mean square of the pattern in the picture. The **Wiener filter** {cite:p}`wiener1949` takes the mean $S$ of the 3,060 training drawings of Part A's model (less their mean, which it puts back at the end).
#
# The **best linear filter** also knows how all 12,288 values of the drawings vary together. Where the patterns of each colour vary independently, it is the Wiener filter. Let $X$ have a row for each drawing, less $m$. Then $C = X^\top X / 3060$, and
#
# $$ C\,(C + N I)^{-1} = X^\top (X X^\top + 3060\, N I)^{-1} X. $$
#
# So the answer is $m$ plus a weighted sum of drawings less $m$, with weights that may be below 0.
# ```

# %% mystnb={"code_prompt_show": "Show the four pictures"} tags=["remove-input", "hide-output"]
rows = [
    [
        f"t = {t}",
        name.replace("-cat", " of a cat"),
        *(f"{v[i, k]:.1f}" for v in each.values()),
    ]
    for i, t in enumerate(levels)
    for k, name in enumerate(names)
]
table(
    rows,
    ["", "picture", *each],
    "PSNR in dB for each picture, mean over seeds 0, 1 and 2.",
)
