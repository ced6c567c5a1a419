"""How far a picture can be changed by noise and a prompt: python -m benchmarks.edits.

Two measurements of image to image (chapters 1.7 and 1.7.3), each in benchmarks/results/edits.json:

shapes: drawings reduced to blocks of one colour and redrawn with their name, and without it. Of each
    start: how far the blocks of the result are from those given (root mean square), and the place
    of the right name in the judge's list.
forces: the shipped pictures and prompts of chapter 1.7.3, from several seeds, for each start and each
    guidance scale. The places of both names.

The drawings are of the style that the judge has not seen; the network has.
"""

import argparse

import torch
import torch.nn.functional as F
from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from diffusion_utils.emoji64.captions import called
from diffusion_utils.emoji64.dataset import emoji
from diffusion_utils.emoji64.judge import WEIGHTS as JUDGE
from diffusion_utils.emoji64.judge import held_out, load_evaluator, name_ranks
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.pictures import IMAGES, shipped_image
from diffusion_utils.tasks import TIMESTEPS, generate, prompted, sdedit
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory

FILE = RESULTS / "edits.json"
BATCH = 96
NAMELESS = "a high quality photo"
FROM_SHAPES = (20, 16, 13, 10, 7, 4)  # i_start: t = 390, 510, 600, 690, 780, 870
FROM_THINGS = (22, 20, 18, 16, 14, 12, 10, 7)  # 330, 390, 450, 510, 570, 630, 690, 780
GAMMAS = (1, 3, 7, 15)
CHANGES = (  # a shipped picture, a prompt, and the name that the judge has for it
    ("mushroom", "an umbrella", "umbrella"),
    ("sailboat", "a volcano", "volcano"),
    ("mushroom", "a broccoli", "broccoli"),
    ("sailboat", "a rocket ship", "rocket"),
)


def blocks(images, size=8):
    """Each block of size x size pixels in its mean colour: (B, 3, 64, 64) -> the same."""
    return F.interpolate(F.avg_pool2d(images, size), scale_factor=size, mode="nearest")


def redrawn(model, prompts, images, i_start, seeds, gamma):
    """Each image noised to a start and denoised with its prompt -> (B, 3, 64, 64) in [-1, 1].

    i_start = None starts from pure noise, without the image.
    """
    results = []
    for i in range(0, len(prompts), BATCH):
        some = slice(i, i + BATCH)
        denoise = prompted(model, prompts[some], gamma)
        if i_start is None:
            drawn = generate(model, denoise, seeds[some])
        else:
            drawn = sdedit(model, denoise, images[some], i_start, seeds[some])
        results.append(drawn.clamp(-1, 1).cpu())
    return torch.cat(results)


def distance(results, images):
    """Root mean square over the pixels of each picture -> a list."""
    return [round(d, 4) for d in (results - images).square().mean((1, 2, 3)).sqrt().tolist()]


def shapes(model, judge, drawings, names, gamma=5):
    """{prompt: {t: ranks and distances}}; t = 0 stands for the blocks themselves, 990 for pure noise."""
    given, seeds = blocks(drawings), range(len(names))
    prompts = {"name": [called(name) for name in names], NAMELESS: [NAMELESS] * len(names)}
    found = {"names": names, "gamma": gamma}
    for kind, asked in prompts.items():
        pictures = {0: given}
        for i in tqdm((*FROM_SHAPES, None), desc=f"shapes, {kind}"):
            t = TIMESTEPS[i or 0]
            pictures[t] = redrawn(model, asked, given, i, seeds, gamma)
        found[kind] = {
            t: {"rank": name_ranks(judge, x, names), "distance": distance(blocks(x), given)}
            for t, x in pictures.items()
        }
    return found


def places(judge, results, sources, targets):
    """The places of both names in the judge's list, for each picture."""
    ranks = (name_ranks(judge, results, names) for names in (sources, targets))
    return [list(both) for both in zip(*ranks, strict=True)]


def forces(model, judge, seeds):
    """For each change, guidance scale and start: the places of both names, for each seed."""
    rows = []
    for picture, prompt, target in tqdm(CHANGES, desc="forces"):
        images = shipped_image(picture).expand(seeds, -1, -1, -1)
        both = [picture] * seeds, [target] * seeds
        for gamma in GAMMAS:
            row = {"of": picture, "to": target, "gamma": gamma}
            for i in FROM_THINGS:
                results = redrawn(model, [prompt] * seeds, images, i, range(seeds), gamma)
                row[TIMESTEPS[i]] = places(judge, results, *both)
            rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--every", type=int, default=4, help="only each n-th drawing")
    parser.add_argument("--seeds", type=int, default=16, help="of each of the four changes")
    args = parser.parse_args()
    keep_freed_memory()
    model, judge = load_pretrained("emoji64"), load_evaluator()
    drawings = held_out(emoji())[0]
    some = slice(None, None, args.every)
    result = {
        "shapes": shapes(model, judge, drawings[some], judge[1][some]),
        "forces": forces(model, judge, args.seeds),
        "sha256": digests(WEIGHTS, JUDGE, IMAGES / "mushroom.png", IMAGES / "sailboat.png"),
    }
    store(FILE, result, indent=None)


if __name__ == "__main__":
    main()
