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
# Can one picture show two things, one from afar and the other from close by?
#
# **Yes, for some pairs and seeds.** Large areas show one thing, thin lines the other, and from afar the lines are lost. In 8 % of 960 hybrids a network that names drawings finds both things.

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
    if not fetches:
        sys.exit("Open this notebook where it belongs, in a complete copy of the book.")
    if ADDRESS.endswith(".invalid"):
        sys.exit(
            "This copy of the book is not published, so there is nothing to fetch."
        )
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

# %% mystnb={"figure": {"caption": "One hybrid at four sizes: \"a panda\" for far, \"a skull with black outlines\" for near. $\\gamma = 7$, seed 10, bands split at $\\sigma = 2$ pixels, as explained below. Chosen among 960.", "name": "fig-a19-strip"}, "image": {"alt": "The same grey picture four times, each half as large as the one before. The largest is a skull in dark lines, with two round eye sockets and a hole for the nose. The smaller ones look like a panda's face with dark eyes."}} tags=["hide-input"]
ending = " with black outlines"
far, near = "a panda", "a skull" + ending
noise = generators([10])
x_T = unit_noise(model.shape, noise).to(model.device)
denoise = hybrid(model, [far, near], (2.0,))
steps = [*trajectory(denoise, x_T, timesteps, model.schedule, generators=noise)]
skull = steps[-1].x.clamp(-1, 1)


