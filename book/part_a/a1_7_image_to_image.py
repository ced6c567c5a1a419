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
# Can the model turn a scribble into a good drawing?

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
import torch

from diffusion_utils.emoji64.judge import load_evaluator, name_ranks
from diffusion_utils.metrics import psnr
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.tasks import prompted, sdedit
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
starts = by_profile(full=[1, 3, 5, 7, 10, 20], fast=[0, 2])
seeds = by_profile(full=range(3), fast=range(1))


# %% mystnb={"figure": {"caption": "Two felt-pen drawings (right), noised and denoised again with the prompts \"a house\" and \"a fish\". $i = 1$ starts at $t = 960$, from almost pure noise; $i = 20$ at $t = 390$. $\\gamma = 3$, seed 0.", "name": "fig-a17-prompts"}, "image": {"alt": "Two rows, for a house and a fish in felt pen. From left to right the results come closer to the drawing, which stands on the right."}} tags=["hide-input"]
def edited(pictures, denoise, seeds):
    """SDEdit of each picture from each start -> {i: results}."""
    return {i: sdedit(model, denoise, pictures, i, seeds, timesteps) for i in starts}


def show(edits, pictures, labels):
    columns = torch.stack([*edits.values(), pictures], 1)
    titles = [f"$i={i}$\n$t={timesteps[i]}$" for i in starts] + ["original"]
    grid(unit_range(columns), titles=titles, labels=labels, size=1.1)


drawn = [shipped_image("drawn-house"), shipped_image("drawn-fish")]
drawn = torch.stack([picture for picture in drawn for _ in seeds])
prompts = [prompt for prompt in ("a house", "a fish") for _ in seeds]
edits = edited(drawn, prompted(model, prompts, 3), [*seeds] * 2)
first = {i: results[:: len(seeds)] for i, results in edits.items()}
show(first, drawn[:: len(seeds)], ["a house", "a fish"])

# %% [markdown]
# ```{live} sdedit
# ```

# %% [markdown]
# ## The idea
#
# In [1.4](a1_4_iterative_denoising.ipynb) we noised a picture and asked the loop to bring it back. Now we want something else: a picture that is close to the given one and is a good drawing too.
# The steps are the same. Add noise to the picture, but stop before nothing is left of it, and denoise it with a prompt. What can still be seen through the noise stays. What the noise has covered, the model
# draws anew. This is called SDEdit {cite:p}`meng2022`.
#
# The first step is the forward process (N.1) of [1.1](a1_1_forward.ipynb):
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon $$
#
# * $x_0$ is the picture that we want to change.
# * $\epsilon$ is fresh noise.
# * $t$ is the timestep at which we start. It is the entry number $i$ of the list 990, 960, .., 0 that the loop goes through. In code $i$ is `i_start`. The paper calls it $t_0$, and other
#   programs have a *strength* from 0 to 1 instead, which says what part of the loop is run.
# * $\bar\alpha_t$ says how much of the picture is left at $t$.
# * $x_t$ is where the loop starts.
#
# ```{literalinclude} ../../diffusion_utils/tasks.py
# :pyobject: noised
# :start-at: eps =
# :dedent:
# ```
#
# The second step is the loop of 1.4, with the guidance of [1.6](a1_6_guidance.ipynb), from there to the end:
#
# ```{literalinclude} ../../diffusion_utils/tasks.py
# :pyobject: denoise_from
# :lines: 1,3-
# ```
#
# ## What to see
#
# Read {numref}`fig-a17-prompts` from right to left. At $i = 20$ the drawing is redrawn: the strokes of the pen have become smooth areas, and everything is where it was. The more noise, the more the model may change. At $i = 10$ the sun over the house and the waves under
# the fish are gone, and the orange of the fish fades. At $i = 1$ the model draws a house and a fish of its own. **How much noise we add decides how much may change.**
#
# ## Close to the drawing, or a good drawing?
#
# We want both. So we measure both, over three seeds for each drawing: how close the result is to the drawing (PSNR), and how often **the judge** puts the name of the prompt first. The judge is a second
# network that was trained to name drawings; [1.6](a1_6_guidance.ipynb) says more about it. It learned from
# the same drawings as the model, so it says whether the prompt is obeyed, not whether the picture is good.

# %% tags=["hide-input"]
judge = load_evaluator()
things = [prompt.removeprefix("a ") for prompt in prompts]


def named(pictures):
    ranks = name_ranks(judge, pictures, things)
    return f"{sum(rank == 1 for rank in ranks)} of {len(ranks)}"


