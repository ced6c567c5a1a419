"""How Emoji-64 is trained: the recipe, a batch, the objective, the loop."""

import copy
import itertools
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from diffusion_utils.data import to_unit
from diffusion_utils.emoji64.model import cosine_schedule, load, velocity
from diffusion_utils.emoji64.network import EmojiUNet
from diffusion_utils.emoji64.text import ANYTHING, captions
from diffusion_utils.files import copy_file
from diffusion_utils.training import (
    REPLAYED,
    History,
    TrainStep,
    agreed,
    check_agreement,
    generator_for,
    read_history,
    resume,
    save_state,
    update,
    warmed_up,
)

SCHEDULE = cosine_schedule()


@dataclass(frozen=True)
class Recipe:
    """What a run is made of. It has no end of its own: the learning rate falls as 1/sqrt(step).

    small_steps: steps at 32x32 before those at 64x64. lr: reached after `warmup` steps, kept until
    `steady`. The schedule of the rate is that of Karras et al. 2024, eq. 67.
    """

    channels: tuple = (64, 128, 256)
    batch_size: int = 32
    small_steps: int = 5000
    lr: float = 6e-4
    warmup: int = 200
    steady: int = 6000
    ema: float = 0.9985
    drop_text: float = 0.1
    anything: float = 0.05
    seed: int = 64

    def size(self, step):
        return 32 if step <= self.small_steps else 64

    def lr_at(self, step):
        return self.lr * min(step / self.warmup, 1, (self.steady / step) ** 0.5)

    def ema_at(self, step):
        return min(self.ema, (1 + step) / (10 + step))

    def network(self):
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            return EmojiUNet(self.channels)


def augmented(images, generator):
    """Turn, scale, shift and mirror a little: (B, 4, S, S) RGBA in [0, 1] -> the same, premultiplied."""
    B = len(images)

    def uniform(low, high):
        return low + (high - low) * torch.rand(B, generator=generator)

    angle, scale = uniform(-0.12, 0.12), uniform(0.95, 1.18)
    mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    shift = torch.stack([uniform(-0.08, 0.08), uniform(-0.08, 0.08)], 1)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    turn = torch.stack([mirror * cos, -sin, mirror * sin, cos], 1).view(B, 2, 2)
    theta = torch.cat([turn, shift[..., None]], 2)  # (B, 2, 3)
    coordinates = F.affine_grid(theta, images.shape, align_corners=False)
    premultiplied = torch.cat([images[:, :3] * images[:, 3:], images[:, 3:]], 1)
    return F.grid_sample(premultiplied, coordinates, align_corners=False)


def composited(images, generator):
    """Put premultiplied RGBA on white, or one time in four on a pastel -> (B, 3, S, S) in [-1, 1]."""
    B = len(images)
    pastel = 0.7 + 0.3 * torch.rand(B, 3, 1, 1, generator=generator)
    white = torch.rand(B, 1, 1, 1, generator=generator) < 0.75
    background = torch.where(white, 1.0, pastel)
    return 2 * (images[:, :3] + (1 - images[:, 3:]) * background) - 1


