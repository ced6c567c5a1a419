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
# Can the model turn flat shapes into a drawing? **It can: add noise to them, name what they show, and denoise.
# The more noise we add, the less of the shapes stays.** Look at the fish from $t = 600$:

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
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.tasks import generate, noised, prompted, sdedit
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% mystnb={"figure": {"caption": "Two pictures of flat shapes (left), chosen from 25 that we tried. Beside each: above, the shapes with the noise of $t$; below, what the loop makes of them. Last column: without the shapes. Guidance scale $\\gamma = 5$, seed 0.", "name": "fig-a17-prompts"}, "image": {"alt": "A fish of a green ellipse and a triangle, and a green car with two dark wheels. To the right of each, a row with more and more noise over it, and below the results. The fish is smooth and green at 390, blue-green at 510, and from 600 on a blue fish with an eye and fins, as low as the shapes; from pure noise a light blue fish is taller, with large fins above and below. The car is green at 390, 510 and 600, with pale windows at 600; at 690 it is grey and red with blue windows, and from 780 on and from pure noise red."}} tags=["hide-input"]


def picture_of(shapes):
    """Filled shapes, each a kind, a colour and its corners in pixels -> (3, 64, 64)."""
    image = Image.new("RGB", (256, 256), "white")
    for kind, colour, corners in shapes:
        getattr(ImageDraw.Draw(image), kind)(corners, fill=colour)
    small = image.resize((64, 64), Image.Resampling.BOX)
    return pil_to_tensor(small) / 127.5 - 1


GREEN, DARK = "#3fae6a", "#333333"
fish = picture_of(
    [
        ("ellipse", GREEN, [(30, 70), (190, 190)]),
        ("polygon", GREEN, [(170, 130), (240, 70), (240, 190)]),
    ]
)
car = picture_of(
    [
        ("rectangle", GREEN, [(20, 120), (236, 190)]),
        ("rectangle", GREEN, [(70, 70), (190, 125)]),
        ("ellipse", DARK, [(45, 165), (95, 215)]),
        ("ellipse", DARK, [(160, 165), (210, 215)]),
    ]
)
flat, prompts = torch.stack([fish, car]), ["a fish", "a car"]
starts = by_profile(full=[20, 16, 13, 10, 7], fast=[2, 0])
denoise = prompted(model, prompts, 5)
results = [sdedit(model, denoise, flat, i, [0, 0], timesteps) for i in starts]
results.append(generate(model, denoise, [0, 0], timesteps))
noisy = [noised(model, flat, i, [0, 0], timesteps)[0].cpu() for i in starts]
noisy.append(unit_noise(model.shape, generators([0, 0])))
above = torch.stack([flat, *noisy], 1)
below = torch.stack([torch.ones_like(flat), *results], 1)  # a blank below the shapes
titles = ["shapes", *(f"$t={timesteps[i]}$" for i in starts), "pure noise"]
labels = [label for prompt in prompts for label in ("$x_t$", f'"{prompt}"')]
rows = torch.stack([above, below], 1).flatten(0, 1)
grid(unit_range(rows), titles, labels, size=1.0)

# %% [markdown]
# ```{live} sdedit
# ```

# %% [markdown]
# ## The idea
#
# The method is SDEdit {cite:p}`meng2022` with a prompt:
#
# 1. Add noise to the picture $x_0$, up to a timestep $t$, the **start**: $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon$ (N.1), as in [1.1](a1_1_forward.ipynb).
# 2. Denoise from there with a prompt, guided as in [1.6](a1_6_guidance.ipynb).
#
# **The model draws anew what the noise has covered.** What is that? In $x_t$, two pictures $x_0$ and $x_0'$ differ by $\sqrt{\bar\alpha_t}\,(x_0 - x_0')$. If this is small beside the noise, the model cannot tell them apart. (Values go from −1 to 1, so black and white differ by 2.) In one pixel the noise has the standard deviation $\sqrt{1-\bar\alpha_t}$. In the mean over $n$ pixels it is $\sqrt{(1-\bar\alpha_t)/n}$. So thin strokes and sharp edges are covered first, large areas last:

# %% tags=["remove-input"]
rows = []
for t in (390, 510, 600, 690, 780):
    alpha_bar = model.schedule.at(t).item()
    spread = (1 - alpha_bar) ** 0.5
    rows.append([t, f"{alpha_bar**0.5:.2f}", f"{spread:.2f}", f"{spread / 8:.2f}"])
table(
    rows,
    ["t", "factor of the picture", "noise, one pixel", "noise, mean of 8x8 pixels"],
    "How strong picture and noise are in the noisy picture at four starts (noise: standard deviation).",
)

