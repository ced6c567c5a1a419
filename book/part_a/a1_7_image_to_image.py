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
# Can the model turn a scribble into a good drawing? **Yes: add noise to the scribble and denoise it. How much noise
# we add decides how much may change.**

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


# %% mystnb={"figure": {"caption": "Two felt-pen drawings (right), noised and denoised again with the prompts \"a house\" and \"a fish\". The loop starts at the timestep $t$ above each column (`i_start` = 1, 3, 5, 7, 10, 20). $\\gamma = 3$, seed 0. The drawings were made for this book, of pen strokes that are stored as paths.", "name": "fig-a17-prompts"}, "image": {"alt": "Two rows, for a house and a fish in felt pen. From left to right the results come closer to the drawing, which stands on the right."}} tags=["hide-input"]
def edited(pictures, denoise, seeds):
    """SDEdit of each picture from each start -> {i: results}."""
    return {i: sdedit(model, denoise, pictures, i, seeds, timesteps) for i in starts}


def show(edits, pictures, labels):
    columns = torch.stack([*edits.values(), pictures], 1)
    titles = [f"$t={timesteps[i]}$" for i in starts] + ["original"]
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
# The first step is the forward process (N.1) of [1.1](a1_1_forward.ipynb), with the given picture as $x_0$. The timestep $t$ at which we start is an entry of the list 990, 960, .., 0 that the loop goes through. The code
# gives its place in the list, `i_start`: number 10 is $t = 690$.
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
# ## What you see
#
# Read {numref}`fig-a17-prompts` from right to left, from little noise to much. At $t = 390$ the strokes of the pen have become smooth areas, and the large things are where they were; small ones get lost. At $t = 690$ more of the
# drawing is gone. At $t = 960$ the model draws a house and a fish of its own.
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
    dB = [f"{part.mean():.1f}" for part in close]
    rows.append([timesteps[i], *dB, named(results)])
rows.append(["the drawing", "", "", named(drawn)])
table(
    rows,
    ["start t", "house (dB)", "fish (dB)", "named first"],
    f"Mean PSNR to the drawing, and how often the judge puts the right name first of {len(judge[1])}. The last row counts each drawing itself, once for each seed.",
)

# %% [markdown]
# Going down the table, there is less noise and the result is closer to the drawing. But a result close to a scribble is half a scribble, and the judge has not learned strokes of a pen. So a good start is the last one, going down, at which the results
# are still named right.
#
# (sec-hand-drawn)=
# ## Without a name, and 1.7.1 Hand-drawn and web images
#
# The coursework asks for the prompt "a high quality photo", which names no thing, for three pictures, and in 1.7.1 for a picture found on the web and two hand drawings. All six start from the same noise.

# %% mystnb={"figure": {"caption": "The coursework's rows: six pictures (right) from six starts. \"A high quality photo\", $\\gamma = 3$ as above, where the coursework takes 7; seed 0. The lighthouse is from OpenMoji; its row is under the same licence, CC BY-SA 4.0.", "name": "fig-a17-objects"}, "image": {"alt": "Six rows: a sailboat, a mushroom, a cactus, a lighthouse, and a house and a fish in felt pen. On the left the results have nothing to do with the picture; from left to right they take on its colours, then its outline."}} tags=["hide-input"]
names = ["sailboat", "mushroom", "cactus"]
names += ["found-lighthouse", "drawn-house", "drawn-fish"]
images = torch.stack([shipped_image(name) for name in names])
photo = prompted(model, "a high quality photo", 3)
labels = [name.split("-")[-1] for name in names]
show(edited(images, photo, [0] * len(names)), images, labels)

# %% [markdown]
# At $t = 960$ the six results are much alike, since the noise is the same and next to nothing of the pictures is left. Then the picture comes back, coarse things first: large areas of colour, then the outline, then the parts.

# %% [markdown]
# ```{dropdown} How the two drawings were made
# Not with ink on paper. Each is a list of pen strokes, stored as SVG paths in the order in which they were drawn: first the colour, in zigzags of a broad pen, then the outlines with
# a thin one. The points of each stroke were set one by one; a small program drew a smooth curve through them and added what a hand adds: a slow drift, a slight tremor, and ends that
# run past their corner. The strokes are in `data/images/drawn-house.svg` and `drawn-fish.svg`, and `data/images/render.py` renders them.
# ```
#
# ## Where it fails
#
# Compare the house and the fish in {numref}`fig-a17-objects` with {numref}`fig-a17-prompts`: same noise, same $\gamma$, but no name. From an early start they are no house and no fish. The name
# is what keeps the thing together when the noise has covered it.
#
# And the start acts on the whole picture at once. We cannot keep one corner and free the rest; for that, see [1.7.2](a1_7_2_inpainting.ipynb).
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
# * **Ask for another thing.** In the code of {numref}`fig-a17-prompts`, replace `("a house", "a fish")` by `("a castle", "a shark")`. From which start on is the
#   drawing stronger than the prompt? (The table then counts castles and sharks.)
