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
# Can we cut a hole into a picture, say what should be in it, and keep the rest as it is? **Yes: after each step of the
# loop, put the given picture back outside the hole.**

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
from diffusion_utils.show import comparison, grid, unit_range
from diffusion_utils.tasks import inpaint, prompted
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
names = list(HOLES)
images = torch.stack([shipped_image(name) for name in names])
masks = torch.stack([hole(*corners) for corners in HOLES.values()])
holes = images * (1 - masks)

# %% mystnb={"figure": {"caption": "A picture, the same with a hole (grey), and three fillings from three seeds each. The prompts are \"a sailboat\", \"a mushroom\" and \"a cactus\"; $\\gamma = 3$, seeds 0 to 2, a single pass.", "name": "fig-a172-prompts"}, "image": {"alt": "Three rows. A sailboat without its sails, a mushroom without its cap and a cactus without its top; beside each, three pictures in which the hole is filled."}} tags=["hide-input"]
seeds = range(3)
wanted = [f"a {name}" for name in names]
filled = [
    inpaint(model, prompted(model, prompt, 3), image, mask, seeds, timesteps=timesteps)
    for prompt, image, mask in zip(wanted, images, masks, strict=True)
]
grid(
    [
        unit_range(torch.cat([image[None], cut[None], new]))
        for image, cut, new in zip(images, holes, filled, strict=True)
    ],
    titles=["picture", "hole"] + [f"seed {s}" for s in seeds],
    labels=wanted,
    size=1.3,
)

# %% [markdown]
# ```{live} inpaint
# ```

# %% [markdown]
# ## The idea
#
# Let the model draw the whole picture, from pure noise, and towards a prompt. But after every step overwrite what lies outside the hole. There we know what
# should be: the given picture, with as much noise as this step has left.
#
# $$ x_t \leftarrow m\, x_t + (1 - m)\left(\sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon\right) \tag{A.1} $$
#
# * $m$ is the **mask**: 1 where something new may appear, 0 where the picture stays.
# * $x_t$ is what the step has made, with the noise of timestep $t$.
# * $x_0$ is the given picture. The bracket is the forward process (N.1): the given picture with the noise of the same timestep.
# * $\epsilon$ is fresh noise.
#
# Why does the filling fit? The network looks at the whole picture in every step. It sees the hull below the hole, through the noise, and guesses sails that stand on it.

# %% mystnb={"figure": {"caption": "One step of inpainting, from $t = 510$ to 480. Above, the model's step; below, the given picture with as much noise; the mask takes the hole from the one and the surroundings from the other. The sailboat of {numref}`fig-a172-prompts`, seed 0.", "name": "fig-a172-step"}, "image": {"alt": "A diagram of six pictures with arrows. Above: a noisy picture, an arrow named denoise one step, a less noisy picture, times m, the inside of the hole. Below: the sailboat, an arrow named add noise, the noisy sailboat, times one minus m, the surroundings. Both lead to the sum on the right."}} tags=["hide-input"]
k = by_profile(full=16, fast=1)
t, t_next = timesteps[k : k + 2]
asked = prompted(model, "a sailboat", 3)
boat, m = images[:1].to(model.device), masks[:1].to(model.device)
noise = generators([0])
known = keep_outside(m, boat, model.schedule, noise)
x = unit_noise(model.shape, noise).to(model.device)
*_, until = trajectory(
    asked, x, timesteps[: k + 1], model.schedule, generators=noise, constrain=known
)
(step,) = trajectory(asked, until.x, [t, t_next], model.schedule, generators=noise)
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
# In code it is a function that the sampling loop calls after each step, and its last line is the formula:
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: keep_outside
# :start-at: def constrain
# :lines: 1-3
# :dedent:
# ```
#
# Here is the loop of [1.4](a1_4_iterative_denoising.ipynb) with it. The marked line is the only new one:
#
# ```{code-block} python
# :emphasize-lines: 6
# for t, t_prev in pairwise(timesteps):
#     eps = denoise(x, t).eps
#     x0_hat = schedule.predict_x0(x, t, eps)
#     z = noise_like(x, noise)
#     x = schedule.step(x, x0_hat, t, t_prev, z)
#     x = constrain(x, t_prev)
# ```
#
# ## What you see
#
# Each filling takes up what stands beside the hole: sails on the hull, a cap on the stem, a trunk on the cactus. But it is not what stood there before, since nothing but the prompt and the surroundings tells the model what to draw. And one
# can see where the hole was: the sky behind the sails is white, as the background of most training drawings is, and what would be larger than the hole is cut off at its border.
#
# Is the rest kept exactly? The list of timesteps ends at $t = 0$, where a trace of noise is left, too little to be seen. Whoever wants the rest exactly copies it from the picture at the end.

