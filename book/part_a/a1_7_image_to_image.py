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
import torch

from diffusion_utils.data import shipped_image
from diffusion_utils.metrics import psnr
from diffusion_utils.pretrained import load_pretrained
from diffusion_utils.profile import by_profile
from diffusion_utils.recipes import prompted, sdedit
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, unit_range

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
starts = by_profile(full=[1, 3, 5, 7, 10, 20], fast=[0, 2])

# %% [markdown]
# ```{literalinclude} ../../diffusion_utils/recipes.py
# :pyobject: sdedit
# ```
#
# `i_start` counts in the list of timesteps 990, 960, .., 0: `i_start = 1` starts at $t = 960$ with next to nothing of the picture left,
# `i_start = 20` at $t = 390$.

# %%
photo = prompted(model, "a high quality photo")
names = ["sailboat", "mushroom", "cactus"]
images = torch.stack([shipped_image(name) for name in names])
edits = {i: sdedit(model, photo, images, i, range(3), timesteps) for i in starts}

# %% mystnb={"figure": {"caption": "SDEdit of the test image and two more objects from six starts; \"a high quality photo\", $\\gamma = 7$, seeds 0 to 2. Right: the originals.", "name": "fig-a17-objects"}, "image": {"alt": "Three rows: from left to right the results change from unrelated pictures to close copies of the sailboat, the mushroom and the cactus."}} tags=["hide-input"]
titles = [f"i = {i}" for i in starts] + ["original"]
rows = [
    unit_range(torch.cat([*(edits[i][k : k + 1] for i in starts), images[k : k + 1]]))
    for k in range(3)
]
grid(rows, titles=titles, labels=names, size=1.1)

# %%
for i in starts:
    score = psnr(edits[i].clamp(-1, 1), images, peak=2)
    print(
        f"i_start = {i:>2}, t = {timesteps[i]}: PSNR to the original {score.mean():4.1f} dB ({score.std():.1f})"
    )

# %% [markdown]
# The number rises with `i_start`: fidelity is bought with freedom. On the left of {numref}`fig-a17-objects` the model draws what it likes; in the middle it keeps
# the colours and where they are; on the right it only touches up.
#
# (sec-hand-drawn)=
# ## 1.7.1 Hand-drawn and web images
#
# The same works for pictures of any origin. A found drawing has a style that the model has not seen, two drawings were made for this
# book, and a photograph is outside its world altogether.

# %%
others = ["found-lighthouse", "drawn-house", "drawn-fish", "photograph-cat"]
pictures = torch.stack([shipped_image(name) for name in others])
redrawn = {i: sdedit(model, photo, pictures, i, range(4), timesteps) for i in starts}

# %% mystnb={"figure": {"caption": "SDEdit of a found drawing, two hand drawings and a photograph; \"a high quality photo\", $\\gamma = 7$, seeds 0 to 3.", "name": "fig-a171-drawings"}, "image": {"alt": "Four rows: a lighthouse, a crayon house, a crayon fish and a cat's face, each from free invention on the left to the original on the right."}} tags=["hide-input"]
rows = [
    unit_range(
        torch.cat([*(redrawn[i][k : k + 1] for i in starts), pictures[k : k + 1]])
    )
    for k in range(4)
]
grid(rows, titles=titles, labels=[name.split("-")[-1] for name in others], size=1.1)

# %% [markdown]
# In {numref}`fig-a171-drawings` crayon strokes become flat areas before the subject is lost: texture is fine detail, so it goes under the noise first
# ([1.1](a1_1_forward.ipynb)), and the model paints over it in the manner of its training set. The cat shows the limit: the model has no photographs to offer, so it
# turns fur into flat colour, or the face into something else.
#
# (sec-text-conditional)=
# ## 1.7.3 Text-conditional image to image
#
# With a prompt, the picture is pulled towards what the text says, in the colours and the layout that the noise left.

# %%
prompts = ["a rocket ship", "a broccoli", "a ninja"]
guides = prompted(model, prompts)
towards = {i: sdedit(model, guides, images, i, range(3), timesteps) for i in starts}

# %% mystnb={"figure": {"caption": "The sailboat towards \"a rocket ship\", the mushroom towards \"a broccoli\", the cactus towards \"a ninja\"; $\\gamma = 7$, seeds 0 to 2.", "name": "fig-a173-prompts"}, "image": {"alt": "Three rows that go from pictures of the prompt on the left, over mixtures of prompt and original, to the original on the right."}} tags=["hide-input"]
rows = [
    unit_range(torch.cat([*(towards[i][k : k + 1] for i in starts), images[k : k + 1]]))
    for k in range(3)
]
grid(rows, titles=titles, labels=prompts, size=1.1)

# %%
for i in starts:
    with_text = psnr(towards[i].clamp(-1, 1), images, peak=2).mean()
    without = psnr(edits[i].clamp(-1, 1), images, peak=2).mean()
    print(
        f"i_start = {i:>2}: PSNR to the original {with_text:4.1f} dB with the prompt, {without:4.1f} dB without"
    )

# %% [markdown]
# ## Where it fails
#
# There is one knob, and it ties everything together: structure, colour and detail are all given up at the same rate. A green cactus cannot become a black ninja
# in the same pose, because by the time the colour is free, the pose is too. To change one part and keep another exactly, see
# [1.7.2](a1_7_2_inpainting.ipynb).
