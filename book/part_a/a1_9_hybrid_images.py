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
# **Yes: large areas of colour show one thing, thin lines the other. From afar the lines are lost.**


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
from textwrap import fill

import torch
import torch.nn.functional as F
from IPython.display import Markdown

from diffusion_utils.denoisers import blended, guided
from diffusion_utils.diagrams import storyboard
from diffusion_utils.emoji64.captions import called
from diffusion_utils.files import ROOT
from diffusion_utils.profile import by_profile
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.tasks import (
    MERGE,
    generate,
    hybrid,
    hybrid_image,
    prompted,
    sdedit,
)
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import bands, colour, grey, low_pass, mixed

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
i_start = by_profile(full=MERGE, fast=2)  # t = 210
measured = json.loads((ROOT / "benchmarks/results/hybrids.json").read_text())

# %% mystnb={"figure": {"caption": "Three hybrids of 64x64 pixels at four sizes. From afar: \"a green apple\", \"a mushroom\" and \"a globe\"; from close by: \"a frog\", \"a skull\" and \"a turtle\", each \"with black outlines\". Seed 0, $\\gamma = 7$, bands split at $\\sigma = 2$ pixels and merged from $t = 210$ on, as explained below. The pairs were chosen.", "name": "fig-a19-strip"}, "image": {"alt": "Three rows of one picture four times, each half as large as the one before. Above, the largest is a frog's face in dark lines on green, with two round eyes and a wide mouth; the small ones look like a green apple with a leaf. In the middle, a skull in dark lines on red and white; small, a red mushroom with white spots. Below, a turtle in dark lines on blue and green; small, a globe."}} tags=["hide-input"]
ending = " with black outlines"
fars = ["a green apple", "a mushroom", "a globe"]
nears = ["a frog" + ending, "a skull" + ending, "a turtle" + ending]
both = {"sigmas": (2.0,), "i_start": i_start, "timesteps": timesteps}
lead = hybrid_image(model, [fars, nears], [0] * 3, **both)


