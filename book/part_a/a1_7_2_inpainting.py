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
# Can we change one part of a picture and keep the rest to the pixel? Denoise everything, but after every step put the known part back, noised
# as much as the step left it {cite:p}`lugmayr2022`.

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

from diffusion_utils.data import hole, shipped_image
from diffusion_utils.metrics import seam
from diffusion_utils.pretrained import load_pretrained
from diffusion_utils.profile import by_profile
from diffusion_utils.recipes import inpaint, prompted
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import comparison, grid, unit_range

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% [markdown]
# With a mask $m$ that is 1 where new content may appear,
#
# $$ x_t \leftarrow m\, x_t + (1 - m)\left(\sqrt{\abar_t}\, x_0 + \sqrt{1-\abar_t}\,\epsilon\right). \tag{A.1} $$
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: keep_outside
# :start-at: def constrain
# ```

# %%
photo = prompted(model, "a high quality photo")
cases = {
    "sailboat": hole(12, 4, 48, 34),
    "mushroom": hole(4, 2, 60, 38),
    "cactus": hole(36, 26, 60, 58),
}
images = torch.stack([shipped_image(name) for name in cases])
masks = torch.stack(list(cases.values()))
single = inpaint(model, photo, images, masks, range(3), timesteps=timesteps)

# %% mystnb={"figure": {"caption": "The picture, the mask (white is new), the picture with the hole, and the result of a single pass. \"A high quality photo\", $\\gamma = 7$, seeds 0 to 2.", "name": "fig-a172-single"}, "image": {"alt": "Three rows of four: sailboat, mushroom and cactus; a white rectangle; the picture with a grey hole; and the picture with new content in the hole."}} tags=["hide-input"]
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
print(f"largest difference outside the hole: {difference:.3f}, on a range of 2")

# %% [markdown]
# The difference that is left is the noise of timestep 0, at which the list ends.
#
# ## Where it fails, and what helps
#
# In a single pass the inside never gets a say: at every step the outside is replaced by a fresh draw that knows nothing of what is being drawn in the hole, and the two
# meet at a seam. RePaint {cite:p}`lugmayr2022` takes each step several times, noising again in between, so that inside and outside can agree:
#
# $$ x_t = \sqrt{\alpha}\, x_{t'} + \sqrt{1 - \alpha}\, z, \qquad \alpha = \abar_t / \abar_{t'}. \tag{N.7} $$
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: resampled
# :start-at: path =
# ```

# %%
repaint = inpaint(
    model, photo, images, masks, range(3), times=by_profile(4, 2), timesteps=timesteps
)

# %% mystnb={"figure": {"caption": "A single pass, and each step taken four times (RePaint); same seeds.", "name": "fig-a172-repaint"}, "image": {"alt": "Three pictures with filled holes above, where the content of the hole does not quite continue its surroundings; the same with resampling below."}} tags=["hide-input"]
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

# %% mystnb={"figure": {"caption": "Move the slider: the sailboat before and after (RePaint, seed 0).", "name": "fig-a172-slider"}} tags=["hide-input"]
comparison(
    unit_range(images[:1]),
    unit_range(repaint[:1]),
    captions=("original", "inpainted"),
    alt="The sailboat, and the same picture with new content where the sails were.",
)

# %% [markdown]
# A lower number does not mean a better picture: a hole that is filled with the plain background has no seam either. Whether the content makes sense is a question for the
# model, and what it draws without a subject in the prompt is often just that, background.
#
# ## With a prompt
#
# The prompt decides what goes into the hole; it need not be the picture's subject.

# %%
prompts = ["a butterfly", "a red apple", "a snowman"]
asked = inpaint(
    model, prompted(model, prompts), images, masks, range(3), timesteps=timesteps
)

# %% mystnb={"figure": {"caption": "The same holes with a prompt, $\\gamma = 7$, seeds 0 to 2, single pass.", "name": "fig-a172-prompts"}, "image": {"alt": "Three pictures whose holes are filled with the colours and some of the shape of a butterfly, an apple and a snowman."}} tags=["hide-input"]
grid([unit_range(asked)], titles=prompts, size=1.6)
