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
# **How does a computer draw a picture?** It learns to remove noise. Then it starts from nothing but noise, and removes that.

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
from itertools import pairwise

import matplotlib.pyplot as plt
import torch

from diffusion_utils.denoisers import guided
from diffusion_utils.emoji64.captions import article
from diffusion_utils.mnist.objectives import MNIST_SCHEDULE
from diffusion_utils.mnist.release import released
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import (
    generators,
    noise_like,
    sample,
    trajectory,
    unit_noise,
)
from diffusion_utils.schedule import spaced_timesteps, strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.tasks import prompted
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained("emoji64")
schedule = model.schedule
timesteps = by_profile(strided_timesteps(990, 30), strided_timesteps(990, 330))
columns = by_profile([0, 150, 300, 450, 600, 750, 990], [0, 330, 660, 990])
picture = shipped_image("sailboat")[None]
eps = unit_noise(model.shape, generators([0]))
there = [picture] + [schedule.forward(picture, t, eps) for t in columns[1:]]
noise = generators([1])
x_T = unit_noise(model.shape, noise)
denoise = prompted(model, "a sailboat", gamma=4)
steps = trajectory(denoise, x_T.to(model.device), timesteps, schedule, generators=noise)
path = {timesteps[0]: x_T} | {step.t: step.x.cpu() for step in steps}
back = [path[t] for t in columns]

# %% mystnb={"figure": {"caption": "Above, from left to right: a picture $x_0$ of a sailboat and the same with more and more noise. Below, from right to left: the way back, from other noise, by a network that was told \"a sailboat\". It takes 33 small steps, and the pictures on the way at the same timesteps $t$ are shown. The noise is drawn at random: seed 0 above, seed 1 below, where a **seed** is the number that the random generator starts from, so that the same seed gives the same picture again. So the two boats are two different ones.", "name": "fig-index-strip"}, "image": {"alt": "Two rows of seven small pictures. The upper row starts with a clean sailboat that drowns in noise towards the right. The lower row is pure noise on the right and becomes another sailboat towards the left."}} tags=["remove-input"]
grid(
    [unit_range(torch.cat(there)), unit_range(torch.cat(back))],
    titles=["$x_0$", *(f"$t={t}$" for t in columns[1:])],
    labels=["there →", "← back"],
    size=1.3,
)

# %% [markdown]
# The upper row of {numref}`fig-index-strip` is easy: take a picture and add noise, again and again, until nothing of it is left. The lower row is the
# difficult way, from right to left. It starts from noise that has no picture in it. A network has looked at many noisy pictures and has learned to say
# what in them is noise. It takes a little of that noise away, looks again, and takes a little more. Such a network,
# together with the loop around it, is a **diffusion model**.
#
# The boat on the lower left was not in the noise. It comes from what the network has learned, which here is 3,060 drawings. So small a model mostly draws again what it has seen, with changes; the
# [appendix](appendix/emoji64.ipynb) measures how close its pictures are to those drawings.
#
# ## What the network predicts
#
# Write $x_0$ for the clean picture, $\epsilon$ for the noise, and $x_t$ for the noisy picture at timestep $t$. The network sees $x_t$, $t$ and a prompt, and answers with its guess of the noise, $\epsilon_\theta$, where $\theta$ stands for the weights of the network.
# Whoever knows the noise can take it away, so each guess of the noise is also a guess of the clean picture, $\hat x_0$.

# %% mystnb={"figure": {"caption": "What the network answers on the way back of {numref}`fig-index-strip`, asked for \"a sailboat\". Top: the noisy picture $x_t$. Bottom: the clean picture $\\hat x_0$ that follows from its guess of the noise. (The loop itself holds the network more strongly to the prompt, by guidance: [1.6](part_a/a1_6_guidance.ipynb).)", "name": "fig-index-predicts"}, "image": {"alt": "Two rows of five. Top, noise in which a sailboat appears from left to right. Bottom, a blurred sailboat on the left that gets clearer from picture to picture."}} tags=["remove-input"]
looks = by_profile([990, 900, 750, 600, 300], [990, 660, 330])
ask = model.denoiser("a sailboat")
with torch.no_grad():
    answers = [ask(path[t].to(model.device), t).eps.cpu() for t in looks]
