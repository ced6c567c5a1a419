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
# Can one picture show two things, one as it is, and another upside down?
#
# **Yes, for some pairs of things.** In each step the network is asked twice: with one prompt about the picture as it is, and with the other prompt about the picture upside down. The mean of both answers makes the step.

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
import json

import torch
from IPython.display import Markdown

from diffusion_utils.denoisers import NoiseEstimate, viewed
from diffusion_utils.diagrams import storyboard
from diffusion_utils.emoji64.captions import called
from diffusion_utils.emoji64.judge import load_evaluator, name_ranks
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


# %% mystnb={"figure": {"caption": "One picture (left), and the same flipped: top and bottom change places, left stays left (right). $\\gamma = 7$, timesteps 990, 960, … 0, seed 1; pair and seed were chosen.", "name": "fig-a18-flip"}, "image": {"alt": "On the left a red strawberry with green leaves and dark seeds. On the right the same picture upside down, a slice of watermelon, red with dark seeds, on a green rind."}} tags=["hide-input"]
def drawn(pair, view, seed, ending=""):
    """The anagram of one pair in one view."""
    first, second = map(called, pair)
    denoise = visual_anagram(model, [first, second + ending], [view])
    return generate(model, denoise, [seed], timesteps)


fruits = ("strawberry", "watermelon")
strawberry = drawn(fruits, FLIP, 1)
grid(
    [unit_range(torch.cat([strawberry, FLIP.apply(strawberry)]))],
    titles=["a strawberry", "upside down, a watermelon"],
    size=2.4,
)

# %% [markdown]
# The leaves of the strawberry are the rind of the watermelon. Not all of it fits: the stalk of the strawberry hangs below the rind, and its tip is a bent horn on the slice. Here are four more. The first two are flipped, too. The others are turned like a sheet on a table:

# %% mystnb={"figure": {"caption": "Four anagrams as they are (above) and in their view (below). The quarter turn is anticlockwise. $\\gamma = 7$, seeds 12, 11, 10 and 6; pairs and seeds were chosen.", "name": "fig-a18-turn"}, "image": {"alt": "Four pictures above, the same flipped or turned below: a violet barrel with a dark rim, for a top hat and a bucket; a light blue water drop that becomes a balloon; a grey teapot with a loop for a handle at the right, which becomes the curled trunk of a grey elephant at the left; a blue penguin with a dark eye and a flipper that becomes a blue fish with an eye, a fin and a tail."}} tags=["hide-input"]
more = {
    ("top hat", "bucket"): ("flip", FLIP, 12),
    ("water drop", "balloon"): ("flip", FLIP, 11),
    ("teapot", "elephant"): ("half turn", VIEWS["half turn"], 10),
    ("penguin", "fish"): ("quarter turn", VIEWS["quarter turn"], 6),
}
upright = [drawn(pair, view, seed) for pair, (_, view, seed) in more.items()]
turned = [v.apply(x) for x, (_, v, _) in zip(upright, more.values(), strict=True)]
grid(
    [unit_range(torch.cat(upright)), unit_range(torch.cat(turned))],
    titles=[
        f"{view}\n{called(first)},\n{called(second)}"
        for (first, second), (view, _, _) in more.items()
    ],
    labels=["as it is", "in the\nview"],
    size=1.7,
)

# %% [markdown]
# The brim of the hat is the rim of the bucket. The handle of the teapot is the trunk of the elephant. The feet of the penguin are the tail of the fish. The penguin and the elephant are harder to see than the rest.
#
# Can these pictures be named by someone who does not know the prompts? We showed them to a vision-language model, without names or prompts: once the five pictures as they are, and once, afresh, the five in their view. All ten first guesses were right. But these five are chosen; see below how often it works.
#
# ```{live} anagram
# ```
#
# ## The idea
#
# The network estimates the noise in a picture, and the loop of [1.5](a1_5_sampling.ipynb) takes some of it away. *Visual Anagrams* {cite:p}`geng2024` asks the network twice in every step:
#
# 1. Show it the noisy picture, with the first prompt.
# 2. Flip (or turn) the noisy picture, and show it that, with the second prompt. Flip the answer back.
# 3. Make the step with the mean of the two.
#
# $$ \hat\epsilon = \tfrac12 \left( \hat\epsilon_1(x_t, t) + f^{-1}\big(\hat\epsilon_2(f(x_t), t)\big) \right) \tag{A.2} $$
#
# * $x_t$ is the noisy picture at timestep $t$.
# * $f$ is the **view**: the flip, or a turn. $f^{-1}$ undoes it.
# * $\hat\epsilon_1$ is the guided estimate of the noise (N.6) for the first prompt, $\hat\epsilon_2$ that for the second one.
# * $\hat\epsilon$ is the estimate that the loop gets.
#
# In code:

