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
# # B2 Denoising in many steps
#
# **Can many small steps make a digit out of nothing but noise?**

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
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown

from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.diagrams import draw, unet_plan
from diffusion_utils.files import ROOT
from diffusion_utils.filters import posterior
from diffusion_utils.metrics import jackknife, wilson
from diffusion_utils.mnist.data import mnist
from diffusion_utils.mnist.objectives import MNIST_SCHEDULE as schedule
from diffusion_utils.mnist.release import trained
from diffusion_utils.mnist.unet import unet_denoiser
from diffusion_utils.pictures import to_unit
from diffusion_utils.profile import by_profile
from diffusion_utils.sampling import generators, sample, trajectory, unit_noise
from diffusion_utils.schedule import Schedule, spaced_timesteps, strided_timesteps
from diffusion_utils.show import animation, grid, loss_curve, table, tile
from diffusion_utils.training.runtime import keep_freed_memory

keep_freed_memory()
networks, history = trained("b2")
network = networks[max(networks)]
T = schedule.T
timesteps = spaced_timesteps(T, by_profile(full=T, fast=5))
seeds = range(10)
rng = generators(seeds)
x_T = unit_noise((1, 28, 28), rng)
path = list(
    trajectory(unet_denoiser(network, T), x_T, timesteps, schedule, generators=rng)
)
images = [x_T, *(step.x for step in path)]
guesses = [*(step.x0_hat for step in path), path[-1].x]  # seen from these images
assert torch.allclose(path[-1].x, path[-1].x0_hat)

# %% mystnb={"figure": {"caption": "One sample on its way: the image $x_t$, and below it the network's estimate $\\hat x_0$ of the clean image. At $t=-1$ both rows show the result. Seed 0, 300 steps, weights of epoch 20.", "name": "fig-b2-trajectory"}, "image": {"alt": "Above, noise turns into a digit from left to right; below, the estimate starts as a grey cloud, becomes a soft digit early, and sharpens."}} tags=["remove-input"]
shown = np.linspace(0, len(path), by_profile(9, 3)).astype(int)
rows = [torch.cat([kind[i][:1] for i in shown]) for kind in (images, guesses)]
titles = [f"$t={timesteps[i]}$" for i in shown]
grid(rows, titles=titles, labels=["$x_t$", r"$\hat x_0$"])

# %% [markdown]
# ```{live} b2
# ```

# %% [markdown]
# **Yes: after 300 small steps most samples can be read as a digit, though not all.** The upper row of {numref}`fig-b2-trajectory` begins with pure noise and ends as a 7. The lower row shows what the network
# believes to be behind the noise: at $t = 299$ a cloud, at $t = 224$ a kind of 9, at $t = 74$ a 7.
#
# This is the denoising diffusion probabilistic model, DDPM {cite:p}`ho2020`. {numref}`fig-b2-animation` plays it for ten digits.