# %% [markdown]
# At $t = 600$ a pixel of the fish's eye, however dark, drowns: its noise has a standard deviation of 0.8. So flat shapes and a drawing of a fish look alike in $x_t$, and the model, which has learned drawings, draws an eye and fins. But the green of a large area is not covered, and it changes all the same. Guidance may be the reason: it is for the roof below.
#
# ```{literalinclude} ../../diffusion_utils/tasks.py
# :pyobject: denoise_from
# :lines: 1,3-
# ```
#
# `timesteps` is 990, 960, .., 0, and the start $t$ is `timesteps[i_start]`. `noised` is step 1; it also returns the random generator, `rng`. `trajectory` is the loop of [1.4](a1_4_iterative_denoising.ipynb).
#
# ## What you see
#
# In {numref}`fig-a17-prompts`, from left to right:
#
# * **Little noise** ($t = 390$): the shapes stay.
# * **More noise** ($t = 510$ and 600): the model adds an eye and fins to the fish, and at 600 a pale patch to the car, where windows belong. The fish turns blue, but it keeps the low body of the shapes. The one from pure noise is taller. The car is still mostly green.
# * **Much noise** (from $t = 690$): no green is left. At 780 the car is red, as from pure noise.
#
# All pictures of a row have the same noise (seed 0). So with much noise the cars come close to the one from pure noise.
#
# ## Guidance can overrule what is seen
#
# Has the noise of $t = 690$ covered the colour? We take a house with a blue roof. Means over blocks of 8 × 8 pixels show what is left.

# %% mystnb={"figure": {"caption": "A house of shapes, from $t = 690$: $x_t$, its means over blocks, and \"a house\" for two $\\gamma$. Blue: pictures in which the place of the roof is on average more blue than red.", "name": "fig-a17-roof"}, "image": {"alt": "On the left a beige square with a blue triangle as its roof. Beside it four rows of eight pictures. In the noise the roof is faint; in the blocks it is blue or grey-blue in all eight. With gamma 1 all eight roofs are blue. With gamma 5 the roof is a narrow red line, of seed 5 a brown one, over a gable in beige, grey or green."}} tags=["hide-input"]
house = picture_of(
    [
        ("rectangle", "#f2d9a0", [(50, 120), (206, 230)]),
        ("polygon", "#3a6fc4", [(28, 128), (128, 30), (228, 128)]),
    ]
)
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
    labels.append(f"$\\gamma={gamma}$\nblue: {(blue > red).sum()} of 8")
left = [house, *[torch.ones_like(house)] * 3]  # the shapes, and blanks below
rows = [torch.cat([one[None], row]) for one, row in zip(left, rows, strict=True)]
titles = ["shapes", *(f"seed {s}" for s in seeds)]
grid([unit_range(row) for row in rows], titles, labels, 0.75)

# %% tags=["remove-cell"]
t = timesteps[i_690]
alpha_bar = model.schedule.at(t)
in_blocks = F.avg_pool2d(x_t - alpha_bar.sqrt() * house, 8).std()
assert abs(8 * in_blocks / (1 - alpha_bar).sqrt() - 1) < 0.1

# %% [markdown]
# The blocks of the roof are still bluish, for each seed. With $\gamma = 1$ all eight roofs stay blue. With $\gamma = 5$ none does: most become a narrow red line. Guidance multiplies by 5 the difference that the prompt makes, and that seems to be a red roof. So here **strong guidance overrules what can still be seen.** A smaller $\gamma$ keeps more of your picture, at a price: the houses with $\gamma = 1$ have hardly a window or a door.
#
# ## How much noise?
#
# We take 127 drawings, average each over such blocks, redraw it with its name, and measure:
#
# * **Recognised**: how often the judge of [1.5](a1_5_sampling.ipynb) puts the right one of its 508 names first.
# * **Kept**: $1 - d / d_{\text{noise}}$. Here $d$ is the root mean square distance of the results, as blocks, from the given blocks. $d_{\text{noise}}$ is the same distance for pictures drawn from pure noise. So 1 means the given blocks, and 0 means as far from them as without them.

# %% mystnb={"figure": {"caption": "Above: one of the drawings as blocks, redrawn as \"a strawberry\". Below: all 127, the blocks themselves and what seven starts $t$ make of them. Bars: 95 % intervals. $\\gamma = 5$, one seed for each drawing. From `python -m benchmarks.edits`.", "name": "fig-a17-tradeoff"}, "image": {"alt": "Above, a strawberry of blocks, smooth dark red ones at 390 and 510, redder ones with spots at 690 and 870, and from pure noise a smaller one with a green cap. Below, two curves over the start t. Kept falls from 1 at 0 to 0.7 at 510, 0.43 at 870 and 0 at 990. Recognised rises from 0.2 at 0 to 0.67 at 510, stays near 0.7 up to 690 and reaches 0.97 at 990."}} tags=["hide-input"]
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
at = edits["name"]
distance = np.array([np.mean(row["distance"]) for row in at.values()])
kept = 1 - distance / distance[-1]  # the last one: from pure noise
share = np.array([np.mean(np.array(row["rank"]) == 1) for row in at.values()])
low, high = np.transpose([wilson(p, len(edits["names"])) for p in share])
starts = [int(t) for t in at]
axes["curve"].plot(starts, kept, "s--", color="C1", label="kept")
axes["curve"].errorbar(
    starts,
    share,
    np.maximum([share - low, high - share], 0),
    fmt="o-",
    capsize=2,
    label="recognised",
)
axes["curve"].set(xlabel="start $t$ (0: the blocks; 990: pure noise)", xticks=starts)
axes["curve"].set(ylim=(-0.05, 1.1))
axes["curve"].legend(loc="lower center")
plt.show()

