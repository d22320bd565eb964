"""Bytes on disk under the hash of themselves: written whole or not at all, checked when read."""

import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from perdure.errors import StoreFailed
from perdure.ids import new_id

HASH: Final = re.compile("[0-9a-f]{64}")
PIECE_BYTES: Final = 256 * 1024
SYNCED_MAX: Final = 4_096  # hashes remembered as safely on disk


class ContentFolder:
    """A folder of content. What is in it never changes; putting the same bytes again writes nothing."""

    def __init__(self, folder: Path) -> None:
        """Keep everything below `folder`, which is made when something is first put."""
        self._folder = folder
        self._synced: set[str] = set()

    def put(self, content: bytes) -> str:
        """Keep bytes; their sha256, once the disk has them under that name."""
        digest = sha256(content).hexdigest()
        if digest in self._synced:
            return digest
        path = self._path(digest)
        try:
            if not path.exists():
                self._write(path, content)
            _sync_folder(
                path.parent
            )  # also of a name that a process left behind before it did this
        except OSError as failed:
            raise StoreFailed(f"the disk did not keep an artifact: {failed.strerror}") from failed
        if len(self._synced) >= SYNCED_MAX:
            self._synced.clear()
        self._synced.add(digest)
        return digest

    def _write(self, path: Path, content: bytes) -> None:
        self._make_folder(path.parent)
        written = path.parent / f".{new_id()}"
        with written.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        written.rename(path)

    def has(self, digest: str) -> bool:
        """Whether there are bytes of this hash; a text that is no hash has none."""
        return HASH.fullmatch(digest) is not None and self._path(digest).exists()

    def get(self, digest: str) -> bytes:
        """The bytes of a hash. Raises `StoreFailed` where they are gone or are not what they were."""
        try:
            content = self._path(digest).read_bytes()
        except OSError as failed:
            raise StoreFailed(f"the content {digest} cannot be read: {failed.strerror}") from failed
        if sha256(content).hexdigest() != digest:
            raise StoreFailed(f"the content {digest} is not what was written")
        return content

    def check(self, digest: str) -> None:
        """Hash the bytes again. Raises `StoreFailed` where they are gone or are not what they were."""
        hashed = sha256()
        for piece in self.pieces(digest):
            hashed.update(piece)
        if hashed.hexdigest() != digest:
            raise StoreFailed(f"the content {digest} is not what was written")

    def pieces(self, digest: str) -> Iterator[bytes]:
        """The bytes in pieces, unchecked: `check` them first."""
        try:
            with self._path(digest).open("rb") as file:
                while piece := file.read(PIECE_BYTES):
                    yield piece
        except OSError as failed:
            raise StoreFailed(f"the content {digest} cannot be read: {failed.strerror}") from failed

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest

    def _make_folder(self, folder: Path) -> None:
        if folder.exists():
            return
        missing = [it for it in (folder, *folder.parents) if not it.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for made in missing:
            _sync_folder(made.parent)


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk, not only the bytes that they name."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
