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
# **Yes, for some pairs: large areas of colour show one thing, thin lines the other. From afar the lines are lost.**


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

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from IPython.display import Markdown

from diffusion_utils.denoisers import blended, guided
from diffusion_utils.diagrams import storyboard
from diffusion_utils.emoji64.captions import called
from diffusion_utils.files import ROOT
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, trajectory, unit_noise
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

# %% mystnb={"figure": {"caption": "Three hybrids, each at full size, and below at a half, a quarter and an eighth of it. From afar: \"a green apple\", \"a mushroom\" and \"a lemon\"; from close by: \"a frog\", \"a skull\" and \"a snail\", each \"with black outlines\". Seeds 0, 0 and 1, $\\gamma = 7$, bands split at $\\sigma = 2$ pixels and merged from $t = 210$ on, as explained below. Pairs and seeds were chosen.", "name": "fig-a19-strip"}, "image": {"alt": "Three large pictures, each with three smaller copies below it. The first is a frog's face in dark lines on green, with two round eyes and a wide mouth; the smallest copies look like a green apple with a leaf. The second is a skull in dark lines on red and white; small, a red mushroom with white spots. The third is a snail in dark lines on yellow, with two feelers; small, a lemon with a green leaf."}} tags=["hide-input"]
ending = " with black outlines"
fars = ["a green apple", "a mushroom", "a lemon"]
nears = ["a frog" + ending, "a skull" + ending, "a snail" + ending]
both = {"sigmas": (2.0,), "i_start": i_start, "timesteps": timesteps}
lead = hybrid_image(model, [fars, nears], [0, 0, 1], **both)


def with_smaller(x):
    """x (B, 3, 64, 64) over its copies of 32, 16 and 8 pixels -> (B, 3, 98, 64)."""
    sheet = torch.ones(len(x), 3, 98, 64)
    sheet[..., :64, :] = x
    for size, left in (32, 0), (16, 36), (8, 56):
        options = {"size": size, "antialias": True, "mode": "bilinear"}
        sheet[..., 66 : 66 + size, left : left + size] = F.interpolate(x, **options)
    return sheet


fig, axes = plt.subplots(1, 3, figsize=(7, 3.7), layout="compressed")
for ax, sheet in zip(axes, unit_range(with_smaller(lead.clamp(-1, 1))), strict=True):
    ax.imshow(sheet.permute(1, 2, 0))
    ax.set_axis_off()
plt.show()

# %% [markdown]
# Large, the lines draw a frog's face, a skull and a snail. At an eighth of the size the lines are gone, and an apple, a mushroom and a lemon are left. Step back, or squint: the large pictures change too. Thin lines are then smaller than what the eye can tell apart, as if the picture were blurred.
#
# ```{live} hybrid
# ```
#
# ## The idea
#
# *Hybrid images* {cite:p}`oliva2006` mix the coarse parts of one photograph (its low frequencies) with the fine parts of another (its high frequencies). Our model draws both pictures itself, one from a **far prompt** and one from a **near prompt**. "With black outlines" names a style of its training drawings, in which lines say what the thing is:

# %% mystnb={"figure": {"caption": "How the second hybrid of {numref}`fig-a19-strip` is made. Each thing is drawn alone; its coarse or fine band is kept (the fine one is shown around grey); their sum is the mixture; noised to $t = 210$ and denoised, the mixture gets edges. $\\sigma = 2$, $\\gamma = 7$, seed 0.", "name": "fig-a19-bands"}, "image": {"alt": "A diagram of six pictures with arrows. Above: a red mushroom with white spots, an arrow named blur, the same blurred. Below: a skull in black lines, an arrow named minus blur, its lines on grey. Both lead to the mixture, the skull's lines on the blurred mushroom. An arrow named noise, then denoise, leads to nearly the same picture, in which the red haze has become areas with edges."}} tags=["hide-input"]
pair, seeds = [fars[:2], nears[:2]], [0, 0]  # the second one is shown
alone = [generate(model, prompted(model, one), seeds, timesteps) for one in pair]
mixtures = mixed(alone, 2.0)
(one, other), mixture = (x[1:] for x in alone), mixtures[1:]
coarse, fine = bands(2.0)
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
asked = [prompts[1] for prompts in pair]
same_way = sdedit(model, hybrid(model, asked), mixture, i_start, [0], timesteps)
assert torch.allclose(same_way, lead[1:2], atol=0.05)
assert torch.allclose((coarse(one) + fine(other)).clamp(-1, 1), mixture, atol=1e-3)

