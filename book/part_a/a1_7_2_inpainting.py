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
# # 1.7.2 Inpainting
#
# Can we cut a hole into a picture, say what should be in it, and keep the rest as it is? **Yes: after each step of the loop, put the given picture back outside the hole. The rest stays, but for a trace of noise. What comes into the hole is what the prompt names, but it does not always fit the rest.**

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

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown

from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.diagrams import storyboard
from diffusion_utils.files import ROOT
from diffusion_utils.pictures import HOLES, hole, shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import (
    free,
    generators,
    keep_outside,
    last,
    resampled,
    trajectory,
    unit_noise,
)
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import comparison, grid, table, unit_range
from diffusion_utils.tasks import generate, inpaint, prompted
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% mystnb={"figure": {"caption": "Three columns are given: a mushroom, the mask $m$, white where something new may appear, and the mushroom with that hole (grey). The others are results, each row with its prompt. $\\gamma = 3$.", "name": "fig-a172-prompts"}, "image": {"alt": "Three rows: a mushroom, a white rectangle on black, the mushroom without its cap; then its stem three times under the crown of a tree, under palm leaves, and under a purple umbrella."}} tags=["hide-input"]
mushroom, mask = shipped_image("mushroom"), hole(*HOLES["mushroom"])
prompts = ["a tree", "a palm tree", "an umbrella"]
seeds = range(3)
filled = [
    inpaint(
        model, prompted(model, prompt, 3), mushroom, mask, seeds, timesteps=timesteps
    )
    for prompt in prompts
]
given = torch.stack([mushroom, 2 * mask.expand_as(mushroom) - 1, mushroom * (1 - mask)])
left = [given, *[torch.ones_like(given)] * (len(prompts) - 1)]  # given once
grid(
    [unit_range(torch.cat(row)) for row in zip(left, filled, strict=True)],
    titles=["picture", "mask $m$", "hole"] + [f"seed {k}" for k in seeds],
    labels=prompts,
    size=1.1,
)

# %% tags=["remove-cell"]
for results in filled:
    assert ((results - mushroom) * (1 - mask)).abs().max() < 0.1

# %% [markdown]
# ```{live} inpaint
# ```

# %% [markdown]
# ## The idea
#
# Let the model draw the whole picture from pure noise. After every step, overwrite what lies outside the hole with the given picture, under as much noise as the step has left. Why with noise? The network has learned from pictures with the same noise everywhere, and expects that.
#
# $$ x_{t'} \leftarrow m\, x_{t'} + (1 - m)\left(\sqrt{\bar\alpha_{t'}}\, x_0 + \sqrt{1-\bar\alpha_{t'}}\,\epsilon\right) \tag{A.1} $$
#
# * $m$ is the **mask**: 1 where something new may appear, 0 where the picture stays. It multiplies pixel by pixel.
# * $t'$ is the timestep after the step from $t$, with less noise. $x_{t'}$ on the right is what the step has made; on the left it is what the next step gets.
# * $x_0$ is the given picture. The bracket is the forward process (N.1).
# * $\epsilon$ is noise, drawn anew after each step. After the last step, at $t = 0$, its factor is below 0.01: a trace of noise stays on the picture.

# %% mystnb={"figure": {"caption": "One step of inpainting, from $t = 750$ to 720. Above, the model's step; below, the given picture with as much noise; the mask takes the hole from above and the rest from below. \"A tree\" of {numref}`fig-a172-prompts`, seed 0.", "name": "fig-a172-step"}, "image": {"alt": "A diagram of seven pictures with arrows. Above: a noisy picture, an arrow named denoise one step, a less noisy picture, times m, the inside of the hole. Below: the mushroom, an arrow named add noise, the noisy mushroom, times one minus m, the surroundings. Both lead to the sum on the right."}} tags=["hide-input"]
k = by_profile(full=8, fast=1)
t, t_next = timesteps[k : k + 2]
asked = prompted(model, "a tree", 3)
x_0, m = mushroom[None].to(model.device), mask[None].to(model.device)
rng = generators([0])
known = keep_outside(m, x_0, model.schedule, rng)
x = unit_noise(model.shape, rng).to(model.device)
*_, until = trajectory(
    asked, x, timesteps[: k + 1], model.schedule, generators=rng, constrain=known
)
(step,) = trajectory(asked, until.x, [t, t_next], model.schedule, generators=rng)
eps = unit_noise(model.shape, rng).to(model.device)
around = model.schedule.forward(x_0, t_next, eps)

