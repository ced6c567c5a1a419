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
# # Fun with Diffusion Models
#
# **How does a computer draw a picture?** It learns to remove noise. Then it starts from nothing but noise, and removes it a little at a time.
#
# This book works through project 5 of UC Berkeley's CS180/280A ([where each item is](deliverables.md)). Part A takes a trained model apart that draws what a text asks for. Part B trains small models from scratch, on digits. You need some Python, and to know means, variances and Gaussians. This page shows the whole idea.

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
    if not fetches:
        sys.exit("Open this notebook where it belongs, in a complete copy of the book.")
    if ADDRESS.endswith(".invalid"):
        sys.exit(
            "This copy of the book is not published, so there is nothing to fetch."
        )
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
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from IPython.display import Markdown

from diffusion_utils.denoisers import guided
from diffusion_utils.mnist.objectives import MNIST_SCHEDULE
from diffusion_utils.mnist.release import released
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.pictures import HOLES, hole, shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import (
    generators,
    noise_like,
    sample,
    trajectory,
    unit_noise,
)
from diffusion_utils.schedule import spaced_timesteps, strided_timesteps
from diffusion_utils.show import grid, to_pixels, unit_range
from diffusion_utils.tasks import (
    MERGE,
    generate,
    hybrid_image,
    inpaint,
    prompted,
    sdedit,
    visual_anagram,
)
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import FLIP, low_pass, mixed

model = load_pretrained("emoji64")
schedule = model.schedule
timesteps = by_profile(strided_timesteps(990, 45), strided_timesteps(990, 330))
columns = by_profile([0, 180, 360, 540, 720, 855, 990], [0, 330, 660, 990])
picture = shipped_image("sailboat")[None]
rng = generators([0])
eps = unit_noise(model.shape, rng)
there = [picture] + [schedule.forward(picture, t, eps) for t in columns[1:]]
x_T = there[-1]  # the way back starts here
denoise = prompted(model, "a sailboat", gamma=4)
steps = trajectory(denoise, x_T.to(model.device), timesteps, schedule, generators=rng)
path = {timesteps[0]: x_T} | {step.t: step.x.cpu() for step in steps}
back = [path[t] for t in columns]

# %% mystnb={"figure": {"caption": "Above: a picture $x_0$ of 64x64 pixels gets more and more noise (seed 0). Below: the last noisy picture becomes a picture again in 22 small steps, by a network that is told \"a sailboat\" and sees nothing else of the upper row.", "name": "fig-index-strip"}, "image": {"alt": "Two rows of seven small pictures, with the timestep above each. The upper row starts with a clean sailboat that drowns in noise towards the right. The lower row starts with the last picture above, out of which another sailboat comes towards the right: with orange sails."}} tags=["remove-input"]
rows = {
    "add noise": ([0, *columns[1:]], there),
    "remove noise": (columns[::-1], back[::-1]),
}
fig, axes = plt.subplots(2, len(columns), figsize=(7, 2.7), layout="compressed")
for line, (label, (times, pictures)) in zip(axes, rows.items(), strict=True):
    for ax, t, x in zip(line, times, pictures, strict=True):
        ax.imshow(to_pixels(unit_range(x))[0])
        ax.set(xticks=[], yticks=[])
        clean = "$x_0$" if label == "add noise" else "end"
        ax.set_title(f"$t={t}$" if t else clean, fontsize=9)
    line[0].set_ylabel(f"{label} →", fontsize=9)
plt.show()

