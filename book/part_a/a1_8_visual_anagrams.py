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
# # 1.8 Visual anagrams
#
# Can one picture show two things, one upright and the other upside down?

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
import math

import torch
import torch.nn.functional as F

from diffusion_utils.denoisers import viewed
from diffusion_utils.emoji64.captions import called
from diffusion_utils.files import ROOT
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, last, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import animation, grid, table, unit_range
from diffusion_utils.tasks import generate, visual_anagram
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import DOUBLED, FLIP, VIEWS, permutation, rotation

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
search = json.loads((ROOT / "benchmarks/results/pairs.json").read_text())

# %% mystnb={"figure": {"caption": "Three anagrams, each upright (above) and the same picture upside down (below). $\\gamma = 7$, timesteps 990, 960, .., 0; each from the best of the 16 seeds that were tried.", "name": "fig-a18-flip"}, "image": {"alt": "Two rows of three pictures, the lower row the upper one upside down: an anchor that becomes an umbrella, a fire that becomes a jellyfish, a light bulb that becomes a pear."}} tags=["hide-input"]
found = {tuple(row["pair"]): row for row in search["anagram"]}
pairs = [("anchor", "umbrella"), ("fire", "jellyfish"), ("light bulb", "pear")]
upright = [called(first) for first, _ in pairs]
flipped = [called(second) for _, second in pairs]
seeds = [found[pair]["best"] for pair in pairs]
noise = generators(seeds)
x_T = unit_noise(model.shape, noise).to(model.device)
denoise = visual_anagram(model, [upright, flipped])
steps = [*trajectory(denoise, x_T, timesteps, model.schedule, generators=noise)]
anagrams = last(steps)
grid(
    [unit_range(anagrams), unit_range(FLIP.apply(anagrams))],
    titles=[
        f"{a},\n{b} (seed {seed})"
        for a, b, seed in zip(upright, flipped, seeds, strict=True)
    ],
    labels=["upright", "upside\ndown"],
    size=2.1,
)

# %% [markdown]
# ```{live} anagram
# ```

# %% [markdown]
# ## The idea
#
# At every step ask the network twice {cite:p}`geng2024`. Show it the noisy picture as it is, with the first prompt. Turn the noisy picture upside down, and show it that with the
# second prompt. Turn the second answer back, take the mean of the two, and make the step with it.
#
# $$ \epsilon = \tfrac12 \left( \epsilon_1(x_t, t) + f^{-1}\big(\epsilon_2(f(x_t), t)\big) \right) \tag{A.2} $$
#
# * $x_t$ is the noisy picture at timestep $t$.
# * $f$ is the **view**, here the flip that turns a picture upside down, and $f^{-1}$ turns it back.
# * $\epsilon_1$ is the guided estimate of the noise (N.6) for the first prompt, $\epsilon_2$ that for the second one.
# * $\epsilon$ is what the sampling loop gets. The loop itself does not change.
#
# In code each half is a function that makes a denoiser from denoisers. `viewed` is the second term, and `averaged` takes the mean:
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: viewed
# :start-at: def denoise_view
# :lines: 1-2,4-5
# :dedent:
# ```
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: averaged
# :start-at: def denoise
# :lines: 1-3
# :dedent:
# ```
#
# (`nu` is the variance that some models predict; the shipped one does not, and there it is `None`.) With these two, an anagram is made like any other picture:
#
# ```python
# denoise = visual_anagram(model, ["a mushroom", "an ice cream cone"])
# picture = generate(model, denoise, seeds=[0])
# ```
#
# ## What to see
#
# Look at the upper row of {numref}`fig-a18-flip` first, then at the lower one. Each column is one picture. The arms of the anchor are the canopy of the umbrella, the flames
# of the fire are the tentacles of the jellyfish, and the glass of the bulb is the belly of the pear. One outline has to fit both things, and one set of colours too: the bulb and the pear agree on yellow.
#
# In {numref}`fig-a18-animation` both readings come out of the noise together. In {numref}`fig-a18-turning` you can turn the picture over.

# %% mystnb={"figure": {"caption": "The first anagram of {numref}`fig-a18-flip` coming out of noise: $\\hat x_0$ upright on the left, upside down on the right. $\\gamma = 7$.", "name": "fig-a18-animation"}} tags=["hide-input"]
animation(
    [unit_range(torch.cat([s.x0_hat[:1], FLIP.apply(s.x0_hat[:1])], 3)) for s in steps],
    alt="A picture and its upside-down copy take shape together.",
    captions=[f"t = {s.t}" for s in steps],
    width=400,
)


