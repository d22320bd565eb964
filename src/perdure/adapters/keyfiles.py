"""Keys in files: 32 bytes of chance each, made once, for the account of the program alone."""

import os
from pathlib import Path
from typing import Final

from perdure.errors import Unavailable
from perdure.ids import new_id

KEY_BYTES: Final = 32


def key_in(path: Path, purpose: str) -> bytes:
    """The key in a file, which is made where it is not there.

    Where two processes begin at once, both get the first one's. Raises `Unavailable` where the
    file holds something else, or cannot be read or made.
    """
    try:
        key = path.read_bytes() if path.exists() else _made(path)
    except OSError as failed:
        raise Unavailable(
            f"the key of {purpose} cannot be read or made: {path}: {failed.strerror}"
        ) from failed
    if len(key) != KEY_BYTES:
        raise Unavailable(f"{path} holds no key of {purpose}: that is {KEY_BYTES} bytes")
    return key


def _made(path: Path) -> bytes:
    put_new(path, os.urandom(KEY_BYTES))
    return path.read_bytes()


def put_new(path: Path, content: bytes) -> bool:
    """Put content on disk whole, under a name that nobody has; whether it was done. Mode 0600."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{new_id()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(fresh, path)
    except FileExistsError:
        return False
    finally:
        fresh.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def drop(path: Path) -> None:
    """Have no file there. Twice is as good as once."""
    path.unlink(missing_ok=True)