# %% mystnb={"figure": {"caption": "The mushroom before and after; move the slider. \"A mushroom\", $\\gamma = 3$, seed 0, a single pass.", "name": "fig-a172-slider"}} tags=["hide-input"]
comparison(
    unit_range(images[1:2]),
    unit_range(filled[1][:1]),
    captions=("original", "inpainted"),
    alt="A mushroom, and the same stem with a new cap.",
)

# %% [markdown]
# The hole can also be asked to hold something that was never there. Not all of it works: what is larger than the hole gets torn.

# %% mystnb={"figure": {"caption": "The same pictures and holes with other prompts; $\\gamma = 3$, seed 0, a single pass.", "name": "fig-a172-others"}, "image": {"alt": "Four pictures: things asked for as an apple and an ice cream cone on the stem of the mushroom, a pineapple on the stump of the cactus, and a castle on the boat."}} tags=["hide-input"]
others = ["a red apple", "an ice cream cone", "a pineapple", "a castle"]
rows = [1, 1, 2, 0]  # the mushroom, the mushroom, the cactus, the sailboat
asked = prompted(model, others, 3)
new = [images[rows], masks[rows], [0] * 4]
grid([unit_range(inpaint(model, asked, *new, timesteps=timesteps))], others, size=1.75)

# %% [markdown]
# ## Where it fails
#
# Now leave out what makes it work: the name of the thing. The coursework asks for "a high quality photo", which may be anything.

# %% mystnb={"figure": {"caption": "The coursework's row: the picture, the mask (white is new), the picture with the hole, and the result of a single pass. \"A high quality photo\", $\\gamma = 1$ (no guidance, where the coursework guides: with this phrase Emoji-64 gains nothing from it, see 1.6), seeds 0 to 2.", "name": "fig-a172-single"}, "image": {"alt": "Three rows of four: sailboat, mushroom and cactus; a white rectangle; the picture with a grey hole; and the picture with new content in the hole."}} tags=["hide-input"]
photo = prompted(model, "a high quality photo", 1)
single = inpaint(model, photo, images, masks, range(3), timesteps=timesteps)
columns = [unit_range(images), masks.expand_as(images)]
columns += [unit_range(holes), unit_range(single)]
grid(
    torch.stack(columns, 1),
    titles=["picture", "mask $m$", "hole", "result"],
    labels=names,
    size=1.3,
)

# %% [markdown]
# It is hard to name what has come into these holes, and it does not follow the stem or the trunk below it. One reason is that the surroundings get fresh noise in every step, without regard to what has begun to grow in the hole. The hole has only one step at each noise level to react
# to them.
#
# ## Taking each step several times
#
# RePaint {cite:p}`lugmayr2022` goes back and forth. After a step from $t$ to $t'$ it adds noise to hole and surroundings together until they are at $t$ again, and takes the step once
# more. The hole gets several chances to fit. Let $n$ be how often each step is taken (`times` in the code); the single pass is $n = 1$. Going up again, towards more noise, is the
# forward process between two timesteps:
#
# $$ x_t = \sqrt{\alpha}\, x_{t'} + \sqrt{1 - \alpha}\, z, \qquad \alpha = \bar\alpha_t / \bar\alpha_{t'} \tag{N.7} $$
#
# * $x_{t'}$ is the picture after the step, at the smaller timestep $t'$,
# * $z$ is fresh noise, and
# * $\alpha$ is the share of the variance of $x_{t'}$ that is left after going up again.
#
# The loop stays as it is. Only the list of timesteps changes: it goes up again in places.
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: resampled
# :start-at: path =
# :dedent:
# ```

