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
# # 1.3 One-step denoising
#
# How much better is a denoiser that has seen images? The pretrained network looks at $x_t$ and says which noise is in it.
# From the noise follows the clean image, in one step.

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
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import grid, unit_range
from diffusion_utils.views import low_pass

model = load_pretrained()
schedule = model.schedule
levels = [250, 500, 750]
images = torch.stack(
    [shipped_image(n) for n in ("sailboat", "mushroom", "cactus", "photograph-cat")]
)
photo = model.denoiser("a high quality photo")

# %% [markdown]
# The prompt "a high quality photo" means "any picture": the model was trained with it on all kinds of pictures. Solving (N.1) for $x_0$,
#
# $$ \hat x_0 = \frac{x_t - \sqrt{1-\abar_t}\,\epsilon_\theta(x_t, t)}{\sqrt{\abar_t}}. \tag{N.2} $$
#
# ```{literalinclude} ../../diffusion_utils/schedule.py
# :pyobject: Schedule.predict_x0
# ```


# %%
def one_step(x_t, t):
    with torch.no_grad():
        return schedule.predict_x0(x_t, t, photo(x_t.to(model.device), t).eps.to(x_t))


eps = unit_noise(model.shape, generators([0]))
noisy = [schedule.forward(images[:1], t, eps) for t in levels]
estimates = [one_step(x_t, t) for x_t, t in zip(noisy, levels, strict=True)]

# %% mystnb={"figure": {"caption": "The test image with the noise of seed 0 (above) and the clean image that the network sees in it in one step (below). Prompt: \"a high quality photo\".", "name": "fig-a13-one-step"}, "image": {"alt": "The original sailboat; noisy versions at three levels; and the network's estimates, which get softer and less faithful as noise grows."}} tags=["hide-input"]
x_0 = images[:1]
grid(
    [unit_range(torch.cat([x_0, *noisy])), unit_range(torch.cat([x_0, *estimates]))],
    titles=["$x_0$", *(f"$t={t}$" for t in levels)],
    labels=["noisy", r"$\hat x_0$"],
    size=1.6,
)

# %% [markdown]
# Numbers for four pictures with two seeds each, beside the best blur of [1.2](a1_2_classical_denoising.ipynb) (the widths that won there).
# SSIM compares structure instead of values, and is 1 for equal images {cite:p}`wang2004`.

# %%
clean = images.repeat_interleave(2, 0)
noise = unit_noise(model.shape, generators([0, 1] * len(images)))
for t, width in zip(levels, [1, 2, 4], strict=True):
    x_t = schedule.forward(clean, t, noise)
    candidates = {
        "one step": one_step(x_t, t),
        f"blur {width}": low_pass(width)(x_t / schedule.at(t).sqrt()),
    }
    for name, estimate in candidates.items():
        p, s = (
            psnr(estimate.clamp(-1, 1), clean, peak=2),
            ssim(estimate.clamp(-1, 1), clean, peak=2),
        )
        print(
            f"t = {t}, {name:>9}: PSNR {p.mean():4.1f} dB (standard deviation {p.std():.1f}), "
            f"SSIM {s.mean():.2f} ({s.std():.2f})"
        )

# %% [markdown]
# The model shipped with the book is small, and its training goes on; the numbers above are those of the weights at hand. Where the network
# wins, it is because it keeps edges where it expects them.
#
# ## Where it fails
#
# The network is asked for the noise that is right on average. Many clean images fit the same $x_t$ at $t = 750$; the average of
# them all is a blur, and that average is what it answers. The photograph shows the other limit: nothing like it was
# among the drawings that the network has seen.

# %%
for name, row in zip(
    ["sailboat", "mushroom", "cactus", "photograph"], range(0, 8, 2), strict=True
):
    x_t = schedule.forward(clean[row : row + 2], 500, noise[row : row + 2])
    score = psnr(one_step(x_t, 500).clamp(-1, 1), clean[row : row + 2], peak=2)
    print(f"t = 500, {name}: PSNR {score.mean():.1f} dB")

# %% [markdown]
# One step cannot choose. [1.4](a1_4_iterative_denoising.ipynb) takes many.
