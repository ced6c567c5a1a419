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
# Can the loop draw a picture when it starts from nothing but noise?

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
import matplotlib.pyplot as plt
import torch

from diffusion_utils.emoji64.captions import called
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import held_out
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import animation, grid, tile, unit_range
from diffusion_utils.tasks import enlarged, generate
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
schedule = model.schedule
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% mystnb={"figure": {"caption": "Five samples from pure noise: \"a high quality photo\", no guidance, seeds 0 to 4, timesteps 990, 960, .., 0.", "name": "fig-a15-samples"}, "image": {"alt": "Five small pictures of single things on plain backgrounds."}} tags=["hide-input"]
photo = model.denoiser("a high quality photo")
samples = generate(model, photo, range(5), timesteps)
grid([unit_range(samples)], titles=[f"seed {s}" for s in range(5)], size=1.7)

# %% tags=["remove-cell"]
# A model with a second stage, such as DeepFloyd IF, draws the same with 256x256 pixels.
if model.upsample is not None:
    large = enlarged(model, samples, "a high quality photo", range(5))
    grid([unit_range(large)], titles=[f"seed {s}" for s in range(5)], size=1.7)

# %% [markdown]
# ## The idea
#
# [1.4](a1_4_iterative_denoising.ipynb) noised a picture to $t = 690$ and let the loop bring it back. At $t = 990$ so little of a picture is left that we can leave the picture out
# and start from pure noise. The loop does not notice. It removes noise from a picture that was never there:
#
# $$ x_{990} = \epsilon, \qquad \epsilon \sim \mathcal N(0, I), $$
#
# and then step (N.3) from each timestep to the next, down to $t = 0$.
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: sample
# :lines: 1,3-
# ```
#
# The **seed** chooses the noise, and with it the picture: the same seed gives the same picture again. So far the prompt was "a high quality photo", which stands for any picture. Any other prompt goes the same way:

# %%
prompts = ["a red apple", "a pencil", "a rocket ship", "a snowman"]
denoise = model.denoiser(prompts)  # one prompt for each picture
noise = generators([0, 1, 2, 3])
x = unit_noise(model.shape, noise).to(model.device)
loop = trajectory(denoise, x, timesteps, schedule, generators=noise)
steps = list(loop)

# %% mystnb={"figure": {"caption": "Four prompts, no guidance, seeds 0 to 3, timesteps 990, 960, .., 0.", "name": "fig-a15-prompts"}, "image": {"alt": "Four small pictures on plain backgrounds, asked for as a red apple, a pencil, a rocket ship and a snowman."}} tags=["hide-input"]
grid([unit_range(steps[-1].x)], titles=prompts, size=1.7)

# %% mystnb={"figure": {"caption": "How the pictures of {numref}`fig-a15-prompts` come out of the noise: $x_t$ (top), and the clean picture $\\hat x_0$ that the network saw just before (bottom). Every third step.", "name": "fig-a15-animation"}} tags=["hide-input"]
kept = (
    steps[:-1:3] + steps[-1:]
)  # noise does not compress: fewer frames, a lighter page
animation(
    [unit_range(torch.cat([tile(s.x, 4), tile(s.x0_hat, 4)], 2)) for s in kept],
    alt="Four squares of noise turn into pictures; below each, the clean picture that the network sees in it.",
    captions=[f"t = {s.t}" for s in kept],
    width=560,
)

# %% [markdown]
# ## What to see
#
# Each seed gives another picture. All have what the training drawings share: one thing in the middle, on a white background. But the prompt of {numref}`fig-a15-samples` asks for nothing in particular, and most of the things that it shows are
# hard to name. In {numref}`fig-a15-prompts` the prompt names a thing, and the pictures have its colours and its rough shape.
#
# Play {numref}`fig-a15-animation`. At first the network sees a soft spot, an average of all pictures that fit the prompt, as at the end of [1.3](a1_3_one_step_denoising.ipynb). Then a shape and its colours
# appear. Towards the end only details change.
#
# ## How much does the prompt matter?
#
# We take twelve of the drawings that the network was trained on, add noise that we know, and ask the network for this noise three times: with the right name, with the name of another drawing, and with no name (the empty prompt). The better its guess, the smaller the error.

# %% mystnb={"figure": {"caption": "Mean squared error of the network's noise estimate with a prompt, compared with the empty prompt. Below zero the prompt helps. Mean and standard error over twelve drawings that the network was trained on, spread evenly over the list of names, seeds 0 to 11.", "name": "fig-a15-prompt-error"}, "image": {"alt": "Two curves over t. The one for the right name is below zero, furthest at large t; the one for a wrong name is above zero at large t. Both approach zero at small t."}} tags=["hide-input"]
known = emoji()
every = len(known.names) // 12
drawings = held_out(known)[0][: 12 * every : every].to(model.device)
right = [called(name) for name in known.names[: 12 * every : every]]
eps = unit_noise(model.shape, generators(range(12))).to(model.device)
asked = {"right name": right, "wrong name": right[1:] + right[:1], "empty": ""}
asked = {name: model.denoiser(prompt) for name, prompt in asked.items()}


@torch.no_grad()
def errors(ask, t):
    """The mean squared error of the noise estimate at t, for each picture."""
    x_t = schedule.forward(drawings, t, eps)
    return (ask(x_t, t).eps - eps).square().mean((1, 2, 3)).cpu()


ts = by_profile(full=[60, 210, 360, 510, 660, 810, 960], fast=[60, 960])
empty = torch.stack([errors(asked["empty"], t) for t in ts])
fig, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
for name in ("right name", "wrong name"):
    change = torch.stack([errors(asked[name], t) for t in ts]) / empty - 1
    spread = 100 * change.std(1) / change.shape[1] ** 0.5
    ax.errorbar(ts, 100 * change.mean(1), spread, marker="o", capsize=2, label=name)
ax.axhline(0, color="black", lw=0.8)
ax.set(xlabel="$t$", ylabel="change of the error, %")
ax.legend()
plt.show()

# %% [markdown]
# In {numref}`fig-a15-prompt-error` the right name makes the guess better, and a wrong name makes it worse. Both matter most at large $t$, where the noisy picture itself says little. Near $t = 0$ neither makes a
# difference: the network can see what is in the picture. So **the prompt decides at the start of the loop**, and the rest of the loop works out the details.
#
# ## Where it fails
#
# Without guidance many pictures are unclear. Ask for the same thing from eight seeds:

# %% mystnb={"figure": {"caption": "\"a snowman\", no guidance, seeds 0 to 7, timesteps 990, 960, .., 0.", "name": "fig-a15-snowmen"}, "image": {"alt": "Eight pictures asked for as a snowman; some are clear, in others the parts run into each other."}} tags=["hide-input"]
seeds = by_profile(full=range(8), fast=range(2))
again = generate(model, model.denoiser("a snowman"), seeds, timesteps)
grid([unit_range(again)], titles=[f"seed {s}" for s in seeds], size=1.05)

# %% [markdown]
# Some of these are easy to name, others are not. [1.6](a1_6_guidance.ipynb) makes the prompt count for more.
#
# ## Try it
#
# * In the code of {numref}`fig-a15-samples`, replace `range(5)` by `range(5, 10)`: five other pictures, again of no particular thing.
# * In the same place, set `timesteps = strided_timesteps(990, 110)`. Ten timesteps instead of 34 give softer
#   pictures with fewer colours, closer to the average of one step.
