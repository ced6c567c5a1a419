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
# Can a model that two processor cores trained draw what it is asked for?
#
# **One thing that it knows by name: mostly. But what it draws mostly resembles a drawing of its training set. With another word for the thing it often draws something else. Several things, numbers and letters: no.**

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

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from diffusion_utils.diagrams import draw, emoji_plan
from diffusion_utils.emoji64.captions import STYLES, called
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import (
    HELD_OUT,
    load_evaluator,
    plain,
)
from diffusion_utils.emoji64.model import FOLDER
from diffusion_utils.emoji64.network import pooled
from diffusion_utils.emoji64.recipe import Recipe
from diffusion_utils.files import ROOT
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
# The model is called Emoji-64. It learned from 3,060 drawings of 508 things under open licences, in less than eight hours on a computer with two processor cores, and it draws at 64x64 pixels. It has three parts:
#
# * a **text encoder** turns the prompt into numbers. It is a small language model, all-MiniLM-L6-v2 {cite:p}`wang2020`, which others trained on far more text; here it stays as it is.
# * the **base** reads these numbers and decides at 32x32 pixels what is drawn;
# * the **refiner** adds the detail at 64x64.
#
# ## Decide small, refine large
#
# To learn what a thing looks like is the hard part, and at 32x32 pixels a network needs a quarter of the arithmetic of 64x64. The refiner is small. For each pixel it looks at the pixels around it, in the noisy picture and in what the base has made, and it does not read the prompt.
#
# Both predict the velocity $v$ {cite:p}`salimans2022` in place of the noise. Where there is almost only noise, guessing the noise is too easy: the input is almost the noise itself. Where there is almost no noise, the input is almost the picture, so guessing the picture is too easy. The velocity mixes both, and there is something to learn at each noise level:
#
# $$ v = \sqrt{\bar\alpha_t}\,\epsilon - \sqrt{1 - \bar\alpha_t}\, x_0 \tag{E.1} $$
#
# Both networks work inside one denoiser, because a noisy picture at half its size is a noisy picture again. The mean of four pixels keeps what is smooth in a picture, and the mean of four independent noises has half the standard deviation.
#
# ```{dropdown} Why that is so
# With $P$ for "the mean of each 2x2 pixels",
#
# $$ P x_t = \sqrt{\bar\alpha_t}\, P x_0 + \tfrac12 \sqrt{1 - \bar\alpha_t}\; \epsilon', \qquad \epsilon' \sim \mathcal N(0, I). $$
#
# Divide by $\sqrt{\bar\alpha_t + (1 - \bar\alpha_t)/4}$, and the squares of both factors add up to one, as in the forward process.
# ```
#
# With $P$ for "the mean of each 2x2 pixels", scaled to the right variance:
#
# $$ x' = \frac{P x_t}{\sqrt{\bar\alpha_t + (1 - \bar\alpha_t)/4}} \tag{E.2} $$
#
# $$ \bar\alpha' = \frac{\bar\alpha_t}{\bar\alpha_t + (1 - \bar\alpha_t)/4} \tag{E.3} $$
#
# So $x'$ is exactly what the forward process makes of the small picture $P x_0$ at a smaller timestep $t'$, the one whose share of the picture is $\bar\alpha'$. A base that has seen nothing but 32x32 pictures can be asked about it.
#
# ```{literalinclude} ../../diffusion_utils/emoji64/network.py
# :pyobject: pooled
# :start-at: alpha_bar = schedule
# :dedent: 4
# ```

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
fig, axes = plt.subplots(2, 4, figsize=(7, 3.8), layout="compressed")
for row, t, t_small, line in zip(axes, times, smaller_t, rows, strict=True):
    for ax, x, title in zip(row, line, titles, strict=True):
        ax.imshow(to_pixels(x[None])[0])
        ax.set(xticks=[], yticks=[], title=title if t == times[0] else "")
    row[0].set_ylabel(f"t = {t}")
    row[1].set_xlabel(f"t' = {t_small:.0f}")
