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
# Can the model change a picture that already exists?

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

from diffusion_utils.metrics import psnr
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.tasks import prompted, sdedit
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import bands

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
starts = by_profile(full=[1, 3, 5, 7, 10, 20], fast=[0, 2])


# %% mystnb={"figure": {"caption": "Three pictures (right), noised and denoised again from six starts: $i = 1$ is almost pure noise, $i = 20$ a little of it. \"A high quality photo\", $\\gamma = 7$, seeds 0 to 2, timesteps 990, 960, .., 0.", "name": "fig-a17-objects"}, "image": {"alt": "Three rows for a sailboat, a mushroom and a cactus. On the left the results have nothing to do with the picture; from left to right they take on its colours, then its outline, then its details."}} tags=["hide-input"]
def edited(pictures, labels, size=1.1):
    """SDEdit of each picture from each start, drawn as a grid -> {i: results}."""
    seeds = range(len(pictures))
    edits = {i: sdedit(model, photo, pictures, i, seeds, timesteps) for i in starts}
    columns = torch.stack([*edits.values(), pictures], 1)
    grid(
        unit_range(columns),
        titles=[f"$i={i}$" for i in starts] + ["original"],
        labels=labels,
        size=size,
    )
    return edits


photo = prompted(model, "a high quality photo")
names = ["sailboat", "mushroom", "cactus"]
images = torch.stack([shipped_image(name) for name in names])
edits = edited(images, names)

# %% [markdown]
# ```{live} sdedit
# ```

# %% [markdown]
# ## The idea
#
# Until now every picture began as pure noise. Now we begin with a picture. Add noise to it, but stop before nothing is left of it, and denoise it
# as before. What can still be seen through the noise stays. What the noise has covered, the model has to invent. This is called SDEdit
# {cite:p}`meng2022`.
#
# The first step is the forward process (N.1) of [1.1](a1_1_forward.ipynb):
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon $$
#
# * $x_0$ is the picture that we want to change.
# * $\epsilon$ is fresh noise.
# * $t$ is the timestep at which we start. It is the entry number $i$ of the list 990, 960, .., 0 that [1.4](a1_4_iterative_denoising.ipynb) goes through:
#   $i = 1$ means $t = 960$, and $i = 20$ means $t = 390$. In code $i$ is `i_start`.
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
# Read {numref}`fig-a17-objects` from left to right. At $i = 1$ the model sees next to nothing of the picture and draws something of its own. Then the picture comes back, coarse things first: large areas of
# colour, then the outline, then the parts. At $i = 20$ it is the picture again, redrawn; only small details are invented. **How much noise we add decides how much may change.**
#
# ## How close the result is
#
# The more of the picture is left at the start, the closer is the result.

# %% tags=["hide-input"]
rows = []
for i, results in edits.items():
    score = psnr(results.clamp(-1, 1), images, peak=2)
    left = model.schedule.at(timesteps[i])
    rows.append([i, timesteps[i], f"{left:.3f}", *(f"{s:.1f}" for s in score)])
table(
    rows,
    ["i", "t", "ᾱ", *(f"{name} (dB)" for name in names)],
    "The share of the picture's variance that is left at the start, and the PSNR between result and original.",
)

# %% [markdown]
# (sec-hand-drawn)=
# ## 1.7.1 Hand-drawn and web images
#
# The picture can come from anywhere. {numref}`fig-a171-drawings` has a drawing found on the web, of a style that the model was not trained on, and two felt-pen
# drawings that were made for this book.

# %% mystnb={"figure": {"caption": "A found drawing (lighthouse) and two drawings made for this book (house, fish). \"A high quality photo\", $\\gamma = 7$, seeds 0 to 2, timesteps 990, 960, .., 0. The lighthouse is from OpenMoji; its row is under the same licence, CC BY-SA 4.0.", "name": "fig-a171-drawings"}, "image": {"alt": "Three rows for a lighthouse and for a house and a fish in felt pen: from left to right the results come closer to the drawing, which stands on the right."}} tags=["hide-input"]
drawn = ["found-lighthouse", "drawn-house", "drawn-fish"]
drawings = torch.stack([shipped_image(name) for name in drawn])
redrawn = edited(drawings, [name.split("-")[1] for name in drawn])

# %% [markdown]
# At $i = 20$ all three are redrawn in the style of the model: the strokes of the pen have become smooth areas, and the roof, the door and the fins are where they were. Strokes are fine detail, so they are the first to go. At $i = 10$ the
# lighthouse still has its beam, but the house is falling apart, and at $i = 1$ nothing is left of any of the three.
#
# ```{dropdown} How the two drawings were made
# Not with ink on paper. Each is a list of pen strokes, stored as SVG paths in the order in which they were drawn: first the colour, in zigzags of a broad pen, then the outlines with
# a thin one. The points of each stroke were set one by one; a small program drew a smooth curve through them and added what a hand adds: a slow drift, a slight tremor, and ends that
# run past their corner. The strokes are in `data/images/drawn-house.svg` and `drawn-fish.svg`, and `data/images/render.py` renders them.
# ```
#
# ## Where it fails
#
# The model knows drawings only. What does it do with a photograph?

# %% mystnb={"figure": {"caption": "A photograph of a cat (\"Chelsea\", CC0). \"A high quality photo\", $\\gamma = 7$, seed 0, timesteps 990, 960, .., 0.", "name": "fig-a17-cat"}, "image": {"alt": "A cat's face from free invention on the left to the photograph on the right: fur and whiskers are missing in all but the photograph."}} tags=["hide-input"]
cat = shipped_image("photograph-cat")[None]
recat = edited(cat, ["cat"])

# %% [markdown]
# In {numref}`fig-a17-cat` the large areas of colour are right at $i = 20$, and the rest is lost: fur, whiskers, and most of the eyes. The model can only put what it knows in the place of what the noise has covered, and it knows no fur. The
# next table shows the same in numbers.

# %% tags=["hide-input"]
fine = bands(1.0)[1]


def detail(x):
    return fine(x).var((1, 2, 3))


rows = [
    [
        i,
        *(
            f"{s:.2f}"
            for s in (
                *detail(redrawn[i]) / detail(drawings),
                *detail(recat[i]) / detail(cat),
            )
        ),
    ]
    for i in starts
]
table(
    rows,
    ["i", *(name.split("-")[1] for name in drawn), "cat"],
    "Fine detail of the result as a multiple of the original's: the variance of what a blur of 1 pixel takes away. Below 1: smoother than the original.",
)

# %% [markdown]
# There is one more limit. There is only one knob, and it trades the whole picture at once: we cannot keep the shape and free the colours, or keep one corner and free the rest. For the second, see
# [1.7.2](a1_7_2_inpainting.ipynb).
#
# ## Try it
#
# * **Use your own picture.** Add a cell with
#   ```python
#   from diffusion_utils.pictures import load_image
#
#   edited(load_image("my-drawing.jpg")[None], ["mine"])
#   ```
#   Take a photo of a drawing on white paper. Expect its colours and its outline at $i = 20$, and something else in these colours at $i = 5$.
# * **Change the seed.** In the function `edited` set `seeds = range(10, 10 + len(pictures))`. The results at $i = 1$ become other things altogether. Those at $i = 20$ hardly change: there, the
#   picture decides.
