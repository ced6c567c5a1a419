"""Encode prompts beforehand: python -m diffusion_utils.deepfloyd embed PROMPTS --out FILE."""

import argparse
import sys

from diffusion_utils.stopping import stopped_with

if __name__ == "__main__":
    stopped_with("stopped; nothing is written")

import torch

from diffusion_utils.deepfloyd.text import embed
from diffusion_utils.files import check_output
from diffusion_utils.prompts import read_prompts


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m diffusion_utils.deepfloyd", description=__doc__
    )
    parser.add_argument("task", choices=["embed"])
    parser.add_argument("prompts", help="a text file, one prompt a line")
    parser.add_argument("--out", required=True, help="a .safetensors file")
    args = parser.parse_args(arguments)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        prompts = read_prompts(args.prompts)
        check_output(args.out, args.prompts)
        embed(prompts, args.out, device)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
