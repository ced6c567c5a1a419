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
# Can one picture be two things, depending on how it is turned? Ask the model about both views at once, and follow the average of its answers
# {cite:p}`geng2024`.

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
import json
import math

import torch
import torch.nn.functional as F

from diffusion_utils import views
from diffusion_utils.data import shipped_image
from diffusion_utils.denoisers import averaged, viewed
from diffusion_utils.emoji64.evaluator import load_evaluator, name_ranks
from diffusion_utils.emoji64.text import prompts_of
from diffusion_utils.files import ROOT
from diffusion_utils.metrics import share
from diffusion_utils.pretrained import load_pretrained
from diffusion_utils.profile import by_profile
from diffusion_utils.recipes import enlarged, generate, visual_anagram
from diffusion_utils.sampling import generators, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import animation, grid, unit_range
from diffusion_utils.views import DOUBLED, FLIP, VIEWS, rotation

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)

# %% [markdown]
# Let $\epsilon_1$ and $\epsilon_2$ be the guided estimates (N.6) for two prompts, and $f$ the flip that turns a picture upside down, row by row. Then
#
# $$ \epsilon = \tfrac12 \left( \epsilon_1(x_t, t) + f^{-1}(\epsilon_2(f(x_t), t)) \right). \tag{A.2} $$
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: viewed
# ```
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: averaged
# ```
#
# A view says where pixels go, how they come back, and what they are multiplied with; for the flip, `move` and `back` are the same, and the factor is 1.
#
# ```{literalinclude} ../../diffusion_utils/views.py
# :pyobject: View
# ```
#
# Not every pair of things can share an outline. To find some that can, random pairs were tried, of the names that the evaluator of
# [1.6](a1_6_guidance.ipynb) recognises in the model's pictures, once each with seed 0 (`python -m benchmarks.pairs`, a stored result). It ranks all
# its names for a picture; rank 1 is the best. A picture works if the right name is ahead of the other in both views.

# %%
search = json.loads((ROOT / "benchmarks/results/pairs.json").read_text())
flips = search["anagram"]
print(f"{flips['work']} of {flips['pairs']} random pairs work with seed 0;")
near = sum(max(row["right"]) <= 5 for row in flips["best"])
print(f"in {near} both right names are among the evaluator's first five")

# %% [markdown]
# The three below work, and the worse rank of their two names is the best. That chooses the luckiest of one seed; from other seeds the same three fare so,
# the steadiest first:

# %%
best = sorted(flips["best"][:3], key=lambda row: -row["again"]["work"])
pairs = [tuple(row["pair"]) for row in best]
for row in best:
    tried, (first, second) = row["again"], row["pair"]
    upright, flipped = zip(*tried["right"], strict=True)
    n, percent = tried["seeds"], "{:.0%} ± {:.0%}".format
    works = percent(*share(tried["work"], n))
    print(f"{first}, {second}: works in {works} of {n} other seeds;")
    for name, view, ranks in (
        (first, "upright", upright),
        (second, "upside down", flipped),
    ):
        top = [percent(*share(sum(r <= k for r in ranks), n)) for k in (1, 5)]
        print(f"    {name}, {view}: top-1 {top[0]}, top-5 {top[1]}")

# %%


def denoiser(pairs, view):
    """One anagram of each pair, its second prompt in the view."""
    return visual_anagram(model, prompts_of(pairs), [view])


noise = generators([0] * 3)
x_T = unit_noise(model.shape, noise).to(model.device)
steps = list(
    trajectory(denoiser(pairs, FLIP), x_T, timesteps, model.schedule, generators=noise)
)
anagrams = steps[-1].x.cpu()

