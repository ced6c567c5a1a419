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
# # 1.6 Classifier-free guidance
#
# How do we make the model take the prompt seriously? **We ask it twice, with the prompt and without, and
# exaggerate the difference.**

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

from diffusion_utils.denoisers import guided
from diffusion_utils.files import ROOT
from diffusion_utils.metrics import wilson
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.tasks import generate
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% mystnb={"figure": {"caption": "Three prompts at six guidance scales $\\gamma$, all from the same noise (seed 0).", "name": "fig-a16-gammas"}, "image": {"alt": "Three rows of six pictures. At gamma 0 all rows show the same shape; at 1 a soft rocket, car and dog, at 2 and 4 clearer ones. At 12 the colours of rocket and car are hard; from 7 on the dog is another one."}} tags=["hide-input"]
prompts = ["a rocket ship", "a car", "a dog"]
gammas = by_profile(full=[0, 1, 2, 4, 7, 12], fast=[1, 7])
seeds = by_profile(full=range(4), fast=range(2))
without = model.denoiser("")
pictures = {}  # of each prompt and each gamma, one from each seed
for prompt in prompts:
    with_prompt = model.denoiser(prompt)
    for gamma in gammas:
        denoise = guided(with_prompt, without, gamma)
        pictures[prompt, gamma] = generate(model, denoise, seeds, timesteps)
grid(
    [unit_range(torch.stack([pictures[p, g][0] for g in gammas])) for p in prompts],
    titles=[rf"$\gamma={gamma}$" for gamma in gammas],
    labels=prompts,
    size=1.15,
)

# %% [markdown]
# ## The idea
#
# Ask the network twice about the same noisy picture: with the prompt, and with the empty prompt "". The difference of its two answers is what the prompt changes. **Guidance** goes further in this direction than the network
# itself would {cite:p}`hosalimans2022`:
#
# $$ \epsilon_\gamma = \epsilon_u + \gamma\,(\epsilon_c - \epsilon_u) \tag{N.6} $$
#
# * $\epsilon_c$ is the noise that the network sees with the prompt (c for conditional).
# * $\epsilon_u$ is the noise that it sees with the empty prompt (u for unconditional).
# * $\gamma$ ("gamma") is the **guidance scale**. With $\gamma = 0$ the prompt is ignored, $\gamma = 1$ is the loop of [1.5](a1_5_sampling.ipynb), and $\gamma > 1$ exaggerates what the prompt changes.
# * $\epsilon_\gamma$ is the guided noise. The loop uses it in place of the network's own answer.

# %% mystnb={"figure": {"caption": "Guidance as arrows, a sketch: the answer without the prompt (grey) and with it (blue), $\\gamma$ times their difference (dashed), and the sum of grey and dashed (red). The difference is drawn larger than it is.", "name": "fig-a16-arrows"}, "image": {"alt": "From one point start two arrows, the estimates without and with the prompt. A third arrow goes from the tip of the first through the tip of the second, and four times as far. The guided estimate is the arrow from the start to its tip."}} tags=["hide-input"]
eps_u, eps_c, gamma = np.array([1.0, 1.7]), np.array([1.9, 1.35]), 4
eps_gamma = eps_u + gamma * (eps_c - eps_u)


def arrow(start, end, colour, style="-|>", dashed=False):
    kind = {"arrowstyle": style, "color": colour, "lw": 2, "shrinkA": 0, "shrinkB": 0}
    kind |= {"ls": "--" if dashed else "-", "mutation_scale": 18}
    ax.annotate("", end, start, arrowprops=kind)


fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
origin = np.zeros(2)
arrow(eps_u, eps_gamma, "C1", dashed=True)
arrow(origin, eps_u, "grey")
arrow(origin, eps_c, "C0")
arrow(origin, eps_gamma, "C3")
for where, text, colour, shift in [
    (eps_u, r"$\epsilon_u$  without prompt", "grey", (-0.1, 0.16)),
    (eps_c, r"$\epsilon_c$  with prompt", "C0", (0.05, 0.12)),
    (eps_gamma, rf"$\epsilon_\gamma$  guided, $\gamma={gamma}$", "C3", (-0.05, -0.3)),
    (
        (eps_c + eps_gamma) / 2,
        r"$\gamma\,(\epsilon_c - \epsilon_u)$",
        "C1",
        (0.1, 0.12),
    ),
]:
    ax.text(*(where + np.array(shift)), text, color=colour, fontsize=12)
ax.set(xlim=(-0.2, 6.2), ylim=(-0.2, 2.2), aspect="equal")
ax.set_axis_off()
plt.show()

