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
#
# **Yes, if the two things can share an outline.** In each step the network is asked about the picture and about the same picture turned over. The mean of both answers
# leads to a picture that is both things.

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

import torch

from diffusion_utils.denoisers import NoiseEstimate, viewed
from diffusion_utils.emoji64.captions import called
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import load_evaluator, name_ranks, plain
from diffusion_utils.files import ROOT
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import animation, grid, table, unit_range
from diffusion_utils.tasks import generate, prompted, visual_anagram
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import DOUBLED, FLIP, VIEWS, permutation

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
search = json.loads((ROOT / "benchmarks/results/pairs.json").read_text())

# %% mystnb={"figure": {"caption": "Three anagrams, each upright (above) and the same picture upside down (below). $\\gamma = 7$, timesteps 990, 960, .., 0; of the 16 seeds that were tried, the one where the judge is surest of both names.", "name": "fig-a18-flip"}, "image": {"alt": "Two rows of three pictures, the lower row the upper one upside down: an anchor that becomes an umbrella, a top hat that becomes a bucket, a light bulb that becomes a pear."}} tags=["hide-input"]
found = {tuple(row["pair"]): row for row in search["anagram"]}
pairs = [("anchor", "umbrella"), ("top hat", "bucket"), ("light bulb", "pear")]
upright = [called(first) for first, _ in pairs]
flipped = [called(second) for _, second in pairs]
seeds = [found[pair]["best"] for pair in pairs]
anagrams = generate(model, visual_anagram(model, [upright, flipped]), seeds, timesteps)
grid(
    [unit_range(anagrams), unit_range(FLIP.apply(anagrams))],
    titles=[f"{a},\n{b}" for a, b in zip(upright, flipped, strict=True)],
    labels=["upright", "upside\ndown"],
    size=2.1,
)

# %% [markdown]
# ```{live} anagram
# ```

# %% [markdown]
# ## The idea
#
# At every step ask the network twice, as in *Visual Anagrams* {cite:p}`geng2024`. Show it the noisy picture as it is, with the first prompt. Turn the noisy picture upside down, and show it that with the
# second prompt. Turn the second answer back, take the mean of the two, and make the step with it.
#
# $$ \epsilon = \tfrac12 \left( \epsilon_1(x_t, t) + f^{-1}\big(\epsilon_2(f(x_t), t)\big) \right) \tag{A.2} $$
#
# * $x_t$ is the noisy picture at timestep $t$.
# * $f$ is the **view**, here the flip that turns a picture upside down, and $f^{-1}$ turns it back.
# * $\epsilon_1$ is the guided estimate of the noise (N.6) for the first prompt, $\epsilon_2$ that for the second one.
# * $\epsilon$ is what the sampling loop gets. The loop itself does not change.
#
# Here is (A.2) in code. In the package, `visual_anagram` is the same for any number of views.

# %%
k = 1  # a top hat, a bucket
first, second = prompted(model, upright[k]), prompted(model, flipped[k])


def anagram(x_t, t):
    eps_1 = first(x_t, t).eps
    eps_2 = second(FLIP.apply(x_t), t).eps
    return NoiseEstimate((eps_1 + FLIP.invert(eps_2)) / 2)  # (A.2)


noise = generators([seeds[k]])
x_T = unit_noise(model.shape, noise).to(model.device)
steps = [*trajectory(anagram, x_T, timesteps, model.schedule, generators=noise)]

# %% mystnb={"figure": {"caption": "The second anagram of {numref}`fig-a18-flip` coming out of noise: $\\hat x_0$ upright on the left, upside down on the right. Drag the slider. $\\gamma = 7$.", "name": "fig-a18-animation"}} tags=["hide-input"]
animation(
    [unit_range(torch.cat([s.x0_hat, FLIP.apply(s.x0_hat)], 3)) for s in steps],
    alt="A picture and its upside-down copy take shape together.",
    captions=[f"t = {s.t}" for s in steps],
    width=400,
)