def small(x, scale):
    """x at a part of its size, in the middle of a white square."""
    x = F.interpolate(x, scale_factor=scale, antialias=True, mode="bilinear")
    return F.pad(x, [(64 - x.shape[-1]) // 2] * 4, value=1.0)


sizes = {"full size": 1, "1/2": 1 / 2, "1/4": 1 / 4, "1/8": 1 / 8}
strip = torch.cat([small(skull, scale) for scale in sizes.values()])
grid([unit_range(strip)], titles=list(sizes), size=1.7)

# %% [markdown]
# At full size lines draw a skull. At a quarter they fade, and a panda is left. Step back, or squint: do you see it in the large picture? The network that names drawings finds both. So did four vision-language models, each asked once: two called the large picture a skull, two others called the picture at a quarter a panda.
#
# ```{live} hybrid
# ```
#
# ## The idea
#
# *Hybrid images* {cite:p}`oliva2006` mix the coarse parts of one photograph, its large areas, with the fine parts of another, its lines. A diffusion model can draw such a mixture, as in *Factorized Diffusion* {cite:p}`geng2024b`. In each step we ask it about both prompts. We take the coarse part of one answer and the fine part of the other, and add them:

# %% mystnb={"figure": {"caption": "One step of the hybrid of {numref}`fig-a19-strip`, $t = 660$. Above, the clean picture guessed for far and its coarse band; below, that for near and its fine band, around grey. Their sum is the $\\hat x_0$ of this step. $\\sigma = 2$, $\\gamma = 7$, seed 10.", "name": "fig-a19-bands"}, "image": {"alt": "A diagram of five pictures with arrows. Above: a panda's face, an arrow named blur, the same face blurred. Below: a skull in dark outlines, an arrow named minus its blur, its lines on grey. Both lead to the sum on the right, a panda's face with the lines of a skull."}} tags=["hide-input"]
k = by_profile(full=11, fast=1)
t = timesteps[k]
x_t = steps[k - 1].x  # what the step at t gets


def seen(prompt):
    """The clean picture that the network sees in x_t with a prompt."""
    eps = prompted(model, prompt)(x_t, t).eps
    return model.schedule.predict_x0(x_t, t, eps).cpu()


coarse, fine = bands(2.0)
one, other = seen(far), seen(near)
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
# The coarse band is a soft panda. The fine band has the lines of a skull.
#
# Each clean picture follows from an estimate $\epsilon$ of the noise. The code adds the bands of these estimates. As the filters are linear and the two bands of $x_t$ add up to $x_t$, that gives the same sum:
#
# $$ \epsilon_c = f_{\text{low}}(\epsilon_1) + f_{\text{high}}(\epsilon_2), \qquad f_{\text{high}}(\epsilon) = \epsilon - f_{\text{low}}(\epsilon) \tag{A.3} $$
#
# * $\epsilon_1$ is the estimate for the far prompt, $\epsilon_2$ that for the near prompt.
# * $f_{\text{low}}$ is a blur by a Gaussian of width $\sigma = 2$ pixels. It keeps the **coarse band**.
# * $f_{\text{high}}$ keeps the rest, the **fine band**.
# * $\epsilon_c$ takes the place of the estimate with a prompt in guidance, (N.6) of [1.6](a1_6_guidance.ipynb), with $\gamma = 7$.
#
# ```{literalinclude} ../../diffusion_utils/views.py
# :pyobject: low_pass
# ```
#
# `bands` makes both filters. `blended` filters each estimate and adds the results, the far prompt first:
#
# ```python
# parts = [model.denoiser(far), model.denoiser(near)]
# blend = blended(parts, bands(2.0))  # (A.3)
# denoise = guided(blend, model.denoiser(""), gamma=7)
# ```
#
# **Why does that work?** Each prompt mostly decides one band. Only mostly, as each estimate sees both bands of $x_t$.
#
# ```{dropdown} When the sum would be exact
# **Pictures or noise?** An estimate of noise looks like noise, so {numref}`fig-a19-bands` filters clean pictures. The step is the same: $\hat x_0 = (x_t - \sqrt{1 - \bar\alpha_t}\,\epsilon) / \sqrt{\bar\alpha_t}$, the filters are linear, and the two bands of $x_t$ add up to $x_t$. The figure guides both estimates and then adds their bands; the code adds the bands and guides the sum. Both give the same, as (N.6) is linear and the two bands of the estimate without a prompt add up to it.
#
# **What we want.** Without guidance, a perfect network's $\hat x_0$ is a mean of clean pictures, weighted by their fit to $x_t$ and the prompt. For a hybrid it should be this mean over pictures that take their coarse band from the first prompt and, independently, their fine band from the second. (A.3) gives it under two conditions:
#
# 1. The filters are orthogonal projections: applied twice, each does no more than once, and the two bands are perpendicular. Then the two bands of white noise are independent.
# 2. Among the clean pictures of one prompt, the coarse band says nothing about the fine band.
#
# Then the fine band of $x_t$ says nothing about the coarse band of $x_0$, nor the coarse about the fine. So $f_{\text{low}}(\hat x_0)$ depends on the coarse band of $x_t$ alone, $f_{\text{high}}(\hat x_0)$ on the fine band alone, and the sum is exact.
#
# A blur breaks the first condition: a second blur changes more. `grey` and `colour` below fulfil it. Pictures break the second one: lines lie where areas end.
# ```
#
# ## How often does that work?
#
# The **judge** of [1.5](a1_5_sampling.ipynb) is a network that names drawings. It should name the far thing in the blurred picture, and the near thing in the picture as it is. (We blur by $\sigma = 3$, a little more than the split, to be sure that the lines are gone.)


# %% tags=["hide-input"]
def named(ranks):
    """How often the judge puts the right name first: far, near and both."""
    hits = [[a == 1, b == 1, a == b == 1] for a, b in ranks]
    columns = zip(*hits, strict=True)
    return [f"{sum(x)} of {len(x)} ({sum(x) / len(x):.0%})" for x in columns]


pairs = {tuple(row["pair"]): row for row in search["hybrid in outlines"]}
hybrids = [ranks for row in pairs.values() for ranks in row["ranks"]]
alone = [both for row in pairs.values() for both in zip(*row["alone"], strict=True)]
counted = {
    "panda, skull": pairs["panda", "skull"]["ranks"],
    "lemon, tropical fish": pairs["lemon", "tropical fish"]["ranks"],
    "green apple, frog": pairs["green apple", "frog"]["ranks"],
    f"all {len(pairs)} pairs": hybrids,
}
table(
    [
        *([name, *named(ranks)] for name, ranks in counted.items()),
        ["control: each prompt alone", *named(alone)[:2], ""],
    ],
    ["pair: far, near", "far, blurred", "near", "both"],
    "How many hybrids the judge names right, with its first guess of 508 names. 16 seeds a pair, not selected; the pairs were chosen by hand. Below, pictures of the same prompts without a partner, 4 seeds each. Blurred by σ = 3 pixels. From python -m benchmarks.pairs.",
)

# %% tags=["remove-cell"]
both = [a == b == 1 for a, b in hybrids]
assert len(both) == 960 and round(100 * sum(both) / 960) == 8  # the page's first answer
shares = [
    round(100 * sum(r == 1 for r in x) / len(x)) for x in zip(*alone, strict=True)
]
horse = next(r["ranks"] for r in search["hybrid"] if r["pair"] == ["horse", "zebra"])
skulls = [rank for _, rank in pairs["panda", "skull"]["ranks"]]
assert skulls[10] == 1 and set(skulls[:5]) == {2, 3, 4} and horse == [[1, 1]] * 8
three = ("green apple", "frog"), ("mushroom", "skull"), ("watermelon", "frog")
assert all(pairs[pair]["ranks"][0][1] > 1 for pair in three)
assert shares == [90, 67] and round(100 * sum(b == 1 for _, b in hybrids) / 960) == 11

# %% [markdown]
# The control says what the mixing costs. Alone, the judge names 90 % of the far things, blurred, and 67 % of the near things. In the hybrids the near thing loses most: 11 % are left.

# %% mystnb={"figure": {"caption": "The first two pairs of the table, seeds 0 to 4, as they are and blurred by $\\sigma = 3$ pixels. No seed was selected. Bands split at $\\sigma = 2$, $\\gamma = 7$.", "name": "fig-a19-seeds"}, "image": {"alt": "Four rows of five. First, pale heads in dark outlines with two dark eyes and a nose, between a skull and a panda. Blurred, they are pandas. Then yellow bodies with dark stripes and a pointed end on the left. Blurred, they are yellow lumps with some green on the left."}} tags=["hide-input"]
blurred = low_pass(3.0)
rows = []
for pair in [far, near], ["a lemon", "a tropical fish" + ending]:
    five = generate(model, hybrid(model, pair, (2.0,)), range(5), timesteps)
    rows += [five.clamp(-1, 1), blurred(five.clamp(-1, 1))]
grid(
    [unit_range(row) for row in rows],
    titles=[f"seed {seed}" for seed in range(5)],
    labels=["skull", "blurred", "fish", "blurred"],
    size=1.0,
)

# %% [markdown]
# Blurred, the first row is a panda five times. As it is, each has the lines of a skull, but a panda can still be seen in it. The judge puts the skull second to fourth in its list. It names most of the fish right, though to us they are hard to see. Blurred, they are yellow lumps like a lemon.
#
# Three more pairs:

# %% mystnb={"figure": {"caption": "Three more hybrids, at full size (above) and at a quarter of it (below). $\\sigma = 2$, $\\gamma = 7$, seed 0; pairs chosen by eye. The prompts for near end with \"with black outlines\", to ask for lines.", "name": "fig-a19-hybrids"}, "image": {"alt": "Three columns. Above: a green frog face with two round eyes and a wide mouth; a skull in red and white; a frog face in green and red. Below, the same pictures small: a green apple with a leaf, a red mushroom with white spots, a slice of watermelon."}} tags=["hide-input"]
fars = ["a green apple", "a mushroom", "a watermelon"]
nears = [f"a {thing}{ending}" for thing in ("frog", "skull", "frog")]
three = generate(model, hybrid(model, [fars, nears], (2.0,)), [0] * 3, timesteps)
three = three.clamp(-1, 1)
grid(
    [unit_range(three), unit_range(small(three, 1 / 4))],
    titles=[
        f"far: {a}\nnear: {b.removesuffix(ending)}"
        for a, b in zip(fars, nears, strict=True)
    ],
    labels=["full size", "1/4"],
    size=1.7,
)

# %% [markdown]
# The judge names none of the three near things. But two vision-language models that saw these pictures at full size named the near things first, and two others that saw them at a quarter named the far things first. So the judge is no final word on hybrids.
#
# ## Where it fails
#
# The width $\sigma$ says where the bands are split. The same prompts and seed, with other widths:


# %% mystnb={"figure": {"caption": "A panda (far) and a skull (near), bands split at three widths $\\sigma$: as it is (above) and blurred by $\\sigma = 3$ pixels (below). $\\gamma = 7$, seed 10.", "name": "fig-a19-wide"}, "image": {"alt": "Three pictures above, blurred versions below. On the left a plain panda; in the middle the hybrid of panda and skull; on the right a skull. Blurred, the first two are pandas, the last is still a skull."}} tags=["hide-input"]
def split_at(width):
    """The hybrid of the same two prompts and seed, split at another width."""
    return generate(model, hybrid(model, [far, near], (width,)), [10], timesteps)


split = torch.cat([split_at(0.5), skull.cpu(), split_at(8.0)]).clamp(-1, 1)
grid(
    [unit_range(split), unit_range(blurred(split))],
    titles=[rf"$\sigma = {width}$" for width in (0.5, 2, 8)],
    labels=["as it is", "blurred"],
    size=1.5,
)

# %% [markdown]
# At $\sigma = 0.5$ nearly everything lies in the coarse band, and there is only a panda. At $\sigma = 8$ the coarse band has only broad areas of colour, and the skull stays when blurred.
#
# Two blurs make three bands, for three prompts. Here the second of the three things is hard to see:

# %% mystnb={"code_prompt_show": "Show a triple hybrid", "figure": {"caption": "A triple hybrid, \"a mushroom\" (coarse), \"a panda\" (middle) and \"a skull with black outlines\" (fine), and the same picture blurred by 1.5 and by 4 pixels, the widths at which the bands are split. $\\gamma = 7$, seed 1.", "name": "fig-a19-triple"}, "image": {"alt": "A red and white skull; blurred a little, still a skull's face; blurred much, red blotches on white."}} tags=["hide-output", "remove-input"]
things = ["a mushroom", "a panda", "a skull" + ending]
triple = generate(model, hybrid(model, things, (4.0, 1.5)), [1], timesteps)
triple = triple.clamp(-1, 1)
views = torch.cat([triple, low_pass(1.5)(triple), low_pass(4.0)(triple)])
grid([unit_range(views)], titles=["as it is", "blurred by 1.5", "by 4"], size=1.6)

# %% [markdown]
# The skull is plain to see, and the red and white of a mushroom are left in the last picture.
#
# ## Grey and colour
#
# Other linear filters can take the place of the bands, if what they let through adds up to the picture {cite:p}`geng2024b`. Let one prompt decide `grey`, the mean of red, green and blue at each pixel, and another the rest, the `colour`:

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
# In these three, which we chose, the first prompt draws the thing, though of the ball only a part is in the frame. The second paints it. We did not count how often that works.
#
# ## Try it
#
# * **Swap** `far` and `near` in the call of `hybrid` for {numref}`fig-a19-strip`.
# * **A pair of your own.** The judge names both things of a horse and a zebra, without black outlines, from each of eight seeds; two vision-language models saw only the horse. Which do you see? Add a cell with
#   ```python
#   pair = ["a horse", "a zebra"]  # far, near
#   mine = generate(model, hybrid(model, pair), range(8), timesteps)
#   grid([unit_range(mine), unit_range(blurred(mine))])
#   ```
#   Then take two other things of one outline, the near one with lines inside.
