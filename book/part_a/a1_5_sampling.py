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
# # 1.5 Sampling
#
# Can the loop draw a picture when it starts from nothing but noise? **Yes, and it is the loop of
# [1.4](a1_4_iterative_denoising.ipynb) as it is. The prompt decides what appears, and it decides early.**

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
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.tasks import enlarged, generate
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
schedule = model.schedule
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
seeds = range(4)

# %% mystnb={"figure": {"caption": "Above, four times nothing but noise (seeds 0 to 3). Below, what the loop makes of it with four prompts. No guidance: the network's answer is used as it is, which the next page calls $\\gamma = 1$.", "name": "fig-a15-prompts"}, "image": {"alt": "Four squares of noise, and below them four small pictures on plain backgrounds, asked for as a red apple, a pencil, a rocket ship and a snowman."}} tags=["hide-input"]
prompts = ["a red apple", "a pencil", "a rocket ship", "a snowman"]
noise = unit_noise(model.shape, generators(seeds))
pictures = generate(model, model.denoiser(prompts), seeds, timesteps)
grid(
    [unit_range(noise), unit_range(pictures)],
    titles=prompts,
    labels=["$x_{990}$", "result"],
    size=1.5,
)

# %% [markdown]
# ## The idea
#
# In 1.4 we noised a picture to $t = 690$ and let the loop bring it back. At $t = 990$ almost nothing of a picture is left. So we leave the picture out, start from pure noise, and go through the timesteps 990, 960, .., 0:
#
# $$ x_{990} = \epsilon, \qquad \epsilon \sim \mathcal N(0, I). $$
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: sample
# :lines: 1,4-
# ```
#
# Here `trajectory` takes the steps (N.3) one after another, and `last` returns the picture after the last of them. The **seed** fixes all the noise, that at the start and that of every step. So the same seed and prompt give the same picture again.
#
# How does a text get into the network? A second network, which was trained on sentences, turns each word of the prompt into a list of 384 numbers. The denoiser gets these numbers as a further input, beside $x_t$ and $t$ (the
# [appendix on Emoji-64](../appendix/emoji64.ipynb) has the details). So it samples from $p(x \mid \text{prompt})$, the distribution of pictures for this prompt, as far as it has learned it from its training drawings.
#
# ## What you see
#
# Each column of {numref}`fig-a15-prompts` has the colours and the rough shape of the thing that was asked for. How does it come out of the noise? In each step the network makes a guess $\hat x_0$ of the clean
# picture ([1.3](a1_3_one_step_denoising.ipynb)). {numref}`fig-a15-strip` shows six of them.

# %% mystnb={"figure": {"caption": "The noisy picture $x_t$ (above) and the guess $\\hat x_0$ that the network makes from it (below), \"a red apple\", seed 0. On the right, the end of the loop. No guidance.", "name": "fig-a15-strip"}, "image": {"alt": "Two rows. Above, noise in which an apple appears from left to right; below, a soft red shape that becomes an apple."}} tags=["hide-input"]
denoise = model.denoiser("a red apple")
noise = generators([0])
x = unit_noise(model.shape, noise).to(model.device)
steps = list(trajectory(denoise, x, timesteps, schedule, generators=noise))
shown = by_profile(full=[0, 3, 6, 13, 23], fast=[0, 1])
xs = [x, *(step.x for step in steps)]
guesses = [steps[k].x0_hat for k in shown] + [xs[-1]]
grid(
    [
        unit_range(torch.cat([*(xs[k] for k in shown), xs[-1]])),
        unit_range(torch.cat(guesses)),
    ],
    titles=[f"$t={timesteps[k]}$" for k in shown] + ["end"],
    labels=["$x_t$", r"$\hat x_0$"],
    size=1.1,
)

# %% [markdown]
# Already the first guess has the right colour and a soft outline. Then the outline becomes clear, and in the end only details change. So the thing is chosen early.
#
# ## When does the prompt decide?
#
# We can test that. Start with one prompt, and change to another in the middle of the loop. Which thing comes out?

