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
# If the loop can finish an image of which a fifth is left, can it start from none? Begin at the first timestep of the list, $t = 990$, with pure noise: of a real image
# hardly anything would be left there either.

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

from diffusion_utils.data import shipped_image
from diffusion_utils.pretrained import load_pretrained
from diffusion_utils.profile import by_profile
from diffusion_utils.recipes import enlarged, generate
from diffusion_utils.sampling import generators, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import animation, grid, tile, unit_range

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% [markdown]
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: sample
# :start-at: noise =
# ```

# %%
print(f"alpha_bar at t = {timesteps[0]}: {model.schedule.at(timesteps[0]):.1e}")
photo = model.denoiser("a high quality photo")
samples = generate(model, photo, range(5), timesteps)

# %% mystnb={"figure": {"caption": "Five samples from pure noise: \"a high quality photo\", no guidance, seeds 0 to 4, timesteps 990, 960, .., 0.", "name": "fig-a15-samples"}, "image": {"alt": "Five small pictures: coloured shapes on plain backgrounds."}} tags=["hide-input"]
large = enlarged(model, samples, "a high quality photo", range(5))
grid([unit_range(large)], titles=[f"seed {s}" for s in range(5)], size=1.6)

# %% [markdown]
# (`enlarged` does nothing for Emoji-64. A model with a second stage, as DeepFloyd IF has, draws the same pictures with more pixels there.)
#
# Each seed gives another picture, and the prompt asks for nothing in particular. What to look for in {numref}`fig-a15-samples` is what all drawings share: a subject in the
# middle, a plain background, areas of one colour. A prompt narrows the choice.

# %%
prompts = ["a rocket", "a red apple", "a pencil", "a snowman"]
noise = generators(range(4))
x_T = unit_noise(model.shape, noise).to(model.device)
steps = list(
    trajectory(
        model.denoiser(prompts), x_T, timesteps, model.schedule, generators=noise
    )
)

# %% mystnb={"figure": {"caption": "One sample for each prompt, no guidance, seeds 0 to 3, timesteps 990, 960, .., 0.", "name": "fig-a15-prompts"}, "image": {"alt": "Four small pictures on plain backgrounds, asked for as a rocket, a red apple, a pencil and a snowman."}} tags=["hide-input"]
grid([unit_range(steps[-1].x)], titles=prompts, size=1.6)

# %% mystnb={"figure": {"caption": "The four prompts of {numref}`fig-a15-prompts` coming out of noise, no guidance, seeds 0 to 3: $x_t$ above, below the $\\hat x_0$ that the step to it used; every third step.", "name": "fig-a15-animation"}} tags=["hide-input"]
kept = (
    steps[:-1:3] + steps[-1:]
)  # noise does not compress: fewer frames, a lighter page
animation(
    [unit_range(torch.cat([tile(s.x, 4), tile(s.x0_hat, 4)], 2)) for s in kept],
    alt="Four squares of noise turn into pictures; below each, the clean image that the network has in mind.",
    captions=[f"t = {s.t}" for s in kept],
    width=480,
)

# %% [markdown]
# ## Where it fails
#
# Without guidance an ideal model draws from the images that fit the prompt. A small one tends to answer alike with and without the
# prompt, and then the prompt decides little. How far apart the two answers are, at each noise level, for the images on the way to {numref}`fig-a15-prompts`
# ({numref}`fig-a15-animation` shows them), beside how wrong an answer is on real drawings there, the mushroom and the cactus with known noise:

# %%
drawings = torch.stack([shipped_image(n) for n in ("mushroom", "cactus")])
drawings = drawings.to(model.device)
eps = unit_noise(model.shape, generators([0, 1])).to(model.device)
for step in steps[:-1][:: max(1, len(steps) // 6)]:
    x_t = model.schedule.forward(drawings, step.t, eps)
    with torch.no_grad():
        with_prompt = model.denoiser(prompts)(step.x, step.t).eps
        without = model.denoiser("")(step.x, step.t).eps
        wrong = model.denoiser("")(x_t, step.t).eps - eps
    print(
        f"t = {step.t}: the prompt changes the noise estimate by "
        f"{(with_prompt - without).square().mean().sqrt():.3f}, "
        f"its error on drawings is {wrong.square().mean().sqrt():.3f} (root mean squares)"
    )

# %% [markdown]
# Where the first number is well below the second, the prompt says less than the network gets wrong anyway. [1.6](a1_6_guidance.ipynb) makes more of this difference.
