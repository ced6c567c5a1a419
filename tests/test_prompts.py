"""Prompts as people have them, on the tokenizer and the text encoder that ship."""

import pytest
import torch
from torch.testing import assert_close
from transformers import AutoModel, AutoTokenizer

from diffusion_utils.emoji64.captions import COLOURS, STYLES, called, captions
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.model import FOLDER
from diffusion_utils.emoji64.text import TextEncoder
from diffusion_utils.prompts import parts, readable

TOKENIZER = AutoTokenizer.from_pretrained(FOLDER / "tokenizer")


@pytest.fixture(scope="module")
def encoder():
    return TextEncoder(FOLDER)


def read(prompt):
    return readable(prompt, TOKENIZER, 12)


def test_what_is_known_stays_as_it_is(caplog):
    names = emoji().names
    known = [text for n in names for s in STYLES for text in captions(n, s)]
    known += ["", "a high quality photo", "  A  Red apple!", "\N{BLACK STAR}", *COLOURS]
    assert [read(prompt) for prompt in known] == known
    assert "is read as" not in caplog.text and "does not know" not in caplog.text


def test_known_texts_are_encoded_as_the_library_does_alone(encoder):
    """To the last bit: the network that ships was trained with these numbers."""
    prompts = [*map(called, emoji().names[:200]), "", "a red apple on a blue background"]
    model = AutoModel.from_pretrained(FOLDER / "text_encoder", add_pooling_layer=False)
    text = TOKENIZER(
        prompts, padding="max_length", truncation=True, max_length=12, return_tensors="pt"
    )
    with torch.no_grad():
        words = model.float().eval()(**text).last_hidden_state
    mask = text["attention_mask"].bool()
    mean = (words * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    tokens, known, pooled = encoder(prompts)
    assert known.equal(mask)
    assert tokens.equal(words / words.square().mean(-1, keepdim=True).sqrt())
    assert pooled.equal(mean / mean.square().mean(-1, keepdim=True).sqrt())


@pytest.mark.parametrize(
    ("prompt", "meant"),
    [
        ("\N{ROCKET}", "rocket"),
        ("a \N{ROCKET} in space", "a rocket in space"),
        ("a\N{ROCKET}", "a rocket"),
        ("\N{BLACK SUN WITH RAYS}\ufe0f", "black sun with rays"),
        ("\N{MAN}\u200d\N{ROCKET}", "man rocket"),
        ("\N{OWL}\N{OWL}", "owl owl"),
    ],
)
def test_an_emoji_character_means_its_name(encoder, caplog, prompt, meant):
    assert read(prompt) == meant
    assert f"the prompt {prompt!r} is read as {meant!r}" in caplog.text
    for ours, theirs in zip(encoder([prompt]), encoder([meant]), strict=True):
        assert ours.equal(theirs)


def test_two_emoji_characters_are_two_prompts(encoder):
    rocket, owl = encoder(["\N{ROCKET}", "\N{OWL}"])[2]
    assert (rocket - owl).abs().max() > 0.5


@pytest.mark.parametrize(
    "prompt",
    ["  ", "\n", "\u200b", "\u2060\ufeff", "\ufe0f", "\u9f98", "[UNK]", "\U0001f3fd",
     "\u200b \u9f98", "\U000e0001"],
)  # fmt: skip
def test_nothing_that_is_known_is_an_error(encoder, prompt):
    with pytest.raises(ValueError, match="knows nothing in the prompt"):
        encoder(["a dog", prompt])


def test_the_part_that_is_not_known_is_said(encoder, caplog):
    encoder(["a \u9f98 dog", "\N{THUMBS UP SIGN}\U0001f3fd"])
    assert "the text encoder does not know '\u9f98' in" in caplog.text
    assert "is read as 'thumbs up sign \U0001f3fd'" in caplog.text
    assert "does not know '\U0001f3fd' in" in caplog.text


def test_long_prompts_are_cut_with_a_warning(encoder, caplog):
    long = encoder(["rocket " * 30])
    assert f"cut to 12 tokens: {' '.join(['rocket'] * 10)!r}\n" in caplog.text
    assert_close(long[0], encoder(["rocket " * 10])[0])


def test_the_parts_of_a_prompt():
    assert parts("a \N{ROCKET}ship, red", TOKENIZER) == (["a", ",", "red"], ["\N{ROCKET}ship"])
    assert parts("", TOKENIZER) == ([], [])
