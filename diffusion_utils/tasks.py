"""The coursework's named tasks, each a few lines around the one loop."""

import math
from numbers import Integral

import torch

from diffusion_utils.denoisers import averaged, blended, guided, viewed
from diffusion_utils.sampling import (
    check_timesteps,
    generators,
    keep_outside,
    last,
    resampled,
    sample,
    trajectory,
    unit_noise,
)
from diffusion_utils.schedule import strided_timesteps
from diffusion_utils.views import FLIP, bands, mixed

TIMESTEPS = strided_timesteps(990, 30)  # 990, 960, .., 0
MERGE = 26  # where `hybrid_image` begins in them: t = 210


def prompted(model, prompts, gamma=7.0):
    """The guided denoiser of a prompt, or of a list of prompts, one for each image.

    Raises:
        ValueError: a prompt is empty or no text, or gamma is not finite.
    """
    conditional = model.denoiser(checked(prompts))
    return guided(conditional, model.denoiser(""), finite(gamma))


def generate(model, denoise, seeds, timesteps=TIMESTEPS):
    """Images from pure noise, one for each seed -> (B, 3, 64, 64).

    >>> from diffusion_utils.text_to_image import load_pretrained
    >>> model = load_pretrained("emoji64")
    >>> denoiser = prompted(model, "a rocket ship")
    >>> generate(model, denoiser, seeds=[0, 1], timesteps=[990, 500, 0]).shape
    torch.Size([2, 3, 64, 64])
    """
    return sample(denoise, model.shape, timesteps, model.schedule, seeds=seeds, device=model.device)


def enlarged(model, images, prompts, seeds):
    """The optional last step: images (B, 3, 64, 64) drawn larger, where the model has a second stage.

    Other models return them as they are; the shipped one does.
    """
    if model.upsample is None:
        return images
    return model.upsample(images.clamp(-1, 1), prompts, seeds)


def noised(model, image, i_start, seeds, timesteps=TIMESTEPS):
    """The image at timesteps[i_start], once for each seed, and the generators that go on from there.

    Args:
        image: (3, 64, 64), or one for each seed (B, 3, 64, 64), in [-1, 1].

    Raises:
        ValueError: wrong type, shape, range or number of seeds, wrong timesteps, or i_start is not a
            whole number before the last of them.
    """
    rng = generators(seeds)
    check_image(model, image, seeds)
    check_timesteps(timesteps)
    check_whole("i_start", i_start, 0, len(timesteps) - 2)
    eps = unit_noise(model.shape, rng).to(model.device)
    x_0 = image.to(model.device).expand_as(eps)
    return model.schedule.forward(x_0, timesteps[i_start], eps), rng


def denoise_from(model, denoise, image, i_start, seeds, timesteps=TIMESTEPS):
    """Noise an image to timesteps[i_start] and denoise it step by step: yields each `Step`."""
    x_t, rng = noised(model, image, i_start, seeds, timesteps)
    later = timesteps[i_start:]
    return trajectory(denoise, x_t, later, model.schedule, generators=rng)


def sdedit(model, denoise, image, i_start, seeds, timesteps=TIMESTEPS):
    """Image to image: keep what is left of an image at timesteps[i_start], invent the rest.

    Source: Meng et al. 2022, https://arxiv.org/abs/2108.01073, algorithm 1.
    """
    return last(denoise_from(model, denoise, image, i_start, seeds, timesteps))


def inpaint(model, denoise, image, mask, seeds, times=1, timesteps=TIMESTEPS):
    """New content where mask is 1, the image elsewhere; each step is taken `times` times.

    Args:
        image: as for `noised`.
        mask: as for `sampling.keep_outside`.

    Raises:
        ValueError: as `noised`; or mask is not 0 and 1, or of another size or number than the
            images; or times is not a whole number from 1 on.

    Source: Lugmayr et al. 2022, https://arxiv.org/abs/2201.09865, algorithm 1.
    """
    rng = generators(seeds)
    check_image(model, image, seeds)
    check_timesteps(timesteps)
    check_whole("times", times, 1)
    x_T = unit_noise(model.shape, rng).to(model.device)
    outside = image.to(model.device).expand_as(x_T)
    check_mask(mask, outside)
    constrain = keep_outside(mask, outside, model.schedule, rng)
    steps = trajectory(
        denoise,
        x_T,
        resampled(timesteps, times),
        model.schedule,
        generators=rng,
        constrain=constrain,
    )
    return last(steps)