# %% mystnb={"figure": {"caption": "The first anagram, turned about its horizontal middle line from 0° (upright) to 180° (upside down). Drag the slider.", "name": "fig-a18-turning"}} tags=["hide-input"]
def turned(x, angle):
    """x as seen when it is turned by so many degrees about its horizontal middle line."""
    cos = math.cos(math.radians(angle))
    height = max(1, round(64 * abs(cos)))
    side = x if cos > 0 else FLIP.apply(x)
    flat = F.interpolate(side, (height, 64), mode="bilinear", antialias=True)
    above = (64 - height) // 2
    return F.pad(flat, [0, 0, above, 64 - height - above], value=1.0)


angles = range(0, 181, 12)
animation(
    [unit_range(turned(anagrams[:1].clamp(-1, 1), angle)) for angle in angles],
    alt="The first anagram is turned from upright to upside down.",
    captions=[f"{angle}°" for angle in angles],
    width=200,
)

# %% [markdown]
# ## How often it works
#
# Most of the work is to find two things that can share an outline. `python -m benchmarks.pairs` draws 30 pairs that we thought could, each from several seeds, and asks the judge of
# [1.6](a1_6_guidance.ipynb), a network that names drawings, what it sees in both views. The table has our three pairs; the pictures above are the best.


# %% tags=["hide-input"]
def within(row, first):
    """From how many seeds both names are among the judge's first so many."""
    return sum(max(ranks) <= first for ranks in row["ranks"])


def counts(rows):
    return [[" / ".join(row["pair"]), within(row, 1), within(row, 5)] for row in rows]


header = ["upright / upside down", "both first", "both in the first 5"]
table(
    counts(found[pair] for pair in pairs),
    header,
    f"From how many of {len(search['anagram'][0]['ranks'])} seeds the judge puts the right name first in both views, of 508 names, and from how many among its first five.",
)

# %% tags=["hide-output", "hide-input"]
table(counts(search["anagram"]), header, "All pairs, the surest first.")

# %% [markdown]
# A judge that only guesses would put both names first once in a quarter of a million pictures, so the pairs at the top of the list are no luck. What they share is an outline that reads both
# ways. The folded list has all 30 pairs. At its end are pairs that we expected to work, and that never do. Judge and eye can disagree: the light bulb that is also a pear is easy to see, but the judge rarely puts both names first.
#
# ## Other views
#
# The flip is one way to look at a picture. Turning it, moving tiles of it, or swapping black and white can take its place in (A.2). We will see below which views keep the noise what it is. That
# is necessary, but not enough: the picture in the view must also look like something that the model draws.


# %% mystnb={"figure": {"caption": "Four more views: the picture for the first name (above), and what the view shows for the second (below). $\\gamma = 7$, timesteps 990, 960, .., 0, the best of the pairs and seeds that were tried; the jigsaw has 4 x 4 tiles, shuffled with seed 0; the prompt in the negative ends with \"on a black background\".", "name": "fig-a18-views"}, "image": {"alt": "Four pictures above, below each what its view shows: pictures turned by a quarter and by half, tiles in another order, and a picture with dark and light swapped."}} tags=["hide-input"]
def drawn(pair, view, seed, ending=""):
    """The anagram of one pair in one view."""
    first, second = map(called, pair)
    denoise = visual_anagram(model, [first, second + ending], [view])
    return generate(model, denoise, [seed], timesteps)


kinds = ["quarter turn", "half turn", "jigsaw", "negative"]
best = {kind: search[kind][0] for kind in kinds}
seen = {
    kind: drawn(
        row["pair"],
        VIEWS[kind],
        row["best"],
        " on a black background" * (kind == "negative"),
    )
    for kind, row in best.items()
}
grid(
    [
        unit_range(torch.cat([*seen.values()])),
        unit_range(torch.cat([VIEWS[kind].apply(x) for kind, x in seen.items()])),
    ],
    titles=[
        f"{kind}\n{row['pair'][0]}\n{row['pair'][1]}" for kind, row in best.items()
    ],
    labels=["picture", "in the\nview"],
    size=1.7,
)

# %% tags=["hide-input"]
table(
    [[kind, *counts([row])[0]] for kind, row in best.items()],
    ["view", "picture / in the view", *header[1:]],
    f"The pairs of the figure: from how many of {len(best['negative']['ranks'])} seeds both names are first, and among the first five.",
)

