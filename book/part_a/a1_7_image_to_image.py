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
# # 1.7 Image to image
#
# Can the model turn a few flat shapes into a drawing? **Yes, if they are areas of colour: name what they show, add noise to them and denoise.
# The more noise we add, the less of the shapes stays.**

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
from PIL import Image, ImageDraw
from torchvision.transforms.v2.functional import pil_to_tensor

from diffusion_utils.emoji64.judge import load_evaluator
from diffusion_utils.pictures import shipped_image
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import grid, unit_range
from diffusion_utils.tasks import generate, noised, prompted, sdedit
from diffusion_utils.text_to_image import load_pretrained

model = load_pretrained()
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 330)
)
shares = model.schedule.alpha_bar.sqrt()

# %% mystnb={"figure": {"caption": "Two pictures of flat shapes (left), chosen from six. To the right of each, for five starts $t$: above, the shapes with the noise of $t$ ($x_t$); below, what the loop makes of them with the prompt. Below $t$: $\\sqrt{\\bar\\alpha_t}$, by which the shapes are multiplied in $x_t$. Last column: the same prompt and seed, without the shapes. $\\gamma = 5$, seed 0.", "name": "fig-a17-prompts"}, "image": {"alt": "A green umbrella and a pink tree of two flat shapes each. To the right of each, a row with more and more noise over it, and below the results. The green umbrella gets a hook for a handle at 600, is grey at 690 and purple at 780 and from pure noise. The crown of the pink tree becomes round, dark at 780, and is green from pure noise."}} tags=["hide-input"]


def picture_of(shapes):
    """Filled polygons, each a colour and its corners in pixels -> (3, 64, 64)."""
    image = Image.new("RGB", (256, 256), "white")
    for colour, corners in shapes.items():
        ImageDraw.Draw(image).polygon(corners, fill=colour)
    small = image.resize((64, 64), Image.Resampling.BOX)
    return pil_to_tensor(small) / 127.5 - 1


umbrella = picture_of(
    {
        "#333333": [(122, 120), (134, 120), (134, 230), (122, 230)],
        "#3fae6a": [(20, 130), (60, 60), (128, 30), (196, 60), (236, 130)],
    }
)
tree = picture_of(
    {
        "#8a5a36": [(108, 150), (148, 150), (156, 240), (100, 240)],
        "#d04f9a": [(30, 100), (80, 25), (176, 25), (226, 100), (176, 165), (80, 165)],
    }
)
flat, prompts = torch.stack([umbrella, tree]), ["an umbrella", "a tree"]
starts = by_profile(full=[20, 16, 13, 10, 7], fast=[2, 0])
denoise = prompted(model, prompts, 5)
results = [sdedit(model, denoise, flat, i, [0, 0], timesteps) for i in starts]
results.append(generate(model, denoise, [0, 0], timesteps))
noisy = [noised(model, flat, i, [0, 0], timesteps)[0].cpu() for i in starts]
noisy.append(unit_noise(model.shape, generators([0, 0])))
above = torch.stack([flat, *noisy], 1)
below = torch.stack([torch.ones_like(flat), *results], 1)  # a blank below the shapes
titles = ["shapes"]
titles += [f"$t={timesteps[i]}$\n{shares[timesteps[i]]:.2f}" for i in starts]
titles += ["pure noise\n0"]
labels = [label for prompt in prompts for label in ("$x_t$", f'"{prompt}"')]
rows = torch.stack([above, below], 1).flatten(0, 1)
grid(unit_range(rows), titles, labels, size=1.0)

# %% [markdown]
# ```{live} sdedit
# ```