def small(x, scale):
    """x at a part of its size, in the middle of a white square."""
    x = F.interpolate(x, scale_factor=scale, antialias=True, mode="bilinear")
    return F.pad(x, [(64 - x.shape[-1]) // 2] * 4, value=1.0)


sizes = {"full size": 1, "1/2": 1 / 2, "1/4": 1 / 4, "1/8": 1 / 8}
strip = torch.stack([small(lead.clamp(-1, 1), scale) for scale in sizes.values()], 1)
grid([unit_range(row) for row in strip], titles=list(sizes), size=1.6)

# %% [markdown]
# Large, the lines draw a frog's face, a skull and a turtle. Small, the lines are gone, and an apple, a mushroom and a globe are left. Step back, or squint: the large pictures change too.
#
# ```{live} hybrid
# ```
#
# ## The idea
#
# *Hybrid images* {cite:p}`oliva2006` mix the coarse parts of one photograph with the fine parts of another. Our model draws both pictures itself. "With black outlines" names a style of its training drawings, in which the lines say what the thing is:

# %% mystnb={"figure": {"caption": "How the second hybrid of {numref}`fig-a19-strip` is made. Each thing is drawn alone; its coarse or fine band is kept (the fine one is shown around grey); their sum is the mixture; noised to $t = 210$ and denoised, the mixture becomes one picture. $\\sigma = 2$, $\\gamma = 7$, seed 0.", "name": "fig-a19-bands"}, "image": {"alt": "A diagram of six pictures with arrows. Above: a red mushroom with white spots, an arrow named blur, the same blurred. Below: a skull in black lines, an arrow named minus blur, its lines on grey. Both lead to the mixture, the skull's lines on the blurred mushroom. An arrow named noise, then denoise, leads to nearly the same picture, in which the red haze has become areas with edges."}} tags=["hide-input"]
far, near = "a mushroom", "a skull" + ending
one, other = (
    generate(model, prompted(model, prompt), [0], timesteps) for prompt in (far, near)
)
coarse, fine = bands(2.0)
mixture = mixed([one, other], 2.0)
above, below, end = 1.4, 0, 0.7
pictures = {
    (0, above): (one, "far, alone"),
    (2.1, above): (coarse(one), "coarse band"),
    (0, below): (other, "near, alone"),
    (2.1, below): (fine(other), "fine band"),
    (3.7, end): (mixture, "mixture"),
    (5.7, end): (lead[1:2], "merged"),
}
arrows = [
    ((0, above), (2.1, above), "blur"),
    ((0, below), (2.1, below), "minus blur"),
    ((2.1, above), (3.7, end), ""),
    ((2.1, below), (3.7, end), ""),
    ((3.7, end), (5.7, end), "noise, then\ndenoise"),
]
storyboard({at: (unit_range(x), title) for at, (x, title) in pictures.items()}, arrows)

# %% tags=["remove-cell"]
same_way = sdedit(model, hybrid(model, [far, near]), mixture, i_start, [0], timesteps)
assert torch.allclose(same_way, lead[1:2], atol=0.05)
assert torch.allclose((coarse(one) + fine(other)).clamp(-1, 1), mixture, atol=1e-3)

# %% [markdown]
# **Mix.** $f_{\text{low}}$ is a blur by a Gaussian of width $\sigma = 2$ pixels; what it keeps is the **coarse band**. $f_{\text{high}}$ keeps the rest, $f_{\text{high}}(x) = x - f_{\text{low}}(x)$, the **fine band**. The mixture is the coarse band of one picture plus the fine band of the other.
#
# ```{literalinclude} ../../diffusion_utils/views.py
# :pyobject: low_pass
# ```
#
# **Merge.** The mixture is still two pictures, one laid over the other: its colours end in a haze, across the lines. So we add noise to it, up to $t = 210$, and denoise it, as in [1.7](a1_7_image_to_image.ipynb). In each step we ask the model about both prompts, and take one band of each answer. That is *Factorized Diffusion* {cite:p}`geng2024b`:
#
# $$ \epsilon_c = f_{\text{low}}(\epsilon_1) + f_{\text{high}}(\epsilon_2) \tag{A.3} $$
#
# * $\epsilon_1$ is the estimate of the noise for the far prompt, $\epsilon_2$ that for the near prompt.
# * $\epsilon_c$ takes the place of the estimate with a prompt in guidance, (N.6) of [1.6](a1_6_guidance.ipynb), with $\gamma = 7$.
#
# Of the haze, areas of colour with edges are left. In code, with `alone` for the two pictures:
#
# ```python
# parts = [model.denoiser(far), model.denoiser(near)]
# blend = blended(parts, bands(2.0))  # (A.3)
# denoise = guided(blend, model.denoiser(""), gamma=7)
# mixture = mixed(alone, 2.0)
# picture = sdedit(model, denoise, mixture, i_start, [0], timesteps)
# ```
#
# `hybrid(model, [far, near])` does the first three lines, and `hybrid_image` all of it.
#
# ```{dropdown} When is the sum of two bands the right estimate?
# **Pictures or noise?** (A.3) adds bands of estimates of the noise. It adds the same bands of the clean pictures $\hat x_0 = (x_t - \sqrt{1 - \bar\alpha_t}\,\epsilon) / \sqrt{\bar\alpha_t}$: the filters are linear, and the two bands of $x_t$ add up to $x_t$.
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
# ## From the mixture, or from noise?
#
# The coursework that this book follows draws no pictures beforehand. It starts from pure noise, and uses (A.3) in all steps. We drew 60 pairs in both ways. Here is every tenth of them:

# %% mystnb={"figure": {"caption": "Every tenth pair (far / near) of the list in `benchmarks/hybrids.py`, seed 0. From above: each thing alone, their mixture, the mixture merged from $t = 210$ on, (A.3) from noise, and the same blurred by 3 pixels. Near: with black outlines. $\\sigma = 2$, $\\gamma = 7$.", "name": "fig-a19-starts"}, "image": {"alt": "Six rows of six. Alone: a panda, a sun, a cookie, a mushroom, a fire, a pink flower; below, in lines, a skull, a sunflower, a ball, a skull again, an owl of many lines, a patterned box. The mixtures and the merged pictures show these lines on those colours. From noise: a panda with a skull's nose, a spiky sun, a cookie with lines, a red and white skull, a fire, a pink flower. Blurred: a panda, a sun, a cookie, a mushroom, a fire, a flower."}} tags=["hide-input"]
some = measured["pairs"][::10]
fars = [called(a) for a, _ in some]
nears = [called(b) + ending for _, b in some]
seeds = [0] * len(some)
alone = [
    generate(model, prompted(model, one), seeds, timesteps) for one in (fars, nears)
]
mixtures = mixed(alone, 2.0)
denoise = hybrid(model, [fars, nears])
merged = sdedit(model, denoise, mixtures, i_start, seeds, timesteps)
from_noise = generate(model, denoise, seeds, timesteps)
blurred = low_pass(3.0)
rows = [*alone, mixtures, merged, from_noise, blurred(from_noise)]
labels = ["far, alone", "near, alone", "mixture", "merged", "from noise", "blurred"]
titles = [f"{fill(a, 13)} /\n{fill(b, 13)}" for a, b in some]
grid([unit_range(row.clamp(-1, 1)) for row in rows], titles, labels, size=1.1)

# %% [markdown]
# Merged, the near thing keeps the lines that it has alone. From noise, the lines follow the far thing instead: the owl becomes a flame, the butterfly a blossom. At first nothing of the near thing is there. Its estimate sees the coarse band of the far thing in $x_t$, and seems to draw lines that fit to it. Two skulls stay; they have about the outline of the panda and of the mushroom's cap.
#
# We showed seed 0 of all 60 pairs, unselected, to vision-language models. Each saw one sheet and named one thing or two in each picture:

# %% tags=["hide-input"]
seen = measured["seen"]
names = {
    "mixture": "the mixture",
    "210": "merged from t = 210 on",
    "390": "merged from t = 390 on",
    "990": "from noise",
}


def counts(start):
    """How often far, near and both were seen, by each of those that looked."""
    return [
        ", ".join(str(sum(map(which, pairs))) for pairs in seen[start])
        for which in (lambda x: x[0], lambda x: x[1], all)
    ]


def judged(start):
    """How often the judge names far and near first, over all pairs and seeds."""
    ranks = sum(measured["ranks"][start].values(), [])
    return [
        f"{sum(r == 1 for r in one) / len(one):.0%}" for one in zip(*ranks, strict=True)
    ]


table(
    [[name, *counts(start), *judged(start)] for start, name in names.items()],
    ["", "far", "near", "both", "judge: far", "judge: near"],
    f"In how many of {len(measured['pairs'])} pictures the right thing was among the one or two that were named; two models a row. "
    "The judge gives one name a picture, here for 4 seeds of each pair; it looks for far in the picture blurred by 3 pixels. "
    "The pairs were chosen by hand, the pictures not. From python -m benchmarks.hybrids.",
)

# %% tags=["remove-cell"]
near_seen = {
    start: [sum(near for _, near in pairs) for pairs in seen[start]] for start in names
}
means = [sum(both) / len(both) for both in near_seen.values()]
assert means == sorted(means, reverse=True)
assert min(near_seen["210"]) > len(measured["pairs"]) / 2
assert max(near_seen["990"]) < min(near_seen["390"])

# %% [markdown]
# The plain mixture is read most often. Merging from $t = 210$ on costs a little of that, and still more than half of the near things are seen. The earlier the merging begins, the fewer are seen, and from noise the fewest. The *judge* of [1.5](a1_5_sampling.ipynb), a network that has learned drawings of a single thing, seldom names the near thing, and hardly more often in the mixture than from noise. The more the model may change the mixture, the more it becomes one drawing, and the less it shows two things.
#
# ## Where it fails

# %% tags=["remove-input"]
things = ["skull", "turtle", "crab", "snail", "owl", "wolf", "butterfly"]
times = {
    thing: [
        saw_near
        for pairs in seen["210"]
        for (_, near), (_, saw_near) in zip(measured["pairs"], pairs, strict=True)
        if near == thing
    ]
    for thing in things
}
assert all(map(all, [times[thing] for thing in things[:4]]))
assert not any(map(any, [times[thing] for thing in things[4:]]))
looks = {thing: len(some) for thing, some in times.items()}
Markdown(
    f"**It depends on the near thing.** In the merged pictures the two models named the skull each of {looks['skull']} times, the turtle, the crab and the snail each of {looks['turtle']} times. "
    f"They never named the owl ({looks['owl']} times), the wolf or the butterfly ({looks['wolf']} times each). "
    "In {numref}`fig-a19-starts` owl and butterfly are hard to name even where they are drawn alone: the lines do not say what they are."
)

# %% [markdown]
# **Would another width $\sigma$ help?** A panda (far) and a skull (near):


# %% mystnb={"figure": {"caption": "A panda (far) and a skull (near), bands split at three widths $\\sigma$: as it is (above) and blurred by $\\sigma = 3$ pixels (below). Merged from $t = 210$ on, $\\gamma = 7$, seed 0.", "name": "fig-a19-wide"}, "image": {"alt": "Three pictures above, blurred versions below. On the left a plain panda; in the middle a skull in lines with the panda's grey ears; on the right a skull. Blurred, the first two are pandas, the last is a pale oval with two dark spots."}} tags=["hide-input"]
pair = ["a panda", "a skull" + ending]
split = [
    hybrid_image(model, pair, [0], **both | {"sigmas": (width,)})
    for width in (0.5, 2.0, 8.0)
]
split = torch.cat(split).clamp(-1, 1)
grid(
    [unit_range(split), unit_range(blurred(split))],
    titles=[rf"$\sigma = {width}$" for width in (0.5, 2, 8)],
    labels=["as it is", "blurred"],
    size=1.5,
)

# %% [markdown]
# At $\sigma = 0.5$ nearly everything lies in the coarse band, and there is only a panda. At $\sigma = 8$ the coarse band holds only broad areas of colour, and the skull is left when blurred, too. In between, $\sigma = 2$ is the coursework's width.
#
# Two blurs make three bands, for three prompts. Three things in one picture are hard to see:

# %% mystnb={"code_prompt_show": "Show a triple hybrid", "figure": {"caption": "A triple hybrid, \"a halloween pumpkin\" (coarse), \"a panda\" (middle) and \"a skull with black outlines\" (fine), and the same picture blurred by 1.5 and by 4 pixels, the widths at which the bands are split. Merged from $t = 210$ on, $\\gamma = 7$, seed 0.", "name": "fig-a19-triple"}, "image": {"alt": "A skull in dark lines on orange; blurred a little, a face with dark eyes and a dark mouth; blurred much, an orange disc with three dark spots."}} tags=["hide-output", "remove-input"]
things = ["a halloween pumpkin", "a panda", "a skull" + ending]
triple = hybrid_image(model, things, [0], **both | {"sigmas": (4.0, 1.5)})
triple = triple.clamp(-1, 1)
views = torch.cat([triple, low_pass(1.5)(triple), low_pass(4.0)(triple)])
grid([unit_range(views)], titles=["as it is", "blurred by 1.5", "by 4"], size=1.6)

# %% [markdown]
# One sees the lines of a skull, then a face with dark eyes, and in the last picture a pumpkin. The panda is hard to find.
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
# * **Swap** `fars` and `nears` in the call of `hybrid_image` for {numref}`fig-a19-strip`.
# * **Merge more.** Write 10 in the place of `MERGE`: the mixture is then merged from $t = 690$ on.
# * **A pair of your own.** Add a cell with
#   ```python
#   pair = ["a cookie", "a turtle with black outlines"]  # far, near
#   mine = hybrid_image(model, pair, range(8), **both)
#   grid([unit_range(mine), unit_range(blurred(mine))])
#   ```
#   Choose a near thing that is easy to name from its lines alone.
