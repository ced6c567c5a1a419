"""The drawings that Emoji-64 is trained on."""

import io
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image

from diffusion_utils.files import ROOT, check_recorded

PATH = ROOT / "data" / "emoji64" / "train.parquet"


class Emoji(NamedTuple):
    """N drawings, each of one name in one style."""

    images: torch.Tensor  # (N, 4, 64, 64) uint8, RGBA
    names: list
    name_index: torch.Tensor  # (N,)
    styles: list
    style_index: torch.Tensor  # (N,)


def chosen(data, which):
    """The drawings of a set that a slice or a mask (N,) chooses, under the same names."""
    parts = ("images", "name_index", "style_index")
    return data._replace(**{part: getattr(data, part)[which] for part in parts})


def emoji(path=PATH):
    """Read the prepared drawings.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: it is not the recorded one.
    """
    check_recorded(path)
    table = pq.read_table(path).to_pydict()
    images = np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in table["image"]])
    names, name_index = np.unique(table["name"], return_inverse=True)
    styles, style_index = np.unique(table["style"], return_inverse=True)
    return Emoji(
        torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(),
        names.tolist(),
        torch.from_numpy(name_index),
        styles.tolist(),
        torch.from_numpy(style_index),
    )
