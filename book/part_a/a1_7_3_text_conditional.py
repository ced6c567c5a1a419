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
# # 1.7.3 Text-conditional image to image
#
# Can a text turn a picture into another thing? **Yes. From a start in the middle of the loop the result can be a
# mixture of both.**

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

from diffusion_utils.emoji64.judge import load_evaluator, name_ranks
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.tasks import generate, noised, prompted, sdedit
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
starts = by_profile(full=[18, 16, 14, 12, 10, 7], fast=[2, 0])

# %% mystnb={"figure": {"caption": "Two pictures (left). To the right of each, for six starts $t$: above, the picture with the noise of $t$; below, what the loop makes of it with a prompt that names another thing. $\\gamma = 7$, seed 0.", "name": "fig-a173-mixtures"}, "image": {"alt": "Two pictures, each with a row of ever noisier copies and a row of results. From left to right a mushroom becomes an umbrella, and a sailboat a volcano."}} tags=["hide-input"]
pairs = [("mushroom", "an umbrella"), ("sailboat", "a volcano")]


def towards(pairs):
    """Each picture, noised to each start (B, 7, 3, 64, 64), and what comes of it."""
    images = torch.stack([shipped_image(name) for name, _ in pairs])
    denoise = prompted(model, [prompt for _, prompt in pairs], gamma=7.0)
    seeds = [0] * len(pairs)
    noisy, results = [images], [torch.ones_like(images)]  # a blank below the picture
    for i in starts:
        noisy.append(noised(model, images, i, seeds, timesteps)[0].cpu())
        results.append(sdedit(model, denoise, images, i, seeds, timesteps))
    return torch.stack(noisy, 1), torch.stack(results, 1)


titles = ["picture"] + [f"$t={timesteps[i]}$" for i in starts]
rows = torch.stack(towards(pairs), 1).flatten(0, 1)
labels = [label for _, prompt in pairs for label in ("$x_t$", f'"{prompt}"')]
grid(unit_range(rows), titles, labels, size=1.0)

# %% [markdown]
# ## The idea
#
# The method is that of [1.7](a1_7_image_to_image.ipynb): noise the picture to a timestep $t$, and denoise it from there with a prompt. But now the prompt names another thing.
#
# Two things decide the result. The picture enters once, at the start, through what can still be seen of it in $x_t$. The prompt acts in every step, through guidance (N.6), here with the coursework's $\gamma = 7$.
#
# Why do they mix? The loop draws coarse things first and details last. At $t = 570$ the noise still lets areas of colour and an outline through, and the result stays near them. The
# details are open, and the model takes those of the prompt's thing.
#
# Six seeds from one start (`i_start` = 12, or $t = 630$), and without a picture:

# %% tags=["remove-cell"]
i_start = by_profile(full=12, fast=2)

# %%
mushroom = shipped_image("mushroom")
umbrella = prompted(model, "an umbrella", gamma=7.0)
seeds = range(6)
mixed = sdedit(model, umbrella, mushroom, i_start, seeds, timesteps)
alone = generate(model, umbrella, seeds, timesteps)

# %% mystnb={"figure": {"caption": "Above: the mushroom towards \"an umbrella\" from $t = 630$ (`i_start` = 12). Below: \"an umbrella\" from pure noise, without the mushroom. $\\gamma = 7$; both pictures of a column have the same seed.", "name": "fig-a173-seeds"}, "image": {"alt": "Two rows of six pictures. Above, six pink umbrellas with handles from yellow to dark brown; below, purple umbrellas with a dark hook for a handle."}} tags=["hide-input"]
grid(
    [unit_range(mixed), unit_range(alone)],
    titles=[f"seed {s}" for s in seeds],
    labels=["from the\nmushroom", "from\nnoise"],
    size=1.1,
)

# %% [markdown]
# ## What you see
#
# In {numref}`fig-a173-mixtures` the picture wins on the left and the prompt on the right. Between them lie mixtures: the stem of the mushroom becomes a loop, then a hook; the
# water becomes a blue mountain, and orange fire stands where the red sail was. The model uses what the eye still sees: at $t = 690$ the cap shows, and the umbrella is pink; at 780 hardly, and it is purple.
#
# Is it the mushroom that makes the umbrella pink? The lower row of {numref}`fig-a173-seeds` never saw it, and its umbrellas are purple. So the mushroom moves the colour towards its red.
#
# The start and the guidance scale together:

