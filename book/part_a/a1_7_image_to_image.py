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
# # 1.7 Image to image
#
# Can the model turn two flat shapes into a drawing? **It can: add noise to them, name what they show, and denoise.
# The more noise we add, the less of the shapes stays.**

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
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torchvision.transforms.v2.functional import pil_to_tensor

from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import held_out
from diffusion_utils.files import ROOT
from diffusion_utils.metrics import wilson
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.tasks import generate, noised, prompted, sdedit
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
shares = model.schedule.alpha_bar.sqrt()

# %% mystnb={"figure": {"caption": "Two pictures of flat shapes (left), chosen from 20 that we tried. Beside each, for five starts $t$: above, the shapes with noise ($x_t$); below, what the loop makes of them. Below $t$: $\\sqrt{\\bar\\alpha_t}$. Last column: the same prompt and seed, without the shapes. $\\gamma = 5$, seed 0.", "name": "fig-a17-prompts"}, "image": {"alt": "A yellow ellipse with a dark circle at its upper right, off centre, and a house of a beige square with a blue triangle. To the right of each, a row with more and more noise over it, and below the results. The ellipse gets legs and spots from 510 on, as a ladybug that is yellow at 510, orange at 600 and red from 690 on; from pure noise the ladybug is red, upright and in the middle. The house gets windows and a door; its roof is blue at 390 and 510, partly blue at 600, and red from 690 on and from pure noise."}} tags=["hide-input"]


def picture_of(shapes, turned=0, moved=(0, 0)):
    """Filled shapes, each a kind, a colour and its corners in pixels -> (3, 64, 64)."""
    image = Image.new("RGB", (256, 256), "white")
    for kind, colour, corners in shapes:
        getattr(ImageDraw.Draw(image), kind)(corners, fill=colour)
    image = image.rotate(turned, translate=moved, fillcolor="white")
    small = image.resize((64, 64), Image.Resampling.BOX)
    return pil_to_tensor(small) / 127.5 - 1


ladybug = picture_of(
    [
        ("ellipse", "#f2c230", [(50, 74), (206, 210)]),
        ("ellipse", "#333333", [(98, 42), (158, 106)]),
    ],
    turned=-60,
    moved=(28, 28),
)
house = picture_of(
    [
        ("rectangle", "#f2d9a0", [(50, 120), (206, 230)]),
        ("polygon", "#3a6fc4", [(28, 128), (128, 30), (228, 128)]),
    ]
)
flat, prompts = torch.stack([ladybug, house]), ["a ladybug", "a house"]
starts = by_profile(full=[20, 16, 13, 10, 7], fast=[2, 0])
denoise = prompted(model, prompts, 5)
results = [sdedit(model, denoise, flat, i, [0, 0], timesteps) for i in starts]
results.append(generate(model, denoise, [0, 0], timesteps))
noisy = [noised(model, flat, i, [0, 0], timesteps)[0].cpu() for i in starts]
noisy.append(unit_noise(model.shape, generators([0, 0])))
above = torch.stack([flat, *noisy], 1)
below = torch.stack([torch.ones_like(flat), *results], 1)  # a blank below the shapes
titles = ["shapes"]
titles += [f"$t={timesteps[i]}$\n{shares[timesteps[i]]:.2f}" for i in starts]
titles += ["pure noise\n0"]
labels = [label for prompt in prompts for label in ("$x_t$", f'"{prompt}"')]
rows = torch.stack([above, below], 1).flatten(0, 1)
grid(unit_range(rows), titles, labels, size=1.0)

# %% [markdown]
# ```{live} sdedit
# ```