plt.show()

# %% [markdown]
# At $t = 800$ the penguin can hardly be seen in the noisy picture. Half the size shows more of it, since the noise has half its standard deviation. The base draws a penguin from that, from the prompt and from what it remembers.
#
# Noise and picture come back from $x_t$ and $v$. The pair ($x_t$, $v$) is the pair ($x_0$, $\epsilon$) turned by an angle, since the squares of $\sqrt{\bar\alpha_t}$ and $\sqrt{1 - \bar\alpha_t}$ add up to one, and one turns it back:
#
# $$ \hat x_0 = \sqrt{\bar\alpha_t}\, x_t - \sqrt{1 - \bar\alpha_t}\, v \tag{E.4} $$
#
# $$ \epsilon = \sqrt{\bar\alpha_t}\, v + \sqrt{1 - \bar\alpha_t}\, x_t \tag{E.5} $$
#
# The base gives its clean picture (E.4), with $x'$ and $\bar\alpha'$ in place of $x_t$ and $\bar\alpha_t$, to the refiner. The refiner's velocity becomes the noise (E.5), which the rest of the book asks for. Guidance (N.6) takes two such answers of the
# whole, base and refiner, one with the prompt, one without.
#
# ```{literalinclude} ../../diffusion_utils/emoji64/network.py
# :pyobject: EmojiUNet.coarse_estimate
# :lines: 1,3-
# :dedent: 4
# ```
#
# ## How a sentence gets into the network
#
# The sentence is cut into **tokens**, words or parts of words, at most 12. The text encoder turns each token into a **word vector** of 384 numbers, which depends on the words around it too. The mean of these vectors, together with the time,
# sets a scale and a shift in each block of the base. At the smallest size, 4x4 places, the network also compares what is at each place with each word vector, and adds a mean of the word vectors in which those that fit best weigh most. This is called **attention**.
#
# The base is a U-Net {cite:p}`ronneberger2015`: it makes the picture smaller in steps, then larger again, and hands each size across. To begin with, each 2x2 pixels become one place with four times the channels {cite:p}`hoogeboom2023`. After down1 and down2 it also adds two small maps made from time and prompt
# (not drawn in {numref}`fig-e64-network`).

# %% mystnb={"figure": {"caption": "The network of Emoji-64, drawn from its modules; each box names the shape of what it returns. Above, the refiner with the noisy picture and the estimate of the base; below them the base, down on the left and up on the right. Two residual blocks follow each of conv_in, down1, down2, attention, up2 and up1; time and prompt scale and shift them on the right as on the left. The 8x8 maps of down1 are joined to those of up2 before up1, and the 16x16 maps of conv_in to those of up1.", "name": "fig-e64-network"}, "image": {"alt": "Two columns of boxes. On the left x_t, half its size, conv_in, down1, down2, attention; on the right, from below, attention_up, up2, up1, out, the estimate of x_0 at half size, the refiner. Boxes beside and below name time and prompt, and the words of the prompt."}} tags=["remove-input"]
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
# Emoji have names, and styles under open licences.

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
grid(rows, titles=titles, labels=chosen, size=1.0)

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
# Each network was trained in three parts, on one of the two cores; other work ran beside it. A part goes on from the weights of the part before it. The table gives the recipe of the last part. Its rows "plain drawings" and "prompt" hold from step 12,000 of the base on, except that only 20 % of the drawings had a coloured background up to step 16,600. So one run with this recipe does not give the same weights.

# %% tags=["remove-input"]
base, refiner = (read_history(FOLDER / part / "history.csv") for part in parts)
recipe, fine_recipe = Recipe(), Recipe("refiner", high_noise=-0.5)


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
    "How Emoji-64 is trained, from diffusion_utils.emoji64.recipe.Recipe. The noise on the prompt stands for other words of a like meaning.",
)  # fmt: skip