# %% tags=["remove-cell"]
at_510 = starts.index(510)
assert (round(kept[at_510], 1), round(share[at_510], 2)) == (0.7, 0.67)
assert 0.73 < share[starts.index(780)] < 0.75

# %% [markdown]
# Up to $t = 510$ the share recognised rises from a fifth to two thirds, and 0.7 is kept. From there to $t = 780$ it gains only 0.07, less than the intervals are wide, while less and less is kept. From pure noise, most is recognised; there, kept is 0 by definition. The model was trained on the drawings behind these blocks. With new ones it may be worse.
#
# **Which $t$ first?** Try 510 (`i_start` = 16) as for these blocks, 600 (13) as for the fish, 690 (10) as for the car. More noise mostly brings more of the prompt, less noise more of your picture.
#
# (sec-hand-drawn)=
# ## 1.7.1 A found picture and two drawings
#
# Now three other pictures: a lighthouse that we found, a house and a fish. The starts are those of the [coursework](../deliverables.md) that this book follows. It asks for drawings by hand. Ours are strokes of a felt pen, stored as SVG paths and drawn by a program (how: `data/images/README.md`). You can put in a drawing of your own: in the box at the top of this page, or as in "Try it". The model was trained on none of the three.

# %% mystnb={"figure": {"caption": "Three pictures (left) from `i_start` = 20, 10, 7, 5, 3, 1. Prompts: \"a lighthouse\", \"a house with a garden\" and \"a tropical fish\". $\\gamma = 5$, seed 0. The lighthouse is from OpenMoji; its row is under the same licence, CC BY-SA 4.0.", "name": "fig-a17-drawn"}, "image": {"alt": "A lighthouse, and a house and a fish drawn by a program in the manner of felt pen, each with six results. The lighthouse is smudged at 690 and ends as a blue area. The house is duller at 390, with a sun but only a streak for the flower, and a clean drawing without both from 690 on. The fish is smooth and pale at 690 and has blue and white fins from 780 on."}} tags=["hide-input"]
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

# %% tags=["remove-cell"]
words = (ROOT / "data/emoji64/words.txt").read_text() + " ".join(emoji().names)
assert "lighthouse" not in words and "sailboat" in words

# %% [markdown]
# At $t = 390$ the flower, of thin strokes, is hardly there: the noise has covered it. From 690 on the house is clean, without sun and flower, and nearly the same up to 900. The garden of its prompt does not come. From 780 on the fish has blue and white fins.
#
# ## Where it fails
#
# **A word that the model has not learned.** From 780 on the lighthouse above sinks into a haze, and at 960 it is a smudge, though the prompt names it. No training drawing was called a lighthouse.
#
# **A prompt without a name.** The coursework's prompt is "a high quality photo", with $\gamma = 7$. It does not say what the model should put in place of what the noise has covered. The results lose their details first, then their forms. With the name, at $t = 780$, the sailboat gets clear sails and the mushroom its spots. The cactus nearly comes apart.

# %% mystnb={"figure": {"caption": "Three pictures from the coursework's six starts. \"A high quality photo\", $\\gamma = 7$, seed 0. \"Named\": the prompt names the thing (\"a sailboat\", \"a mushroom\", \"a cactus\").", "name": "fig-a17-objects"}, "image": {"alt": "Three rows: a sailboat, a mushroom and a cactus. Without a name the results lose, from left to right, the details of the picture, then outline and colours. At t = 960 the sailboat is a lump; the mushroom keeps its stem and the cactus its arms. In the column with names, an orange sailboat, a red mushroom with pale spots and a cactus of green pieces that hardly touch."}} tags=["hide-input"]
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
# To keep a part of the picture, see [1.7.2](a1_7_2_inpainting.ipynb).
#
# ## Try it
#
# Change the code, and run its cell again.
#
# 1. **Other things.** In the code of {numref}`fig-a17-prompts`, replace `["a fish", "a car"]` by `["a bird", "a bus"]`, and `"#3fae6a"` by `"#d03030"`, a red. At which $t$ does the fish become a bird? Then change the corners, too.
# 2. **Your own drawing.** Photograph it on white paper, and say what it shows:
#    ```python
#    from diffusion_utils.pictures import load_image
#
#    mine = load_image("my-drawing.jpg")
#    cat = prompted(model, "a cat", 5)
#    tries = [sdedit(model, cat, mine, i, [0, 1, 2]) for i in (16, 13, 10)]
#    grid([unit_range(row) for row in tries])
#    ```
#
# ```{dropdown} What we got
# 1. At 600 the fish grows a beak, at 690 legs, and its tail fin stays as a tail. The car is a bus at 690.
# ```