# %% [markdown]
# ## What to see
#
# Look at the upper row of {numref}`fig-a18-flip` first, then at the lower one, or turn your head. Each column is one picture. The arms of the anchor are the canopy of the umbrella, the brim of the hat is
# the rim of the bucket, and the glass of the bulb is the belly of the pear. One outline has to fit both things, and one set of colours too: the bulb and the pear agree on yellow.
# In {numref}`fig-a18-animation` both readings come out of the noise together.
#
# ## How often it works
#
# `python -m benchmarks.pairs` draws 30 pairs that we thought could share an outline, each from 16 seeds. A judge, the network of [1.6](a1_6_guidance.ipynb) that names drawings, looks at each picture in both views.
# Would a plain drawing do as well? As a control, the judge also sees drawings of the two things, turned over: those that the model learned from. Does it give them the name of the other thing?


# %% tags=["hide-input"]
def within(row, first):
    """From how many seeds both names are among the judge's first so many."""
    return sum(max(ranks) <= first for ranks in row["ranks"])


def drawings(name):
    """All drawings of a name that the model learned from."""
    index = data.name_index == data.names.index(name)
    return plain(data, index.nonzero()[:, 0])


def mistaken(pair, first):
    """(turned-over drawings with the other's name among the first so many, all of them)."""
    ranks = []
    for name, other in (pair, pair[::-1]):
        turned = FLIP.apply(drawings(name))
        ranks += name_ranks(judge, turned, [other] * len(turned))
    return sum(rank <= first for rank in ranks), len(ranks)


def counts(rows, first):
    """Anagrams and plain drawings that have both names, as "so many of so many"."""
    drawn = sum(within(row, first) for row in rows)
    controls = [mistaken(row["pair"], first) for row in rows]
    wrong, all_of_them = map(sum, zip(*controls, strict=True))
    return (
        f"{drawn} of {sum(len(row['ranks']) for row in rows)}",
        f"{wrong} of {all_of_them}",
    )


data, judge = emoji(), load_evaluator()
rows = {" / ".join(pair): [found[pair]] for pair in pairs}
rows["all 30 pairs"] = search["anagram"]
table(
    [[name, *counts(some, 1), *counts(some, 5)] for name, some in rows.items()],
    [
        "upright / upside down",
        "anagrams: both first",
        "drawings: other first",
        "anagrams: both in 5",
        "drawings: other in 5",
    ],
    "Anagrams: how often the right name comes first in both views, of 508 names, or is among the first five. Drawings, turned over: how often the name of the other thing comes first, or is among the first five.",
)

# %% [markdown]
# Over all pairs, anagrams have both names far more often than turned-over drawings have the other name. One of our three pairs is an exception: a plain light bulb, turned over, already looks like a pear to
# the judge. Judge and eye can disagree too: the hat and the bucket are easy to see, but the judge rarely puts both first.
#
# ## Other views
#
# The flip is one way to look at a picture. Turning it, moving tiles of it, or swapping dark and light can take its place in (A.2).


# %% mystnb={"figure": {"caption": "Four more views: the picture for the first name (above), and what the view shows for the second (below). Under the names: from how many of 8 seeds both are among the judge's first five. $\\gamma = 7$, timesteps 990, 960, .., 0; of 8 pairs and 8 seeds, the ones where the judge is surest. The jigsaw has 4 x 4 tiles, shuffled with seed 0; the second prompt of the negative ends with \"on a black background\".", "name": "fig-a18-views"}, "image": {"alt": "Four pictures above, below each what its view shows: pictures turned by a quarter and by half, tiles in another order, and a picture with dark and light swapped."}} tags=["hide-input"]
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
        f"{kind}\n{row['pair'][0]}\n{row['pair'][1]}\n{within(row, 5)} of {len(row['ranks'])}"
        for kind, row in best.items()
    ],
    labels=["picture", "in the\nview"],
    size=1.7,
)