# %% [markdown]
# ## The idea
#
# 1. Add noise to the picture, up to a timestep $t$ at which we start. This is the forward process of [1.1](a1_1_forward.ipynb), $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon$ (N.1), with the given
#    picture as $x_0$ and fresh noise $\epsilon$.
# 2. Denoise from there to the end, with a prompt, as in [1.6](a1_6_guidance.ipynb).
#
# **What the noise has covered, the model draws anew. What can still be seen competes with the prompt, and guidance can overrule it.** Noise covers thin strokes first and large areas last: over an area it averages out. The method is SDEdit {cite:p}`meng2022`, with a prompt added.
#
# Noise hides what tells flat shapes from a drawing. With enough of it, $x_t$ is about as probable from either, and so the loop starts where the model was trained.
#
# ```{literalinclude} ../../diffusion_utils/tasks.py
# :pyobject: denoise_from
# :lines: 1,3-
# ```
#
# `timesteps` is 990, 960, .., 0, and the start $t$ is `timesteps[i_start]`. `noised` is step 1; it also returns the random generators (`noise`) for the later steps. `trajectory` is the loop of [1.4](a1_4_iterative_denoising.ipynb). `prompted` makes the guided denoiser of a prompt, and `sdedit` returns the last picture.
#
# ## What you see
#
# In {numref}`fig-a17-prompts`, from left to right:
#
# * **Little noise** ($t = 390$): the shapes stay, with few changes.
# * **More noise** ($t = 510$ and 600): the place comes from the shapes, and at 510 the colour. Legs, spots and windows come from the model. Without the shapes the ladybug is red and central; ours is yellow, then orange, and to the right.
# * **Much noise** (from $t = 690$): the ladybug is red, the roof a red line over a pale gable. At 780 the ladybug leans to the right.
#
# Has the noise of $t = 690$ covered the blue of the roof? We average $x_t$ over blocks of 8 × 8 pixels.

# %% mystnb={"figure": {"caption": "From $t = 690$: $x_t$, its means over blocks, and \"a house\" for two $\\gamma$. Red: roofs that are on average more red than blue.", "name": "fig-a17-roof"}, "image": {"alt": "Four rows of eight pictures. In the noise the roof is faint; in the blocks it is blue or grey-blue in all eight. With gamma 1 all eight roofs are blue. With gamma 5 each is a red line over a gable in beige, grey or green."}} tags=["hide-input"]
i_690, seeds = by_profile(full=10, fast=0), range(8)
x_t = noised(model, house, i_690, seeds, timesteps)[0].cpu()
means = F.interpolate(F.avg_pool2d(x_t, 8), scale_factor=8)
rows, labels = [x_t, means], ["$x_t$", "$x_t$\nin blocks"]
roof = (house - house[:, 28, 32, None, None]).abs().amax(0) < 0.02
for gamma in (1, 5):
    denoise = prompted(model, "a house", gamma)
    houses = sdedit(model, denoise, house, i_690, seeds, timesteps).cpu()
    red, _, blue = houses[:, :, roof].mean(-1).T
    rows.append(houses)
    labels.append(f"$\\gamma={gamma}$\nred: {(red > blue).sum()} of 8")
grid([unit_range(row) for row in rows], [f"seed {s}" for s in seeds], labels, 0.8)

# %% tags=["remove-cell"]
t = timesteps[i_690]
in_blocks = F.avg_pool2d(x_t - shares[t] * house, 8).std()
assert abs(8 * in_blocks / (1 - model.schedule.at(t)).sqrt() - 1) < 0.1

# %% [markdown]
# On the scale from −1 to 1, a blue and a red roof differ by more than 1 in the red channel; in $x_t$, by more than 0.46. The noise of a pixel is $\sqrt{1-\bar\alpha_t} = 0.89$, that of a mean over 64 pixels $0.89/8 = 0.11$. So the blocks make blue near certain. With $\gamma = 1$ all eight roofs stay blue, with $\gamma = 5$ each is a red line: **guidance overrules what can be seen.**
#
# ## Faithful or recognised
#
# We average 127 drawings over such blocks, and redraw each with its name. The model was trained on these drawings, the judge of [1.5](a1_5_sampling.ipynb) on other styles.
#
# * **Faithful**: 100 % minus the root mean square distance from the given blocks (black to white: 100 %). Compare 95 % with the 83 % of pure noise with a name.
# * **Recognised**: how often the right name is the first of the judge's 508.

