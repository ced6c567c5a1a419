"""How Emoji-64 is trained: what a batch is, and the two tasks, the base and the refiner."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from diffusion_utils.emoji64.captions import (
    ANYTHING,
    COLOURS,
    PLAIN_STYLES,
    captions,
    coloured,
    on_background,
)
from diffusion_utils.emoji64.drawings import background_of, composited, moved, recoloured
from diffusion_utils.emoji64.network import EmojiUNet
from diffusion_utils.pictures import to_unit
from diffusion_utils.schedule import Schedule
from diffusion_utils.training.loop import generator_for
from diffusion_utils.training.muon import Muon

SCHEDULE = Schedule.cosine()


@dataclass(frozen=True)
class Recipe:
    """What a run is made of.

    stage: "base" at 32x32, or "refiner" at 64x64 on a base that stays as it is.
    lr: reached after `warmup` steps. With a cooldown it falls to zero over `cooldown` steps from
    step `cool_from` on. high_noise: the density of the timesteps is 1 + high_noise t/T.
    drop_text, anything: how often the caption is left out, or says nothing particular.
    paint, background: how often a drawing is shown in another colour, or on one, and the caption says so.
    text_noise: the most noise that a prompt is shown with, see `near`.
    start: the SHA-256 of each file of weights that the run began with; empty if it began anew.
    """

    stage: str = "base"
    channels: tuple = (64, 128, 256)
    batch_size: int = 64
    lr: float = 2e-3
    warmup: int = 200
    cool_from: int = 0
    cooldown: int = 0
    ema: float = 0.998
    high_noise: float = 1.0
    drop_text: float = 0.1
    anything: float = 0.02
    paint: float = 0.14
    background: float = 0.3
    text_noise: float = 0.3
    seed: int = 64
    start: str = ""

    @property
    def size(self):
        return 32 if self.stage == "base" else 64

    def lr_at(self, step):
        """Warm-up, stable, decay: Hu et al. 2024, https://arxiv.org/abs/2404.06395, section 4.2."""
        left = 1.0
        if self.cooldown and step > self.cool_from:
            left = max(0.0, 1 - (step - self.cool_from) / self.cooldown)
        return self.lr * min(1, step / self.warmup) * left

    def ema_at(self, step):
        return min(self.ema, (1 + step) / (10 + step))

    def network(self):
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            return EmojiUNet(self.channels)


