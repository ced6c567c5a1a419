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
# Can a text decide what a picture turns into? **Yes, if the loop starts early enough: the earlier it starts, the more
# the prompt decides.**

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
import torch

from diffusion_utils.emoji64.judge import load_evaluator, name_ranks
from diffusion_utils.metrics import psnr
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.tasks import generate, prompted, sdedit
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
starts = by_profile(full=[1, 3, 5, 7, 10, 20], fast=[0, 2])

# %% mystnb={"figure": {"caption": "Three pictures (right), each towards the prompt that stands beside it, from six starts ($i = 1, 3, 5, 7, 10, 20$): the sailboat towards a rocket ship, the mushroom towards a broccoli, the cactus towards a ninja. $\\gamma = 7$, seeds 0 to 2, timesteps 990, 960, .., 0.", "name": "fig-a173-prompts"}, "image": {"alt": "Three rows: on the left a rocket, a broccoli and a ninja; from left to right they take on the colours and the outlines of a sailboat, a mushroom and a cactus."}} tags=["hide-input"]
names = ["sailboat", "mushroom", "cactus"]
prompts = ["a rocket ship", "a broccoli", "a ninja"]
images = torch.stack([shipped_image(name) for name in names])
edits = {
    i: sdedit(model, prompted(model, prompts), images, i, range(3), timesteps)
    for i in starts
}
grid(
    unit_range(torch.stack([*edits.values(), images], 1)),
    titles=[f"$t={timesteps[i]}$" for i in starts] + ["original"],
    labels=prompts,
    size=1.1,
)

# %% [markdown]
# ## The idea
#
# In [1.7](a1_7_image_to_image.ipynb) the prompt named what the picture shows, or no thing at all. Now it names another thing. Nothing else changes: noise the picture to the timestep $t$ at which the loop starts,
# and denoise with guidance (N.6), $\gamma = 7$. The list of timesteps is 990, 960, .., 0, and its entry number $i$ is $t = 990 - 30\,i$.
#
# So two forces pull at the result: the picture, through what the noise has left of it, and the prompt, at every step.

# %% tags=["remove-cell"]
i_start = by_profile(full=7, fast=2)

# %%
boat = shipped_image("sailboat")
rocket = prompted(model, "a rocket ship", gamma=7.0)
six = sdedit(model, rocket, boat, i_start, range(6), timesteps)
none = generate(model, rocket, range(6), timesteps)

# %% mystnb={"figure": {"caption": "Above: the sailboat towards \"a rocket ship\" from $t = 780$ ($i = 7$), six times with other noise. Below: \"a rocket ship\" from the same noise alone, without the boat. $\\gamma = 7$, seeds 0 to 5.", "name": "fig-a173-seeds"}, "image": {"alt": "Two rows of six rockets. Those above have colours of the sailboat, those below do not."}} tags=["hide-input"]
grid(
    [unit_range(six), unit_range(none)],
    titles=[f"seed {s}" for s in range(6)],
    labels=["from the\nboat", "from\nnoise"],
    size=1.1,
)

# %% [markdown]
# ## What you see
#
# Look at the two ends of each row in {numref}`fig-a173-prompts` first. At $t = 390$ the picture wins: a sailboat, a mushroom and a cactus, redrawn. At $t = 960$ the prompt wins: a rocket, a broccoli and a ninja. In
# between lie mixtures. The broccoli takes on the red of the cap at $t = 690$. The rocket and the ninja hardly mix with the picture.
#
# How much of the rocket comes from the boat? {numref}`fig-a173-seeds` has a control: the lower row never saw the boat. The pose is much the same in both rows, so it is the model's own, and not that of the sail. What comes from the
# boat is a little colour.
#
# ## Picture against prompt
#
# How far does each force get? For the picture we measure how close the result is to it (PSNR). For the prompt we ask the judge of 1.6, a network that was trained to name drawings: at which place of its list
# of names does it put the prompt's name? 1 is the first place.

# %% tags=["hide-input"]
judge = load_evaluator()
rows = []
for i, results in edits.items():
    close = psnr(results.clamp(-1, 1), images, peak=2)
    ranks = name_ranks(judge, results, ["rocket", "broccoli", "ninja"])
    pairs = zip(close, ranks, strict=True)
    rows.append([timesteps[i], *(cell for p, r in pairs for cell in (f"{p:.1f}", r))])
table(
    rows,
    [
        "t",
        "sailboat (dB)",
        "rocket",
        "mushroom (dB)",
        "broccoli",
        "cactus (dB)",
        "ninja",
    ],
    f"For each start: PSNR to the picture, and the place of the prompt's name among the judge's {len(judge[1])} names. Seeds 0 to 2.",
)

# %% [markdown]
# Going down the table, each picture comes closer to the original. The judge keeps to the prompt's name, or near it, down to $t = 690$, and has lost it at 390. Mixtures are to be found there.
#
# ## Where it fails
#
# Can a late start be forced, by guiding more? Here the sailboat goes towards a rocket ship from $t = 540$, with larger and larger $\gamma$:

# %% mystnb={"figure": {"caption": "The sailboat towards \"a rocket ship\" from $t = 540$ ($i = 15$), with five guidance scales; seed 0, timesteps 990, 960, .., 0.", "name": "fig-a173-gammas"}, "image": {"alt": "Five results: on the left a boat on blue water; to the right it falls apart into streaks of a rocket, with ever harsher colours."}} tags=["hide-input"]
gammas = [1, 3, 7, 15, 30]
late = by_profile(full=15, fast=2)
forced = [
    sdedit(model, prompted(model, "a rocket ship", g), boat, late, [0], timesteps)
    for g in gammas
]
grid(
    [unit_range(torch.cat(forced))], titles=[rf"$\gamma={g}$" for g in gammas], size=1.5
)

# %% [markdown]
# Yes, but the boat pays for it ({numref}`fig-a173-gammas`). With a small $\gamma$ there is a boat on the water. As $\gamma$ grows, the boat falls apart and red and white streaks of a rocket appear, in ever harsher colours. None of the five
# shows both things well.
#
# ## Try it
#
# * **Other prompts.** Set `prompts = ["a shark", "a strawberry", "a palm tree"]` in the code of {numref}`fig-a173-prompts`. These share more with the pictures, colour or outline. Do they last to smaller $t$ than the rocket, the broccoli and
#   the ninja?
# * **Between the two.** In the cell above {numref}`fig-a173-seeds`, write 12, 14 or 16 in place of `i_start`. At which start does the rocket become a boat?
