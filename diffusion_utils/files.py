"""Files that took long to make: written whole or not at all, and checked when read."""

import hashlib
import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[1]


def digest(path, algorithm="sha256"):
    """The hex digest of a file."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, algorithm).hexdigest()


@contextmanager
def atomic(path):
    """Give a temporary path beside `path`; move it to `path` when the block ends without error.

    Raises:
        OSError: the disk is full or the folder cannot be written; `path` is left as it was.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with open(partial, "rb+") as f:
            os.fsync(f.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise OSError(
            error.errno,
            f"could not write {path} ({error.strerror or error}); the previous file is unchanged, "
            "free some disk space or choose another folder",
        ) from error
    finally:
        # it may never have been made, and the error above says more
        with suppress(OSError):
            partial.unlink()


def remove_partial(folder):
    """Delete what killed processes left of files that they were writing to a folder with `atomic`."""
    for partial in Path(folder).glob(".*.partial"):
        partial.unlink()


def check_output(path, source):
    """Raises a ValueError if what is written to `path` would replace the file that is read."""
    if Path(path).exists() and Path(path).samefile(source):
        raise ValueError(
            f"{path} is the file that is read and would be lost; choose another --out"
        )


def copy_file(source, path):
    """Copy a file, atomically."""
    content = Path(source).read_bytes()
    with atomic(path) as partial:
        partial.write_bytes(content)


def in_half(state):
    """The weights {name: tensor} in half precision, as they are stored."""
    return {k: v.half() if v.is_floating_point() else v for k, v in state.items()}


def in_single(state):
    """The weights {name: tensor} in single precision, as they are computed with."""
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def save_tensors(path, tensors, **metadata):
    """Write {name: tensor} as safetensors with JSON metadata, atomically."""
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()
    }
    with atomic(path) as partial:
        try:
            save_file(tensors, partial, {"meta": json.dumps(metadata)})
        except SafetensorError as error:  # how the library reports a full disk
            raise OSError(28, str(error)) from error


def load_tensors(path, sha256=None):
    """Read a file of `save_tensors` -> ({name: tensor}, metadata).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or its SHA-256 is not the one given.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    if sha256 and digest(path) != sha256:
        raise ValueError(
            f"{path} is not the file that was recorded; restore it with `git checkout`"
        )
    try:
        with safe_open(path, "pt") as f:
            metadata = json.loads((f.metadata() or {}).get("meta", "{}"))
            return {name: f.get_tensor(name) for name in f.keys()}, metadata
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is not a readable safetensors file ({error})"
        ) from error


def recorded_sha256(path):
    """The digest of `path` in the SHA256SUMS file of its folder (the format of `sha256sum`).

    Raises:
        FileNotFoundError: there is no such file of digests.
        ValueError: none is recorded.
    """
    path = Path(path)
    sums = path.parent / "SHA256SUMS"
    if not sums.exists():
        raise FileNotFoundError(
            f"there is no file {sums}; restore it with `git checkout`"
        )
    for line in sums.read_text().splitlines():
        value, name = line.split()
        if name == path.name:
            return value
    raise ValueError(f"no SHA-256 is recorded for {path}")


def record_sha256(folder, pattern="*.safetensors"):
    """Write the SHA256SUMS of a folder's files that match a pattern, all weights by default."""
    folder = Path(folder)
    with atomic(folder / "SHA256SUMS") as partial:
        partial.write_text(
            "".join(
                f"{digest(path)}  {path.relative_to(folder).as_posix()}\n"
                for path in sorted(folder.glob(pattern))
            )
        )