# %% [markdown]
# A quarter turn and a half turn ask for the same as the flip, an outline that fits. In the jigsaw no outline survives, since every tile goes elsewhere: what
# it can share are patches of colour. The negative turns a white background into a black one, so its second prompt asks for that. These two are hard: the table says how seldom the judge sees
# both things in them, although the figure shows the best that we found.
#
# ## Where it fails
#
# Some views cannot work. We try two. The first is the flip, followed by **doubling** all values. The second **shuffles all pixels**.

# %% mystnb={"figure": {"caption": "The first pair of {numref}`fig-a18-flip` with the flip, with the flip that also doubles all values, and with all pixels shuffled: the picture (above), and what the view shows (below). $\\gamma = 7$, the same seed, timesteps 990, 960, .., 0.", "name": "fig-a18-broken"}, "image": {"alt": "Three columns. The flip: a picture that can be read both ways. Doubled: grain and harsh colours, and what the view shows is too bright and torn. Shuffled: a pale grey square in both rows."}} tags=["hide-input"]
order = torch.randperm(64 * 64, generator=generators([0])[0])
shuffled = permutation(order)
seed = found[pairs[0]]["best"]
views = {"flip": FLIP, "flip, doubled": DOUBLED, "pixels shuffled": shuffled}
tried = {name: drawn(pairs[0], view, seed) for name, view in views.items()}
grid(
    [
        unit_range(torch.cat([*tried.values()])),
        unit_range(torch.cat([views[name].apply(x) for name, x in tried.items()])),
    ],
    titles=list(views),
    labels=["picture", "in the\nview"],
    size=1.8,
)

# %% [markdown]
# In {numref}`fig-a18-broken` the doubled flip spoils the picture: grain and harsh colours, where the plain flip is clean. With shuffled pixels nothing at all appears.
#
# The network has learned one thing: noisy drawings, with noise of variance $1 - \bar\alpha_t$. What a view shows it must be one:
#
# $$ f(x_t) = \sqrt{\bar\alpha_t}\, f(x_0) + \sqrt{1-\bar\alpha_t}\, f(\epsilon) $$
#
# So a view needs two properties. It has to turn unit noise $\epsilon$ into unit noise, and a drawing $x_0$ into something that can be a drawing. Moving pixels around
# and changing the sign keep the noise as it is. Doubling does not: its noise has four times the variance. Shuffling keeps the noise, but no drawing is a drawing after it.
#
# We can measure both. Noise three drawings to $t = 500$, ask the network through each view, turn its answer back, and compare it with the noise that we added:

# %% tags=["hide-input"]
x_0 = torch.stack([shipped_image(n) for n in ("sailboat", "mushroom", "cactus")])
eps = unit_noise(model.shape, generators(range(3)))
x_t = model.schedule.forward(x_0, 500, eps).to(model.device)
photo = model.denoiser("a high quality photo")
asked = {"as it is": rotation(0), "flip": FLIP}
asked |= {kind: VIEWS[kind] for kind in kinds} | views
rows = []
for name, view in asked.items():
    with torch.no_grad():
        error = (viewed(photo, view)(x_t, 500).eps.cpu() - eps).square().mean()
    rows.append([name, f"{view.apply(eps).var():.2f}", f"{error:.3f}"])
table(
    rows,
    ["view", "variance of unit noise in it", "mean squared error"],
    'Error of the estimated noise at t = 500, through each view; mean over the sailboat, the mushroom and the cactus. The answer "no noise at all" would have an error of 1.',
)

# %% [markdown]
# A flip or a turn costs next to nothing: a drawing upside down is still a drawing. Tiles and a negative cost a little. Doubling costs several times as much, and shuffled pixels are the worst. Both
# parts of the explanation show in the table: the doubled flip is the only row with another variance of the noise, and the shuffle has the right noise but no drawing under it.
#
# ## Try it
#
# * **A pair of your own.** Add a cell with
#   ```python
#   mine = visual_anagram(model, ["a snail", "a teapot"])
#   tries = generate(model, mine, range(8), timesteps)
#   grid([unit_range(tries), unit_range(FLIP.apply(tries))])
#   ```
#   Expect that one of the two wins in most of the eight, and that a good pair shows both in one or two.
# * **Three in one.** Give `visual_anagram` three prompts and two views, `[FLIP, rotation(1)]`. Each prompt has a third of the say now, so expect
#   the three things to be harder to name than two.