# %% [markdown]
# ## The idea
#
# In [1.4](a1_4_iterative_denoising.ipynb) we noised a picture and asked the loop to bring it back. Now we want another picture than the one we gave:
#
# 1. Add noise to the picture, up to a timestep $t$ at which we start. This is the forward process of [1.1](a1_1_forward.ipynb), $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon$ (N.1), with the given
#    picture as $x_0$ and fresh noise $\epsilon$.
# 2. Denoise from there to the end, with a prompt, as in [1.6](a1_6_guidance.ipynb).
#
# **What can still be seen through the noise guides the result. What the noise has covered, the model draws anew.** Noise covers thin strokes first and large areas of colour last: over a large area it averages out. These two steps are called SDEdit {cite:p}`meng2022`.
#
# ```{literalinclude} ../../diffusion_utils/tasks.py
# :pyobject: denoise_from
# :lines: 1,3-
# ```
#
# The list `timesteps` is 990, 960, .., 0, and the start is $t$ = `timesteps[i_start]`; `timesteps[10]` is 690. The function `noised` is step 1, `trajectory` is the loop of 1.4. `noise` holds the random generators, one for each seed. In the cells, `prompted` makes the guided denoiser of a prompt, and `sdedit` returns the last picture of `denoise_from`.
#
# ## What you see
#
# In {numref}`fig-a17-prompts`, from left to right:
#
# * **Little noise** ($t = 390$ and 510): the shapes stay, with softer edges.
# * **More noise** ($t = 600$ and 690): colours and places still come from the shapes, details from the model: a hook for a handle, a round crown. At 690 the green turns grey.
# * **Much noise** ($t = 780$): the umbrella is nearly the model's own (last column). The tree is dark, neither our pink nor the model's green.
#
# With little noise the result is **faithful** to what we gave; with more it can be more **realistic**. In numbers, for four seeds: the distance to the shapes, and the probability that the judge of [1.5](a1_5_sampling.ipynb) gives to the name.

# %% mystnb={"figure": {"caption": "Left: distance of the results to the shapes, root mean square over pixels. Right: the judge's probability of \"umbrella\" and \"tree\". At $t = 0$ stand the shapes themselves, at $t = 990$ the results from pure noise. $\\gamma = 5$; means over seeds 0 to 3, dots: each seed.", "name": "fig-a17-tradeoff"}, "image": {"alt": "Two plots against the start from 0 to 990. Left, the distance rises from 0 to about 0.6, alike for both. Right, the judge is 80 to 95 percent sure of the umbrella at every start; for the tree the probability rises from 10 percent to more than 90, most of it after 600."}} tags=["hide-input"]
judge, words, _ = load_evaluator()
at = [0] + [timesteps[i] for i in starts] + [timesteps[0]]
fig, (left, right) = plt.subplots(1, 2, figsize=(7, 2.3), layout="constrained")
for k, (shapes, prompt) in enumerate(zip(flat, prompts, strict=True)):
    one, seeds = prompted(model, prompt, 5), by_profile(full=range(4), fast=range(1))
    sets = [sdedit(model, one, shapes, i, seeds, timesteps) for i in starts]
    sets = [shapes.expand(len(seeds), -1, -1, -1), *sets]
    pictures = torch.stack([*sets, generate(model, one, seeds, timesteps)])
    pictures = pictures.clamp(-1, 1)
    away = (pictures - shapes).square().mean((2, 3, 4)).sqrt()
    with torch.no_grad():
        sure = judge(pictures.flatten(0, 1)).softmax(1)
    sure = sure[:, words.index(prompt.split(" ", 1)[1])].unflatten(0, away.shape)
    for ax, values in (left, away), (right, sure):
        ax.plot(at, values.mean(1), label=f'"{prompt}"', color=f"C{k}")
        ax.plot(at, values, ".", color=f"C{k}")
left.set(xlabel="start $t$", ylabel="distance to the shapes")
right.set(xlabel="start $t$", ylabel="judge's probability\nof the name", ylim=(0, 1.03))
left.legend()
plt.show()

# %% [markdown]
# The distance grows with $t$ for both. The judge reads the umbrella at each start. It does not expect a tree to be pink, so the name becomes probable only as the pink goes: for the tree, faithful and realistic exclude each other.
#
# (sec-hand-drawn)=
# ## 1.7.1 A found picture and two drawings
#
# A program drew house and fish in the manner of felt pen. None of the three was trained on.

# %% mystnb={"figure": {"caption": "Three pictures (left) from four starts, with the prompts \"a lighthouse\", \"a house with a garden\" and \"a tropical fish\". $\\gamma = 5$, seed 0. The lighthouse is from OpenMoji; its row is under the same licence, CC BY-SA 4.0.", "name": "fig-a17-drawn"}, "image": {"alt": "A lighthouse, and a house and a fish drawn by a program in the manner of felt pen. The lighthouse keeps its dark outline and yellow light, and its stripes become smudges. The house and the fish become smooth pale areas without sun, flower and bubbles; at the last start the house has a clear roof, door and window."}} tags=["hide-input"]
names = ["found-lighthouse", "drawn-house", "drawn-fish"]
wanted = ["a lighthouse", "a house with a garden", "a tropical fish"]
drawn = torch.stack([shipped_image(name) for name in names])
denoise = prompted(model, wanted, 5)
chosen = by_profile(full=[17, 15, 13, 11], fast=[2])
edits = [sdedit(model, denoise, drawn, i, [0] * 3, timesteps) for i in chosen]
grid(
    unit_range(torch.stack([drawn, *edits], 1)),
    titles=["picture"] + [f"$t={timesteps[i]}$" for i in chosen],
    labels=[name.split("-")[-1] for name in names],
    size=1.2,
)

