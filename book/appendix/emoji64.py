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
# # A text-to-image model trained on one processor core
#
# Can a model that one processor core trained draw what it is asked for?
#
# **Mostly, if the prompt names one thing that it has learned. But it draws the thing much as a training drawing shows it, and another word for the same thing often gives something else. Where we asked for a number of things, for letters or for two things together, it failed.**

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
import json
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from diffusion_utils.diagrams import draw, emoji_plan
from diffusion_utils.emoji64.captions import STYLES, called
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import (
    HELD_OUT,
    held_out,
    load_evaluator,
    plain,
)
from diffusion_utils.emoji64.model import FOLDER
from diffusion_utils.emoji64.network import pooled
from diffusion_utils.emoji64.recipe import Recipe
from diffusion_utils.files import ROOT
from diffusion_utils.pictures import to_unit
from diffusion_utils.profile import by_profile
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, loss_curve, table, to_pixels, unit_range
from diffusion_utils.tasks import generate, prompted
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runs import read_history

model = load_pretrained("emoji64")
data = emoji()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
shown = data.names[:: by_profile(21, 200)][:24]

# %%
prompts = [called(name) for name in shown]
asked = prompted(model, prompts, gamma=4)
drawn = generate(model, asked, [0] * len(shown), timesteps)

# %% mystnb={"figure": {"caption": "Every 21st of the 508 names that the model knows, in alphabetical order, the first 24; nothing selected. The prompt is the name with its article; $\\gamma = 4$, seed 0, timesteps 990, 960, .., 0.", "name": "fig-e64-unselected"}, "image": {"alt": "Four rows of six small pictures on white, each with its name above."}} tags=["remove-input"]
fig, axes = plt.subplots(
    -(-len(shown) // 6),
    6,
    figsize=(7, 1.38 * -(-len(shown) // 6)),
    squeeze=False,
    layout="compressed",
)
for ax in axes.flat:
    ax.set_axis_off()
for ax, picture, name in zip(
    axes.flat, to_pixels(unit_range(drawn)), shown, strict=False
):
    ax.imshow(picture)
    ax.set_title(name, fontsize=8)
plt.show()

# %% [markdown]
# The model is called Emoji-64. It learned from 3,060 drawings of 508 things, and it draws at 64x64 pixels. It has three parts:
#
# * the **text encoder** turns the prompt into numbers. It is a small language model, all-MiniLM-L6-v2 {cite:p}`wang2020`, which others trained on far more text; here it stays as it is.
# * the **base** reads these numbers and decides at 32x32 pixels what is drawn;
# * the **refiner** adds the detail at 64x64.
#
# ## Decide small, refine large
#
# What a thing looks like is hard to learn, and at 32x32 pixels a network needs a quarter of the arithmetic of 64x64. So the base is large, and the refiner is small. For each pixel the refiner looks at the pixels around it, in the noisy picture and in what the base has made. It does not read the prompt.

# %% mystnb={"figure": {"caption": "One step of the denoiser, at two timesteps. From the left: the noisy picture; the same at half its size, which has less noise; what the base makes of it; what the refiner makes of both. The prompt is \"a penguin\". The model was trained on this drawing, so it may know it by heart. Noise of seed 0.", "name": "fig-e64-scales"}, "image": {"alt": "Two rows of four pictures of a penguin: noisy at 64 pixels, less noisy at 32, the estimate at 32, the sharper estimate at 64."}} tags=["remove-input"]
unet = model.network.unet
index = [data.names[i] for i in data.name_index].index("penguin")
x_0 = plain(data, torch.tensor([index]))
eps = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(0))
condition = model.condition("a penguin")
rows, times, smaller_t = [], (800, 400), []
for t in times:
    x_t = model.schedule.forward(x_0, t, eps)
    batch = torch.tensor([t])
    small, alpha_bar = pooled(model.schedule, x_t, batch)
    smaller_t.append(model.schedule.timestep(alpha_bar).item())
    with torch.no_grad():
        coarse = unet.coarse_estimate(x_t, batch, *condition)
    refined = model.schedule.predict_x0(x_t, t, model.denoiser("a penguin")(x_t, t).eps)
    rows.append([unit_range(x)[0] for x in (x_t, small, coarse, refined)])
titles = ["$x_t$, 64 x 64", "$x'$, 32 x 32", "base: 32 x 32", "refiner: 64 x 64"]
fig, axes = plt.subplots(2, 4, figsize=(6.3, 3.45), layout="compressed")
for row, t, t_small, line in zip(axes, times, smaller_t, rows, strict=True):
    for ax, x, title in zip(row, line, titles, strict=True):
        ax.imshow(to_pixels(x[None])[0])
        ax.set(xticks=[], yticks=[], title=title if t == times[0] else "")
    row[0].set_ylabel(f"t = {t}")
    row[1].set_xlabel(f"t' = {t_small:.0f}")
plt.show()

# %% [markdown]
# At $t = 800$ the penguin can hardly be seen in the noisy picture. At half the size there is less noise beside the picture, and a little more can be seen. The base draws a penguin from that, from the prompt and from what it remembers. Other models, too, draw small first and enlarge then, with two networks and two samplers {cite:p}`ho2022cascaded`. Here both work in each step of one sampler.
#
# Both predict the velocity $v$ {cite:p}`salimans2022` in place of the noise. Where there is almost only noise, guessing the noise is too easy: the input is almost the noise itself. Where there is almost no noise, the input is almost the picture, so guessing the picture is too easy. The velocity is nearly $-x_0$ where there is much noise and nearly $\epsilon$ where there is little, so it always asks for what is hard to see:
#
# $$ v = \sqrt{\bar\alpha_t}\,\epsilon - \sqrt{1 - \bar\alpha_t}\, x_0 \tag{E.1} $$
#
# where $x_0$ is the clean picture, $\epsilon$ the noise and $\bar\alpha_t$ the schedule (N.1).
#
# The base works at half the size, and a noisy picture at half its size is a noisy picture again. The mean of four pixels keeps what is smooth in a picture, and the mean of four independent noises has half the standard deviation. With $P$ for "the mean of each 2x2 pixels", the picture and its noise become
#
# $$ x' = \frac{P x_t}{\sqrt{\bar\alpha_t + (1 - \bar\alpha_t)/4}} \tag{E.2} $$
#
# $$ \bar\alpha' = \frac{\bar\alpha_t}{\bar\alpha_t + (1 - \bar\alpha_t)/4} \tag{E.3} $$
#
# ```{dropdown} Why that is so
# $$ P x_t = \sqrt{\bar\alpha_t}\, P x_0 + \tfrac12 \sqrt{1 - \bar\alpha_t}\; \epsilon', \qquad \epsilon' \sim \mathcal N(0, I). $$
#
# Divide by $\sqrt{\bar\alpha_t + (1 - \bar\alpha_t)/4}$, and the squares of both factors add up to one, as in the forward process.
# ```
#
# So $x'$ is exactly what the forward process makes of the small picture $P x_0$ where its schedule has the value $\bar\alpha'$. The timestep $t'$ that has it lies before $t$, mostly between two whole numbers. A base that has seen nothing but 32x32 pictures can be asked about it.
#
# ```{literalinclude} ../../diffusion_utils/emoji64/network.py
# :pyobject: pooled
# :start-at: alpha_bar = schedule
# :dedent: 4
# ```

# %% [markdown]
# ````{dropdown} From the velocity to the picture and the noise
# From $x_t$ and $v$ both the picture and the noise can be computed: solve (N.1) and (E.1) for them.
#
# $$ \hat x_0 = \sqrt{\bar\alpha_t}\, x_t - \sqrt{1 - \bar\alpha_t}\, v \tag{E.4} $$
#
# $$ \epsilon = \sqrt{\bar\alpha_t}\, v + \sqrt{1 - \bar\alpha_t}\, x_t \tag{E.5} $$
#
# The base computes its clean picture by (E.4), with $x'$ and $\bar\alpha'$ in place of $x_t$ and $\bar\alpha_t$, and hands it to the refiner. The refiner's velocity becomes the noise by (E.5), which the rest of the book asks for. Guidance (N.6) asks base and refiner together twice, with the prompt and without.
#
# ```{literalinclude} ../../diffusion_utils/emoji64/network.py
# :pyobject: EmojiUNet.coarse_estimate
# :lines: 1,3-
# :dedent: 4
# ```
# ````
#
# ## How a sentence gets into the network
#
# The sentence is cut into **tokens**, words or parts of words, at most 12. The text encoder turns each token into a **word vector** of 384 numbers, which depends on the words around it too. The mean of these vectors, together with the time,
# sets a scale and a shift in each block of the base. At the smallest size, 4x4 places, the network also compares what is at each place with each word vector, and adds a mean of the word vectors in which those that fit best weigh most. This is called **attention**.
#
# The base is a U-Net {cite:p}`ronneberger2015`: it makes the picture smaller in steps, then larger again, and hands each size across. To begin with, each 2x2 pixels become one place with four times the channels {cite:p}`hoogeboom2023`. After down1 and down2 it also adds a small map made from time and prompt, which can say where something is to be (not drawn in {numref}`fig-e64-network`).

# %% mystnb={"figure": {"caption": "The network of Emoji-64, drawn from its modules; each box names the shape of what it returns. Above, the refiner with the noisy picture and the estimate of the base; below them the base, down on the left and up on the right. Two pairs of convolutions follow each of conv_in, down1, down2, attention, up2 and up1. Time and prompt scale and shift them on both sides, though the arrows are drawn on the left alone.", "name": "fig-e64-network"}, "image": {"alt": "Two columns of boxes. On the left x_t, half its size, conv_in, down1, down2, attention; on the right, from below, attention_up, up2, up1, out, the estimate of x_0 at half size, the refiner. Boxes beside and below name time and prompt, and the words of the prompt."}} tags=["remove-input"]
draw(*emoji_plan(unet))

# %% tags=["remove-input"]
parts = {"base": unet.base, "refiner": unet.refiner}
count = {k: sum(p.numel() for p in part.parameters()) for k, part in parts.items()}
table(
    [[name, f"{n:,}"] for name, n in count.items()],
    ["network", "parameters"],
    "The two networks of Emoji-64.",
)

# %% [markdown]
# ## What it learned from
#
# From emoji. Each is the picture of a thing with a name, and many styles of them are under open licences.

# %% mystnb={"figure": {"caption": "Six names in the seven styles of the training set. An empty place means that the style has no such drawing.", "name": "fig-e64-data"}, "image": {"alt": "Rows for a rocket, a red apple, a penguin, a cactus, a skull and a house; columns for the styles, from flat to shaded to outlined."}} tags=["remove-input"]
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
grid(rows, titles=titles, labels=chosen, size=0.88)

# %% mystnb={"code_prompt_show": "Show the styles and their words"} tags=["remove-input", "hide-output"]
counts = data.style_index.bincount().tolist()
table(
    [[style, n, STYLES[style]] for style, n in zip(data.styles, counts, strict=True)],
    ["style", "drawings", "words in the caption"],
    f"{len(data.images):,} drawings of {len(data.names)} names.",
)

# %% [markdown]
# A plain name, "a rocket", means one of four styles: noto, twemoji and the two fluent ones. The other three have words in the caption that say so, such as "with black outlines".
#
# ## How it was trained
#
# Base and refiner were each trained on one processor core. The time in the table is that core's.

# %% tags=["remove-input"]
base, refiner = (read_history(FOLDER / part / "history.csv") for part in parts)
recipe = Recipe()
seen = {"base": len(base), "refiner": len(refiner)}
table(
    [
        [
            name,
            f"{n:,}",
            f"{n * recipe.batch_size / len(data.images):.0f}",
            f"{rows[-1].seconds / 3600:.1f}",
            f"{np.mean([row.loss for row in rows[-100:]]):.3f}",
        ]
        for (name, n), rows in zip(seen.items(), (base, refiner), strict=True)
    ],
    ["network", "steps", "times each drawing, on average", "hours", "error of v"],
    "The run that made these weights. The error is the mean over the last 100 steps, on training drawings. None were kept out, so it cannot say how the network does on new ones.",
)

# %% mystnb={"code_prompt_show": "Show the recipe"} tags=["remove-input", "hide-output"]
fine_recipe = Recipe("refiner", high_noise=-0.5)


def more_often(k):
    """In words: the density of the timesteps is 1 + k t/T."""
    which, sign = ("much", "+") if k > 0 else ("little", "−")
    return f"{which} noise more often, density 1 {sign} {abs(k):g} t/T"


table(
    [
        ["noise", "cosine schedule, T = 1000"],
        ["timesteps", f"base: {more_often(recipe.high_noise)}; "
         f"refiner: {more_often(fine_recipe.high_noise)}"],
        ["loss", "mean squared error of v"],
        ["refiner", "sees the estimate of the base, which stays as it is"],
        ["optimiser", f"Muon, batches of {recipe.batch_size}, rate {recipe.lr:g} "
         f"after {recipe.warmup} steps, falling to 0 at the end"],
        ["weights kept", f"moving average, {recipe.ema:g}"],
        ["each drawing", "moved and scaled by a few percent"],
        ["plain drawings", f"{recipe.paint:.0%} in another colour, {recipe.background:.0%} "
         "on a coloured background; the caption says so"],
        ["caption", f"left out in {recipe.drop_text:.0%}, for guidance; "
         f"\"a picture\" or the like in {recipe.anything:.0%}; else the name or another "
         "word for it"],
        ["prompt", f"shown with noise, from none up to {recipe.text_noise:g} times "
         "as much as its own numbers"],
    ],
    ["", "recipe"],
    "The recipe as the code has it now, for the next training. What was different for these weights stands in the box below. The noise on the prompt stands for other words of a like meaning.",
)  # fmt: skip

# %% [markdown]
# ````{dropdown} What changed from part to part
# ```{include} ../../models/emoji64/README.md
# :start-after: "<!-- parts -->"
# :end-before: "<!-- end of parts -->"
# ```
# ````

# %% mystnb={"figure": {"caption": "Mean squared error of $v$ of the base, from the history of its run, on training drawings. Orange: the mean of 100 steps around. The run had three parts. At the end of each the learning rate falls to zero, and the error falls with it. The next part begins with a high rate again, and shows other drawings and prompts.", "name": "fig-e64-loss"}, "image": {"alt": "A noisy falling curve on a logarithmic axis with its running mean; it falls steeply three times, and rises again after the first two."}} tags=["remove-input"]
loss_curve(base, window=100)

# %% mystnb={"figure": {"caption": "The same eight prompts and seeds (0 to 7) as the base learns, at 32x32 pixels; $\\gamma = 4$, 20 steps. A rocket ship, a broccoli, a ninja, a red apple, a pencil, a skull, a dog, a house.", "name": "fig-e64-sheets"}, "image": {"alt": "Three rows of the same eight things: rough shapes at step 1,000, clear things with details at step 18,000."}} tags=["remove-input"]
sheets = sorted((FOLDER / "base").glob("sheet-*.png"))
if len(sheets) > 3:
    sheets = [sheets[i * (len(sheets) - 1) // 2] for i in range(3)]
fig, axes = plt.subplots(
    len(sheets), 1, figsize=(7, 1.1 * len(sheets)), squeeze=False, layout="compressed"
)
for ax, path in zip(axes.flat, sheets, strict=True):
    sheet = Image.open(path)
    ax.imshow(sheet.crop((0, 0, sheet.width, sheet.height // 2)))
    ax.set_title(f"step {int(path.stem[6:]):,}", fontsize=9)
    ax.set_axis_off()
plt.show()

# %% [markdown]
# Colours and rough shapes come first, details later. Not everything gets better: the broccoli was clearer in the middle of the run. `python -m diffusion_utils.emoji64.train base --hours 8`, then `refiner`, trains such a model.

# %% mystnb={"code_prompt_show": "Show short runs that the recipe was chosen by"} tags=["remove-input", "hide-output"]
short = json.loads((ROOT / "benchmarks/results/emoji64_short_runs.json").read_text())
table(
    [
        [
            run["what"],
            run["drawings"],
            *(f"{e:.3f}" for e in run["error"]),
            f"{run['top1']:.0%}",
            f"{run['top5']:.0%}",
        ]
        for run in short["runs"]
    ],
    [
        "optimiser",
        "drawings seen",
        *(f"t = {t}" for t in short["timesteps"]),
        "top-1",
        "top-5",
    ],
    "Five minutes of training each, one run each with one learning rate: mean squared error of the estimate x̂₀ at five timesteps, and how often the judge names the picture (64 pictures).",
)

# %% [markdown]
# ## How good is it?
#
# **Readers** who knew neither the list of names nor the training drawings saw the pictures of every fifth name, numbered and shuffled, and wrote down what each shows. An answer is right if it is the name or a synonym from a list in the repository.
#
# A **judge**, a small network, names all 508 pictures. It chooses from the 508 names, so its task is easier. It learned from the same drawings, also in grey, in wrong colours and as outlines. One style was kept from it: the last row has real drawings in that style.

# %% tags=["remove-input"]
judge = load_evaluator()
ceiling = judge[2]


def stored(name):
    return json.loads((ROOT / f"benchmarks/results/{name}.json").read_text())


def people(counted):
    right = ", ".join(map(str, sorted(counted["right"].values())))
    return f"{right} of {counted['pictures']}"


quality, naming = stored("emoji64"), stored("emoji64_naming")
found = np.array(list(quality["ranks"].values()))
table(
    [
        [
            "drawn by Emoji-64",
            people(naming),
            f"{(found == 1).mean():.0%}",
            f"{(found <= 5).mean():.0%}",
        ],
        [
            f"real drawings, style {HELD_OUT}",
            "not asked",
            f"{ceiling['top1']:.0%}",
            f"{ceiling['top5']:.0%}",
        ],
    ],
    [
        "pictures",
        "right answers of each reader",
        "judge: right",
        "judge: right in five guesses",
    ],
    f"How many pictures are named. γ = 4, seed 0. {len(naming['right'])} readers; the judge names {len(found)} pictures.",
)

# %% mystnb={"code_prompt_show": "Show the wrong answers"} tags=["remove-input", "hide-output"]
wrong = {}
for answers in naming["wrong"].values():
    for name, answer in answers.items():
        wrong.setdefault(name, []).append(answer)
table(
    [[name, len(said), ", ".join(dict.fromkeys(said))] for name, said in wrong.items()],
    ["picture of", "readers", "what they wrote"],
    f"The pictures that not all of the {len(naming['right'])} readers named.",
)

# %% [markdown]
# The judge names the drawn pictures more often than the real ones. They are not better: they resemble drawings that the judge has learned, and it never saw the style of the real ones.
#
# ## Is it copying?
#
# **It largely imitates.** For each picture we look for the nearest training drawing. How near would a new drawing be? For that we take one style, twemoji, and look for the nearest drawing in the six others, as if twemoji were new.
#
# Pictures are compared at 32x32, so that a blur counts little, and at the best of nine shifts: a copy that has moved by a pixel is a copy too.


# %%
def distances(pictures, drawings):
    """Of each picture to each drawing, root mean square, values from -1 to 1."""
    pictures, drawings = (F.avg_pool2d(x, 2) for x in (pictures, drawings))
    white = F.pad(pictures, [1] * 4, value=1.0)
    places = product(range(3), repeat=2)
    shifted = [white[..., i:, j:][..., :32, :32] for i, j in places]
    vectors = drawings.flatten(1)
    each = [torch.cdist(x.flatten(1), vectors) for x in shifted]
    return torch.stack(each).amin(0) / vectors.shape[1] ** 0.5


# %% mystnb={"figure": {"caption": "How far it is to the nearest drawing, for the same 102 things, every fifth name. Blue: pictures drawn by Emoji-64 ($\\gamma = 4$, seed 0, nothing selected), and the nearest of all training drawings. Orange: drawings in the style twemoji, and the nearest of the six other styles.", "name": "fig-e64-distances"}, "image": {"alt": "Two overlapping histograms. The pictures of Emoji-64 lie between 0.1 and 0.45, most below 0.3; the drawings in twemoji between 0.05 and 0.7, most above 0.3."}} tags=["remove-input"]
sheet = np.asarray(Image.open(FOLDER / "unselected.png"))
fifth = data.names[::5]
corners = [(2 + 66 * (i // 20), 2 + 66 * (i % 20)) for i in range(len(fifth))]
pixels = np.stack([sheet[y : y + 64, x : x + 64] for y, x in corners])
pictures = 2 * to_unit(torch.from_numpy(pixels).permute(0, 3, 1, 2)) - 1
real = plain(data, torch.arange(len(data.images)))
others = data.style_index != data.styles.index(HELD_OUT)
to_all = distances(pictures, real)
nearest, drawn_far = to_all.argmin(1), to_all.amin(1)
new_far = distances(held_out(data)[0][::5], real[others]).amin(1)
fig, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
bins = np.linspace(0, 0.75, 16)
ax.hist(drawn_far, bins, alpha=0.6, label="drawn by Emoji-64")
ax.hist(new_far, bins, alpha=0.6, label=f"style {HELD_OUT}, as if it were new")
ax.set(xlabel="distance to the nearest drawing", ylabel="pictures")
ax.legend()
plt.show()

# %% tags=["remove-input"]
measured = {
    "drawn by Emoji-64, nearest of all styles": drawn_far,
    "drawn by Emoji-64, nearest of the six styles": to_all[:, others].amin(1),
    f"style {HELD_OUT}, nearest of the six styles": new_far,
}
own = sum(
    data.names[data.name_index[i]] == n for i, n in zip(nearest, fifth, strict=True)
)
table(
    [[what, f"{d.median():.2f}", f"{d.min():.2f}"] for what, d in measured.items()],
    ["distance to the nearest drawing", "median", "smallest"],
    f"{own} of the {len(fifth)} drawings that are nearest to the pictures of Emoji-64 show the thing that was asked for.",
)

# %% mystnb={"figure": {"caption": "Above: eight of the 102 pictures, from the one that is nearest to a training drawing to the one that is farthest, in even steps of rank: a candle, a turtle, a baby bottle, a cow face, a bicycle, an owl, a red apple, a clown face. Below: the nearest training drawing. The numbers are the distances.", "name": "fig-e64-copies"}, "image": {"alt": "Eight pairs: candle, turtle, baby bottle, cow face, bicycle, owl, red apple, clown face. In each pair both show the thing in the same form; the drawn one is rougher, and some colours and details differ."}} tags=["remove-input"]
eight = drawn_far.argsort()[torch.linspace(0, len(fifth) - 1, 8).long()].tolist()
grid(
    [unit_range(pictures[eight]), unit_range(real[nearest[eight]])],
    titles=[f"{drawn_far[i]:.2f}" for i in eight],
    labels=["drawn", "nearest"],
    size=0.85,
)

# %% [markdown]
# Most pictures are nearer to a training drawing than a new style would be. In {numref}`fig-e64-copies` even the far ones have the form of a training drawing. They are rougher, and details differ: the turtle has no lines on its shell.
#
# The model learned from twemoji too. So the orange distances say how far one style is from the others, not how the model does without it.
#
# Do other seeds draw something else? And is it the guidance that makes pictures alike?

# %% mystnb={"figure": {"caption": "Two names, each from six seeds, 0 to 5, with guidance ($\\gamma = 4$) and without ($\\gamma = 1$).", "name": "fig-e64-seeds"}, "image": {"alt": "Four rows of six pictures. With guidance, houses with red roofs and heads of robots that look much alike. Without, paler houses that differ more, and robots of two kinds: four grey heads with one lamp on top, two white ones with red ears."}} tags=["remove-input"]
rows = list(product(["house", "robot"], (4, 1)))
many = [
    generate(model, prompted(model, called(name), gamma=gamma), range(6), timesteps)
    for name, gamma in rows
]
labels = [f"{name}, $\\gamma = {gamma}$" for name, gamma in rows]
grid([unit_range(x) for x in many], labels=labels, size=0.7)

# %% tags=["remove-input"]
unguided = prompted(model, prompts, gamma=1)
without = generate(model, unguided, [0] * len(shown), timesteps)
found = {4: distances(drawn, real).amin(1), 1: distances(without, real).amin(1)}
table(
    [
        [f"γ = {g}", f"{far.median():.2f}", f"{far.min():.2f}"]
        for g, far in found.items()
    ],
    ["distance to the nearest drawing", "median", "smallest"],
    f"The {len(shown)} pictures of the first figure, and the same without guidance.",
)

# %% [markdown]
# With guidance the robots differ in details only, the houses a little more. Without it there are two kinds of robots, and the houses differ in colour and windows. So for these names it is the guidance that makes the pictures of a prompt alike. It is not the guidance that makes the model imitate: without it the pictures are about as near to training drawings.
#
# The mixtures of [1.8](../part_a/a1_8_visual_anagrams.ipynb) and [1.9](../part_a/a1_9_hybrid_images.ipynb) are new: there were none in the training.
#
# ## Where it fails

# %% mystnb={"figure": {"caption": "Above and in the middle: words for things that no training caption used, some that work and some that fail. Below: prompts that ask for too much. $\\gamma = 4$, seed 0; the prompts were chosen.", "name": "fig-e64-failures"}, "image": {"alt": "Three rows of four pictures. An aeroplane, a piece of cheese, an orange cat, a church with a red spire; a brown face, a ship, a dark red blob, a grey blob; an orange blob on blue, one red apple, a yellow face, a few thin scraps."}} tags=["remove-input"]
hard = {
    "works": ["an aeroplane", "a cheddar", "a kitty", "a cathedral"],
    "fails": ["a hound", "a spaceship", "a lemonade", "a spanner"],
    "too much": ["a photo of a street\nat night", "three red apples", "the word hello", "a cat riding\na bicycle"],
}  # fmt: skip
fig, axes = plt.subplots(3, 4, figsize=(5.2, 4.5), layout="compressed")
for row, (label, prompts) in zip(axes, hard.items(), strict=True):
    asked = prompted(model, [text.replace("\n", " ") for text in prompts], gamma=4)
    pictures = to_pixels(unit_range(generate(model, asked, [0] * 4, timesteps)))
    for ax, picture, text in zip(row, pictures, prompts, strict=True):
        ax.imshow(picture)
        ax.set(xticks=[], yticks=[])
        ax.set_title(text, fontsize=8)
    row[0].set_ylabel(label)
plt.show()

# %% [markdown]
# The text encoder gives words of a like meaning like numbers, so "a kitty" becomes a cat. It does not always help: "a spaceship" becomes a ship, and "a spanner" a blob.

# %% tags=["remove-input"]
sheets = stored("emoji64_sheets")
table(
    [
        [what, example, ", ".join(map(str, right))]
        for what, (example, right) in sheets["right"].items()
    ],
    [
        "asked for",
        "such as",
        f"right, of {sheets['pictures']}, for each of two readers",
    ],
    f"What two readers who saw the prompts called right, γ = 4. {sheets['words in training']} of the 64 other words had been in training captions, so the last row is no pure test of new words.",
)

# %% [markdown]
# {download}`All 64 words that we tried <../../models/emoji64/naming/words.png>`.
#
# The last row asks for what hardly any training drawing shows: a scene, a number of things, letters, two things together. Each was tried with one prompt and one seed.
#
# ## Try it
#
# * Change `prompts` to `[f"a blue {name}" for name in shown]`. Most of the things should turn blue.
# * Ask for a word that is not in the list, such as "a grizzly" or "a bowtie".