# %%
first = prompted(model, "a strawberry", 7)
second = prompted(model, "a watermelon", 7)


def anagram(x_t, t):
    eps_1 = first(x_t, t).eps
    eps_2 = second(FLIP.apply(x_t), t).eps
    return NoiseEstimate((eps_1 + FLIP.invert(eps_2)) / 2)  # (A.2)


rng = generators(range(8))
x = unit_noise(model.shape, rng).to(model.device)
path = trajectory(anagram, x, timesteps, model.schedule, generators=rng)

# %% mystnb={"figure": {"caption": "One step of the strawberry, at $t = 690$. Estimates of the noise look like noise, so here are the clean pictures $\\hat x_0$ that they stand for. $\\gamma = 7$, seed 1.", "name": "fig-a18-step"}, "image": {"alt": "A diagram of six pictures with arrows. Above: a noisy picture, and the strawberry that the first prompt sees in it. Below: the noisy picture upside down, a slice of melon that the second prompt sees in it, and this flipped back. Both lead to their mean, a strawberry inside the rind of a melon."}} tags=["hide-input"]
steps = list(path)
k = by_profile(full=9, fast=0)
x_t, t = steps[k].x[1:2], steps[k].t  # of seed 1
turned = FLIP.apply(x_t)
one = model.schedule.predict_x0(x_t, t, first(x_t, t).eps)
other = model.schedule.predict_x0(turned, t, second(turned, t).eps)
back = FLIP.invert(other)

above, below, right, end = 1.4, 0, 2.1, (6.0, 0.7)
pictures = {
    (0, above): (x_t, "$x_t$"),
    (right, above): (one, '"a strawberry"'),
    (0, below): (turned, "$f(x_t)$"),
    (right, below): (other, '"a watermelon"'),
    (2 * right, below): (back, "flipped back"),
    end: ((one + back) / 2, "mean"),
}
arrows = [
    ((0, above), (right, above), "network"),
    ((0, below), (right, below), "network"),
    ((right, below), (2 * right, below), "$f^{-1}$"),
    ((right, above), end, ""),
    ((2 * right, below), end, ""),
]
storyboard({at: (unit_range(x), title) for at, (x, title) in pictures.items()}, arrows)

# %% [markdown]
# In the mean each prompt gets half of what it wants. This mean is the guess $\hat x_0$ that the step uses, since by (N.2) means of noises become means of clean pictures. So in the next step the strawberry is asked for in a picture that looks half like a melon, and the melon in one that looks half like a strawberry. Where both agree, as on the red with dark seeds, the picture gets clear soon. The rest is settled on the way. Below, drag the slider back to $t = 810$: a dark rind stands around the strawberry. It fades, and the leaves take its place:

# %% mystnb={"figure": {"caption": "The strawberry of {numref}`fig-a18-flip` coming out of noise: $\\hat x_0$ upright on the left, upside down on the right. $\\gamma = 7$, seed 1.", "name": "fig-a18-animation"}} tags=["hide-input"]
guesses = [s.x0_hat[1:2] for s in steps]
animation(
    [unit_range(torch.cat([x, FLIP.apply(x)], 3)) for x in guesses],
    alt="A picture and its upside-down copy take shape together.",
    captions=[f"t = {s.t}" for s in steps],
    width=400,
)