# %% [markdown]
# Up to $t = 600$ all three lose more than they gain. At 660 the house is a clean drawing, but no longer ours; the lighthouse stays a smudge. The stripes of the lighthouse become smudges. In the drawings the strokes average with the white between them and come out pale; sun, flower and bubbles get lost. For a drawing of your own, fill areas with colour.
#
# ```{dropdown} How the two drawings were made
# Each is a list of pen strokes, stored as SVG paths in the order in which they were drawn: first the colour, in zigzags of a broad pen, then the outlines with
# a thin one. The points of each stroke were set one by one; a small program drew a smooth curve through them and added what a hand adds: a slow drift, a slight tremor, and ends that
# run past their corner. The strokes are in `data/images/drawn-house.svg` and `drawn-fish.svg`, and `data/images/render.py` renders them.
# ```
#
# ## Where it fails
#
# **A prompt without a name.** The coursework's prompt is "a high quality photo", with $\gamma = 7$. At $t = 690$ the house has no door any more, and at $t = 960$ all six are lumps, since the noise of the seed decides and it is the same for all. With a prompt that names the thing and all else equal (last column, $t = 780$), five of the six are drawings of the thing again; the lighthouse is not.

# %% mystnb={"figure": {"caption": "Six pictures from the coursework's six starts, `i_start` = 20, 10, 7, 5, 3, 1. \"A high quality photo\", $\\gamma = 7$, seed 0. Last column: a prompt that names the thing, all else equal. The lighthouse is from OpenMoji; its row is under the same licence, CC BY-SA 4.0.", "name": "fig-a17-objects"}, "image": {"alt": "Six rows: a sailboat, a mushroom, a cactus, a lighthouse, and a house and a fish drawn by a program in the manner of felt pen. From left to right the results lose the details of the picture, then outline and colours. At t = 960 all six are lumps, five of them much alike. In the last column, with names, a sailboat, a mushroom, a cactus, a smudge, a house and a fish."}} tags=["hide-input"]
six, middle = by_profile(full=([20, 10, 7, 5, 3, 1], 7), fast=([2, 0], 2))
mentioned = ["a sailboat", "a mushroom", "a cactus"]
names = ["sailboat", "mushroom", "cactus", *names]
images = torch.stack([shipped_image(name) for name in names])
photo = prompted(model, "a high quality photo", 7)
zeros = [0] * len(names)
edits = [sdedit(model, photo, images, i, zeros, timesteps) for i in six]
named = prompted(model, [*mentioned, *wanted], 7)
edits.append(sdedit(model, named, images, middle, zeros, timesteps))
titles = ["picture"] + [f"$t={timesteps[i]}$" for i in six]
grid(
    unit_range(torch.stack([images, *edits], 1)),
    titles=[*titles, f"named,\n$t={timesteps[middle]}$"],
    labels=[name.split("-")[-1] for name in names],
    size=0.8,
)

# %% [markdown]
# **One start for the whole picture.** To keep the roof and redraw the walls, see [1.7.2](a1_7_2_inpainting.ipynb).
#
# ## Try it
#
# * **Move the shapes.** In the code of {numref}`fig-a17-prompts`, change corners, colours and prompts.
# * **Use your own drawing.** Photograph it on white paper, and name what it shows:
#   ```python
#   from diffusion_utils.pictures import load_image
#
#   mine = load_image("my-drawing.jpg")
#   cat = prompted(model, "a cat", 5)
#   grid([unit_range(sdedit(model, cat, mine, i, [0, 1, 2])) for i in (16, 13, 10)])
#   ```
# * **Make it a cartoon.** Do the same with `mine = shipped_image("photograph-cat")`. From which start on is it a drawing?
