"""Draw from the shell: python -m diffusion_utils sample "a rocket ship" --out rocket.png."""

import argparse
import sys
from pathlib import Path

from diffusion_utils.stopping import stopped_with

if __name__ == "__main__":
    stopped_with("stopped")

import torch
from tqdm import tqdm
from transformers.utils.logging import disable_progress_bar

from diffusion_utils import tasks
from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.files import check_output
from diffusion_utils.pictures import hole, load_image, save_sheet
from diffusion_utils.sampling import generators
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import FLIP, bands, mixed

STEPS = len(tasks.TIMESTEPS) - 1


def sample(model, args):
    """Draw a prompt."""
    denoise = watched(tasks.prompted(model, args.prompt, args.gamma))
    return tasks.generate(model, denoise, args.seed)


def anagram(model, args):
    """One prompt upright, the other upside down; the turned picture is put beside it."""
    prompts = [args.prompt, args.other]
    denoise = tasks.visual_anagram(model, prompts, gamma=args.gamma)
    images = tasks.generate(model, watched(denoise), args.seed)
    return [*images, *FLIP.apply(images)]


def hybrid(model, args):
    """One prompt from afar, the other from close by: each drawn alone, then mixed and merged."""
    prompts = [args.prompt, args.other]
    both = (watched(tasks.prompted(model, prompt, args.gamma)) for prompt in prompts)
    alone = [tasks.generate(model, denoise, args.seed) for denoise in both]
    denoise = tasks.hybrid(model, prompts, (args.blur,), args.gamma)
    denoise = watched(denoise, STEPS - tasks.MERGE)
    return tasks.sdedit(model, denoise, mixed(alone, args.blur), tasks.MERGE, args.seed)


def sdedit(model, args):
    """Pull a picture towards a prompt."""
    start = args.start
    denoise = watched(tasks.prompted(model, args.prompt, args.gamma), STEPS - start)
    return tasks.sdedit(model, denoise, args.image, start, args.seed)


def inpaint(model, args):
    """Fill a hole in a picture by a prompt."""
    denoise = watched(tasks.prompted(model, args.prompt, args.gamma))
    return tasks.inpaint(model, denoise, args.image, args.hole, args.seed)


def watched(denoise, total=STEPS):
    """The same denoiser with a progress bar that counts its calls."""
    bar = tqdm(total=total, unit="step")

    def counted(x_t, t) -> NoiseEstimate:
        bar.update()
        return denoise(x_t, t)

    return counted


def parsed(arguments):
    parser = argparse.ArgumentParser(prog="python -m diffusion_utils", description=__doc__)
    of_all, picture, prompt, pair = (argparse.ArgumentParser(add_help=False) for _ in range(4))
    of_all.add_argument("--out", type=Path, required=True, help="a .png file")
    of_all.add_argument("--gamma", type=float, default=7.0, help="guidance scale")
    of_all.add_argument("--seed", default="0", help="0,1,2 draws three images")
    picture.add_argument("image", help="any picture; its middle square is used")
    prompt.add_argument("prompt")
    pair.add_argument("other", metavar="prompt", help="upside down, or from close by")

    verbs = parser.add_subparsers(required=True)

    def verb(run, *parents):
        """The command of the same name."""
        new = verbs.add_parser(run.__name__, parents=[*parents, of_all], help=run.__doc__)
        new.set_defaults(run=run)
        return new

    verb(sample, prompt)
    verb(anagram, prompt, pair)
    verb(hybrid, prompt, pair).add_argument(
        "--blur", type=float, default=2.0, help="where afar begins, in pixels of 64"
    )
    verb(sdedit, picture, prompt).add_argument(
        "--start", type=int, default=7, choices=range(STEPS), metavar="START",
        help=f"0 .. {STEPS - 1}, later keeps more",
    )  # fmt: skip
    verb(inpaint, picture, prompt).add_argument(
        "--hole", type=int, nargs=4, default=(16, 16, 48, 48),
        metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"), help="pixels of 64",
    )  # fmt: skip
    return parser.parse_args(arguments)


def read(args):
    """Read and check the arguments before the model is loaded, which takes seconds.

    Raises:
        OSError, ValueError: one cannot be read, or is not what it should be.
    """
    if args.out.suffix.lower() != ".png":
        raise ValueError(f"--out is a file that ends in .png, got {args.out}")
    args.seed = whole_numbers(args.seed)
    generators(args.seed)
    tasks.finite(args.gamma)
    tasks.checked(args.prompt)
    if "other" in args:
        tasks.checked(args.other)
    if "blur" in args:
        bands(args.blur)
    if "image" in args:
        path, args.image = args.image, load_image(args.image)
        check_output(args.out, path)
    if "hole" in args:
        args.hole = hole(*args.hole)


def whole_numbers(text):
    """The numbers in "0,1,2"; what is none stays a text, for `generators` to refuse."""
    return [int(n) if n.strip().isdecimal() else n for n in text.split(",")]


def main(arguments=None):
    args = parsed(arguments)
    disable_progress_bar()  # of transformers, while it loads the text encoder
    try:
        read(args)
        images = args.run(load_pretrained(), args)
        save_sheet(args.out, torch.stack(list(images)), padding=0)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(args.out)


if __name__ == "__main__":
    main()
