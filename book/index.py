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
# # Fun with Diffusion Models
#
# This book takes diffusion models apart and builds small ones from scratch. Each figure was drawn by its page's own code when the site was
# built, with no token, no account and no GPU; where measuring takes long, from a stored result.
#
# ::::{grid} 1 1 3 3
# :gutter: 2
#
# :::{grid-item-card} Read
# :link: part_a/a1_1_forward
# :link-type: doc
# Formula, code, figure, and where it fails.
# :::
#
# :::{grid-item-card} Run
# :link: running
# :link-type: ref
# In Colab with one click, or on a laptop.
# :::
#
# :::{grid-item-card} Reuse
# :link: appendix/api
# :link-type: doc
# One loop, and denoisers that combine.
# :::
# ::::
#
# Everything drawn in steps comes from one loop, from a timestep `t` to the next, `t_prev`: guess the noise, step to a less noisy image, repeat.
#
# ```{literalinclude} ../diffusion_utils/sampling.py
# :pyobject: trajectory
# :start-at: eps, v = denoise
# ```

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

# %% mystnb={"figure": {"caption": "Part A: pictures of eight prompts, drawn by a model that [two processor cores trained](appendix/emoji64.ipynb); $\\gamma = 4$, seeds 0 to 7, timesteps 990, 960, .., 0.", "name": "fig-index-pictures"}, "image": {"alt": "Eight small pictures with their prompts above: red apple, broccoli, campfire, penguin, fish, cactus, sailboat, ninja."}} tags=["hide-input"]
import torch

from diffusion_utils.denoisers import guided
from diffusion_utils.emoji64.captions import article
from diffusion_utils.mnist.objectives import MNIST_SCHEDULE
from diffusion_utils.mnist.release import released
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import sample
from diffusion_utils.schedule import spaced_timesteps, strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.tasks import generate, prompted
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained("emoji64")
things = ["red apple", "broccoli", "campfire", "penguin"]
things += ["fish", "cactus", "sailboat", "ninja"]
timesteps = by_profile(strided_timesteps(990, 30), strided_timesteps(990, 330))
denoise = prompted(model, [f"{article(name)} {name}" for name in things], gamma=4)
pictures = generate(model, denoise, range(len(things)), timesteps)
grid([unit_range(pictures)], titles=things, size=1.1)

# %% [markdown]
# ## One loop, many tasks
#
# A task is a choice of what goes into the loop, `diffusion_utils.sampling.trajectory`: where to start, how to denoise, and what to enforce on the way.
#
# | task | start | denoiser | constraint |
# |---|---|---|---|
# | a digit | noise | `unet_denoiser(net, T)` | none |
# | the digit 7 | noise | `guided(unet_denoiser(net, T, sevens), unet_denoiser(net, T), gamma)` | none |
# | a picture of a prompt | noise | `guided(text(p), text(""), gamma)` | none |
# | a picture edited | the picture, noised | the same | none |
# | a hole filled | noise | the same | `keep_outside(mask, ...)` |
# | an anagram | noise | `averaged(g1, viewed(g2, FLIP))` | none |
# | a hybrid | noise | `blended([g1, g2], bands(2))` | none |
#
# Here `text(p)` is the network asked about a prompt `p`, and `g1`, `g2` are two guided denoisers. The symbols are the same in text, code and plots; [Notation](notation.md) lists them.

# %% mystnb={"figure": {"caption": "Part B: two samples of each digit from a network trained on MNIST from scratch ([B3](part_b/b3_class_conditioned.ipynb)); $\\gamma = 2$, seeds 0 to 19, 300 steps.", "name": "fig-index"}, "image": {"alt": "Two rows of ten generated handwritten digits, zero to nine."}} tags=["hide-input"]
networks, _ = released("b3", device="cuda" if torch.cuda.is_available() else "cpu")
net, digits = networks[max(networks)], torch.arange(10).repeat(2)
T = MNIST_SCHEDULE.T
denoise = guided(unet_denoiser(net, T, digits), unet_denoiser(net, T), gamma=2)
timesteps = spaced_timesteps(T, by_profile(full=300, fast=3))
images = sample(denoise, (1, 28, 28), timesteps, MNIST_SCHEDULE, seeds=range(20))
grid(images.split(10))

# %% [markdown]
# ## Chapters
#
# **Part A: a pretrained text-to-image model taken apart**
#
# * [1.1](part_a/a1_1_forward.ipynb) to [1.4](part_a/a1_4_iterative_denoising.ipynb): what does noise take away, and how much of it can be brought
#   back by a [blur](part_a/a1_2_classical_denoising.ipynb), in [one step](part_a/a1_3_one_step_denoising.ipynb), in many?
# * [1.5](part_a/a1_5_sampling.ipynb), [1.6](part_a/a1_6_guidance.ipynb): can the loop start from nothing, and how do we make it listen?
# * [1.7](part_a/a1_7_image_to_image.ipynb), with drawings (1.7.1) and prompts (1.7.3), and [1.7.2](part_a/a1_7_2_inpainting.ipynb): can it edit a picture, or fill a hole?
# * [1.8](part_a/a1_8_visual_anagrams.ipynb), [1.9](part_a/a1_9_hybrid_images.ipynb): can one picture be two things?
#
# The model ships with the book; the [appendix](appendix/emoji64.ipynb) says what it was trained on, and for how long.
#
# **Part B: diffusion from scratch, on MNIST**
#
# * [B1](part_b/b1_one_step_denoiser.ipynb): can a network remove noise in a single step?
# * [B2](part_b/b2_time_conditioned.ipynb): can many small steps make a digit out of nothing?
# * [B3](part_b/b3_class_conditioned.ipynb): can we ask for a digit, and how hard should we insist?
#
# The networks ship with the book, trained to the end of the coursework's recipes. Where a measurement takes more than a minute, a page plots a
# stored result and names the command that repeats it.
#
# (running)=
# ## Run it
#
# * **Colab**: the rocket button above a chapter. Its first cell fetches the rest; there is nothing to set up.
# * **Laptop**: clone the repository and type `make book`, or open a chapter's notebook after `make setup` with `.venv` as its Python.
# * **Kaggle**: File, Import Notebook, GitHub, and switch the internet on; the first cell does the rest.
# * **Binder**: enter the repository's address at mybinder.org; it reads `requirements.txt`.