above, below, right, end = 1.4, 0, 2.1, (6.0, 0.7)
pictures = {
    (0, above): (until.x, f"$x_{{{t}}}$"),
    (right, above): (step.x, f"$x_{{{t_next}}}$"),
    (2 * right, above): (m * step.x, f"$m\\,x_{{{t_next}}}$"),
    (0, below): (x_0, "$x_0$"),
    (right, below): (around, f"$x_0$ at $t={t_next}$"),
    (2 * right, below): ((1 - m) * around, "$(1-m)\\,(...)$"),
    end: (m * step.x + (1 - m) * around, f"new $x_{{{t_next}}}$"),
}
arrows = [
    ((0, above), (right, above), "denoise\none step"),
    ((right, above), (2 * right, above), "keep the hole"),
    ((2 * right, above), end, ""),
    ((0, below), (right, below), "add noise"),
    ((right, below), (2 * right, below), "keep the rest"),
    ((2 * right, below), end, ""),
]
storyboard({at: (unit_range(x), title) for at, (x, title) in pictures.items()}, arrows)

# %% [markdown]
# The loop calls a function after each step; its last line is the formula:
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: keep_outside
# :start-at: def constrain
# :lines: 1-3
# :dedent:
# ```
#
# Here `t` stands for $t'$, `image` is $x_0$, and $\epsilon$ is drawn from `generators`.
#
# ## Why not simply paste at the end?
#
# One could copy the surroundings over a finished mushroom. Or put them back in each step, but without noise:

# %% mystnb={"figure": {"caption": "Given is the mushroom with a smaller hole (left). Above, the surroundings are pasted over a finished drawing; in the middle, after every step, but without noise; below, after every step, by (A.1). \"A mushroom\", $\\gamma = 3$, seeds 0 and 1.", "name": "fig-a172-paste"}, "image": {"alt": "On the left, twice, a mushroom with a hole in its cap. Beside it three rows of two: above, the hole holds a rectangle out of another mushroom, with white spots; in the middle, red with a white spot, into which two pink spots go on from outside; below, the red goes on in the hole, with pale spots of its own."}} tags=["hide-input"]
inside, same = hole(18, 10, 46, 34), prompted(model, "a mushroom", 3)
drawn = generate(model, same, seeds[:2], timesteps)
pasted = inside * drawn + (1 - inside) * mushroom


def put_back(x, t):
    return inside * x + (1 - inside) * mushroom


rng = generators(seeds[:2])
x_T = unit_noise(model.shape, rng)
options = {"generators": rng, "constrain": put_back}
clean = last(trajectory(same, x_T, timesteps, model.schedule, **options))
fitted = inpaint(model, same, mushroom, inside, seeds[:2], timesteps=timesteps)
grid(
    [
        unit_range(torch.cat([mushroom[None] * (1 - inside), results]))
        for results in (pasted, clean, fitted)
    ],
    titles=["given", "seed 0", "seed 1"],
    labels=["pasted at\nthe end", "every step,\nno noise", "every step,\n(A.1)"],
    size=1.3,
)

# %% [markdown]
# Above, the drawing knows nothing of the given cap, so a rectangle of another mushroom remains. Below, the cap is there, under the noise that the network expects, when it guesses the whole picture. So its red goes on into the hole, and not another one. But the spots do not fit those around it, and the edge of the hole can still be seen.
#
# In the middle row the cap is there without noise. The network has never learned from pictures that are noisy in a hole only. All the same it does well here: pink comes into the hole from above, and fewer edges show. Two seeds of one picture decide nothing; the toy below says why it may help.
#
# ## What you see
#
# Each filling in {numref}`fig-a172-prompts` belongs to the thing that the prompt names. The stem becomes the trunk of the tree; the palms and umbrellas bring a trunk or handle of their own.

# %% mystnb={"figure": {"caption": "The mushroom before and after; move the slider. \"A tree\", $\\gamma = 3$, seed 0.", "name": "fig-a172-slider"}} tags=["hide-input"]
comparison(
    unit_range(mushroom[None]),
    unit_range(filled[0][:1]),
    captions=("original", "inpainted"),
    alt="A mushroom, and the same stem with the crown of a tree.",
)

# %% [markdown]
# ## What (A.1) gets wrong
#
# Even with a perfect network, (A.1) makes some fillings come too often, others too seldom. A toy shows it. Its pictures are two pixels, each white ($1$) or black ($-1$), and both the same in nine of ten pictures. For the perfect network we have a formula. We give the first pixel, white, and let (A.1) fill the second. It should be white in 90 %. As a control the loop draws both pixels, without (A.1):


