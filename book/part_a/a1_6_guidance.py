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
from diffusion_utils.emoji64.captions import called
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
with_prompt, without = model.denoiser(prompts), model.denoiser("")
columns = [
    generate(model, guided(with_prompt, without, gamma), [0, 0, 0], timesteps)
    for gamma in gammas
]
grid(
    unit_range(torch.stack(columns, 1)),
    titles=[rf"$\gamma={gamma}$" for gamma in gammas],
    labels=prompts,
    size=1.15,
)

# %% [markdown]
# At $\gamma = 0$ all rows show the same shape, since the prompt is ignored. At $\gamma = 1$ the thing is there, but soft. At 2 and 4 it is clearer. From 7 on another dog comes out. At 12 the rocket is torn, and the car hardly changes.
#
# ## The idea
#
# Ask the network twice about the same noisy picture: with the prompt, and with the empty prompt "". The difference of its two answers is what the prompt changes. **Guidance** goes further in this direction {cite:p}`hosalimans2022`:
#
# $$ \epsilon_\gamma = \epsilon_u + \gamma\,(\epsilon_c - \epsilon_u) \tag{N.6} $$
#
# * $\epsilon_c$ is the noise that the network sees with the prompt (c for conditional), $\epsilon_u$ with the empty prompt (u for unconditional).
# * $\gamma$ ("gamma") is the **guidance scale**. With $\gamma = 1$ the loop is that of [1.5](a1_5_sampling.ipynb), and $\gamma > 1$ exaggerates what the prompt changes.
# * $\epsilon_\gamma$ is the guided noise, which the loop uses.

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
# The same answers as clean pictures, by (N.2). The guided one leaves the range from $-1$ to 1, so its colours are too strong. The finished dog is not like that: in later steps the two answers differ less.

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
# How can one network give both answers? In training, one prompt in ten is left out, so it learns to answer without. The price is time: two answers in each step instead of one.
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: guided
# :start-at: both = together
# :prepend: def guided(conditional, unconditional, gamma):
# ```
#
# `guided` makes a new denoiser of two, and the loop uses it like any other. (Our model leaves `nu` empty.)
#
# ## Why does this work?
#
# Up to a factor, the guessed noise is the gradient of the log-density of noisy pictures (["The guess as a direction"](a1_3_one_step_denoising.ipynb)):
#
# $$ \nabla \log p(x_t) \approx -\frac{\epsilon_u}{\sqrt{1-\bar\alpha_t}}, \qquad \nabla \log p(x_t \mid \text{prompt}) \approx -\frac{\epsilon_c}{\sqrt{1-\bar\alpha_t}}. $$
#
# By Bayes' rule, $p(\text{prompt} \mid x_t) \propto p(x_t \mid \text{prompt}) / p(x_t)$. So the second gradient minus the first is that of $\log p(\text{prompt} \mid x_t)$: the direction in which a classifier, a network that names pictures, would recognise the prompt better. Nobody has to train this classifier, so the method is
# called **classifier-free**. (N.6) takes this direction $\gamma$ times,
#
# $$ \nabla \log p(x_t) + \gamma\, \nabla \log p(\text{prompt} \mid x_t), $$
#
# the gradient of the logarithm of a sharper density (up to a factor):
#
# $$ p(x_t)\; p(\text{prompt} \mid x_t)^\gamma. $$
#
# With $\gamma > 1$ the pictures in which the prompt is easiest to recognise count more. So we expect clearer and less varied pictures. (The finished ones follow such a density only roughly.)

# %% [markdown]
# Try a prompt of your own:
#
# ```{live} generate
# ```

# %% [markdown]
# ## Is it less varied?
#
# We ask for every 42nd name that the model knows. How much do the pictures of two seeds differ?

# %% mystnb={"figure": {"caption": "Left: how much two pictures of one prompt differ (seeds 0 and 1), as a root mean square over their values from $-1$ to 1. A line is one of 13 names, prompt \"a NAME\"; blue if they differ less at $\\gamma = 7$ than at 1, red if more. Under 4 and 7: how many lines are lower there than at 1. Right: the share of pictures that the judge of 1.5 names right, for every eighth name, seed 0 (bars: 95 % intervals).", "name": "fig-a16-measured"}, "image": {"alt": "Left, thirteen lines over gamma 1, 4 and 7: most fall up to 4 and stay there; three end higher than they began, one of them much higher. Right, a curve over gamma from 1 to 12, which rises up to 7 and is lower at 12; neighbouring bars overlap."}} tags=["hide-input"]
result = json.loads((ROOT / "benchmarks/results/emoji64.json").read_text())
names = [*result["ranks"]][:: by_profile(full=42, fast=254)]
with_name = model.denoiser([called(name) for name in names for _ in (0, 1)])
scales = [1, 4, 7]
pairs = [
    generate(
        model, guided(with_name, without, gamma), [0, 1] * len(names), timesteps
    ).unflatten(0, (len(names), 2))
    for gamma in scales
]
cut = torch.stack(pairs).clamp(-1, 1)  # (3, 13, 2, 3, 64, 64)
differ = (cut[:, :, 0] - cut[:, :, 1]).square().mean((2, 3, 4)).sqrt()
less = (differ < differ[0]).sum(1).tolist()

