"""What a word draws that Emoji-64 never saw in training: python -m benchmarks.unseen_words.

data/emoji64/unseen_words.txt has a word for each of 64 things that no training caption has. Draws each
word and, for comparison, each thing's own name (guidance 4, timesteps 990, 960, .., 0, eight seeds), and
lets the evaluator look for the thing. benchmarks/results/emoji64_unseen_words.json has the rank of the right
name for each seed.
"""

import argparse
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from diffusion_utils.emoji64.captions import called
from diffusion_utils.emoji64.judge import WEIGHTS as JUDGE
from diffusion_utils.emoji64.judge import load_evaluator, name_ranks
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.files import ROOT, read_lines
from diffusion_utils.tasks import generate, prompted
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory

FILE = RESULTS / "emoji64_unseen_words.json"
WORDS = ROOT / "data" / "emoji64" / "unseen_words.txt"
GAMMA = 4


def unseen_words():
    """{name: another word for it that no training caption has}"""
    lines = read_lines(WORDS)
    return dict(line.split(": ") for line in lines if line[0] != "#")


def drawn(model, words, seeds):
    """Pictures of all words for each seed in turn, moved to the CPU -> [(B, 3, 64, 64)] in [-1, 1]."""
    denoise = prompted(model, list(map(called, words)), GAMMA)
    return [
        generate(model, denoise, [seed] * len(words)).clamp(-1, 1).cpu()
        for seed in tqdm(seeds, desc=f"{len(words)} words, seeds")
    ]


def by_name(judge, names, pictures):
    """{name: its rank for each seed}, of pictures as `drawn` returns them."""
    ranks = [name_ranks(judge, some, names) for some in pictures]
    return dict(zip(names, zip(*ranks, strict=True), strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only each n-th word")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--out", type=Path, default=FILE)
    args = parser.parse_args()
    keep_freed_memory()
    model, judge = load_pretrained("emoji64"), load_evaluator()
    words = dict([*unseen_words().items()][:: args.every])
    names, seeds = list(words), range(args.seeds)
    record = {"sha256": digests(WEIGHTS, JUDGE, WORDS), "gamma": GAMMA, "words": words}
    for kind, asked in (("word", words.values()), ("name", names)):
        pictures = drawn(model, list(asked), seeds)
        record[kind] = by_name(judge, names, pictures)
        first = torch.tensor([ranks for ranks in record[kind].values()]) == 1
        print(
            f"{kind}: first guess right {first.float().mean():.1%}, by seed", first.sum(0).tolist()
        )
    store(args.out, record, indent=None)


if __name__ == "__main__":
    main()
