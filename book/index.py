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
# This book takes diffusion models apart and builds small ones from scratch. Every chapter is a program: each figure on
# these pages was drawn by the code above it when the site was built, with no token, no account and no GPU.
#
#
# The digits below come from the code below: a network of two million parameters, trained from scratch on two
# processor cores ([B3](part_b/b3_class_conditioned.ipynb)), drew them when this page was built.

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

from diffusion_utils.denoisers import guided
from diffusion_utils.profile import by_profile
from diffusion_utils.release import released
from diffusion_utils.sampling import sample
from diffusion_utils.schedule import spaced_timesteps
from diffusion_utils.show import grid
from diffusion_utils.training import MNIST_SCHEDULE as schedule
from diffusion_utils.unet import unet_denoiser

networks, history = released("b3")
net, digits = networks[max(networks)], torch.arange(10).repeat(2)
denoise = guided(
    unet_denoiser(net, schedule.T, digits), unet_denoiser(net, schedule.T), gamma=2
)
timesteps = spaced_timesteps(schedule.T, by_profile(full=300, fast=3))
images = sample(denoise, (1, 28, 28), timesteps, schedule, seeds=range(20))

# %% mystnb={"figure": {"caption": "Two samples of each digit at $\\gamma = 2$, seeds 0 to 19, 300 steps.", "name": "fig-index"}, "image": {"alt": "Two rows of ten generated handwritten digits, zero to nine."}} tags=["hide-input"]
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
# The model ships with the book: it was [trained on two processor cores](appendix/emoji64.ipynb), and its training goes on.
#
# **Part B: diffusion from scratch, on MNIST**
#
# * [B1](part_b/b1_one_step_denoiser.ipynb): can a network remove noise in a single step?
# * [B2](part_b/b2_time_conditioned.ipynb): can many small steps make a digit out of nothing?
# * [B3](part_b/b3_class_conditioned.ipynb): can we ask for a digit, and how hard should we insist?
#
# The networks ship with the book, and each chapter prints how far the training of its network has come.
#
# ## One loop
#
# Everything here runs through one short loop, `diffusion_utils.sampling.trajectory`: guess the noise, step to a less
# noisy image, repeat. A task is a choice of three things: where to start, how to denoise, and what to enforce on the way.
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
# The symbols are the same in text, code and plots; [Notation](notation.md) lists them.
#
# ## Three ways in
#
# * **Read**: the chapters, in order. Each asks one question, gives the formula and the lines that implement it, shows the
#   result, and says where it fails.
# * **Run**: open a chapter with the rocket button above it, or clone the repository and type `make book`. The trained
#   weights are in the repository, so a chapter runs in minutes on a laptop.
# * **Reuse**: `diffusion_utils` is a small package. The cell above is the whole of it: load, guide, sample.
