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
# Can the model edit a picture that exists? Noise the picture only part of the way and denoise it: what the noise left is kept, what it
# covered is invented anew. This is SDEdit {cite:p}`meng2022`. The later the start, the more of the picture stays.

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

# %%
import torch

from diffusion_utils.emoji64.judge import load_evaluator, name_ranks
from diffusion_utils.metrics import psnr
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.tasks import enlarged, prompted, sdedit
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import bands

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
starts = by_profile(full=[1, 3, 5, 7, 10, 20], fast=[0, 2])

# %% [markdown]
# ```{literalinclude} ../../diffusion_utils/tasks.py
# :pyobject: denoise_from
# ```
#
# ```{literalinclude} ../../diffusion_utils/tasks.py
# :pyobject: sdedit
# ```
#
# `i_start` counts in the list of timesteps 990, 960, .., 0: `i_start = 1` starts at $t = 960$ with next to nothing of the picture left,
# `i_start = 20` at $t = 390$; the figures call it $i$.

# %%
guided_photo = prompted(model, "a high quality photo")
names = ["sailboat", "mushroom", "cactus"]
images = torch.stack([shipped_image(name) for name in names])
edits = {i: sdedit(model, guided_photo, images, i, range(3), timesteps) for i in starts}

# %% mystnb={"figure": {"caption": "SDEdit of the test image and two more objects from six starts; \"a high quality photo\", $\\gamma = 7$, seeds 0 to 2. Right: the originals. Timesteps 990, 960, .., 0.", "name": "fig-a17-objects"}, "image": {"alt": "Three rows for the sailboat, the mushroom and the cactus: from left to right the results change from shapes unrelated to the original to its outline and colours."}} tags=["hide-input"]
titles = [f"$i={i}$" for i in starts] + ["original"]
rows = [
    unit_range(torch.cat([*(edits[i][k : k + 1] for i in starts), images[k : k + 1]]))
    for k in range(3)
]
grid(rows, titles=titles, labels=names, size=1.1)

# %%
for i in starts:
    score = psnr(edits[i].clamp(-1, 1), images, peak=2)
    print(
        f"i_start = {i:>2}, t = {timesteps[i]}: "
        f"PSNR to the original {score.mean():4.1f} dB ({score.std():.1f})"
    )

# %% [markdown]
# The numbers say how close the results of {numref}`fig-a17-objects` come to the original from left to right. On the left the model invents; in the middle large areas of colour
# are where they were; what still differs on the right is the detail that the noise of $t = 390$ covered, invented anew, and what guidance
# exaggerates.
#
# (sec-hand-drawn)=
# ## 1.7.1 Hand-drawn and web images
#
# The same works for pictures of any origin. A found drawing (a lighthouse from OpenMoji, CC BY-SA 4.0) has a style that the model has not seen. Two drawings were
# made for this book, by a program that imitates a hand with crayons (`data/images/draw.py`); put your own in their place. A photograph of a cat ("Chelsea", CC0)
# is outside the model's world altogether.

# %%
others = ["found-lighthouse", "drawn-house", "drawn-fish", "photograph-cat"]
pictures = torch.stack([shipped_image(name) for name in others])
redrawn = {
    i: sdedit(model, guided_photo, pictures, i, range(4), timesteps) for i in starts
}

# %% mystnb={"figure": {"caption": "SDEdit of a found drawing (lighthouse), two drawings made for this book (house, fish) and a photograph (cat); \"a high quality photo\", $\\gamma = 7$, seeds 0 to 3. Right: the originals. Timesteps 990, 960, .., 0. The lighthouse's row is under its licence, CC BY-SA 4.0.", "name": "fig-a171-drawings"}, "image": {"alt": "Four rows: a lighthouse, a crayon house, a crayon fish and a cat's face, each from free invention on the left to the original on the right."}} tags=["hide-input"]
rows = [
    unit_range(
        torch.cat([*(redrawn[i][k : k + 1] for i in starts), pictures[k : k + 1]])
    )
    for k in range(4)
]
grid(rows, titles=titles, labels=[name.split("-")[-1] for name in others], size=1.1)

