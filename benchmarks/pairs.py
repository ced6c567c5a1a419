"""Which pairs of things can share one picture? python -m benchmarks.pairs.

The pairs were chosen by hand: for an anagram, outlines that may turn into each other; for a hybrid, things
of like outline and colours, or something in colour and something else with black outlines. Each pair is
drawn from 8 or 16 seeds (see KINDS), guidance 7, 30 steps. The judge looks at each picture in both ways: at
an anagram as it is and in its view, at a hybrid blurred and as it is. For each seed
benchmarks/results/pairs.json has the rank of the right name in both, and how sure of it the judge is; and
the ranks for training drawings, which show one thing only ("plain"). For a hybrid it also has the ranks for
pictures of each prompt alone, looked at in the same way, and those of the second name in the pictures of
the first prompt alone ("alone").

Under "widths" there are the ranks for the pairs with outlines from the first two seeds, with bands split at
other widths.

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
from diffusion_utils.emoji64.captions import STYLES, called, on_background
from diffusion_utils.emoji64.dataset import PATH, emoji
from diffusion_utils.emoji64.judge import WEIGHTS as JUDGE
from diffusion_utils.emoji64.judge import load_evaluator, name_ranks, plain
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.metrics import in_batches
from diffusion_utils.pictures import save_sheet
from diffusion_utils.tasks import generate, hybrid, prompted, visual_anagram
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory
from diffusion_utils.views import FLIP, VIEWS, low_pass, same

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

# from afar, and from close by
NEAR_AND_FAR = [
    ("donkey", "zebra"), ("horse", "zebra"), ("llama", "giraffe"), ("deer", "giraffe"),
    ("lion", "leopard"), ("dog", "leopard"), ("cat", "tiger"), ("dog face", "tiger face"),
    ("fox", "tiger face"), ("butter", "cheese"), ("fish", "tropical fish"), ("cucumber", "cactus"),
    ("sun", "sun with a face"), ("coin", "compass"), ("coin", "stopwatch"), ("cookie", "compass"),
    ("bomb", "pool ball"), ("soap", "game die"), ("potato", "hedgehog"), ("chestnut", "hedgehog"),
    ("banana", "corn"), ("car", "taxi"), ("car", "police car"), ("delivery truck", "ambulance"),
    ("egg", "full moon face"), ("baseball", "soccer ball"), ("sun", "lion"), ("tomato", "target"),
    ("ghost", "skull"), ("basketball", "halloween pumpkin"),
]  # fmt: skip

# from afar in colour, and from close by with black outlines
IN_OUTLINES = [
    ("panda", "skull"), ("koala", "skull"), ("halloween pumpkin", "skull"), ("ghost", "skull"),
    ("robot", "skull"), ("clown face", "skull"), ("monkey face", "skull"), ("polar bear", "skull"),
    ("dog face", "skull"), ("mouse face", "skull"), ("sun", "sunflower"), ("sun", "lion"),
    ("sunflower", "lion"), ("fire", "lion"), ("tiger face", "wolf"), ("fox", "wolf"),
    ("panda", "wolf"), ("dog face", "bear"), ("tomato", "basketball"), ("globe", "basketball"),
    ("cookie", "baseball"), ("lemon", "tropical fish"), ("mushroom", "octopus"), ("jellyfish", "octopus"),
    ("strawberry", "tulip"), ("penguin", "ghost"), ("egg", "baby chick"), ("teddy bear", "koala"),
    ("pig face", "cow face"), ("lemon", "sun with a face"), ("mushroom", "skull"),
    ("green apple", "frog"), ("watermelon", "frog"), ("watermelon", "turtle"), ("lime", "turtle"),
    ("globe", "turtle"), ("red apple", "owl"), ("sunflower", "owl"), ("chestnut", "owl"),
    ("pineapple", "owl"), ("fire", "owl"), ("tomato", "crab"), ("rose", "crab"), ("maple leaf", "crab"),
    ("tomato", "ladybug"), ("tomato", "alarm clock"), ("egg", "snail"), ("doughnut", "snail"),
    ("lemon", "snail"), ("hibiscus", "butterfly"), ("cherry blossom", "butterfly"), ("rainbow", "butterfly"),
    ("peach", "pig face"), ("cheese", "mouse face"), ("mango", "cat face"), ("sun", "clown face"),
    ("coconut", "monkey face"), ("pear", "penguin"), ("pizza", "spider web"), ("strawberry", "octopus"),
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
ALONE = range(4)  # seeds
WIDTHS = (1, 2, 3, 4, 6)  # where the bands are split, in pixels; 2 elsewhere


class Kind(NamedTuple):
    """pairs of names; denoiser(model, prompts); how to look for the first and for the second name.

    back: what undoes the view of an anagram; None for a hybrid.
    """

    pairs: list
    denoiser: object
    looks: tuple
    seeds: range = range(8)
    back: object = None


def in_view(view):
    return lambda model, prompts: visual_anagram(model, prompts, [view])


KINDS = {
    "anagram": Kind(FLIPPED, visual_anagram, (same, FLIP.apply), range(16), FLIP.invert),
    "hybrid": Kind(NEAR_AND_FAR, hybrid, (low_pass(3), same)),
    "hybrid in outlines": Kind(IN_OUTLINES, hybrid, (low_pass(3), same), range(16)),
} | {
    name: Kind(
        pairs,
        in_view(VIEWS[name]),
        (same, VIEWS[name].apply),
        range(8 if name in FEW else 16),
        VIEWS[name].invert,
    )
    for name, pairs in IN_VIEWS.items()
}


def prompts(kind, pair):
    """The two prompts of a pair."""
    first, second = map(called, pair)
    if kind == "negative":  # a negative of white is black
        second = on_background(second, "black")
    if kind == "hybrid in outlines":
        second = f"{second} {STYLES['streamline-emojis']}"
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
    """Ranks of both names for training drawings of a pair, which show one thing.

    For an anagram the drawings of both things, the second turned so that the view shows it; for a hybrid
    those of the thing to be seen from close by.
    """
    index = [(data.name_index == data.names.index(name)).nonzero()[:, 0] for name in pair]
    first, second = (plain(data, some) for some in index)
    drawings = torch.cat([first, kind.back(second)]) if kind.back else second
    return judged(judge, pair, drawings, kind.looks)["ranks"]


def alone(model, judge, name, pair):
    """Ranks of both names, each in four pictures of its prompt alone, looked at as in a hybrid.

    And of the second name in the pictures of the first prompt: how often it is seen where it is not.
    """
    asked = [prompt for prompt in prompts(name, pair) for _ in ALONE]
    pictures = generate(model, prompted(model, asked, gamma=7), [*ALONE] * 2).clamp(-1, 1)
    far, near = pictures.split(len(ALONE))
    from_afar, from_close = KINDS[name].looks
    looked = (pair[0], from_afar(far)), (pair[1], from_close(near)), (pair[1], from_close(far))
    return [name_ranks(judge, seen.clamp(-1, 1), [thing] * len(ALONE)) for thing, seen in looked]


def by_width(model, judge, seeds=range(2)):
    """{width: {"far, near": ranks of both for each seed}} of the pairs with outlines."""
    kind = KINDS["hybrid in outlines"]
    found = {}
    for width in tqdm(WIDTHS, desc="widths"):
        split = kind._replace(
            denoiser=lambda model, asked, width=width: hybrid(model, asked, (width,))
        )
        found[width] = {}
        for i in range(0, len(kind.pairs), AT_ONCE // len(seeds)):
            some = kind.pairs[i : i + AT_ONCE // len(seeds)]
            for pair, pictures in pictures_of(model, split, "hybrid in outlines", some, seeds):
                ranks = judged(judge, pair, pictures, kind.looks)["ranks"]
                found[width][", ".join(pair)] = ranks
    return found


def surest(sure):
    """Places of a row's seeds; first the one whose less sure way to look is the surest."""
    return sorted(range(len(sure)), key=lambda i: -min(sure[i]))


def pictures_of(model, kind, name, pairs, seeds):
    """Some pairs of a `Kind`, each with its pictures, one for each seed, all drawn at once."""
    both = zip(*(prompts(name, pair) for pair in pairs), strict=True)
    both = [[prompt for prompt in column for _ in seeds] for column in both]
    denoise = kind.denoiser(model, both)
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
            if not kind.back:
                row["alone"] = alone(model, judge, name, pair)
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
    if not args.kinds:
        record["widths"] = by_width(model, judge)
    for name in args.kinds or KINDS:
        record[name] = measured(model, judge, data, name, args.sheets, args.seeds)
        for row in record[name]:
            counts = [both_within(row, first) for first in (1, 5)]
            print(name, *row["pair"], "best seed", row["best"], "first, in five", *counts)
        store(FILE, record, indent=None)


if __name__ == "__main__":
    main()
