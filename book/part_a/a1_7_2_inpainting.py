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
# Can we replace one part of a picture and keep the rest exactly as it is?

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

from diffusion_utils.diagrams import storyboard
from diffusion_utils.files import ROOT
from diffusion_utils.pictures import HOLES, hole, shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, keep_outside, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import comparison, grid, table, unit_range
from diffusion_utils.tasks import inpaint, prompted
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% mystnb={"figure": {"caption": "The picture, the mask (white is new), the picture with the hole, and the result of a single pass. \"A high quality photo\", $\\gamma = 7$, seeds 0 to 2, timesteps 990, 960, .., 0.", "name": "fig-a172-single"}, "image": {"alt": "Three rows of four: sailboat, mushroom and cactus; a white rectangle; the picture with a grey hole; and the picture with new content in the hole."}} tags=["hide-input"]
names = list(HOLES)
images = torch.stack([shipped_image(name) for name in names])
masks = torch.stack([hole(*corners) for corners in HOLES.values()])
photo = prompted(model, "a high quality photo")
single = inpaint(model, photo, images, masks, range(3), timesteps=timesteps)
columns = [unit_range(images), masks.expand_as(images)]
columns += [unit_range(images * (1 - masks)), unit_range(single)]
grid(
    torch.stack(columns, 1),
    titles=["picture", "mask $m$", "hole", "result"],
    labels=names,
    size=1.5,
)

# %% [markdown]
# ```{live} inpaint
# ```

# %% [markdown]
# ## The idea
#
# Let the model draw the whole picture, from pure noise, but after every step overwrite what lies outside the hole. There we know what should
# be: the given picture, with as much noise as this step has left {cite:p}`lugmayr2022`.
#
# $$ x_t \leftarrow m\, x_t + (1 - m)\left(\sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon\right) \tag{A.1} $$
#
# * $m$ is the **mask**: 1 where something new may appear, 0 where the picture stays.
# * $x_t$ is what the step has made, with the noise of timestep $t$.
# * $x_0$ is the given picture. The bracket is the forward process (N.1): the given picture with the noise of the same timestep.
# * $\epsilon$ is fresh noise.

# %% mystnb={"figure": {"caption": "One step of inpainting, from $t = 510$ to 480. Above, the model's step; below, the given picture with as much noise; the mask takes the hole from the one and the surroundings from the other. The sailboat of {numref}`fig-a172-single`, seed 0.", "name": "fig-a172-step"}, "image": {"alt": "A diagram of six pictures with arrows. Above: a noisy picture, an arrow named denoise one step, a less noisy picture, times m, the inside of the hole. Below: the sailboat, an arrow named add noise, the noisy sailboat, times one minus m, the surroundings. Both lead to the sum on the right."}} tags=["hide-input"]
k = by_profile(full=16, fast=1)
t, t_next = timesteps[k : k + 2]
boat, m = images[:1].to(model.device), masks[:1].to(model.device)
noise = generators([0])
known = keep_outside(m, boat, model.schedule, noise)
x = unit_noise(model.shape, noise).to(model.device)
*_, until = trajectory(
    photo, x, timesteps[: k + 1], model.schedule, generators=noise, constrain=known
)
(step,) = trajectory(photo, until.x, [t, t_next], model.schedule, generators=noise)
eps = unit_noise(model.shape, noise).to(model.device)
around = model.schedule.forward(boat, t_next, eps)