# %% tags=["hide-input"]
def perfect(x_t, t):
    """The best estimate of the noise in columns of two pixels: (1, 1, 2, N) -> same."""
    alpha_bar = model.schedule.at(t, x_t)
    alone = alpha_bar.sqrt() * x_t / (1 - alpha_bar)  # what each pixel says itself
    other = (0.8 * alone.flip(2).tanh()).atanh()  # 0.8: alike less unlike
    x0_hat = (alone + other).tanh()
    return NoiseEstimate((x_t - alpha_bar.sqrt() * x0_hat) / (1 - alpha_bar).sqrt())


def toy(n, way="(A.1)", columns=4000):
    """How many columns end alike, if each step is taken n times."""
    rng, second = generators([0]), torch.tensor([0.0, 1.0])[:, None]
    known = keep_outside(second, torch.ones(1, 1, 2, columns), model.schedule, rng)
    x_T, path = unit_noise((1, 2, columns), rng), resampled(timesteps, n)
    ways = {
        "(A.1)": known,
        "no noise": lambda x, t: second * x + (1 - second),
        "not given": free,
    }
    options = {"generators": rng, "constrain": ways[way]}
    *_, end = trajectory(perfect, x_T, path, model.schedule, **options)
    return f"{(end.x[0, 0].prod(0) > 0).float().mean():.0%}"


once_white = toy(1)
print(f"white with (A.1): {once_white}; exact: 90%")
print(f"white with the first pixel given without noise: {toy(1, 'no noise')}")
print(f"control, both drawn, both the same: {toy(1, 'not given')}")

# %% [markdown]
# So giving the pixel in this way is the cause, not the loop. In the loop without it, the two pixels settle together: each can give way to the other. With (A.1) only the second can give way, for the first is overwritten. And early, when the second has to choose, noise hides the first. So it chooses partly by chance. When the first shows clearly, the second has settled. Without noise the first can be seen from the start. That helps the toy, as it helped the mushroom, but it is not exact either: the network takes the clean pixel for a noisy one.
#
# ## Taking each step several times
#
# RePaint {cite:p}`lugmayr2022` lets the hole choose again. After a step it adds noise to the whole picture until it is at $t$ again, and takes the step once more. So the hole can still change while the surroundings begin to show:
#
# $$ x_t = \sqrt{\alpha}\, x_{t'} + \sqrt{1 - \alpha}\, z, \qquad \alpha = \bar\alpha_t / \bar\alpha_{t'} \tag{N.7} $$
#
# Here $z$ is fresh noise, and $\alpha$ says how much of $x_{t'}$ is kept. In the code $t'$ is `t_prev`.
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.renoise
# :lines: 1,6-
# :dedent:
# ```
#
# Let $n$ be how often each step is taken. With $n = 1$ the timesteps only fall; with larger $n$ they zigzag:

# %% mystnb={"figure": {"caption": "The timesteps of the first four steps, each taken once, twice and four times. Blue: a step of the loop. Orange: noise is added (N.7).", "name": "fig-a172-zigzag"}, "image": {"alt": "Three panels of t. On the left it falls in four steps; in the other two it falls, rises and falls again before each further step."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 3, figsize=(7, 2.2), sharey=True, layout="constrained")
for ax, n in zip(axes, (1, 2, 4), strict=True):
    path = resampled(strided_timesteps(990, 30), n)[: 1 + 4 * (2 * n - 1)]
    for k, (t, t_next) in enumerate(zip(path, path[1:], strict=False)):
        color = "C0" if t_next < t else "C1"
        ax.plot([k, k + 1], [t, t_next], "o-", color=color, ms=3)
    ax.set(title=f"$n={n}$", xlabel="moves")
axes[0].set(ylabel="$t$")
plt.show()

# %% [markdown]
# In code the list of timesteps changes; $n$ is `times`. Where it rises, the loop calls `renoise` in place of a step.
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: resampled
# :start-at: path =
# :dedent:
# ```
#
# In the toy this brings the second pixel close to 90 %:

# %% tags=["remove-input"]
often = [4, 16, 32]
table(
    [["white", once_white, *map(toy, often), "90%"]],
    ["", *(f"n = {n}" for n in [1, *often]), "exact"],
    "How often the toy's second pixel is white. 4000 pictures, seed 0.",
)

