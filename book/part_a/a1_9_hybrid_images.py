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
# # 1.9 Hybrid images
#
# Can one picture show two things, one from close by and the other from afar?

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
import torch
import torch.nn.functional as F

from diffusion_utils.diagrams import storyboard
from diffusion_utils.emoji64.captions import called
from diffusion_utils.files import ROOT
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, last, trajectory, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, table, unit_range
from diffusion_utils.tasks import generate, hybrid, prompted
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import bands, low_pass

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
search = json.loads((ROOT / "benchmarks/results/pairs.json").read_text())


# %% mystnb={"figure": {"caption": "Three hybrids as they are (above), blurred by 2 pixels (middle), and at a quarter of their size (below), as from afar. Split by a blur of 2 pixels, $\\gamma = 7$; each from the best of the 16 seeds that were tried.", "name": "fig-a19-hybrids"}, "image": {"alt": "Above, a striped horse, a sun with eyes and a mouth, and a face with dark stripes. In the middle the same pictures blurred: a brown horse, a sun, a dog's face. Below, all three small."}} tags=["hide-input"]
def small(x):
    """x at a quarter of its size, in the middle of a white square."""
    x = F.interpolate(x, scale_factor=0.25, antialias=True, mode="bilinear")
    return F.pad(x, [24] * 4, value=1.0)


found = {tuple(row["pair"]): row for row in search["hybrid"]}
pairs = [("horse", "zebra"), ("sun", "sun with a face"), ("dog face", "tiger face")]
far = [called(first) for first, _ in pairs]
near = [called(second) for _, second in pairs]
seeds = [found[pair]["best"] for pair in pairs]
hybrids = generate(model, hybrid(model, [far, near]), seeds, timesteps)
grid(
    [unit_range(x) for x in (hybrids, low_pass(2.0)(hybrids), small(hybrids))],
    titles=[
        f"near: {b},\nfar: {a} (seed {seed})"
        for a, b, seed in zip(far, near, seeds, strict=True)
    ],
    labels=["near", "blurred", "small"],
    size=1.9,
)

# %% [markdown]
# ```{live} hybrid
# ```

# %% [markdown]
# ## The idea
#
# From afar the eye sees only the coarse parts of a picture: large areas and soft shadows. From close by it looks at the fine parts: outlines and details. Pictures mixed from the coarse parts of one photograph and the fine
# parts of another are known for this {cite:p}`oliva2006`. A diffusion model can draw such a picture {cite:p}`geng2024b`: ask it about both prompts, and take the coarse part of the one answer and the fine part of the other.
#
# $$ \epsilon = f_{\text{low}}(\epsilon_1) + f_{\text{high}}(\epsilon_2), \qquad f_{\text{high}}(\epsilon) = \epsilon - f_{\text{low}}(\epsilon) \tag{A.3} $$
#
# * $\epsilon_1$ is the guided estimate of the noise (N.6) for the prompt to be seen from afar, $\epsilon_2$ that for the prompt to be seen from close by.
# * $f_{\text{low}}$ is a blur: each value is replaced by the mean of its neighbours, weighted by a Gaussian of width $\sigma = 2$ pixels (33 x 33 pixels are looked at).
# * $f_{\text{high}}$ is what the blur takes away.
# * $\epsilon$ is what the sampling loop gets.

# %% mystnb={"figure": {"caption": "The two bands, at $t = 510$ of the first hybrid. Above, what the network would draw for the prompt from afar, and its coarse band. Below, what it would draw for the prompt from close by, and its fine band, shown around grey. Their sum is the $\\hat x_0$ of this step: the two filters add up to one, so that $x_t$ comes out whole in (N.2), and (A.3) holds for the estimates of the clean picture too.", "name": "fig-a19-bands"}, "image": {"alt": "A diagram of five pictures with arrows. Above: the estimate for the first prompt, an arrow named blur, a blurred picture. Below: the estimate for the second, an arrow named minus its blur, outlines on grey. Both lead to the sum on the right."}} tags=["hide-input"]
k = by_profile(full=16, fast=1)
t = timesteps[k]
noise = generators(seeds[:1])
x_T = unit_noise(model.shape, noise).to(model.device)
denoise = hybrid(model, [far[:1], near[:1]])
x_t = last(
    trajectory(denoise, x_T, timesteps[: k + 1], model.schedule, generators=noise)
)


