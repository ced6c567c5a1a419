"""The MNIST digits, read from the four gzipped files that ship with the book."""

import gzip
import hashlib
import zlib

import numpy as np
import torch

from diffusion_utils.files import ROOT, restoring

MNIST_FOLDER = ROOT / "data" / "mnist"
MNIST_MD5 = {  # of the unpacked files, as their authors publish them
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def mnist(train=True, folder=MNIST_FOLDER):
    """The 60,000 training or 10,000 test digits, in their original order.

    Returns:
        images: (N, 1, 28, 28) uint8, 0 .. 255; `pictures.to_unit` makes them floats in [0, 1].
        labels: (N,) int64, 0 .. 9.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, or not the original one.

    Source: LeCun, Cortes & Burges, the MNIST database.
    """
    part = "train" if train else "t10k"
    images = read_idx(folder, f"{part}-images-idx3-ubyte")
    return images[:, None], read_idx(folder, f"{part}-labels-idx1-ubyte").long()


def read_idx(folder, name):
    """The bytes of a gzipped IDX file as a tensor, checked against the recorded digest.

    The format: two zero bytes, the type of the values, the number of dimensions; then the size of
    each dimension in four bytes; then the values.
    """
    path = folder / f"{name}.gz"
    advice = restoring(path)
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError as error:
        raise FileNotFoundError(f"there is no file {path}; {advice}") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged ({error}); {advice}") from error
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != MNIST_MD5[name]:
        raise ValueError(f"{path} is not the original file; {advice}")
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", dimensions, offset=4)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    return torch.from_numpy(values.reshape(shape).copy())
