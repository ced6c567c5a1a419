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
# # 1.7.3 Text-conditional image to image
#
# Can a text turn a picture into another thing? **Yes. Two forces act: the picture, through what the noise leaves of
# it, and the prompt, through guidance. For some pairs there is a mixture in between.**

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

import matplotlib.pyplot as plt
import numpy as np
import torch

from diffusion_utils.emoji64.captions import called
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import held_out, load_evaluator
from diffusion_utils.files import ROOT
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.tasks import generate, noised, prompted, sdedit
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
starts = by_profile(full=[18, 16, 14, 12, 10, 7], fast=[2, 0])

# %% mystnb={"figure": {"caption": "Two pictures (left). To the right of each, for six starts $t$: above, the picture with the noise of $t$; below, what the loop makes of it with a prompt that names another thing. $\\gamma = 7$, seed 0.", "name": "fig-a173-mixtures"}, "image": {"alt": "Two pictures, each with a row of ever noisier copies and a row of results. From left to right a mushroom becomes an umbrella, and a sailboat a volcano."}} tags=["hide-input"]
pairs = [("mushroom", "an umbrella"), ("sailboat", "a volcano")]


def towards(pairs):
    """Each picture, noised to each start (B, 7, 3, 64, 64), and what comes of it."""
    images = torch.stack([shipped_image(name) for name, _ in pairs])
    denoise = prompted(model, [prompt for _, prompt in pairs], gamma=7.0)
    seeds = [0] * len(pairs)
    noisy, results = [images], [torch.ones_like(images)]  # a blank below the picture
    for i in starts:
        noisy.append(noised(model, images, i, seeds, timesteps)[0].cpu())
        results.append(sdedit(model, denoise, images, i, seeds, timesteps))
    return torch.stack(noisy, 1), torch.stack(results, 1)


titles = ["picture"] + [f"$t={timesteps[i]}$" for i in starts]
noisy, changed = towards(pairs)
rows = torch.stack([noisy, changed], 1).flatten(0, 1)
labels = [label for _, prompt in pairs for label in ("$x_t$", f'"{prompt}"')]
grid(unit_range(rows), titles, labels, size=1.0)

# %% [markdown]
# ## The idea
#
# The method is that of [1.7](a1_7_image_to_image.ipynb), but the prompt names another thing.
#
# * **The picture** enters once, at the start, through what can still be seen of it in $x_t$.
# * **The prompt** acts in every step, through guidance (N.6).
#
# Noise is equally strong in wide and narrow patterns, a picture is strong in the wide ones ([1.1](a1_1_forward.ipynb)). So at $t = 570$ areas of colour and an outline still show through the noise, and the result stays near them. The details drown, and the model draws those of the prompt's thing.
#
# Five seeds, and the same without a picture (`sdedit` is the method, `timesteps[i_start]` the start $t$):

# %% tags=["remove-cell"]
i_start = by_profile(full=12, fast=2)

# %%
mushroom = shipped_image("mushroom")
umbrella = prompted(model, "an umbrella", gamma=7.0)
seeds = range(5)
mixed = sdedit(model, umbrella, mushroom, i_start, seeds, timesteps)
alone = generate(model, umbrella, seeds, timesteps)

# %% mystnb={"figure": {"caption": "Above: the mushroom towards \"an umbrella\" from $t = 630$ (`i_start` = 12). Below: \"an umbrella\" from pure noise, without the mushroom. $\\gamma = 7$; each column has one seed.", "name": "fig-a173-seeds"}, "image": {"alt": "Two rows of five pictures. Above, five pink umbrellas with handles from yellow to dark brown, two of them with two strands; below, purple umbrellas with a dark hook for a handle, that of seed 1 with two strands."}} tags=["hide-input"]
grid(
    [unit_range(mixed), unit_range(alone)],
    titles=[f"seed {s}" for s in seeds],
    labels=["from the\nmushroom", "from\nnoise"],
    size=1.1,
)

# %% [markdown]
# ## What you see
#
# In {numref}`fig-a173-mixtures` the picture's shape and colours stay on the left, and the prompt wins on the right. Between them both pairs have **mixtures**, with something of both things: the stem of the mushroom becomes a loop, then a hook; the
# water becomes a blue mountain, and orange fire stands where the red sail was.
#
# In {numref}`fig-a173-seeds` the umbrellas made from the mushroom are pink, those made from noise purple: the pink comes from the mushroom.
#
# Start and guidance together:

# %% mystnb={"figure": {"caption": "The mushroom towards \"an umbrella\", for three starts $t$ and three guidance scales $\\gamma$; seed 0.", "name": "fig-a173-grid"}, "image": {"alt": "Three rows of three results. At 510 the stem is thick in all. At 690 a red cap stands on a straight stem at gamma 1, a pink umbrella has a hook at gamma 7, and at gamma 15 the umbrella is purple."}} tags=["hide-input"]
chosen, gammas = by_profile(full=[16, 12, 10], fast=[2]), (1, 7, 15)
places = [1 + starts.index(i) for i in chosen]
rows = {7: changed[0, places]}  # drawn above
for gamma in (1, 15):
    asked = prompted(model, "an umbrella", gamma)
    results = [sdedit(model, asked, mushroom, i, [0], timesteps) for i in chosen]
    rows[gamma] = torch.cat(results)
grid(
    [unit_range(rows[gamma]) for gamma in gammas],
    titles=[f"$t={timesteps[i]}$" for i in chosen],
    labels=[rf"$\gamma={gamma}$" for gamma in gammas],
    size=1.0,
)

# %% [markdown]
# A larger $\gamma$ pulls towards the prompt, as a larger $t$ does. At $t = 690$ there is a red cap with $\gamma = 1$, and a purple umbrella with 15. At $t = 510$ even $\gamma = 15$ keeps the thick stem.
#
# ## Mushroom, umbrella or neither?
#
# What does the judge of [1.5](a1_5_sampling.ipynb) call the results?

# %% mystnb={"figure": {"caption": "The first of the judge's 508 names for the mushroom towards \"an umbrella\", at each start $t$: shares of 16 seeds, for three guidance scales. From `python -m benchmarks.edits`.", "name": "fig-a173-judge"}, "image": {"alt": "Three panels of three areas against the start from 330 to 780: mushroom, neither, umbrella. With gamma 1 mushroom fills the panel up to 390, and umbrella most of it only at 780. With gamma 3 umbrella has most from 630 on, with gamma 7 from 570 on; there neither has most up to 510."}} tags=["hide-input"]
edits = json.loads((ROOT / "benchmarks/results/edits.json").read_text())


def shares(ranks):
    """Of places (n, 2) of both names: how often the first, the second, neither is 1."""
    first, second = (np.array(ranks) == 1).mean(0)
    return first, second, 1 - first - second


fig, axes = plt.subplots(1, 3, figsize=(7, 2.1), sharey=True, layout="constrained")
for ax, gamma in zip(axes, (1, 3, 7), strict=True):
    (row,) = [
        r for r in edits["forces"] if r["to"] == "umbrella" and r["gamma"] == gamma
    ]
    at = [t for t in row if t.isdigit()]
    first, second, neither = np.transpose([shares(row[t]) for t in at])
    ax.stackplot(
        [int(t) for t in at],
        [first, neither, second],
        labels=["mushroom", "neither", "umbrella"],
        colors=["C3", "lightgrey", "C4"],
    )
    ax.set(title=rf"$\gamma = {gamma}$", xlabel="start $t$", xlim=(330, 780))
axes[0].set(ylabel="share of seeds", ylim=(0, 1))
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")
plt.show()

# %% [markdown]
# Here the umbrella wins at a smaller start when $\gamma$ is larger. With $\gamma = 7$ most results up to $t = 510$ are **neither**. What does the judge call them?

# %% mystnb={"figure": {"caption": "The first six of the 16 seeds at $t = 510$ with $\\gamma = 7$. Above each: the judge's first name.", "name": "fig-a173-neither"}, "image": {"alt": "Six reddish caps on thick stems, most with one pale spot. The first two are called umbrella, the third brown mushroom, the other three croissant."}} tags=["hide-input"]
judge, known, _ = load_evaluator()
i_510 = by_profile(full=16, fast=2)
some = sdedit(model, umbrella, mushroom, i_510, range(6), timesteps).clamp(-1, 1)
fig, axes = plt.subplots(1, 6, figsize=(7, 1.6), layout="constrained")
for ax, image, i in zip(
    axes, unit_range(some), judge(some.cpu()).argmax(1), strict=True
):
    ax.imshow(image.permute(1, 2, 0))
    ax.set_title(known[i].replace(" ", "\n"), fontsize=10)
    ax.axis("off")
plt.show()

# %% [markdown]
# Most often it says croissant. At most one pale spot is left, and no handle has come yet.
#
# ## Does a similar outline help?
#
# We redraw the 127 drawings of [1.7](a1_7_image_to_image.ipynb) as other things. The **overlap** of two outlines is the area that both cover, divided by the area that either covers.