# %% mystnb={"figure": {"caption": "Three anagrams, each upright (above) and upside down (below); $\\gamma = 7$, seed 0, timesteps 990, 960, .., 0.", "name": "fig-a18-flip"}, "image": {"alt": "Two rows of three pictures, the lower row the upper one upside down: a brown car that becomes a croissant, a tangle of blue and green, a light brown oval."}} tags=["hide-input"]
large = enlarged(
    model,
    anagrams,
    prompts_of(pairs),
    [0] * 3,
    lambda upright, flipped: averaged(upright, viewed(flipped, FLIP)),
)
grid(
    [unit_range(large), unit_range(FLIP.apply(large))],
    titles=[f"{a}\n{b} (flipped)" for a, b in pairs],
    labels=["upright", "upside down"],
    size=1.6,
)

# %% [markdown]
# The first picture of {numref}`fig-a18-flip` can be read both ways: its two dark spots are wheels below a body, and upside down the ends of a curved croissant. Of the second a person sees only the
# colours of a peacock. The third is an oval, which is enough for a loaf and for an egg, upright or not.
#
# Does each view show its prompt? The evaluator's ranks of both names in both views:

# %%
judge = load_evaluator()


def report(pair, picture, view):
    """Print the ranks of both names as the picture is, and in its view."""
    for name, image in ("as it is", picture), ("in the view", view.apply(picture)):
        first, second = name_ranks(judge, image.expand(2, -1, -1, -1), pair)
        print(f"    {name:>11}: {pair[0]} {first}, {pair[1]} {second}")


for pair, picture in zip(pairs, anagrams.split(1), strict=True):
    print(", ".join(pair))
    report(pair, picture, FLIP)

# %% [markdown]
# In {numref}`fig-a18-animation` watch when each reading appears; in {numref}`fig-a18-turning`, at which angle one becomes the other.

# %% mystnb={"figure": {"caption": "The first anagram of {numref}`fig-a18-flip` coming out of noise: $\\hat x_0$ upright on the left, flipped on the right; $\\gamma = 7$, seed 0.", "name": "fig-a18-animation"}} tags=["hide-input"]
animation(
    [unit_range(torch.cat([s.x0_hat[:1], FLIP.apply(s.x0_hat[:1])], 3)) for s in steps],
    alt="A picture and its upside-down copy take shape together.",
    captions=[f"t = {s.t}" for s in steps],
)


# %% mystnb={"figure": {"caption": "The same picture, turned about its horizontal middle line; drag the slider from 0° (upright) to 180° (upside down).", "name": "fig-a18-turning"}} tags=["hide-input"]
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
# ## Other views
#
# Any way to rearrange pixels is allowed, and so is a change of sign. The view must be linear and keep lengths, in one word be orthogonal, so that unit noise stays unit noise:
#
# $$ f(x_t) = \sqrt{\bar\alpha_t}\, f(x_0) + \sqrt{1-\bar\alpha_t}\, f(\epsilon) $$
#
# is then a noisy image at the same timestep, which is all that the network has learned to look at. And $f(x_0)$ must be able to be a drawing: that no view can promise.

# %%
fitting = {name: tuple(search[name]["best"][0]["pair"]) for name in VIEWS}
seen = {
    name: generate(model, denoiser([fitting[name]], view), [0], timesteps)
    for name, view in VIEWS.items()
}

# %% mystnb={"figure": {"caption": "Five more views, each with the best of the pairs that were tried in it: above the picture, for the first name, below what the view shows, for the second; $\\gamma = 7$, seed 0, timesteps 990, 960, .., 0; the jigsaw has 4 x 4 tiles, shuffled with seed 0.", "name": "fig-a18-views"}, "image": {"alt": "Five pictures above, below each in its view: a blue car on its wheels and on its nose, a green shape upright and upside down, red tiles in two orders, an orange arc and its skewed halves, purple and green shapes and their negative."}} tags=["hide-input"]
grid(
    [
        unit_range(torch.cat(list(seen.values()))),
        unit_range(torch.cat([VIEWS[n].apply(x) for n, x in seen.items()])),
    ],
    titles=[f"{name}\n{fitting[name][0]}\n{fitting[name][1]}" for name in VIEWS],
    labels=["picture", "in the view"],
    size=1.4,
)