guesses = [
    schedule.predict_x0(path[t], t, answer)
    for t, answer in zip(looks, answers, strict=True)
]
grid(
    [
        unit_range(torch.cat([path[t] for t in looks])),
        unit_range(torch.cat(guesses)),
    ],
    titles=[f"$t={t}$" for t in looks],
    labels=["$x_t$", r"$\hat x_0$"],
    size=1.3,
)

# %% [markdown]
# At $t = 990$ the guess is blurred: there is nothing to see in the noise, so the network answers with something like the average of the sailboats that it knows. Each step settles a little more, and the blur becomes one boat.
# That is why one look is not enough ([B1](part_b/b1_one_step_denoiser.ipynb) shows it with digits).
#
# Training makes one number small: how far the guess is from the noise that was really added, on average over the training pictures $x_0$, their prompts $p$, the timesteps and the noise,
#
# $$ \mathbb E_{x_0, p, t, \epsilon}\, \lVert \epsilon - \epsilon_\theta(x_t, t, p) \rVert^2. $$
#
# Many pairs of picture and noise give the same $x_t$. The guess that makes the number smallest is their average noise, and so $\hat x_0$ is an average of pictures. [1.3](part_a/a1_3_one_step_denoising.ipynb) says more,
# also about the form in which the network of Part A gives its answer.
#
# ## What the alphas do
#
# How much noise there is at timestep $t$ is fixed before anything is trained. A number $\bar\alpha_t$ between 1 and 0 says how much of the picture is left. The picture is multiplied by its square root, and the noise $\epsilon$ (for each value an independent random number of mean 0 and variance 1) by that of the rest:
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon, \qquad \epsilon \sim \mathcal N(0, I). \tag{N.1} $$

# %% mystnb={"figure": {"caption": "The two factors of (N.1) against the timestep, for the model of Part A: $T = 1000$, $\\bar\\alpha_t$ falls as a squared cosine. Dots: the columns of {numref}`fig-index-strip`.", "name": "fig-index-alphas"}, "image": {"alt": "Two curves: the factor of the picture falls from one to zero, slowly at both ends; the factor of the noise rises from zero to one."}} tags=["remove-input"]
fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
for factor, label in (
    (schedule.alpha_bar.sqrt(), r"$\sqrt{\bar\alpha_t}$, the picture"),
    ((1 - schedule.alpha_bar).sqrt(), r"$\sqrt{1-\bar\alpha_t}$, the noise"),
):
    (line,) = ax.plot(factor, label=label)
    ax.plot(columns, factor[columns], "o", color=line.get_color())
ax.set(xlabel="$t$", ylabel="factor")
ax.legend()
plt.show()

# %% [markdown]
# On the left of {numref}`fig-index-alphas` the picture's factor is almost 1 and the noise's almost 0; on the right it is the other way round. The way back uses the same numbers. A step mixes the guess $\hat x_0$, the noisy picture $x_t$ and a little
# fresh noise into a picture with less noise, and the $\bar\alpha$ of both timesteps say how much of each ([1.4](part_a/a1_4_iterative_denoising.ipynb) has the formula).
#
# ## One loop
#
# Start from noise, and repeat: guess the noise, see the clean picture behind it, take a step. This loop draws eight pictures at once, from $t = 990$ to $0$ in steps of 30:

# %% tags=["remove-input"]
torch.set_grad_enabled(False)
things = ["red apple", "broccoli", "campfire", "penguin"]
things += ["fish", "cactus", "sailboat", "ninja"]
denoise = prompted(model, [f"{article(name)} {name}" for name in things], gamma=4)

# %%
noise = generators(range(8))  # seeds 0 to 7
x = unit_noise(model.shape, noise).to(model.device)
for t, t_prev in pairwise(timesteps):
    eps = denoise(x, t).eps
    x0_hat = schedule.predict_x0(x, t, eps)
    z = noise_like(x, noise)
    x = schedule.step(x, x0_hat, t, t_prev, z)

# %% mystnb={"figure": {"caption": "Part A: pictures of eight prompts (\"a red apple\" and so on), drawn by a model that [two processor cores trained](appendix/emoji64.ipynb); $\\gamma = 4$, seeds 0 to 7. The prompts were chosen, the pictures were not.", "name": "fig-index-pictures"}, "image": {"alt": "Eight small pictures with their prompts above: red apple, broccoli, campfire, penguin, fish, cactus, sailboat, ninja."}} tags=["remove-input"]
grid([unit_range(x)], titles=things, size=1.1)