# %% [markdown]
# The upper row is easy: as the **timestep** $t$ grows, the picture gets weaker and the noise stronger. For the lower row, a network has been trained to say what in a noisy picture is noise.
# A loop takes a little of that noise away, and asks again. Network and loop together are a **diffusion model**.
#
# The lower row starts where the upper one ends. Hardly anything of the first boat is left there, so the loop ends at another boat. It comes from the text (the **prompt**), from the noise, and from what the network has learned: 3,060 emoji ([appendix](appendix/emoji64.ipynb)). The **seed** of the noise is the number that a random generator starts from. The same seed gives the same noise again.
#
# ## What the alphas do
#
# Part A has $T = 1000$ timesteps, from $t = 0$ to 999. How much noise belongs to each is fixed before the training, by a number $\bar\alpha_t$ ("alpha bar") that falls from almost 1 towards 0. The noisy picture is
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon, \qquad \epsilon \sim \mathcal N(0, I). \tag{N.1} $$
#
# Here $x_0$ is always the clean picture (at $t = 0$ there is already a trace of noise). Each of its pixels has three values, for red, green and blue, from $-1$ (dark) to 1 (bright). $\epsilon$ is the noise: for each value an independent random number with mean 0 and variance 1. The squares of the two factors add up to 1. So if the values of a picture have variance 1, those of the noisy picture have it too, at each $t$. ([1.1](part_a/a1_1_forward.ipynb) derives the formula, and explains the bar.)

# %% mystnb={"figure": {"caption": "The two factors of (N.1), for Part A. Dots: the noisy pictures in the upper row of {numref}`fig-index-strip`.", "name": "fig-index-alphas"}, "image": {"alt": "Two curves: the factor of the picture falls from one to zero, slowly at first; the factor of the noise rises from zero to one."}} tags=["remove-input"]
fig, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
for factor, label in (
    (schedule.alpha_bar.sqrt(), r"$\sqrt{\bar\alpha_t}$, the picture"),
    ((1 - schedule.alpha_bar).sqrt(), r"$\sqrt{1-\bar\alpha_t}$, the noise"),
):
    (line,) = ax.plot(factor, label=label)
    ax.plot(columns[1:], factor[columns[1:]], "o", color=line.get_color())
ax.set(xlabel="$t$", ylabel="factor")
ax.legend()
plt.show()
assert schedule.alpha_bar[0] > 0.999 and schedule.alpha_bar[-1] < 0.001
assert schedule.alpha_bar[490] > 0.5 > schedule.alpha_bar[500]
assert 0.005 < (1 - schedule.alpha_bar[0]).sqrt() < 0.01

# %% [markdown]
# The curves cross near $t = 500$. At 540 the noise has the larger factor, but the boat of {numref}`fig-index-strip` can still be seen, since the eye averages over areas. At 990 the factor of the picture is nearly 0. At $t = 0$, where the way back ends ("end" in the figures), the factor of the noise is less than 0.01, too little to see.
#
# ## What the network learns
#
# A network with weights $\theta$ gets $x_t$, $t$ and a prompt $p$, and guesses the noise: $\epsilon_\theta(x_t, t, p)$. In training, a picture $x_0$ gets noise at a random timestep by (N.1), and the weights are changed so that the squared error of the guess becomes smaller:
#
# $$ L(\theta) = \mathbb E\, \lVert \epsilon - \epsilon_\theta(x_t, t, p) \rVert^2, $$
#
# on average over pictures, timesteps and noises. Sometimes the prompt is left empty, so the network also learns to do without.
#
# Put the guess in place of $\epsilon$ in (N.1) and solve for $x_0$. The result, $\hat x_0$ ("x zero hat"), is a guess of the clean picture:
#
# $$ \hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\,\epsilon_\theta(x_t, t, p)}{\sqrt{\bar\alpha_t}} \tag{N.2} $$

# %% mystnb={"figure": {"caption": "Two ways from noise to \"a flower\", seeds 0 and 1: $x_t$ and $\\hat x_0$; of the first also the guess of the noise, $\\epsilon_\\theta$. No guidance (see below).", "name": "fig-index-predicts"}, "image": {"alt": "Five rows. Noise in which a flower appears from left to right; below it nothing but noise; below that soft flowers. Then another noise in which a flower appears, and its soft flowers. Both first soft ones are nearly the same pale, blurred flower. Then the first one gets red petals on top, and the second one becomes a white flower with a yellow middle."}} tags=["remove-input"]
looks = by_profile([990, 945, 900, 720, 315], [990, 660, 330])
rng = generators([0, 1])
x_T = unit_noise(model.shape, rng).to(model.device)
ask = model.denoiser("a flower")
steps = list(trajectory(ask, x_T, timesteps, schedule, generators=rng))
pictures = [x_T] + [step.x for step in steps]
places = [timesteps.index(t) for t in looks]
rows = []
for i in (0, 1):
    rows.append([pictures[k][i] for k in [*places, -1]])
    rows.append([steps[k].x0_hat[i] for k in places])
