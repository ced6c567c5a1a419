"""When does the prompt decide? python -m benchmarks.prompt_switch.

Pairs each trained name with the one half the list away. Draws each pair without guidance, 30 steps: the
loop begins with the prompt of the first name, and goes on with that of the second after some of the
steps. The pictures of a pair all start from the same noise, each pair from its own. For each change
benchmarks/results/prompt_switch.json has the rank of both names in the evaluator's list, and where the
colour and the outline lie on the way from the picture of the second prompt alone to that of the first.
"""

import argparse

import torch
from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from diffusion_utils.emoji64.captions import called
from diffusion_utils.emoji64.judge import WEIGHTS as JUDGE
from diffusion_utils.emoji64.judge import load_evaluator, name_ranks
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.tasks import TIMESTEPS, generate
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory

CHANGES = (0, 2, 4, 6, 8, 10, 15, 23, 33)  # after so many steps; 0: at once, 33: never


def outline(pictures):
    """Which pixels are not white: (B, 3, 64, 64) in [-1, 1] -> (B, 1, 64, 64) of 0 and 1."""
    return (pictures.amin(1, keepdim=True) < 0.8).float()


def colour(pictures):
    """The mean colour of the pixels that are not white -> (B, 3)."""
    drawn = outline(pictures)
    return (pictures * drawn).sum((2, 3)) / drawn.sum((2, 3)).clamp(min=1)


def along(part, pictures, first, second):
    """How far a part of the pictures is on the way from that of `second` to that of `first`.

    Returns:
        two lists, one number for each picture: the inner product with the way, and the square of
        the way's length. Their quotient is 0 at `second`, 1 at `first`.
    """
    here, one, two = (part(images).flatten(1) for images in (pictures, first, second))
    way = one - two
    products = ((here - two) * way).sum(1), way.square().sum(1)
    return [[round(value, 4) for value in values.tolist()] for values in products]


def switched(model, pairs, seeds, k, size=100):
    """Pictures whose prompt changes after k steps, one for each pair -> (B, 3, 64, 64) on the CPU."""
    pictures = []
    for i in tqdm(range(0, len(pairs), size), desc=f"after {k} steps"):
        names = zip(*pairs[i : i + size], strict=True)
        first, second = (model.denoiser([called(name) for name in some]) for some in names)

        def denoise(x_t, t, first=first, second=second):
            return (first if t > TIMESTEPS[k] else second)(x_t, t)

        pictures.append(generate(model, denoise, seeds[i : i + size]).cpu())
    return torch.cat(pictures).clamp(-1, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only each n-th pair")
    args = parser.parse_args()
    keep_freed_memory()
    model, judge = load_pretrained("emoji64"), load_evaluator()
    names, half = judge[1], len(judge[1]) // 2
    pairs = list(zip(names, names[half:] + names[:half], strict=True))[:: args.every]
    drawn = {k: switched(model, pairs, range(len(pairs)), k) for k in CHANGES}
    ends = drawn[CHANGES[-1]], drawn[CHANGES[0]]
    rows = [
        {
            "t": TIMESTEPS[k],
            "ranks": [name_ranks(judge, pictures, some) for some in zip(*pairs, strict=True)],
            "colour": along(colour, pictures, *ends),
            "outline": along(outline, pictures, *ends),
        }
        for k, pictures in drawn.items()
    ]
    result = {"pairs": pairs, "rows": rows, "sha256": digests(WEIGHTS, JUDGE)}
    store(RESULTS / "prompt_switch.json", result, indent=None)


if __name__ == "__main__":
    main()