# %% [markdown]
# **Mix.** $f_{\text{low}}$ is a blur by a Gaussian of width $\sigma = 2$ pixels. What it keeps is the **coarse band**. The rest, $f_{\text{high}}(x) = x - f_{\text{low}}(x)$, is the **fine band**. The mixture is the coarse band of one picture plus the fine band of the other:
#
# ```{literalinclude} ../../diffusion_utils/views.py
# :pyobject: mixed
# ```
#
# **Merge.** The mixture has no edges but the lines, and its colours end in a haze. So we add noise to it, up to $t = 210$, and denoise it, as in [1.7](a1_7_image_to_image.ipynb). In each step we ask the model about both prompts, and take one band of each answer. This sum is that of *Factorized Diffusion* {cite:p}`geng2024b`:
#
# $$ \epsilon_c = f_{\text{low}}(\epsilon_1) + f_{\text{high}}(\epsilon_2) \tag{A.3} $$
#
# * $\epsilon_1$ is the estimate of the noise for the far prompt, $\epsilon_2$ that for the near prompt.
# * $\epsilon_c$ is guided as in [1.6](a1_6_guidance.ipynb): the loop uses $\epsilon_u + \gamma\,(\epsilon_c - \epsilon_u)$ with $\gamma = 7$, where $\epsilon_u$ belongs to the empty prompt.
#
# Why may we add bands of noise? The two bands of $x_t$ add up to $x_t$. So by (N.2), $\hat x_0 = (x_t - \sqrt{1-\bar\alpha_t}\,\epsilon)/\sqrt{\bar\alpha_t}$, the sum (A.3) gives the same sum of the clean pictures: the coarse band of what the model sees with the far prompt, plus the fine band of what it sees with the near prompt. The guess of each step is a mixture again.
#
# In code, with `alone` for the two pictures and `low, high = bands(2.0)` for the two filters:
#
# ```python
# parts = [model.denoiser(far), model.denoiser(near)]
# blend = blended(parts, [low, high])  # low(eps_1) + high(eps_2), (A.3)
# denoise = guided(blend, model.denoiser(""), gamma=7)
# mixture = mixed(alone, 2.0)
# picture = sdedit(model, denoise, mixture, i_start, [seed], timesteps)
# ```
#
# `timesteps[i_start]` is 210. `hybrid(model, [far, near])` does the first three lines, and `hybrid_image` all of it.
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
# The paper and the coursework draw no pictures beforehand. They start from pure noise, and use (A.3) in all steps. We start from the mixture, since with our model that works better (counted below). With more and more noise on the mixture, we come from one to the other:

# %% mystnb={"figure": {"caption": "Two hybrids of {numref}`fig-a19-strip`: the mixture, what (A.3) makes of it from three timesteps on, and (A.3) from noise. $\\sigma = 2$, $\\gamma = 7$, seed 0.", "name": "fig-a19-merge"}, "image": {"alt": "Two rows of five. A frog's face in lines on a green apple with soft edges; from 210 on the green ends more sharply; from 390 on the frog's mouth is a line in the apple; from 570 on and from noise it is a green thing with many lines. A skull in lines on a blurred mushroom; the red gets edges, and the skull's lines move to the edges of the cap; from noise it is a red skull with white spots."}} tags=["hide-input"]
denoise = hybrid(model, pair)
starts = by_profile(full=[210, 390, 570], fast=[330])
columns = [mixtures] + [
    sdedit(model, denoise, mixtures, timesteps.index(t), seeds, timesteps)
    for t in starts
]
columns.append(generate(model, denoise, seeds, timesteps))
grid(
    [unit_range(row.clamp(-1, 1)) for row in torch.stack(columns, 1)],
    titles=["mixture", *[f"from $t = {t}$" for t in starts], "from noise"],
    size=1.25,
)

# %% [markdown]
# The colours of the mixture end in a haze. Merged from $t = 210$, they end more sharply, and the lines are where they were; we chose this timestep by eye. From $t = 570$ on the lines follow the colours: the mushroom gets an outline of its own, and the skull fades. From noise another skull comes, which the cap and its spots make up, and a frog with teeth.
#
# These two still work from noise. For most pairs (see the counts below) the near thing is lost. Here is such a pair, a coconut and a monkey:

