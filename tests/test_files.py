import errno
import hashlib
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from diffusion_utils import files
from diffusion_utils.files import (
    atomic,
    check_recorded,
    digest,
    load_tensors,
    record_sha256,
    save_tensors,
)

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(7)}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_digest_is_the_one_of_hashlib(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 1_000_000)
    assert digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_atomic_replaces_the_file_when_the_block_ends(tmp_path):
    path = tmp_path / "deep" / "file"
    for text in ("old", "new"):
        with atomic(path) as partial:
            partial.write_text(text)
            assert not path.exists() or path.read_text() == "old"
        assert path.read_text() == text
    assert names(path.parent) == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_atomic_leaves_the_old_file_on_an_error(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error), atomic(path) as partial:
        partial.write_text("half of the ne")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_atomic_leaves_the_old_file_when_the_disk_is_full(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="previous file is unchanged.*disk space") as caught:
        with atomic(path) as partial:
            partial.write_text("half of the ne")
            with open("/dev/full", "wb") as full:  # a real ENOSPC, from the kernel
                full.write(b"w")
    assert caught.value.errno == errno.ENOSPC
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_atomic_leaves_the_old_file_when_the_last_write_fails(tmp_path, monkeypatch, name):
    path = tmp_path / "file"
    path.write_text("old")

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, name, full)
    with pytest.raises(OSError, match="No space left"), atomic(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_content_is_on_the_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(
            files.os,
            name,
            lambda *a, name=name, original=original: (calls.append(name), original(*a)),
        )
    with atomic(tmp_path / "file") as partial:
        partial.write_text("new")
    assert calls == ["fsync", "replace"]


def test_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="could not write .*choose another folder"):
        with atomic(tmp_path / "file" / "below") as partial:
            partial.write_text("new")


def test_tensors_come_back(tmp_path):
    path = tmp_path / "weights.safetensors"
    transposed = TENSORS["a"].T  # not contiguous, which safetensors does not take
    save_tensors(path, TENSORS | {"transposed": transposed}, step=3, config={"hidden": 8})
    for loaded in (load_tensors(path)[0], load_file(path)):  # ours and the library's own reader
        assert loaded.keys() == {"a", "b", "transposed"}
        assert all(loaded[k].equal(v) and loaded[k].dtype == v.dtype for k, v in TENSORS.items())
        assert loaded["transposed"].equal(transposed)
    assert load_tensors(path)[1] == {"step": 3, "config": {"hidden": 8}}


# A limit on the size of files stops the library's own write half-way, as a full disk does.
LIMITED = """
import resource, signal, sys, torch
from diffusion_utils.files import save_tensors
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    save_tensors(sys.argv[1], {"a": torch.zeros(100_000)})
except OSError as error:
    print(error)
"""


def test_save_that_stops_half_way_leaves_the_old_file(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_tensors(path, TENSORS, step=3)
    output = subprocess.run(
        [sys.executable, "-c", LIMITED, path], check=True, capture_output=True, text=True
    )
    assert "previous file is unchanged" in output.stdout
    assert load_tensors(path)[0]["a"].equal(TENSORS["a"])
    assert names(tmp_path) == [path.name]


def test_missing_digests_are_a_clear_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="SHA256SUMS; restore it with `git"):
        check_recorded(tmp_path / "weights.safetensors")


def test_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file .*weights.safetensors"):
        load_tensors(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("size", [0, 4, 60, -1])
def test_truncated_file_is_a_clear_error(tmp_path, size):
    path = tmp_path / "weights.safetensors"
    save_tensors(path, TENSORS)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="weights.safetensors is not a readable safetensors file"):
        load_tensors(path)


def test_altered_file_is_refused_by_its_hash(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_tensors(path, TENSORS)
    record_sha256(tmp_path)
    check_recorded(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    load_tensors(path)  # a readable file: only the hash can tell
    with pytest.raises(ValueError, match="weights.safetensors is not the file that was recorded"):
        check_recorded(path)


def test_digests_are_read_as_an_editor_may_leave_them(tmp_path):
    (tmp_path / "SHA256SUMS").write_bytes(b"\xef\xbb\xbfab12  one\r\n\r\ncd34  two words \r\n")
    assert files.recorded(tmp_path) == {"one": "ab12", "two words": "cd34"}


def test_an_output_that_is_the_input_is_refused(tmp_path):
    picture, link, other = (tmp_path / n for n in ("a.png", "link.png", "b.png"))
    picture.write_text("a picture")
    link.symlink_to(picture)
    for out in (picture, link, tmp_path / "." / "a.png"):
        with pytest.raises(ValueError, match="is the file that is read"):
            files.check_output(out, picture)
    files.check_output(other, picture)
    other.write_text("another picture")
    files.check_output(other, picture)


def test_recorded_hashes_are_those_of_sha256sum(tmp_path):
    for name in ("one", "two"):
        save_tensors(tmp_path / f"{name}.safetensors", TENSORS, name=name)
    record_sha256(tmp_path)

    def check():
        return subprocess.run(
            ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=tmp_path, capture_output=True
        )

    checked = check()
    assert (
        checked.returncode == 0 and checked.stdout == b"one.safetensors: OK\ntwo.safetensors: OK\n"
    )
    for name in ("one", "two"):
        check_recorded(tmp_path / f"{name}.safetensors")
    save_tensors(tmp_path / "two.safetensors", TENSORS, name="another")
    assert check().returncode == 1
    with pytest.raises(ValueError, match="not the file that was recorded"):
        check_recorded(tmp_path / "two.safetensors")


def test_file_without_a_recorded_hash_is_a_clear_error(tmp_path):
    record_sha256(tmp_path)
    with pytest.raises(ValueError, match="no SHA-256 is recorded for .*other.safetensors"):
        check_recorded(tmp_path / "other.safetensors")