# %% [markdown]
# Read {numref}`fig-a171-drawings` from right to left. At $i = 20$ the lighthouse, the house and the fish are redrawn in the model's own strokes, while the cat has lost its eyes; from $i = 10$ on to the left
# the house turns into a lump, while the fish is a fish down to $i = 7$. Texture is fine detail, so it is the first to go under the noise ([1.1](a1_1_forward.ipynb)); then the shape goes. What the noise has covered, the
# model draws as it knows things from its drawings. How close a result is to the original, and how much fine detail it has (the variance of what a blur of 1 pixel removes), as a multiple of the
# original's; 1 is as much, and says nothing about whether it is the same detail:

# %%
fine = bands(1.0)[1]
print("PSNR in dB, fine detail:", *(f"{name.split('-')[1]:>12}" for name in others))
for i in starts:
    score = psnr(redrawn[i].clamp(-1, 1), pictures, peak=2)
    share = fine(redrawn[i]).var((1, 2, 3)) / fine(pictures).var((1, 2, 3))
    row = (f"{p:6.1f}, {s:.2f}" for p, s in zip(score, share, strict=True))
    print(f"          i_start = {i:>2}:  ", *row, sep="  ")

# %% [markdown]
# The cat shows the limit: Emoji-64 has no photographs to offer, only drawings, to put in the place of fur.
#
# (sec-text-conditional)=
# ## 1.7.3 Text-conditional image to image
#
# With a prompt, the picture is pulled towards what the text says, in the colours and the layout that the noise left.

# %%
prompts = ["a rocket ship", "a broccoli", "a ninja"]
guides = prompted(model, prompts)
towards = {i: sdedit(model, guides, images, i, range(3), timesteps) for i in starts}
chosen = enlarged(model, towards[starts[len(starts) // 2]], prompts, range(3))

# %% mystnb={"figure": {"caption": "The sailboat towards \"a rocket ship\", the mushroom towards \"a broccoli\", the cactus towards \"a ninja\"; $\\gamma = 7$, seeds 0 to 2. Right: the originals. Timesteps 990, 960, .., 0.", "name": "fig-a173-prompts"}, "image": {"alt": "Three rows: on the left red and blue strokes, a green bush and a dark figure; further right their colours go into the outlines of a sailboat, a mushroom and a cactus."}} tags=["hide-input"]
rows = [
    unit_range(torch.cat([*(towards[i][k : k + 1] for i in starts), images[k : k + 1]]))
    for k in range(3)
]
grid(rows, titles=titles, labels=prompts, size=1.1)

# %% mystnb={"figure": {"caption": "The results at $i = 7$ of {numref}`fig-a173-prompts`, enlarged; $\\gamma = 7$, seeds 0 to 2.", "name": "fig-a173-large"}, "image": {"alt": "Three pictures: the sailboat drawn towards a rocket ship, the mushroom towards a broccoli, the cactus towards a ninja."}} tags=["hide-input"]
grid([unit_range(chosen)], titles=prompts, size=2.2)

# %% [markdown]
# Is there a start from which both the prompt and the original can be made out? In numbers: how close the result is
# to the original, and how close to the prompt. For the second, the evaluator of [1.6](a1_6_guidance.ipynb) ranks
# all its names for each picture; rank 1 means recognised, and a guess has a rank in the middle on average.

# %%
judge = load_evaluator()
names_ranked = len(judge[1])
print(f"ranks of {names_ranked} names: a guess has rank {(names_ranked + 1) / 2}")
for i in starts:
    with_text = psnr(towards[i].clamp(-1, 1), images, peak=2).mean()
    without = psnr(edits[i].clamp(-1, 1), images, peak=2).mean()
    found = name_ranks(judge, towards[i], ["rocket", "broccoli", "ninja"])
    print(
        f"i_start = {i:>2}: PSNR to the original {with_text:4.1f} dB "
        f"({without:4.1f} dB without the prompt); "
        "rank of rocket {}, broccoli {}, ninja {}".format(*found)
    )

# %% [markdown]
# No: broccoli and ninja are near the front of the evaluator's list at $i = 1$ and 3, where nothing is left of the mushroom and the cactus, and are lost from $i = 5$ on, where the outlines of {numref}`fig-a173-prompts` turn into
# theirs. In between, as in {numref}`fig-a173-large`, the prompt gives the colours and the picture the outline. The rocket never comes, not even from $i = 1$: this model cannot draw one from these seeds ([1.6](a1_6_guidance.ipynb)).
#
# ## Where it fails
#
# There is one knob. It gives up fine detail first, then shape and large areas of colour together, since both are coarse: how much of each stays cannot be chosen separately, nor can
# one part of the picture be kept exactly. For that see [1.7.2](a1_7_2_inpainting.ipynb).
