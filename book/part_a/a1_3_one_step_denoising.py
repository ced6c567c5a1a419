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
# How much better is a denoiser that has seen images? The pretrained network looks at $x_t$ and says which noise is in it:
# its answer is called $\epsilon_\theta(x_t, t)$. From the noise follows an estimate of the clean image, $\hat x_0$, in one step.

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

from diffusion_utils.metrics import psnr, ssim
from diffusion_utils.pictures import shipped_image
from diffusion_utils.sampling import generators, unit_noise
from diffusion_utils.show import grid, unit_range
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import low_pass

model = load_pretrained()
schedule = model.schedule
levels = [250, 500, 750]
images = torch.stack(
    [shipped_image(n) for n in ("sailboat", "mushroom", "cactus", "photograph-cat")]
)
photo = model.denoiser("a high quality photo")

# %% [markdown]
# The prompt "a high quality photo" means "any picture": in one of twenty of Emoji-64's training examples this phrase, or one like it, stood in place of
# the drawing's name. Solving (N.1) for $x_0$,
#
# $$ \hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\,\epsilon_\theta(x_t, t)}{\sqrt{\bar\alpha_t}}. \tag{N.2} $$
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

# %% mystnb={"figure": {"caption": "The test image with the noise of seed 0 (above) and the clean image that the network sees in it in one step (below), at $t = 250, 500, 750$. Prompt: \"a high quality photo\".", "name": "fig-a13-one-step"}, "image": {"alt": "The original sailboat; noisy versions at three levels; and the network's estimates, which get softer and less faithful as noise grows."}} tags=["hide-input"]
x_0 = images[:1]
grid(
    [
        unit_range(torch.cat([x_0, *noisy])),
        unit_range(torch.cat([torch.ones_like(x_0), *estimates])),
    ],
    titles=["$x_0$", *(f"$t={t}$" for t in levels)],
    labels=["noisy", r"$\hat x_0$"],
    size=1.6,
)

# %% [markdown]
# The outlines of {numref}`fig-a13-one-step` are those of the original where the noise left them visible; what it hid comes back as a soft average.
#
# Numbers for four pictures with two seeds each, beside the best of the blurs of [1.2](a1_2_classical_denoising.ipynb), chosen with the clean pictures at hand:

# %%
clean = images.repeat_interleave(2, 0)
noise = unit_noise(model.shape, generators([0, 1] * len(images)))
noisy = {t: schedule.forward(clean, t, noise) for t in levels}


def best_blur(x_t, t):
    """The width of the best blur, and what it makes of x_t."""
    blurs = {w: low_pass(w)(x_t / schedule.at(t).sqrt()) for w in [0.5, 1, 2, 3, 4, 6]}
    return max(
        blurs.items(), key=lambda b: psnr(b[1].clamp(-1, 1), clean, peak=2).mean()
    )


estimates = {t: one_step(x_t, t).clamp(-1, 1) for t, x_t in noisy.items()}
blurred = {}
for t, x_t in noisy.items():
    width, blur = best_blur(x_t, t)
    blurred[t] = blur.clamp(-1, 1)
    candidates = {"one step": estimates[t], f"blur {width}": blurred[t]}
    for name, estimate in candidates.items():
        p, s = psnr(estimate, clean, peak=2), ssim(estimate, clean, peak=2)
        print(
            f"t = {t}, {name:>9}: PSNR {p.mean():4.1f} dB (standard deviation {p.std():.1f}), "
            f"SSIM {s.mean():.2f} ({s.std():.2f})"
        )

# %% [markdown]
# ## Where it fails
#
# Many clean images fit the same $x_t$ at $t = 750$. The training loss rewards the average of them all, so an ideal network answers with that average, and an
# average of many pictures is a blur. The photograph shows another limit: nothing like it was among the drawings that the network has seen. What the
# network gains over the best blur, for each picture:

# %%
gain = psnr(estimates[500], clean, peak=2) - psnr(blurred[500], clean, peak=2)
for name, (a, b) in zip(
    ["sailboat", "mushroom", "cactus", "photograph"], gain.view(4, 2), strict=True
):
    print(f"t = 500, {name}: {a:+.1f} and {b:+.1f} dB for seeds 0 and 1")

# %% mystnb={"figure": {"caption": "The photograph at $t = 500$, seed 0: original, noisy, one step, best blur.", "name": "fig-a13-photograph"}, "image": {"alt": "A cat's face; the same under noise; two soft versions of it, by the network and by the blur."}} tags=["hide-input"]
grid(
    [
        unit_range(
            torch.cat(
                [
                    x[6:7]
                    for x in (clean, *(at[500] for at in (noisy, estimates, blurred)))
                ]
            )
        )
    ],
    titles=["original", "$t=500$", "one step", "blur"],
    size=1.6,
)

# %% [markdown]
# One step has to average; [1.4](a1_4_iterative_denoising.ipynb) takes many, and can choose.
