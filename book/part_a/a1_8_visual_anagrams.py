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
# # 1.8 Visual anagrams
#
# Can one picture be two things, depending on how it is turned? Ask the model about both views at once, and follow the average of its answers
# {cite:p}`geng2024`.

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

from diffusion_utils import views
from diffusion_utils.emoji64.evaluator import load_evaluator, ranks
from diffusion_utils.pretrained import load_pretrained
from diffusion_utils.profile import by_profile
from diffusion_utils.recipes import generate, visual_anagram
from diffusion_utils.sampling import generators, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import animation, grid, unit_range
from diffusion_utils.views import BRIGHTER, FLIP, NEGATIVE

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% [markdown]
# For the upside-down flip $f$, with one prompt for each view,
#
# $$ \epsilon = \tfrac12 \left( \epsilon_1(x_t) + f^{-1}(\epsilon_2(f(x_t))) \right). \tag{A.2} $$
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: viewed
# ```
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: averaged
# ```
#
# The pairs below were chosen for shapes that share an outline when turned: two round things, two tall things, one thing that is a cap one way up and a bowl the other.

# %%
pairs = [
    ("red apple", "clown face"),
    ("rocket", "pencil"),
    ("mushroom", "cup of coffee"),
]


def pictures(pair, view, seeds=(0,)):
    prompts = [f"a {name}" for name in pair]
    return generate(model, visual_anagram(model, prompts, [view]), seeds, timesteps)


anagrams = [pictures(pair, FLIP) for pair in pairs]

# %% mystnb={"figure": {"caption": "Three anagrams, each upright (above) and upside down (below); $\\gamma = 7$, seed 0.", "name": "fig-a18-flip"}, "image": {"alt": "Three small pictures, and the same three turned upside down."}} tags=["hide-input"]
grid(
    [unit_range(torch.cat(anagrams)), unit_range(FLIP.apply(torch.cat(anagrams)))],
    titles=[f"{a}\n{b} (turned)" for a, b in pairs],
    labels=["upright", "upside down"],
    size=1.6,
)

# %% [markdown]
# Does each view show its prompt? The evaluator of [1.6](a1_6_guidance.ipynb) ranks all 508 names for a picture; rank 1 is the best, half of the names would be reached
# by chance.

# %%
evaluator, names, _ = load_evaluator()


def rank(picture, name):
    return (
        1
        + ranks(
            evaluator, picture.clamp(-1, 1).cpu(), torch.tensor([names.index(name)])
        ).item()
    )


for (first, second), picture in zip(pairs, anagrams, strict=True):
    print(
        f"upright: {first} has rank {rank(picture, first)}; "
        f"upside down: {second} has rank {rank(FLIP.apply(picture), second)}"
    )

# %% mystnb={"figure": {"caption": "The first anagram coming out of noise: upright on the left, turned on the right.", "name": "fig-a18-animation"}} tags=["hide-input"]
noise = generators([0])
x_T = unit_noise(model.shape, noise).to(model.device)
denoise = visual_anagram(model, [f"a {name}" for name in pairs[0]], [FLIP])
steps = list(trajectory(denoise, x_T, timesteps, model.schedule, generators=noise))
animation(
    [unit_range(torch.cat([s.x0_hat, FLIP.apply(s.x0_hat)], 3)) for s in steps],
    alt="A picture and its upside-down copy take shape together.",
    captions=[f"t = {s.t}" for s in steps],
)

# %% [markdown]
# ## Other views
#
# Any way to rearrange pixels works, and so does a change of sign. What a view must do is to leave unit noise unit noise: it must be orthogonal. Then $f(x_t)$ is a noisy image at the same
# timestep, which is all that the network has learned to look at.

# %%
kinds = {
    "quarter turn": views.rotation(1),
    "half turn": views.rotation(2),
    "jigsaw": views.jigsaw(torch.Generator().manual_seed(0)),
    "skew": views.skew(),
    "negative": NEGATIVE,
}
pair = ("red apple", "clown face")
seen = {name: pictures(pair, view) for name, view in kinds.items()}

# %% mystnb={"figure": {"caption": "One pair, a red apple and (in the view) a clown face, for five more views; $\\gamma = 7$, seed 0. Above the picture, below what the view shows.", "name": "fig-a18-views"}, "image": {"alt": "Five pictures above; below, each turned, shuffled, skewed or with inverted colours."}} tags=["hide-input"]
grid(
    [
        unit_range(torch.cat(list(seen.values()))),
        unit_range(torch.cat([kinds[n].apply(x) for n, x in seen.items()])),
    ],
    titles=list(kinds),
    labels=["picture", "in the view"],
    size=1.4,
)

# %%
for name, picture in seen.items():
    print(
        f"{name:>12}: {pair[0]} has rank {rank(picture, pair[0])}, "
        f"in the view {pair[1]} has rank {rank(kinds[name].apply(picture), pair[1])}"
    )

# %% [markdown]
# Some views are harder than others. A jigsaw cuts every outline, so pieces must work in two places; the negative wants complementary colours, and no drawing has a
# black background.
#
# ## One that must fail
#
# Take the view that doubles all values. It can be undone, but it is not orthogonal: what it shows the network is noise of variance 4, at a timestep at which noise has
# variance 1. The network takes the surplus for part of the picture.

# %%
broken = pictures(pair, BRIGHTER)
x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
for name, view in {**kinds, "doubled": BRIGHTER}.items():
    print(f"unit noise seen through {name:>12}: variance {view.apply(x).var():.2f}")

# %% mystnb={"figure": {"caption": "The same pair with the view that doubles all values, which is no anagram and no picture; seed 0.", "name": "fig-a18-broken"}, "image": {"alt": "A picture of noise and blotches without a recognisable thing, and its brighter copy."}} tags=["hide-input"]
grid(
    [unit_range(torch.cat([broken, BRIGHTER.apply(broken)]))],
    titles=["picture", "in the view"],
    size=1.6,
)
