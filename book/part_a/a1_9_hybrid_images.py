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
# # 1.9 Hybrid images
#
# Can one picture show two things, one from close by and the other from afar?
#
# **Yes, for some pairs and seeds.** Large areas show one thing, thin lines the other. From afar the lines are lost, and the areas stay.

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
import json

import torch
import torch.nn.functional as F

from diffusion_utils.denoisers import blended, guided
from diffusion_utils.diagrams import storyboard
from diffusion_utils.emoji64.judge import load_evaluator, name_ranks
from diffusion_utils.files import ROOT
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.tasks import generate, hybrid, prompted
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import bands, colour, grey, low_pass

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
search = json.loads((ROOT / "benchmarks/results/pairs.json").read_text())


# %% mystnb={"figure": {"caption": "Four hybrids at full size (above), blurred by $\\sigma = 3$ pixels (middle), and at a quarter of their size (below). The bands meet at $\\sigma = 2$; $\\gamma = 7$, seeds 0, 6, 0 and 0; pairs and seeds chosen by eye. The prompts for near end with \"with black outlines\", to ask for lines.", "name": "fig-a19-hybrids"}, "image": {"alt": "Four columns. Above: a red skull with white spots; a grey and white skull; a green frog face with a leaf and a wide mouth; a frog face in green and red. In the middle, the same pictures blurred: a mushroom, a panda's face, a green apple with a leaf, a watermelon. Below, the same pictures small."}} tags=["hide-input"]
def small(x, scale=0.25):
    """x at a part of its size, in the middle of a white square."""
    x = F.interpolate(x, scale_factor=scale, antialias=True, mode="bilinear")
    return F.pad(x, [(64 - x.shape[-1]) // 2] * 4, value=1.0)


far = ["a mushroom", "a panda", "a green apple", "a watermelon"]
ending = " with black outlines"
near = [f"a {b}{ending}" for b in ("skull", "skull", "frog", "frog")]
seeds = [0, 6, 0, 0]
hybrids = generate(model, hybrid(model, [far, near], (2.0,)), seeds, timesteps)
hybrids = hybrids.clamp(-1, 1)
blurred = low_pass(3.0)
grid(
    [unit_range(x) for x in (hybrids, blurred(hybrids), small(hybrids))],
    titles=[
        f"near: {b.removesuffix(ending)}\nfar: {a}"
        for a, b in zip(far, near, strict=True)
    ],
    labels=["full size", "blurred", "1/4"],
    size=1.6,
)

# %% [markdown]
# In the upper row lines draw the eyes and the jaw of a skull, or the eyes and the mouth of a frog; the last frog is hard to see. Blurred, most lines are faint, and the things for far are left. Step back, or squint: do you see them in the upper row?
#
# Four **readers** saw these pictures: a vision-language model, asked afresh each time, that saw only the numbered pictures. Two saw them at full size, and named the things for near; two saw them at a quarter, and named those for far. All sixteen first guesses were right.
#
# ```{live} hybrid
# ```
#
# ## The idea
#
# *Hybrid images* {cite:p}`oliva2006` mix the coarse parts of one photograph, its large areas, with the fine parts of another. A diffusion model can draw such a mixture, as in *Factorized Diffusion* {cite:p}`geng2024b`: in each step, ask it about both prompts, and add the coarse part of one answer and the fine part of the other.

# %% mystnb={"figure": {"caption": "The two bands, at $t = 660$ of a hybrid of a watermelon (far) and a sailboat with black outlines (near). Above, the clean picture that the network guesses for far, and its coarse band; below, its guess for near, and the fine band of that, around grey. Both guided, $\\sigma = 2$, $\\gamma = 7$, seed 0. The sum is the $\\hat x_0$ of this step.", "name": "fig-a19-bands"}, "image": {"alt": "A diagram of five pictures with arrows. Above: a slice of watermelon, an arrow named blur, the same slice blurred. Below: a sailboat with orange and yellow sails, an arrow named minus its blur, its outlines on grey. Both lead to the sum on the right, a sailboat in red and green."}} tags=["hide-input"]
melon = ["a watermelon", "a sailboat" + ending]
k = by_profile(full=11, fast=1)
t = timesteps[k]
noise = generators([0])
x_T = unit_noise(model.shape, noise).to(model.device)
denoise = hybrid(model, melon, (2.0,))
steps = [*trajectory(denoise, x_T, timesteps, model.schedule, generators=noise)]
x_t = steps[k - 1].x  # what the step at t gets


def seen(prompt):
    """The clean picture that the network sees in x_t with a prompt."""
    eps = prompted(model, prompt)(x_t, t).eps
    return model.schedule.predict_x0(x_t, t, eps).cpu()


coarse, fine = bands(2.0)
one, other = map(seen, melon)
above, below, right, end = 1.4, 0, 2.5, (4.8, 0.7)
pictures = {
    (0, above): (one, r"$\hat x_0$: for far"),
    (right, above): (coarse(one), "coarse band"),
    (0, below): (other, r"$\hat x_0$: for near"),
    (right, below): (fine(other), "fine band"),
    end: (coarse(one) + fine(other), "sum"),
}
arrows = [
    ((0, above), (right, above), "blur"),
    ((0, below), (right, below), "minus its blur"),
    ((right, above), end, ""),
    ((right, below), end, ""),
]
storyboard({at: (unit_range(x), title) for at, (x, title) in pictures.items()}, arrows)

# %% tags=["remove-cell"]
assert torch.allclose(coarse(x_t) + fine(x_t), x_t, atol=1e-3)
assert torch.allclose(coarse(one) + fine(other), steps[k].x0_hat.cpu(), atol=0.01)

# %% [markdown]
# The step needs an estimate of the noise, so the bands of two such estimates are added:
#
# $$ \epsilon_c = f_{\text{low}}(\epsilon_1) + f_{\text{high}}(\epsilon_2), \qquad f_{\text{high}}(\epsilon) = \epsilon - f_{\text{low}}(\epsilon) \tag{A.3} $$
#
# * $\epsilon_1$ is the estimate of the noise for the prompt to be read from afar, $\epsilon_2$ that for the prompt to be read from close by.
# * $f_{\text{low}}$ is a blur: each value is replaced by the mean of its neighbours, weighted by a Gaussian of width $\sigma = 2$ pixels. What it keeps is the **coarse band**. (The blur for looking is wider, 3 pixels, so that less of the fine band comes through.)
# * $f_{\text{high}}$ keeps the rest, the **fine band**.
# * $\epsilon_c$ takes the place of the estimate with a prompt in (N.6), which guides it.
#
# ```{literalinclude} ../../diffusion_utils/views.py
# :pyobject: low_pass
# ```
#
# `bands` makes both filters, and `blended` adds up what they let through:
#
# ```python
# parts = [model.denoiser(far), model.denoiser(near)]
# blend = blended(parts, bands(2.0))  # (A.3)
# denoise = guided(blend, model.denoiser(""), gamma=7)
# ```
#
# An estimate of noise looks like noise, so {numref}`fig-a19-bands` filters clean pictures. The step is the same: $\hat x_0 = (x_t - \sqrt{1 - \bar\alpha_t}\,\epsilon) / \sqrt{\bar\alpha_t}$, the filters are linear, and the two bands of $x_t$ add up to $x_t$. The figure guides each answer, the code their sum. That is the same: the bands of the answer without a prompt add up to it.
#
# **Why may the step use this sum?** Without guidance, a perfect network's $\hat x_0$ is a mean of clean pictures, weighted by their fit to $x_t$ and the prompt. So $f_{\text{low}}(\hat x_0)$ is the mean of their coarse bands; likewise $f_{\text{high}}$ and the other prompt. Suppose the bands were independent, and the filters orthogonal projections. Then (A.3) would be exact. But a blur is no projection: a second blur changes more (`grey` and `colour` below are projections). And each answer sees both bands of $x_t$: the guess for far has a dark mark where the mast is. So (A.3) holds only roughly.
#
# ## Grey and colour
#
# Other linear filters can take the place of the bands, if what they let through adds up to the picture {cite:p}`geng2024b`. Let one prompt decide `grey`, the mean of red, green and blue, and another the rest, the `colour`:

# %%
shapes = ["a panda", "a soccer ball", "a rabbit face"]
colours = ["a watermelon", "a globe", "a pig face"]  # one a picture
parts = [model.denoiser(shapes), model.denoiser(colours)]
blend = blended(parts, [grey, colour])
denoise = guided(blend, model.denoiser(""), gamma=7)
painted = generate(model, denoise, [0] * 3, timesteps)

# %% mystnb={"figure": {"caption": "Three colour hybrids (above) and the same pictures in grey (below). $\\gamma = 7$, seed 0.", "name": "fig-a19-colours"}, "image": {"alt": "A panda in red and green, a soccer ball in blue and green, and a pink rabbit face; below, the same in grey."}} tags=["hide-input"]
grid(
    [unit_range(x) for x in (painted, grey(painted.clamp(-1, 1)))],
    titles=[f"grey: {a}\ncolour: {b}" for a, b in zip(shapes, colours, strict=True)],
    labels=["in colour", "in grey"],
    size=2.1,
)

# %% tags=["remove-cell"]
assert torch.allclose(grey(painted) + colour(painted), painted, atol=1e-3)
assert torch.allclose(grey(grey(painted)), grey(painted), atol=1e-3)

# %% [markdown]
# The first prompt draws the thing, the second paints it. Of its thing mostly the colours are left; the panda has the melon's green rim and a slice too. We did not count how often that works.
#
# ## Where it fails
#
# The pair of {numref}`fig-a19-bands`, split at other widths:


# %% mystnb={"figure": {"caption": "A watermelon (far) and a sailboat with black outlines (near), bands split at three widths $\\sigma$: as it is (above) and blurred by $\\sigma = 3$ pixels (below). $\\gamma = 7$, seed 0.", "name": "fig-a19-wide"}, "image": {"alt": "Three pictures above, blurred versions below. On the left a plain slice of watermelon; in the middle the slice with a few lines of a mast and a hull; on the right a sailboat with red sails. Blurred, the first is a slice of watermelon; the second mostly is, with a dark upright stripe; the last is like a sailboat."}} tags=["hide-input"]
def split_at(width):
    """The hybrid of the same two prompts and seed, split at another width."""
    return generate(model, hybrid(model, melon, (width,)), [0], timesteps)


widths = [0.5, 2.0, 8.0]
split = torch.cat([split_at(0.5), steps[-1].x.cpu(), split_at(8.0)]).clamp(-1, 1)
grid(
    [unit_range(split), unit_range(blurred(split))],
    titles=[rf"$\sigma = {w:g}$" for w in widths],
    labels=["as it is", "blurred"],
    size=1.3,
)

# %% [markdown]
# At $\sigma = 0.5$ nearly the whole picture lies in the coarse band, so the prompt for far draws it alone. At $\sigma = 8$ the coarse band has only broad areas of colour, so the prompt for near draws the shapes, and they stay when blurred. At $\sigma = 2$ lines of a mast and a hull lie on a melon; blurred, a dark stripe stays.
#
# ## How often does it work?
#
# We have no good measure. The judge of [1.5](a1_5_sampling.ipynb), a network that names drawings, should put the thing for near first, and the one for far in the blurred picture. Here is one of the pairs above, with eight seeds:

# %% mystnb={"figure": {"caption": "Nothing selected: a frog with black outlines (near) and a green apple (far), seeds 0 to 7, as they are (above) and blurred by $\\sigma = 3$ pixels (below). $\\sigma = 2$, $\\gamma = 7$. The numbers: the place of \"frog\" as it is and of \"green apple\" blurred, in the judge's list of 508 names.", "name": "fig-a19-seeds"}, "image": {"alt": "Eight green faces in dark lines, each with two eyes, a wide mouth and a leaf on its head. Below each the same blurred, a green apple with a leaf and two bumps at the top."}} tags=["hide-input"]
judge = load_evaluator()
eight = generate(model, hybrid(model, [far[2], near[2]], (2.0,)), range(8), timesteps)
looks = {"frog": eight, "green apple": blurred(eight.clamp(-1, 1))}
places = [name_ranks(judge, x, [name] * 8) for name, x in looks.items()]
grid(
    [unit_range(x) for x in looks.values()],
    titles=[
        f"seed {k}\n{a}, {b}" for k, (a, b) in enumerate(zip(*places, strict=True))
    ],
    labels=["as it is", "blurred"],
    size=1.0,
)

# %% [markdown]
# Lines draw two eyes and a mouth in each. The judge puts the apple first every time, and the frog never. It passes 81 of 960 hybrids (8 %). That may be too few: of the first four it names none as they are, though readers did. Its counts are folded here.

# %% mystnb={"code_prompt_show": "Show the judge's counts"} tags=["remove-input", "hide-output"]
outlines = search["hybrid in outlines"]
by_pair = {tuple(row["pair"]): row["ranks"] for row in outlines}
shown = [
    by_pair[a[2:], b[2:].removesuffix(ending)][seed]
    for a, b, seed in zip(far, near, seeds, strict=True)
]
counted = {
    "the four above": shown,
    "all hybrids": [ranks for row in outlines for ranks in row["ranks"]],
    "control": [ranks for row in outlines for ranks in row["plain"]],
}


def named(ranks):
    """How often the right name is first: near, far and both."""
    hits = [[b == 1, a == 1, a == b == 1] for a, b in ranks]
    columns = zip(*hits, strict=True)
    return [f"{sum(x)} of {len(x)} ({sum(x) / len(x):.0%})" for x in columns]


table(
    [[name, *named(ranks)] for name, ranks in counted.items()],
    ["", "near, as it is", "far, blurred", "both"],
    "How often the judge puts the right name first of 508; blurred by σ = 3 pixels. "
    f"All hybrids: {len(outlines)} pairs chosen by hand, 16 seeds each. The control is all training drawings of the things for near: blurred, they should not get the name of the thing for far. From python -m benchmarks.pairs.",
)

# %% [markdown]
# ## Try it
#
# * **Swap** `far` and `near` in the call of `hybrid` for {numref}`fig-a19-hybrids`.
# * **A pair of your own.** Add a cell with
#   ```python
#   both = ["a cookie", "a turtle with black outlines"]
#   mine = generate(model, hybrid(model, both), range(8), timesteps)
#   grid([unit_range(mine), unit_range(blurred(mine))])
#   ```
#   Choose two things of one outline; that for near needs lines inside.
