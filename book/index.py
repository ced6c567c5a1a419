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
# **How does a computer draw a picture that nobody has drawn before?** It learns to remove noise, and then it removes noise from nothing but noise.

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
import matplotlib.pyplot as plt
import torch

from diffusion_utils.denoisers import guided
from diffusion_utils.emoji64.captions import article
from diffusion_utils.mnist.objectives import MNIST_SCHEDULE
from diffusion_utils.mnist.release import released
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, sample, trajectory, unit_noise
from diffusion_utils.schedule import spaced_timesteps, strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.tasks import generate, prompted
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained("emoji64")
schedule = model.schedule
timesteps = by_profile(strided_timesteps(990, 30), strided_timesteps(990, 330))
columns = by_profile([0, 150, 300, 450, 600, 750, 990], [0, 330, 660, 990])
picture = shipped_image("sailboat")[None]
eps = unit_noise(model.shape, generators([0]))
there = [picture] + [schedule.forward(picture, t, eps) for t in columns[1:]]
noise = generators([1])
x_T = unit_noise(model.shape, noise)
denoise = prompted(model, "a sailboat", gamma=4)
steps = trajectory(denoise, x_T.to(model.device), timesteps, schedule, generators=noise)
path = {timesteps[0]: x_T} | {step.t: step.x.cpu() for step in steps}
back = [path[t] for t in columns]

# %% mystnb={"figure": {"caption": "Above, from left to right: a picture $x_0$ of a sailboat and the same with more and more noise (seed 0). Below, from right to left: the way back. It starts from other noise (seed 1), and a network that was told \"a sailboat\" removes a little of it at a time; every fifth of 34 timesteps is shown, $\\gamma = 4$.", "name": "fig-index-strip"}, "image": {"alt": "Two rows of seven small pictures. The upper row starts with a clean sailboat that drowns in noise towards the right. The lower row is pure noise on the right and becomes a new picture towards the left."}} tags=["remove-input"]
grid(
    [unit_range(torch.cat(there)), unit_range(torch.cat(back))],
    titles=["$x_0$", *(f"$t={t}$" for t in columns[1:])],
    labels=["there →", "← back"],
    size=1.3,
)

# %% [markdown]
# The upper row of {numref}`fig-index-strip` is easy: take a picture and add noise, again and again, until nothing of it is left. Everybody can do that. The lower row is the
# difficult way, from right to left. It starts from noise that has no picture in it. A network has looked at many noisy pictures and has learned to say
# what in them is noise. It takes a little of that noise away, looks again, and takes a little more. What appears on the left is a picture that was not there before. Such a network,
# together with the loop around it, is a **diffusion model**.
#
# ## What the network predicts
#
# Write $x_0$ for the clean picture, $\epsilon$ for the noise, and $x_t$ for the noisy picture at timestep $t$. The network sees $x_t$ and $t$ and answers with its guess of $\epsilon$.
# Whoever knows the noise can take it away, so each guess of the noise is also a guess of the clean picture, $\hat x_0$.

# %% mystnb={"figure": {"caption": "One look of the network, on the way back of {numref}`fig-index-strip`: the noisy picture, the noise that it sees there (grey is zero), and the clean picture that follows.", "name": "fig-index-predicts"}, "image": {"alt": "Three small pictures side by side: a noisy picture, noise, and a soft picture without noise."}} tags=["remove-input"]
t = by_profile(600, 660)
with torch.no_grad():
    guess = denoise(path[t].to(model.device), t).eps.cpu()
x0_hat = schedule.predict_x0(path[t], t, guess)
titles = [f"$x_{{{t}}}$", r"$\epsilon_\theta$, its answer", r"$\hat x_0$, what follows"]
grid(
    [unit_range(torch.cat([path[t], guess / 3, x0_hat.clamp(-1, 1)]))],
    titles=titles,
    size=2,
)

# %% [markdown]
# The guess $\hat x_0$ is soft at first: many pictures could hide behind so much noise, and the network answers with their average. That is why one look is not enough
# ([B1](part_b/b1_one_step_denoiser.ipynb) shows it with digits).
#
# ## What the alphas do
#
# How much noise there is at timestep $t$ is fixed before anything is trained. A number $\bar\alpha_t$ between 1 and 0 says how much of the picture's variance is left:
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon, \qquad \epsilon \sim \mathcal N(0, I). \tag{N.1} $$

# %% mystnb={"figure": {"caption": "The two factors of (N.1) against the timestep, for the model of Part A: $T = 1000$, $\\bar\\alpha_t$ falls as a squared cosine. Dots: the columns of {numref}`fig-index-strip`.", "name": "fig-index-alphas"}, "image": {"alt": "Two curves: the factor of the picture falls from one to zero, slowly at both ends; the factor of the noise rises from zero to one."}} tags=["remove-input"]
fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
for factor, label in (
    (schedule.alpha_bar.sqrt(), r"$\sqrt{\bar\alpha_t}$, the picture"),
    ((1 - schedule.alpha_bar).sqrt(), r"$\sqrt{1-\bar\alpha_t}$, the noise"),
):
    (line,) = ax.plot(factor, label=label)
    ax.plot(columns, factor[columns], "o", color=line.get_color())
ax.set(xlabel="$t$", ylabel="factor")
ax.legend()
plt.show()

# %% [markdown]
# On the left of {numref}`fig-index-alphas` the picture's factor is 1 and the noise's is 0; on the right it is the other way round. From one timestep to the next a little is lost: with
# $\beta_t$ for the noise that timestep $t$ adds, $\alpha_t = 1 - \beta_t$ is the share that stays, and $\bar\alpha_t = \alpha_0 \alpha_1 \cdots \alpha_t$ is what is left of all these shares.
# The way back uses the same numbers: they say how much of the guess $\hat x_0$ to mix into the picture at hand.
#
# ## Pictures from nothing
#
# Tell the network a prompt, start from noise, and go all the way back:

