"""What guidance gains, and what it costs: python -m benchmarks.guidance.

Draws each trained name ("a NAME", 30 steps) from two seeds at each guidance scale, and writes
benchmarks/results/guidance.json: of each picture the rank of its name in the evaluator's list; of each
name how far apart its two pictures are, in the evaluator's last features and pixel by pixel (root mean
square); and how far its picture of the first seed is from that of the name half the list away.
"""

import argparse

import torch

from benchmarks._results import RESULTS, digests, store
from benchmarks.emoji64_quality import draw
from diffusion_utils.emoji64.captions import called
from diffusion_utils.emoji64.judge import WEIGHTS as JUDGE
from diffusion_utils.emoji64.judge import load_evaluator, name_ranks
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.metrics import in_batches
from diffusion_utils.tasks import TIMESTEPS
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory

GAMMAS = (1, 2, 4, 7, 12)
SEEDS = (0, 1)


def rounded(values):
    return [round(value, 4) for value in values.tolist()]


def measured(judge, one, other, names):
    """Of two pictures of each name, (B, 3, 64, 64) each: their ranks and how far apart they are."""
    features, others = (in_batches(judge[0][:-1], pictures) for pictures in (one, other))
    return {
        "ranks": [name_ranks(judge, pictures, names) for pictures in (one, other)],
        "apart": rounded((features - others).norm(dim=1)),
        "pixels": rounded((one - other).square().mean((1, 2, 3)).sqrt()),
        "another": rounded((features - features.roll(len(names) // 2, 0)).norm(dim=1)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only each n-th name")
    args = parser.parse_args()
    keep_freed_memory()
    model, judge = load_pretrained("emoji64"), load_evaluator()
    names = judge[1][:: args.every]
    prompts = [called(name) for name in names]
    record = {"names": names, "seeds": SEEDS, "sha256": digests(WEIGHTS, JUDGE), "rows": []}
    for gamma in GAMMAS:
        both = [
            draw(model, prompts, [seed] * len(names), gamma, TIMESTEPS, 100).cpu() for seed in SEEDS
        ]
        row = {"gamma": gamma, **measured(judge, *both, names)}
        record["rows"].append(row)
        right = (torch.tensor(row["ranks"]) == 1).double().mean().item()
        apart = torch.tensor(row["apart"]).mean().item()
        print(f"gamma {gamma}: {right:.1%} named right, {apart:.2f} apart")
    store(RESULTS / "guidance.json", record, indent=None)


if __name__ == "__main__":
    main()