guesses = [ask(pictures[k], t).eps[0] for k, t in zip(places, looks, strict=True)]
rows.insert(1, guesses)
grid(
    [unit_range(torch.stack(row)) for row in rows],
    titles=[*(f"$t={t}$" for t in looks), "end"],
    labels=["$x_t$", r"$\epsilon_\theta$", r"$\hat x_0$", "$x_t$", r"$\hat x_0$"],
    size=0.95,
)

# %% [markdown]
# The guess of the noise, $\epsilon_\theta$, looks like noise in each column, even at $t = 315$, where $x_t$ shows the flower. (N.2) takes this noise out of $x_t$.
#
# **Why is the first $\hat x_0$ a blur?** Many clean pictures can lead to the same $x_t$, each with its own noise. The guess of the noise with the smallest mean squared error is the average of these noises, weighted by how probable each is ([1.3](part_a/a1_3_one_step_denoising.ipynb)).
# For a given $x_t$, (N.2) is linear in the noise. So the average noise gives the average picture.
#
# At $t = 990$ both $\hat x_0$ are nearly the same pale flower: the prompt is known, but $x_t$ says hardly more. At $t = 945$ one has red petals on top. Then both get sharper, and the two flowers differ more and more.
#
# ## One loop
#
# Why not jump straight to $\hat x_0$? It is a blurred average. Instead, start from noise and repeat: guess the noise, compute $\hat x_0$, and go a small step towards it, to the next smaller timestep $t'$. Each step goes some way towards the average, and its noise makes $x_t$ fit some flowers better than others. So the next average is over fewer, and sharper, as {numref}`fig-index-predicts` shows from left to right. This loop is called **DDPM** {cite:p}`ho2020`. One step is
#
# $$ x_{t'} = a\,\hat x_0 + b\,x_t + \sqrt{\tilde\beta}\,z, $$
#
# with fresh noise $z$. The numbers $a$, $b$ and $\tilde\beta$ follow from $\bar\alpha_t$ and $\bar\alpha_{t'}$ ([1.4](part_a/a1_4_iterative_denoising.ipynb) has the formulas).

# %% mystnb={"figure": {"caption": "One step, from $t = 720$ to $t' = 675$, of the first flower in {numref}`fig-index-predicts` (seed 0). Above, the pictures; below, each times its number, as the step adds them up (grey is 0; values beyond black and white are cut off).", "name": "fig-index-step"}, "image": {"alt": "Two rows of four pictures. Above: a soft red and white flower without noise; noise in which it can hardly be seen; noise alone; and the flower under a little less noise. Below, with plus signs and an equals sign, the same times the numbers: the flower is nearly grey, the noisy picture a little paler, the noise much paler, and their sum."}} tags=["remove-input"]
k = by_profile(6, 1)
t, t_prev = timesteps[k : k + 2]
one, none = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
a, b, rest = (
    schedule.step(x_t, x0_hat, t, t_prev, z).item()
    for x_t, x0_hat, z in ((none, one, none), (one, none, none), (none, none, one))
)
x0_hat, x_t, following = steps[k].x0_hat[:1], pictures[k][:1], pictures[k + 1][:1]
z = (following - a * x0_hat - b * x_t) / rest  # the noise that the loop drew
assert abs(z.mean()) < 0.05 and abs(z.std() - 1) < 0.05
parts = [x0_hat, x_t, z, following]
scaled = [a * x0_hat, b * x_t, rest * z, following]
titles = [r"$\hat x_0$", "$x_t$", "$z$", r"$x_{t^\prime}$"]
below = [f"{a:.3f} times", f"+ {b:.3f} times", f"+ {rest:.3f} times", "="]
fig, axes = plt.subplots(2, 4, figsize=(5.4, 3.1), layout="compressed")
for line, row, names in zip(axes, (parts, scaled), (titles, below), strict=True):
    for ax, x, name in zip(line, row, names, strict=True):
        ax.imshow(to_pixels(unit_range(x))[0])
        ax.set_title(name, fontsize=10)
        ax.set_axis_off()