def visual_anagram(model, prompts, views=(FLIP,), gamma=7.0):
    """The denoiser of a picture that shows the first prompt as it is, the others in their views.

    Raises:
        ValueError: prompts is not a list of one more than views.
    """
    check_list(prompts, views, "views")
    first, *others = [prompted(model, prompt, gamma) for prompt in prompts]
    seen = [viewed(d, view) for d, view in zip(others, views, strict=True)]
    return averaged(first, *seen)


def hybrid(model, prompts, sigmas=(2.0,), gamma=7.0):
    """The denoiser of a picture that shows the first prompt from afar and the last from close by.

    Raises:
        ValueError: prompts is not a list of one more than sigmas.
    """
    check_list(prompts, sigmas, "blurs")
    parts = [model.denoiser(checked(prompt)) for prompt in prompts]
    # the bands add up to 1, so guiding their blend is blending what is guided, for fewer estimates
    blend = blended(parts, bands(*sigmas))
    return guided(blend, model.denoiser(""), finite(gamma))


def hybrid_image(
    model, prompts, seeds, sigmas=(2.0,), gamma=7.0, i_start=MERGE, timesteps=TIMESTEPS
):
    """Hybrid images: draw each prompt alone, mix their bands, and let `hybrid` merge the mixture.

    Args:
        prompts: from afar to close by; each may be a list with a prompt for each seed.
        i_start: the mixture is noised to timesteps[i_start], and denoised from there.

    Raises:
        ValueError: as `hybrid` and `noised`.
    """
    denoise = hybrid(model, prompts, sigmas, gamma)
    alone = [generate(model, prompted(model, one, gamma), seeds, timesteps) for one in prompts]
    return sdedit(model, denoise, mixed(alone, *sigmas), i_start, seeds, timesteps)


def finite(gamma):
    """The same guidance scale; an error if it is infinite or not a number."""
    if not math.isfinite(gamma):
        raise ValueError(f"gamma must be a finite number, got {gamma}")
    return gamma


def checked(prompts):
    """The same prompt, or list of them; an error if one is empty."""
    for prompt in prompts if isinstance(prompts, list | tuple) else [prompts]:
        if not str(prompt).strip():
            raise ValueError("the prompt is empty; guidance needs a text to go towards")
    return prompts


def check_list(prompts, ways, names):
    """Raises a ValueError if prompts is not a list of one prompt more than there are ways to look."""
    if not isinstance(prompts, list | tuple) or len(prompts) != len(ways) + 1:
        raise ValueError(
            f"give a list of one prompt more than {names}, got {prompts!r} for {len(ways)} {names}"
        )


def check_image(model, image, seeds):
    """Raises a ValueError if the image is of a wrong type, shape or range, or none for each seed."""
    if not torch.is_tensor(image) or not image.is_floating_point():
        raise ValueError("image must be floats; load it with `pictures.load_image`")
    if tuple(image.shape[-3:]) != tuple(model.shape) or image.ndim not in (3, 4):
        raise ValueError(f"image must be {model.shape}, got {tuple(image.shape)}")
    if image.ndim == 4 and len(image) != len(seeds):
        raise ValueError(f"{len(image)} images need as many seeds, got {len(seeds)}")
    if not (image.abs() <= 1).all():  # NaN is refused too
        raise ValueError("image must be in [-1, 1]; load it with `pictures.load_image`")


def check_mask(mask, image):
    """Raises a ValueError if the mask is not 0 and 1, or does not fit the images (B, C, H, W)."""
    if not ((mask == 0) | (mask == 1)).all():
        raise ValueError("mask must be 0 and 1, with 1 for new content")
    if mask.ndim > 4 or mask.shape[-3:] != (1, *image.shape[-2:]):
        raise ValueError(
            f"mask must be (1, H, W) or (B, 1, H, W) with the image's {tuple(image.shape[-2:])}, "
            f"got {tuple(mask.shape)}"
        )
    if mask.ndim == 4 and len(mask) != len(image):
        raise ValueError(f"{len(mask)} masks for {len(image)} images")


def check_whole(name, number, first, last=math.inf):
    """Raises a ValueError if a number is not a whole one in first .. last."""
    if not isinstance(number, Integral) or not first <= number <= last:
        where = f"from {first} on" if last == math.inf else f"in {first} .. {last}"
        raise ValueError(f"{name} must be a whole number {where}, got {number}")
