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
# **Yes, for pairs of things that can share an outline.** Most pictures fail: the table below counts for how few a judge gives both names. In each step the network is asked about the picture and about the same picture turned over, and the mean of both answers
# makes the step.

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

# %% mystnb={"figure": {"caption": "Three anagrams, each upright (above) and the same picture upside down (below). $\\gamma = 7$, timesteps 990, 960, .., 0. The pairs were chosen by eye from 30, and the seeds, the best of 16, by the probabilities that the judge gives both names.", "name": "fig-a18-flip"}, "image": {"alt": "Two rows of three pictures, the lower row the upper one upside down: an umbrella that becomes a bowl of rice, a top hat that becomes a bucket, a water drop that becomes a balloon."}} tags=["hide-input"]
found = {tuple(row["pair"]): row for row in search["anagram"]}
pairs = [
    ("umbrella", "bowl of rice"),
    ("top hat", "bucket"),
    ("water drop", "balloon"),
]
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
# The lower row of {numref}`fig-a18-flip` is the upper one, mirrored top to bottom. (To turn your head, or the screen, would be a half turn, which also swaps left and right.)
#
# ```{live} anagram
# ```
#
# How often does it work? `python -m benchmarks.pairs` drew 30 pairs, chosen by hand, from 16 seeds each. The judge of [1.6](a1_6_guidance.ipynb), a network that names drawings, should give the first name to the picture, and the second name to the picture turned over.
# As a control it sees the plain training drawings of both things, turned over. (A thing has up to seven, one in each style.) How often does it give them the name of the other thing?


# %% tags=["hide-input"]
def within(row, first):
    """From how many seeds both names are among the judge's first so many."""
    return sum(max(ranks) <= first for ranks in row["ranks"])


def drawings(name):
    """All training drawings of a name."""
    index = data.name_index == data.names.index(name)
    return plain(data, index.nonzero()[:, 0])


def mistaken(pair):
    """(turned-over drawings that get the other's name, all of them)."""
    ranks = []
    for name, other in (pair, pair[::-1]):
        turned = FLIP.apply(drawings(name))
        ranks += name_ranks(judge, turned, [other] * len(turned))
    return ranks.count(1), len(ranks)


def counts(rows):
    """Anagrams with both names and plain drawings with the other name, of how many."""
    drawn = sum(within(row, 1) for row in rows)
    tried = sum(len(row["ranks"]) for row in rows)
    controls = [mistaken(row["pair"]) for row in rows]
    wrong, plain_ones = map(sum, zip(*controls, strict=True))
    shares = [(drawn, tried), (wrong, plain_ones)]
    return [f"{a} of {b} ({a / b:.0%})" for a, b in shares]


data, judge = emoji(), load_evaluator()
rows = {" / ".join(pair): [found[pair]] for pair in pairs}
rows["all 30 pairs"] = search["anagram"]
table(
    [[name, *counts(some)] for name, some in rows.items()],
    [
        "upright / upside down",
        "anagrams with both names",
        "plain drawings, turned over",
    ],
    "How often the judge puts the right name first, of 508: for an anagram both names, for a plain drawing turned over the name of the other thing.",
)

