"""Which pairs of prompts make an anagram, which a hybrid? python -m benchmarks.pairs.

Draws random pairs of the names that the evaluator recognises in the pictures of
`benchmarks.emoji64_quality`: each pair as a picture that is one name as it is and the other in a view,
or one from close by and the other from afar; guidance 7, 30 steps, seed 0. A picture works if the right
name is ahead of the other in both ways to look at it. The best come first: those that work, by the worse
rank of the two. The three best of the flip and of the wider hybrid are drawn from 16 more seeds, since
seed 0 chose them. Writes benchmarks/results/pairs.json and sheets of the best to look at.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks.emoji64_quality import digests, earlier
from diffusion_utils.emoji64.captions import prompts_of
from diffusion_utils.emoji64.judge import load_evaluator, name_ranks
from diffusion_utils.files import ROOT, atomic
from diffusion_utils.pictures import save_sheet
from diffusion_utils.tasks import generate, hybrid, visual_anagram
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory
from diffusion_utils.views import FLIP, VIEWS, low_pass, same

RESULTS = ROOT / "benchmarks" / "results" / "pairs.json"

# how many pairs, what makes the picture, how to look at it for the first and for the second prompt
KINDS = {
    "anagram": (80, visual_anagram, same, FLIP.apply),
    "hybrid": (80, hybrid, low_pass(2), same),
    "wide hybrid": (80, partial(hybrid, sigmas=(5.0,)), low_pass(5), same),
} | {
    name: (20, partial(visual_anagram, views=[view]), same, view.apply)
    for name, view in VIEWS.items()
}
AGAIN = ("anagram", "wide hybrid")


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


def draw(model, recipe, pairs, seeds):
    """One picture for each pair and seed -> (n, 3, 64, 64)."""
    return generate(model, recipe(model, prompts_of(pairs)), seeds).clamp(-1, 1)


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


def order(row):
    """What the best come first by: does it work, and the worse of the right names' ranks."""
    return not works(row), max(row["right"])


def again(model, judge, kind, pair, seeds=range(1, 17)):
    """How one pair fares from other seeds: {"seeds", "work", and the right names' ranks}."""
    _, recipe, *looks = KINDS[kind]
    pairs = [pair] * len(seeds)
    rows = judged(judge, pairs, draw(model, recipe, pairs, seeds), looks)
    ranks = [row["right"] for row in rows]
    return {"seeds": len(seeds), "work": sum(map(works, rows)), "right": ranks}


def sheet(pictures, looks, path):
    """Each column a picture, looked at in both ways."""
    views = torch.cat([look(pictures) for look in looks])
    save_sheet(path, views, columns=len(pictures))


def measured(model, judge, kind, pairs, sheets):
    """The results of one kind; its best twenty are drawn on a sheet."""
    _, recipe, *looks = KINDS[kind]
    chunks = [pairs[i : i + 10] for i in range(0, len(pairs), 10)]
    drawn = [draw(model, recipe, c, [0] * len(c)) for c in tqdm(chunks, desc=kind)]
    rows = judged(judge, pairs, pictures := torch.cat(drawn), looks)
    best = sorted(range(len(rows)), key=lambda i: order(rows[i]))[:20]
    sheet(pictures[best], looks, sheets / f"{kind.replace(' ', '-')}s.png")
    found = {"pairs": len(rows), "work": sum(map(works, rows))}
    found["best"] = [rows[i] for i in best]
    for row in found["best"][:3] if kind in AGAIN else []:
        row["again"] = again(model, judge, kind, row["pair"])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "kinds", nargs="*", default=list(KINDS), help="the default: all"
    )
    parser.add_argument("--sheets", type=Path, default="runs", help="folder for sheets")
    args = parser.parse_args()
    if unknown := set(args.kinds) - set(KINDS):
        parser.error(f"unknown kind {unknown.pop()}; there are {', '.join(KINDS)}")
    keep_freed_memory()
    model, judge = load_pretrained("emoji64", "cpu"), load_evaluator()
    names, generator = recognised(), torch.Generator().manual_seed(0)
    record = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if record.get("sha256") != digests():
        record = {"sha256": digests(), "names": len(names)}
    for kind, (count, *_) in KINDS.items():
        pairs = random_pairs(names, count, generator)  # the same, whatever is asked for
        if kind in args.kinds:
            record[kind] = measured(model, judge, kind, pairs, args.sheets)
            print(f"{kind}: {record[kind]['work']} of {count} pairs work")
            for row in record[kind]["best"]:
                more = row.get("again", {}).get("work", "")
                print(" ", *row["pair"], row["right"], row["other"], more, sep=", ")
            with atomic(RESULTS) as part:
                part.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
