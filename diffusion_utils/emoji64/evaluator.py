"""Train the network that names an emoji: python -m diffusion_utils.emoji64.evaluator.

It judges the generator and shares nothing with it but the drawings. The drawings of one style are
held out: its accuracy on them, here called the ceiling, is what a generator is compared with. It is
no bound: pictures in a style that the evaluator was trained on can be easier for it.
"""

import argparse

import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from diffusion_utils.data import to_unit
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.training import augmented, composited
from diffusion_utils.files import (
    ROOT,
    in_half,
    in_single,
    load_tensors,
    record_sha256,
    recorded_sha256,
    save_tensors,
)
from diffusion_utils.metrics import in_batches
from diffusion_utils.train import keep_freed_memory
from diffusion_utils.training import generator_for

WEIGHTS = ROOT / "models" / "emoji64_evaluator" / "evaluator.safetensors"
HELD_OUT = "twemoji"


def Evaluator(num_names):
    """(B, 3, 64, 64) in [-1, 1] -> (B, num_names) logits."""
    layers, channels_in = [], 3
    for channels in (32, 64, 128, 256):
        layers += [
            nn.Conv2d(channels_in, channels, 3, stride=2, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        ]
        channels_in = channels
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, *head, nn.Linear(channels_in, num_names))


def disturbed(images, generator):
    """Change colours and contrast, blur to 32x32 at times, add noise: (B, 3, 64, 64) -> same."""
    B = len(images)

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(B, *shape, 1, 1, generator=generator)

    half = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="bilinear")
    images = torch.where(uniform(0, 1, 1) < 0.3, half, images)
    grey = images.mean(1, keepdim=True)
    images = grey + uniform(0.3, 1.2, 1) * (images - grey)
    images = uniform(0.7, 1.1, 3) * images + uniform(-0.15, 0.15, 3)
    return images + uniform(0, 0.15, 1) * torch.randn(images.shape, generator=generator)


def views(data, chosen, generator):
    """A batch of drawings as the evaluator sees them in training -> (B, 3, 64, 64)."""
    images = to_unit(data.images[chosen])
    return disturbed(composited(augmented(images, generator), generator), generator)


def plain(data, chosen):
    """Drawings on white -> (B, 3, 64, 64) in [-1, 1]."""
    rgb, alpha = to_unit(data.images[chosen]).split([3, 1], 1)
    return 2 * (alpha * rgb + 1 - alpha) - 1


def train_evaluator(data, steps=6000, batch_size=64, seed=7):
    """An evaluator trained on all styles but the one held out."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return optimise(data, steps, batch_size, seed)


def optimise(data, steps, batch_size, seed):
    model = Evaluator(len(data.names)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    seen = (data.style_index != data.styles.index(HELD_OUT)).nonzero()[:, 0]
    for step in (bar := tqdm(range(steps), desc="evaluator")):
        g = generator_for(seed, step)
        chosen = seen[torch.randint(len(seen), (batch_size,), generator=g)]
        x = views(data, chosen, g).contiguous(memory_format=torch.channels_last)
        loss = F.cross_entropy(model(x), data.name_index[chosen], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}")
    return model.eval()


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
    state, metadata = load_tensors(path, recorded_sha256(path))
    model = Evaluator(len(metadata["names"]))
    model.load_state_dict(in_single(state))
    return model.eval(), metadata["names"], metadata["ceiling"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6000)
    args = parser.parse_args()
    keep_freed_memory()
    data = emoji()
    model = train_evaluator(data, args.steps)
    state = in_half(model.state_dict())
    model.load_state_dict(in_single(state))  # the ceiling is that of what is stored
    result = ceiling(model, data)
    save_tensors(WEIGHTS, state, names=data.names, ceiling=result, steps=args.steps)
    record_sha256(WEIGHTS.parent)
    print(result)


if __name__ == "__main__":
    main()