# %% [markdown]
# A turn asks for the same as the flip, an outline that fits both things. The jigsaw leaves no outline, since every tile goes elsewhere; only patches of colour can be shared. In the negative a thing and its
# background change places in brightness. The numbers above the pictures say how much harder these two are, even for the best of the pairs.
#
# ## Where it fails
#
# The network was trained on drawings with noise of variance $1 - \bar\alpha_t$. What a view shows must be that too. Two conditions make sure of the noise {cite:p}`geng2024`:
#
# * $f$ is **linear**: the view of picture plus noise is the view of the picture plus the view of the noise,
#   $f(x_t) = \sqrt{\bar\alpha_t}\, f(x_0) + \sqrt{1-\bar\alpha_t}\, f(\epsilon)$.
# * $f$ is **orthogonal**: it keeps all lengths, as a rotation does. Then $f(\epsilon)$ is again independent noise of variance 1. Moving pixels and changing signs are orthogonal.
#
# They are necessary, but not enough: $f(x_0)$ must also look like a drawing. We try two views that break a rule. **Doubling** all values after the flip is linear, but not orthogonal. **Shuffling** all
# pixels is both, but what it shows is no drawing.

# %% mystnb={"figure": {"caption": "The first pair of {numref}`fig-a18-flip` with the flip, with the flip that also doubles all values, and with all pixels shuffled: the picture (above), and what the view shows (below). $\\gamma = 7$, the same seed, timesteps 990, 960, .., 0.", "name": "fig-a18-broken"}, "image": {"alt": "Three columns. The flip: a picture that can be read both ways. Doubled: another picture, in the view too bright. Shuffled: a pale square in both rows."}} tags=["hide-input"]
order = torch.randperm(64 * 64, generator=generators([0])[0])
views = {
    "flip": FLIP,
    "flip, doubled": DOUBLED,
    "pixels shuffled": permutation(order),
}
tried = {name: drawn(pairs[0], view, seeds[0]) for name, view in views.items()}
grid(
    [
        unit_range(torch.cat([*tried.values()])),
        unit_range(torch.cat([views[name].apply(x) for name, x in tried.items()])),
    ],
    titles=list(views),
    labels=["picture", "in the\nview"],
    size=1.8,
)

# %% tags=["hide-input"]
x_0 = torch.stack([shipped_image(n) for n in ("sailboat", "mushroom", "cactus")])
eps = unit_noise(model.shape, generators(range(3)))
x_t = model.schedule.forward(x_0, 500, eps).to(model.device)
photo = model.denoiser("a high quality photo")
rows = []
for name, view in views.items():
    with torch.no_grad():
        error = (viewed(photo, view)(x_t, 500).eps.cpu() - eps).square().mean()
    places = [
        name_ranks(judge, picture, [thing])[0]
        for picture, thing in zip(
            (tried[name], view.apply(tried[name])), pairs[0], strict=True
        )
    ]
    rows.append([name, f"{view.apply(eps).var():.2f}", f"{error:.3f}", *places])
table(
    rows,
    ["view", "variance of unit noise in it", "error of the noise", *pairs[0]],
    "Error: noise three drawings to t = 500, ask the network through each view, turn its answer back, and take the mean squared difference to the true noise. Last two columns: the place of each name in the judge's list of 508, 1 for the first, for the picture and for what the view shows.",
)

# %% [markdown]
# The table says what fails. Doubled, the noise that the network sees has four times the variance, and (A.2) halves its answer: the second prompt has little to say. The picture can be a fine drawing of the first thing, but
# it is no anagram. Shuffled pixels have the right noise but no drawing under it. Then the two prompts agree on nothing, and nothing appears.
#
# ## Try it
#
# * **A pair of your own.** Add a cell with
#   ```python
#   mine = visual_anagram(model, ["a snail", "a teapot"])
#   tries = generate(model, mine, range(8), timesteps)
#   grid([unit_range(tries), unit_range(FLIP.apply(tries))])
#   ```
#   Expect that one of the two things wins in most of the eight.
# * **Three in one.** Give `visual_anagram` three prompts and two views, `[FLIP, VIEWS["quarter turn"]]`. Each answer counts for a third now, so expect
#   the three things to be harder to name than two.
