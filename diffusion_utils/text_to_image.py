"""The border to pretrained text-to-image models: each becomes a schedule and denoisers."""

import os
from importlib import import_module

import torch

from diffusion_utils.denoisers import Conditional


class TextToImage:
    """A text-to-image model as the chapters use it.

    Attributes:
        schedule: the `Schedule` it was trained with, T = 1000.
        shape: (3, 64, 64), its images, in [-1, 1].
        device: where x_t must be.
        upsample: (images, prompts, seeds) -> larger images, see `deepfloyd.stage_2`;
            None if the model has no second stage.

    Args:
        network: `(x_t, t, *condition) -> NoiseEstimate`.
        encode: one prompt -> its condition, a tuple of tensors (1, ...).
    """

    shape = (3, 64, 64)
    upsample = None

    def __init__(self, network, encode, schedule, device="cpu"):
        self.network, self.encode = network, encode
        self.schedule, self.device = schedule, device
        self.conditions = {}

    def condition(self, prompt):
        """The condition of one prompt; each prompt is encoded once."""
        if not isinstance(prompt, str):
            raise ValueError(f"a prompt is a text, got {prompt!r}")
        if prompt not in self.conditions:
            self.conditions[prompt] = self.encode(prompt)
        return self.conditions[prompt]

    def denoiser(self, prompts):
        """The denoiser for one prompt, or for a list of prompts, one for each image of a batch.

        The empty prompt "" is the unconditional one.

        Raises:
            ValueError: a prompt is not a text, or the list is empty.
        """
        if isinstance(prompts, str):
            return Conditional(self.network, *self.condition(prompts))
        if not isinstance(prompts, list | tuple) or not prompts:
            raise ValueError(f"give a text, or one for each image, got {prompts!r}")
        parts = zip(*map(self.condition, prompts), strict=True)
        stacked = [torch.cat(part) for part in parts]
        return Conditional(self.network, *stacked)


# where each model's `load(device)` is; imported when it is asked for
MODULES = {
    "emoji64": "diffusion_utils.emoji64.model",
    "deepfloyd": "diffusion_utils.deepfloyd.model",
}


def load_pretrained(name=None, device=None):
    """Load a pretrained model -> `TextToImage`.

    Args:
        name: "emoji64", which ships with the book, or "deepfloyd"; the default is the environment
            variable DIFFUSION_MODEL, or "emoji64".
        device: the default is the GPU if torch finds one (CUDA), or the CPU.

    Raises:
        ValueError: unknown name, or altered weights.
        FileNotFoundError: a file of the model is missing.
        OSError, RuntimeError: DeepFloyd IF cannot be fetched, or there is no GPU or too little memory.
    """
    name = name or os.environ.get("DIFFUSION_MODEL", "emoji64")
    if name not in MODULES:
        raise ValueError(f"unknown model {name!r}; there are {', '.join(MODULES)}")
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return import_module(MODULES[name]).load(str(device))