# %% tags=["remove-input"]
seen = {"base": len(base), "refiner": len(refiner)}
table(
    [
        [
            name,
            f"{n:,}",
            f"{n * recipe.batch_size / len(data.images):.0f}",
            f"{rows[-1].seconds / 3600:.1f}",
            f"{rows[-1].loss:.3f}",
        ]
        for (name, n), rows in zip(seen.items(), (base, refiner), strict=True)
    ],
    ["network", "steps", "times each drawing, on average", "hours", "last error of v"],
    "The run that made these weights, on one processor core. The error is that on the training drawings: none were kept out, so it cannot say how the network does on new ones.",
)

# %% mystnb={"figure": {"caption": "Mean squared error of $v$ of the base, from the history of its run, on training drawings. Orange: the mean of 100 steps around. (The last error in the table is that of the last step alone.) The three parts of the run end at steps 12,000, 16,600 and 18,800. At the end of each part the learning rate falls to zero, and the error falls with it; the next part begins with a high rate again. At step 12,000 the drawings and the prompts changed too.", "name": "fig-e64-loss"}, "image": {"alt": "A noisy falling curve on a logarithmic axis with its running mean; it rises again after steps 12,000 and 16,600."}} tags=["remove-input"]
loss_curve(base, window=100)

# %% mystnb={"figure": {"caption": "The same eight prompts and seeds (0 to 7) as the base learns, at 32x32 pixels; $\\gamma = 4$, 20 steps. A rocket ship, a broccoli, a ninja, a red apple, a pencil, a skull, a dog, a house.", "name": "fig-e64-sheets"}, "image": {"alt": "Four rows of the same eight things: rough shapes at step 1,000, clear things with details at step 18,000."}} tags=["remove-input"]
sheets = sorted((FOLDER / "base").glob("sheet-*.png"))
if len(sheets) > 4:
    sheets = [sheets[i * (len(sheets) - 1) // 3] for i in range(4)]
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
# Colours and rough shapes come first, details later. `python -m diffusion_utils.emoji64.train base --hours 8`, then `refiner`, trains one with this recipe.

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
# Readers who saw only numbered pictures, of every fifth name in shuffled order, wrote down what each shows. An answer counts if it is the name or a synonym from a list in the repository.
#
# A second judge, a small network, names all 508 pictures. It learned from the same drawings, in grey, in wrong colours and as outlines too. One style was kept from it: the last row has real drawings in that style.

# %% tags=["remove-input"]
judge = load_evaluator()
ceiling = judge[2]


def stored(name):
    return json.loads((ROOT / f"benchmarks/results/{name}.json").read_text())


def people(counted):
    counts = sorted(counted["right"].values())
    least_most = dict.fromkeys([counts[0], counts[-1]])
    return f"{' to '.join(map(str, least_most))} of {counted['pictures']}"


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
    ["pictures", "named by readers", "judge: first", "judge: first five"],
    f"How many pictures are named. Readers: every fifth name, the least and the most of {len(naming['right'])} readers. "
    f"The judge: all {len(found)} names. γ = 4, seed 0. The judge never saw the style of the last row.",
)

# %% [markdown]
# The judge names the drawn pictures more often than real ones. They are not better: the judge never saw the style of the real ones, and the drawn ones resemble drawings that it knows. Its numbers say that the prompt is obeyed, not that a picture is new. How many pictures were right for other words, colours and backgrounds, readers who saw the prompts counted: see the table in `models/emoji64/README.md`.
#
# ## Is it copying?
#
# **It largely imitates.** For each of the pictures at the top of this page we look for the training drawing that is nearest, pixel by pixel.

# %%
real = plain(data, torch.arange(len(data.images))).flatten(1)
distance = torch.cdist(drawn.clamp(-1, 1).flatten(1), real) / real.shape[1] ** 0.5
nearest = distance.argmin(1)

# %% mystnb={"figure": {"caption": "Above: every third of the pictures at the top of this page. Below: the training drawing that is nearest to each.", "name": "fig-e64-copies"}, "image": {"alt": "Two rows of eight pictures; those below each other show the same thing, mostly in nearly the same form, some in other colours."}} tags=["remove-input"]
eight = range(0, len(shown), max(1, len(shown) // 8))
grid(
    [unit_range(drawn[list(eight)]), unit_range(plain(data, nearest[list(eight)]))],
    titles=[shown[i].replace(" ", "\n") for i in eight], labels=["drawn", "nearest"], size=0.85,
)  # fmt: skip

# %% tags=["remove-input"]
between = torch.cdist(real, real) / real.shape[1] ** 0.5
same_name = data.name_index[:, None] == data.name_index
other_style = data.style_index[:, None] != data.style_index
two_styles = between.masked_fill(~(same_name & other_style), torch.inf).amin(1)
own = [
    data.names[data.name_index[i]] == name
    for i, name in zip(nearest, shown, strict=True)
]
table(
    [
        [
            "a picture and its nearest training drawing",
            f"{distance.amin(1).median():.3f}",
            f"{distance.amin(1).min():.3f}",
        ],
        [
            "a drawing and the nearest of the same name in another style",
            f"{two_styles.median():.3f}",
            f"{two_styles.min():.3f}",
        ],
    ],
    ["root mean square distance, values from -1 to 1", "median", "smallest"],
    f"Nearest drawings. {sum(own)} of {len(own)} of them are of the name that was asked for.",
)

# %% [markdown]
# Compare the medians: the pictures are closer to a training drawing than two styles of one thing usually are to each other. A picture that is a drawing moved by a few pixels counts as far here, and training moves the drawings. So the pictures may be nearer still. But most are no exact copies: in {numref}`fig-e64-copies` the key has another colour, and the microphone another form. And smooth pictures are near to many. (The smallest distance is 0.000 because two styles share a few drawings.)
#
# Do other seeds draw something else?

# %% mystnb={"figure": {"caption": "Two names, each from eight seeds, 0 to 7; $\\gamma = 4$.", "name": "fig-e64-seeds"}, "image": {"alt": "Two rows of eight pictures that look much alike: houses with red roofs, and grey heads of robots."}} tags=["remove-input"]
names = ["house", "robot"]
many = [
    generate(model, prompted(model, called(n), gamma=4), range(8), timesteps)
    for n in names
]
grid([unit_range(x) for x in many], labels=names)

# %% [markdown]
# Hardly: the robots differ in details only. The houses differ more, as the training drawings of a house do. The mixtures of [1.8](../part_a/a1_8_visual_anagrams.ipynb) and [1.9](../part_a/a1_9_hybrid_images.ipynb) are new: there were none in the training.
#
# ## Where it fails

# %% mystnb={"figure": {"caption": "Prompts that ask for too much; $\\gamma = 4$; one seed each, 0 to 3 from left to right.", "name": "fig-e64-failures"}, "image": {"alt": "Four small pictures: an orange blob on blue, one red apple, the yellow face of an animal, a few thin pieces of a bicycle."}} tags=["remove-input"]
hard = [
    "a photo of a street at night",
    "three red apples",
    "the word hello",
    "a cat riding a bicycle",
]
failures = generate(model, prompted(model, hard, gamma=4), range(4), timesteps)
grid(
    [unit_range(failures)],
    titles=[
        text.replace(" of ", " of\n").replace(" riding", "\nriding") for text in hard
    ],
    size=1.9,
)

# %% [markdown]
# It draws a blob and no street, one apple and not three, a face in place of the word, and pieces of a bicycle without a cat. Nothing of the kind was in the data: each drawing shows one thing, and each caption names it.
#
# ## Try it
#
# * Change `prompts` to `[f"a blue {name}" for name in shown]`. Most of the things should turn blue.
# * Ask for a word that is not in the list, "a spaceship" or "a hound". The text encoder puts them near "a rocket" and "a dog", but the network may still draw
#   something else.
