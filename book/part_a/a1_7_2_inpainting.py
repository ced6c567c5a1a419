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
# Can we change one part of a picture and keep the rest? Denoise everything, but after every step put the known part back, noised
# as much as the step left it {cite:p}`lugmayr2022`.

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

# %%
import json
from itertools import pairwise, product

import matplotlib.pyplot as plt
import numpy as np
import torch

from diffusion_utils.emoji64.judge import load_evaluator, name_ranks
from diffusion_utils.files import ROOT
from diffusion_utils.metrics import seam
from diffusion_utils.pictures import HOLES, hole, shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import resampled
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import comparison, grid, unit_range
from diffusion_utils.tasks import enlarged, inpaint, prompted
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% [markdown]
# With a mask $m$ that is 1 where new content may appear, and $x_0$ the given picture,
#
# $$ x_t \leftarrow m\, x_t + (1 - m)\left(\sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon\right). \tag{A.1} $$
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: keep_outside
# :start-at: def constrain
# ```

# %%
guided_photo = prompted(model, "a high quality photo")
cases = {name: hole(*corners) for name, corners in HOLES.items()}
images = torch.stack([shipped_image(name) for name in cases])
masks = torch.stack(list(cases.values()))
single = inpaint(model, guided_photo, images, masks, range(3), timesteps=timesteps)

# %% mystnb={"figure": {"caption": "The picture, the mask (white is new), the picture with the hole, and the result of a single pass. \"A high quality photo\", $\\gamma = 7$, seeds 0 to 2, timesteps 990, 960, .., 0.", "name": "fig-a172-single"}, "image": {"alt": "Three rows of four: sailboat, mushroom and cactus; a white rectangle; the picture with a grey hole; and the picture with new content in the hole."}} tags=["hide-input"]
rows = [
    torch.cat(
        [
            unit_range(x)[None],
            mask[None].expand(1, 3, -1, -1),
            unit_range(x * (1 - mask))[None],
            unit_range(y)[None],
        ]
    )
    for x, mask, y in zip(images, masks, single, strict=True)
]
grid(
    rows,
    titles=["picture", "mask", "hole", "single pass"],
    labels=list(cases),
    size=1.5,
)

# %%
outside = (masks == 0).expand_as(images)
difference = (single - images)[outside].abs().max()
left = (1 - model.schedule.at(0)).sqrt()
print(f"largest difference outside the hole: {difference:.3f}, on a range of 2")
print(f"standard deviation of the noise at t = 0, where the list ends: {left:.4f}")

# %% [markdown]
# Outside the hole the results of {numref}`fig-a172-single` are the picture, up to the noise of the last timestep. Inside, the cactus goes on, more or less; the boat carries a dark red lump with a hard edge
# instead of a sail, and the mushroom's stem ends below a green shape that does not belong to it.
#
# ## Where it fails, and what is meant to help
#
# The network sees the outside, but the outside is drawn anew at each step without regard to what has begun in the hole, and the hole has one step at each noise level to
# adapt. RePaint {cite:p}`lugmayr2022` noises both together and takes each step several times, so that the hole can follow; with $n$ for how often each step is taken (`times` in the code), a single pass is the case $n = 1$
# of its experiments, which it shows to fail. Noising from $t'$ back to $t$:
#
# $$ x_t = \sqrt{\alpha}\, x_{t'} + \sqrt{1 - \alpha}\, z, \qquad \alpha = \bar\alpha_t / \bar\alpha_{t'}. \tag{N.7} $$
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: resampled
# :start-at: path =
# ```

# %%
repaint = inpaint(
    model,
    guided_photo,
    images,
    masks,
    range(3),
    times=by_profile(4, 2),
    timesteps=timesteps,
)

# %%
path = resampled(timesteps, by_profile(4, 2))
calls = sum(b < a for a, b in pairwise(path))
print(f"calls of the network: {len(timesteps) - 1} in a single pass, {calls} here")

# %% mystnb={"figure": {"caption": "A single pass, and each step taken four times (RePaint); \"a high quality photo\", $\\gamma = 7$, seeds 0 to 2, timesteps 990, 960, .., 0.", "name": "fig-a172-repaint"}, "image": {"alt": "Three pictures with filled holes, above in a single pass, below with resampling."}} tags=["hide-input"]
grid(
    [unit_range(single), unit_range(repaint)],
    labels=["single pass", "RePaint"],
    titles=list(cases),
    size=1.6,
)

# %% [markdown]
# The seam in a number: the mean jump between neighbouring pixels across the hole's border, over that elsewhere in the picture. Lower is smoother; the original says what
# is normal there.

# %%
for k, name in enumerate(cases):
    values = [
        seam(x[k : k + 1].clamp(-1, 1), masks[k]).item()
        for x in (images, single, repaint)
    ]
    print(
        "{:>8}: original {:.2f}, single pass {:.2f}, RePaint {:.2f}".format(
            name, *values
        )
    )

