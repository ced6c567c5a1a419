import gzip
import multiprocessing
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion_utils import data
from diffusion_utils.mnist.data import MNIST_FOLDER, MNIST_MD5, mnist
from diffusion_utils.pictures import to_unit

COUNTS = {
    True: [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    False: [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}
LABELS = "t10k-labels-idx1-ubyte"  # the smallest of the four files


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Nothing here fetches anything; the result is the list of attempts."""
    attempts = []

    def download(self):
        attempts.append(self.root)
        raise RuntimeError("Error downloading")

    monkeypatch.setattr(data.MNIST, "download", download)
    return attempts


@pytest.fixture
def folder(tmp_path):
    """A copy of the data as it ships."""
    for name in MNIST_MD5:
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


def test_shipped_files_need_no_network(folder, offline):
    images, labels = mnist(train=False, folder=folder)
    assert labels.bincount().tolist() == COUNTS[False]
    assert not offline


def remove(path):
    path.unlink()


def truncate(path):
    path.write_bytes(path.read_bytes()[:-500])


def empty(path):
    path.write_bytes(b"")


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def shipped_labels():
    return gzip.decompress((MNIST_FOLDER / f"{LABELS}.gz").read_bytes())


def garble(path):
    content = bytearray(path.read_bytes())
    content[12:60] = b"\xff" * 48  # no valid deflate stream
    path.write_bytes(content)


def alter_the_checksum(path):
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # the CRC-32 in gzip's trailer
    path.write_bytes(content)


def swap_two_labels(path):
    labels = bytearray(gzip.decompress(path.read_bytes()))
    labels[8], labels[9] = labels[9], labels[8]
    path.write_bytes(gzip.compress(labels))


def an_error_page(path):
    path.write_bytes(b"<html>403 Forbidden</html>")


DAMAGES = [
    remove,
    truncate,
    empty,
    flip_a_bit,
    garble,
    alter_the_checksum,
    swap_two_labels,
    an_error_page,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_without_network_is_one_clear_error(folder, offline, damage):
    damage(folder / f"{LABELS}.gz")
    for _ in range(
        2
    ):  # the first attempt must leave nothing behind that passes for the data
        with pytest.raises(
            RuntimeError, match=f"{LABELS}.gz is missing or damaged .* `git checkout"
        ):
            mnist(train=False, folder=folder)
    assert len(offline) == 2


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_restored_from_a_mirror(folder, monkeypatch, damage):
    def download(self):
        Path(self.raw_folder, LABELS).write_bytes(shipped_labels())

    monkeypatch.setattr(data.MNIST, "download", download)
    damage(folder / f"{LABELS}.gz")
    images, labels = mnist(train=False, folder=folder)
    assert labels.bincount().tolist() == COUNTS[False]


def test_wrong_file_from_a_mirror_is_refused(folder, monkeypatch):
    def download(self):
        Path(self.raw_folder, LABELS).write_bytes(shipped_labels())
        flip_a_bit(folder / "MNIST" / "raw" / LABELS)

    monkeypatch.setattr(data.MNIST, "download", download)
    remove(folder / f"{LABELS}.gz")
    with pytest.raises(RuntimeError, match="not the original file"):
        mnist(train=False, folder=folder)


@pytest.mark.parametrize("damage", [remove, truncate, flip_a_bit])
def test_damaged_unpacked_file_is_unpacked_again(folder, offline, damage):
    mnist(train=False, folder=folder)
    damage(folder / "MNIST" / "raw" / LABELS)
    _, labels = mnist(train=False, folder=folder)
    assert labels.bincount().tolist() == COUNTS[False]
    assert not offline


def unpack(folder, ready, results):
    ready.wait()
    _, labels = mnist(train=False, folder=folder)
    results.put(labels.bincount().tolist())


def test_processes_may_unpack_at_once(folder):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["diffusion_utils.pictures"])
    ready, results = context.Barrier(3), context.Queue()
    processes = [
        context.Process(target=unpack, args=(folder, ready, results)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert found == [COUNTS[False]] * 3
    assert sorted(p.name for p in (folder / "MNIST" / "raw").iterdir()) == sorted(
        MNIST_MD5
    )
