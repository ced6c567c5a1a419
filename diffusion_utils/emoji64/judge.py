"""Train the network that names an emoji: python -m diffusion_utils.emoji64.judge.

It judges the generator and shares nothing with it but the drawings. It sees them in grey, in wrong
colours and as outlines too, so that colour alone does not satisfy it. The drawings of one style are
held out: its accuracy on them, here called the ceiling, is what a generator is compared with. It is
no bound: pictures in a style that the evaluator was trained on can be easier for it.

It is written to runs/judge. `--out models/emoji64_evaluator/evaluator.safetensors` replaces the one
that ships; what was measured with that must then be measured again.
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.transforms import v2

from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.files import (
    ROOT,
    check_recorded,
    in_half,
    load_tensors,
    record_sha256,
    save_tensors,
)
from diffusion_utils.metrics import conv, in_batches
from diffusion_utils.pictures import to_unit
from diffusion_utils.training.classifier import fit
from diffusion_utils.training.loop import generator_for
from diffusion_utils.training.runtime import best_precision, keep_freed_memory

WEIGHTS = ROOT / "models" / "emoji64_evaluator" / "evaluator.safetensors"
HELD_OUT = "twemoji"
SEED = 7


def Evaluator(num_names):
    """(B, 3, 64, 64) in [-1, 1] -> (B, num_names) logits."""
    layers, channels_in = [], 3
    for channels in (32, 64, 128, 256):
        layers += [*conv(channels_in, channels, stride=2), *conv(channels, channels)]
        channels_in = channels
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, *head, nn.Linear(channels_in, num_names))


class Edges(nn.Module):
    """Only the outlines: (B, 3, H, W) in [0, 1] -> the same, dark lines on white."""

    def forward(self, images):
        grey = images.mean(1, keepdim=True)
        slopes = F.pad(grey, (1, 1, 1, 1), mode="replicate")
        across = slopes[..., 1:-1, 2:] - slopes[..., 1:-1, :-2]
        down = slopes[..., 2:, 1:-1] - slopes[..., :-2, 1:-1]
        return (1 - 2 * (across**2 + down**2).sqrt()).clamp(0, 1).expand_as(images)


def disturbances():
    """What a drawing goes through before the judge sees it: neither colour nor place alone names it."""
    # one transform, one draw for all the images it is given
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomAffine(8, (0.08, 0.08), (0.85, 1.1), fill=1.0),
            v2.RandomApply([v2.ColorJitter(0.3, 0.3, 0.6, 0.05)], 0.6),
            v2.RandomApply([v2.ColorJitter(hue=0.5)], 0.25),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([Edges()], 0.15),
            v2.RandomApply([v2.GaussianBlur(5, (0.3, 1.5))], 0.4),
            v2.RandomApply([v2.GaussianNoise(0, 0.08)], 0.5),
        ]
    )


def views(data, chosen, disturb, alike=4):
    """A batch of drawings as the judge sees them in training, `alike` at a time alike -> (B, 3, 64, 64)."""
    pictures = (plain(data, chosen) + 1) / 2
    return 2 * torch.cat([disturb(some) for some in pictures.split(alike)]) - 1


def plain(data, chosen):
    """Drawings on white -> (B, 3, 64, 64) in [-1, 1]."""
    rgb, alpha = to_unit(data.images[chosen]).split([3, 1], 1)
    return 2 * (alpha * rgb + 1 - alpha) - 1


def train_evaluator(data, steps, batch_size=64):
    """An evaluator trained on all styles but the one held out."""
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        return fit(
            Evaluator(len(data.names)),
            batches(data, steps, batch_size),
            steps,
            weight_decay=0.05,
            label_smoothing=0.1,
            precision=best_precision(),
        )


def batches(data, steps, batch_size):
    """Drawings of the styles that are not held out, as `views` shows them, and their names' indices."""
    disturb = disturbances()
    seen = (data.style_index != data.styles.index(HELD_OUT)).nonzero()[:, 0]
    for step in range(steps):
        g = generator_for(SEED, step)
        chosen = seen[torch.randint(len(seen), (batch_size,), generator=g)]
        x = views(data, chosen, disturb).contiguous(memory_format=torch.channels_last)
        yield x, data.name_index[chosen]


@torch.no_grad()
def ranks(model, images, labels):
    """How many names the evaluator prefers to the right one, for each image -> (B,)."""
    logits = in_batches(model, images, 100)
    return (logits > logits.gather(1, labels[:, None])).sum(1)


def name_ranks(judge, pictures, wanted):
    """The place of the wanted name in the evaluator's list, 1 for the first, for each picture.

    judge: what `load_evaluator` returns. pictures: (B, 3, 64, 64); values outside [-1, 1] are cut.

    Raises:
        ValueError: a wanted name is not one of the evaluator's.
    """
    model, names, _ = judge
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ValueError(
            f"the judge has no name {unknown[0]!r}; it has the {len(names)} of data/emoji64"
        )
    labels = torch.tensor([names.index(name) for name in wanted])
    return (1 + ranks(model, pictures.clamp(-1, 1).cpu(), labels)).tolist()


def top(ranks, k):
    """The share of images whose name is among the evaluator's first k."""
    return (ranks < k).double().mean().item()


def held_out(data):
    """The drawing of each name in the style held out -> (pictures (508, 3, 64, 64), labels 0 .. 507)."""
    chosen = (data.style_index == data.styles.index(HELD_OUT)).nonzero()[:, 0]
    chosen = chosen[data.name_index[chosen].argsort()]
    return plain(data, chosen), data.name_index[chosen]


def ceiling(model, data):
    """Top-1 and top-5 on the style held out."""
    found = ranks(model, *held_out(data))
    return {"top1": top(found, 1), "top5": top(found, 5), "images": len(found)}


def load_evaluator(path=WEIGHTS):
    """The shipped evaluator in eval mode -> (model, names, its ceiling).

    Raises:
        FileNotFoundError, ValueError: the file is missing, or not the recorded one.
    """
    check_recorded(path)
    state, metadata = load_tensors(path)
    model = Evaluator(len(metadata["names"]))
    model.load_state_dict(state)
    return model.eval(), metadata["names"], metadata["ceiling"]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--out", type=Path, default="runs/judge/evaluator.safetensors")
    args = parser.parse_args()
    keep_freed_memory()
    data = emoji()
    model = train_evaluator(data, args.steps)
    state = in_half(model.state_dict())
    model.load_state_dict(state)  # the ceiling is that of what is stored
    result = ceiling(model, data)
    save_tensors(args.out, state, names=data.names, ceiling=result, steps=args.steps)
    record_sha256(args.out.parent)
    print(result)


if __name__ == "__main__":
    main()
