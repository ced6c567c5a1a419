"""Do a prompt and resampling make the filling of a hole fit? python -m benchmarks.inpainting.

Cuts the same hole into drawings of the style that the judge never saw, and fills it with each of two
prompts, the name of the drawing and one without a name, taking each step 1, 2, 4 and 8 times; guidance 3,
seed 0. benchmarks/results/inpainting.json has the seam of each picture, and the rank of its name
in the judge's list. The same for the drawings as they are, and for a white hole.
"""

import argparse

import torch
from tqdm import tqdm

from benchmarks._results import RESULTS, digests, store
from diffusion_utils.emoji64.captions import called
from diffusion_utils.emoji64.dataset import PATH, emoji
from diffusion_utils.emoji64.judge import WEIGHTS as JUDGE
from diffusion_utils.emoji64.judge import held_out, load_evaluator, name_ranks
from diffusion_utils.emoji64.model import WEIGHTS
from diffusion_utils.metrics import seam
from diffusion_utils.pictures import hole
from diffusion_utils.tasks import inpaint, prompted
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.training.runtime import keep_freed_memory

FILE = RESULTS / "inpainting.json"
PHOTO = "a high quality photo"  # of what, it does not say
GAMMA = 3
TIMES = (1, 2, 4, 8)
HOLE = (12, 8, 52, 40)


def measured(judge, pictures, names, mask):
    """The seam of each picture, and the rank of its name."""
    pictures = pictures.clamp(-1, 1)
    return {
        "seam": [round(value, 4) for value in seam(pictures, mask).tolist()],
        "rank": name_ranks(judge, pictures, names),
    }


def rows(model, judge, images, names, mask):
    """What the judge says for each prompt and number of times."""
    for prompt in ("name", "photo"):
        prompts = [called(name) if prompt == "name" else PHOTO for name in names]
        for times in tqdm(TIMES, desc=prompt):
            denoise = prompted(model, prompts, GAMMA)
            filled = inpaint(model, denoise, images, mask, [0] * len(names), times)
            yield {"prompt": prompt, "times": times} | measured(judge, filled, names, mask)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--every", type=int, default=6, help="every sixth of the 508 names")
    args = parser.parse_args()
    keep_freed_memory()
    model, judge, data = load_pretrained("emoji64"), load_evaluator(), emoji()
    images, labels = (part[:: args.every] for part in held_out(data))
    names, mask = [data.names[i] for i in labels], hole(*HOLE)
    white = torch.where(mask > 0, 1.0, images)
    result = {
        "photo": PHOTO,
        "gamma": GAMMA,
        "hole": HOLE,
        "names": names,
        "as it is": measured(judge, images, names, mask),
        "white hole": measured(judge, white, names, mask),
        "rows": [*rows(model, judge, images, names, mask)],
        "sha256": digests(WEIGHTS, JUDGE, PATH),
    }
    store(FILE, result, indent=None)
    for row in result["rows"]:
        mean = sum(row["seam"]) / len(names)
        found = sum(rank <= 5 for rank in row["rank"])
        print(row["prompt"], row["times"], f"seam {mean:.2f}, named {found} of {len(names)}")


if __name__ == "__main__":
    main()