# %% mystnb={"figure": {"caption": "What the model sees on the way, $\\hat x_0$ for the far prompt \"a coconut\" (above) and for the near prompt \"a monkey face with black outlines\" (below), each guided with $\\gamma = 7$. (A.3) from noise, $\\sigma = 2$, seed 0.", "name": "fig-a19-why"}, "image": {"alt": "Two rows of six. Above: half a coconut at all timesteps, at the end with many lines. Below: a monkey's face in colours at the first three timesteps; then rings surround the face, and from the fifth picture on it is a coconut with lines too."}} tags=["hide-input"]
both_prompts = ["a coconut", "a monkey face" + ending]
rng = generators([0])
x_T = unit_noise(model.shape, rng).to(model.device)
denoise = hybrid(model, both_prompts)
steps = [*trajectory(denoise, x_T, timesteps, model.schedule, generators=rng)]
on_the_way = {timesteps[0]: x_T} | {step.t: step.x for step in steps}


def seen(prompt, t):
    """The clean picture that the model sees with a prompt in the image at t."""
    eps = prompted(model, prompt)(on_the_way[t], t).eps
    return model.schedule.predict_x0(on_the_way[t], t, eps).cpu().clamp(-1, 1)


shown = by_profile(full=[990, 810, 690, 570, 390, 210], fast=[990, 330])
grid(
    [
        unit_range(torch.cat([seen(prompt, t) for t in shown]))
        for prompt in both_prompts
    ],
    titles=[f"$t = {t}$" for t in shown],
    labels=["far", "near"],
    size=1.15,
)

# %% [markdown]
# At first each prompt sees its own thing. But both look at the same image $x_t$. Large areas are settled early, lines late, since noise hides fine patterns longest ([1.1](a1_1_forward.ipynb)). And the large areas come from the far prompt. So when the lines are drawn, $x_t$ already has the areas of a coconut, and the near prompt sees them too: at $t = 570$ rings surround the monkey's face, and at 390 its guess is a coconut with lines. (It goes the other way, too: the coconut gets something like eyes. But the monkey is lost.) A mixture has the lines of the near thing from the start.
#
# **How often are both seen?** We chose 60 pairs by hand and drew one picture of each in each way. A vision-language model named all pictures on numbered sheets, without the prompts: first the far things, in blurred pictures, then the near things, in the pictures as they are. Two fresh runs named each sheet; they are the two **readers**.

# %% tags=["hide-input"]
named = measured["seen"]
ways = {
    "alone": "each thing alone",
    "mixture": "mixture",
    "210": "merged from t = 210 on",
    "390": "merged from t = 390 on",
    "990": "from noise",
}


def counts(way):
    """How many far things, near things and both: of the first and of the second reader."""
    far, near = named[way]["far"], named[way]["near"]
    both = [[*map(all, zip(*x, strict=True))] for x in zip(far, near, strict=True)]
    return [" / ".join(str(sum(x)) for x in kind) for kind in (far, near, both)]


table(
    [[name, *counts(way)] for way, name in ways.items()],
    ["", "far", "near", "both"],
    "In how many of 60 pairs the right thing was named, by the first reader / by the second. "
    "Far: in the picture blurred by 3 pixels, one name allowed. Near: in the picture as it is, two names allowed. Seed 0. From python -m benchmarks.hybrids.",
)

# %% tags=["remove-input"]
near_seen = {way: sum(map(sum, named[way]["near"])) for way in ways}
assert sorted(near_seen.values(), reverse=True) == [*near_seen.values()]
assert len(measured["pairs"]) == 60


def judged(way, which):
    """The share of far (0) or near (1) things that the judge names, of all pairs and seeds."""
    ranks = sum(measured["ranks"][way].values(), [])
    return f"{sum(rank[which] == 1 for rank in ranks) / len(ranks):.0%}"