# %% tags=["remove-cell"]
n = by_profile(full=4, fast=2)

# %%
repaint = inpaint(model, photo, images, masks, range(3), n, timesteps)

# %% tags=["remove-cell"]
asked = prompted(model, wanted, 3)
named = inpaint(model, asked, images, masks, [0] * 3, n, timesteps)

# %% mystnb={"figure": {"caption": "The same holes in a single pass (above), and with each step taken four times (below). Left three: \"a high quality photo\", $\\gamma = 1$, seeds 0 to 2. Right three: \"a sailboat\", \"a mushroom\" and \"a cactus\", $\\gamma = 3$, seed 0.", "name": "fig-a172-repaint"}, "image": {"alt": "Two rows of six pictures with filled holes, above in a single pass, below with each step taken four times."}} tags=["hide-input"]
once = torch.cat([single, torch.stack([results[0] for results in filled])])
grid(
    [unit_range(once), unit_range(torch.cat([repaint, named]))],
    labels=["$n=1$", f"$n={n}$"],
    titles=['"a photo"'] * 3 + wanted,
    size=1.15,
)

# %% [markdown]
# Compare the two rows of {numref}`fig-a172-repaint`. With four chances, the fillings on the stem and on the cactus take up the colours that stand next to them. They are no easier to name than before: repeating helps the parts to fit, and the prompt still asks for no thing.
#
# How much does repeating help? One number is the **seam**: the mean jump between neighbouring pixels across the border of the hole, divided by the mean jump elsewhere in the picture. At 1 the border does not
# stand out. `python -m benchmarks.inpainting` fills the three holes from ten seeds each:

# %% mystnb={"figure": {"caption": "The seam against how often each step is taken, with the name of the picture as the prompt (\"a sailboat\", \"a mushroom\", \"a cactus\"): mean and standard error of seeds 0 to 9. Dashed: the picture as it is. From `python -m benchmarks.inpainting`.", "name": "fig-a172-seams"}, "image": {"alt": "Three panels, one for each picture, with a curve for each guidance scale: the seam against n from 1 to 8, and a dashed line."}} tags=["hide-input"]
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
    ax.set(title=name, xlabel="$n$", xscale="log")
    ax.set_xticks(repeats, repeats)
    ax.minorticks_off()
axes[0].set(ylabel="seam", ylim=(0, None))  # when all is drawn: the panels share it
axes[0].legend()
plt.show()

# %% [markdown]
# In all three pictures the seam is lower at $n = 8$ than in a single pass, and it stays above that of the original. Two reasons can be seen in {numref}`fig-a172-prompts`: the new cap would like to be larger than the hole, which cuts it off straight, and the new
# green is not that of the cactus. A lower seam is not always a better picture: a hole filled with plain background has none either.
#
# ```{dropdown} Whose ideas these are
# Overwriting what is known is older than RePaint. Sohl-Dickstein et al. (2015) did it in the first paper on diffusion models, and Song et al. (2021, score-based models) in theirs. Repeating is RePaint's. There
# the loop has 250 steps, goes up by 10 of them at a time, and does so 10 times. Ours has 34 timesteps and goes up by one.
# ```
#
# ## Try it
#
# * **Turn the mask around.** In the code of {numref}`fig-a172-prompts`, pass `1 - mask` instead of `mask` to `inpaint`. Now what was in the hole stays, and the model draws new surroundings
#   for it.
# * **Ask for something else.** In the code of {numref}`fig-a172-others`, set `others = ["a strawberry", "a birthday cake", "a broccoli", "a tent"]`. Which of them fit the
#   hole, and which are torn?