# %% mystnb={"figure": {"caption": "Above: one of the drawings as blocks, redrawn as \"a strawberry\". Below: all 127, with their names and with \"a high quality photo\". Points: $t = 0$ (the blocks), 390, 510, 600, 690, 780, 870, 990 (pure noise). Bars: 95 % intervals. $\\gamma = 5$, one seed for each drawing. From `python -m benchmarks.edits`.", "name": "fig-a17-tradeoff"}, "image": {"alt": "Above, a strawberry of blocks, smooth dark red ones at 390 and 510, redder ones with spots at 690 and 870, and from pure noise a smaller one with a green cap. Below, two curves that run to the left from the same point at 100 % and 0.2. With the name the curve rises steeply to 0.67 at t = 510 and 95 %, then slowly to 0.97 at 83 % from pure noise. Without the name it rises to 0.29 and falls to 0 at 73 %."}} tags=["hide-input"]
edits = json.loads((ROOT / "benchmarks/results/edits.json").read_text())["shapes"]
one = edits["names"].index("strawberry")  # its place is its seed
drawing = held_out(emoji())[0][[4 * one]]  # the 127 are each fourth of 508
blocks = F.interpolate(F.avg_pool2d(drawing, 8), scale_factor=8)
named = prompted(model, "a strawberry", 5)
few = by_profile(full=[20, 16, 10, 4], fast=[2, 0])
drawn = [sdedit(model, named, blocks, i, [one], timesteps) for i in few]
drawn = [blocks, *drawn, generate(model, named, [one], timesteps)]
titles = ["blocks", *(f"$t={timesteps[i]}$" for i in few), "pure noise"]

layout = [[*range(len(drawn))], ["curve"] * len(drawn)]
fig, axes = plt.subplot_mosaic(
    layout, figsize=(7, 4.2), height_ratios=[1, 2.4], layout="constrained"
)
for place, (title, image) in enumerate(zip(titles, drawn, strict=True)):
    axes[place].imshow(unit_range(image[0]).clamp(0, 1).permute(1, 2, 0))
    axes[place].set_title(title, fontsize=10)
    axes[place].axis("off")
for kind, label in ("name", "its name"), ("a high quality photo", "no name"):
    at = edits[kind].values()
    # from -1 to 1 is 100 %
    faithful = [100 - 50 * np.mean(row["distance"]) for row in at]
    share = np.array([np.mean(np.array(row["rank"]) == 1) for row in at])
    low, high = np.transpose([wilson(p, len(edits["names"])) for p in share])
    bars = np.maximum([share - low, high - share], 0)
    axes["curve"].errorbar(faithful, share, bars, fmt="o-", capsize=2, label=label)
    if kind == "name":
        for t, *point in zip(edits[kind], faithful, share, strict=True):
            if t in ("0", "390", "510", "870", "990"):
                axes["curve"].annotate(
                    f"$t={t}$",
                    point,
                    (5, 6),
                    textcoords="offset points",
                    fontsize=8,
                )
axes["curve"].set(
    xlabel="faithful (%)",
    ylabel="recognised",
    xlim=(None, 103),
    ylim=(-0.05, 1.1),
)
axes["curve"].legend(loc="center left")
plt.show()

# %% tags=["remove-cell"]
no_name = edits["a high quality photo"].values()
assert max(np.mean(np.array(row["rank"]) == 1) for row in no_name) < 0.3

# %% [markdown]
# With the name, up to $t = 510$ the share recognised rises from a fifth to two thirds, and the result stays 95 % faithful. From 510 to 780 the bars overlap. Without a name no point is above 0.3.
#
# **Which $t$ first?** For these blocks, 510 (`i_start` = 16); for the ladybug above, 690. Too little of the prompt: more noise. Too little of your picture: less.
#
# (sec-hand-drawn)=
# ## 1.7.1 A found picture and two drawings
#
# A program drew the two drawings in the manner of felt pen (how: `data/images/README.md`). The model was trained on none of the three pictures below.

