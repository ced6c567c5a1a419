"""How often are both things of a hybrid image seen? python -m benchmarks.hybrids.

Draws each pair of PAIRS, something in colour and something else with black outlines, from four seeds: each
thing alone, their mixture, what becomes of it from several timesteps on, and the hybrid from noise. The
judge looks for the far thing in the picture blurred by 3 pixels, and for the near one in the picture as it
is; benchmarks/results/hybrids.json has the ranks of both right names.

Seed 0 of all pairs becomes a sheet of numbered pictures for each start of SHEETS, in models/emoji64/naming.
`--count` counts the answers in naming/hybrids-START-*.txt: those of vision-language models, asked afresh,
that saw one sheet only and named one thing a picture, or two ("NUMBER: thing; thing").
"""

import argparse
import json

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
SHEETS = ("mixture", "210", "390", "990")
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
            if seed == 0 and name in SHEETS:
                order = shuffled(len(PAIRS))
                numbers = [str(i + 1) for i in range(len(order))]
                sheet(OUT / f"hybrids-{name}.png", some[order], numbers, columns=10)
    return found


def seen(answers, pairs):
    """Whether the far and the near thing of each pair are among what was named; answers in shuffled order."""
    synonyms = json.loads(SYNONYMS.read_text())
    found = [None] * len(pairs)
    for number, index in enumerate(shuffled(len(pairs)), 1):
        things = answers.get(number, "").split(";")
        found[index] = [
            any(right(thing, name, synonyms) for thing in things) for name in pairs[index]
        ]
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
    record["seen"] = {}
    for start in SHEETS:
        for path in sorted(OUT.glob(f"hybrids-{start}-*.txt")):
            record["seen"].setdefault(start, []).append(both := seen(read_answers(path), PAIRS))
            print(path.name, "far, near:", *map(sum, zip(*both, strict=True)))
    store(FILE, record, indent=None)


if __name__ == "__main__":
    main()