both_seen = {way: counts(way)[2].replace(" / ", " and ") for way in ways}
assert both_seen["210"] == "36 and 29"  # seven apart
Markdown(
    f"Even alone, not every near thing is named; so more than {both_seen['alone']} of 60 cannot be expected of the hybrids. In the plain mixture both are named {both_seen['mixture']} times. Merged from $t = 210$ on, the colours end more sharply, and both are named {both_seen['210']} times: no more often, perhaps less. (The two readers differ by 7 on the same pictures.) With more noise the near thing is lost more and more often. From noise, both are named {both_seen['990']} times."
)

# %% mystnb={"code_prompt_show": "What the judge names"} tags=["remove-input", "hide-output"]
table(
    [
        ["each thing alone", judged("far", 0), judged("near", 1)],
        ["mixture", judged("mixture", 0), judged("mixture", 1)],
        *(
            [f"merged from t = {t} on", judged(t, 0), judged(t, 1)]
            for t in ("210", "390", "570", "780")
        ),
        ["from noise", judged("990", 0), judged("990", 1)],
    ],
    ["", "far", "near"],
    "How often the judge of chapter 1.5, a network that names drawings, names far in the blurred picture and near in the picture as it is; four seeds of each pair. "
    "It has learned drawings of a single thing.",
)

# %% [markdown]
# ## Where it fails
#
# Here is every tenth pair of the list, with how many of the two readers named it:

# %% mystnb={"figure": {"caption": "Every tenth pair (far / near) of the list in `benchmarks/hybrids.py`, seed 0: near alone; merged from $t = 210$ on, and the same blurred by 3 pixels; (A.3) from noise, and the same blurred. Above each picture: of two readers, how many named the near thing, in the blurred ones the far thing. $\\sigma = 2$, $\\gamma = 7$.", "name": "fig-a19-starts"}, "image": {"alt": "Five rows of six. Alone, in lines: a skull, a sunflower of many lines, a ball, a skull again, an owl of many lines, a patterned box. Merged: these lines on a panda, a sun, a cookie, a mushroom, a fire, a pink flower, which are what the blurred pictures show. From noise: a panda with a skull's nose, a spiky sun, a cookie with lines, a red and white skull, a fire, a pink flower; blurred, the same far things."}} tags=["hide-input"]
some = measured["pairs"][::10]
pair = [[called(a) for a, _ in some], [called(b) + ending for _, b in some]]
denoise, seeds = hybrid(model, pair), [0] * len(some)
alone = [generate(model, prompted(model, one), seeds, timesteps) for one in pair]
merged = sdedit(model, denoise, mixed(alone, 2.0), i_start, seeds, timesteps)
from_noise = generate(model, denoise, seeds, timesteps)
blurred = low_pass(3.0)
rows = [alone[1], merged, blurred(merged), from_noise, blurred(from_noise)]
labels = ["near alone", "merged", "blurred", "from noise", "blurred"]
titles = [f"{fill(a, 13)} /\n{fill(b, 13)}" for a, b in some]
asked = [
    ("alone", "near"),
    ("210", "near"),
    ("210", "far"),
    ("990", "near"),
    ("990", "far"),
]
fig, axes = plt.subplots(5, len(some), figsize=(6.2, 6.3), layout="compressed")
for line, row, label, (way, which) in zip(axes, rows, labels, asked, strict=True):
    for k, (ax, x) in enumerate(zip(line, row.clamp(-1, 1), strict=True)):
        hits = sum(reader[10 * k] for reader in named[way][which])
        above = f"{titles[k]}\n\n" if row is rows[0] else ""
        ax.imshow(unit_range(x).permute(1, 2, 0))
        ax.set_title(f"{above}{hits} of 2", fontsize=9, pad=3)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    line[0].set_ylabel(label, fontsize=10)
plt.show()


# %% tags=["remove-input"]
def readings(thing, way):
    """How often a near thing was named, and how often it was there, over its pairs and both readers."""
    places = [i for i, (_, near) in enumerate(measured["pairs"]) if near == thing]
    found = [reader[i] for reader in named[way]["near"] for i in places]
    return sum(found), len(found)


for thing in ("skull", "turtle", "crab", "snail"):
    assert readings(thing, "210")[0] == readings(thing, "210")[1]
for thing in ("owl", "wolf", "butterfly"):
    assert readings(thing, "210")[0] == 0
