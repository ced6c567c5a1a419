"""Do others than the judge see both things of a hybrid? python -m benchmarks.hybrid_naming.

Draws seed 0 of each pair of benchmarks.pairs' "hybrid in outlines", all of them, into two sheets of numbered
pictures in models/emoji64/naming: hybrids-near.png as they are, hybrids-far.png blurred. `--count` counts
the answers in naming/hybrids-near-*.txt and hybrids-far-*.txt, one "NUMBER: thing" a line: those of
vision-language models, asked afresh, that saw one sheet only. benchmarks/results/hybrid_naming.json has
for each file whether the answer is right for each pair, and for comparison whether the judge's is.
"""

import argparse
import json

from benchmarks._results import RESULTS, digests, store
from benchmarks.emoji64_sheets import OUT, SYNONYMS, right, sheet, shuffled
from benchmarks.pairs import IN_OUTLINES, KINDS, judged, pictures_of
from diffusion_utils.emoji64.judge import WEIGHTS as JUDGE
from diffusion_utils.emoji64.judge import load_evaluator
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory

FILE = RESULTS / "hybrid_naming.json"
KIND = "hybrid in outlines"
SEES = ("far", "near")  # the order of a pair, and of how the judge looks


def draw():
    """Both sheets, and what the judge names right -> {"far", "near": one bool for each pair}"""
    model, judge = load_pretrained("emoji64"), load_evaluator()
    pictures = dict(pictures_of(model, KINDS[KIND], KIND, IN_OUTLINES, range(1)))
    order = shuffled(len(IN_OUTLINES))
    numbers = [str(i + 1) for i in range(len(order))]
    for sees, look in zip(SEES, KINDS[KIND].looks, strict=True):
        shown = [look(pictures[IN_OUTLINES[i]])[0].clamp(-1, 1) for i in order]
        sheet(OUT / f"hybrids-{sees}.png", shown, numbers, columns=10)
    ranks = [
        judged(judge, pair, pictures[pair], KINDS[KIND].looks)["ranks"][0] for pair in IN_OUTLINES
    ]
    return {
        sees: [rank == 1 for rank in some]
        for sees, some in zip(SEES, zip(*ranks, strict=True), strict=True)
    }


def counted(text, names):
    """Which answers are right, one bool for each name; the answers are numbered in shuffled order."""
    synonyms = json.loads(SYNONYMS.read_text())
    answers = dict(line.split(":", 1) for line in text.splitlines() if line)
    found = [False] * len(names)
    for number, index in enumerate(shuffled(len(names)), 1):
        found[index] = right(answers.get(str(number), ""), names[index], synonyms)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", action="store_true", help="count the answers")
    args = parser.parse_args()
    if not args.count:
        keep_freed_memory()
        store(FILE, {"sha256": digests(WEIGHTS, JUDGE), "pairs": IN_OUTLINES, "judge": draw()})
        return
    record = json.loads(FILE.read_text())
    for sees, names in zip(SEES, zip(*IN_OUTLINES, strict=True), strict=True):
        files = sorted(OUT.glob(f"hybrids-{sees}-*.txt"))
        record[sees] = {path.name: counted(path.read_text(), names) for path in files}
        print(sees, {name: sum(found) for name, found in record[sees].items()})
    store(FILE, record, indent=None)


if __name__ == "__main__":
    main()
