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
# # A text-to-image model trained on two CPU cores
#
# Part A needs a pretrained text-to-image model that works on pixels. DeepFloyd IF, for which the coursework was written, asks for an account, a GPU and 16 GB of its memory. Can a model that is small enough to train on two processor cores,
# and to ship with a book, do the job?

# %% tags=["remove-cell"]
# In Colab: fetch the book. Does nothing where its package is installed.
import importlib.util
import subprocess
import sys
from pathlib import Path

ADDRESS = "https://github.com/fun-with-diffusion/fun-with-diffusion-models"
if importlib.util.find_spec("diffusion_utils") is None:
    if not Path("book-source").exists():
        subprocess.run(
            ["git", "clone", "--depth=1", ADDRESS, "book-source"], check=True
        )
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--editable",
        "book-source",
    ]
    subprocess.run(pip, check=True)
    sys.path.insert(0, "book-source")

# %%
import json

import matplotlib.pyplot as plt
import numpy as np
import torch
from diffusion_utils.emoji64.training import Recipe
from PIL import Image

from diffusion_utils import views
from diffusion_utils.emoji64.captions import article
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import (
    HELD_OUT,
    load_evaluator,
    name_ranks,
    plain,
)
from diffusion_utils.emoji64.model import FOLDER, noise_from_velocity, velocity
from diffusion_utils.files import ROOT
from diffusion_utils.profile import by_profile
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, to_pixels, unit_range
from diffusion_utils.tasks import generate, prompted
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runs import read_history

model = load_pretrained("emoji64")
history = read_history(FOLDER / "history.csv")
hours = history[-1].seconds / 3600
large = sum(row.step > Recipe().small_steps for row in history)
print(
    f"weights after {history[-1].step:,} steps in {hours:.1f} hours, "
    f"{large:,} of them at 64x64 pixels"
)

# %% [markdown]
# ## Data
#
# Emoji come with names, in several drawing styles, under open licences. 508 concrete things were chosen: animals, food, plants, vehicles, places, tools, clothes. Each is drawn in at least four of seven styles.

# %%
data = emoji()
counts = data.style_index.bincount()
print(f"{len(data.images):,} drawings of {len(data.names)} names")
for style, count in zip(data.styles, counts, strict=True):
    print(f"{style:>18}: {count}")

# %% mystnb={"figure": {"caption": "Six names in the seven styles of the training set; an empty place means that the style has no such drawing.", "name": "fig-e64-data"}, "image": {"alt": "Rows for a rocket, a red apple, a penguin, a cactus, a skull and a house; columns for the styles, from flat to shaded to outlined."}} tags=["hide-input"]
chosen = ["rocket", "red apple", "penguin", "cactus", "skull", "house"]
rows = []
for name in chosen:
    row = torch.ones(len(data.styles), 3, 64, 64)
    for style in range(len(data.styles)):
        found = (data.name_index == data.names.index(name)) & (
            data.style_index == style
        )
        if found.any():
            row[style] = unit_range(plain(data, found.nonzero()[:1, 0]))[0]
    rows.append(row)
titles = [style.replace("-", "-\n", 1) for style in data.styles]
grid(rows, titles=titles, labels=chosen, size=1.0)

# %% [markdown]
# While training, each drawing is turned, scaled and shifted a little, mirrored half the time, and put on white or, one time in four, on a pastel. Its caption is its name, at times with words for the style; one in ten is empty, for
# guidance, and one in twenty says "a high quality photo" or the like, so that these words mean "anything".
#
# ## Text
#
# A small sentence encoder, [all-MiniLM-L6-v2](https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2) of the architecture of {cite:t}`wang2020`, that others trained on a billion pairs of sentences, turns a prompt into one vector for each token (a word or a part of one, at most 12 with the marks for start and end) and one for the whole. It is frozen. Prompts
# that mean nearly the same should get nearly the same vector:

# %%
ask, *others = ["a rocket ship", "a rocket", "a sailboat", "a broccoli"]
target = model.condition(ask)[2][0]
for prompt in others:
    other = model.condition(prompt)[2][0]
    print(
        f"cosine of {ask!r} and {prompt!r}: {torch.cosine_similarity(target, other, 0):.2f}"
    )

