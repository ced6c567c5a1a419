"""DeepFloyd IF behind the same interface: python -m diffusion_utils.deepfloyd embed PROMPTS --out FILE.

Which model, and where prompts come from, is said by environment variables:
DEEPFLOYD_MODEL: a name on the Hugging Face hub, or a folder; the default is DeepFloyd/IF-I-M-v1.0.
DEEPFLOYD_EMBEDDINGS: a file that `embed` wrote; with it the text encoder is never loaded.
DEEPFLOYD_STAGE_2: name or folder of the second stage; the default is DeepFloyd/IF-II-M-v1.0.
"""

import argparse
import gc
import os
import sys
from importlib import metadata
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, IFPipeline, UNet2DConditionModel
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
)
from transformers import BitsAndBytesConfig, T5EncoderModel

from diffusion_utils.denoisers import NoiseEstimate, guided
from diffusion_utils.files import load_tensors, save_tensors
from diffusion_utils.sampling import generators, last, trajectory, unit_noise
from diffusion_utils.schedule import CLEAN, Schedule, strided_timesteps
from diffusion_utils.text_to_image import TextToImage

STAGE_1 = "DeepFloyd/IF-I-M-v1.0"
STAGE_2 = "DeepFloyd/IF-II-M-v1.0"
UNET = ["unet/*.json", "unet/*fp16*.safetensors", "scheduler/*.json"]
ENCODER = [
    "model_index.json",
    "scheduler/*.json",  # the pipeline that holds the encoder asks for it
    "tokenizer/*",
    "text_encoder/*.json",
    "text_encoder/*fp16*.safetensors",
]
# Stage II's, as diffusers spaces them: 980, 960, .., 0. At 999 alpha_bar is 2e-9, and x_0 lost in rounding.
TIMESTEPS = [*strided_timesteps(980, 20), CLEAN]
GAMMA_2 = 4.0  # stage II's guidance
NOISE_LEVEL = 250  # the timestep to which stage II's small image is noised


def fetched(name, files):
    """The folder of a model: `name` itself if it is a folder, else a copy of its files from the hub.

    Raises:
        OSError: the licence is not accepted, the token is missing, or the hub does not answer.
    """
    if Path(name).is_dir():
        return Path(name)
    try:
        return Path(snapshot_download(name, allow_patterns=files))
    except GatedRepoError as error:
        raise OSError(
            f"{name} asks you to accept its licence: do so at https://huggingface.co/{name}, "
            "then run `hf auth login` with a token of that account"
        ) from error
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise OSError(
            f"{name} could not be fetched ({type(error).__name__}); check the name, the connection, and that "
            "`hf auth login` was run, or use the model that ships: DIFFUSION_MODEL=emoji64"
        ) from error


def on_device(run, device):
    """run(), with one clear error if the device's memory is too small."""
    try:
        return run()
    except torch.OutOfMemoryError as error:
        raise RuntimeError(
            f"the memory of {device} is too small for this model; close other programs, choose "
            "DEEPFLOYD_MODEL=DeepFloyd/IF-I-M-v1.0, or use DIFFUSION_MODEL=emoji64"
        ) from error


def precision(device):
    return torch.float32 if device == "cpu" else torch.float16


def load_unet(folder, device):
    """A stage's U-Net in eval mode, and the `Schedule` it was trained with."""
    options = {} if device == "cpu" else {"variant": "fp16"}
    unet = UNet2DConditionModel.from_pretrained(
        folder, subfolder="unet", torch_dtype=precision(device), **options
    )
    scheduler = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
    schedule = Schedule(scheduler.alphas_cumprod.double())
    # the layout in which convolutions are fast
    unet = unet.to(device, memory_format=torch.channels_last)
    return unet.eval().requires_grad_(False), schedule


def check_installed(*packages):
    missing = [p for p in packages if not any(metadata.distributions(name=p))]
    if missing:
        raise ModuleNotFoundError(
            f"the text encoder needs more packages: pip install {' '.join(missing)}, or give a file of "
            "embeddings in DEEPFLOYD_EMBEDDINGS"
        )


