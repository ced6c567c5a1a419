"""Which pairs of prompts make an anagram, which a hybrid? python -m benchmarks.pairs.

Draws random pairs of the names that the evaluator recognises in the pictures of
`benchmarks.emoji64_quality`, each pair as an anagram (upside down) and as a hybrid, guidance 7, 30
steps, seed 0. A picture works if the right name is ahead of the other in both ways to look at it.
Writes benchmarks/results/pairs.json, with the twenty best of each kind (by the worse rank of the two),
and sheets of these to look at.
"""

import argparse
import json
from pathlib import Path

import torch
from torchvision.transforms.v2.functional import to_pil_image
from torchvision.utils import make_grid
from tqdm import tqdm

from benchmarks.emoji64_quality import digests, earlier
from diffusion_utils.emoji64.evaluator import load_evaluator, name_ranks
from diffusion_utils.emoji64.text import article
from diffusion_utils.files import ROOT, atomic
from diffusion_utils.pretrained import load_pretrained
from diffusion_utils.recipes import generate, hybrid, visual_anagram
from diffusion_utils.train import keep_freed_memory
from diffusion_utils.views import FLIP, low_pass, same

RESULTS = ROOT / "benchmarks" / "results" / "pairs.json"

# what makes the picture, and how to look at it for the first and for the second prompt
KINDS = {
    "anagram": (visual_anagram, same, FLIP.apply),
    "hybrid": (hybrid, low_pass(2), same),
}


def recognised():
    """The names of rank 1 in the stored run over all names.

    Raises:
        ValueError: there is no such run of these weights.
    """
    found = earlier(digests()).get("ranks")
    if found is None:
        raise ValueError(
            "no ranks of these weights; python -m benchmarks.emoji64_quality"
        )
    return [name for name, rank in found.items() if rank == 1]


def random_pairs(names, count, generator):
    rows = [torch.randperm(len(names), generator=generator)[:2] for _ in range(count)]
    return [[names[i] for i in row] for row in rows]


def draw(model, recipe, pairs):
    """One picture for each pair, seed 0 -> (n, 3, 64, 64)."""
    sides = [
        [f"{article(name)} {name}" for name in side]
        for side in zip(*pairs, strict=True)
    ]
    return generate(model, recipe(model, sides), [0] * len(pairs)).clamp(-1, 1)


def judged(judge, pairs, pictures, looks):
    """Of each pair and way to look at its picture, the ranks of the right and of the other name."""
    sides = list(zip(*pairs, strict=True))
    ranks = [
        [name_ranks(judge, look(pictures), side) for side in (right, other)]
        for look, right, other in zip(looks, sides, sides[::-1], strict=True)
    ]
    return [
        {
            "pair": pair,
            "right": [look[0][i] for look in ranks],
            "other": [look[1][i] for look in ranks],
        }
        for i, pair in enumerate(pairs)
    ]


def works(row):
    return all(r < o for r, o in zip(row["right"], row["other"], strict=True))


def sheet(pictures, looks, path):
    """Each column a picture, looked at in both ways."""
    views = torch.cat([look(pictures) for look in looks])
    grid = make_grid(views / 2 + 0.5, nrow=len(pictures), pad_value=1.0)
    with atomic(path) as partial:
        to_pil_image(grid.clamp(0, 1)).save(partial, "PNG")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=80, help="pairs of each kind")
    parser.add_argument("--sheets", type=Path, default="runs", help="folder for sheets")
    args = parser.parse_args()
    keep_freed_memory()
    model, judge = load_pretrained("emoji64", "cpu"), load_evaluator()
    names, generator = recognised(), torch.Generator().manual_seed(0)
    record = {"sha256": digests(), "names": len(names)}
    for kind, (recipe, *looks) in KINDS.items():
        pairs = random_pairs(names, args.count, generator)
        chunks = [pairs[i : i + 10] for i in range(0, len(pairs), 10)]
        pictures = torch.cat([draw(model, recipe, c) for c in tqdm(chunks, desc=kind)])
        rows = judged(judge, pairs, pictures, looks)
        order = sorted(range(len(rows)), key=lambda i: max(rows[i]["right"]))
        best = [rows[i] for i in order[:20]]
        record[kind] = {"pairs": len(rows), "work": sum(map(works, rows)), "best": best}
        print(f"{kind}: {record[kind]['work']} of {len(rows)} pairs work")
        for row in best:
            print(" ", *row["pair"], row["right"], row["other"], sep=", ")
        sheet(pictures[order[:20]], looks, args.sheets / f"{kind}s.png")
    with atomic(RESULTS) as partial:
        partial.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
