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
# # 1.4 Iterative denoising
#
# One step answers with an average. What if we take only a small step towards it, look again, and repeat?

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
import torch

from diffusion_utils.data import shipped_image
from diffusion_utils.metrics import psnr, ssim
from diffusion_utils.pretrained import load_pretrained
from diffusion_utils.profile import by_profile
from diffusion_utils.recipes import denoise_from, noised
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.show import animation, grid, unit_range
from diffusion_utils.views import low_pass

model = load_pretrained()
schedule = model.schedule
photo = model.denoiser("a high quality photo")
timesteps = by_profile(
    full=strided_timesteps(990, 30), fast=strided_timesteps(990, 110)
)
i_start = by_profile(full=10, fast=3)
print(f"{timesteps[:3]} .. {timesteps[-2:]}, start at t = {timesteps[i_start]}")

# %% [markdown]
# The step from $t$ to the next timestep $t'$ of the list mixes the estimate of the clean image with the noisy image, and puts a
# little new noise back {cite:p}`ho2020`. With $\alpha = \abar_t / \abar_{t'}$ and $\beta = 1 - \alpha$:
#
# $$ x_{t'} = \frac{\sqrt{\abar_{t'}}\,\beta}{1-\abar_t}\,\hat x_0 + \frac{\sqrt{\alpha}\,(1-\abar_{t'})}{1-\abar_t}\, x_t + \sigma z \tag{N.3} $$
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.step
# :start-at: alpha_bar,
# ```
#
# The loop around it is the only one in this book:
#
# ```{literalinclude} ../../diffusion_utils/sampling.py
# :pyobject: trajectory
# :start-at: for t, t_prev
# ```

# %%
x_0 = shipped_image("sailboat")[None]
x_start, _ = noised(model, x_0, i_start, [0], timesteps)
steps = list(denoise_from(model, photo, x_0, i_start, [0], timesteps))
every = [step for step in steps if (timesteps.index(step.t) - i_start) % 5 == 0]

# %% mystnb={"figure": {"caption": "Denoising the test image from $t = 690$: $x_t$ after every fifth step (above) and the clean image seen from it (below). Seed 0, \"a high quality photo\".", "name": "fig-a14-steps"}, "image": {"alt": "Above, a noisy sailboat becomes a picture from left to right; below, a soft estimate sharpens."}} tags=["hide-input"]
with torch.no_grad():
    first = schedule.predict_x0(
        x_start, timesteps[i_start], photo(x_start, timesteps[i_start]).eps
    )
grid(
    [
        unit_range(torch.cat([x_start, *(s.x for s in every)])),
        unit_range(torch.cat([first, *(s.x0_hat for s in every)])),
    ],
    titles=[f"$t={t}$" for t in [timesteps[i_start], *(s.t for s in every)]],
    labels=["$x_t$", r"$\hat x_0$"],
    size=1.3,
)

# %% mystnb={"figure": {"caption": "The same, step by step. Left: $x_t$; right: $\\hat x_0$.", "name": "fig-a14-animation"}} tags=["hide-input"]
animation(
    [unit_range(torch.cat([step.x, step.x0_hat], 3)) for step in steps],
    alt="Left, noise fades from a picture; right, the estimate of the clean picture sharpens.",
    captions=[f"t = {step.t}" for step in steps],
)

# %% mystnb={"figure": {"caption": "From the same noisy image ($t = 690$, seed 0): denoised iteratively, in one step, and with a Gaussian blur of width 3.", "name": "fig-a14-compare"}, "image": {"alt": "Four pictures: the original sailboat; the iterative result, with crisp edges; the one-step result, softer; the blur, softest."}} tags=["hide-input"]
blur = low_pass(3)(x_start / schedule.at(timesteps[i_start]).sqrt())
grid(
    [unit_range(torch.cat([x_0, steps[-1].x, first, blur]))],
    titles=["original", "iterative", "one step", "blur"],
    size=1.7,
)

# %% [markdown]
# ## Closer, or only sharper?
#
# Three pictures, two seeds each, from $t = 690$. Sharpness is the mean absolute difference of neighbouring pixels, as a share of the
# original's.

# %%
clean = torch.stack(
    [shipped_image(n) for n in ("sailboat", "mushroom", "cactus")]
).repeat_interleave(2, 0)
seeds = [0, 1] * 3
x_t, _ = noised(model, clean, i_start, seeds, timesteps)
*_, end = denoise_from(model, photo, clean, i_start, seeds, timesteps)
with torch.no_grad():
    single = schedule.predict_x0(
        x_t, timesteps[i_start], photo(x_t, timesteps[i_start]).eps
    )
blurred = low_pass(3)(x_t / schedule.at(timesteps[i_start]).sqrt())


def sharpness(x):
    return x.diff(dim=-1).abs().mean((1, 2, 3)) + x.diff(dim=-2).abs().mean((1, 2, 3))


for name, estimate in {"iterative": end.x, "one step": single, "blur": blurred}.items():
    estimate = estimate.clamp(-1, 1)
    p, s = psnr(estimate, clean, peak=2), ssim(estimate, clean, peak=2)
    sharp = sharpness(estimate) / sharpness(clean)
    print(
        f"{name:>9}: PSNR {p.mean():4.1f} dB ({p.std():.1f}), SSIM {s.mean():.2f} ({s.std():.2f}), "
        f"sharpness {sharp.mean():.2f} ({sharp.std():.2f})"
    )

# %% [markdown]
# The iterative result need not be closer to the original: in mean squared error nothing beats the average, which is what one step gives. What
# the loop gains is that it commits to one of the possible pictures, so it has edges, and not the mean of many edges.
#
# ## Where it fails
#
# At $t = 690$ the image is half gone, and the model fills in what it thinks likely. That is not the original, and nothing in the loop
# says how much was made up. Compare two seeds: what they agree on was in the image, what they differ in was not.

# %% mystnb={"figure": {"caption": "The same picture, noised and denoised from $t = 690$ with seeds 0 and 1, and where the two results differ (brighter is more).", "name": "fig-a14-seeds"}, "image": {"alt": "Two similar sailboats that differ in detail, and a map of their differences, bright along edges and in the water."}} tags=["hide-input"]
difference = (end.x[:1] - end.x[1:2]).abs().mean(1, keepdim=True).expand(-1, 3, -1, -1)
grid(
    [torch.cat([unit_range(end.x[:2]), difference.clamp(0, 1)])],
    titles=["seed 0", "seed 1", "difference"],
    size=1.7,
)
