"""The weights of DeepFloyd IF: where they come from, and what the hub or a device may answer."""

import logging
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from huggingface_hub import snapshot_download
from huggingface_hub.errors import GatedRepoError

from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.schedule import Schedule

STAGE_1 = "DeepFloyd/IF-I-M-v1.0"
STAGE_2 = "DeepFloyd/IF-II-M-v1.0"
# What a name without @COMMIT means: the commit that others have published as the one they fetched. None was
# found of the smaller models of stage I, so whoever runs them names it.
COMMITS = {
    "DeepFloyd/IF-I-XL-v1.0": "c03d510e9b75bce9f9db5bb85148c1402ad7e694",
    "DeepFloyd/IF-II-L-v1.0": "609476ce702b2d94aff7d1f944dcc54d4f972901",
    "DeepFloyd/IF-II-M-v1.0": "bf27a1d447ac5f13f47ac35fcacf2f628983581f",
}
UNET = ["unet/*.json", "unet/*fp16*.safetensors", "scheduler/*.json"]
ENCODER = ["tokenizer/*", "text_encoder/*.json", "text_encoder/*fp16*.safetensors"]
log = logging.getLogger(__name__)


def fetched(name, files, device):
    """The folder of a model: `name` itself if it is a folder, else a copy of its files from the hub.

    Raises:
        RuntimeError: no GPU for a model from the hub.
        ValueError: a name without a commit, and none is known.
        OSError: the licence is not accepted, the token is missing, or the hub does not answer.
    """
    if Path(name).is_dir():
        return Path(name)
    if device == "cpu":
        raise RuntimeError(
            "DeepFloyd IF needs a GPU with 16 GB and there is none; use DIFFUSION_MODEL=emoji64, "
            "or point DEEPFLOYD_MODEL to a folder with a model small enough for the CPU"
        )
    repository, _, revision = name.partition("@")
    revision = revision or COMMITS.get(repository)
    if not revision:
        raise ValueError(
            f"{repository} is no folder here, and of the model of that name the book knows no commit; "
            f"name the newest of https://huggingface.co/{repository}/commits/main in DEEPFLOYD_MODEL, "
            f"or in DEEPFLOYD_STAGE_2 for stage II, as {repository}@COMMIT"
        )
    try:
        folder = snapshot_download(repository, revision=revision, allow_patterns=files)
    except GatedRepoError as error:
        raise OSError(
            f"{name} asks you to accept its licence: do so at https://huggingface.co/{repository}, "
            "then run `hf auth login` with a token of that account"
        ) from error
    except (OSError, ValueError) as error:  # the hub's own errors are of these kinds
        raise OSError(
            f"{name} could not be fetched ({type(error).__name__}); check the name, the connection, and that "
            "`hf auth login` was run, or use the model that ships: DIFFUSION_MODEL=emoji64"
        ) from error
    commit = Path(folder).name
    if commit != revision:
        log.warning("to load these very weights again, name %s@%s", repository, commit)
    return Path(folder)


@contextmanager
def memory_of(device):
    """One clear error where the device's memory is too small."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RuntimeError(
            f"the memory of {device} is too small for this model; close other programs, choose "
            "a smaller one in DEEPFLOYD_MODEL (DeepFloyd/IF-I-M-v1.0), or use DIFFUSION_MODEL=emoji64"
        ) from error


def precision(device):
    """The type that the weights are loaded in, and where they are halved, the name of their files."""
    if device == "cpu":
        return {"torch_dtype": torch.float32}
    return {"torch_dtype": torch.float16, "variant": "fp16"}


def load_unet(folder, device):
    """A stage's U-Net in eval mode, and the `Schedule` it was trained with."""
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", **precision(device))
    scheduler = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
    schedule = Schedule(scheduler.alphas_cumprod.double())
    with memory_of(device):  # in the layout in which convolutions are fast
        unet = unet.to(device, memory_format=torch.channels_last)
    return unet.eval().requires_grad_(False), schedule


@torch.no_grad()
def estimate(unet, x, t, embedding, **options):
    """Call a U-Net of IF: six channels out, the noise and where the variance lies."""
    x = x.to(unet.conv_in.weight.dtype)  # unet.dtype would look through all layers
    with memory_of(x.device):
        out = unet(x, t, encoder_hidden_states=embedding, **options)
    return NoiseEstimate(*out.sample.float().chunk(2, 1))
