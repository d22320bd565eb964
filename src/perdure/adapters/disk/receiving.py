"""Bytes that come piece by piece: in a file without a name until all of them are there.

A file without a name is gone with the process that wrote it, however that ends. Where the file
system has none, the name begins with a dot and a sweep takes what is left behind.
"""

import os
from contextlib import suppress
from errno import EBADF, EISDIR, ENOENT, EOPNOTSUPP
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Final
from weakref import finalize

from perdure.ids import new_id

HEAD_BYTES: Final = 8 * 1024  # kept in memory, to tell the type by
MODE: Final = 0o600
NAMELESS: Final = getattr(os, "O_TMPFILE", 0)
UNABLE: Final = frozenset({EOPNOTSUPP, EISDIR, ENOENT})
OWN_FILES: Final = Path("/proc/self/fd")


class Receiving:
    """A file on its way in. It holds no piece longer than it takes to write it."""

    def __init__(self, folder: Path) -> None:
        """Write into `folder`, where the file will stay. Raises `OSError`."""
        self._name: Path | None = None
        self._file = self._open(folder)
        self._let_go = finalize(self, os.close, self._file)
        # Whoever closes it may have stopped waiting for a thread that still writes.
        self._turn = Lock()
        self._hash = sha256()
        self.size_bytes = 0
        self.head = b""

    def _open(self, folder: Path) -> int:
        if NAMELESS and OWN_FILES.exists():
            try:
                return os.open(folder, os.O_WRONLY | NAMELESS, MODE)
            except OSError as failed:
                if failed.errno not in UNABLE:
                    raise
        self._name = folder / f".{new_id()}"
        return os.open(self._name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)

    @property
    def digest(self) -> str:
        """The sha256 of what came."""
        return self._hash.hexdigest()

    def write(self, piece: bytes) -> None:
        """Take the next piece. Raises `OSError`, also when it is closed."""
        with self._turn:
            self._check_open()
            self._write(piece)

    def _check_open(self) -> None:
        if not self._let_go.alive:
            raise OSError(EBADF, "the file is closed")

    def _write(self, piece: bytes) -> None:
        if len(self.head) < HEAD_BYTES:
            self.head += piece[: HEAD_BYTES - len(self.head)]
        self._hash.update(piece)
        self.size_bytes += len(piece)
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def keep(self, path: Path) -> None:
        """Give what came its name; what is there under it already is the same. Raises `OSError`."""
        with self._turn, suppress(FileExistsError):
            self._check_open()
            os.fsync(self._file)
            if self._name is None:
                _link_nameless(self._file, path)
            else:
                os.link(self._name, path)

    def close(self) -> None:
        """Let go of the file; what was not kept is gone."""
        with self._turn:
            self._let_go()
        if self._name is not None:
            self._name.unlink(missing_ok=True)


def _link_nameless(file: int, path: Path) -> None:
    """Give an open file a name. Python follows the link of `/proc` only where a folder is given with it."""
    folder = os.open(OWN_FILES, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.link(str(file), path, src_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk, not only the bytes that they name."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