above, below, right, end = 1.4, 0, 2.1, (6.0, 0.7)
pictures = {
    (0, above): (until.x, f"$x_{{{t}}}$"),
    (right, above): (step.x, f"$x_{{{t_next}}}$"),
    (2 * right, above): (m * step.x, f"$m\\,x_{{{t_next}}}$"),
    (0, below): (boat, "$x_0$"),
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
# In code it is a function that the sampling loop calls after each step. The line with the tag is the formula:
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: keep_outside
# :start-at: def constrain
# :lines: 1-3
# :dedent:
# ```
#
# ## What to see
#
# Outside the hole each result of {numref}`fig-a172-single` is the given picture. In the hole is something new. It need not be what stood there before: the prompt names no thing, so the model may draw anything.
#
# Is the rest kept exactly? The list of timesteps ends at $t = 0$, where a little noise is left, and nothing more than that differs outside the hole:

# %% tags=["hide-input"]
change = (single - images).abs()
inside = masks.bool().expand_as(images)
table(
    [
        [name, f"{d[~hole].mean():.4f}", f"{d[hole].mean():.3f}"]
        for name, d, hole in zip(names, change, inside, strict=True)
    ],
    ["picture", "outside the hole", "in the hole"],
    f"Mean difference between result and picture, on a range of 2. The noise at t = 0 has a standard deviation of {(1 - model.schedule.at(0)).sqrt():.4f}.",
)

# %% [markdown]
# ## Where it fails
#
# What has come into the holes does not belong to the picture. The boat carries a lump instead of a sail, and the stem of the mushroom ends under something that is no cap. One can see where the hole was.
#
# The network does see the surroundings. But they are drawn anew in every step, without regard to what has begun to grow in the hole, and the hole has only
# one step at each noise level to react to them.
#
# ## Taking each step several times
#
# RePaint {cite:p}`lugmayr2022` goes back and forth: after a step from $t$ to $t'$ it adds noise to hole and surroundings together until they are at $t$ again, and takes the step once
# more. The hole gets several chances to fit. With $n$ for how often each step is taken (`times` in the code), the single pass is $n = 1$. Going back is the forward process between
# two timesteps:
#
# $$ x_t = \sqrt{\alpha}\, x_{t'} + \sqrt{1 - \alpha}\, z, \qquad \alpha = \bar\alpha_t / \bar\alpha_{t'} \tag{N.7} $$
#
# * $x_{t'}$ is the picture after the step, at the smaller timestep $t'$,
# * $z$ is fresh noise, and
# * $\alpha$ is what the way back leaves of the signal's variance.
#
# The loop stays as it is. Only the list of timesteps changes: it goes up again in places.
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: resampled
# :start-at: path =
# :dedent:
# ```

# %%
n = by_profile(full=4, fast=2)
repaint = inpaint(model, photo, images, masks, range(3), n, timesteps)

# %% mystnb={"figure": {"caption": "The same holes in a single pass (above), and with each step taken four times (below); \"a high quality photo\", $\\gamma = 7$, seeds 0 to 2, timesteps 990, 960, .., 0.", "name": "fig-a172-repaint"}, "image": {"alt": "Two rows of three pictures with filled holes, above in a single pass, below with resampling."}} tags=["hide-input"]
grid(
    [unit_range(single), unit_range(repaint)],
    labels=["$n=1$", f"$n={n}$"],
    titles=names,
    size=2.0,
)

# %% [markdown]
# Compare the borders of the holes in the two rows of {numref}`fig-a172-repaint`. In the lower row the hole had four chances at each noise level to follow its surroundings. What it shows need not make more sense:
# repeating cannot add what the model does not know. With the slider of {numref}`fig-a172-slider` you can check that nothing changes outside the hole.

# %% mystnb={"figure": {"caption": "The sailboat before and after; move the slider. Each step taken four times, \"a high quality photo\", $\\gamma = 7$, seed 0.", "name": "fig-a172-slider"}} tags=["hide-input"]
comparison(
    unit_range(images[:1]),
    unit_range(repaint[:1]),
    captions=("original", "inpainted"),
    alt="The sailboat, and the same picture with new content where the sails were.",
)

# %% [markdown]
# How much does it help? One number is the **seam**: the mean jump between neighbouring pixels across the border of the hole, divided by the mean jump elsewhere in the picture. At 1 the border does not stand out.
# `python -m benchmarks.inpainting` fills the three holes from ten seeds each:

# %% mystnb={"figure": {"caption": "The seam against how often each step is taken, with guidance ($\\gamma = 7$) and without ($\\gamma = 1$): mean and standard error of seeds 0 to 9. Dashed: the picture as it is. \"A high quality photo\", timesteps 990, 960, .., 0; from `python -m benchmarks.inpainting`.", "name": "fig-a172-seams"}, "image": {"alt": "Three panels, one for each picture, with two curves each: the seam against n from 1 to 8, at gamma 1 and at gamma 7."}} tags=["hide-input"]
result = json.loads((ROOT / "benchmarks/results/inpainting.json").read_text())
seams = {
    (row["picture"], row["gamma"], row["times"]): np.array(row["seam"])
    for row in result["rows"]
}
gammas, repeats = ([*dict.fromkeys(key[k] for key in seams)] for k in (1, 2))
fig, axes = plt.subplots(
    1, len(HOLES), figsize=(7, 2.8), sharey=True, layout="constrained"
)
for ax, name in zip(axes, HOLES, strict=True):
    for gamma in gammas:
        rows = [seams[name, gamma, n] for n in repeats]
        errors = [row.std(ddof=1) / len(row) ** 0.5 for row in rows]
        means = [row.mean() for row in rows]
        label = rf"$\gamma = {gamma}$"
        ax.errorbar(repeats, means, errors, marker="o", capsize=3, label=label)
    ax.axhline(result["original"][name], ls="--", color="grey")
    ax.set(title=name, xlabel="$n$", xscale="log", ylim=(0, None))
    ax.set_xticks(repeats, repeats)
    ax.minorticks_off()
axes[0].set_ylabel("seam")
axes[0].legend()
plt.show()

# %% tags=["hide-input"]
table(
    [
        [
            f"γ = {gamma}",
            *(f"{np.mean([seams[p, gamma, n] for p in HOLES]):.2f}" for n in repeats),
        ]
        for gamma in gammas
    ],
    ["", *(f"n = {n}" for n in repeats)],
    f"Mean seam over the three pictures, {result['seeds']} seeds each.",
)

# %% [markdown]
# A lower seam is not a better picture: a hole that is filled with plain background has no seam either. With guidance the seam stays higher than without. The likely reason is that guidance exaggerates what is in the hole at
# every repeat, while the surroundings are put back as they are.
#
# ## With a prompt
#
# The prompt decides what goes into the hole.

# %% mystnb={"figure": {"caption": "The same holes, each with a prompt of its own, in a single pass with $\\gamma = 7$, seeds 0 to 2, timesteps 990, 960, .., 0.", "name": "fig-a172-prompts"}, "image": {"alt": "The sailboat with other sails, the mushroom's stem with a red apple on it, the cactus with a tulip beside it."}} tags=["hide-input"]
prompts = ["a sailboat", "a red apple", "a tulip"]
asked = inpaint(
    model, prompted(model, prompts), images, masks, range(3), timesteps=timesteps
)
grid([unit_range(asked)], titles=prompts, size=2.0)

# %% [markdown]
# In {numref}`fig-a172-prompts` the boat has new sails, the stem of the mushroom carries a red apple, and a tulip grows beside the cactus. The apple has the size and the place of the cap, since
# its surroundings ask for that.
#
# ## Try it
#
# * **Turn the mask around.** In the code of {numref}`fig-a172-single`, pass `1 - masks` instead of `masks` to `inpaint`. Now what was in the hole stays, and the model
#   draws new surroundings for it.
# * **Ask for something else.** In the code of {numref}`fig-a172-prompts`, set `prompts = ["a butterfly", "an ice cream cone", "a snowman"]`. The ice cream sits well on the stem. The butterfly and the snowman
#   are cut off by the border of their holes, and can hardly be made out: a thing that is cut off is not what the model has learned to draw.
