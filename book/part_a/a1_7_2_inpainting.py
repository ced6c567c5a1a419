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
from diffusion_utils.sampling import (
    generators,
    keep_outside,
    resampled,
    trajectory,
    unit_noise,
)
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import comparison, grid, unit_range
from diffusion_utils.tasks import generate, inpaint, prompted
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% mystnb={"figure": {"caption": "Left: a mushroom, the same with a hole (grey), and the mask $m$, which is white where something new may appear. Right: the hole filled with three prompts. $\\gamma = 3$; seeds 0, 1, 2 from top to bottom.", "name": "fig-a172-prompts"}, "image": {"alt": "On the left a mushroom, the mushroom without its cap, and a white rectangle. Beside them its stem three times each under the crown of a tree, palm leaves and a purple umbrella."}} tags=["hide-input"]
mushroom, mask = shipped_image("mushroom"), hole(*HOLES["mushroom"])
prompts = ["a tree", "a palm tree", "an umbrella"]
seeds = range(3)
filled = [
    inpaint(
        model, prompted(model, prompt, 3), mushroom, mask, seeds, timesteps=timesteps
    )
    for prompt in prompts
]
given = [mushroom, mushroom * (1 - mask), 2 * mask.expand_as(mushroom) - 1]
grid(
    unit_range(torch.stack([torch.stack(given), *filled], 1)),
    titles=["given"] + [f'"{prompt}"' for prompt in prompts],
    labels=["picture", "hole", "mask $m$"],
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
# * $m$ is the **mask**: 1 where something new may appear, 0 where the picture stays. It multiplies pixel by pixel.
# * $x_t$ on the right is what the step has made, with the noise of timestep $t$; on the left it is what the next step gets.
# * $x_0$ is the given picture. The bracket is the forward process (N.1).
# * $\epsilon$ is noise, drawn anew after each step.

# %% mystnb={"figure": {"caption": "One step of inpainting, from $t = 510$ to 480. Above, the model's step; below, the given picture with as much noise; the mask takes the hole from the one and the surroundings from the other. \"A tree\" of {numref}`fig-a172-prompts`, seed 0.", "name": "fig-a172-step"}, "image": {"alt": "A diagram of seven pictures with arrows. Above: a noisy picture, an arrow named denoise one step, a less noisy picture, times m, the inside of the hole. Below: the mushroom, an arrow named add noise, the noisy mushroom, times one minus m, the surroundings. Both lead to the sum on the right."}} tags=["hide-input"]
k = by_profile(full=16, fast=1)
t, t_next = timesteps[k : k + 2]
asked = prompted(model, "a tree", 3)
x_0, m = mushroom[None].to(model.device), mask[None].to(model.device)
noise = generators([0])
known = keep_outside(m, x_0, model.schedule, noise)
x = unit_noise(model.shape, noise).to(model.device)
*_, until = trajectory(
    asked, x, timesteps[: k + 1], model.schedule, generators=noise, constrain=known
)
(step,) = trajectory(asked, until.x, [t, t_next], model.schedule, generators=noise)
eps = unit_noise(model.shape, noise).to(model.device)
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
# In code it is a function that the sampling loop calls after each step, and its last line is the formula:
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: keep_outside
# :start-at: def constrain
# :lines: 1-3
# :dedent:
# ```
#
# Here `image` is $x_0$, and `generators` are the random generators that $\epsilon$ is drawn from.
#
# ## Why not simply paste at the end?
#
# One could draw a mushroom from pure noise and copy the surroundings over it when it is finished. Here the hole is inside the cap:

# %% mystnb={"figure": {"caption": "The mushroom with a smaller hole. Above: a mushroom drawn without regard to the given one, and the surroundings pasted over it at the end. Below: pasted after every step, by (A.1). \"A mushroom\", $\\gamma = 3$, seeds 0 to 2.", "name": "fig-a172-paste"}, "image": {"alt": "On the left a mushroom, and the same with a hole in its cap. Beside it two rows of three: above, the hole holds a rectangle out of another mushroom, with white spots; below, the red goes on in the hole, with pale spots of its own."}} tags=["hide-input"]
inside, same = hole(18, 10, 46, 34), prompted(model, "a mushroom", 3)
drawn = generate(model, same, seeds, timesteps)
pasted = inside * drawn + (1 - inside) * mushroom
fitted = inpaint(model, same, mushroom, inside, seeds, timesteps=timesteps)
grid(
    [
        unit_range(torch.cat([first[None], results]))
        for first, results in (
            (mushroom, pasted),
            (mushroom * (1 - inside), fitted),
        )
    ],
    titles=["given"] + [f"seed {s}" for s in seeds],
    labels=["pasted at\nthe end", "after\nevery step"],
    size=1.3,
)

# %% [markdown]
# Pasted at the end, the drawing knows nothing of the given cap: in all three, nearly alike, a rectangle of another mushroom remains. Pasted after every step, the cap is there, under the noise, when the network guesses the whole picture. So it
# guesses how this cap goes on. The guess is not perfect: the red goes on, but pale spots fit nothing, and one still sees the hole.
#
# ## What you see
#
# Each filling in {numref}`fig-a172-prompts` belongs to the thing that the prompt names. The stem of the mushroom becomes the trunk of the tree; the palms and umbrellas bring a trunk or handle of their own. What would be larger than the hole is cut off at the border, such as the top of the first
# tree. Outside the hole nothing changes that one can see.

# %% mystnb={"figure": {"caption": "The mushroom before and after; move the slider. \"A tree\", $\\gamma = 3$, seed 0.", "name": "fig-a172-slider"}} tags=["hide-input"]
comparison(
    unit_range(mushroom[None]),
    unit_range(filled[0][:1]),
    captions=("original", "inpainted"),
    alt="A mushroom, and the same stem with the crown of a tree.",
)

# %% [markdown]
# ## Taking each step several times
#
# We want a filling drawn from $p(\text{hole} \mid \text{surroundings})$: one that fits the surroundings as they are. With (A.1) the network sees them only under the noise of $t$. While they are hardly visible, it already decides on colours and coarse forms in the hole. When they are clear, too little noise is left to change these. So colours may not fit, such as the pink trunks of the palms above.
#
# RePaint {cite:p}`lugmayr2022` gives the hole more chances. After a step from $t$ to $t'$ it adds noise to the whole picture until it is at $t$ again, and takes the step once more:
#
# $$ x_t = \sqrt{\alpha}\, x_{t'} + \sqrt{1 - \alpha}\, z, \qquad \alpha = \bar\alpha_t / \bar\alpha_{t'} \tag{N.7} $$
#
# * $t'$ is the timestep after the step, with less noise, in the code `t_prev`,
# * $z$ is fresh noise, and
# * $\alpha$ says how much of $x_{t'}$ is kept, as in the step of [1.4](a1_4_iterative_denoising.ipynb).
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.renoise
# :lines: 1,6-
# :dedent:
# ```
#
# Let $n$ be how often each step is taken. With $n = 1$ the timesteps only fall; with larger $n$ they go down and up in zigzags:

# %% mystnb={"figure": {"caption": "The timesteps of the first four steps, each taken once, twice and four times. Blue: a step of the loop. Orange: noise is added (N.7). The horizontal axis counts these moves.", "name": "fig-a172-zigzag"}, "image": {"alt": "Three panels of t. On the left it falls in four steps; in the other two it falls, rises and falls again before each further step."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 3, figsize=(7, 2.2), sharey=True, layout="constrained")
for ax, n in zip(axes, (1, 2, 4), strict=True):
    path = resampled(strided_timesteps(990, 30), n)[: 1 + 4 * (2 * n - 1)]
    for k, (t, t_next) in enumerate(zip(path, path[1:], strict=False)):
        ax.plot([k, k + 1], [t, t_next], "C0" if t_next < t else "C1")
    ax.set(title=f"$n={n}$", xlabel="moves")
axes[0].set(ylabel="$t$")
plt.show()

# %% [markdown]
# In code only the list of timesteps changes; $n$ is called `times`. Where the list rises, the loop of 1.4 calls `renoise`.
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: resampled
# :start-at: path =
# :dedent:
# ```

# %% mystnb={"figure": {"caption": "Three holes, chosen from six that we tried, filled with \"a palm tree\", \"a cactus\" and \"a mushroom\". Each step is taken $n$ times, only the last one once; below $n$, how often the loop calls the network. $\\gamma = 3$, seed 0.", "name": "fig-a172-repaint"}, "image": {"alt": "Three rows: a picture, its hole, and the filling at n = 1, 2 and 5. The trunk of a palm goes from pink to the colour of the stem below; lumps beside a cactus become arms; a pale spot in a red cap disappears."}} tags=["hide-input"]
names, wanted = ["mushroom", "cactus", "mushroom"], ["palm tree", "cactus", "mushroom"]
images = torch.stack([shipped_image(name) for name in names])
masks = torch.stack([mask, hole(0, 0, 64, 30), inside])
named = prompted(model, [f"a {name}" for name in wanted], 3)
repeats = by_profile(full=[1, 2, 5], fast=[1, 2])
fillings = [
    inpaint(model, named, images, masks, [0] * 3, n, timesteps) for n in repeats
]
calls = [n * (len(timesteps) - 2) + 1 for n in repeats]  # the last step once
grid(
    unit_range(torch.stack([images, images * (1 - masks), *fillings], 1)),
    titles=["picture", "hole"]
    + [f"$n={n}$\n{c} calls" for n, c in zip(repeats, calls, strict=True)],
    labels=[name.replace(" ", "\n") for name in wanted],
    size=1.3,
)

# %% [markdown]
# With $n = 5$ the trunk of the palm is brown, closer to the stem below it than the pink of $n = 1$. The left lump beside the cactus now sits on its arm; the right one still floats. In the cap of the mushroom the pale spots of $n = 1$ and 2 have become one blurred pink area. The price is $n$ times the time, and the leaves of the palm
# have lost details.
#
# One number for the fit is the **seam**. Take the difference between neighbouring pixels, one inside the hole and one outside, and average it along the border. Divide by the mean difference of neighbours elsewhere in the picture. We measure it with one hole in each of three pictures (those of {numref}`fig-a172-single`, at the end), and the name of the picture as the prompt:

# %% mystnb={"figure": {"caption": "The seam against how often each step is taken: mean and standard error of seeds 0 to 9. Dashed: the picture as it is. The line of text below averages all pictures and both $\\gamma$. From `python -m benchmarks.inpainting`.", "name": "fig-a172-seams"}, "image": {"alt": "Three panels, one for each picture, with a curve for each guidance scale: the seam against n from 1 to 8, and a dashed line."}} tags=["hide-input"]
result = json.loads((ROOT / "benchmarks/results/inpainting.json").read_text())
seams = {
    (row["picture"], row["gamma"], row["times"]): np.array(row["seam"])
    for row in result["rows"]
}
gammas, times = ([*dict.fromkeys(key[k] for key in seams)] for k in (1, 2))
fig, axes = plt.subplots(1, 3, figsize=(7, 2.5), sharey=True, layout="constrained")
for ax, name in zip(axes, HOLES, strict=True):
    for gamma in gammas:
        rows = [seams[name, gamma, n] for n in times]
        errors = [row.std(ddof=1) / len(row) ** 0.5 for row in rows]
        means = [row.mean() for row in rows]
        label = rf"$\gamma = {gamma}$"
        ax.errorbar(times, means, errors, marker="o", capsize=3, label=label)
    ax.axhline(result["original"][name], ls="--", color="grey")
    ax.set(title=name, xlabel="$n$", xscale="log")
    ax.set_xticks(times, times)
    ax.minorticks_off()
axes[0].set(ylabel="seam", ylim=(0, None))  # when all is drawn: the panels share it
axes[0].legend()
plt.show()
once, most = (np.mean([seams[key] for key in seams if key[2] == n]) for n in (1, 8))
print(f"Mean of all: {once:.1f} at n = 1, {most:.1f} at n = 8.")

# %% [markdown]
# The seam falls with $n$ for the sailboat and the mushroom; for the cactus it falls to $n = 2$ and no further. It stays above the dashed line, the seam of the given picture. With $\gamma = 1$ its mean is lower than with 3 everywhere. But a smooth or empty filling can have a low seam, too. So where the border shows, try a larger $n$ and look.
#
# ## Where it fails
#
# With the coursework's prompt, "a high quality photo", and its $\gamma = 7$:

# %% mystnb={"figure": {"caption": "The coursework's rows: picture, mask, hole, and the results of a single pass and of each step taken four times. \"A high quality photo\", $\\gamma = 7$; seeds 0, 1, 2 from top to bottom.", "name": "fig-a172-single"}, "image": {"alt": "Three rows: sailboat, mushroom and cactus; a white rectangle; the picture with a grey hole; and two results whose new content cannot be named."}} tags=["hide-input"]
photo = prompted(model, "a high quality photo", 7)
names, several = list(HOLES), by_profile(full=4, fast=2)
images = torch.stack([shipped_image(name) for name in names])
masks = torch.stack([hole(*corners) for corners in HOLES.values()])
single, resolved = (
    inpaint(model, photo, images, masks, range(3), n, timesteps) for n in (1, several)
)
columns = [unit_range(images), masks.expand_as(images)]
columns += [unit_range(x) for x in (images * (1 - masks), single, resolved)]
grid(
    torch.stack(columns, 1),
    titles=["picture", "mask $m$", "hole", "$n=1$", f"$n={several}$"],
    labels=names,
    size=1.3,
)

# %% [markdown]
# * **A prompt without a name.** It is hard to say what has come into these holes, and repeating does not change that.
# * **The hole still shows.** In {numref}`fig-a172-seams`, the mean seams stay above those of the given pictures at every $n$, even with the name as the prompt. None of this draws exactly from the pictures that have these surroundings; repeating is meant to come closer.
#
# ```{dropdown} Whose ideas these are, and what they are not
# Overwriting what is known is older than RePaint. Sohl-Dickstein et al. (2015) did it in the first paper on diffusion models, and Song et al. (2021, score-based models) in theirs. Repeating is RePaint's. There
# the loop has 250 steps; at every tenth it goes up by 10, nine times over. Ours has 34 timesteps and goes up by one; it takes the last step once, since at $t = 0$ only a trace of noise is left.
# ```
#
# ## Try it
#
# * **Turn the mask around.** In the code of {numref}`fig-a172-prompts`, set `mask = 1 - hole(*HOLES["mushroom"])` and `prompts = ["a mushroom", "a jellyfish", "a lamp", "a house"]`. Now the cap stays.
# * **A hole of another form.** For a round hole, write `y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")` and
#   `mask = ((x - 32) ** 2 + (y - 20) ** 2 < 18**2).float()[None]`.