class Batch:
    """The global batch of each step (from 1), the same in every process.

    Args:
        recipe: a `Recipe`.
        data: `diffusion_utils.emoji64.dataset.emoji()`.
        encoder: a `TextEncoder`; each caption is encoded once, here.
    """

    def __init__(self, recipe, data, encoder, progress=iter):
        self.recipe, self.data = recipe, data
        self.texts = [
            captions(data.names[name], data.styles[style])
            for name, style in zip(data.name_index, data.style_index, strict=True)
        ]
        every = ["", *ANYTHING, *dict.fromkeys(c for text in self.texts for c in text)]
        self.row = {caption: row for row, caption in enumerate(every)}
        parts = [encoder(every[i : i + 64]) for i in progress(range(0, len(every), 64))]
        self.tokens, self.mask, self.pooled = map(torch.cat, zip(*parts, strict=True))

    def at(self, step):
        """Inputs (x_t, t, tokens, mask, pooled) and target v of a step."""
        recipe, data = self.recipe, self.data
        generator = generator_for(recipe.seed, 1, step)
        chosen = self.choose(step)
        texts = [self.caption(i, generator) for i in chosen.tolist()]
        rows = torch.tensor([self.row[text] for text in texts])
        images = augmented(to_unit(data.images[chosen]), generator)
        x_0 = composited(images, generator)
        if recipe.size(step) == 32:
            x_0 = F.avg_pool2d(x_0, 2)
        B = len(x_0)
        # one t in each of B equal strata, so that every batch covers all noise levels
        t = (torch.arange(B) + torch.rand(B, generator=generator)) / B * SCHEDULE.T
        t = t.long()
        eps = torch.randn(x_0.shape, generator=generator)
        x_t = SCHEDULE.forward(x_0, t, eps)
        x_t = x_t.contiguous(memory_format=torch.channels_last)
        inputs = (x_t, t, self.tokens[rows], self.mask[rows], self.pooled[rows])
        return inputs, velocity(SCHEDULE, x_0, t, eps)

    def choose(self, step):
        """Which drawings: pass after pass, each in its own order, without those that fill no batch."""
        B, N = self.recipe.batch_size, len(self.data.images)
        epoch, index = divmod(step - 1, N // B)
        order = torch.randperm(N, generator=generator_for(self.recipe.seed, 0, epoch))
        return order[index * B :][:B]

    def caption(self, image, generator):
        """What a drawing is called this time: now and then nothing, or anything."""
        u, which = torch.rand(2, generator=generator).tolist()
        if u < self.recipe.drop_text:
            return ""
        if u < self.recipe.drop_text + self.recipe.anything:
            return ANYTHING[int(which * len(ANYTHING))]
        plain, *others = self.texts[image]
        # half the time the plain name, which is what people type
        return plain if which < 0.5 else others[int((2 * which - 1) * len(others))]


def train(
    recipe,
    run,
    batch,
    accelerator,
    *,
    start=None,
    steps=math.inf,
    hours=math.inf,
    checkpoint_steps=100,
):
    """Train until a budget is spent, going on from the last checkpoint in the folder `run`.

    Args:
        recipe: a `Recipe`.
        run: folder for history.csv and checkpoint.safetensors.
        batch: a `Batch`.
        accelerator: an `accelerate.Accelerator`; each process works on its share of each batch.
        steps, hours: the budgets, counted from the beginning of the first run that led here.
        start: folder of a released model whose weights and step count a new run begins with. They
            are its average in half precision; the optimizer's moments begin anew, see `warmed_up`.

    Yields:
        (TrainStep, EMA network) after each optimiser step. The loss is the mean squared error of v;
        `epoch` is the number of drawings seen over the number there are, from 1.

    Raises:
        ValueError: the folder holds a run of another recipe, or a damaged checkpoint, or is not the
            same for all processes; `start` holds no weights of this network, or altered ones.
    """
    run, model = Path(run), recipe.network().to(memory_format=torch.channels_last)
    ema = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.lr, betas=(0.9, 0.99), weight_decay=0.01
    )
    networks = {"model": model, "ema": ema}
    first = 1 + (done := resume(recipe, run, networks, optimizer))
    check_agreement(done, run, accelerator)
    main = accelerator.is_main_process
    if start and not done:
        done = begin_with(start, run, networks, main)
        first = max(1, done + 1 - REPLAYED)
        accelerator.wait_for_everyone()
    history = History(run / "history.csv", done) if main else None
    before = agreed(history.seconds if main else 0.0, accelerator)
    if done >= steps or before >= 3600 * hours:
        return
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    ema.to(accelerator.device)
    began = time.perf_counter()
    for step in itertools.count(first):
        lr = recipe.lr_at(step) * warmed_up(step, done)
        loss = update(wrapped, optimizer, accelerator, batch.at(step), lr, max_norm=1.0)
        if step <= done:
            continue
        average(ema, model, recipe.ema_at(step))
        epoch = 1 + (step - 1) * recipe.batch_size // len(batch.data.images)
        seconds = agreed(before + time.perf_counter() - began, accelerator)
        end = step == steps or seconds >= 3600 * hours
        row = TrainStep(step, epoch, loss, lr, seconds)
        if main:
            history.write(row)
            if step % checkpoint_steps == 0 or end:
                save_state(recipe, run, step, networks, optimizer)
        yield row, ema
        if end:
            return


def begin_with(released, run, networks, main):
    """Load the weights of a released model, take over its history -> steps done."""
    released = Path(released)
    state = load(folder=released).network.unet.state_dict()
    for network in networks.values():
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(f"{released} is of another network: {error}") from error
    if main:
        copy_file(released / "history.csv", run / "history.csv")
    return read_history(released / "history.csv")[-1].step


@torch.no_grad()
def average(ema, model, decay):
    """Move the running average of the weights towards them. Tarvainen & Valpola 2017, eq. 2."""
    for mean, now in zip(ema.parameters(), model.parameters(), strict=True):
        mean.lerp_(now, 1 - decay)
