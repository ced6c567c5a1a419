"""Whether resampling smooths the seam of inpainting: python -m benchmarks.inpainting.

Fills the holes of chapter 1.7.2 from several seeds with the name of the picture as the prompt, taking
each step 1, 2, 4 and 8 times, without guidance and with it, and writes the seam of each result, and of
the pictures as they are, to benchmarks/results/inpainting.json.
"""

import argparse
import json
from itertools import product

from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.metrics import seam
from diffusion_utils.pictures import HOLES, IMAGES, hole, shipped_image
from diffusion_utils.tasks import inpaint, prompted
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory

PROMPT = "a {}"  # what stands in the picture
GAMMAS = (1, 3)
TIMES = (1, 2, 4, 8)


def rows(model, name, seeds):
    """The seam of each seed's result in one picture, for each gamma and number of times."""
    image, mask = shipped_image(name), hole(*HOLES[name])
    for gamma, times in tqdm([*product(GAMMAS, TIMES)], desc=name):
        denoise = prompted(model, PROMPT.format(name), gamma)
        filled = inpaint(model, denoise, image, mask, seeds, times)
        seams = seam(filled.clamp(-1, 1), mask).tolist()
        yield {"picture": name, "gamma": gamma, "times": times, "seam": seams}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10, help="how many, from 0 on")
    args = parser.parse_args()
    keep_freed_memory()
    model = load_pretrained("emoji64")
    result = {
        "prompt": PROMPT,
        "seeds": args.seeds,
        "original": {
            name: seam(shipped_image(name)[None], hole(*corners)).item()
            for name, corners in HOLES.items()
        },
        "rows": [row for name in HOLES for row in rows(model, name, range(args.seeds))],
        "sha256": digests(WEIGHTS, *(IMAGES / f"{name}.png" for name in HOLES)),
    }
    store(RESULTS / "inpainting.json", result)
    print(json.dumps(result["rows"]))


if __name__ == "__main__":
    main()