# %% [markdown]
# ## Network
#
# A U-Net {cite:p}`ronneberger2015`. Four pixels are folded into channels before the first convolution {cite:p}`hoogeboom2023`, so that most of the arithmetic is done at a quarter of the pixels and less;
# time and the prompt as a whole scale and shift every block; at the lowest resolution each place looks at all places, and at the tokens
# ({numref}`fig-e64-network`).
#
# ```{literalinclude} ../../diffusion_utils/emoji64/network.py
# :pyobject: EmojiUNet.forward
# :start-at: e = F.silu
# ```

# %% mystnb={"figure": {"caption": "The network at 64x64 pixels: channels at side of the image, residual blocks on each level, attention at side 8. Dashed: what is handed over to the way up.", "name": "fig-e64-network"}, "image": {"alt": "A U of boxes: 64 channels at side 32, 128 at 16 and 256 at 8 on the way down, attention to pixels and words at the bottom, and the same levels on the way up."}} tags=["hide-input"]
unet = model.network.unet
c1, c2, c3 = (getattr(unet, f"level{n}")[-1].conv2.out_channels for n in (1, 2, 3))
boxes = {  # name: (x, y, text)
    "x": (0, 0, "$x_t$\n3 at 64"),
    "1": (1, 1, f"2 blocks\n{c1} at 32"),
    "2": (2, 2, f"2 blocks\n{c2} at 16"),
    "3": (3, 3, f"2 blocks\n{c3} at 8"),
    "look": (4, 3, "attention\npixels, words"),
    "3up": (5, 3, f"2 blocks\n{c3} at 8"),
    "again": (6, 3, "attention\npixels, words"),
    "2up": (7, 2, f"2 blocks\n{c2} at 16"),
    "1up": (8, 1, f"2 blocks\n{c1} at 32"),
    "v": (9, 0, "$v$\n3 at 64"),
}
fig, ax = plt.subplots(figsize=(9, 2.9), layout="constrained")
path = list(boxes)
arrows = [(a, b, "-") for a, b in zip(path, path[1:], strict=False)]
for a, b, line in [*arrows, ("1", "1up", "--"), ("2", "2up", "--")]:
    (x, y, _), (to_x, to_y, _) = boxes[a], boxes[b]
    style = {"arrowstyle": "->", "linestyle": line, "shrinkA": 26, "shrinkB": 26}
    ax.annotate("", (to_x, to_y), (x, y), arrowprops=style)
for x, y, text in boxes.values():
    box = {"boxstyle": "round", "facecolor": "#e8f0fe", "edgecolor": "#176de8"}
    ax.text(x, y, text, ha="center", va="center", fontsize=8, bbox=box)
ax.set(xlim=(-0.6, 9.6), ylim=(3.5, -0.5))
ax.set_axis_off()
plt.show()

# %%
print(f"{sum(p.numel() for p in unet.parameters()) / 1e6:.1f} million parameters")

# %% [markdown]
# ## Objective
#
# The network predicts neither the noise nor the image but the velocity $v$ {cite:p}`salimans2022`, which is well scaled at both ends of the schedule:
#
# $$ v = \sqrt{\bar\alpha_t}\,\epsilon - \sqrt{1 - \bar\alpha_t}\, x_0 \tag{E.1} $$
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.velocity
# ```
#
# The rest of the book asks for the noise, which follows exactly:
#
# $$ \epsilon = \sqrt{\bar\alpha_t}\, v + \sqrt{1 - \bar\alpha_t}\, x_t \tag{E.2} $$

