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
# If the loop can finish an image of whose variance a fifth is left, can it start from none? Begin at the first timestep of the list, $t = 990$, with pure noise: of a real image
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

from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import animation, grid, tile, unit_range
from diffusion_utils.tasks import enlarged, generate
from diffusion_utils.text_to_image import load_pretrained

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
# Each seed gives another picture, and the prompt asks for nothing in particular. {numref}`fig-a15-samples` has what all drawings share: a subject in the
# middle, a plain background, areas of one colour. None of the five can be named. Does a prompt help?

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
# In {numref}`fig-a15-prompts` the apple is one, and the pencil has its colour. The rocket is still the shape that seed 0 drew without it in {numref}`fig-a15-samples`, and there is no
# snowman. {numref}`fig-a15-animation` shows when each was decided.
#
# ## Where it fails
#
# Without guidance an ideal model draws from the images that fit the prompt. How much does this one know from a prompt? Noise three drawings, with noise that is known, and ask for it with the right name, with
# the name of another of the three, and with the empty prompt. Some error is left even to an ideal network, since $x_t$ does not determine the noise; what the prompt is worth is the difference.

# %%
names = ["sailboat", "mushroom", "cactus"]
drawings = torch.stack([shipped_image(name) for name in names])
drawings = drawings.repeat_interleave(4, 0).to(model.device)
eps = unit_noise(model.shape, generators(range(12))).to(model.device)
right = [f"a {name}" for name in names for _ in range(4)]
asked = {"right": right, "wrong": right[4:] + right[:4], "empty": ""}
for t in timesteps[1:-1:5]:
    x_t = model.schedule.forward(drawings, t, eps)
    with torch.no_grad():
        errors = {
            name: (model.denoiser(p)(x_t, t).eps - eps).square().mean((1, 2, 3))
            for name, p in asked.items()
        }
    against = {
        name: (errors[name] / errors["empty"] - 1).cpu() for name in ("right", "wrong")
    }
    print(
        f"t = {t}: error with the empty prompt {errors['empty'].mean():.4f}; "
        + ", ".join(
            f"the {name} one {x.mean():+.1%} ± {x.std() / len(x) ** 0.5:.1%}"
            for name, x in against.items()
        )
    )

# %% [markdown]
# The network does read the prompt: at every noise level the right name lowers the error, and the wrong one raises it. But it counts for much only at the start, where hardly anything else says what to draw; further down it is worth
# a few percent, and what the first steps have begun, the rocket's red arch for one, is finished, prompt or not. [1.6](a1_6_guidance.ipynb) makes more of this difference.