rows = []
for i, results in edits.items():
    close = psnr(results.clamp(-1, 1), drawn, peak=2).split(len(seeds))
    left = f"{model.schedule.at(timesteps[i]):.3f}"
    dB = [f"{part.mean():.1f}" for part in close]
    rows.append([i, timesteps[i], left, *dB, named(results)])
rows.append(["the drawing", "", "1", "", "", named(drawn)])
table(
    rows,
    ["i", "t", "ᾱ", "house (dB)", "fish (dB)", "named first"],
    f"Mean PSNR to the drawing, and how often the judge puts the right name first of {len(judge[1])}. ᾱ is the share of the picture's variance that is left at the start. The last row counts the drawing itself once for each seed.",
)

# %% [markdown]
# The PSNR rises with $i$: the less noise, the closer is the result. The judge knows neither of the two pen drawings as it is: it has not learned strokes of a pen. From $i = 10$ down it
# names all results. So of these six starts, $i = 10$ is the one that stays closest to the drawing and is still always recognised. At $i = 20$ the result is closer, but half a scribble.
#
# ## Without a name
#
# The coursework asks for the prompt "a high quality photo", which names no thing, and for three pictures.

# %% mystnb={"figure": {"caption": "The coursework's rows: three pictures (right) from six starts. \"A high quality photo\", $\\gamma = 1$ (no guidance), seeds 0 to 2.", "name": "fig-a17-objects"}, "image": {"alt": "Three rows for a sailboat, a mushroom and a cactus. On the left the results have nothing to do with the picture; from left to right they take on its colours, then its outline."}} tags=["hide-input"]
photo = prompted(model, "a high quality photo", 1)
names = ["sailboat", "mushroom", "cactus"]
images = torch.stack([shipped_image(name) for name in names])
show(edited(images, photo, range(3)), images, names)

# %% [markdown]
# At $i = 1$ the model sees next to nothing of the picture and draws something of its own. Then the picture comes back, coarse things first: large areas of colour, then the outline, then the parts.
#
# (sec-hand-drawn)=
# ## 1.7.1 Hand-drawn and web images
#
# The picture can come from anywhere. {numref}`fig-a171-drawings` has a drawing found on the web, of a style that the model was not trained on, and the two felt-pen drawings once more, now
# without their names.

# %% mystnb={"figure": {"caption": "A found drawing (lighthouse) and two drawings made for this book (house, fish). \"A high quality photo\", $\\gamma = 1$ (no guidance), seeds 0 to 2. The lighthouse is from OpenMoji; its row is under the same licence, CC BY-SA 4.0.", "name": "fig-a171-drawings"}, "image": {"alt": "Three rows for a lighthouse and for a house and a fish in felt pen: from left to right the results come closer to the drawing, which stands on the right."}} tags=["hide-input"]
found = ["found-lighthouse", "drawn-house", "drawn-fish"]
drawings = torch.stack([shipped_image(name) for name in found])
redrawn = edited(drawings, photo, range(3))
show(redrawn, drawings, [name.split("-")[1] for name in found])

# %% [markdown]
# ```{dropdown} How the two drawings were made
# Not with ink on paper. Each is a list of pen strokes, stored as SVG paths in the order in which they were drawn: first the colour, in zigzags of a broad pen, then the outlines with
# a thin one. The points of each stroke were set one by one; a small program drew a smooth curve through them and added what a hand adds: a slow drift, a slight tremor, and ends that
# run past their corner. The strokes are in `data/images/drawn-house.svg` and `drawn-fish.svg`, and `data/images/render.py` renders them.
# ```
#
# ## Where it fails
#
# Compare the house and the fish in {numref}`fig-a171-drawings` with {numref}`fig-a17-prompts`. Without a name, the results at small $i$ show no house and no fish: nothing tells the model what it is looking at. The name
# is what keeps the thing together when the noise has covered it.
#
# There is one more limit. There is only one knob, and it acts on the whole picture at once. We cannot keep the shape and free the colours, or keep one corner and free the rest. For the second, see
# [1.7.2](a1_7_2_inpainting.ipynb).
#
# ## Try it
#
# * **Use your own picture.** Add a cell with
#   ```python
#   from diffusion_utils.pictures import load_image
#
#   mine = load_image("my-drawing.jpg")[None]
#   show(edited(mine, prompted(model, "a cat", 3), [0]), mine, ["mine"])
#   ```
#   Take a photo of a drawing on white paper, and name what it shows.
# * **Ask for another thing.** In the code of {numref}`fig-a17-prompts`, replace `("a house", "a fish")` by `("a castle", "a shark")`. At $i = 5$ both are clear, in the place of the house and
#   the fish. At $i = 10$ the shark gets lost. (The table then counts castles and sharks.)
