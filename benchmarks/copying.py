"""How near Emoji-64's pictures are to its training drawings: python -m benchmarks.copying.

Draws every fifth name ("a NAME", timesteps 990, 960, .., 0, eight seeds) with guidance 4 and without.
For each picture benchmarks/results/emoji64_copying.json has the distance to the nearest training drawing and
whether that shows the same thing; for each name, how far its pictures are from one another ("apart").
For comparison "drawings" has, of each name, how far its drawings in the four plain styles are apart,
and how far the one in the evaluator's unseen style is from all drawings in the other six.
"""

import argparse
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from diffusion_utils.emoji64.captions import PLAIN_STYLES, called
from diffusion_utils.emoji64.dataset import PATH, emoji
from diffusion_utils.emoji64.judge import HELD_OUT, held_out, plain
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.metrics import distances
from diffusion_utils.tasks import generate, prompted
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory

FILE = RESULTS / "emoji64_copying.json"


def drawn(model, names, gamma, seeds):
    """Pictures of all names for each seed, on the CPU -> (seeds, names, 3, 64, 64) in [-1, 1]."""
    denoise = prompted(model, list(map(called, names)), gamma)
    pictures = [
        generate(model, denoise, [seed] * len(names)).clamp(-1, 1).cpu()
        for seed in tqdm(seeds, desc=f"guidance {gamma}, seeds")
    ]
    return torch.stack(pictures)


def apart(pictures):
    """The mean distance of two of the pictures (B, 3, 64, 64)."""
    pairs = len(pictures) * (len(pictures) - 1)
    return distances(pictures, pictures).fill_diagonal_(0).sum().item() / pairs


def rounded(values):
    return [round(value, 4) for value in values]


def measured(data, names, pictures):
    """{"nearest", "same thing": {name: one entry for each seed}, "apart": {name: distance}}"""
    far, places = distances(pictures.flatten(0, 1), plain(data, slice(None))).min(1)
    far = far.view(len(pictures), -1).T
    shown = data.name_index[places].view(len(pictures), -1).T
    found = {"nearest": {}, "same thing": {}, "apart": {}}
    for i, name in enumerate(names):
        found["nearest"][name] = rounded(far[i].tolist())
        found["same thing"][name] = [data.names[k] == name for k in shown[i]]
        found["apart"][name] = round(apart(pictures[:, i]), 4)
    return found


def of_drawings(data, names):
    """How far drawings of one thing are apart, and how far a style is from the six others."""
    label = [data.names.index(name) for name in names]
    styles = [data.styles.index(style) for style in PLAIN_STYLES]
    chosen = torch.isin(data.style_index, torch.tensor(styles))
    others = plain(data, data.style_index != data.styles.index(HELD_OUT))
    new = distances(held_out(data)[0][label], others).amin(1)
    between = [apart(plain(data, chosen & (data.name_index == k))) for k in label]
    return {
        "apart": dict(zip(names, rounded(between), strict=True)),
        f"{HELD_OUT} to the other styles": dict(zip(names, rounded(new.tolist()), strict=True)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=5, help="only each n-th name")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--out", type=Path, default=FILE)
    args = parser.parse_args()
    keep_freed_memory()
    model, data = load_pretrained("emoji64"), emoji()
    names = data.names[:: args.every]
    record = {"sha256": digests(WEIGHTS, PATH), "drawings": of_drawings(data, names)}
    for gamma in (4, 1):
        pictures = drawn(model, names, gamma, range(args.seeds))
        record[f"gamma {gamma}"] = measured(data, names, pictures)
        for what in ("nearest", "apart"):
            values = torch.tensor([*record[f"gamma {gamma}"][what].values()])
            print(f"gamma {gamma}, {what}: median {values.median():.3f}")
    store(args.out, record, indent=None)


if __name__ == "__main__":
    main()
