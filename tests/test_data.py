import gzip
import shutil
import struct

import numpy as np
import pytest
import torch
from torchvision.datasets.mnist import read_image_file, read_label_file

from diffusion_utils.mnist.data import MNIST_FOLDER, MNIST_MD5, mnist
from diffusion_utils.pictures import to_unit

COUNTS = {
    True: [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    False: [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}
IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


@pytest.fixture
def folder(tmp_path):
    """A copy of the test digits as they ship."""
    for name in (IMAGES, LABELS):
        shutil.copy(MNIST_FOLDER / f"{name}.gz", tmp_path)
    return tmp_path


@pytest.mark.parametrize("train", [True, False])
def test_the_digits_are_the_well_known_ones(train):
    images, labels = mnist(train)
    n = 60_000 if train else 10_000
    assert images.shape == (n, 1, 28, 28) and images.dtype == torch.uint8
    assert labels.shape == (n,) and labels.dtype == torch.int64
    assert labels.bincount().tolist() == COUNTS[train]
    # as published everywhere
    mean, std = (0.1307, 0.3081) if train else (0.1325, 0.3105)
    pixels = images.double() / 255
    assert pixels.mean().item() == pytest.approx(mean, abs=5e-5)
    assert pixels.std().item() == pytest.approx(std, abs=5e-5)


def test_digits_and_labels_are_in_the_order_of_the_files():
    images, labels = mnist(train=False)
    with gzip.open(MNIST_FOLDER / "t10k-images-idx3-ubyte.gz") as f:
        assert struct.unpack(">4i", f.read(16)) == (2051, 10_000, 28, 28)
        pixels = np.frombuffer(f.read(), np.uint8).reshape(10_000, 1, 28, 28)
    with gzip.open(MNIST_FOLDER / f"{LABELS}.gz") as f:
        assert struct.unpack(">2i", f.read(8)) == (2049, 10_000)
        digits = np.frombuffer(f.read(), np.uint8)
    assert (images.numpy() == pixels).all()
    assert (labels.numpy() == digits).all()


def test_to_unit():
    images = torch.tensor([0, 51, 255], dtype=torch.uint8)
    unit = to_unit(images)
    assert unit.dtype == torch.float32
    torch.testing.assert_close(unit, torch.tensor([0.0, 0.2, 1.0]))
    assert images.tolist() == [0, 51, 255]


@pytest.mark.parametrize("train", [True, False])
def test_another_reader_finds_the_same(tmp_path, train):
    """torchvision's, which wants the files unpacked."""
    part, unpacked = "train" if train else "t10k", []
    for kind in ("images-idx3", "labels-idx1"):
        path = tmp_path / f"{part}-{kind}-ubyte"
        path.write_bytes(gzip.decompress((MNIST_FOLDER / f"{path.name}.gz").read_bytes()))
        unpacked.append(str(path))
    images, labels = mnist(train)
    assert images[:, 0].equal(read_image_file(unpacked[0]))
    assert labels.equal(read_label_file(unpacked[1]))


def test_reading_writes_nothing(folder):
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    _, labels = mnist(train=False, folder=folder)
    assert labels.bincount().tolist() == COUNTS[False]
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_digits_may_be_written_to(folder):
    """They are a copy: no read-only memory of the file, no warning."""
    images, labels = mnist(train=False, folder=folder)
    images.zero_(), labels.zero_()
    assert mnist(train=False, folder=folder)[1].bincount().tolist() == COUNTS[False]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-500])


def empty(path):
    path.write_bytes(b"")


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def garble(path):
    content = bytearray(path.read_bytes())
    content[12:60] = b"\xff" * 48  # no valid deflate stream
    path.write_bytes(content)


def alter_the_checksum(path):
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # the CRC-32 in gzip's trailer
    path.write_bytes(content)


def swap_two_values(path):
    content = bytearray(gzip.decompress(path.read_bytes()))
    i = next(i for i in range(16, len(content)) if content[i] != content[i + 1])
    content[i], content[i + 1] = content[i + 1], content[i]
    path.write_bytes(gzip.compress(content, 1))


def an_error_page(path):
    path.write_bytes(b"<html>403 Forbidden</html>")


def other_files(path):
    """A digit's file in the place of another: whole, and not the original."""
    shutil.copy(MNIST_FOLDER / "train-labels-idx1-ubyte.gz", path)


DAMAGES = {
    truncate: "damaged",
    empty: "not the original file",
    flip_a_bit: "damaged",
    garble: "damaged",
    alter_the_checksum: "damaged",
    swap_two_values: "not the original file",
    other_files: "not the original file",
    an_error_page: "damaged",
}


@pytest.mark.parametrize("name", [IMAGES, LABELS])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
def test_damaged_file_is_one_clear_error(folder, damage, name):
    path = folder / f"{name}.gz"
    damage(path)
    what = DAMAGES[damage]
    with pytest.raises(ValueError, match=rf"{path} is {what}.*; restore it with `git checkout "):
        mnist(train=False, folder=folder)


@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_missing_file_is_one_clear_error(folder, name):
    path = folder / f"{name}.gz"
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f"there is no file {path}; restore it with `git"):
        mnist(train=False, folder=folder)


def test_every_file_is_checked():
    assert sorted(MNIST_MD5) == sorted(
        f"{part}-{kind}-ubyte"
        for part in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    )