# %% mystnb={"figure": {"caption": "Part B: two samples of each digit from a network trained on MNIST from scratch ([B3](part_b/b3_class_conditioned.ipynb)); $\\gamma = 2$, seeds 0 to 19, 100 steps. Nothing was selected: one of the fives is broken.", "name": "fig-index"}, "image": {"alt": "Two rows of ten generated handwritten digits, zero to nine."}} tags=["remove-input"]
networks, _ = released("b3")
net, digits = networks[max(networks)], torch.arange(10).repeat(2)
T = MNIST_SCHEDULE.T
classes = guided(unet_denoiser(net, T, digits), unet_denoiser(net, T), gamma=2)
few = spaced_timesteps(T, by_profile(full=100, fast=3))
grid(sample(classes, (1, 28, 28), few, MNIST_SCHEDULE, seeds=range(20)).split(10))

# %% [markdown]
# The digits come from the same loop with another network.
#
# ## Three knobs
#
# A task is a choice of three things:
#
# * **where you start**,
# * **which network is asked, and what**,
# * **what you enforce** after each step, for example that a part of the picture stays as it is.
#
# | task | start | what is asked in each step | enforced |
# |---|---|---|---|
# | a picture of a prompt | noise | the prompt | nothing |
# | a picture edited | the picture with noise | the prompt | nothing |
# | a hole filled | noise | the prompt | outside the hole, the picture stays |
# | an anagram | noise | one prompt, and another about the picture upside down | nothing |
# | a hybrid | noise | one prompt for the large shapes, another for the details | nothing |
#
# The symbols are the same in text, code and plots; [Notation](notation.md) lists them.
#
# ## Chapters
#
# The book works through a well-known coursework on diffusion models, project 5 of UC Berkeley's CS180/280A. [What was asked, and where it is](deliverables.md) lists each item.
#
# **Part A: a pretrained text-to-image model taken apart**
#
# * [1.1](part_a/a1_1_forward.ipynb) to [1.4](part_a/a1_4_iterative_denoising.ipynb): what does noise take away, and how much of it can be brought
#   back by a [blur](part_a/a1_2_classical_denoising.ipynb), in [one step](part_a/a1_3_one_step_denoising.ipynb), in many?
# * [1.5](part_a/a1_5_sampling.ipynb), [1.6](part_a/a1_6_guidance.ipynb): can the loop start from nothing, and how do we make it listen?
# * Can it edit a picture? [1.7](part_a/a1_7_image_to_image.ipynb) changes pictures and hand drawings, [1.7.2](part_a/a1_7_2_inpainting.ipynb) fills holes, and
#   [1.7.3](part_a/a1_7_3_text_conditional.ipynb) turns a picture into what a prompt says.
# * [1.8](part_a/a1_8_visual_anagrams.ipynb), [1.9](part_a/a1_9_hybrid_images.ipynb): can one picture be two things?
#
# The model ships with the book; the [appendix](appendix/emoji64.ipynb) says what it was trained on, and for how long.
#
# **Part B: diffusion from scratch, on MNIST**
#
# * [B1](part_b/b1_one_step_denoiser.ipynb): can a network remove noise in a single step?
# * [B2](part_b/b2_time_conditioned.ipynb): can many small steps make a digit out of nothing? And [what limits](part_b/b2_limits.ipynb) its digits?
# * [B3](part_b/b3_class_conditioned.ipynb): can we ask for a digit, and how hard should we insist?
#
# The networks ship with the book. They were trained by the coursework's recipes, on one GPU, in minutes. Each figure was drawn by its page's own code when the site was built, with no token, no account and no
# GPU. Where a measurement takes more than a minute, a page shows a stored result and names the command that repeats it.
#
# (running)=
# ## Run it
#
# * **Colab**: the rocket button above a chapter. Its first cell fetches the rest; there is nothing to set up.
# * **Laptop**: clone the repository and type `make book`, or open a chapter's notebook after `make setup` with `.venv` as its Python.
# * **Kaggle**: File, Import Notebook, GitHub, and switch the internet on; the first cell does the rest.
# * **Binder**: enter the repository's address at mybinder.org; it reads `requirements.txt`.