class Batches:
    """The global batch of each step (from 1) of a `Recipe`, the same in every process.

    data: an `Emoji`. encoder: a `TextEncoder`.
    """

    def __init__(self, recipe, data, encoder):
        self.recipe, self.data, self.encoder = recipe, data, encoder
        self.known = {}  # captions that were encoded before
        plain = torch.tensor([style in PLAIN_STYLES for style in data.styles])
        # a pass shows each drawing once, and those that a plain name means once more
        everything = torch.arange(len(data.images))
        self.one_pass = torch.cat([everything, everything[plain[data.style_index]]])

    def at(self, step):
        """Inputs (x_t, t, tokens, mask, pooled) and target v of a step."""
        generator = generator_for(self.recipe.seed, 1, step)
        x_0, texts = self.pictures(self.choose(step), generator)
        t = self.timesteps(len(x_0), generator)
        eps = torch.randn(x_0.shape, generator=generator)
        x_t = SCHEDULE.forward(x_0, t, eps)
        x_t = x_t.contiguous(memory_format=torch.channels_last)
        prompt = near(*self.encoded(texts), self.recipe.text_noise, generator)
        return (x_t, t, *prompt), SCHEDULE.velocity(x_0, t, eps)

    def encoded(self, texts):
        """Captions as the network reads them -> tokens (B, L, D), mask (B, L), pooled (B, D)."""
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            self.known |= zip(new, zip(*self.encoder(new), strict=True), strict=True)
        parts = zip(*(self.known[text] for text in texts), strict=True)
        return tuple(map(torch.stack, parts))

    def choose(self, step):
        """Which drawings: pass after pass, each in its own order, without those that fill no batch."""
        B, N = self.recipe.batch_size, len(self.one_pass)
        epoch, index = divmod(step - 1, N // B)
        order = torch.randperm(N, generator=generator_for(self.recipe.seed, 0, epoch))
        return self.one_pass[order[index * B :][:B]]

    def pictures(self, chosen, generator):
        """Drawings as they are shown this time -> (B, 3, S, S) in [-1, 1], and their captions."""
        images = to_unit(self.data.images[chosen])
        texts, backgrounds = [], []
        for row, index in enumerate(chosen.tolist()):
            text, colour, background = self.described(index, generator)
            if colour:
                images[row] = recoloured(images[row], colour)
            strength = 0.5 + 0.5 * torch.rand((), generator=generator)
            backgrounds.append(background_of(background, strength))
            texts.append(self.caption(text, generator))
        x_0 = composited(moved(images, generator), torch.stack(backgrounds))
        return F.avg_pool2d(x_0, 64 // self.recipe.size), texts

    def described(self, index, generator):
        """What a drawing is called this time, the colour it gets or None, and its background's or None."""
        name = self.data.names[self.data.name_index[index]]
        style = self.data.styles[self.data.style_index[index]]
        u, which, colour = torch.rand(3, generator=generator).tolist()
        colour = [*COLOURS][int(colour * len(COLOURS))]
        plain, *others = captions(name, style)
        if style not in PLAIN_STYLES:
            return plain, None, None
        if u < self.recipe.paint:
            return coloured(name, colour), colour, None
        styled, *words = others
        text = plain  # mostly the plain name, which is what people type
        if 0.55 <= which < 0.8:
            text = words[int((which - 0.55) / 0.25 * len(words))]
        if u < self.recipe.paint + self.recipe.background:
            return on_background(text, colour), None, colour
        return (styled if which >= 0.8 else text), None, None

    def caption(self, text, generator):
        """The text, or now and then nothing, or nothing particular."""
        u, which = torch.rand(2, generator=generator).tolist()
        if u < self.recipe.drop_text:
            return ""
        if u < self.recipe.drop_text + self.recipe.anything:
            return ANYTHING[int(which * len(ANYTHING))]
        return text

    def timesteps(self, B, generator):
        """One t in each of B strata of equal weight, so that every batch covers all noise levels -> (B,)."""
        u = (torch.arange(B) + torch.rand(B, generator=generator)) / B
        k = self.recipe.high_noise
        if k:  # the inverse of the distribution whose density is 1 + k t/T
            u = ((1 + k * (2 + k) * u).sqrt() - 1) / k
        return (u * SCHEDULE.T).long().clamp(max=SCHEDULE.T - 1)


def near(tokens, mask, pooled, strength, generator):
    """Prompts with noise, as if other words of a like meaning had been said -> tokens, mask, pooled.

    Each prompt (what a `TextEncoder` returns) gets between no noise and `strength`, where 1 is as
    much noise as there is meaning.
    """
    scale = strength * torch.rand(len(pooled), 1, generator=generator)

    def noisy(x, scale):
        noise = torch.randn(x.shape, generator=generator)
        return (x + scale * noise) / (1 + scale**2).sqrt()  # of unit variance as before

    return noisy(tokens, scale[..., None]), mask, noisy(pooled, scale)


class EmojiTask:
    """A `Recipe` and its `Batches`, for `training.loop.train`."""

    max_norm = 1.0

    def __init__(self, recipe, batches):
        self.recipe, self.batches = recipe, batches
        self.batch, self.lr_at, self.ema_at = batches.at, recipe.lr_at, recipe.ema_at

    def network(self):
        return self.trained(self.recipe.network())

    def trained(self, network):
        """The part of an `EmojiUNet` that is trained: the base, or the whole around a frozen base."""
        if self.recipe.stage == "base":
            return network.base
        network.base.requires_grad_(False)
        return network

    def optimizer(self, network):
        return Muon(network, self.recipe.lr)

    def epoch_at(self, step):
        return 1 + (step - 1) // (len(self.batches.one_pass) // self.recipe.batch_size)
