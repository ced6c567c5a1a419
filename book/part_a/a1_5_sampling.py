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
# # 1.5 Sampling
#
# If the loop can finish an image that is half gone, can it start from one that is all gone? Begin at the first timestep, with pure noise.

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
from diffusion_utils.pretrained import load_pretrained
from diffusion_utils.profile import by_profile
from diffusion_utils.recipes import generate
from diffusion_utils.sampling import generators, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import animation, grid, tile, unit_range

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %%
photo = model.denoiser("a high quality photo")
samples = generate(model, photo, range(5), timesteps)

# %% mystnb={"figure": {"caption": "Five samples from pure noise: \"a high quality photo\", no guidance, seeds 0 to 4, timesteps 990, 960, .., 0.", "name": "fig-a15-samples"}, "image": {"alt": "Five small pictures: coloured shapes on plain backgrounds, hard to name."}} tags=["hide-input"]
grid([unit_range(samples)], titles=[f"seed {s}" for s in range(5)], size=1.6)

# %% [markdown]
# The network was never asked for anything in particular, and it shows: {numref}`fig-a15-samples` has the colours, the smooth areas and the plain background
# of the drawings it knows, but few samples are a thing with a name. A prompt narrows the choice.

# %%
prompts = ["a rocket", "a red apple", "a pencil", "a snowman"]
plain = generate(model, model.denoiser(prompts), range(4), timesteps)

# %% mystnb={"figure": {"caption": "One sample for each prompt, no guidance, seeds 0 to 3.", "name": "fig-a15-prompts"}, "image": {"alt": "Four small pictures, one for each prompt; the colours fit the prompts better than the shapes."}} tags=["hide-input"]
grid([unit_range(plain)], titles=prompts, size=1.6)

# %% mystnb={"figure": {"caption": "The four prompts of {numref}`fig-a15-prompts` coming out of noise, seeds 0 to 3: $x_t$ above, $\\hat x_0$ below.", "name": "fig-a15-animation"}} tags=["hide-input"]
import torch

noise = generators(range(4))
x_T = unit_noise(model.shape, noise).to(model.device)
steps = list(
    trajectory(
        model.denoiser(prompts), x_T, timesteps, model.schedule, generators=noise
    )
)
animation(
    [unit_range(torch.cat([tile(s.x, 4), tile(s.x0_hat, 4)], 2)) for s in steps],
    alt="Four squares of noise turn into pictures; below each, the clean image that the network sees at that moment.",
    captions=[f"t = {s.t}" for s in steps],
    width=480,
)

# %% [markdown]
# ## Where it fails
#
# Without guidance the text is only a hint: the network learned from captions that are sometimes missing and often vague, and it hedges. The
# samples drift to what most drawings look like. [1.6](a1_6_guidance.ipynb) makes it listen.
