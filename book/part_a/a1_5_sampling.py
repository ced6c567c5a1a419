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
# [1.4](a1_4_iterative_denoising.ipynb) as it is. The prompt decides what appears, and the seed decides the details.**

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

from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import load_evaluator, name_ranks, plain
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.tasks import enlarged, generate
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
schedule = model.schedule
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% mystnb={"figure": {"caption": "Pictures from pure noise. Each row has one prompt, each of the first four columns one seed. No guidance: the network's answer is used as it is, which the next page calls $\\gamma = 1$. Last column: the training drawing that is nearest to the picture of seed 0, pixel by pixel.", "name": "fig-a15-prompts"}, "image": {"alt": "Four rows of five drawings on white: red apples, castles, penguins, and rockets with black outlines. The first four of each row are soft and differ a little, the penguins more. The last one is a sharp drawing of the same thing, nearly of the form of the first."}} tags=["hide-input"]
prompts = ["a red apple", "a castle", "a penguin", "a rocket ship with black outlines"]
seeds = by_profile(full=range(4), fast=range(2))
pictures = [generate(model, model.denoiser(p), seeds, timesteps) for p in prompts]

data = emoji()
drawings = plain(data, torch.arange(len(data.images)))
first = torch.stack([row[0] for row in pictures]).clamp(-1, 1)
nearest = torch.cdist(first.flatten(1), drawings.flatten(1)).argmin(1)
rows = zip(pictures, drawings[nearest, None], strict=True)
grid(
    [unit_range(torch.cat([row, drawing])) for row, drawing in rows],
    titles=[*(f"seed {s}" for s in seeds), "nearest\nto seed 0"],
    labels=[prompt.replace(" with", "\nwith") for prompt in prompts],
    size=1.15,
)

# %% [markdown]
# ## The idea
#
# In 1.4 we noised a picture and let the loop bring it back. At $t = 990$ almost nothing of it is left. So we leave the picture out, and take all 33 steps from pure noise:
#
# $$ x_{990} = \epsilon, \qquad \epsilon \sim \mathcal N(0, I). $$
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: sample
# :lines: 1,4-
# ```
#
# Here `noise` is a list of random generators, one for each seed. `trajectory` takes the steps (N.3), and `last` returns the picture after the last of them. The **seed** fixes all the noise, at the start and in every step. So the same seed and
# prompt give the same picture again.
#
# **What does the loop draw?** A picture from $p(x \mid \text{prompt})$, the distribution of pictures for this prompt. With exact guesses and small steps, the loop's $x_t$
# are distributed as noised drawings are, at every $t$. Our network guesses only roughly, so this holds only roughly.
#
# **How does a text get into the network?**
#
# 1. A language model, which others trained on far more text, turns each word of the prompt into a list of 384 numbers.
# 2. The mean of these lists stands for the whole prompt. From it and $t$ the denoiser computes numbers with which each block multiplies its values, and numbers that it adds.
# 3. Inside the denoiser the picture gets smaller and then larger again. Where it is smallest, each place also reads the single words.
#
# ## What you see
#
# In {numref}`fig-a15-prompts` each row shows the thing that was asked for. Down a column, the same noise becomes four things.
#
# **Is it copying?** Each picture of seed 0 has nearly the form of its nearest training drawing, but softer. [Emoji-64](../appendix/emoji64.ipynb) tests this with more pictures and a baseline. Exact guesses would copy: the exact mean of [1.3](a1_3_one_step_denoising.ipynb) leads the loop to one of the finitely many training drawings. Only inexact guesses give new pictures.
#
# An apple comes out of the noise:

# %% mystnb={"figure": {"caption": "The noisy picture $x_t$ (above) and the guess $\\hat x_0$ that the network makes from it (below), \"a red apple\", seed 0. On the right, the end of the loop. No guidance.", "name": "fig-a15-strip"}, "image": {"alt": "Two rows. Above, noise in which an apple appears from left to right; below, a blurred apple that gets clearer."}} tags=["hide-input"]
denoise = model.denoiser("a red apple")
rng = generators([0])
x = unit_noise(model.shape, rng).to(model.device)
steps = list(trajectory(denoise, x, timesteps, schedule, generators=rng))
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
# The noise at $t = 990$ says nothing about a picture, but the prompt does. So the first guess is a soft red apple, already of the final form. From $t = 900$ on it changes little.
#
# ## When does the prompt decide?
#
# We start with one prompt and change to another at some timestep.