# %% mystnb={"figure": {"caption": "Move the slider: the sailboat before and after (RePaint, \"a high quality photo\", $\\gamma = 7$, seed 0).", "name": "fig-a172-slider"}} tags=["hide-input"]
comparison(
    unit_range(images[:1]),
    unit_range(repaint[:1]),
    captions=("original", "inpainted"),
    alt="The sailboat, and the same picture with new content where the sails were.",
)

# %% [markdown]
# In {numref}`fig-a172-repaint` RePaint gives the stem a brown cap that sits on it, and the boat a blue lump in place of the red one, no sail either. In {numref}`fig-a172-slider` nothing should change
# outside the hole. A lower number does not mean a better picture: a hole that is filled with the plain background has no seam either.
#
# ## How often to repeat
#
# Three pictures with one seed each are few, and four repeats are one choice. `python -m benchmarks.inpainting` fills the same holes from more seeds of the shipped model, with each step taken 1, 2, 4 and 8
# times, with guidance and without ($\gamma = 1$).

# %%
result = json.loads((ROOT / "benchmarks/results/inpainting.json").read_text())
seams = {
    (row["picture"], row["gamma"], row["times"]): np.array(row["seam"])
    for row in result["rows"]
}
gammas, repeats = ([*dict.fromkeys(key[k] for key in seams)] for k in (1, 2))
print(f"mean seam over {len(HOLES)} pictures with {result['seeds']} seeds each:")
for gamma, n in product(gammas, repeats):
    mean = np.mean([seams[name, gamma, n] for name in HOLES])
    print(f"gamma {gamma}, n = {n}: {mean:.2f}")

# %% mystnb={"figure": {"caption": "The seam against how often each step is taken, with guidance and without: mean and standard error over seeds from 0. Dashed: the picture as it is. \"A high quality photo\", timesteps 990, 960, .., 0; from `python -m benchmarks.inpainting`.", "name": "fig-a172-seams"}, "image": {"alt": "Three panels, one for each picture, with two curves each: at gamma 1 the seam falls as steps are repeated; at gamma 7 it lies higher, falls from one to two, and goes up again in two of the panels."}} tags=["hide-input"]
fig, axes = plt.subplots(
    1, len(HOLES), figsize=(8, 3), sharey=True, layout="constrained"
)
for ax, name in zip(axes, HOLES, strict=True):
    for gamma in gammas:
        rows = [seams[name, gamma, n] for n in repeats]
        errors = [row.std(ddof=1) / len(row) ** 0.5 for row in rows]
        ax.errorbar(
            repeats,
            [row.mean() for row in rows],
            errors,
            marker="o",
            capsize=3,
            label=rf"$\gamma = {gamma}$",
        )
    ax.axhline(result["original"][name], ls="--", color="grey")
    ax.set(title=name, xlabel="$n$", xscale="log", ylim=(0, None))
    ax.set_xticks(repeats, repeats)
    ax.minorticks_off()
axes[0].set_ylabel("seam")
axes[0].legend()
plt.show()

# %% [markdown]
# Without guidance {numref}`fig-a172-seams` shows what RePaint promises: the more often a step is taken, the smoother the border. With $\gamma = 7$ the second time helps, and those after it do not: if
# anything the border gets rougher again. The two differ in $\gamma$ alone, so it is guidance that stands in the way, and there is a reason for it to: every repeat exaggerates the hole once more, while
# the surroundings are not guided. Whether the content makes sense is up to the model, and resampling cannot add what it does not know.
#
# ## With a prompt
#
# The prompt decides what goes into the hole; it need not be the picture's subject.

# %%
prompts = ["a butterfly", "a red apple", "a snowman"]
asked = inpaint(
    model, prompted(model, prompts), images, masks, range(3), timesteps=timesteps
)

# %% mystnb={"figure": {"caption": "The same holes with a prompt, $\\gamma = 7$, seeds 0 to 2, single pass, timesteps 990, 960, .., 0.", "name": "fig-a172-prompts"}, "image": {"alt": "The sailboat, the mushroom and the cactus with holes filled anew; the prompts are written above."}} tags=["hide-input"]
large = enlarged(model, asked, prompts, range(3))
grid([unit_range(large)], titles=prompts, size=1.6)

# %%
judge = load_evaluator()
found = name_ranks(judge, asked, ["butterfly", "red apple", "snowman"])
before = name_ranks(judge, images, ["butterfly", "red apple", "snowman"])
for prompt, now, was in zip(prompts, found, before, strict=True):
    print(f"{prompt}: rank {now} of {len(judge[1])}, in the picture before: {was}")

# %% [markdown]
# In {numref}`fig-a172-prompts` the mushroom has got an apple for a cap, and the boat something with the blue wings of a butterfly; the cactus has got dark marks. The evaluator of [1.6](a1_6_guidance.ipynb), whose ranks say how far the whole
# picture has moved towards the prompt's name, sees the apple alone. Rank 1 is not to be expected: most of the picture still shows something else, and a thing that is cut off by the hole's border is not what the model has learned to draw.
