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
# Can one picture be two things, depending on how far away it is? From afar an eye sees only coarse detail, from close by the fine detail wins. So let one prompt decide the coarse
# part, another the fine {cite:p}`geng2024b`, after the photographs of {cite:t}`oliva2006`.

# %% tags=["remove-cell"]
# In Colab: fetch the book. Does nothing where its package is installed.
import importlib.util
import subprocess
import sys
from pathlib import Path

ADDRESS = "https://github.com/fun-with-diffusion/fun-with-diffusion-models"
if importlib.util.find_spec("diffusion_utils") is None:
    if not Path("book-source").exists():
        subprocess.run(
            ["git", "clone", "--depth=1", ADDRESS, "book-source"], check=True
        )
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--editable",
        "book-source",
    ]
    subprocess.run(pip, check=True)
    sys.path.insert(0, "book-source")

# %%
import torch
import torch.nn.functional as F

from diffusion_utils.emoji64.evaluator import load_evaluator, ranks
from diffusion_utils.pretrained import load_pretrained
from diffusion_utils.profile import by_profile
from diffusion_utils.recipes import generate, hybrid
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.views import bands, low_pass

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% [markdown]
# $$ \epsilon = f_{\text{low}}(\epsilon_1) + f_{\text{high}}(\epsilon_2), \qquad f_{\text{high}} = 1 - f_{\text{low}}, \tag{A.3} $$
#
# with a Gaussian blur of width 2 pixels (kernel 33) as $f_{\text{low}}$.
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: blended
# ```
#
# ```{literalinclude} ../../diffusion_utils/recipes.py
# :pyobject: hybrid
# ```

# %%
pairs = [("skull", "snowman"), ("panda", "soccer ball"), ("lion", "sunflower")]
hybrids = [
    generate(model, hybrid(model, [f"a {low}", f"a {high}"]), [0], timesteps)
    for low, high in pairs
]


# %% mystnb={"figure": {"caption": "Three hybrids at full size (above) and at a quarter of it, as from afar (below); $\\gamma = 7$, seed 0.", "name": "fig-a19-hybrids"}, "image": {"alt": "Three pictures at full size, and the same three small in the middle of white squares."}} tags=["hide-input"]
def small(x):
    return F.pad(
        F.interpolate(x, scale_factor=0.25, antialias=True, mode="bilinear"),
        [24] * 4,
        value=1.0,
    )


full = torch.cat(hybrids)
grid(
    [unit_range(full), unit_range(small(full))],
    labels=["near", "far"],
    titles=[f"far: {low}\nnear: {high}" for low, high in pairs],
    size=1.7,
)

# %%
evaluator, names, _ = load_evaluator()


def rank(picture, name):
    return (
        1
        + ranks(
            evaluator, picture.clamp(-1, 1).cpu(), torch.tensor([names.index(name)])
        ).item()
    )


for (low, high), picture in zip(pairs, hybrids, strict=True):
    print(
        f"blurred: {low} has rank {rank(low_pass(2)(picture), low)}; "
        f"as it is: {high} has rank {rank(picture, high)}, {low} has rank {rank(picture, low)} of {len(names)}"
    )

# %% [markdown]
# A hybrid works if the prompt for near wins in the full picture, and the prompt for far in the blurred one.
#
# ## Three at once
#
# Nothing limits the idea to two bands. With blurs of 4 and 1.5 pixels there are three, and three prompts.

# %%
three = ("sun", "lion", "pizza")
triple = generate(
    model, hybrid(model, [f"a {name}" for name in three], (4.0, 1.5)), [0], timesteps
)

# %% mystnb={"figure": {"caption": "A triple hybrid, \"a sun\" (coarse), \"a lion\" (middle), \"a pizza\" (fine), and its three bands; blurs of 4 and 1.5 pixels, $\\gamma = 7$, seed 0. The finer bands are shown around grey.", "name": "fig-a19-triple"}, "image": {"alt": "A picture, followed by its coarse, middle and fine details."}} tags=["hide-input"]
parts = [band(triple) for band in bands(4.0, 1.5)]
grid([unit_range(torch.cat([triple, *parts]))], titles=["picture", *three], size=1.5)

# %%
for name, width in zip(three, (4, 1.5, 0.3), strict=True):
    print(
        f"through a blur of {width} pixels, {name} has rank {rank(low_pass(width)(triple), name)} of {len(names)}"
    )

# %% [markdown]
# ## Where it fails
#
# The noise is split by frequency at every step, but the network is not: each estimate is made by a network that sees the whole picture, with the other prompt's
# band in it, and calls that band noise. Where the two prompts disagree about an edge, both lose. Pairs that share an outline fare better, and drawings with flat colours are a hard case:
# they have little fine detail that could hide a second subject.

# %%
from diffusion_utils.data import shipped_image

for name in ("sailboat", "photograph-cat"):
    x = shipped_image(name)[None]
    low, high = (band(x).var().item() for band in bands(2.0))
    print(f"{name}: {high / (low + high):.1%} of the variance is in the fine band")
