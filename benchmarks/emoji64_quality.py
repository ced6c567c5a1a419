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

from diffusion_utils.emoji64.captions import article
from diffusion_utils.emoji64.judge import WEIGHTS, load_evaluator, ranks, top
from diffusion_utils.emoji64.model import FOLDER
from diffusion_utils.files import ROOT, atomic, digest
from diffusion_utils.pictures import save_sheet
from diffusion_utils.schedule import spaced_timesteps
from diffusion_utils.tasks import generate, prompted
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runs import read_history
from diffusion_utils.training.runtime import keep_freed_memory

RESULTS = ROOT / "benchmarks" / "results" / "emoji64.json"


def draw(model, names, gamma, steps, batch=20):
    """One picture for each name, all from seed 0 -> (n, 3, 64, 64)."""
    timesteps = spaced_timesteps(model.schedule.T, steps)
    pictures = []
    for start in tqdm(range(0, len(names), batch), desc="draw"):
        prompts = [f"{article(name)} {name}" for name in names[start : start + batch]]
        denoise = prompted(model, prompts, gamma)
        pictures.append(generate(model, denoise, [0] * len(prompts), timesteps))
    return torch.cat(pictures).clamp(-1, 1)


def unselected_sheet(pictures):
    """Write every fifth picture, in the order of the names, to a PNG of 20 columns."""
    save_sheet(FOLDER / "unselected.png", pictures[::5], columns=20)


def digests():
    """SHA-256 of what is measured: the generator's weights, and the evaluator's."""
    measured = [FOLDER / "unet" / "model.safetensors", WEIGHTS]
    return {path.relative_to(ROOT).as_posix(): digest(path) for path in measured}


def earlier(sha256):
    """What the results file holds: all runs that this evaluator judged, the ranks if of these weights."""
    record = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known, judge = record.get("sha256", {}), WEIGHTS.relative_to(ROOT).as_posix()
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
    pictures = draw(load_pretrained("emoji64"), [names[i] for i in labels], args.gamma, args.steps)
    found = ranks(evaluator, pictures, labels)
    runs = [read_history(FOLDER / part / "history.csv") for part in ("base", "refiner")]
    result = {
        "weights": digest(FOLDER / "unet" / "model.safetensors"),
        "hours": sum(rows[-1].seconds for rows in runs) / 3600,
        "steps": [rows[-1].step for rows in runs],
        "names": len(labels),
        "gamma": args.gamma,
        "sampling_steps": args.steps,
        "top1": top(found, 1),
        "top5": top(found, 5),
        "ceiling": ceiling,
    }
    sha256 = digests()
    record = earlier(sha256) | {"sha256": sha256}
    record["runs"] = [r for r in record["runs"] if not same_run(r, result)] + [result]
    if (args.every, args.gamma, args.steps) == (1, 4, 30):
        unselected_sheet(pictures)
        record["ranks"] = dict(zip(names, (1 + found).tolist(), strict=True))
    with atomic(RESULTS) as partial:
        partial.write_text(json.dumps(record, indent=1) + "\n")
    share = {k: result[k] / ceiling[k] for k in ("top1", "top5")}
    print(json.dumps(result, indent=1))
    print(f"share of the ceiling: top-1 {share['top1']:.1%}, top-5 {share['top5']:.1%}")


if __name__ == "__main__":
    main()
