"""Draw from the shell: python -m diffusion_utils sample "a rocket ship" --out rocket.png."""

import argparse
import signal
import sys
from pathlib import Path

if (
    __name__ == "__main__"
):  # one line instead of a traceback, already during the imports
    signal.signal(signal.SIGINT, lambda *_: sys.exit("\nstopped"))

import torch
from tqdm import tqdm
from transformers.utils.logging import disable_progress_bar

from diffusion_utils import tasks
from diffusion_utils.denoisers import NoiseEstimate
from diffusion_utils.pictures import hole, load_image, save_sheet
from diffusion_utils.text_to_image import load_pretrained
from diffusion_utils.views import FLIP, bands

STEPS = len(tasks.TIMESTEPS) - 1


def watched(denoise, total=STEPS):
    """The same denoiser with a progress bar that counts its calls."""
    bar = tqdm(total=total, unit="step")

    def counted(x_t, t) -> NoiseEstimate:
        bar.update()
        return denoise(x_t, t)

    return counted


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
    """One prompt from afar, the other from close by."""
    prompts = [args.prompt, args.other]
    denoise = tasks.hybrid(model, prompts, (args.blur,), args.gamma)
    return tasks.generate(model, watched(denoise), args.seed)


def sdedit(model, args):
    """Pull a picture towards a prompt."""
    start = args.start
    denoise = watched(tasks.prompted(model, args.prompt, args.gamma), STEPS - start)
    return tasks.sdedit(model, denoise, args.image, start, args.seed)


def inpaint(model, args):
    """Fill a hole in a picture by a prompt."""
    denoise = watched(tasks.prompted(model, args.prompt, args.gamma))
    return tasks.inpaint(model, denoise, args.image, args.hole, args.seed)


def png(name):
    path = Path(name)
    if path.suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"{name} must end in .png")
    return path


def seeds(text):
    return [int(seed) for seed in text.split(",")]


def parsed(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m diffusion_utils", description=__doc__
    )
    verbs = parser.add_subparsers(dest="task", required=True)
    for task in (sample, anagram, hybrid, sdedit, inpaint):
        sub = verbs.add_parser(task.__name__, help=task.__doc__)
        sub.set_defaults(run=task)
        if task in (sdedit, inpaint):
            sub.add_argument("image", help="any picture; its middle square is used")
        sub.add_argument("prompt")
        if task in (anagram, hybrid):
            where = "upside down" if task is anagram else "from close by"
            sub.add_argument("other", help=f"the prompt {where}")
        if task is hybrid:
            sub.add_argument(
                "--blur",
                type=float,
                default=5.0,
                help="where afar begins, in pixels of 64",
            )
        if task is sdedit:
            sub.add_argument(
                "--start", type=int, default=7, choices=range(STEPS), metavar="START",
                help="0 .. 32, later keeps more",
            )  # fmt: skip
        if task is inpaint:
            sub.add_argument(
                "--hole", type=int, nargs=4, default=(16, 16, 48, 48),
                metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"), help="pixels of 64",
            )  # fmt: skip
        sub.add_argument(
            "--seed", type=seeds, default=[0], help="0,1,2 draws three images"
        )
        sub.add_argument("--gamma", type=float, default=7.0, help="guidance scale")
        sub.add_argument("--out", type=png, required=True, help="a .png file")
    return parser.parse_args(arguments)


def read(args):
    """Read and check the arguments before the model is loaded, which takes seconds."""
    tasks.checked(args.prompt)
    if "other" in args:
        tasks.checked(args.other)
    if "blur" in args:
        bands(args.blur)
    if "image" in args:
        args.image = load_image(args.image)
    if "hole" in args:
        args.hole = hole(*args.hole)


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