# %% mystnb={"figure": {"caption": "The mushroom towards \"an umbrella\", for five starts $t$ and four guidance scales $\\gamma$; seed 0.", "name": "fig-a173-grid"}, "image": {"alt": "Four rows of five results. The mushroom loses its spots, then its thick stem and red colour, from left to right, and earlier in the lower rows. Only the last of the lowest row is a purple umbrella; at the upper right there is still a red cap on a straight stem."}} tags=["hide-input"]
chosen = by_profile(full=[18, 16, 14, 12, 10], fast=[2])
rows = []
for gamma in (1, 3, 7, 15):
    asked = prompted(model, "an umbrella", gamma)
    results = [sdedit(model, asked, mushroom, i, [0], timesteps) for i in chosen]
    rows.append(unit_range(torch.cat(results)))
grid(
    rows,
    titles=[f"$t={timesteps[i]}$" for i in chosen],
    labels=[rf"$\gamma={gamma}$" for gamma in (1, 3, 7, 15)],
    size=1.0,
)

# %% [markdown]
# A larger $\gamma$ pulls towards the prompt, as a larger $t$ does. At $t = 690$ there is a red cap on a straight stem with $\gamma = 1$, and a purple umbrella with $\gamma = 15$. At $t = 450$ even $\gamma = 15$ keeps the thick stem.
#
# ## Mushroom or umbrella?
#
# The judge of [1.5](a1_5_sampling.ipynb) gives a probability to each of 508 names. For each start we make six results, and count those for which "umbrella" is more probable than "mushroom":

# %% mystnb={"figure": {"caption": "For how many of six results \"umbrella\" is more probable than \"mushroom\", for each start; the mushroom towards \"an umbrella\", $\\gamma = 7$, seeds 0 to 5.", "name": "fig-a173-judge"}, "image": {"alt": "A curve over the start t: the number of results for which umbrella is more probable. It is 0 up to t = 390 and 6 from t = 570 on."}} tags=["hide-input"]
judge = load_evaluator()
finer = by_profile(full=[22, 20, 18, 16, 14, 12, 10], fast=[2])
counts = []
for i in finer:
    results = sdedit(model, umbrella, mushroom, i, seeds, timesteps)
    asked, given = (
        name_ranks(judge, results, [name] * len(results))
        for name in ("umbrella", "mushroom")
    )
    counts.append(sum(a < g for a, g in zip(asked, given, strict=True)))
fig, ax = plt.subplots(figsize=(7, 2.4), layout="constrained")
ax.plot([timesteps[i] for i in finer], counts, "o-")
ax.set(xlabel="start $t$", ylabel="umbrella more\nprobable, of 6", ylim=(-0.3, 6.3))
plt.show()

# %% [markdown]
# "Mushroom" is more probable in all six at $t = 330$ and 390, and "umbrella" from $t = 570$ on. In between it is divided, as the pictures are. The judge chose between two names only: at $t = 450$ and seed 0, the first of its 508 names is "camel".
#
# ## The coursework's prompts
#
# The coursework asks for a rocket ship, a broccoli and a ninja:

# %% mystnb={"figure": {"caption": "The coursework's rows: three pictures (left), its three prompts and its six starts, `i_start` = 20, 10, 7, 5, 3, 1. $\\gamma = 7$, seed 0.", "name": "fig-a173-prompts"}, "image": {"alt": "Three rows that begin with a sailboat, a mushroom and a cactus and end with a rocket, a broccoli and a ninja."}} tags=["hide-input"]
six = by_profile(full=[20, 10, 7, 5, 3, 1], fast=[2, 0])
names = ["sailboat", "mushroom", "cactus"]
prompts = ["a rocket ship", "a broccoli", "a ninja"]
images = torch.stack([shipped_image(name) for name in names])
denoise = prompted(model, prompts, gamma=7.0)
edits = [sdedit(model, denoise, images, i, [0] * 3, timesteps) for i in six]
grid(
    unit_range(torch.stack([images, *edits], 1)),
    titles=["picture"] + [f"$t={timesteps[i]}$" for i in six],
    labels=[f'"{prompt}"' for prompt in prompts],
    size=1.0,
)

# %% [markdown]
# Most of these starts lie where the prompt wins. At $t = 390$ the mushroom
# has a green stem and the cactus dark and pale bands; at $t = 690$ the broccoli is reddish in places.
#
# ## Where it fails
#
# A mixture need not look like either thing. In {numref}`fig-a173-seeds` the handle has two strands for seeds 0 and 4, which no umbrella has.
#
# ## Try it
#
# * **Other pairs.** Set `pairs = [("mushroom", "a jellyfish"), ("sailboat", "a shark"), ("cactus", "a robot")]` in the code of {numref}`fig-a173-mixtures`. Which of them mix?
# * **Your own picture.** Draw in the panel of [1.7](a1_7_image_to_image.ipynb) and type another thing.