class PromptEncoder:
    """The T5 encoder of IF, loaded for the first prompt: one prompt -> (1, 77, features)."""

    def __init__(self, folder, device):
        self.folder, self.device, self.pipeline = folder, device, None

    def __call__(self, prompt):
        if self.pipeline is None:
            self.pipeline = on_device(self.load, self.device)
        with torch.no_grad():
            embedding, _ = self.pipeline.encode_prompt(
                prompt, do_classifier_free_guidance=False, device=self.device
            )
        return (embedding,)

    def load(self):
        """In 8 bit on a GPU, where it takes 8 GB instead of 12.

        Raises:
            ModuleNotFoundError: a package that this needs is missing.
        """
        options = {"torch_dtype": precision(self.device)}
        if self.device != "cpu":
            # the 8 bit, and the hub's tokenizer, which transformers reads with the other two
            check_installed("bitsandbytes", "sentencepiece", "protobuf")
            options |= {
                "quantization_config": BitsAndBytesConfig(load_in_8bit=True),
                "device_map": {"": self.device},
                "variant": "fp16",
            }
        encoder = T5EncoderModel.from_pretrained(
            self.folder, subfolder="text_encoder", **options
        )
        return IFPipeline.from_pretrained(
            self.folder,
            text_encoder=encoder,
            unet=None,
            safety_checker=None,
            feature_extractor=None,
            watermarker=None,
            requires_safety_checker=False,
        )

    def free(self):
        """Give back the encoder's memory; the next new prompt loads it again."""
        if self.pipeline is None:
            return
        self.pipeline = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def stored(path, device):
    """Encode prompts by looking them up in a file that `embed` wrote.

    Raises:
        FileNotFoundError, ValueError: no such file, a damaged one, or a prompt that is not in it.
    """
    try:
        embeddings, _ = load_tensors(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}, which DEEPFLOYD_EMBEDDINGS names; write it with `python -m diffusion_utils.deepfloyd "
            "embed`, and give its whole path"
        ) from error

    def encode(prompt):
        if prompt not in embeddings:
            raise ValueError(
                f"{path} has no embedding of {prompt!r}; add the prompt to the list and run "
                "`python -m diffusion_utils.deepfloyd embed` again"
            )
        return (embeddings[prompt].to(device, precision(device)),)

    return encode


def estimate(unet, x, t, embedding, **options):
    """Call a U-Net of IF: six channels out, the noise and where the variance lies."""
    dtype = unet.conv_in.weight.dtype  # unet.dtype would look through all layers

    def answer():
        with torch.no_grad():
            return unet(x.to(dtype), t, encoder_hidden_states=embedding, **options)

    return NoiseEstimate(*on_device(answer, x.device).sample.float().chunk(2, 1))


def clipped(denoise, schedule):
    """Keep the clean image that an estimate stands for within [-1, 1], as images are.

    Source: Saharia et al. 2022, https://arxiv.org/abs/2205.11487, section 2.3, static thresholding.
    """

    def denoise_clipped(x_t, t):
        eps, nu = denoise(x_t, t)
        x0_hat = schedule.predict_x0(x_t, t, eps).clamp(-1, 1)
        alpha_bar = schedule.at(t, x_t)
        eps = (x_t - alpha_bar.sqrt() * x0_hat) / (1 - alpha_bar).sqrt()
        return NoiseEstimate(eps, nu)

    return denoise_clipped