# %% [markdown]
# The judge is stricter than the eye: from none of the 16 seeds does it put "top hat" first upright and "bucket" first upside down.
#
# ## The idea
#
# At every step ask the network twice, as in *Visual Anagrams* {cite:p}`geng2024`. Show it the noisy picture as it is, with the first prompt. Turn the noisy picture over, and show it that with the
# second prompt. Turn the second answer back, take the mean of the two, and make the step with it.
#
# $$ \epsilon = \tfrac12 \left( \epsilon_1(x_t, t) + f^{-1}\big(\epsilon_2(f(x_t), t)\big) \right) \tag{A.2} $$
#
# * $x_t$ is the noisy picture at timestep $t$.
# * $f$ is the **view**, here the flip that turns a picture upside down, and $f^{-1}$ turns it back.
# * $\epsilon_1$ is the guided estimate of the noise (N.6) for the first prompt, $\epsilon_2$ that for the second one.
# * $\epsilon$ is what the sampling loop gets. The loop itself does not change.
#
# **Why the mean?** Up to a factor that depends on $t$ alone, an estimate of the noise is the **score**, the gradient $\nabla \log p$: the direction in which pictures become more probable. Let $p_1(x)$ say how probable a picture $x$ is under the first prompt,
# and $p_2(f(x))$ how probable it is, turned over, under the second. Then
#
# $$ \tfrac12 \big( \nabla \log p_1(x) + \nabla \log p_2(f(x)) \big) = \nabla \log \sqrt{p_1(x)\, p_2(f(x))}. $$
#
# The mean of two scores is the score of the geometric mean, and this is high only where both are high. ($p_1$ and $p_2$ are the densities of noisy pictures at this $t$, changed by guidance.)
#
# And why $f^{-1}$? By the chain rule the second gradient is $f^\top$ times the score of $p_2$ at $f(x)$, and for a flip $f^\top = f^{-1}$.
#
# In code, where `visual_anagram` of the package is the same for any number of views:

# %%
first, second = prompted(model, upright[0]), prompted(model, flipped[0])


def anagram(x_t, t):
    eps_1 = first(x_t, t).eps
    eps_2 = second(FLIP.apply(x_t), t).eps
    return NoiseEstimate((eps_1 + FLIP.invert(eps_2)) / 2)  # (A.2)


noise = generators([seeds[0]])
x_T = unit_noise(model.shape, noise).to(model.device)
steps = [*trajectory(anagram, x_T, timesteps, model.schedule, generators=noise)]

# %% mystnb={"figure": {"caption": "The first anagram of {numref}`fig-a18-flip` coming out of noise: $\\hat x_0$ upright on the left, upside down on the right. Drag the slider. $\\gamma = 7$.", "name": "fig-a18-animation"}} tags=["hide-input"]
animation(
    [unit_range(torch.cat([s.x0_hat, FLIP.apply(s.x0_hat)], 3)) for s in steps],
    alt="A picture and its upside-down copy take shape together.",
    captions=[f"t = {s.t}" for s in steps],
    width=400,
)

# %% [markdown]
# ## What to see
#
# The canopy of the umbrella is the bowl. The brim of the hat is the rim of the bucket. The tip of the drop is the knot of the balloon. One outline has to fit both things, and one set of colours too.
#
# ## Other views
#
# The flip is one way to look at a picture. A turn, tiles in another order (a jigsaw), or dark and light swapped can take its place in (A.2). The negative is $f(x) = -x$, since pixels lie in $[-1, 1]$ and 0 is a middle grey.


# %% mystnb={"figure": {"caption": "Three more views: the picture for the first name (above), and what the view shows for the second (below). $\\gamma = 7$, timesteps 990, 960, .., 0; the pairs were chosen by eye, and the seeds, the best of 8, by the judge's probabilities. The second prompt of the negative ends with \"on a black background\".", "name": "fig-a18-views"}, "image": {"alt": "Three pictures above, below each what its view shows: a blue fish that a quarter turn makes a rocket; a grey swan, hard to see, that a half turn makes an elephant; a penguin whose negative is a pale ghost on black."}} tags=["hide-input"]
def drawn(pair, view, seed, ending=""):
    """The anagram of one pair in one view."""
    first, second = map(called, pair)
    denoise = visual_anagram(model, [first, second + ending], [view])
    return generate(model, denoise, [seed], timesteps)


chosen = {
    "quarter turn": ("fish", "rocket"),
    "half turn": ("swan", "elephant"),
    "negative": ("penguin", "ghost"),
}
pictures = []
for kind, pair in chosen.items():
    seed = {tuple(row["pair"]): row["best"] for row in search[kind]}[pair]
    ending = " on a black background" * (kind == "negative")
    pictures.append(drawn(pair, VIEWS[kind], seed, ending))