# %%
x_0, eps = torch.randn(2, 1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
v = velocity(model.schedule, x_0, 600, eps)
x_t = model.schedule.forward(x_0, 600, eps)
error = (noise_from_velocity(model.schedule, x_t, 600, v) - eps).abs().max()
print(f"(E.2) undoes (E.1) up to {error:.0e}")

# %% [markdown]
# ## Training
#
# First at 32x32 pixels, which is four times cheaper, then at 64x64, by one command:
#
#     python -m diffusion_utils.emoji64.train --out runs/emoji64
#
# Training in stretches is part of the recipe: `--start models/emoji64` goes on from the averaged weights that ship, and only the optimizer's memory begins anew.

# %% mystnb={"figure": {"caption": "Mean squared error of $v$ against the step, from the history of the run that made the shipped weights; dark: running mean of 100 steps. Dashed: where training goes from 32x32 to 64x64 pixels. Batch 32, seed 64.", "name": "fig-e64-loss"}, "image": {"alt": "A noisy falling curve on a logarithmic axis with its running mean."}} tags=["hide-input"]
loss = np.array([row.loss for row in history])
window = min(100, len(loss))
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.semilogy(loss, alpha=0.25, label="each step")
ax.semilogy(
    np.arange(window - 1, len(loss)),
    np.convolve(loss, np.ones(window) / window, "valid"),
    label=f"mean of {window} steps",
)
ax.axvline(Recipe().small_steps, color="grey", ls="--")
ax.set(xlabel="step", ylabel="mean squared error of $v$")
ax.legend()
plt.show()

# %% mystnb={"figure": {"caption": "The same sixteen prompts with the same seeds (0 to 15) after more and more training: $\\gamma = 4$, 20 steps.", "name": "fig-e64-sheets"}, "image": {"alt": "Sheets of sixteen small pictures; from one sheet to the next, noise becomes colour, and colour becomes shapes."}} tags=["hide-input"]
sheets = sorted(FOLDER.glob("sheet-*.png"))
sheets = [
    sheets[i]
    for i in np.linspace(0, len(sheets) - 1, min(3, len(sheets))).round().astype(int)
]
fig, axes = plt.subplots(
    len(sheets),
    1,
    figsize=(5.6, 1.6 * len(sheets)),
    squeeze=False,
    layout="constrained",
)
for ax, path in zip(axes.flat, sheets, strict=True):
    ax.imshow(Image.open(path))
    ax.set_title(f"step {int(path.stem[6:]):,}", fontsize=9)
    ax.set_axis_off()
plt.show()

# %% [markdown]
# The prompts are, row by row: a rocket ship, a broccoli, a ninja, a red apple, a pencil, a skull, a dog, a house; an old man, a campfire, a snowy mountain, a fish, a mushroom, a cactus, a penguin, a boat. What to look for
# in {numref}`fig-e64-sheets`, from sheet to sheet: whose colour is right, whose outline could be named.
#
# ## How good is it?
#
# An evaluator that shares nothing with the generator but the drawings names each generated picture: a small convolutional network, trained on turned, recoloured, blurred and noisy copies. It never saw one of the styles; its accuracy on
# that style, called the ceiling here, is what the generator is compared with. It is no strict bound: a picture in a style that the evaluator knows can be easier.

# %%
judge = load_evaluator()
_, names, ceiling = judge
result = json.loads((ROOT / "benchmarks/results/emoji64.json").read_text())
print(
    f"ceiling, {ceiling['images']} drawings in the style {HELD_OUT}: "
    f"top-1 {ceiling['top1']:.1%}, top-5 {ceiling['top5']:.1%}"
)
for run in result["runs"]:
    print(
        f"{run['hours']:.1f} h, {run['steps']:,} steps, gamma {run['gamma']:g}, "
        f"{run['names']} prompts: top-1 {run['top1']:.1%}, top-5 {run['top5']:.1%}, "
        f"of the ceiling {run['top1'] / ceiling['top1']:.1%} "
        f"and {run['top5'] / ceiling['top5']:.1%}"
    )

# %% mystnb={"figure": {"caption": "Recognised prompts against hours of training, each measured when those weights were the newest: one picture for each prompt, every fourth name (the first point: all names), $\\gamma = 4$, 30 steps, seed 0; bars are one standard error, dashed the ceiling. Stored by `python -m benchmarks.emoji64_quality`.", "name": "fig-e64-hours"}, "image": {"alt": "Two curves of accuracy against hours, top-5 above top-1, with dashed lines for real drawings; both rise, top-1 up to 3.6 hours."}} tags=["hide-input"]
found = np.array(list(result["ranks"].values()))[::4]  # the names of the runs between
newest = {"hours": hours, "names": len(found)}
newest |= {"top1": (found <= 1).mean(), "top5": (found <= 5).mean()}
runs = [r for r in result["runs"] if r["gamma"] == 4 and r["hours"] < hours]
runs = sorted([*runs, newest], key=lambda r: r["hours"])
fig, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for key, label in ("top1", "top-1"), ("top5", "top-5"):
    share = np.array([run[key] for run in runs])
    error = np.sqrt(share * (1 - share) / [run["names"] for run in runs])
    line = ax.errorbar(
        [run["hours"] for run in runs],
        share,
        error,
        marker="o",
        capsize=2,
        label=label,
    )
    ax.axhline(ceiling[key], color=line[0].get_color(), ls="--")
ax.set(xlabel="hours of training on two cores", ylabel="share recognised", ylim=0)
ax.legend()
plt.show()

# %% [markdown]
# ## Unselected pictures

# %%
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
shown = names[:: by_profile(21, 200)][:24]
drawn = generate(
    model,
    prompted(model, [f"{article(name)} {name}" for name in shown], gamma=4),
    [0] * len(shown),
    timesteps,
)
found = name_ranks(judge, drawn, shown)

# %% mystnb={"figure": {"caption": "Every 21st name of the training set, not selected; $\\gamma = 4$, seed 0 for all, timesteps 990, 960, .., 0. The number is the rank of the right name in the evaluator's list: 1 is recognised.", "name": "fig-e64-unselected"}, "image": {"alt": "Four rows of six small pictures with their prompts and ranks above."}} tags=["hide-input"]
fig, axes = plt.subplots(
    -(-len(shown) // 6),
    6,
    figsize=(6.8, 1.4 * -(-len(shown) // 6)),
    squeeze=False,
    layout="constrained",
)
for ax in axes.flat:
    ax.set_axis_off()
for ax, picture, name, rank in zip(
    axes.flat, to_pixels(unit_range(drawn)), shown, found, strict=False
):
    ax.imshow(picture)
    ax.set_title(f"{name}: {rank}", fontsize=8)
plt.show()

# %% [markdown]
# Compare the numbers in {numref}`fig-e64-unselected` with what you see: the evaluator does not look as people do. What it goes by shows on real drawings, of the style that it was not
# trained on, from which one thing is taken away: the colour, or the shape, by shuffling 8 x 8 tiles.

# %%
held_out = (data.style_index == data.styles.index(HELD_OUT)).nonzero()[:, 0]
real = plain(data, held_out)
tiles = views.jigsaw(torch.Generator().manual_seed(0), pieces=8)
labels = [data.names[i] for i in data.name_index[held_out]]
for name, x in {
    "as they are": real,
    "in grey": real.mean(1, keepdim=True).expand_as(real),
    "shuffled": tiles.apply(real),
}.items():
    ranks = torch.tensor(name_ranks(judge, x, labels))
    print(
        f"{name:>11}: {(ranks == 1).float().mean():.1%} recognised, "
        f"{(ranks <= 5).float().mean():.1%} in the first five"
    )

# %% [markdown]
# So it goes by shape more than by colour, and by how the parts lie most of all. A share of recognised pictures is good for following the training; it cannot replace looking at the pictures.
#
# ## What it cannot do
#
# Photographs, counting, writing, composition: nothing of the kind was in the data, and the captions are names.

# %%
hard = [
    "a photo of a street at night",
    "three red apples",
    "the word hello",
    "a cat riding a bicycle",
]
failures = generate(model, prompted(model, hard, gamma=4), range(4), timesteps)

# %% mystnb={"figure": {"caption": "Prompts that ask for too much; $\\gamma = 4$, seeds 0 to 3.", "name": "fig-e64-failures"}, "image": {"alt": "Four small pictures, with the prompts above."}} tags=["hide-input"]
grid(
    [unit_range(failures)],
    titles=[
        text.replace(" of ", " of\n").replace(" riding", "\nriding") for text in hard
    ],
    size=1.9,
)

# %% [markdown]
# ## Cost

# %%
images = history[-1].step * Recipe().batch_size
print(
    f"at most {2 * hours:.1f} core-hours (two cores, not always free), "
    f"{images:,} images seen, {images / len(data.images):.0f} passes over the data"
)
window = min(500, len(loss) // 3)
print(
    f"mean error of the last {window} steps {loss[-window:].mean():.4f}, "
    f"of the {window} before {loss[-2 * window : -window].mean():.4f}"
)

# %% [markdown]
# For comparison, the [model card](https://huggingface.co/CompVis/stable-diffusion-v1-4) of Stable Diffusion 1.4 gives 150,000 hours on A100 GPUs. Does the small model do the job? It runs every technique of
# Part A, and each chapter measures how well. As for pictures that can be named: for most prompts the evaluator puts another name first (top-1 at $\gamma = 4$ above).
