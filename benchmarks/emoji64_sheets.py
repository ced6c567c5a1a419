"""What is seen in Emoji-64's pictures: python -m benchmarks.emoji64_sheets.

Draws sheets into models/emoji64/naming: every fifth name in shuffled order, numbered, without names, and
sheets of colours, backgrounds, other words, words that training never shows, styles and the chapters'
prompts. `--count` counts the answers in naming/blind-answers-*.txt, one "NUMBER: thing" a line: an answer is
right if it is the name or one of its synonyms in benchmarks/naming.json. Each file holds the answers of a
vision-language model, asked afresh, that saw only the numbered pictures; see `read_answers`.
"""

import argparse
import json
from textwrap import fill

import matplotlib.pyplot as plt
import torch

from benchmarks._results import RESULTS, digests, store
from benchmarks.emoji64_quality import draw
from benchmarks.unseen_words import unseen_words
from diffusion_utils.emoji64.captions import COLOURS, STYLES, called, coloured, on_background
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.model import FOLDER, WEIGHTS
from diffusion_utils.files import ROOT, atomic, digest, read_lines
from diffusion_utils.tasks import TIMESTEPS
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory

GAMMA = 4
FILE = RESULTS / "emoji64_naming.json"
OUT = FOLDER / "naming"
SYNONYMS = ROOT / "benchmarks" / "naming.json"
THINGS = "car, apple, t-shirt, cat, flower, house, umbrella, fish".split(", ")
WORDS = (
    "hound, spaceship, cup of coffee, kitten, pony, bunny, puppy, piglet, "
    "sneaker, automobile, aeroplane, sailing ship, steam engine, lorry, cab, scooter, "
    "wizard, knight's shield, royal crown, treasure, gold ring, wristwatch, spectacles, bowtie, "
    "burger, noodles, lemonade, espresso, beer, red wine, cheddar, loaf of bread, "
    "tulip bulb, oak, fir tree, palm, seaside wave, storm, blizzard flake, sunshine, "
    "cottage, skyscraper, cathedral, fortress, factory chimney, hospital building, camp tent, igloo hut, "
    "hand drill, hand saw, axe for wood, spanner, ladder steps, bucket of water, painter's brush, ballpoint, "
    "tortoise, whale shark, crab with claws, honey bee, grizzly, kitty, rodent, poultry"
).split(", ")
PROMPTS = (
    "rocket ship, broccoli, ninja, snowman, red apple, pencil, penguin, dog, "
    "mushroom, cactus, sailboat, butterfly, campfire, skull, house"
).split(", ")


def sheet(path, pictures, labels, columns):
    """Write pictures, three times their size, with a label below each, to a PNG."""
    rows = -(-len(pictures) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(2.1 * columns, 2.35 * rows), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, picture, label in zip(axes.flat, pictures, labels, strict=False):
        ax.imshow((picture.permute(1, 2, 0) + 1) / 2, interpolation="nearest")
        ax.set_title(fill(label, 20), fontsize=9, y=-0.02, va="top")
    with atomic(path) as partial:
        fig.savefig(partial, format="png", dpi=96, bbox_inches="tight")
    plt.close(fig)


def shuffled(count):
    """The order in which pictures are shown: their places in the alphabetical list."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(0)).tolist()


def naming_sheets(model, names):
    """Every fifth name, seed 0, plain prompt, shuffled and numbered from 1, 34 pictures a sheet."""
    pictures = draw(model, list(map(called, names)), [0] * len(names), GAMMA, TIMESTEPS)
    order = shuffled(len(names))
    for first in range(0, len(order), 34):
        part = order[first : first + 34]
        labels = [str(first + i + 1) for i in range(len(part))]
        sheet(OUT / f"blind-{first // 34 + 1}.png", pictures[part], labels, columns=7)


def prompt_sheets(model):
    """8 x 8 colours, backgrounds, other and held-out words; 8 names in 7 styles; 15 prompts, 5 seeds."""
    eight = [c for c in COLOURS if c not in ("black", "grey")]
    names = ["rocket", "red apple", "dog", "car", "house", "cactus", "penguin", "crown"]
    styles = [f"{called(n)} {style}" for n in names for style in STYLES.values()]
    sheets = {
        "colours": [coloured(thing, c) for thing in THINGS for c in eight],
        "backgrounds": [on_background(called(t), c) for t in THINGS for c in eight],
        "words": list(map(called, WORDS)),
        "unseen_words": list(map(called, unseen_words().values())),
        "styles": styles,
        "prompts": [called(p) for p in PROMPTS for _ in range(5)],
    }
    for name, prompts in sheets.items():
        columns = {"styles": 7, "prompts": 5}.get(name, 8)
        seeds = [i % columns for i in range(len(prompts))]
        pictures = draw(model, prompts, seeds, GAMMA, TIMESTEPS)
        sheet(OUT / f"{name}.png", pictures, prompts, columns)


def read_answers(path):
    """A file of answers -> {number: answer}.

    It begins with a line for each sheet that was seen, as `sha256sum` writes it, so that no answer counts
    for other pictures than those it is about.

    Raises:
        ValueError: a line is neither, or there is no sheet, or it is another one now.
    """
    answers, sheets = {}, 0
    for line in read_lines(path):
        number, colon, answer = line.partition(":")
        if colon and number.isdecimal():
            answers[int(number)] = answer.strip()
            continue
        sha256, _, name = line.partition("  ")
        sheets += 1
        if not (path.parent / name).is_file() or digest(path.parent / name) != sha256:
            raise ValueError(
                f"{path} says {line!r}, which is neither `NUMBER: thing` nor the `sha256sum` of a sheet "
                "as it is now; have the sheets that are there named again"
            )
    if not sheets:
        raise ValueError(f"{path} does not say which sheet was seen; begin it with its `sha256sum`")
    return answers


def right(answer, name, synonyms):
    """Whether an answer is the name or a synonym; case and a leading article do not matter."""
    words = answer.lower().strip().removeprefix("a ").removeprefix("an ")
    return words in (name, *synonyms.get(name, ()))


def count(path, names):
    """How many answers of a file are right -> (count, {name: wrong answer})."""
    synonyms, order = json.loads(SYNONYMS.read_text()), shuffled(len(names))
    answers, wrong = read_answers(path), {}
    for number, index in enumerate(order, 1):
        answer = answers.get(number, "")
        if not right(answer, names[index], synonyms):
            wrong[names[index]] = answer
    return len(order) - len(wrong), wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", action="store_true", help="count the answers")
    args = parser.parse_args()
    names = emoji().names[::5]
    if args.count:
        result = json.loads(FILE.read_text())  # of the sheets
        found = {path.name: count(path, names) for path in sorted(OUT.glob("blind-answers-*.txt"))}
        result["right"] = {name: number for name, (number, _) in found.items()}
        result["wrong"] = {name: wrong for name, (_, wrong) in found.items()}
        store(FILE, result)
        print(json.dumps(result, indent=1))
        return
    keep_freed_memory()
    OUT.mkdir(exist_ok=True)
    model = load_pretrained("emoji64")
    sha256 = digests(WEIGHTS)
    naming_sheets(model, names)
    store(FILE, {"sha256": sha256, "pictures": len(names), "right": {}, "wrong": {}})
    prompt_sheets(model)


if __name__ == "__main__":
    main()
