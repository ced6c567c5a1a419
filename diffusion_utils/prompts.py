"""Prompts as people have them: emoji characters, words that no encoder knows, lists in files."""

import logging
import unicodedata

from diffusion_utils.files import read_lines

log = logging.getLogger(__name__)
# between and after the characters of one emoji: a joiner, and what asks for the coloured form
INVISIBLE = dict.fromkeys(map(ord, "\u200d\ufe0f"))


def tokenized(prompts, tokenizer, tokens):
    """Prompts, each made `readable`, as a text encoder takes them: its inputs by name, (n, tokens)."""
    texts = [readable(prompt, tokenizer, tokens).strip() for prompt in prompts]
    options = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
    return tokenizer(texts, max_length=tokens, **options)


def readable(prompt, tokenizer, tokens):
    """The prompt as a text encoder can read it: an emoji character that it does not know is spelled out.

    A warning says what is spelled out, what is not known at all, and that a prompt is longer than
    the encoder reads, which is so many tokens. A prompt that is known, or empty, stays as it is.

    Raises:
        ValueError: nothing in the prompt is known, or nothing is to be seen in it.
    """
    text = prompt
    for part in parts(prompt, tokenizer)[1]:
        text = text.replace(part, spelled(part))
    if text != prompt:
        text = " ".join(text.translate(INVISIBLE).split())
        log.warning("the prompt %r is read as %r", prompt, text)
    known, unknown = parts(text, tokenizer)
    if prompt and not known:
        raise ValueError(
            f"the text encoder knows nothing in the prompt {prompt!r}; use English words"
        )
    for part in unknown:
        log.warning("the text encoder does not know %r in %r", part, prompt)
    places = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    if len(places) > tokens:
        end = places[tokens - 2][1]  # the last token that is read marks the end
        log.warning("cut to %d tokens: %r", tokens, text[:end])
    return text


def parts(prompt, tokenizer):
    """The parts of a prompt that a tokenizer knows, and those that it does not."""
    found = tokenizer(prompt, return_offsets_mapping=True)
    known, unknown = [], []
    for token, (start, end) in zip(found["input_ids"], found["offset_mapping"], strict=True):
        part = prompt[start:end]
        if part.strip():  # else it marks the start or the end
            (unknown if token == tokenizer.unk_token_id else known).append(part)
    return known, unknown


def spelled(text):
    """A text with the name of each symbol in its place, as Unicode gives it.

    >>> spelled("\N{ROCKET}")
    ' rocket '
    """
    return "".join(
        f" {unicodedata.name(c).lower()} " if unicodedata.category(c) == "So" else c for c in text
    )


def read_prompts(path):
    """The prompts in a text file, one a line, without blanks around them and without empty lines.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no text in UTF-8, or holds no prompt.
    """
    prompts = read_lines(path)
    if not prompts:
        raise ValueError(f"{path} holds no prompt; write one a line")
    return prompts
