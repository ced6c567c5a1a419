"""Which pairs of things can share one picture? python -m benchmarks.pairs.

The pairs were chosen by hand: outlines that may turn into each other. Each pair is drawn as an anagram from 8
or 16 seeds (see KINDS), guidance 7, 30 steps. The judge looks at each picture as it is and in its view. For
each seed benchmarks/results/pairs.json has the rank of the right name in both, and how sure of it the judge
is; and the ranks for training drawings, which show one thing only ("plain").

A sheet of each kind, for the eye, is written to runs/: a row for each pair, the surest first, with
its surest seeds from left to right, each in both ways.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from diffusion_utils.emoji64.captions import called, on_background
from diffusion_utils.emoji64.dataset import PATH, emoji
from diffusion_utils.emoji64.judge import WEIGHTS as JUDGE
from diffusion_utils.emoji64.judge import load_evaluator, name_ranks, plain
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.metrics import in_batches
from diffusion_utils.pictures import save_sheet
from diffusion_utils.tasks import generate, visual_anagram
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory
from diffusion_utils.views import FLIP, VIEWS, same

FILE = RESULTS / "pairs.json"

# as it is, and upside down
FLIPPED = [
    ("light bulb", "pear"), ("anchor", "umbrella"), ("house", "shield"), ("tent", "diamond"),
    ("mushroom", "ice cream cone"), ("tulip", "jellyfish"), ("tulip", "bell"), ("crown", "octopus"),
    ("pine tree", "ice cream cone"), ("rainbow", "watermelon"), ("taco", "watermelon"),
    ("hat", "ufo"), ("top hat", "bucket"), ("trophy", "bell"), ("mountain", "diamond"),
    ("penguin", "avocado"), ("balloon", "light bulb"), ("wine glass", "bell"),
    ("strawberry", "mountain"), ("water drop", "balloon"), ("mushroom", "cocktail glass"),
    ("umbrella", "bowl of rice"), ("fire", "jellyfish"), ("rabbit", "duck"), ("swan", "elephant"),
    ("snow capped mountain", "ice cream cone"), ("volcano", "cupcake"), ("ghost", "tooth"),
    ("hat", "bowl of rice"), ("crown", "jellyfish"),
]  # fmt: skip

# other views
IN_VIEWS = {
    "quarter turn": [
        ("fish", "rocket"), ("candle", "pen"), ("palm tree", "fish"), ("whale", "mushroom"),
        ("umbrella", "snail"), ("violin", "airplane"), ("crescent moon", "banana"), ("mushroom", "snail"),
        ("rabbit", "duck"), ("rabbit face", "duck"), ("duck", "rabbit"), ("rocket", "fish"),
        ("penguin", "fish"), ("tree", "fish"), ("tulip", "fish"), ("light bulb", "fish"),
        ("strawberry", "fish"), ("pine tree", "fish"), ("ghost", "fish"), ("squid", "rocket"),
        ("squid", "airplane"), ("ice cream cone", "shark"), ("sailboat", "shark"), ("penguin", "whale"),
        ("avocado", "whale"), ("eggplant", "whale"), ("boot", "whale"), ("pear", "mouse"),
        ("pineapple", "hedgehog"), ("lollipop", "magnifying glass"),
    ],
    "half turn": [
        ("light bulb", "pear"), ("tulip", "jellyfish"), ("rabbit", "duck"), ("swan", "elephant"),
        ("anchor", "umbrella"), ("house", "shield"), ("crescent moon", "banana"), ("tent", "diamond"),
        ("tree", "octopus"), ("broccoli", "octopus"), ("palm tree", "squid"), ("ice cream cone", "squid"),
        ("snail", "hat"), ("fish", "whale"), ("bird", "fish"), ("teapot", "elephant"), ("swan", "snail"),
        ("flamingo", "umbrella"), ("boot", "axe"), ("carrot", "pine tree"), ("pineapple", "carrot"),
        ("turtle", "bowl of rice"), ("hedgehog", "watermelon"), ("snowman", "light bulb"),
        ("penguin", "avocado"), ("top hat", "bucket"), ("fire", "jellyfish"), ("crown", "octopus"),
        ("duck", "elephant"), ("mouse", "teapot"),
    ],
    "jigsaw": [
        ("pizza", "ladybug"), ("strawberry", "tomato"), ("panda", "soccer ball"), ("globe", "fish"),
        ("cloud", "ghost"), ("sun", "cheese"), ("tree", "frog"), ("cookie", "bread"),
    ],
    "negative": [
        ("penguin", "ghost"), ("skull", "bomb"), ("black cat", "ghost"), ("red apple", "globe"),
        ("snowman", "spider"), ("panda", "soccer ball"), ("sun", "globe"), ("pool ball", "full moon face"),
    ],
}  # fmt: skip
FEW = ("jigsaw", "negative")  # with fewer pairs and seeds

AT_ONCE = 96  # pictures


class Kind(NamedTuple):
    """Pairs of names, and the view in which the second is looked for."""

    pairs: list
    view: object
    seeds: range

    @property
    def looks(self):
        return same, self.view.apply


KINDS = {"anagram": Kind(FLIPPED, FLIP, range(16))} | {
    name: Kind(pairs, VIEWS[name], range(8 if name in FEW else 16))
    for name, pairs in IN_VIEWS.items()
}


def prompts(kind, pair):
    """The two prompts of a pair."""
    first, second = map(called, pair)
    if kind == "negative":  # a negative of white is black
        second = on_background(second, "black")
    return [first, second]


def judged(judge, pair, pictures, looks):
    """How the judge sees pictures (B, 3, 64, 64) in both ways.

    Returns:
        "ranks", "sure": B lists of the rank and of the probability of the right name, in both ways.
    """
    model, names, _ = judge
    ranks, sure = [], []
    for look, name in zip(looks, pair, strict=True):
        seen = look(pictures).clamp(-1, 1)
        ranks.append(name_ranks(judge, seen, [name] * len(seen)))
        sure.append(in_batches(model, seen).softmax(1)[:, names.index(name)])
    return {
        "ranks": [list(both) for both in zip(*ranks, strict=True)],
        "sure": [[round(p.item(), 3) for p in both] for both in zip(*sure, strict=True)],
    }


def control(judge, data, pair, kind):
    """Ranks of both names for drawings of both things, the second turned so that the view shows it."""
    index = [(data.name_index == data.names.index(name)).nonzero()[:, 0] for name in pair]
    first, second = (plain(data, some) for some in index)
    drawings = torch.cat([first, kind.view.invert(second)])
    return judged(judge, pair, drawings, kind.looks)["ranks"]


def surest(sure):
    """Places of a row's seeds; first the one whose less sure way to look is the surest."""
    return sorted(range(len(sure)), key=lambda i: -min(sure[i]))