plt.show()

# %% tags=["remove-input"]
before, after = ((1 - schedule.at(s)).sqrt().item() for s in (t, t_prev))
assert abs((b * before) ** 2 + rest**2 - after**2) < 1e-5
seen, later = (schedule.at(s).sqrt().item() for s in (t, t_prev))
assert abs(a + b * seen - later) < 1e-5
Markdown(
    "Why just these numbers? With them $x_{t'}$ gets what (N.1) asks for at $t'$:\n\n"
    f"* **Picture.** In $x_t$ its factor is {seen:.4f}. If $\\hat x_0$ is right, the first two terms have ${a:.4f} + {b:.4f} \\cdot {seen:.4f} \\approx {later:.4f}$ of it, which is $\\sqrt{{\\bar\\alpha_{{{t_prev}}}}}$.\n"
    f"* **Noise.** In $x_t$ its factor is {before:.4f}, so in $b\\,x_t$ it is ${b:.4f} \\cdot {before:.4f} \\approx {b * before:.4f}$. At {t_prev} it should be {after:.4f}. Fresh noise fills the gap, as the variances of independent noises add up: ${b * before:.4f}^2 + {rest:.4f}^2 \\approx {after:.4f}^2$."
)

# %% [markdown]
# Other numbers fulfil these two conditions, too, even some without fresh noise (DDIM, in 1.4). Those of DDPM come from Bayes' rule: if the clean picture were known, they would draw each $x_{t'}$ as often as it leads to $x_t$. And why is an average good enough in place of the clean picture? Because it enters with a small number only, and the next guess can correct it.
#
# **Guidance** ([1.6](part_a/a1_6_guidance.ipynb)) makes the prompt stronger. It asks the network with the prompt ($\epsilon_c$) and with an empty one ($\epsilon_u$), and exaggerates the difference. In place of $\epsilon_\theta$ the loop uses
#
# $$ \epsilon_u + \gamma\,(\epsilon_c - \epsilon_u). $$
#
# The **guidance scale** $\gamma$ (`gamma`) was 4 for the boat of {numref}`fig-index-strip`. With $\gamma = 1$, as for the flowers, only $\epsilon_c$ is left.

# %% tags=["remove-input"]
Markdown(
    "Now in code, for eight pictures at once. `model` is the network of Part A, `schedule` has its $\\bar\\alpha_t$. "
    f"The `timesteps` go from {timesteps[0]} to 0, each {timesteps[0] - timesteps[1]} smaller. "
    "`prompted` makes a function that answers with the guided guess, as `.eps`."
)

# %% tags=["remove-cell"]
torch.set_grad_enabled(False)

# %%
names = "red apple, broccoli, campfire, penguin, fish, cactus, sailboat, ninja"
prompts = [f"a {name}" for name in names.split(", ")]
denoise = prompted(model, prompts, gamma=4)  # guided

rng = generators(range(8))  # a random generator for each, seeds 0 to 7
x = unit_noise(model.shape, rng).to(model.device)  # the first noise
for t, t_prev in pairwise(timesteps):  # (990, 945), (945, 900) .. (45, 0)
    eps = denoise(x, t).eps  # the guess of the noise
    x0_hat = schedule.predict_x0(x, t, eps)  # (N.2)
    z = noise_like(x, rng)  # fresh noise
    x = schedule.step(x, x0_hat, t, t_prev, z)  # with a, b and z, as above