class DeepFloyd(TextToImage):
    """Stage I as a `TextToImage`, with stage II as `upsample`."""

    def __init__(self, unet, encode, schedule, device, stage_2):
        self.free = getattr(encode, "free", lambda: None)

        def network(x_t, t, embedding):
            self.free()  # the prompts are encoded by now; the encoder needs the memory no longer
            return estimate(unet, x_t, t, embedding)

        super().__init__(network, encode, schedule, device)
        self.shape = (3, unet.config.sample_size, unet.config.sample_size)
        self.stage_2 = stage_2

    def condition(self, prompt):
        """As of `TextToImage`; "" is encoded along, so that the encoder is not loaded for it alone."""
        condition = super().condition(prompt)
        super().condition("")
        return condition

    def second_stage(self):
        """Load stage II as a `TextToImage` that looks at six channels: x_t, and the small image beside it."""
        unet, schedule = on_device(
            lambda: load_unet(fetched(self.stage_2, UNET), self.device), self.device
        )

        def network(both, t, embedding):
            levels = torch.full((len(both),), NOISE_LEVEL, device=self.device)
            return estimate(unet, both, t, embedding, class_labels=levels)

        stage = TextToImage(network, self.encode, schedule, self.device)
        stage.shape = (3, unet.config.sample_size, unet.config.sample_size)
        stage.conditions = self.conditions
        return stage

    def upsample(
        self,
        images,
        prompts,
        seeds,
        combine=None,
        timesteps=TIMESTEPS,
    ):
        """Stage II: (B, 3, 64, 64) in [-1, 1] -> (B, 3, 256, 256), of the same prompts.

        The small images are enlarged, noised to NOISE_LEVEL, and shown beside x_t at every step.

        Args:
            prompts: as for `denoiser`; with `combine` a list of these, one for each of its arguments.
            combine: guided denoisers -> one denoiser. They look at x_t and the small image together,
                (B, 6, 256, 256), so that a view of one is a view of both; they answer with (B, 3, 256, 256).
        """
        parts = [prompts] if combine is None else prompts
        for part in parts:
            self.denoiser(part)  # encodes what is new
        self.free()  # before the next network takes its place
        stage = self.second_stage()
        guides = [
            guided(stage.denoiser(part), stage.denoiser(""), GAMMA_2) for part in parts
        ]
        combined = guides[0] if combine is None else combine(*guides)

        noise = generators(seeds)
        large = F.interpolate(
            images.to(self.device),
            stage.shape[1:],
            mode="bilinear",
            align_corners=True,
        )
        eps = unit_noise(stage.shape, noise).to(large)
        shown = stage.schedule.forward(large, NOISE_LEVEL, eps)

        def denoise(x_t, t):
            return combined(torch.cat([x_t, shown], 1), t)

        x = unit_noise(stage.shape, noise).to(large)
        denoise = clipped(denoise, stage.schedule)
        return last(trajectory(denoise, x, timesteps, stage.schedule, generators=noise))


def model_folder(device, files):
    """The folder of the model that DEEPFLOYD_MODEL names; if it is none, `files` are fetched from the hub.

    Raises:
        RuntimeError: no GPU for a model from the hub.
        OSError: the model cannot be fetched; the message says what to do.
    """
    name = os.environ.get("DEEPFLOYD_MODEL", STAGE_1)
    if device == "cpu" and not Path(name).is_dir():
        raise RuntimeError(
            "DeepFloyd IF needs a GPU with 16 GB and there is none; use DIFFUSION_MODEL=emoji64, "
            "or point DEEPFLOYD_MODEL to a folder with a model small enough for the CPU"
        )
    return fetched(name, files)


def load(device):
    """Load DeepFloyd IF -> `DeepFloyd`; the variables at the top of this file say which.

    Raises:
        RuntimeError: no GPU for a model from the hub, or too little memory.
        OSError: the model cannot be fetched; the message says what to do.
    """
    file = os.environ.get("DEEPFLOYD_EMBEDDINGS")
    folder = model_folder(device, UNET if file else [*UNET, *ENCODER])
    unet, schedule = on_device(lambda: load_unet(folder, device), device)
    encode = stored(file, device) if file else PromptEncoder(folder, device)
    stage_2 = os.environ.get("DEEPFLOYD_STAGE_2", STAGE_2)
    return DeepFloyd(unet, encode, schedule, device, stage_2)


def embed(prompts, path, device):
    """Write the embedding of each prompt, and of the empty one, to a safetensors file."""
    encoder = PromptEncoder(model_folder(device, ENCODER), device)
    save_tensors(path, {prompt: encoder(prompt)[0] for prompt in ["", *prompts]})
    encoder.free()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["embed"])
    parser.add_argument("prompts", type=Path, help="a text file, one prompt a line")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        embed(args.prompts.read_text().splitlines(), args.out, device)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