# %% mystnb={"figure": {"caption": "Three pictures (left) from the coursework's six starts, `i_start` = 20, 10, 7, 5, 3, 1. Prompts: \"a lighthouse\", \"a house with a garden\" and \"a tropical fish\". $\\gamma = 5$, seed 0. The lighthouse is from OpenMoji; its row is under the same licence, CC BY-SA 4.0.", "name": "fig-a17-drawn"}, "image": {"alt": "A lighthouse, and a house and a fish drawn by a program in the manner of felt pen, each with six results. The lighthouse is smudged at 690 and ends as a blue area. The house is duller at 390, with a sun but only a streak for the flower, and a clean drawing without both from 690 on. The fish is smooth and pale at 690 and has blue and white fins from 780 on."}} tags=["hide-input"]
six = by_profile(full=[20, 10, 7, 5, 3, 1], fast=[2, 0])
titles = ["picture"] + [f"$t={timesteps[i]}$" for i in six]
names = ["found-lighthouse", "drawn-house", "drawn-fish"]
wanted = ["a lighthouse", "a house with a garden", "a tropical fish"]
drawn = torch.stack([shipped_image(name) for name in names])
denoise = prompted(model, wanted, 5)
results = [sdedit(model, denoise, drawn, i, [0] * 3, timesteps) for i in six]
grid(
    unit_range(torch.stack([drawn, *results], 1)),
    titles=titles,
    labels=[name.split("-")[-1] for name in names],
    size=1.0,
)

# %% [markdown]
# At $t = 390$ the colours change, mostly to duller ones, and the flower, of thin strokes, is hardly there. From 690 on the house is clean, without sun and flower. The fish is another from 780 on, with blue and white fins. The lighthouse becomes a smudge.
#
# ## Where it fails
#
# **A prompt without a name.** The coursework's prompt is "a high quality photo". The results lose details, then form. With the name (beside it, $t = 780$) the boat gets two sails and the mushroom spots. But the boat's red is lost, and the cactus is in three loose pieces.

# %% mystnb={"figure": {"caption": "Three pictures from the coursework's six starts. \"A high quality photo\", $\\gamma = 7$, seed 0. \"Named\": the prompt names the thing (\"a sailboat\", \"a mushroom\", \"a cactus\"), all else equal.", "name": "fig-a17-objects"}, "image": {"alt": "Three rows: a sailboat, a mushroom and a cactus. Without a name the results lose, from left to right, the details of the picture, then outline and colours. At t = 960 the sailboat is a lump; the mushroom keeps its stem and the cactus its arms. In the column with names, an orange sailboat, a red mushroom with pale spots and three loose green pieces."}} tags=["hide-input"]
middle, names = by_profile(full=7, fast=2), ["sailboat", "mushroom", "cactus"]
images = torch.stack([shipped_image(name) for name in names])
photo = prompted(model, "a high quality photo", 7)
results = [sdedit(model, photo, images, i, [0] * 3, timesteps) for i in six]
named = prompted(model, [f"a {name}" for name in names], 7)
place = 1 + six.index(middle)  # beside the same start without a name
results.insert(place, sdedit(model, named, images, middle, [0] * 3, timesteps))
above = f"named,\n$t={timesteps[middle]}$"
grid(
    unit_range(torch.stack([images, *results], 1)),
    titles=[*titles[: place + 1], above, *titles[place + 1 :]],
    labels=names,
    size=0.9,
)

# %% [markdown]
# **The whole picture has one start.** More noise for the walls is more for the roof. To keep one and redraw the other, see [1.7.2](a1_7_2_inpainting.ipynb).
#
# ## Try it
#
# * **Move the shapes.** In the code of {numref}`fig-a17-prompts`, change corners, colours and prompts.
# * **Use your own drawing.** Photograph it on white paper, and name what it shows:
#   ```python
#   from diffusion_utils.pictures import load_image
#
#   mine = load_image("my-drawing.jpg")
#   cat = prompted(model, "a cat", 5)
#   grid([unit_range(sdedit(model, cat, mine, i, [0, 1, 2])) for i in (16, 13, 10)])
#   ```