# %% tags=["remove-cell"]
assert torch.allclose((one + back) / 2, steps[k + 1].x0_hat[1:2], atol=0.01)
before, last = steps[-2:]
both_ways = visual_anagram(model, [called(name) for name in fruits])
eps = both_ways(before.x[:1], before.t).eps
x0_hat = model.schedule.predict_x0(before.x[:1], before.t, eps)
assert torch.allclose(x0_hat, last.x0_hat[:1], atol=0.01)

# %% [markdown]
# ## Why it can work
#
# **Why flip the answer back?** By (N.1) $x_t$ is the sum of a clean picture $x_0$ and noise $\epsilon$, both scaled. A turn or a flip is **linear**: we may add and scale before it or after it, with the same result.
#
# $$ f(x_t) = \sqrt{\bar\alpha_t}\, f(x_0) + \sqrt{1-\bar\alpha_t}\, f(\epsilon). $$
#
# So the network, shown $f(x_t)$, estimates the flipped noise $f(\epsilon)$. The step needs an estimate of $\epsilon$ itself, so $f^{-1}$ flips the answer back.
#
# **Why can the network answer at all?** It learned with white noise: independent Gaussian values of variance 1. A turn or a flip only moves these values to other places, so $f(\epsilon)$ is white noise too. The same holds for each $f$ that is **orthogonal**: linear, and it keeps the sum of the squares of all values. The density of white noise depends on this sum alone.
#
# **Why the mean?** An estimate of the noise, with a minus sign, points to where $\log p$ grows, with $p$ for how probable a picture is under the prompt ([1.6](a1_6_guidance.ipynb)). The sum of two such directions points to where the sum of the logarithms grows, that is, the logarithm of the product $p_1(x)\, p_2(f(x))$. A product is small if one factor is. So a perfect strawberry that is no melon at all has little weight. (How exact that is: see the box.) Still, one prompt can win: if the strawberry fits $x_t$ much better, the product is largest at a picture that is mostly strawberry.
#
# ```{dropdown} What the mean makes probable
# An estimate of the noise times $-1/\sqrt{1-\bar\alpha_t}$ is the **score** of [1.3](a1_3_one_step_denoising.ipynb), the gradient $\nabla \log p$. Let $p_1(x)$ say how probable a noisy picture $x$ is under the first prompt, and $p_2(f(x))$ how probable it is, in the view, under the second. By the chain rule the gradient of $\log p_2(f(x))$ is $f^\top$ times the score of $p_2$ at $f(x)$, and $f^\top = f^{-1}$ where $f$ is orthogonal. So (A.2), times the same factor, is
#
# $$ \tfrac12 \big( \nabla \log p_1(x) + \nabla \log p_2(f(x)) \big) = \nabla \log \sqrt{p_1(x)\, p_2(f(x))}. $$
#
# The mean of two scores is the score of the geometric mean. Where one of the two densities is nearly zero, their mean is small. ($p_1$ and $p_2$ are the densities at this $t$, changed by guidance.)
#
# The loop follows this only roughly. It would need the density of the noised geometric mean; what it has is the geometric mean of two noised densities {cite:p}`du2023`.
# ```

# %% [markdown]
# ## How often does it work?
#
# The code above drew eight pictures. The judge of [1.5](a1_5_sampling.ipynb), a network that names drawings, puts 508 names in order for each. "1, 5" says: seen upright, "strawberry" comes first, and upside down, "watermelon" fifth.

# %% mystnb={"figure": {"caption": "Nothing selected: the strawberry (above) and the same pictures upside down, for a watermelon, seeds 0 to 7. $\\gamma = 7$. Above each, the place of \"strawberry\" upright and of \"watermelon\" upside down in the judge's list.", "name": "fig-a18-seeds"}, "image": {"alt": "Eight red strawberries with green leaves and dark seeds. Below each the same upside down, a red piece of fruit on a green rind."}} tags=["hide-input"]
judge, eight = load_evaluator(), steps[-1].x.cpu()
looks = {"strawberry": eight, "watermelon": FLIP.apply(eight)}
places = [name_ranks(judge, x, [name] * 8) for name, x in looks.items()]
grid(
    [unit_range(x) for x in looks.values()],
    titles=[
        f"seed {k}\n{a}, {b}" for k, (a, b) in enumerate(zip(*places, strict=True))
    ],
    labels=["upright", "upside\ndown"],
    size=1.0,
)