# %% mystnb={"figure": {"caption": "127 drawings, each redrawn with three other names: of like, middle and unlike outline. Left: the drawing whose overlaps (the numbers) are nearest to the means of the curves, what it is to become, and three results. Right: the share of pairs for which the judge's first name is the new one; standard errors are at most 0.045. $\\gamma = 7$, one seed a pair. From `python -m benchmarks.edits`.", "name": "fig-a173-outlines"}, "image": {"alt": "Left, three rows that begin with a glass with a drink. Towards an owl, which is there at 690; towards an envelope, a bag at 690 and a flat grey box at 780; towards a crocodile, green and red pieces at 690 and a crooked green animal at 780. Right, three rising curves against the start from 330 to 780, all near 0 at 330. The one of like outlines is highest and reaches 0.78, the middle one 0.73, the one of unlike outlines 0.45."}} tags=["hide-input"]
rows = edits["outlines"]["rows"]
kinds = ("like", "middle", "unlike")
pairs_of = {k: [row for row in rows if row["kind"] == k] for k in kinds}
overlap = {k: np.mean([row["overlap"] for row in pairs_of[k]]) for k in kinds}
at = [t for t in rows[0] if t.isdigit()]
ranks = {k: np.array([[row[t] for t in at] for row in pairs_of[k]]) for k in kinds}
off = sum(
    abs(np.array([r["overlap"] for r in pairs_of[k]]) - overlap[k]) for k in kinds
)
three = [pairs_of[k][off.argmin()] for k in kinds]  # one drawing, three new names

drawings, names = held_out(emoji())[0], emoji().names
before, after = (
    drawings[[names.index(row[end]) for row in three]] for end in ("of", "to")
)
asked = prompted(model, [called(row["to"]) for row in three], 7)
seeds = [rows.index(row) for row in three]
few = by_profile(full=[14, 10, 7], fast=[2, 0])
results = [sdedit(model, asked, before, i, seeds, timesteps) for i in few]

fig = plt.figure(figsize=(7, 2.7), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[5, 4])
axes = left.subplots(3, 2 + len(few))
titles = ["drawing", "to be", *(f"$t={timesteps[i]}$" for i in few)]
for column, images in enumerate([before, after, *results]):
    axes[0, column].set_title(titles[column], fontsize=8)
    for ax, image in zip(axes[:, column], unit_range(images), strict=True):
        ax.imshow(image.clamp(0, 1).permute(1, 2, 0))
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
for ax, row in zip(axes[:, 0], three, strict=True):
    ax.set_ylabel(f"{row['kind']}\n{row['overlap']:.2f}", fontsize=8)
curve = right.subplots()
for kind in kinds:
    new = (ranks[kind][..., 1] == 1).mean(0)
    curve.plot([int(t) for t in at], new, ".-", label=kind)
curve.set(xlabel="start $t$", ylabel="new name is first", ylim=(0, 1))
curve.legend()
plt.show()

# %% tags=["remove-input"]
table(
    [
        [
            kind,
            f"{overlap[kind]:.2f}",
            f"{(ranks[kind][:, at.index('690'), 1] == 1).mean():.0%}",
            f"{(ranks[kind] <= 5).all(2).mean(0).max():.0%}",
        ]
        for kind in kinds
    ],
    ["outlines", "mean overlap", "new name first", "both names in the first five"],
    "Shares of 127 pairs: the new name first at t = 690, and both names among "
    "the judge's first five, at the start where that is most frequent.",
)

# %% [markdown]
# Redrawing succeeds earlier between things of like outline. At $t = 690$ the drink is an owl, but no crocodile yet. Such things can be alike in colour too; we did not separate these.
#
# ## The coursework's prompts

# %% mystnb={"figure": {"caption": "The coursework's rows: three pictures (left), its three prompts and its six starts, `i_start` = 20, 10, 7, 5, 3, 1. $\\gamma = 7$, seed 0.", "name": "fig-a173-prompts"}, "image": {"alt": "Three rows that begin with a sailboat, a mushroom and a cactus and end with a rocket, a broccoli and a ninja."}} tags=["hide-input"]
six = by_profile(full=[20, 10, 7, 5, 3, 1], fast=[2, 0])
names = ["sailboat", "mushroom", "cactus"]
prompts = ["a rocket ship", "a broccoli", "a ninja"]
images = torch.stack([shipped_image(name) for name in names])
denoise = prompted(model, prompts, gamma=7.0)
results = [sdedit(model, denoise, images, i, [0] * 3, timesteps) for i in six]
grid(
    unit_range(torch.stack([images, *results], 1)),
    titles=["picture"] + [f"$t={timesteps[i]}$" for i in six],
    labels=[f'"{prompt}"' for prompt in prompts],
    size=1.0,
)

# %% [markdown]
# At most of these starts the prompt wins. But at 900 and 960 the broccoli is worse than at 780: two dark heads, with a yellow stalk like an arm and a hand.
#
# ## Where it fails
#
# **The judge rarely recognises both.** Even of like outlines, few pairs ever have both names among its first five (last column of the table).
#
# Later methods keep the layout in other ways, for example prompt-to-prompt {cite:p}`hertz2022` and InstructPix2Pix {cite:p}`brooks2023`.
#
# ## Try it
#
# * **Other pairs.** Set `pairs = [("mushroom", "a jellyfish"), ("sailboat", "a shark"), ("cactus", "a robot")]` in the code of {numref}`fig-a173-mixtures`. Which of them mix?
