"""How well Emoji-64 draws what it is asked for: python -m benchmarks.emoji64_quality.

Draws each trained name once ("a NAME", guidance 4, 30 steps, seed 0), lets the evaluator name the
picture, and writes benchmarks/results/emoji64.json: one entry for each state of the weights that
was measured. With all names at guidance 4 it also writes the rank of each name, and
models/emoji64/unselected.png, every fifth picture.
"""

import argparse
import json

import torch
from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from diffusion_utils.emoji64.captions import called
from diffusion_utils.emoji64.judge import WEIGHTS as JUDGE
from diffusion_utils.emoji64.judge import load_evaluator, ranks, top
from diffusion_utils.emoji64.model import FOLDER, WEIGHTS
from diffusion_utils.files import ROOT, digest
from diffusion_utils.pictures import save_sheet
from diffusion_utils.schedule import spaced_timesteps
from diffusion_utils.tasks import generate, prompted
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runs import read_history
from diffusion_utils.training.runtime import keep_freed_memory

FILE = RESULTS / "emoji64.json"


def draw(model, prompts, seeds, gamma, timesteps, size=20):
    """One picture for each prompt, `size` at a time -> (n, 3, 64, 64) in [-1, 1]."""
    pictures = []
    for i in tqdm(range(0, len(prompts), size), desc="draw"):
        denoise = prompted(model, prompts[i : i + size], gamma)
        pictures.append(generate(model, denoise, seeds[i : i + size], timesteps))
    return torch.cat(pictures).clamp(-1, 1)


def earlier(sha256):
    """What the results file holds: all runs that this evaluator judged, the ranks if of these weights."""
    record = json.loads(FILE.read_text()) if FILE.exists() else {}
    known, judge = record.get("sha256", {}), JUDGE.relative_to(ROOT).as_posix()
    if known.get(judge) != sha256[judge]:
        return {"runs": []}
    if known != sha256:
        record.pop("ranks", None)
    return record


def same_run(run, other):
    """Whether two entries measure the same, so that the later one replaces the earlier."""
    keys = ("weights", "names", "gamma", "sampling_steps")
    return all(run[key] == other[key] for key in keys)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only each n-th name")
    parser.add_argument("--gamma", type=float, default=4)
    parser.add_argument("--steps", type=int, default=30)
    args = parser.parse_args()
    keep_freed_memory()
    evaluator, names, ceiling = load_evaluator()
    labels = torch.arange(0, len(names), args.every)
    model, prompts = load_pretrained("emoji64"), [called(names[i]) for i in labels]
    timesteps = spaced_timesteps(model.schedule.T, args.steps)
    pictures = draw(model, prompts, [0] * len(prompts), args.gamma, timesteps)
    found = ranks(evaluator, pictures, labels)
    runs = [read_history(FOLDER / part / "history.csv") for part in ("base", "refiner")]
    result = {
        "weights": digest(WEIGHTS),
        "hours": sum(rows[-1].seconds for rows in runs) / 3600,
        "steps": [rows[-1].step for rows in runs],
        "names": len(labels),
        "gamma": args.gamma,
        "sampling_steps": args.steps,
        "top1": top(found, 1),
        "top5": top(found, 5),
        "ranks": (1 + found).tolist(),
        "ceiling": ceiling,
    }
    sha256 = digests(WEIGHTS, JUDGE)
    record = earlier(sha256) | {"sha256": sha256}
    record["runs"] = [r for r in record["runs"] if not same_run(r, result)] + [result]
    if (args.every, args.gamma, args.steps) == (1, 4, 30):
        save_sheet(FOLDER / "unselected.png", pictures[::5], columns=20)
        record["ranks"] = dict(zip(names, (1 + found).tolist(), strict=True))
    store(FILE, record)
    share = {k: result[k] / ceiling[k] for k in ("top1", "top5")}
    print(json.dumps(result, indent=1))
    print(f"share of the ceiling: top-1 {share['top1']:.1%}, top-5 {share['top5']:.1%}")


if __name__ == "__main__":
    main()