# %% mystnb={"figure": {"caption": "What the loop above draws. The prompts were chosen, the pictures not.", "name": "fig-index-pictures"}, "image": {"alt": "Eight small pictures with their prompts above: red apple, broccoli, campfire, penguin, fish, cactus, sailboat, ninja."}} tags=["remove-input"]
grid([unit_range(x)], titles=names.split(", "), size=1.1)

# %% [markdown]
# All eight can be recognised, the ninja least. Details are wrong: the penguin has no eyes, and the sail does not touch the boat. The boat looks much like that of {numref}`fig-index-strip`, though its noise is another. With guidance, pictures of one prompt get alike ([1.6](part_a/a1_6_guidance.ipynb)). How much the network imitates its drawings is measured in the [appendix](appendix/emoji64.ipynb).
#
# A loop of the same kind, with another network, draws digits:

# %% mystnb={"figure": {"caption": "Part B: a sample of each digit from a network trained on handwritten ones, MNIST ([B3](part_b/b3_class_conditioned.ipynb)); $\\gamma = 2$, seeds 0 to 9, 30 steps. Not selected: the five is broken, the six is open.", "name": "fig-index"}, "image": {"alt": "A row of ten generated handwritten digits, zero to nine; the five is small and broken."}} tags=["remove-input"]
networks, _ = released("b3")
net, digits = networks[max(networks)], torch.arange(10)
T = MNIST_SCHEDULE.T
classes = guided(unet_denoiser(net, T, digits), unet_denoiser(net, T), gamma=2)
few = spaced_timesteps(T, by_profile(full=30, fast=3))
grid([sample(classes, (1, 28, 28), few, MNIST_SCHEDULE, seeds=range(10))])

# %% [markdown]
# ## Three knobs
#
# With the same loop one can do more than draw. Three things change from task to task: **where you start**, **what you ask** the network in each step, and, for a hole, **what you enforce** after it.

# %% mystnb={"figure": {"caption": "Five tasks, one loop: where it starts, the result, and the result flipped or blurred by 3 pixels. $\\gamma$ is 4, 3, 3, 7, 7; seeds 0, 0, 0, 1, 0; timesteps 990, 945, … 0, for the last two 990, 960, … 0. The edit begins at $t = 765$, the hybrid is merged from 210 on. Prompts and the last two seeds were chosen. The network was not trained on the drawing or on the mushroom.", "name": "fig-index-tasks"}, "image": {"alt": "Five columns. Noise, and below it a red apple; a felt-pen drawing of a house, and below it a painted house; a mushroom without its cap, and with a new one; noise, a red strawberry with green leaves, and the same upside down, a slice of watermelon on a green rind; lines of a skull over a hazy mushroom, a skull in dark lines on red and white, and the same blurred, a red mushroom with white spots."}} tags=["remove-input"]
drawing, mushroom = shipped_image("drawn-house"), shipped_image("mushroom")
mask = hole(*HOLES["mushroom"])
i_start = by_profile(full=5, fast=1)
asked = prompted(model, "a house", 3)
edited = sdedit(model, asked, drawing, i_start, [0], timesteps=timesteps)
asked = prompted(model, "a mushroom", 3)
filled = inpaint(model, asked, mushroom, mask, [0], timesteps=timesteps)
finer = by_profile(strided_timesteps(990, 30), timesteps)
both = visual_anagram(model, ["a strawberry", "a watermelon"])
fruit = generate(model, both, [1], finer)
asked = ["a mushroom", "a skull with black outlines"]
late = by_profile(full=MERGE, fast=2)
skull = hybrid_image(model, asked, [0], i_start=late, timesteps=finer).clamp(-1, 1)
alone = [generate(model, prompted(model, p, 7), [0], finer) for p in asked]
mixture = mixed(alone, 2.0)
two = unit_noise(model.shape, generators([0, 1]))
blank = torch.ones_like(fruit)
rows = [
    [two[:1], drawing[None], mushroom[None] * (1 - mask), two[1:], mixture],
    [x[:1].cpu(), edited, filled, fruit, skull],
    [blank, blank, blank, FLIP.apply(fruit), low_pass(3.0)(skull)],
]
above = [
    "a prompt\n\n“red apple”",
    "an edit\n\n“house”",
    "a hole\n\n“mushroom”",
    "an anagram\n“strawberry”,\n“watermelon”",
    "a hybrid\n“mushroom”,\n“skull”",
]
left = ["start", "result", "flipped,\nblurred"]
grid([unit_range(torch.cat(row)) for row in rows], above, left, size=1.2)
assert ((filled - mushroom) * (1 - mask)).abs().max() < 0.1

