"""Emoji-64 as it ships in models/emoji64: each part loads with its library's from_pretrained."""

from contextlib import redirect_stdout
from pathlib import Path

import torch

from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.emoji64.network import EmojiUNet
from diffusion_utils.emoji64.text import TextEncoder
from diffusion_utils.files import ROOT, check, recorded
from diffusion_utils.schedule import Schedule
from diffusion_utils.text_to_image import TextToImage

FOLDER = ROOT / "models" / "emoji64"
WEIGHTS = FOLDER / "unet" / "model.safetensors"


class VelocityNetwork:
    """An `EmojiUNet` as a network of `TextToImage`: (x_t, t, *condition) -> NoiseEstimate."""

    def __init__(self, unet, schedule):
        self.unet, self.schedule = unet, schedule

    @torch.no_grad()
    def __call__(self, x_t, t, tokens, mask, pooled):
        times = torch.full((len(x_t),), t, device=x_t.device)
        x = x_t.contiguous(memory_format=torch.channels_last)
        v = self.unet(x, times, tokens, mask, pooled)
        return NoiseEstimate(self.schedule.noise_from_velocity(x_t, t, v))


def text_to_image(unet, encoder, device="cpu"):
    """A U-Net and its text encoder as a `TextToImage`."""
    schedule = Schedule.cosine()

    def encode(prompt):
        return tuple(part.to(device) for part in encoder([prompt]))

    unet = unet.to(device, memory_format=torch.channels_last).eval()
    return TextToImage(VelocityNetwork(unet, schedule), encode, schedule, device)


def load(device="cpu", folder=FOLDER):
    """Load the shipped Emoji-64 -> `TextToImage`.

    Raises:
        FileNotFoundError: a part is missing.
        ValueError: the weights are not the recorded ones, or not of this network.
    """
    folder = Path(folder)
    for name, sha256 in recorded(folder).items():
        check(folder / name, sha256)
    try:
        with redirect_stdout(None):  # huggingface_hub reports there, into the page
            unet = EmojiUNet.from_pretrained(folder / "unet", strict=True).float()
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"{folder / 'unet'} does not hold the weights of this U-Net: {error}"
        ) from error
    return text_to_image(unet, TextEncoder(folder), device)
