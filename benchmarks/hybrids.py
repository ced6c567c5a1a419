"""How often are both things of a hybrid image seen? python -m benchmarks.hybrids.

Draws each pair of PAIRS, something in colour and something else with black outlines, from four seeds: each
thing alone, their mixture, what becomes of it from several timesteps on, and the hybrid from noise. The
judge looks for the far thing in the picture blurred by 3 pixels, and for the near one in the picture as it
is; benchmarks/results/hybrids.json has the ranks of both right names.

Seed 0 of all pairs becomes two sheets of numbered pictures for each way of SHEETS, in models/emoji64/naming:
hybrids-WAY-near.png as they are, and hybrids-WAY-far.png blurred. `--count` counts the answers in
hybrids-WAY-near-*.txt and hybrids-WAY-far-*.txt: those of vision-language models, asked afresh, that saw one
sheet only and named one thing a picture, or near also two ("NUMBER: thing; thing").
"""

import argparse
import json
from itertools import product

from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from benchmarks.emoji64_sheets import OUT, SYNONYMS, read_answers, right, sheet, shuffled
from diffusion_utils.emoji64.captions import STYLES, called
from diffusion_utils.emoji64.judge import WEIGHTS as JUDGE
from diffusion_utils.emoji64.judge import load_evaluator, name_ranks
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.tasks import TIMESTEPS, generate, hybrid, prompted, sdedit
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory
from diffusion_utils.views import low_pass, mixed

FILE = RESULTS / "hybrids.json"

# from afar in colour, and from close by with black outlines
PAIRS = [
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

SEEDS = range(4)
SIGMA, GAMMA = 2.0, 7.0
STARTS = (210, 390, 570, 780, 990)  # timesteps; at the last one nothing is left of the mixture
SHEETS = ("alone", "mixture", "210", "390", "990")
blurred = low_pass(3.0)


def prompts(pairs):
    """[the far prompts, the near ones]."""
    near = STYLES["streamline-emojis"]
    return [[called(far) for far, _ in pairs], [f"{called(thing)} {near}" for _, thing in pairs]]


def drawn(model, pairs, seeds):
    """Pictures (B, 3, 64, 64) of B pairs, one seed each: {"far", "near", "mixture" or a start: pictures}."""
    far, near = prompts(pairs)
    alone = [generate(model, prompted(model, one, GAMMA), seeds) for one in (far, near)]
    found = {"far": alone[0], "near": alone[1], "mixture": mixed(alone, SIGMA)}
    denoise = hybrid(model, [far, near], (SIGMA,), GAMMA)
    for t in STARTS[:-1]:
        found[str(t)] = sdedit(model, denoise, found["mixture"], TIMESTEPS.index(t), seeds)
    found[str(STARTS[-1])] = generate(model, denoise, seeds)
    return {name: pictures.clamp(-1, 1) for name, pictures in found.items()}


def ranks(judge, pairs, pictures):
    """The ranks of both names of each pair: far in the blurred pictures, near in them as they are."""
    far, near = (list(names) for names in zip(*pairs, strict=True))
    looked = (blurred(pictures).clamp(-1, 1), far), (pictures, near)
    return [*zip(*(name_ranks(judge, *both) for both in looked), strict=True)]


def measured(model, judge):
    """{"far", "near", "mixture" or a start: {seed: both ranks of each pair}}; draws the sheets on the way."""
    found = {}
    for seed in tqdm(SEEDS, desc="seeds"):
        pictures = drawn(model, PAIRS, [seed] * len(PAIRS))
        for name, some in pictures.items():
            found.setdefault(name, {})[seed] = ranks(judge, PAIRS, some)
        if seed == SEEDS[0]:
            draw_sheets(pictures)
    return found


def draw_sheets(pictures):
    """Both sheets for each way of SHEETS, from what `drawn` returns; "alone" is each thing alone."""
    order = shuffled(len(PAIRS))
    numbers = [str(i + 1) for i in range(len(order))]
    for way in SHEETS:
        near, far = (pictures[thing if way == "alone" else way] for thing in ("near", "far"))
        for name, some in {"near": near, "far": blurred(far).clamp(-1, 1)}.items():
            sheet(OUT / f"hybrids-{way}-{name}.png", some[order], numbers, columns=10)


def seen(answers, names):
    """Whether each name is among what was named; the answers are in shuffled order."""
    synonyms = json.loads(SYNONYMS.read_text())
    found = [False] * len(names)
    for number, index in enumerate(shuffled(len(names)), 1):
        things = answers.get(number, "").split(";")
        found[index] = any(right(thing, names[index], synonyms) for thing in things)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", action="store_true", help="count the answers")
    args = parser.parse_args()
    if not args.count:
        keep_freed_memory()
        sha256 = digests(WEIGHTS, JUDGE)
        found = measured(load_pretrained("emoji64"), load_evaluator())
        store(FILE, {"sha256": sha256, "pairs": PAIRS, "ranks": found}, indent=None)
        return
    record = json.loads(FILE.read_text())
    names = dict(zip(("far", "near"), zip(*PAIRS, strict=True), strict=True))
    record["seen"] = {way: {} for way in SHEETS}
    for way, thing in product(SHEETS, names):
        paths = sorted(OUT.glob(f"hybrids-{way}-{thing}-*.txt"))
        found = [seen(read_answers(path), names[thing]) for path in paths]
        print(way, thing, *map(sum, found))
        record["seen"][way][thing] = found
    store(FILE, record, indent=None)


if __name__ == "__main__":
    main()