# %% [markdown]
# Here are the same answers as pictures. Each noise, put into (N.2), gives a clean picture:

# %% mystnb={"figure": {"caption": "From the left: a noisy picture on its way to \"a dog\"; the clean picture $\\hat x_0$ that the network sees in it without the prompt and with it; the second minus the first (grey: no difference); and the guided one, $\\gamma = 4$.", "name": "fig-a16-guesses"}, "image": {"alt": "Noise, then a soft shape, a soft dog, the difference of the two on grey, and a dog with hard colours."}} tags=["hide-input"]
t = by_profile(full=870, fast=660)
dog, beginning = model.denoiser("a dog"), [s for s in timesteps if s >= t]
rng = generators([0])
x = unit_noise(model.shape, rng).to(model.device)
*_, step = trajectory(dog, x, beginning, model.schedule, generators=rng)
eps_u, eps_c = without(step.x, t).eps, dog(step.x, t).eps
noises = [eps_u, eps_c, eps_u + 4 * (eps_c - eps_u)]
unprompted, prompted, exaggerated = [
    model.schedule.predict_x0(step.x, t, eps) for eps in noises
]
shown = [step.x, unprompted, prompted, prompted - unprompted, exaggerated]
grid(
    [unit_range(torch.cat(shown))],
    titles=[f"$t={t}$", "without", "with", "difference", r"$\gamma=4$"],
    size=1.3,
)

# %% [markdown]
# How does one network give both answers? In training, one prompt in ten is left out, and the network learns to answer without it. The price is time: two answers in each step instead of one.
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: guided
# :start-at: both = together
# :prepend: def guided(conditional, unconditional, gamma):
# ```
#
# `guided` takes two denoisers and returns a new one, which the loop uses like any other. (`together` asks both in one batch. `nu` is a learned variance, which our model does not have.)
#
# ## Why does this work?
#
# Taking noise away makes a picture more probable. For one clean picture $x_0$ this can be computed: by (N.1), $x_t$ is Gaussian around $\sqrt{\bar\alpha_t}\,x_0$, and the gradient $\nabla$ of
# its log-density with respect to $x_t$ is $-\epsilon / \sqrt{1-\bar\alpha_t}$. The network answers with the mean of the noises that fit. This gives the gradient for all pictures together:
#
# $$ \nabla \log p(x_t) \approx -\frac{\epsilon_u}{\sqrt{1-\bar\alpha_t}}, \qquad \nabla \log p(x_t \mid \text{prompt}) \approx -\frac{\epsilon_c}{\sqrt{1-\bar\alpha_t}}. $$
#
# By Bayes' rule the second minus the first is $\nabla \log p(\text{prompt} \mid x_t)$: the direction in which a classifier, a network that names pictures, would recognise the prompt better. Nobody has to train this classifier, so the method is
# called **classifier-free**. (N.6) takes this direction $\gamma$ times. So the loop follows the gradient of a sharper density:
#
# $$ p(x_t)\; p(\text{prompt} \mid x_t)^\gamma. $$
#
# With $\gamma > 1$ the pictures in which the prompt is easiest to recognise count more: they are clearer, more typical, and less varied. (The finished pictures follow such a density only roughly. The paper writes $1 + w$ for $\gamma$.)

# %% [markdown]
# Try a prompt of your own:
#
# ```{live} generate
# ```

# %% [markdown]
# ## What you see
#
# In {numref}`fig-a16-gammas` all rows show the same picture at $\gamma = 0$, where the prompt is ignored. At $\gamma = 1$ the thing is there, but soft. With $\gamma = 2$ and 4 it is clearer. With more guidance the
# colours of rocket and car become too strong, and another dog comes out.
# (A perfect network would draw sharp pictures at $\gamma = 1$ already. Guidance also hides errors of a real one.)
#
# ## How much guidance?
#
# We measure three things against $\gamma$: how often the **judge** of 1.5 gives the right name first, how much pictures of one prompt differ from seed to seed, and how many pixels leave the range from $-1$ to $1$, so that the
# screen cuts them off.