# %% mystnb={"figure": {"caption": "Each step is taken once or four times (the last one always once). Below $n$: how often the guided denoiser is called. \"A palm tree\" and \"a mushroom\", $\\gamma = 3$, seed 0.", "name": "fig-a172-repaint"}, "image": {"alt": "Two rows: a picture, its hole, and the filling at n = 1 and n = 4. The trunk of a palm goes from pink to light brown, like the stem below; in a red cap a yellow spot gives way to a blurred pink patch."}} tags=["hide-input"]
images = torch.stack([mushroom, mushroom])
masks = torch.stack([mask, inside])
named = prompted(model, ["a palm tree", "a mushroom"], 3)
n = by_profile(full=4, fast=2)
often = inpaint(model, named, images, masks, [0] * 2, n, timesteps)
once = torch.stack([filled[1][0], fitted[0]])  # drawn above
calls = n * (len(timesteps) - 2) + 1  # the last step once
grid(
    unit_range(torch.stack([images, images * (1 - masks), once, often], 1)),
    titles=[
        "picture",
        "hole",
        f"$n=1$\n{len(timesteps) - 1} calls",
        f"$n={n}$\n{calls} calls",
    ],
    labels=["palm\ntree", "mushroom"],
    size=1.3,
)

# %% tags=["remove-cell"]
assert calls == (np.diff(resampled(timesteps, n)) < 0).sum()

# %% [markdown]
# With $n = 4$ the trunk of the palm is light brown, like the stem. The yellow spot in the cap is gone, but the new patch is blurred and pale.
#
# Does repeating help with drawings, too? One measure is the **seam**, the mean difference of neighbouring pixels across the border of the hole, divided by that elsewhere in the picture. At 1 the border does not stand out. The other measure is whether the judge of [1.5](a1_5_sampling.ipynb) has the right name among its first five. (The network learned from these drawings and may recall them; the judge learned from other styles.)

# %% mystnb={"figure": {"caption": "Training drawings with a hole, filled with each of two prompts; each step taken $n$ times. Left: the seam, mean and standard error. Right: the share with the right name among the judge's first five of 508, and its standard error. Dashed: the drawings as they are. Dotted, on the right only: with the hole left white. $\\gamma = 3$, seed 0. From `python -m benchmarks.inpainting`.", "name": "fig-a172-seams"}, "image": {"alt": "Two panels against n = 1, 2, 4, 8, each with a curve for each prompt. Left, the seam falls for both, steeply at first for the photo prompt, and stays above the dashed line. Right, with the name about nine in ten are named, a little above the dashed line; with the photo prompt between a half and two thirds, still more than with a white hole."}} tags=["hide-input"]
found = json.loads((ROOT / "benchmarks/results/inpainting.json").read_text())


def share(row):
    """The share of drawings whose name is among the judge's first five."""
    return (np.array(row["rank"]) <= 5).mean()


fig, axes = plt.subplots(1, 2, figsize=(7, 2.5), layout="constrained")
for prompt, label in {"name": "its name", "photo": f'"{found["photo"]}"'}.items():
    rows = [row for row in found["rows"] if row["prompt"] == prompt]
    times = [row["times"] for row in rows]
    means = [np.mean(row["seam"]) for row in rows]
    errors = [np.std(row["seam"], ddof=1) / len(row["seam"]) ** 0.5 for row in rows]
    axes[0].errorbar(times, means, errors, marker="o", capsize=3, label=label)
    shares = np.array([share(row) for row in rows])
    errors = np.sqrt(shares * (1 - shares) / len(found["names"]))
    axes[1].errorbar(times, shares, errors, marker="o", capsize=3, label=label)
axes[0].axhline(np.mean(found["as it is"]["seam"]), ls="--", color="grey")
axes[1].axhline(share(found["as it is"]), ls="--", color="grey")
axes[1].axhline(share(found["white hole"]), ls=":", color="grey")
for ax, title in zip(axes, ("seam", "named in five"), strict=True):
    ax.set(title=title, xlabel="$n$", xscale="log", ylim=(0, None))
    ax.set_xticks(times, times)
    ax.minorticks_off()
axes[1].set(ylim=(0, 1))
axes[0].legend()
plt.show()
left, top, right, bottom = found["hole"]
print(f"{len(found['names'])} drawings; hole {right - left}x{bottom - top} of 64x64.")

# %% tags=["remove-cell"]
with_name = [share(row) for row in found["rows"] if row["prompt"] == "name"]
assert min(with_name) > share(found["as it is"])