assert readings("owl", "alone")[0] == readings("owl", "alone")[1]
assert {readings(x, "210")[1] for x in ("turtle", "crab", "snail")} == {6}
assert readings("wolf", "210")[1] == readings("butterfly", "210")[1]
near = [thing for _, thing in measured["pairs"]]
found = {
    way: {
        x for x, *readers in zip(near, *named[way]["near"], strict=True) if all(readers)
    }
    for way in ("alone", "210", "990")
}
Markdown(
    f"**It depends on the near thing.** The 60 pairs have {len(set(near))} different near things. Of these, both readers named {len(found['alone'])} in at least one picture where they are drawn alone, {len(found['210'])} in a merged picture, and {len(found['990'])} in one from noise. In the merged pictures, both readers named the skull in all of its {readings('skull', '210')[1] // 2} pairs (drawn alone, it is the same skull each time), and the turtle, the crab and the snail in all of their {readings('snail', '210')[1] // 2} pairs each. "
    f"Neither ever named the owl ({readings('owl', '210')[1] // 2} pairs), the wolf or the butterfly ({readings('wolf', '210')[1] // 2} pairs each). "
    "Both named every owl where it is drawn alone. But there it has its own colours. They lie in the coarse band, which the hybrid takes from the far thing, and the lines alone seem not to say what it is."
)

# %% [markdown]
# **The width must fit.** Here are a panda (far) and a skull (near), with bands split at three widths:


# %% mystnb={"figure": {"caption": "A panda (far) and a skull (near), bands split at three widths $\\sigma$: as it is (above) and blurred by 3 pixels (below). Merged from $t = 210$ on, $\\gamma = 7$, seed 0.", "name": "fig-a19-wide"}, "image": {"alt": "Three pictures above, blurred versions below. On the left a plain panda; in the middle a skull in lines with the panda's grey ears; on the right a skull. Blurred, the first two are pandas, the last is a pale oval with two dark spots."}} tags=["hide-input"]
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
# At $\sigma = 0.5$ nearly everything lies in the coarse band, and there is only a panda. At $\sigma = 8$ the coarse band holds only broad areas of colour, and the blurred picture is no panda any more. At $\sigma = 2$, the coursework's width, one sees a skull with grey ears, and blurred a panda. We tried no other widths here.
#
# ## Other filters
#
# Two blurs make three bands, for three prompts (folded):

# %% mystnb={"code_prompt_show": "Show a triple hybrid", "figure": {"caption": "A triple hybrid, \"a halloween pumpkin\" (coarse), \"a panda\" (middle) and \"a skull with black outlines\" (fine), and the same picture blurred by 1.5 and by 4 pixels, the widths at which the bands are split. The panda is hard to find. Merged from $t = 210$ on, $\\gamma = 7$, seed 0.", "name": "fig-a19-triple"}, "image": {"alt": "A skull in dark lines on orange; blurred a little, a face with dark eyes and a dark mouth; blurred much, an orange disc with three dark spots."}} tags=["hide-output", "remove-input"]
things = ["a halloween pumpkin", "a panda", "a skull" + ending]
triple = hybrid_image(model, things, [0], **both | {"sigmas": (4.0, 1.5)})
triple = triple.clamp(-1, 1)
views = torch.cat([triple, low_pass(1.5)(triple), low_pass(4.0)(triple)])
grid([unit_range(views)], titles=["as it is", "blurred by 1.5", "by 4"], size=1.6)

# %% [markdown]
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
# In these three, which we chose, the first prompt draws the thing, though of the ball only a part is in the frame. The second paints it. We did not count how often that works. They start from noise. That works here, perhaps since a colour can follow the outline that is there.
#
# ## Try it
#
# 1. **More noise.** In the call of `hybrid_image` for {numref}`fig-a19-strip`, write `**both | {"i_start": 10})` for `**both)`, and run the cell again: the mixtures are then merged from $t = 690$ on. Which of frog, skull and snail can you still find?
# 2. **A pair of your own.** Add a cell with
#    ```python
#    pair = ["a cookie", "a turtle with black outlines"]  # far, near
#    mine = hybrid_image(model, pair, range(8), **both)
#    grid([unit_range(mine), unit_range(blurred(mine))])
#    ```
#    Compare a near thing that lines alone can show, such as a snail, with one that they cannot, such as an owl.
#
# ```{dropdown} What we got
# 1. The frog. The mushroom and the lemon have lines of their own now, and skull and snail are lost.
# 2. A turtle in lines in each, and blurred a cookie.
# ```