def seen(prompt):
    """The clean picture that the network sees in x_t with a prompt."""
    eps = prompted(model, prompt)(x_t.to(model.device), t).eps.cpu()
    return model.schedule.predict_x0(x_t, t, eps)


coarse, fine = bands(2.0)
one, other = seen(far[0]), seen(near[0])
above, below, right, end = 1.4, 0, 2.5, (4.8, 0.7)
pictures = {
    (0, above): (one, rf"$\hat x_0$: {far[0]}"),
    (right, above): (coarse(one), "coarse band"),
    (0, below): (other, rf"$\hat x_0$: {near[0]}"),
    (right, below): (fine(other), "fine band"),
    end: (coarse(one) + fine(other), "sum"),
}
arrows = [
    ((0, above), (right, above), "blur"),
    ((0, below), (right, below), "minus its blur"),
    ((right, above), end, ""),
    ((right, below), end, ""),
]
storyboard({at: (unit_range(x), title) for at, (x, title) in pictures.items()}, arrows)

# %% [markdown]
# In code the two filters are made by `bands`, and `blended` adds up what they let through. With one blur there are two bands:
#
# ```{literalinclude} ../../diffusion_utils/denoisers.py
# :pyobject: blended
# :start-at: def denoise
# :dedent:
# ```
#
# A hybrid blends the denoisers of the two prompts, and guides the blend:
#
# ```{literalinclude} ../../diffusion_utils/tasks.py
# :pyobject: hybrid
# :start-at: parts =
# :lines: 1,3-4
# :dedent:
# ```
#
# ```{dropdown} Guiding the blend is the same as blending what is guided
# (A.3) blends two guided estimates, the code guides a blend. The two bands of the unconditional estimate $\epsilon_u$ add up to $\epsilon_u$, so
#
# $$ f_{\text{low}}(\epsilon_u + \gamma(\epsilon_{c1} - \epsilon_u)) + f_{\text{high}}(\epsilon_u + \gamma(\epsilon_{c2} - \epsilon_u))
# = \epsilon_u + \gamma\big(f_{\text{low}}(\epsilon_{c1}) + f_{\text{high}}(\epsilon_{c2}) - \epsilon_u\big). $$
#
# The right side needs $\epsilon_u$ only once.
# ```
#
# ## What to see
#
# In the upper row of {numref}`fig-a19-hybrids` the first picture has the stripes of a zebra. Blurred, it is a brown horse. The sun has eyes and a mouth, which the blur and the small size take away. The
# third pair is the weakest: it is a dog with some of a tiger's stripes, and the judge below is surer of the tiger than most people will be.
#
# So the model follows (A.3), but the change is small. Between a horse and a striped horse lies a pattern, no more. {numref}`fig-a19-bands` shows why. The pattern is fine, so it lies in the fine band, and the blur takes
# it away. Body and colour are coarse, and come from the other prompt. The outline lies in both bands: there the two things must be alike.
#
# ## How often it works
#
# `python -m benchmarks.pairs` draws 30 pairs of things that share outline and colours, each from several seeds. For each picture the judge of [1.6](a1_6_guidance.ipynb), a network that names drawings,
# looks twice: at the picture as it is, which should be the name for near, and at the picture blurred by 2 pixels, which should be the name for far.


# %% tags=["hide-input"]
def within(row, first):
    """From how many seeds both names are among the judge's first so many."""
    return sum(max(ranks) <= first for ranks in row["ranks"])


def counts(rows):
    return [[*row["pair"], within(row, 1), within(row, 5)] for row in rows]


header = ["far", "near", "both first", "both in the first 5"]
table(
    counts(found[pair] for pair in pairs),
    header,
    f"From how many of {len(search['hybrid'][0]['ranks'])} seeds the judge puts the right name first both times, of 508 names, and from how many among its first five.",
)

# %% tags=["hide-output", "hide-input"]
table(counts(search["hybrid"]), header, "All pairs, the surest first.")

# %% [markdown]
# Our three pairs have one thing in common: blurred, the thing for near looks like the thing for far. The folded list has the pairs that failed too. The judge has learned from whole drawings, blurred ones among them, but
# from no hybrids, so a person may be milder or stricter than it is.
#
# ## Where it fails
#
# The width of the blur decides who wins. Here is the dog and the tiger with six widths:

# %% mystnb={"figure": {"caption": "The third hybrid of {numref}`fig-a19-hybrids`, split at blurs of six widths: at full size (above) and at a quarter of it (below). $\\gamma = 7$, the same seed, timesteps 990, 960, .., 0.", "name": "fig-a19-wide"}, "image": {"alt": "Six pictures above, small versions below: on the left only the thing for far, on the right only the thing for near."}} tags=["hide-input"]
widths = [0.5, 1.0, 2.0, 3.0, 4.0, 8.0]
split = torch.cat(
    [
        generate(model, hybrid(model, [far[2:], near[2:]], (w,)), seeds[2:], timesteps)
        for w in widths
    ]
)
grid(
    [unit_range(split), unit_range(small(split))],
    titles=[rf"$\sigma = {w:g}$" for w in widths],
    labels=["near", "far"],
    size=1.2,
)

# %% [markdown]
# At $\sigma = 3$ the stripes are stronger than at 2. At $\sigma = 0.5$ nearly the whole picture lies in the coarse band, and the prompt for far draws it alone. At $\sigma = 8$ nearly all of it lies in the fine band, and the prompt for near wins, at any size. Both
# have a say only in between. On pictures of 64 pixels that range is narrow: a blur of 2 pixels leaves little more than outlines and small parts to the prompt for near. That is why it takes a near thing with a fine
# pattern of its own, such as a zebra.
#
# ## Three at once
#
# Two blurs make three bands, for three prompts.

# %% mystnb={"figure": {"caption": "A triple hybrid, a sun (coarse), a lion (middle) and a tiger face (fine), and its three bands; blurs of 4 and 1.5 pixels, $\\gamma = 7$, seed 0, timesteps 990, 960, .., 0. The finer bands are shown around grey.", "name": "fig-a19-triple"}, "image": {"alt": "A picture, then its coarse band as clouds of colour, and its middle and fine bands as grey pictures with outlines."}} tags=["hide-input"]
three = [called(name) for name in ("sun", "lion", "tiger face")]
triple = generate(model, hybrid(model, three, (4.0, 1.5)), [0], timesteps)
parts = [band(triple) for band in bands(4.0, 1.5)]
titles = [
    "picture",
    *(f"{p}\n({b})" for p, b in zip(three, ("coarse", "middle", "fine"), strict=True)),
]
grid([unit_range(torch.cat([triple, *parts]))], titles=titles, size=1.75)

# %% [markdown]
# In {numref}`fig-a19-triple` the coarse band has the yellow of the sun and its round shape. In the middle band there are ears and an eye of the lion, and the tiger has only the finest strokes. Neither animal
# can be made out in the sum. On 64 pixels there is room for two readings rather than three.
#
# ## Try it
#
# * **Swap near and far.** In the code of {numref}`fig-a19-hybrids`, swap `far` and `near` in the call of `hybrid`. Now the thing with
#   the fine pattern has the coarse band, where its pattern does not fit in: expect it to lose.
# * **A pair of your own.** Add a cell with
#   ```python
#   mine = hybrid(model, ["a red apple", "a ladybug"])
#   tries = generate(model, mine, range(8), timesteps)
#   grid([unit_range(tries), unit_range(small(tries))])
#   ```
#   Choose two things of the same shape and colour, of which the second has a pattern. In most of the eight expect the first thing alone.
#
# ## More
#
# What does a blur of 2 pixels let through? Blur a single bright pixel and look at the strength of each wave in the result:

# %% mystnb={"figure": {"caption": "How much of a wave each of the two bands lets through, against the number of waves that fit into the picture's width. Blur of 2 pixels (kernel 33).", "name": "fig-a19-filters"}, "image": {"alt": "Two curves that cross: the coarse band falls from one to zero, the fine band rises from zero to one; they cross at six waves."}} tags=["hide-input"]
pixel = torch.zeros(1, 1, 64, 64)
pixel[..., 32, 32] = 1
low = torch.fft.rfft2(low_pass(2.0)(pixel)).abs()[0, 0, 0]
fig, ax = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
ax.plot(low, label="coarse band, $f_{low}$")
ax.plot(1 - low, label="fine band, $f_{high}$")
ax.set(xlabel="waves across the picture", ylabel="share let through")
ax.legend()
plt.show()
