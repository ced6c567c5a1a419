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
# Can the model turn a scribble into a good drawing? **Sometimes: name what it shows, add noise to the scribble and
# denoise it. The more noise we add, the less of the scribble stays.**

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

from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.tasks import noised, prompted, sdedit
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
shares = model.schedule.alpha_bar.sqrt()

# %% mystnb={"figure": {"caption": "Two felt-pen drawings (left). To the right of each, for six starts $t$: above, the drawing with the noise of $t$ ($x_t$); below, what the loop makes of it with the prompt \"a house\" or \"an orange fish\". The second number over a column is $\\sqrt{\\bar\\alpha_t}$, by which the drawing is multiplied in $x_t$. $\\gamma = 3$, seed 0.", "name": "fig-a17-prompts"}, "image": {"alt": "A house and a fish in felt pen on the left. To the right of each, a row with more and more noise over it, and below the results, which are less and less like the drawing."}} tags=["hide-input"]
starts = by_profile(full=[20, 17, 15, 13, 10, 1], fast=[2, 0])
names, prompts = ["drawn-house", "drawn-fish"], ["a house", "an orange fish"]
drawn = torch.stack([shipped_image(name) for name in names])
blank = torch.ones_like(drawn)
noisy, results = [drawn], [blank]  # nothing stands below the drawing
for i in starts:
    noisy.append(noised(model, drawn, i, [0, 0], timesteps)[0].cpu())
    denoise = prompted(model, prompts, 3)
    results.append(sdedit(model, denoise, drawn, i, [0, 0], timesteps))
rows = torch.stack([torch.stack(noisy, 1), torch.stack(results, 1)], 1).flatten(0, 1)
titles = ["drawing"]
titles += [f"$t={timesteps[i]}$\n{shares[timesteps[i]]:.2f}" for i in starts]
labels = [label for prompt in prompts for label in ("$x_t$", f'"{prompt}"')]
grid(unit_range(rows), titles, labels, size=1.0)

# %% [markdown]
# ```{live} sdedit
# ```

# %% [markdown]
# ## The idea
#
# In [1.4](a1_4_iterative_denoising.ipynb) we noised a picture and asked the loop to bring it back. Now we want a better picture than the one we gave. The steps are the same:
#
# 1. Add noise to the picture, up to a timestep $t$ at which we start. This is the forward process of [1.1](a1_1_forward.ipynb), $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon$ (N.1), with the given
#    picture as $x_0$ and fresh noise $\epsilon$.
# 2. Denoise from there to the end, with a prompt, as in [1.6](a1_6_guidance.ipynb).
#
# **What can still be seen through the noise guides the result. What the noise has covered, the model draws anew.** Noise covers thin strokes first and large areas of colour last, because over a large area it averages out. This is called SDEdit {cite:p}`meng2022`.
#
# ```{literalinclude} ../../diffusion_utils/tasks.py
# :pyobject: denoise_from
# :lines: 1,3-
# ```
#
# The list `timesteps` is 990, 960, .., 0, and `i_start` is the place of the start in it, counted from 0: number 10 is $t = 690$. The function `noised` is step 1. It also returns the random generators (`noise`), one for each seed,
# from which the loop draws the noise of its later steps. `trajectory` is the loop of 1.4, and `sdedit`, used below, gives its last picture.
#
# ## What you see
#
# Read {numref}`fig-a17-prompts` from left to right.
#
# * **Little noise** ($t = 390$): the large things are where they were. But the strokes of the pen have become smooth areas, and small things suffer: the sun is a square, and the fish
#   has lost its eye.
# * **More noise** ($t = 480$ to 690): the large shapes still come from the drawing, but it is blurred, and the sun gets lost. At $t = 690$ the house is a clean drawing, with a
#   large blue window of the model's own. The fish is not: it has a pale patch for a head.
# * **Almost only noise** ($t = 960$): the model draws a house and a fish of its own.
#
# With little noise the result is **faithful** to the drawing. With much noise it is **realistic**: it looks like the drawings that the model knows. One cannot have both in full. Try several starts and seeds, and choose by eye. Of these we would keep a house of $t = 690$ and a fish of $t = 510$:

# %% mystnb={"figure": {"caption": "Three starts and three seeds for each drawing; prompts and $\\gamma$ as in {numref}`fig-a17-prompts`.", "name": "fig-a17-seeds"}, "image": {"alt": "Three rows of three houses and three fish. In each row the three differ in details; from the first row to the last they are less like the drawings."}} tags=["hide-input"]
seeds = by_profile(full=[0, 1, 2], fast=[0])
chosen = by_profile(full=[20, 16, 10], fast=[2])
several = drawn.repeat_interleave(len(seeds), 0)
wanted = [prompt for prompt in prompts for _ in seeds]
grid(
    [
        unit_range(
            sdedit(model, prompted(model, wanted, 3), several, i, seeds * 2, timesteps)
        )
        for i in chosen
    ],
    titles=[f"seed {s}" for s in seeds] * 2,
    labels=[f"$t={timesteps[i]}$" for i in chosen],
    size=1.1,
)

# %% [markdown]
# (sec-hand-drawn)=
# ## 1.7.1 A prompt without a name
#
# The coursework gives all pictures the same prompt, "a high quality photo", which names no thing. Here are three pictures of this book, a found one (the lighthouse) and the two drawings. The model was trained on none of the six.

# %% mystnb={"figure": {"caption": "The coursework's rows: six pictures (left) from its six starts, `i_start` = 20, 10, 7, 5, 3, 1. \"A high quality photo\", $\\gamma = 7$, seed 0. The lighthouse is from OpenMoji; its row is under the same licence, CC BY-SA 4.0.", "name": "fig-a17-objects"}, "image": {"alt": "Six rows: a sailboat, a mushroom, a cactus, a lighthouse, and a house and a fish in felt pen. From left to right the results lose the details of the picture, then outline and colours. On the right all six are lumps, five of them much alike."}} tags=["hide-input"]
six = by_profile(full=[20, 10, 7, 5, 3, 1], fast=[2, 0])
names = ["sailboat", "mushroom", "cactus"]
names += ["found-lighthouse", "drawn-house", "drawn-fish"]
images = torch.stack([shipped_image(name) for name in names])
photo = prompted(model, "a high quality photo", 7)
edits = [sdedit(model, photo, images, i, [0] * len(names), timesteps) for i in six]
grid(
    unit_range(torch.stack([images, *edits], 1)),
    titles=["picture"] + [f"$t={timesteps[i]}$" for i in six],
    labels=[name.split("-")[-1] for name in names],
    size=1.0,
)

# %% [markdown]
# From left to right the pictures melt: details go first, then outline and colours. At $t = 960$ five of the six results are much alike: the noise is the same, and each picture is multiplied by 0.06. The sixth is blue: the background of the sailboat is so large an area that its
# colour still comes through.
#
# ```{dropdown} How the two drawings were made
# Not with ink on paper. Each is a list of pen strokes, stored as SVG paths in the order in which they were drawn: first the colour, in zigzags of a broad pen, then the outlines with
# a thin one. The points of each stroke were set one by one; a small program drew a smooth curve through them and added what a hand adds: a slow drift, a slight tremor, and ends that
# run past their corner. The strokes are in `data/images/drawn-house.svg` and `drawn-fish.svg`, and `data/images/render.py` renders them.
# ```
#
# ## Where it fails
#
# Without a name, the model does not know what the areas of colour in the noise should become. In {numref}`fig-a17-objects` the house and the fish are lumps from $t = 690$ on: the house has no
# door any more, and the fish no head. In {numref}`fig-a17-prompts`, with the name (and $\gamma = 3$, not 7), the house of $t = 690$ has a door and a window. The fish has no good head there either.
#
# And one start holds for the whole picture. We cannot keep the sun and redraw the house; for that, see [1.7.2](a1_7_2_inpainting.ipynb).
#
# ## Try it
#
# * **Use your own drawing.** Take a photo of a drawing on white paper. Add a cell with the lines below, and name what it shows.
#   ```python
#   from diffusion_utils.pictures import load_image
#
#   mine = load_image("my-drawing.jpg")
#   cat = prompted(model, "a cat", 3)
#   grid([unit_range(sdedit(model, cat, mine, i, [0, 1, 2])) for i in (20, 16, 10)])
#   ```
# * **Make it a cartoon.** Do the same with `mine = shipped_image("photograph-cat")`. From which start on is it a drawing, and until which is it still this cat?