# %% mystnb={"figure": {"caption": "Left: the share of pictures that the judge names right, for every eighth name that the model knows (bars: 95 % intervals). Middle: the root mean square difference between two pictures of one prompt. Right: the share of pixels with a colour more than 0.1 out of range. Middle and right: the prompts of {numref}`fig-a16-gammas`, four seeds each.", "name": "fig-a16-measured"}, "image": {"alt": "Three plots over gamma from 1 to 12. The share named right rises up to 7 and is lower at 12. The difference between seeds falls for the car up to 4, for the dog between 4 and 7, and for the rocket up to 4, from where it rises. The share of pixels out of range rises, for the dog hardly."}} tags=["hide-input"]
result = json.loads((ROOT / "benchmarks/results/emoji64.json").read_text())
newest = result["runs"][-1]["weights"]
drawn = np.array(list(result["ranks"].values()))[::8]  # every eighth name, gamma 4
share = {4: (drawn == 1).mean()} | {
    run["gamma"]: run["top1"]
    for run in result["runs"]
    if (run["weights"], run["names"]) == (newest, len(drawn))
}
share = dict(sorted(share.items()))
low, high = np.transpose([wilson(p, len(drawn)) for p in share.values()])
right = np.array(list(share.values()))


def difference(images):
    """The mean distance of two of the images, as a root mean square over their values."""
    values = images.clamp(-1, 1).flatten(1)
    return torch.pdist(values).mean().item() / values.shape[1] ** 0.5


def outside(images):
    return (images.abs() > 1.1).any(1).double().mean().item()


guided_ones = [gamma for gamma in gammas if gamma > 0]
fig, axes = plt.subplots(1, 3, figsize=(8, 2.8), layout="constrained")
axes[0].errorbar(list(share), right, [right - low, high - right], fmt="o-", capsize=2)
axes[0].set(ylabel="named right")
for prompt in prompts:
    of_prompt = [pictures[prompt, gamma] for gamma in guided_ones]
    axes[1].plot(guided_ones, [difference(x) for x in of_prompt], "o-", label=prompt)
    axes[2].plot(guided_ones, [outside(x) for x in of_prompt], "o-", label=prompt)
axes[1].set(ylabel="difference between seeds", ylim=(0, None))
axes[2].set(ylabel="pixels out of range")
axes[2].legend(fontsize=8)
for ax in axes:
    ax.set(xlabel=r"$\gamma$", xticks=list(share))
plt.show()

# %% [markdown]
# Up to $\gamma = 7$ the judge names more and more of these pictures right, and at 12 fewer again. Guidance can make the pictures of one prompt more alike: the cars and rockets already at 2, the dogs only at 7. But at 7 and 12 the
# rockets differ more than without guidance. More and more colours leave their range, though hardly any of the dog's. So take a $\gamma$ in the middle. (The judge learned from the same drawings as the
# model. A high share says that the prompt is obeyed, not that the picture is new or good.)
#
# ## Where it fails
#
# **The pictures can become alike.** Guidance goes towards what is typical of the prompt. It can end at nearly the same picture from every seed:

# %% mystnb={"figure": {"caption": "\"A dog\" from four seeds, without guidance and with $\\gamma = 7$.", "name": "fig-a16-diversity"}, "image": {"alt": "Two rows of four pictures asked for as a dog. Those with guidance are nearly the same dog."}} tags=["hide-input"]
grid(
    [unit_range(pictures["a dog", gamma]) for gamma in (1, 7)],
    titles=[f"seed {s}" for s in seeds],
    labels=[r"$\gamma=1$", r"$\gamma=7$"],
    size=1.15,
)

# %% [markdown]
# **The prompt must mean something.** The coursework asks for $\gamma = 7$ with "a high quality photo":

# %%
prompt = "a high quality photo"
denoise = guided(model.denoiser(prompt), without, gamma=7)
samples = generate(model, denoise, range(5), timesteps)

# %% mystnb={"figure": {"caption": "Five samples of \"a high quality photo\" with $\\gamma = 7$, from the seeds 0 to 4 of {numref}`fig-a15-samples`.", "name": "fig-a16-samples"}, "image": {"alt": "Five soft shapes on white, hard to name."}} tags=["hide-input"]
grid([unit_range(samples)], titles=[f"seed {s}" for s in range(5)], size=0.9)

# %% [markdown]
# For Emoji-64 this phrase could stand for any drawing, and so could the empty prompt. The difference of the two answers says little, and guidance enlarges it all the same.
#
# ## Try it
#
# * **Away from the prompt.** In the code of {numref}`fig-a16-gammas`, set `gammas = [-2, 0, 2]`. What does the model draw for a negative $\gamma$?
# * **Keep the colours in their range.** Add `from diffusion_utils.denoisers import clipped` to the same code, and generate with `clipped(denoise, model.schedule)`. It cuts $\hat x_0$ to the range in each step. Is $\gamma = 12$ usable now?
