"""Files that took long to make: written whole or not at all, and checked when read."""

import hashlib
import json
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[1]


def restoring(path):
    """How to get back what comes with the book: there may be no git, or the package alone."""
    if (ROOT / ".git").exists():
        return f"restore it with `git checkout {path}`"
    if not (ROOT / "_config.yml").exists():
        return "this is the package alone: use it from a complete copy of the book"
    return "restore it from a new copy of the book"


def digest(path):
    """The SHA-256 of a file, in hex."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def check(path, sha256):
    """Compare a file that comes with the book with the digest that is recorded of it.

    Raises:
        FileNotFoundError, ValueError: it is missing, or altered; the message says how to get it back.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}; {restoring(path)}")
    if digest(path) != sha256:
        raise ValueError(f"{path} is not the file that was recorded; {restoring(path)}")


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


@contextmanager
def atomic_folder(folder):
    """Give a copy of `folder` beside it, which takes its place when the block ends without error.

    A folder that is not there is begun empty.
    """
    folder = Path(folder)
    new, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{age}") for age in ("new", "old"))
    try:
        if folder.exists():
            shutil.copytree(folder, new)
        else:
            new.mkdir(parents=True)
        yield new
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        if old.exists() and not folder.exists():  # stopped between the two
            old.rename(folder)
        for rest in (new, old):
            shutil.rmtree(rest, ignore_errors=True)


def remove_partial(folder):
    """Delete what killed processes left of files that they were writing to a folder with `atomic`."""
    for partial in Path(folder).glob(".*.partial"):
        partial.unlink()


def check_output(path, source):
    """Raises a ValueError if what is written to `path` would replace the file that is read."""
    if Path(path).exists() and Path(path).samefile(source):
        raise ValueError(f"{path} is the file that is read and would be lost; choose another --out")


def in_half(state):
    """The weights {name: tensor} in half precision, as they are stored; a network casts what it loads."""
    return {k: v.half() if v.is_floating_point() else v for k, v in state.items()}


def save_tensors(path, tensors, **metadata):
    """Write {name: tensor} as safetensors with JSON metadata, atomically."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic(path) as partial:
        try:
            save_file(tensors, partial, {"meta": json.dumps(metadata)})
        except SafetensorError as error:  # how the library reports a full disk
            raise OSError(28, str(error)) from error


def load_tensors(path):
    """Read a file of `save_tensors` -> ({name: tensor}, metadata).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged.
    """
    try:
        with safe_open(path, "pt") as f:
            metadata = json.loads((f.metadata() or {}).get("meta", "{}"))
            return {name: f.get_tensor(name) for name in f.keys()}, metadata
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a readable safetensors file ({error})") from error


def read_lines(path):
    """The lines of a text file, without blanks around them, empty ones, and a byte order mark.

    Raises:
        ValueError: it is no text in UTF-8.
    """
    try:
        lines = Path(path).read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8; save it as one") from error
    return [line.strip() for line in lines if line.strip()]


def recorded(folder):
    """The SHA256SUMS file of a folder, in the format of `sha256sum` -> {name: digest}.

    Raises:
        FileNotFoundError: there is no such file.
    """
    sums = Path(folder) / "SHA256SUMS"
    if not sums.exists():
        raise FileNotFoundError(f"there is no file {sums}; {restoring(sums)}")
    lines = (line.split(maxsplit=1) for line in read_lines(sums))
    return {name: value for value, name in lines}


def check_recorded(path):
    """Compare a file with its digest in the SHA256SUMS file of its folder.

    Raises:
        FileNotFoundError: there is no such file of digests.
        ValueError: none is recorded; or as `check`.
    """
    path = Path(path)
    sha256 = recorded(path.parent).get(path.name)
    if sha256 is None:
        raise ValueError(f"no SHA-256 is recorded for {path}")
    check(path, sha256)


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