newest = result["runs"][-1]["weights"]
ranks = np.array([*result["ranks"].values()])[::8]  # every eighth name, gamma 4
share = {4: (ranks == 1).mean()} | {
    run["gamma"]: run["top1"]
    for run in result["runs"]
    if (run["weights"], run["names"]) == (newest, len(ranks))
}
share = dict(sorted(share.items()))
low, high = np.transpose([wilson(p, len(ranks)) for p in share.values()])
right = np.array([*share.values()])

fig, axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
for line in differ.T:
    axes[0].plot(scales, line, "o-", color="C3" if line[2] > line[0] else "C0")
axes[0].set(ylabel="difference", xlabel=r"$\gamma$", ylim=(0, None))
lower = [f"\nlower: {n} of {len(names)}" for n in less]
axes[0].set_xticks(scales, ["1", "4" + lower[1], "7" + lower[2]], fontsize=8)
axes[1].errorbar([*share], right, [right - low, high - right], fmt="o-", capsize=2)
axes[1].set(ylabel="named right", xlabel=r"$\gamma$", xticks=[*share])
plt.show()

# %% [markdown]
# With $\gamma = 4$ and with $\gamma = 7$ the two pictures of most names are more alike than without guidance. The judge finds the thing most often at $\gamma = 7$, but the bars overlap. (It learned from the same drawings as the model. A high share says that the prompt is obeyed, not that the picture is new or good.)
#
# Here are the names whose pictures came together most and went apart most (the red line that rises after 4):

# %% mystnb={"figure": {"caption": "Of the 13 names, the one whose difference falls most from $\\gamma = 1$ to 7, and the one whose difference rises most.", "name": "fig-a16-diversity"}, "image": {"alt": "Two rows of six. Worms: at gamma 1 two different ones, at 4 and 7 nearly the same. Abacuses: two alike at 1 and 4; at 7 the second one has red beads and a thinner frame, the first has not changed."}} tags=["hide-input"]
change = differ[-1] - differ[0]
rows = [change.argmin().item(), change.argmax().item()]
grid(
    [unit_range(torch.cat([pair[row] for pair in pairs])) for row in rows],
    titles=[f"$\\gamma={gamma}$\nseed {s}" for gamma in scales for s in (0, 1)],
    labels=[names[row] for row in rows],
    size=1.1,
)

# %% [markdown]
# At $\gamma = 7$ the second abacus is a different one, and garbled.
#
# ## Where it fails
#
# **The prompt must mean something.** The coursework asks for $\gamma = 7$ with "a high quality photo":

# %%
prompt = "a high quality photo"
denoise = guided(model.denoiser(prompt), without, gamma=7)
samples = generate(model, denoise, range(5), timesteps)

# %% mystnb={"figure": {"caption": "Five samples of \"a high quality photo\" with $\\gamma = 7$, from the seeds 0 to 4 of {numref}`fig-a15-samples`.", "name": "fig-a16-samples"}, "image": {"alt": "Five soft shapes on white, hard to name."}} tags=["hide-input"]
grid([unit_range(samples)], titles=[f"seed {s}" for s in range(5)], size=0.9)

# %% [markdown]
# Compare with {numref}`fig-a15-samples`, the same seeds at $\gamma = 1$. The purple field of seed 0 has become a ball on white, and the purple shape of seed 4 an orange one. So guidance changes the pictures, but not towards a thing that we can name.
#
# ## Try it
#
# * **Away from the prompt.** In the code of {numref}`fig-a16-gammas`, set `gammas = [-2, 0, 2]`. What does the model draw for a negative $\gamma$?
# * **Keep the colours in their range.** Add `from diffusion_utils.denoisers import clipped` to the same code, and write `clipped(guided(with_prompt, without, gamma), model.schedule)`. It cuts $\hat x_0$ to the range in each step. Is $\gamma = 12$ usable now?