# %%
for name, picture in seen.items():
    found = search[name]
    print(f"{name}: {found['work']} of {found['pairs']} random pairs work; this one:")
    report(fitting[name], picture, VIEWS[name])

# %% [markdown]
# In {numref}`fig-a18-views` the car is a car, and turned by a quarter its outline is that of a shield; the others show colours and an outline that the evaluator takes for the names, and a person would not.
# The shares of pairs that work are of 20 pairs and one seed each, so that they tell a hard view from an easy one and no more; the share for the flip stands above. What can be said beforehand: this jigsaw of square tiles cuts every outline,
# so each piece must make sense in two places, and the negative of a drawing on white is a drawing on black, of which the model has seen none. Shuffling single pixels ("pixels" in the next
# table) is orthogonal as well, but no picture stays a picture under it.
#
# ## One that must fail
#
# Take the flip, and double all values with it. It can be undone, but it is not orthogonal: at timestep $t$ it shows the network noise of variance $4 (1 - \bar\alpha_t)$, which the network never
# met there. How wrong its estimate then is can be measured where the noise is known: noise the sailboat, the mushroom and the cactus to $t = 500$, ask through each view,
# turn the answer back, and compare it with the noise that was added.

# %%
x_0 = torch.stack([shipped_image(n) for n in ("sailboat", "mushroom", "cactus")])
eps = unit_noise(model.shape, generators(range(3)))
x_t = model.schedule.forward(x_0, 500, eps).to(model.device)
photo = model.denoiser("a high quality photo")
pixels = views.permutation(torch.randperm(64 * 64, generator=generators([0])[0]))
compared = {"as it is": rotation(0), "flip": FLIP, **VIEWS, "pixels": pixels}
for name, view in {**compared, "doubled": DOUBLED}.items():
    with torch.no_grad():
        error = (viewed(photo, view)(x_t, 500).eps.cpu() - eps).square().mean()
    print(
        f"{name:>12}: unit noise has variance {view.apply(eps).var():.2f}, "
        f"error of the estimate {error:.3f}"
    )

# %% [markdown]
# An error of 1 is what the answer "no noise at all" would have. The first pair of {numref}`fig-a18-flip` under this view, which differs from the flip there by the factor alone:

# %%
broken = generate(model, denoiser(pairs[:1], DOUBLED), [0], timesteps)
report(pairs[0], broken, DOUBLED)
for name, picture in ("flip", anagrams[:1]), ("doubled", broken):
    border = torch.cat([picture[..., 0, :], picture[..., -1, :]], -1)
    print(f"{name}: upper and lower border {border.mean():.2f}, where 1 is white")

# %% mystnb={"figure": {"caption": "The first pair of {numref}`fig-a18-flip` with the flip (left) and with the flip that also doubles all values (right), each as it is and in its view; $\\gamma = 7$, seed 0, timesteps 990, 960, .., 0.", "name": "fig-a18-broken"}, "image": {"alt": "Four pictures: an anagram upright and upside down; and a picture with a wrong background, upright, and upside down with doubled contrast."}} tags=["hide-input"]
grid(
    [
        unit_range(
            torch.cat(
                [
                    anagrams[:1],
                    FLIP.apply(anagrams[:1]),
                    broken,
                    DOUBLED.apply(broken),
                ]
            )
        )
    ],
    titles=["with the flip", "flipped", "doubled", "flipped, doubled"],
    size=1.6,
)

# %% [markdown]
# The network is shown four times the noise variance that belongs to $t$, and at $t = 500$ its estimate is as wrong as printed above. Half of this estimate
# enters the average (A.2) at every step, after guidance has enlarged it; the last number says what it does to the background of {numref}`fig-a18-broken`, and the ranks say what can still be read there. The other views of
# {numref}`fig-a18-views`, and the flips of {numref}`fig-a18-flip`, fail or work by what the model can draw; this one fails by what it is.