# %% [markdown]
# The judge puts "strawberry" first for all eight. Upside down, "watermelon" is among its first five for three. For the judge the strawberry wins. (Seed 1, the one above, is among the three.)
#
# Now more pairs, chosen by hand as likely to work, in four views: the flip, two turns and the **jigsaw**, which cuts the picture into 4 × 4 square tiles and puts them in another order. A picture counts if the judge has the right name among its first five both ways. As a control it sees training drawings of the first thing in the same two ways. They were not made as anagrams. So they show how often a pair is named both ways since its things look alike from the start.


# %% tags=["hide-input"]
def both(pairs, pictures):
    """The share that the judge names right both ways: mean over pairs, and its error."""
    shares = [[max(ranks) <= 5 for ranks in pair[pictures]] for pair in pairs]
    shares = torch.tensor([sum(hits) / len(hits) for hits in shares])
    return f"{shares.mean():.0%} ± {shares.std() / len(shares) ** 0.5:.0%}"


# of the half turn without those that were tried because they had worked with the flip
again = {"penguin", "fire", "top hat", "crown"}
search["half turn"] = [p for p in search["half turn"] if p["pair"][0] not in again]
kinds = {"flip": "anagram"} | {
    name: name for name in ("half turn", "quarter turn", "jigsaw")
}
rows = [
    [name, len(search[kind]), *[both(search[kind], x) for x in ("ranks", "plain")]]
    for name, kind in kinds.items()
]
table(
    rows,
    ["view", "pairs", "anagrams", "training drawings"],
    "How many the judge names both ways, among its first five of 508: mean over pairs, ± one standard error. Each view has pairs of its own; 16 seeds a pair for the flip and the turns, 8 for the jigsaw. Of the half turn, four pairs are left out: we had tried them because they work with the flip. From python -m benchmarks.pairs.",
)

# %% tags=["remove-input"]
stored = json.loads((ROOT / "benchmarks/results/guidance.json").read_text())
(ranks,) = (row["ranks"] for row in stored["rows"] if row["gamma"] == 7)
single = (torch.tensor(ranks) <= 5).double().mean()
Markdown(
    f"How many at best? Of pictures of one prompt alone, the judge has the name among its first five in {single:.0%} (508 names, seeds 0 and 1). So most is lost where one picture has to be two things."
)

# %% [markdown]
# With the flip and the turns, anagrams have both names more often than training drawings. With the jigsaw they hardly ever do.
#
# ## Other views
#
# A view need not turn anything. The **negative** $f(x) = -x$ swaps dark and light, since colours lie in $[-1, 1]$. It is orthogonal, and it can work: in {numref}`fig-a18-broken` (right), which we chose, a penguin is a ghost. As it moves no outline, the two have the same form.
#
# ## Where it fails
#
# It is not enough that $f$ is orthogonal. $f(x_0)$ must also look like a drawing.
#
# * **Jigsaw** (left): we can see neither a panda nor a ball. The tiles tear outlines apart, which is a likely reason. A larger model draws jigsaws that can be seen {cite:p}`geng2024`.
# * **Shuffling** all pixels (middle) turns a drawing into grain. A strawberry shows faintly above, a slice of watermelon below, each under the grain of the other.