grid(
    [
        unit_range(torch.cat(pictures)),
        unit_range(
            torch.cat(
                [VIEWS[k].apply(x) for k, x in zip(chosen, pictures, strict=True)]
            )
        ),
    ],
    titles=[f"{kind}\n{a},\n{b}" for kind, (a, b) in chosen.items()],
    labels=["picture", "in the\nview"],
    size=1.7,
)

# %% tags=["hide-input"]
kinds = ["quarter turn", "half turn", "negative", "jigsaw"]
table(
    [
        [
            kind,
            f"{sum(within(row, 5) for row in search[kind])} of "
            f"{sum(len(row['ranks']) for row in search[kind])}",
        ]
        for kind in kinds
    ],
    ["view", "both names in the judge's first five"],
    "Eight pairs in each view, eight seeds each. The jigsaw has 4 x 4 square tiles, shuffled with seed 0.",
)

# %% [markdown]
# These counts cannot be compared with those of the flip, where only the first name counted. A turn asks for the same as the flip, an outline that fits both things. (The swan is hardly to be seen, and the ghost still has the form of the penguin.) The jigsaw tears outlines apart, so the two things can share little but patches of colour. We show none: we could not name both things in any. The judge learned from drawings on white, so it is strict with a negative, which is on black.
#
# ## Where it fails
#
# The network was trained on drawings with noise: $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\, \epsilon$. What a view shows must again be a drawing with such noise. Three things are needed; the first two are in {cite:p}`geng2024`:
#
# 1. $f$ is **linear**. Then the view of $x_t$ is the view of the picture plus the view of the noise.
# 2. $f$ is **orthogonal**: it keeps all lengths, as a rotation does. Then $f^\top = f^{-1}$, and $f(\epsilon)$, of Gaussian noise, is again independent Gaussian noise of variance 1. Moving pixels and changing signs are orthogonal.
# 3. $f(x_0)$ can look like a drawing.
#
# Two views break one of them. **Doubling** all values after the flip breaks the second: noise of variance 1 gets variance $2^2 = 4$. **Shuffling** all
# pixels breaks the third.

# %% mystnb={"figure": {"caption": "The first pair of {numref}`fig-a18-flip` with the flip, with the flip that also doubles all values, and with all pixels shuffled: the picture (above), and what the view shows (below). $\\gamma = 7$, the same seed, timesteps 990, 960, .., 0.", "name": "fig-a18-broken"}, "image": {"alt": "Three columns. The flip: an umbrella whose canopy is a bowl in the view. Doubled: a speckled umbrella with a handle; in the view the same umbrella upside down, with too much contrast. Shuffled: a plain pink area in both rows."}} tags=["hide-input"]
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
rows = [["no picture seen, noise guessed as 0", f"{eps.square().mean():.3f}"]]
with torch.no_grad():
    estimates = {
        "no view": photo(x_t, 500),
        **{name: viewed(photo, view)(x_t, 500) for name, view in views.items()},
    }
for name, estimate in estimates.items():
    rows.append([name, f"{(estimate.eps.cpu() - eps).square().mean():.3f}"])
table(
    rows,
    ["view", "error of the estimated noise"],
    'Mean squared error of the noise at t = 500, estimated through each view and turned back; the three drawings of 1.7, prompt "a high quality photo".',
)

# %% [markdown]
# (Who answers 0 has the variance of the noise as the error, about 1.) Doubled, the network sees more noise than $t$ says, values that it has not learned. And $f^{-1}$ halves its answer, so the second prompt has less to say. The umbrella wins: its handle is there in both rows. Shuffled pixels have the right noise, but no drawing is under it: what one prompt draws is scattered dots to the other. Neither thing comes out.
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