# %% tags=["remove-input"]
seams, shares = (
    {
        p: [measured(r) for r in found["rows"] if r["prompt"] == p]
        for p in ("name", "photo")
    }
    for measured in (lambda row: np.mean(row["seam"]), share)
)
off = round(100 * np.sqrt(0.25 / len(found["names"])))
Markdown(
    f'**Repeating makes the seam smaller:** with "a high quality photo" from {seams["photo"][0]:.1f} to {seams["photo"][-1]:.1f}, '
    f"with the name from {seams['name'][0]:.1f} to {seams['name'][-1]:.1f} (the drawings as they are: {np.mean(found['as it is']['seam']):.1f}). A part of this may be blur: the patch in the cap above still shows.\n\n"
    f'**Repeating does not replace the name.** With "a high quality photo" the judge names {", ".join(f"{s:.0%}" for s in shares["photo"])} for $n = 1, 2, 4, 8$, each ± {off} points: no clear rise. '
    f"With the name it is {min(shares['name']):.0%} or more from $n = 1$ on. Of the drawings as they are it names {share(found['as it is']):.0%}: so a filling is named more often than the real thing, perhaps since it looks more like what the judge has learned."
)

# %% [markdown]
# ## Where it fails
#
# **The border shows.** In {numref}`fig-a172-prompts` the trees end in a straight line where the hole ends. The palms have reddish trunks over a beige stem.
#
# **Without a name it is worse.** In each row only the prompt changes:

# %% mystnb={"figure": {"caption": "Three columns are given. The others are results with $n = 1$: with the name as the prompt, and with the coursework's. $\\gamma = 3$.", "name": "fig-a172-single"}, "image": {"alt": "Three rows: sailboat, mushroom and cactus; a white rectangle; the picture with a grey hole; filled with its name: a yellow sail on white, a red cap with white spots, a green stem with arms; filled with the photo prompt: an orange lump, a grey shape with legs, a green top."}} tags=["hide-input"]
names = list(HOLES)
images = torch.stack([shipped_image(name) for name in names])
masks = torch.stack([hole(*corners) for corners in HOLES.values()])
asked = [f"a {name}" for name in names], ["a high quality photo"] * 3
results = [
    inpaint(model, prompted(model, p, 3), images, masks, seeds, timesteps=timesteps)
    for p in asked
]
columns = [unit_range(images), masks.expand_as(images)]
columns += [unit_range(x) for x in (images * (1 - masks), *results)]
grid(
    torch.stack(columns, 1),
    titles=["picture", "mask $m$", "hole", "its name", '"a high\nquality photo"'],
    labels=[f"{name}\nseed {k}" for name, k in zip(names, seeds, strict=True)],
    size=1.3,
)

# %% [markdown]
# With their names, the mushroom gets a cap with spots and the cactus a stem with arms. The sailboat fails with its name, too: a yellow cone, something like a sail, stands before a white block in the pale blue sky. "A high quality photo" gives an orange lump, a grey shape, a green top.
#
# There are other ways. One can train a network that sees the mask and the surroundings {cite:p}`saharia2022`, or push each step by a gradient towards the surroundings {cite:p}`chung2023`.
#
# ```{dropdown} Whose ideas these are, and what they are not
# Overwriting what is known is older than RePaint. Sohl-Dickstein et al. (2015) did it in the first paper on diffusion models, and Song et al. (2021, score-based models) in theirs. Repeating is RePaint's. There
# the loop has 250 steps, and goes back ten of them at a time, ten times. Ours has 33 steps and goes back single ones, so our results say little about theirs.
# ```
#
# ## Try it
#
# Change the code, and run its cell again.
#
# 1. **Turn the mask around.** In the code of {numref}`fig-a172-prompts`, write `1 - hole(*HOLES["mushroom"])` for the mask, and set `prompts = ["a house", "a jellyfish", "a lamp"]`. Now the cap stays.
# 2. **A hole of another form.** For a round hole, add a cell with the lines below, and write `disc` for `hole(*HOLES["mushroom"])`:
#    ```python
#    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
#    disc = ((x - 32) ** 2 + (y - 20) ** 2 < 18**2).float()[None]
#    ```
#
# ```{dropdown} What we got
# 1. A house with the cap as its roof, and a jellyfish with the cap as its bell. The lamp gets only a foot.
# 2. Round crowns and umbrellas. The border of the hole shows as before.
# ```
