"""From prompts to numbers: a small frozen sentence encoder."""

import torch
from transformers import AutoModel, AutoTokenizer

from diffusion_utils.prompts import tokenized

TOKENS = 12


class TextEncoder:
    """all-MiniLM-L6-v2 as a text encoder: prompts -> (tokens, mask, pooled), of unit variance.

    Args:
        folder: holds text_encoder/ and tokenizer/, each for its library's `from_pretrained`.

    Source: Wang et al. 2020, https://arxiv.org/abs/2002.10957; Reimers & Gurevych 2019.
    """

    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(f"{folder}/tokenizer")
        model = AutoModel.from_pretrained(f"{folder}/text_encoder", add_pooling_layer=False)
        self.model = model.float().eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, prompts):
        """Encode a list of n prompts.

        A prompt longer than 12 tokens, its start and end marks included, is cut with a warning; of what
        the encoder does not know, see `prompts.readable`.

        Returns:
            tokens (n, 12, 384), mask (n, 12) True where there is a token, pooled (n, 384).

        Raises:
            ValueError: a prompt that is not empty holds nothing that is known.
        """
        text = tokenized(prompts, self.tokenizer, TOKENS)
        mask = text["attention_mask"].bool()
        tokens = self.model(**text).last_hidden_state
        pooled = (tokens * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return unit_variance(tokens), mask, unit_variance(pooled)


def unit_variance(x):
    """Scale each vector's entries to variance 1: at unit norm a network ignores them for long."""
    return x / x.square().mean(-1, keepdim=True).sqrt()