# %% mystnb={"figure": {"caption": "Part A: pictures of eight prompts, drawn by a model that [two processor cores trained](appendix/emoji64.ipynb); $\\gamma = 4$, seeds 0 to 7, timesteps 990, 960, .., 0. Nothing was selected.", "name": "fig-index-pictures"}, "image": {"alt": "Eight small pictures with their prompts above: red apple, broccoli, campfire, penguin, fish, cactus, sailboat, ninja."}} tags=["remove-input"]
things = ["red apple", "broccoli", "campfire", "penguin"]
things += ["fish", "cactus", "sailboat", "ninja"]
prompts = [f"{article(name)} {name}" for name in things]
pictures = generate(model, prompted(model, prompts, gamma=4), range(8), timesteps)
grid([unit_range(pictures)], titles=things, size=1.1)

# %% mystnb={"figure": {"caption": "Part B: two samples of each digit from a network trained on MNIST from scratch ([B3](part_b/b3_class_conditioned.ipynb)); $\\gamma = 2$, seeds 0 to 19, 100 steps.", "name": "fig-index"}, "image": {"alt": "Two rows of ten generated handwritten digits, zero to nine."}} tags=["remove-input"]
networks, _ = released("b3")
net, digits = networks[max(networks)], torch.arange(10).repeat(2)
T = MNIST_SCHEDULE.T
classes = guided(unet_denoiser(net, T, digits), unet_denoiser(net, T), gamma=2)
few = spaced_timesteps(T, by_profile(full=100, fast=3))
grid(sample(classes, (1, 28, 28), few, MNIST_SCHEDULE, seeds=range(20)).split(10))

# %% [markdown]
# ## One loop, three knobs
#
# Every figure of this book that is drawn in steps comes from the same few lines. From a timestep `t` to the next, `t_prev`: guess the noise, take a step to a less noisy picture, repeat.
#
# ```{literalinclude} ../diffusion_utils/sampling.py
# :pyobject: trajectory
# :start-at: for t, t_prev in pairwise
# :dedent:
# ```
#
# The first lines are for lists of timesteps that also go back up, which [inpainting](part_a/a1_7_2_inpainting.ipynb) needs. The rest has three knobs. A task is a choice of each:
#
# * **where you start**: the `x` and the timestep that come in,
# * **how you denoise**: the function `denoise`,
# * **what you enforce** after each step: the function `constrain`.
#
# | task | start | denoiser | constraint |
# |---|---|---|---|
# | a digit | noise | `unet_denoiser(net, T)` | none |
# | the digit 7 | noise | `guided(unet_denoiser(net, T, sevens), unet_denoiser(net, T), gamma)` | none |
# | a picture of a prompt | noise | `guided(text(p), text(""), gamma)` | none |
# | a picture edited | the picture, noised | the same | none |
# | a hole filled | noise | the same | `keep_outside(mask, ...)` |
# | an anagram | noise | `averaged(g1, viewed(g2, FLIP))` | none |
# | a hybrid | noise | `blended([g1, g2], bands(2))` | none |
#
# Here `text(p)` is the network asked about a prompt `p`, and `g1`, `g2` are two guided denoisers. The symbols are the same in text, code and plots; [Notation](notation.md) lists them.
#
# ## Chapters
#
# **Part A: a pretrained text-to-image model taken apart**
#
# * [1.1](part_a/a1_1_forward.ipynb) to [1.4](part_a/a1_4_iterative_denoising.ipynb): what does noise take away, and how much of it can be brought
#   back by a [blur](part_a/a1_2_classical_denoising.ipynb), in [one step](part_a/a1_3_one_step_denoising.ipynb), in many?
# * [1.5](part_a/a1_5_sampling.ipynb), [1.6](part_a/a1_6_guidance.ipynb): can the loop start from nothing, and how do we make it listen?
# * [1.7](part_a/a1_7_image_to_image.ipynb), with drawings (1.7.1), [1.7.2](part_a/a1_7_2_inpainting.ipynb) and [1.7.3](part_a/a1_7_3_text_conditional.ipynb): can it edit a picture, fill a hole, or
#   turn a picture into what a prompt says?
# * [1.8](part_a/a1_8_visual_anagrams.ipynb), [1.9](part_a/a1_9_hybrid_images.ipynb): can one picture be two things?
#
# The model ships with the book; the [appendix](appendix/emoji64.ipynb) says what it was trained on, and for how long.
#
# **Part B: diffusion from scratch, on MNIST**
#
# * [B1](part_b/b1_one_step_denoiser.ipynb): can a network remove noise in a single step?
# * [B2](part_b/b2_time_conditioned.ipynb): can many small steps make a digit out of nothing? And [what limits](part_b/b2_limits.ipynb) its digits?
# * [B3](part_b/b3_class_conditioned.ipynb): can we ask for a digit, and how hard should we insist?
#
# The networks ship with the book, trained to the end of the coursework's recipes, on one GPU, in minutes. Each figure was drawn by its page's own code when the site was built, with no token, no account and no
# GPU. Where a measurement takes more than a minute, a page shows a stored result and names the command that repeats it.
#
# (running)=
# ## Run it
#
# * **Colab**: the rocket button above a chapter. Its first cell fetches the rest; there is nothing to set up.
# * **Laptop**: clone the repository and type `make book`, or open a chapter's notebook after `make setup` with `.venv` as its Python.
# * **Kaggle**: File, Import Notebook, GitHub, and switch the internet on; the first cell does the rest.
# * **Binder**: enter the repository's address at mybinder.org; it reads `requirements.txt`.