def pictures_of(model, kind, name, pairs, seeds):
    """Some pairs of a `Kind`, each with its pictures, one for each seed, all drawn at once."""
    both = zip(*(prompts(name, pair) for pair in pairs), strict=True)
    both = [[prompt for prompt in column for _ in seeds] for column in both]
    denoise = visual_anagram(model, both, [kind.view])
    pictures = generate(model, denoise, [*seeds] * len(pairs)).clamp(-1, 1)
    return zip(pairs, pictures.split(len(seeds)), strict=True)


def measured(model, judge, data, name, sheets, most):
    """The rows of one kind, the surest pair first, and its sheet for the eye; at most so many seeds."""
    kind = KINDS[name]
    seeds = kind.seeds[:most]
    rows, drawn = [], {}
    at_once = max(1, AT_ONCE // len(seeds))  # pairs
    for i in tqdm(range(0, len(kind.pairs), at_once), desc=name):
        for pair, pictures in pictures_of(model, kind, name, kind.pairs[i : i + at_once], seeds):
            row = {"pair": pair, **judged(judge, pair, pictures, kind.looks)}
            row["plain"] = control(judge, data, pair, kind)
            order = surest(row["sure"])
            rows.append(row | {"best": seeds[order[0]]})
            drawn[pair] = pictures[order[:6]]
    rows.sort(key=lambda row: -max(map(min, row["sure"])))
    sheet([drawn[row["pair"]] for row in rows], kind.looks, sheets / f"pairs-{name}.png")
    return rows


def sheet(rows, looks, path):
    """Each picture of a row looked at in both ways, one beside the other."""
    shown = [look(x[None]) for row in rows for x in row for look in looks]
    save_sheet(path, torch.cat(shown), columns=len(looks) * len(rows[0]))


def both_within(row, first):
    """From how many seeds both right names are among the judge's first so many."""
    return sum(max(ranks) <= first for ranks in row["ranks"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="the default: all")
    parser.add_argument("--seeds", type=int, default=16, help="at most so many")
    parser.add_argument("--sheets", type=Path, default="runs", help="folder for sheets")
    args = parser.parse_args()
    if unknown := set(args.kinds) - set(KINDS):
        parser.error(f"unknown kind {unknown.pop()}; there are {', '.join(KINDS)}")
    keep_freed_memory()
    model, judge, data = load_pretrained("emoji64"), load_evaluator(), emoji()
    sha256 = digests(WEIGHTS, JUDGE, PATH)
    record = json.loads(FILE.read_text()) if FILE.exists() else {}
    if record.get("sha256") != sha256:
        record = {"sha256": sha256}
    for name in args.kinds or KINDS:
        record[name] = measured(model, judge, data, name, args.sheets, args.seeds)
        for row in record[name]:
            counts = [both_within(row, first) for first in (1, 5)]
            print(name, *row["pair"], "best seed", row["best"], "first, in five", *counts)
        store(FILE, record, indent=None)


if __name__ == "__main__":
    main()