# %% mystnb={"figure": {"caption": "A panda and a soccer ball, with the jigsaw; a strawberry and a watermelon, with all pixels shuffled; a penguin and \"a ghost on a black background\", with the negative. The picture (above), and what the view shows (below). $\\gamma = 7$, seeds 5, 1 and 1; pairs and seeds were chosen.", "name": "fig-a18-broken"}, "image": {"alt": "Three columns. The jigsaw: torn patches of violet and brown on white, above and below. Shuffled: a pink area of grain; a strawberry shows faintly in the picture, and a slice of watermelon in the view. The negative: a penguin, and in the view a pale penguin on black."}} tags=["hide-input"]
order = torch.randperm(64 * 64, generator=generators([0])[0])
jigsaw, negative, shuffled = VIEWS["jigsaw"], VIEWS["negative"], permutation(order)
views = {"jigsaw": jigsaw, "pixels shuffled": shuffled, "negative": negative}
tried = [
    drawn(("panda", "soccer ball"), jigsaw, 5),
    drawn(fruits, shuffled, 1),
    drawn(("penguin", "ghost"), negative, 1, " on a black background"),
]
seen = [v.apply(x) for v, x in zip(views.values(), tried, strict=True)]
grid(
    [unit_range(torch.cat(tried)), unit_range(torch.cat(seen))],
    titles=list(views),
    labels=["picture", "in the\nview"],
    size=1.8,
)

# %% [markdown]
# What if $f$ is not orthogonal? The flip, doubled, is $f(x) = 2\,\text{flip}(x)$. It gives the noise four times the variance that the network learned:

# %% tags=["hide-input"]
x_0 = torch.stack([shipped_image(n) for n in ("sailboat", "mushroom", "cactus")])
eps = unit_noise(model.shape, generators(range(3)))
x_t = model.schedule.forward(x_0, 500, eps).to(model.device)
photo = model.denoiser("a high quality photo")
rows = [["no picture seen", "noise guessed as 0", f"{eps.square().mean():.3f}"]]
checks = [
    ("no view", "nothing", photo),
    ("flip", "nothing", viewed(photo, FLIP)),
    ("pixels shuffled", "picture: grain", viewed(photo, shuffled)),
    ("flip, doubled", "picture and noise: too strong", viewed(photo, DOUBLED)),
]
for name, wrong, denoise in checks:
    with torch.no_grad():
        error = denoise(x_t, 500).eps.cpu() - eps
    rows.append([name, wrong, f"{error.square().mean():.3f}"])
table(
    rows,
    ["view", "what is wrong", "error of the noise"],
    'Mean squared error of the noise at t = 500, estimated through each view; mean of three drawings, a sailboat, a mushroom and a cactus, one noise each; prompt "a high quality photo".',
)

# %% tags=["remove-cell"]
for view in (*VIEWS.values(), FLIP, shuffled, DOUBLED):
    assert view.invert(view.apply(eps)).equal(eps)
    power = view.apply(eps).square().sum() / eps.square().sum()
    assert torch.isclose(power, torch.tensor(4.0 if view is DOUBLED else 1.0))

# %% [markdown]
# For these drawings the estimate through the flip is as good as without a view. Doubling picture and noise makes the error several times as large. Grain makes it larger still, though its noise is right: the network never learned from shuffled pictures.
#
# ## Try it
#
# 1. **A pair of your own.** Add a cell with
#    ```python
#    mine = visual_anagram(model, ["a mushroom", "a vase"])
#    tries = generate(model, mine, range(8), timesteps)
#    grid([unit_range(tries), unit_range(FLIP.apply(tries))])
#    ```
#    (`visual_anagram` does what `anagram` above does; without a list of views it flips.) Can you see a vase in any of the eight? Try "a snail" and "a teapot", too, and pairs of your own.
# 2. **Three in one.** The first prompt is for the picture as it is, the others for one view each:
#    ```python
#    three = ["a strawberry", "a watermelon", "a tulip"]
#    mine = visual_anagram(model, three, [FLIP, VIEWS["quarter turn"]])
#    tries = generate(model, mine, range(8), timesteps)
#    turned = VIEWS["quarter turn"].apply(tries)
#    grid([unit_range(x) for x in (tries, FLIP.apply(tries), turned)])
#    ```
#
# ```{dropdown} What we got
# 1. Eight mushrooms: one prompt has won. Snail and teapot: eight reddish lumps, which are neither. These are two ways to fail.
# 2. Pink lumps with a green rim. In the quarter turn they look a little like a tulip; strawberry and watermelon are lost.
# ```