# %% mystnb={"figure": {"caption": "Ten digits coming out of noise, seeds 0 to 9, 300 steps. Left half: $x_t$; right half: $\\hat x_0$.", "name": "fig-b2-animation"}} tags=["remove-input"]
kept = [*range(0, len(path), max(1, len(path) // 30)), len(path)]
gap = torch.ones(1, 1, 56, 4)
frames = [torch.cat([tile(images[i], 5), gap, tile(guesses[i], 5)], 3) for i in kept]
animation(
    frames,
    alt="Two panels of ten squares: on the left noise turns into figures like digits, on the right soft ones sharpen.",
    captions=[f"t = {timesteps[i]}: image left, estimate right" for i in kept],
    width=560,
)

# %% [markdown]
# ## From a digit to noise
#
# [B1](b1_one_step_denoiser.ipynb) had one noise level. Here there are $T = 300$ of them, one for each timestep $t = 0 \dots 299$:
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad \epsilon \sim \mathcal N(0, I). \tag{N.1} $$
#
# $x_0$ is the clean digit, with values from 0 to 1, and $\epsilon$ the noise. At $t = 0$ there is already a little noise. (So $x_0$ always means the clean digit, not the image at $t = 0$; in our count the clean digit stands at $t = -1$.) Each timestep $t$ multiplies the image before it by $\sqrt{1 - \beta_t}$ and adds noise of variance $\beta_t$, which grows linearly from $10^{-4}$ to $0.02$. So $\bar\alpha_t$, the share of the digit's variance that is left, is the product of
# $1 - \beta_s$ over all $s \le t$.
#
# The DDPM paper counts its timesteps from 1, and has 1,000 of them with the same range of $\beta_t$. With 300, more of the digit is left at the end.

# %% mystnb={"figure": {"caption": "What (N.1) mixes at each timestep: the factors of the clean image and of the noise. $T = 300$, linear $\\beta_t$.", "name": "fig-b2-schedule"}, "image": {"alt": "Two curves against t: the image's factor falls from one to about a fifth, the noise's rises from zero to nearly one. The end of the first curve is marked with its value."}} tags=["remove-input"]
left = schedule.alpha_bar.sqrt()
fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
ax.plot(left, label=r"$\sqrt{\bar\alpha_t}$, the image")
ax.plot((1 - schedule.alpha_bar).sqrt(), label=r"$\sqrt{1-\bar\alpha_t}$, the noise")
ax.plot(T - 1, left[-1], "o", color="C0", clip_on=False)
ax.annotate(
    f"{left[-1]:.2f}", (T - 1, left[-1]), (250, 0.05), arrowprops={"arrowstyle": "-"}
)
ax.set(xlabel="$t$", ylabel="factor", ylim=(0, 1.05), xlim=(0, T - 1))
fig.legend(loc="outside upper center", ncols=2)
plt.show()

# %% tags=["remove-input"]
Markdown(
    f"At the right end $\\bar\\alpha_{{{T - 1}}} = {schedule.at(T - 1):.3f}$. The mark in {{numref}}`fig-b2-schedule` is its square root."
)

# %% [markdown]
# Sampling will start from pure noise, as if nothing were left; [What limits B2](b2_limits.ipynb) tests whether that matters.
#
# ## Training: guess the noise
#
# The network $\epsilon_\theta$, with weights $\theta$, sees the noisy digit $x_t$ and the time, as a number $t/T$, which says how strong the noise is. It is asked for the noise $\epsilon$. One could ask for the digit instead; the DDPM paper reports that in early experiments this led to worse pictures.

# %% mystnb={"figure": {"caption": "What the network sees and what it gives, at three timesteps, for one test digit. (N.2) below makes $\\hat x_0$ of the guess of the noise. The fourth column enlarges the error of the guess. Grey is zero in the pictures of noise. Noise of seed 0, weights of epoch 20.", "name": "fig-b2-sees"}, "image": {"alt": "Three rows: a 7 in a little noise, one in much noise, and one that cannot be seen. The guesses of the noise look like the noise in all rows; five times the difference shows the edges of the 7 in the first two rows and a faint whole 7 in the last. The guess of the digit is a sharp 7, then a soft 7, then a cloud that resembles a 9."}} tags=["remove-input"]
digit = to_unit(mnist(train=False)[0][:1])
eps = unit_noise((1, 28, 28), generators([0]))
rows, three = [], (30, 120, 270)
for t in three:
    x_t = schedule.forward(digit, t, eps)
    guess = unet_denoiser(network, T)(x_t, t).eps.detach()
    noises = [0.5 + noise / 6 for noise in (eps, guess, 5 * (guess - eps))]
    pictures = [x_t, *noises, schedule.predict_x0(x_t, t, guess), digit]
    rows.append(torch.cat(pictures))
grid(
    rows,
    titles=[
        "sees $x_t$",
        r"noise $\epsilon$",
        r"guess $\epsilon_\theta$",
        r"$5\,(\epsilon_\theta - \epsilon)$",
        r"guess $\hat x_0$",
        "digit $x_0$",
    ],
    labels=[f"$t={t}$" for t in three],
    size=0.95,
)

# %% [markdown]
# ```{admonition} Training (algorithm 1 of the DDPM paper)
# Repeat:
#
# 1. Take a clean digit $x_0$.
# 2. Draw a timestep $t$ from $0 \dots T-1$, each with the same probability.
# 3. Draw noise $\epsilon \sim \mathcal N(0, I)$, and make $x_t$ by (N.1).
# 4. Move $\theta$ a little, so that $\lVert \epsilon_\theta(x_t, t/T) - \epsilon \rVert^2$ becomes smaller.
# ```
#
# The loss is the mean of the squares over the 784 pixels and over all $x_0$, $t$ and $\epsilon$. Up to the factor $1/784$ it is the DDPM paper's simplified loss (equation 14), in which each timestep counts the same:
#
# $$ L(\theta) = \tfrac{1}{784}\, \mathbb E_{t, x_0, \epsilon} \lVert \epsilon_\theta(x_t, t/T) - \epsilon \rVert^2, \qquad t \sim \mathcal U\{0, \dots, T-1\}. \tag{B2.1} $$
#
# In code, points 2, 3 and the target of 4 are:
#
# ```{literalinclude} ../../diffusion_utils/mnist/objectives.py
# :pyobject: noise_objective
# :start-at: t = torch.randint
# :dedent:
# ```
#
# Any guess of the noise gives one of the digit, by solving (N.1) for $x_0$:
#
# $$ \hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\,\epsilon_\theta}{\sqrt{\bar\alpha_t}}. \tag{N.2} $$
#
# So both guesses are wrong in the same places: in {numref}`fig-b2-sees` mostly at the strokes, at $t = 270$ also where other digits would have theirs.
#
# The network is the U-Net of B1 with $D = 64$ and two more blocks for the time ({numref}`fig-b2-unet`).

# %% mystnb={"figure": {"caption": "Where the time enters: `time1` and `time2` turn $t/T$ into numbers that are added to the features $h$ at 7x7 and at 14x14. Each box but the two sums names the shape of what it returns.", "name": "fig-b2-unet"}, "image": {"alt": "The U-Net as two columns of boxes, down on the left and up on the right. Two orange boxes, time1 and time2, point to the places h + t1 and h + t2 in the right column, after unflatten and after up1."}} tags=["remove-input"]
draw(*unet_plan(network))

# %% tags=["remove-input"]
count, *for_time = (
    sum(p.numel() for p in part.parameters())
    for part in (network, network.time1, network.time2)
)
Markdown(
    f"The network has {count:,} parameters, {sum(for_time):,} of them in the two blocks for the time. Each block makes one number for each channel, which is added at all places."
)

# %% mystnb={"figure": {"caption": "Training loss (B2.1) against the step. Batch 128, Adam, learning rate from $10^{-3}$, shrunk after each epoch to reach a tenth after 20; seed 180.", "name": "fig-b2-loss"}, "image": {"alt": "A loss curve on a logarithmic axis: a steep fall in the first few hundred steps, then a long shallow decline."}} tags=["remove-input"]
loss_curve(history)

# %% tags=["remove-input"]
stored = json.loads((ROOT / "benchmarks/results/mnist_b2.json").read_text())
loss = stored["loss"]
at_step = np.array([row.loss for row in history])
table(
    [
        ["guessing no noise at all", "1"],
        [
            "the course's own training, read off its curve near step 4,700",
            "0.028 to 0.030",
        ],
        ["this training, near step 4,700", f"{at_step[4600:4700].mean():.4f}"],
        [f"this training, near step {len(at_step):,}", f"{at_step[-100:].mean():.4f}"],
        ["final weights, training digits", f"{loss['training']:.4f}"],
        [
            "test digits minus training digits",
            f"{loss['test'] - loss['training']:+.4f} ± {loss['standard_error']:.4f}",
        ],
    ],
    ["", "mean squared error"],
    f"The loss (B2.1). “Near step”: mean of the 100 steps before. Last two lines: {loss['digits']:,} training digits and as many test digits, the same noise; ± standard error.",
)

# %% [markdown]
# The loss in {numref}`fig-b2-loss` falls steeply for some hundred steps, and slowly from then on. Within the error, new digits are no harder than those of the training. But not all timesteps are equally hard:

# %% tags=["remove-input"]
mixed = torch.randperm(10_000, generator=torch.Generator().manual_seed(0))
some = to_unit(mnist(train=False)[0][mixed[:1000]])  # as in the stored results
train_digits, labels = mnist(train=True)
train_digits = to_unit(train_digits)
shown = [row for row in stored["errors"] if row["t"] in (0, 10, 40, 110, 200, 299)]
for row in shown:
    alpha_bar = schedule.at(row["t"]).item()
    expected = row["noise"] * (1 - alpha_bar) / alpha_bar
    assert np.isclose(row["digit"], expected, rtol=1e-3)
assert 19 < (1 - schedule.at(299)) / schedule.at(299) < 21  # as the text says
table(
    [
        [
            row["t"],
            f"{(1 - schedule.at(row['t'])).sqrt():.2f}",
            f"{row['noise']:.4f}",
            f"{row['digit']:.5f}",
        ]
        for row in shown
    ],
    ["t", "noise's factor", "loss", "error of the digit"],
    "Mean squared errors, 1,000 test digits. Loss: of the guessed noise. Error of the digit: of the guess (N.2) made of it.",
)

# %% [markdown]
# From row to row the loss falls, but the error of the digit grows. By (N.2) the error of the digit is the loss times $(1-\bar\alpha_t)/\bar\alpha_t$. At $t = 299$ the image is nearly all noise, so the noise is easy to guess, but this factor is about 20. At $t = 0$ hardly any noise can be seen, and the loss is largest, but the factor is about $\beta_0 = 10^{-4}$.

# %% tags=["remove-input"]
always = (some - train_digits.mean(0)).square().mean().item()
at_299 = stored["errors"][-1]["digit"]
assert stored["errors"][-1]["t"] == 299 and at_299 > always
Markdown(
    f"How good is that? Whoever always answers the mean of all training digits, whatever he sees, has an error of {always:.4f}. At $t = 299$ the network is worse, {at_299:.4f}. There its guess is poorest, and there the drawing begins."
)

# %% [markdown]
# ## Several digits fit
#
# Which digits can be behind a noisy image $x_t$? By Bayes' rule, as in [B1](b1_one_step_denoiser.ipynb), each training digit $x^{(i)}$ has a weight $w_i$, the probability that it is the one:
#
# $$ w_i \propto \exp\Big(-\frac{\lVert x_t - \sqrt{\bar\alpha_t}\, x^{(i)} \rVert^2}{2\,(1-\bar\alpha_t)}\Big). $$

# %% mystnb={"figure": {"caption": "A noisy test digit, chosen from the first ten because 4s and 9s share the weight; the three training digits with the largest weights; the mean of all 60,000 by their weights; the network's guess; the clean digit. $t = 149$, noise of seed 0, weights of epoch 20.", "name": "fig-b2-mean"}, "image": {"alt": "Seven squares: noise in which no digit can be seen; a 4 with 45 percent, a 9 with 17, another 9 with 14; their mean, with one loop and two legs; the network's guess, soft, with two legs too; the clean 9, with one long slanted leg."}} tags=["remove-input"]
nine, alpha_bar = to_unit(mnist(train=False)[0][7:8]), schedule.at(149).item()
x_t = schedule.forward(nine, 149, eps)  # the noise of seed 0, as above
guess = unet_denoiser(network, T)(x_t, 149).eps.detach()
N = (1 - alpha_bar) / alpha_bar
weights = posterior(x_t / alpha_bar**0.5, N, train_digits)[0]
largest, likely = weights.topk(3)
mean = torch.tensordot(weights, train_digits, 1)[None]
answers = [mean, schedule.predict_x0(x_t, 149, guess)]
percent = [f"{weight:.0%}" for weight in largest]
grid(
    [torch.cat([x_t, train_digits[likely], *answers, nine])],
    titles=["$x_{149}$", *percent, "mean", r"guess $\hat x_0$", "$x_0$"],
    size=1.0,
)

# %% tags=["remove-input"]
fours, nines = (weights[labels == digit].sum() for digit in (4, 9))
Markdown(
    f"All 4s together have {fours:.0%} of the weight, all 9s {nines:.0%}. The mean has the legs of both, and so has the network's guess."
)

# %% [markdown]
# **The best guess is the mean of the digits that fit, each with its weight: $\mathbb E[x_0 \mid x_t]$.** It has the smallest expected squared error (B1); our 60,000 digits give it only roughly. The loss (B2.1) asks for the mean of the noise, and (N.2) turns one mean into the other:
#
# $$ \mathbb E[x_0 \mid x_t] = \frac{x_t - \sqrt{1-\bar\alpha_t}\;\mathbb E[\epsilon \mid x_t]}{\sqrt{\bar\alpha_t}}. $$
#
# In the last row of {numref}`fig-b2-sees` the image is nearly all noise. The guess of the noise looks right there, as in the other rows. But many digits fit, and $\hat x_0$ is no 7.
#
# ## Sampling: take a little of the noise away
#
# Very many digits fit pure noise, and their mean is a cloud. So we go a short way towards it, and look again: the new image has less noise, so fewer digits fit it.

# %% mystnb={"figure": {"caption": "One step, from $t = 149$ to $t' = 99$ so that it can be seen: the image; the guess; the two mixed; and the mixture with fresh noise. Seed 0.", "name": "fig-b2-step"}, "image": {"alt": "Four squares: a digit in much noise, a clean soft digit, the digit in less noise, and the digit with noise added again."}} tags=["remove-input"]
i = len(path) // 2
t, t_prev = timesteps[i], max(timesteps[i] - 50, 0)
x0_part, x_part, z_part = torch.eye(3)  # a step is linear: one factor at a time
of_x0, of_x, of_z = schedule.step(x_part, x0_part, t, t_prev, z_part)
x_t, x0_hat = images[i][:1], guesses[i][:1]
mixed = of_x0 * x0_hat + of_x * x_t
z = unit_noise((1, 28, 28), generators([0]))
titles = [
    f"$x_{{{t}}}$",
    r"guess $\hat x_0$",
    rf"${of_x0:.2f}\,\hat x_0 + {of_x:.2f}\,x_{{{t}}}$",
    rf"$x_{{{t_prev}}}$: add ${of_z:.2f}\,z$",
]
panels = torch.cat([x_t, x0_hat, mixed, mixed + of_z * z])
grid([panels], titles=titles, size=1.75)
left = of_x**2 * (1 - schedule.at(t)) + of_z**2
assert torch.isclose(left, 1 - schedule.at(t_prev))
kept = of_x0 + of_x * schedule.at(t).sqrt()
assert torch.isclose(kept, schedule.at(t_prev).sqrt())

# %% tags=["remove-input"]
at_t = schedule.at(t)
before, stays = (1 - at_t).sqrt(), of_x * (1 - at_t).sqrt()
Markdown(
    f"A step leads from $t$ to a timestep $t'$ with less noise. It adds up three pictures, in {{numref}}`fig-b2-step` with these factors:\n\n"
    f"- **The guess** $\\hat x_0$, times $a = {of_x0:.2f}$, brings more of the digit. In $x_{{{t}}}$ the digit has the factor {at_t.sqrt():.2f}. If the guess is right, the sum has ${of_x0:.2f} + {of_x:.2f} \\cdot {at_t.sqrt():.2f} = {kept:.2f} = \\sqrt{{\\bar\\alpha_{{{t_prev}}}}}$ of it.\n"
    f"- **The image** $x_t$, times $b = {of_x:.2f}$, keeps a part of what is there. Its noise has the factor {before:.2f}, and then only ${of_x:.2f} \\cdot {before:.2f} = {stays:.2f}$.\n"
    f"- **Fresh noise** $z \\sim \\mathcal N(0, I)$, times $\\sqrt{{\\tilde\\beta}} = {of_z:.2f}$, adds what is missing: $\\sqrt{{{stays:.2f}^2 + {of_z:.2f}^2}} = {left.sqrt():.2f} = \\sqrt{{1 - \\bar\\alpha_{{{t_prev}}}}}$.\n\n"
    f"If the guess is right, $x_{{{t_prev}}}$ has what (N.1) asks for, like the images of the training. "
    "This holds for other factors, too. They may keep all of the noise and add none, or add only fresh noise:"
)

# %% tags=["remove-input"]
rows = []
a_prev, noise_prev = schedule.at(t_prev).sqrt(), 1 - schedule.at(t_prev)
for name, b in (
    ("no fresh noise (DDIM)", (noise_prev / (1 - at_t)).sqrt()),
    ("DDPM, (N.3)", of_x),
    ("only fresh noise", torch.tensor(0.0)),
):
    factors = (
        a_prev - b * at_t.sqrt(),
        b,
        (noise_prev - b**2 * (1 - at_t)).clamp(min=0).sqrt(),
    )
    rows.append([name, *(f"{factor:.2f}" for factor in factors)])
assert rows[1][1:] == [f"{factor:.2f}" for factor in (of_x0, of_x, of_z)]
table(
    rows,
    ["", "guess", "image", "fresh noise"],
    f"Three choices of factors for the step from t = {t} to {t_prev}. If the guess is right, all give the amounts of digit and noise that (N.1) asks for.",
)

# %% [markdown]
# Which is right? "Only fresh noise" throws away what $x_t$ says beyond the guess. Between the other two there is no wrong one. The noise came in step by step. If we knew the digit, Bayes' rule would say how probable each image at $t'$ is, given $x_t$. DDPM's factors draw from exactly this (the box below derives them), with the guess in place of the digit. So the first noise and the fresh noise together decide which digit comes. With DDIM {cite:p}`song2021` the first noise decides alone ([1.4](../part_a/a1_4_iterative_denoising.ipynb)).

# %% [markdown]
# $$ x_{t'} = a\,\hat x_0 + b\, x_t + \sqrt{\tilde\beta}\, z \tag{N.3} $$
#
# $$ a = \frac{\sqrt{\bar\alpha_{t'}}\,\beta}{1-\bar\alpha_t}, \qquad b = \frac{\sqrt{\alpha}\,(1-\bar\alpha_{t'})}{1-\bar\alpha_t} $$
#
# $$ \tilde\beta = \frac{1-\bar\alpha_{t'}}{1-\bar\alpha_t}\,\beta \tag{N.4} $$
#
# Here $\alpha$ and $\beta$ belong to the opposite step, from $t'$ to the noisier $t$. That step leaves the share $\alpha = \bar\alpha_t / \bar\alpha_{t'}$ of the digit's variance and adds noise of variance $\beta = 1 - \alpha$.

# %% [markdown]
# ```{admonition} Sampling (algorithm 2 of the DDPM paper)
# Draw pure noise $x_{T-1} \sim \mathcal N(0, I)$. Then, for $t = T-1, \dots, 1, 0$, go to the next timestep $t' = t - 1$:
#
# 1. Ask the network for $\epsilon_\theta(x_t, t/T)$, and get $\hat x_0$ from it by (N.2).
# 2. Draw fresh noise $z$, and get $x_{t'}$ by (N.3).
#
# The last step has $\bar\alpha_{-1} = 1$: it takes $\hat x_0$ alone and adds no noise.
# ```
#
# ```{dropdown} Where the factors come from
# Noise arrives step by step, $x_t = \sqrt\alpha\, x_{t'} + \sqrt\beta\, \epsilon'$ with new noise $\epsilon'$. If we knew $x_0$, this and (N.1) would tell by Bayes' rule how likely each $x_{t'}$ is, given $x_t$. That is a Gaussian, with the first two terms of (N.3) as its mean and $\tilde\beta$ as its variance
# (derived at the end of [1.4](../part_a/a1_4_iterative_denoising.ipynb)). For the unknown $x_0$ stands $\hat x_0$. In `Schedule.step`:
#
# ~~~{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.step
# :start-at: alpha_bar, alpha_bar_prev
# :end-before: if nu is not None
# :dedent:
# ~~~
# ```
#
# In code, `denoise(x, t).eps` is $\epsilon_\theta$, `predict_x0` is (N.2) and `step` is (N.3). The network is in eval mode: BatchNorm uses the statistics that it collected in training.


# %%
@torch.no_grad()
def draw_digits(network, timesteps, seeds):
    denoise = unet_denoiser(network, T)
    rng = generators(seeds)  # of random numbers, one for each image
    x = unit_noise((1, 28, 28), rng)
    for t, t_prev in pairwise(timesteps):  # 299, 298, ... 0, -1
        x0_hat = schedule.predict_x0(x, t, denoise(x, t).eps)
        z = unit_noise((1, 28, 28), rng)
        x = schedule.step(x, x0_hat, t, t_prev, z)
    return x


# %% mystnb={"figure": {"caption": "Samples after the epochs named on the left, seeds 0 to 9, the same for both; 300 steps.", "name": "fig-b2-samples"}, "image": {"alt": "Two rows of ten generated digits. After epoch 5 the first, the fourth, the fifth and the last two are hard to name; after epoch 20 the third, the fifth and the last."}} tags=["remove-input"]
samples = {
    "epoch 5": draw_digits(networks[min(networks)], timesteps, seeds),
    "epoch 20": images[-1],  # drawn above, with the same noise
}
grid(list(samples.values()), labels=list(samples))

# %% [markdown]
# After five epochs at least half of the digits of {numref}`fig-b2-samples` are hard to name, after twenty the third, the fifth and the last.
#
# The **Fréchet distance** {cite:p}`heusel2017` compares 1,000 samples with 5,000 test digits. Inside a classifier of digits, the judge, each image becomes 128 numbers; the distance compares their means and covariances.

# %% tags=["remove-input"]
*drawn, real = stored["rows"]
rows_of = {(row["way"], row["steps"]): row for row in drawn}
names = {
    "epoch 5": rows_of["epoch 5", 50],
    "epoch 20": rows_of["beta tilde", 50],
    "epoch 20, BatchNorm in train mode": rows_of["BatchNorm in train mode", 50],
    "other test digits": real,
}
table(
    [
        [name, f"{row['fid']:.0f} ± {jackknife(row['without_a_tenth']):.0f}"]
        for name, row in names.items()
    ],
    ["", "Fréchet distance"],
    f"{stored['images']:,} images each, seeds 0 to 999, 50 sampling steps (the figure above has 300); ± standard error. From python -m benchmarks.mnist_quality b2.",
)


# %% tags=["remove-input"]
def change(before, after):
    """How much larger the distance is after, ± the standard error of that."""
    pairs = zip(before["without_a_tenth"], after["without_a_tenth"], strict=True)
    error = jackknife([b - a for a, b in pairs])
    return f"{after['fid'] - before['fid']:+.0f} ± {error:.0f}"


Markdown(
    f"**In this run the samples are nearer to real digits after twenty epochs than after five** (the distance changes by {change(names['epoch 5'], names['epoch 20'])}; same seeds and test digits, so their errors partly cancel), "
    f"but they remain far: other test digits are at {real['fid']:.0f}."
)

# %% [markdown]
# ```{admonition} A common mistake: train mode
# When the network samples in train mode, the distance is much larger (third row). Probably that is because BatchNorm then uses the statistics of the batch, here of a hundred samples at one $t$, while in training each batch mixes timesteps from the whole range.
# ```
#
# ```{dropdown} The distance, and its error
# For means $\mu, \mu'$ and covariances $C, C'$ of the 128 numbers, the distance is $\lVert\mu-\mu'\rVert^2 + \mathrm{tr}\big(C + C' - 2\,(C C')^{1/2}\big)$.
#
# Its error is a jackknife: we leave out each tenth of the samples and of the test digits in turn.
#
# Distances in another network's features, such as the usual FID in those of Inception, cannot be compared with ours. With few images such a distance comes out too large on average, so each row of the table has equally many.
# ```
#
# ## Where it fails
#
# Not every sample is a digit. And what is lost in fewer steps? The step (N.3) may lead to any $t' < t$, so the loop can skip timesteps.


# %% mystnb={"figure": {"caption": "Samples with 300, 50 and 10 steps; with 10 steps without fresh noise (DDIM); and with 10 steps that add fresh noise of the larger variance $\\beta$ in place of $\\tilde\\beta$. Seeds 0 to 9, the same in each row; epoch 20.", "name": "fig-b2-steps"}, "image": {"alt": "Five rows of ten generated digits. Each number of steps gives mostly other digits. With 300 steps the third and the fifth are no clear digit. With 50 the third is none and the fourth is in pieces. With 10 the first, the fifth and the sixth are in pieces. With DDIM the fourth, the fifth and the seventh are faint or in pieces. In the last row digits like those of the third lie under grains of noise."}} tags=["remove-input"]
def with_beta(x_t, t):
    """The same estimate, and the larger variance: (N.5) at nu = 1."""
    eps = denoise(x_t, t).eps
    return NoiseEstimate(eps, torch.ones_like(eps))


def fewer(steps, denoise):
    times = spaced_timesteps(T, by_profile(steps, 3))
    return sample(denoise, (1, 28, 28), times, schedule, seeds=seeds)


@torch.no_grad()
def ddim(steps):
    """The guess and the noise that was guessed, mixed for t_prev; no fresh noise."""
    x = unit_noise((1, 28, 28), generators(seeds))
    for t, t_prev in pairwise(spaced_timesteps(T, by_profile(steps, 3))):
        eps = denoise(x, t).eps
        x = schedule.forward(schedule.predict_x0(x, t, eps), t_prev, eps)
    return x


denoise = unet_denoiser(network, T)
rows = {
    "300 steps": images[-1],
    "50 steps": fewer(50, denoise),
    "10 steps": fewer(10, denoise),
    "10, DDIM": ddim(10),
    "10, $\\beta$": fewer(10, with_beta),
}
grid(list(rows.values()), labels=list(rows))

# %% [markdown]
# All rows of {numref}`fig-b2-steps` begin with the same noise. The steps and their fresh noise differ, so each number of steps gives mostly other digits. In each of the first three rows some are no clear digit. How many are there in a larger set? The judge, the classifier, can count: it is **sure** of a sample if it gives one digit a probability of at least 0.9.

# %% tags=["remove-input"]
counted = json.loads((ROOT / "benchmarks/results/mnist_readable.json").read_text())
number, of = counted["images"], counted["sure"]
assert of["10 steps"] < of["50 steps"] < of["300 steps"] < of["real"]


def sure(name):
    low, high = wilson(of[name] / number, number)
    return f"{of[name] / number:.0%}", f"{low:.0%} to {high:.0%}"


table(
    [
        ["epoch 5, 50 steps", *sure("epoch 5")],
        ["epoch 20, 10 steps", *sure("10 steps")],
        ["epoch 20, 50 steps", *sure("50 steps")],
        ["epoch 20, 300 steps", *sure("300 steps")],
        ["real digits", *sure("real")],
    ],
    ["", "sure", "95 % interval"],
    f"Of how many of {number} samples the judge is sure. It can be sure of a shape that is none to us. From python -m benchmarks.mnist_readable.",
)

# %% [markdown]
# So even with 300 steps about one sample in eight is no clear digit to the judge, and with 10 steps one in five. From 5 to 20 epochs the share grew more than from 10 steps to 300.
#
# For {numref}`fig-b2-fid` we drew a thousand for each number. Their **spread** is the standard deviation of each pixel over the samples, averaged over the pixels.

# %% mystnb={"figure": {"caption": "Samples against the number of steps, with fresh noise of variance $\\tilde\\beta$, of variance $\\beta$, and with none. Left: Fréchet distance, bars: ± two standard errors; an arrow marks a point above the plot. Right: spread. Dashed: real digits. $\\beta$ at 10, 50 and 300 steps, DDIM at 10, 25 and 50 only. Seeds 0 to 999, epoch 20. From `python -m benchmarks.mnist_quality b2`.", "name": "fig-b2-fid"}, "image": {"alt": "Two panels against the number of steps. Left: with beta tilde the distance falls a little from 10 steps to 300, far above the dashed line; with beta it is nearly the same at 50 and 300 steps and far above the plot at 10; with DDIM it is higher, about 300, and falls a little to 50. Right: with beta tilde the spread rises from 10 steps to 100, below the dashed line; with beta it falls from above that line to the same end; with DDIM it is lowest."}} tags=["remove-input"]
fig, (left, right) = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
ways = {"beta tilde": r"$\tilde\beta$", "beta": r"$\beta$", "DDIM": "none (DDIM)"}
for way, label in ways.items():
    rows = [row for row in drawn if row["way"] == way]
    steps = [row["steps"] for row in rows]
    middles = [row["fid"] for row in rows]
    bars = [2 * jackknife(row["without_a_tenth"]) for row in rows]
    left.errorbar(steps, middles, bars, fmt="o-", capsize=3, label=label)
    right.plot(steps, [row["spread"] for row in rows], "o-", label=label)
for ax, name in (left, "fid"), (right, "spread"):
    ax.axhline(real[name], ls="--", color="grey")
    ax.set(xscale="log", xlabel="sampling steps")
    ax.set_xticks([10, 25, 50, 100, 300], [10, 25, 50, 100, 300])
    ax.minorticks_off()
top = 360  # one of beta's is far above
highest = max(row["fid"] for row in drawn if row["way"] == "beta")
left.annotate(f"↑ {highest:,.0f}", (10, top), (10.5, 0.93 * top), color="C1")
left.set(ylabel="Fréchet distance", ylim=(0, top))
right.set(ylabel="spread", ylim=(0.14, 0.21))
left.legend()
plt.show()

# %% tags=["remove-input"]
many, ten = (rows_of["beta tilde", steps] for steps in (300, 10))
Markdown(
    f"**The distance (left) says the same:** it is {ten['fid']:.0f} for 10 steps with $\\tilde\\beta$ and {many['fid']:.0f} for 300 (a difference of {change(many, ten)}). "
    f"Fewer steps seem to cost something, but the number of steps is not what keeps the samples far from real digits ({real['fid']:.0f}). [What limits B2](b2_limits.ipynb) makes them better by other means.\n\n"
    f"**But with 10 steps the spread is smaller (right):** {ten['spread']:.3f}. With 300 it is {many['spread']:.3f}, and real digits have {real['spread']:.3f}.\n\n"
    "One reason is that the guess is at best a mean. An exact step would draw one of the digits that fit, by their weights, and use it as $\\hat x_0$. With an ideal network (N.3) takes their mean, and so loses how they differ. "
    "In steps of one timestep little is lost, in long ones more, even where every guess is exactly the mean (first box below).\n\n"
    "How much of our digits' lost spread comes from this is open, and so is why even 300 steps have too little."
)

# %% [markdown]
# The DDPM paper also names the larger variance $\beta$ (orange). With 10 steps it is too large: grains of noise stay (last row of {numref}`fig-b2-steps`), and they count as spread too.

# %% tags=["remove-input"]
without = {row["steps"]: row for row in drawn if row["way"] == "DDIM"}
assert all(
    row["fid"] > rows_of["beta tilde", steps]["fid"] for steps, row in without.items()
)
Markdown(
    f"**Without fresh noise (DDIM, green) the samples are farther from real digits than with $\\tilde\\beta$:** {without[10]['fid']:.0f} for 10 steps, {without[50]['fid']:.0f} for 50. "
    "So from pure noise, fresh noise helps. The start is a reason: at $t = 299$ there should be something left of a digit. With a start that has it, 10 steps of DDIM come as near as 10 of DDPM ([What limits B2](b2_limits.ipynb))."
)

# %% mystnb={"code_prompt_show": "The spread where every guess is exactly the mean"} tags=["remove-input", "hide-output"]
longer = Schedule.linear(1e-4, 0.02, T=1000)
mean, std = 0.3, 0.5


def exact(x_t, t):
    """The mean of the noise behind x_t, where each pixel of x_0 is from N(mean, std^2)."""
    alpha_bar = longer.at(t, x_t)
    share = (1 - alpha_bar).sqrt() / (alpha_bar * std**2 + 1 - alpha_bar)
    return NoiseEstimate(share * (x_t - alpha_bar.sqrt() * mean))


rows = [["the data", f"{std:.3f}"]]
for stride, times in (1, range(999, -2, -1)), (30, strided_timesteps(990, 30)):
    square = (1, *by_profile((300, 300), (30, 30)))
    pixels = sample(exact, square, times, longer, seeds=[0])
    error = pixels.std() / (2 * pixels.numel()) ** 0.5
    name = f"samples, steps of {stride} timestep" + "s" * (stride > 1)
    rows.append([name, f"{pixels.std():.3f} ± {error:.3f}"])
table(
    rows,
    ["", "spread of the pixels"],
    "The data are pixels from N(0.3, 0.5²), each drawn on its own. "
    f"β from 0.0001 to 0.02, as on this page, but over T = 1000 timesteps; fresh noise of variance β̃; {pixels.numel():,} pixels, seed 0; ± standard error.",
)

# %% mystnb={"code_prompt_show": "What is missing in the variance, and a test"} tags=["remove-input", "hide-output"]
test = stored["total_variance"]
growth = test["total variance"] - test["beta tilde"]
share = growth / (many["spread"] - ten["spread"])
known = [[row[name] for row in stored["errors"]] for name in ("t", "digit")]


def variances(t, t_prev):
    """The variance beta of a step, and the total variance with the error of the digit in it."""
    a, _, z = schedule.step(x_part, x0_part, t, t_prev, z_part)
    beta = 1 - schedule.at(t) / schedule.at(t_prev)
    return f"{beta:.3f}", f"{z**2 + a**2 * np.interp(t, *known):.3f}"


ten_times = spaced_timesteps(T, 10)
middle, (last, end) = ten_times[3:5], ten_times[-3:-1]  # end: the last it is told
assert end == 0
told = (1 - schedule.at(end)).sqrt()
added = (1 - schedule.at(last) / schedule.at(end)).sqrt()
(much, enough), (too_much, little) = variances(*middle), variances(last, end)
Markdown(
    r"""
For a given $x_t$, two variances add up to that of the exact $x_{t'}$ (law of total variance {cite:p}`bao2022`):

$$ \mathrm{Var}[x_{t'} \mid x_t] = \tilde\beta + a^2\, \mathrm{Var}[x_0 \mid x_t]. $$

- The first is the variance when $x_0$ is known, and that of the fresh noise.
- The second comes from the several $x_0$ that fit. (N.3) leaves it out.

**A test.** In the place of $\mathrm{Var}[x_0 \mid x_t]$ we took the error of the digit from the table of timesteps, the same for all pixels."""
    f" The spread of {test['images']} samples with {test['steps']} steps then grows from {test['beta tilde']:.3f} to {test['total variance']:.3f} "
    f"({growth:+.4f} ± {test['standard_error']:.4f}, the same seeds). So this variance brings back about {share:.0%} of what is lost between 300 steps and 10. "
    "A part of that may be grains: we added the variance to each pixel on its own. Probably it lies at the strokes, and neighbours share it.\n\n"
    "**Why $\\beta$ is too large.** The sum is $\\beta$ if the digits are noise as well, $x_0 \\sim \\mathcal N(0, I)$: then $\\mathrm{Var}[x_0 \\mid x_t] = 1 - \\bar\\alpha_t$. For our digits the sum is smaller. With 10 steps:\n\n"
    f"- From $t = {middle[0]}$ to {middle[1]}, $\\beta = {much}$ and the sum is {enough}.\n"
    f"- From {last} to {end}, $\\beta = {too_much}$ and the sum is {little}. There $\\beta$ adds noise with the factor {added:.2f}. "
    f"At $t = {end}$ the network expects {told:.2f} by (N.1), so it takes only a little of the noise away, and grains stay."
)

# %% [markdown]
# ## Try it
#
# 1. **Hurry.** Five steps in place of 300. How many of the ten can still be read? Add a cell:
#    ```python
#    grid([draw_digits(network, spaced_timesteps(T, 5), seeds)])
#    ```
# 2. **Leave out the fresh noise.** In `draw_digits`, write `z = 0 * unit_noise((1, 28, 28), rng)`. Run this cell again, and then that of {numref}`fig-b2-samples`.
#
# ```{dropdown} What we got
# 1. About six. The fourth and the fifth are faint and in pieces.
# 2. All squares of epoch 5 turn black (those of epoch 20 were drawn before): less noise is left than (N.1) asks for. Probably the network then takes strokes for noise and removes them. DDIM {cite:p}`song2021` adds none either, but has other factors ([1.4](../part_a/a1_4_iterative_denoising.ipynb)).
# ```
#
# Next: [What limits B2](b2_limits.ipynb) makes such samples better.