# %% mystnb={"figure": {"caption": "The first $k$ of 33 steps with \"a red apple\", all others with \"a rocket ship\". No guidance; the first three of the six seeds that the table counts.", "name": "fig-a15-switch"}, "image": {"alt": "Three rows of pictures. On the left the prompt changes at once, on the right never; from left to right rockets become apples."}} tags=["hide-input"]
apples, rockets = model.denoiser("a red apple"), model.denoiser("a rocket ship")
changes = by_profile(full=[0, 2, 4, 6, 10, 15, 33], fast=[0, 1, 3])
many = by_profile(full=range(6), fast=range(3))


def switched(first, second):
    """Samples of the first denoiser for k steps and then of the second, for each k."""
    return [
        generate(
            model,
            lambda x_t, t, k=k: (first if t > timesteps[k] else second)(x_t, t),
            many,
            timesteps,
        )
        for k in changes
    ]


forth, back = switched(apples, rockets), switched(rockets, apples)
grid(
    unit_range(torch.stack(forth, 1)[:3]),
    titles=[f"$k={k}$" for k in changes],
    labels=[f"seed {s}" for s in range(3)],
    size=1.0,
)

# %% tags=["hide-input"]
judge = load_evaluator()


def named(pictures, name):
    """How many of the pictures the judge calls by this name."""
    ranks = name_ranks(judge, pictures, [name] * len(pictures))
    return sum(rank == 1 for rank in ranks)


table(
    [
        [order, name, *(named(pictures, name) for pictures in samples)]
        for order, samples in [("apple, rocket", forth), ("rocket, apple", back)]
        for name in ("red apple", "rocket")
    ],
    ["prompts", "named", *(f"k = {k}" for k in changes)],
    f"How many of {len(many)} pictures (seeds 0 to {len(many) - 1}) are named a red apple or a rocket by the judge, a network that was trained to name drawings (1.6). The first k steps have the first prompt.",
)

# %% [markdown]
# Two steps of the first prompt leave most of the pictures to the second one. After fifteen steps it is the other way round, although more than half of the steps are still to come, and this holds in both orders. So, for this pair, **the
# prompt decides in the first half of the loop**. Later the outline and the colours can be seen in $x_t$, and a new prompt cannot turn them into another thing.
#
# ## Where it fails
#
# The coursework asks for "a high quality photo", and no guidance.

# %% mystnb={"figure": {"caption": "The coursework's row: five samples from pure noise, \"a high quality photo\", no guidance, seeds 0 to 4.", "name": "fig-a15-samples"}, "image": {"alt": "Five small pictures of single things on plain backgrounds."}} tags=["hide-input"]
photo = model.denoiser("a high quality photo")
samples = generate(model, photo, range(5), timesteps)
grid([unit_range(samples)], titles=[f"seed {s}" for s in range(5)], size=1.4)

# %% tags=["remove-cell"]
# A model with a second stage, such as DeepFloyd IF, draws the same with 256x256 pixels.
if model.upsample is not None:
    large = enlarged(model, samples, "a high quality photo", range(5))
    grid([unit_range(large)], titles=[f"seed {s}" for s in range(5)], size=1.7)

# %% [markdown]
# Each has what the training drawings share, one thing in the middle of a plain background. But most of them are hard to name. The loop is the same as in {numref}`fig-a15-prompts`; what is missing is a name. Emoji-64 knows drawings of 508
# things, and it learned this phrase as one that may stand for any of them. Even with a name the pictures are soft. For that, [1.6](a1_6_guidance.ipynb) exaggerates what the prompt changes.
#
# ## Try it
#
# * **Another pair.** In the code of {numref}`fig-a15-switch`, set `apples, rockets = model.denoiser("a sunflower"), model.denoiser("a penguin")`. At which $k$ does the penguin become a sunflower?
# * **Fewer steps.** In the code of {numref}`fig-a15-samples`, pass `strided_timesteps(990, 110)` instead of `timesteps`. Ten timesteps instead of 34 give softer pictures, closer to the average
#   of one step.
