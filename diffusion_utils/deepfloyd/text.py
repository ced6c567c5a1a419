"""Prompts for DeepFloyd IF: from its text encoder, or encoded beforehand and stored in a file."""

import gc
import os
from importlib import metadata

import torch
from transformers import BitsAndBytesConfig, T5EncoderModel, T5Tokenizer

from diffusion_utils.deepfloyd import weights
from diffusion_utils.files import load_tensors, save_tensors
from diffusion_utils.prompts import tokenized

TOKENS = 77
# the 8 bit, and the hub's tokenizer, which transformers reads with the other two
PACKAGES = "bitsandbytes", "sentencepiece", "protobuf"


class PromptEncoder:
    """The T5 encoder of IF, loaded for the first prompt: one prompt -> (1, 77, features)."""

    def __init__(self, folder, device):
        self.folder, self.device, self.loaded = folder, device, None

    @torch.no_grad()
    def __call__(self, prompt):
        if self.loaded is None:
            with weights.memory_of(self.device):
                self.loaded = self.load()
        tokenizer, encoder = self.loaded
        text = tokenized([prompt.lower()], tokenizer, TOKENS)
        return (encoder(**text.to(self.device)).last_hidden_state,)

    def load(self):
        """Tokenizer and encoder; in 8 bit on a GPU, where it takes 8 GB instead of 12.

        Raises:
            ModuleNotFoundError: a package that this needs is missing.
        """
        options = weights.precision(self.device)
        if self.device != "cpu":
            missing = [p for p in PACKAGES if not any(metadata.distributions(name=p))]
            if missing:
                raise ModuleNotFoundError(
                    f"the text encoder needs more packages: pip install {' '.join(missing)}, "
                    "or give a file of embeddings in DEEPFLOYD_EMBEDDINGS"
                )
            options["quantization_config"] = BitsAndBytesConfig(load_in_8bit=True)
            options["device_map"] = {"": self.device}
        tokenizer = T5Tokenizer.from_pretrained(self.folder, subfolder="tokenizer")
        encoder = T5EncoderModel.from_pretrained(self.folder, subfolder="text_encoder", **options)
        return tokenizer, encoder.eval()

    def free(self):
        """Give back the encoder's memory; the next new prompt loads it again."""
        if self.loaded is not None:
            self.loaded = None
            gc.collect()
            torch.cuda.empty_cache()  # does nothing where there is no GPU


def stored(path, device):
    """Encode prompts by looking them up in a file that `embed` wrote.

    Raises:
        FileNotFoundError, ValueError: no such file, a damaged one, or a prompt that is not in it.
    """
    try:
        embeddings, _ = load_tensors(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}, which DEEPFLOYD_EMBEDDINGS names; write it with "
            "`python -m diffusion_utils.deepfloyd embed`, and give its whole path"
        ) from error

    def encode(prompt):
        if prompt not in embeddings:
            raise ValueError(
                f"{path} has no embedding of {prompt!r}; add the prompt to the list and run "
                "`python -m diffusion_utils.deepfloyd embed` again"
            )
        dtype = weights.precision(device)["torch_dtype"]
        return (embeddings[prompt].to(device, dtype),)

    return encode


def embed(prompts, path, device):
    """Write the embedding of each prompt, and of the empty one, to a safetensors file."""
    name = os.environ.get("DEEPFLOYD_MODEL", weights.STAGE_1)
    encode = PromptEncoder(weights.fetched(name, weights.ENCODER, device), device)
    save_tensors(path, {prompt: encode(prompt)[0] for prompt in ["", *prompts]})
    encode.free()