# %% [markdown]
# | task | where you start | what you ask | what you enforce |
# |---|---|---|---|
# | a prompt ([1.5](part_a/a1_5_sampling.ipynb), [1.6](part_a/a1_6_guidance.ipynb)) | noise | about "a red apple" | nothing |
# | an edit ([1.7](part_a/a1_7_image_to_image.ipynb), [1.7.3](part_a/a1_7_3_text_conditional.ipynb)) | a picture with noise | about "a house" | nothing |
# | a hole ([1.7.2](part_a/a1_7_2_inpainting.ipynb)) | noise | about "a mushroom" | the picture outside the hole, with the noise that belongs to $t'$ |
# | an anagram ([1.8](part_a/a1_8_visual_anagrams.ipynb)) | noise | about "a strawberry"; with the picture flipped, about "a watermelon"; flip that answer back, and take the mean | nothing |
# | a hybrid ([1.9](part_a/a1_9_hybrid_images.ipynb)) | two pictures, drawn before with one prompt each, mixed, with a little noise | about "a mushroom" and "a skull with black outlines"; take the large shapes of the first answer and the details of the second | nothing |
#
# The anagram is the hardest of these: here a stalk hangs below the melon's rind. How often each works is measured in its chapter.
#
# ## The two parts
#
# [Notation](notation.md) lists symbols and formulas.
#
# **Part A takes a pretrained model apart.** What does noise [take away](part_a/a1_1_forward.ipynb)? How much of it comes back with a
# [blur](part_a/a1_2_classical_denoising.ipynb), in [one step](part_a/a1_3_one_step_denoising.ipynb), in [many](part_a/a1_4_iterative_denoising.ipynb)? Then come the five tasks above. The coursework uses DeepFloyd IF, whose weights need an account and a GPU. This book comes with
# a small model, [Emoji-64](appendix/emoji64.ipynb). [DeepFloyd can be used instead](appendix/deepfloyd.md).
#
# **Part B trains from scratch, on digits.** [B1](part_b/b1_one_step_denoiser.ipynb): can a network remove noise in a single step? [B2](part_b/b2_time_conditioned.ipynb): can many small steps make a digit out of nothing, and [what limits](part_b/b2_limits.ipynb) its digits?
# [B3](part_b/b3_class_conditioned.ipynb): can we ask for a digit, and how hard should we insist?
#
# Each page draws its own figures, without a GPU. Longer measurements are stored, beside the command that repeats them.
#
# (running)=
# ## Run it
#
# * **Colab**: click the rocket button, where the page shows one. The first cell fetches the rest.
# * **Laptop**: clone the repository and type `make book`, or open a chapter's notebook after `make setup` with `.venv` as its Python.
# * **Kaggle**: File, Import Notebook, GitHub, and switch the internet on.
# * **Binder**: enter the address of the book's repository at mybinder.org; it reads `requirements.txt`.
#
# Each chapter ends with changes to try. Change the code of a cell, and run that cell again. Some later cells expect the pictures that the text describes; after a change they may stop with an error.
#
# The noise comes from a generator on the CPU. So the same seed starts from the same noise on each device. Devices round differently, so the results need not agree to the last digit.