# %% mystnb={"figure": {"caption": "The loop begins with \"a red apple\". At the $t$ above each column the prompt changes to \"a rocket ship\". No guidance.", "name": "fig-a15-switch"}, "image": {"alt": "Three rows of pictures. On the left the prompt changes at once, on the right never; from left to right rockets become apples, with mixtures in between."}} tags=["hide-input"]
things = {
    "a red apple": "red apple",
    "a rocket ship": "rocket",
    "a sunflower": "sunflower",
    "a penguin": "penguin",
}
apple, rocket, sunflower, penguin = things
pairs = [(apple, rocket), (rocket, apple), (sunflower, penguin), (penguin, sunflower)]
before, after = zip(*[pair for pair in pairs for _ in seeds], strict=True)
first, second = model.denoiser(before), model.denoiser(after)
changes = by_profile(full=[0, 2, 4, 6, 10, 15, 33], fast=[0, 1, 3])  # after k steps
switched = [
    generate(
        model,
        lambda x_t, t, k=k: (first if t > timesteps[k] else second)(x_t, t),
        [*seeds] * len(pairs),
        timesteps,
    )
    for k in changes
]
grid(
    unit_range(torch.stack(switched, 1)[:3]),
    titles=[f"$t={timesteps[k]}$" for k in changes[:-1]] + ["never"],
    labels=[f"seed {s}" for s in range(3)],
    size=1.0,
)

# %% [markdown]
# Which thing came out? **The judge** says it, a second network that was trained to name drawings:

# %% mystnb={"figure": {"caption": "What the judge names first, against the $t$ at which the prompt changes. Sixteen pictures at each point: apple and rocket, sunflower and penguin, each pair in both orders, from four seeds.", "name": "fig-a15-when"}, "image": {"alt": "Three curves. Where the prompt changes early, the thing of the second prompt is named; where it changes late, that of the first; in between most pictures are named as neither."}} tags=["hide-input"]
judge = load_evaluator()


def named(pictures, prompts):
    """The share of the pictures that the judge calls by the thing of their prompt."""
    ranks = name_ranks(judge, pictures, [things[prompt] for prompt in prompts])
    return sum(rank == 1 for rank in ranks) / len(ranks)


as_first = [named(pictures, before) for pictures in switched]
as_second = [named(pictures, after) for pictures in switched]
neither = [1 - one - two for one, two in zip(as_first, as_second, strict=True)]
at = [timesteps[k] for k in changes]
fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
ax.plot(at, as_second, "s--", label="thing of the second prompt")
ax.plot(at, neither, "^:", color="grey", label="neither")
ax.plot(at, as_first, "o-", label="thing of the first prompt")
ax.set(xlabel="$t$ at which the prompt changes", ylabel="share of the pictures")
ax.set(xlim=(1010, -20), ylim=(-0.05, 1.05))
fig.legend(loc="outside upper center", ncols=3)
plt.show()

# %% [markdown]
# If the prompt changes in the first steps, the second one wins. If it changes late, the first one does: the outline already stands in $x_t$. **In between neither wins:** the judge names a third thing first ({numref}`fig-a15-switch` shows red rockets).
#
# ## Where it fails
#
# The coursework asks for "a high quality photo", without guidance:

# %% mystnb={"figure": {"caption": "Five samples from pure noise, \"a high quality photo\", no guidance, seeds 0 to 4.", "name": "fig-a15-samples"}, "image": {"alt": "Five soft shapes on plain backgrounds, hard to name."}} tags=["hide-input"]
photo = model.denoiser("a high quality photo")
samples = generate(model, photo, range(5), timesteps)
grid([unit_range(samples)], titles=[f"seed {s}" for s in range(5)], size=0.9)

# %% tags=["remove-cell"]
# A model with a second stage, such as DeepFloyd IF, draws the same with 256x256 pixels.
if model.upsample is not None:
    large = enlarged(model, samples, "a high quality photo", range(5))
    grid([unit_range(large)], titles=[f"seed {s}" for s in range(5)], size=1.7)

# %% [markdown]
# In the training this phrase stood beside drawings of all 508 things, so it does not say which of them to draw. The loop needs a prompt with a name, and follows it more clearly if we
# exaggerate what it changes: [1.6](a1_6_guidance.ipynb).
#
# ## Try it
#
# * **Another prompt.** In the code of {numref}`fig-a15-prompts`, put another thing into `prompts`. Do the four seeds differ?
# * **Fewer steps.** In the code of {numref}`fig-a15-samples`, pass `strided_timesteps(990, 110)` instead of `timesteps`: nine steps. What becomes of the edges?
