"""Bytes on disk under the hash of themselves: written whole or not at all, checked when read."""

import fcntl
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from perdure.adapters.disk.receiving import Receiving, sync_folder
from perdure.errors import StoreFailed
from perdure.ids import new_id

HASH: Final = re.compile("[0-9a-f]{64}")
PIECE_BYTES: Final = 256 * 1024
SYNCED_MAX: Final = 4_096  # hashes remembered as safely on disk

Stamp = tuple[int, int, int]  # by which a file is known to be the one that was looked at


class ContentFolder:
    """A folder of content. What is in it never changes; putting the same bytes again writes nothing."""

    def __init__(self, folder: Path) -> None:
        """Keep everything below `folder`, which is made when something is first put."""
        self._folder = folder
        self._planned = folder.with_name(f"{folder.name}.sweep")
        self._synced: set[str] = set()
        self._checked: dict[str, Stamp] = {}

    def put(self, content: bytes) -> str:
        """Keep bytes; their sha256, once the disk has them under that name."""
        digest = sha256(content).hexdigest()
        path = self._path(digest)
        try:
            # Another process may have swept what this one knows to be there.
            there = _renewed(path)
            if there and digest in self._synced:
                return digest
            if not there:
                self._write(path, content)
            # Also of a name that a process left behind before it did this.
            sync_folder(path.parent)
        except OSError as failed:
            raise StoreFailed(f"the disk did not keep an artifact: {failed.strerror}") from failed
        self._is_synced(digest)
        return digest

    def _is_synced(self, digest: str) -> None:
        if len(self._synced) >= SYNCED_MAX:
            self._synced.clear()
        self._synced.add(digest)

    def _write(self, path: Path, content: bytes) -> None:
        self._make_folder(path.parent)
        written = path.parent / f".{new_id()}"
        with written.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        written.rename(path)

    def receive(self) -> Receiving:
        """Take bytes in piece by piece. Raises `StoreFailed`."""
        try:
            self._make_folder(self._folder)
            return Receiving(self._folder)
        except OSError as failed:
            raise StoreFailed(f"the disk takes nothing: {failed.strerror}") from failed

    def keep(self, received: Receiving) -> str:
        """Keep what was received; its sha256, once the disk has it under that name."""
        digest = received.digest
        path = self._path(digest)
        try:
            self._make_folder(path.parent)
            received.keep(path)
            while not _renewed(path):  # what was there under the name was swept just now
                received.keep(path)
            sync_folder(path.parent)
        except OSError as failed:
            raise StoreFailed(f"the disk did not keep an artifact: {failed.strerror}") from failed
        self._is_synced(digest)
        return digest

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
        """Hash the bytes again, unless nobody has touched them since they were last found right.

        Raises `StoreFailed` where they are gone or are not what they were.
        """
        stamp = self._stamp(digest)
        if self._checked.get(digest) == stamp:
            return
        hashed = sha256()
        for piece in self.pieces(digest):
            hashed.update(piece)
        if hashed.hexdigest() != digest:
            raise StoreFailed(f"the content {digest} is not what was written")
        if len(self._checked) >= SYNCED_MAX:
            self._checked.clear()
        self._checked[digest] = stamp

    def unchanged(self, digest: str) -> bool:
        """Whether nobody has touched the bytes since they were last found right: one look at the file's times."""
        try:
            return digest in self._checked and self._checked[digest] == self._stamp(digest)
        except StoreFailed:
            return False

    def _stamp(self, digest: str) -> Stamp:
        try:
            facts = self._path(digest).stat()
        except OSError as failed:
            raise StoreFailed(f"the content {digest} cannot be read: {failed.strerror}") from failed
        return facts.st_ino, facts.st_size, facts.st_mtime_ns

    def pieces(self, digest: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to before `end` in pieces, unchecked: `check` them first."""
        try:
            with self._path(digest).open("rb") as file:
                file.seek(start)
                left = None if end is None else end - start
                while piece := file.read(PIECE_BYTES if left is None else min(PIECE_BYTES, left)):
                    left = None if left is None else left - len(piece)
                    yield piece
        except OSError as failed:
            raise StoreFailed(f"the content {digest} cannot be read: {failed.strerror}") from failed

    # --- sweeping ------------------------------------------------------------------------------

    def old(self, before: float) -> Iterator[list[str]]:
        """Hashes whose bytes were last put before a time, folder by folder; what broke off before it goes at once."""
        for path in self._folder.glob(".*"):
            _drop(path, before)
        for folder in sorted(self._folder.glob("[0-9a-f][0-9a-f]")):
            found = []
            for path in folder.iterdir():
                if path.name.startswith("."):
                    _drop(path, before)
                elif HASH.fullmatch(path.name) and _age(path) < before:
                    found.append(path.name)
            yield found

    def sweep_due(self) -> float | None:
        """When the next sweep was planned for; zero if none was, and `None` where nothing was ever put."""
        if not self._folder.exists():
            return None
        return _age(self._planned) if self._planned.exists() else 0.0

    def plan_sweep(self, at: float) -> None:
        """Plan the next sweep, for this process and others. A file beside the folder keeps its time."""
        if self._folder.exists():
            self._planned.touch()
            os.utime(self._planned, (at, at))

    def remove(self, digests: Collection[str], before: float) -> tuple[int, int]:
        """Take bytes away, unless somebody has put them again meanwhile; how many files and bytes.

        The time of a file is looked at and the file taken under a lock of its own that no put goes
        past: whoever puts the same bytes before it has renewed that time, whoever does after it finds
        none and writes them. What stays is never without its name. What somebody puts right now is
        left to the next sweep.
        """
        files = size = 0
        for digest in digests:
            self._synced.discard(digest)
            path = self._path(digest)
            with suppress(FileNotFoundError, BlockingIOError):
                with _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB) as file:
                    facts = os.fstat(file)
                    if facts.st_mtime >= before or not facts.st_nlink:
                        continue
                    path.unlink()
                files, size = files + 1, size + facts.st_size
        return files, size

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest

    def _make_folder(self, folder: Path) -> None:
        if folder.exists():
            return
        missing = [it for it in (folder, *folder.parents) if not it.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for made in missing:
            sync_folder(made.parent)


def _renewed(path: Path) -> bool:
    """Renew the time of a file, so that no sweep takes it; `False` where there is none. Raises `OSError`."""
    try:
        with _locked(path, fcntl.LOCK_SH) as file:
            os.utime(file)
            return os.fstat(file).st_nlink > 0
    except FileNotFoundError:
        return False


@contextmanager
def _locked(path: Path, how: int) -> Iterator[int]:
    """Hold the lock of a file, before all other processes as well. Raises `OSError`."""
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(file, how)
        yield file
    finally:
        os.close(file)


def _age(path: Path) -> float:
    return path.stat().st_mtime


def _drop(path: Path, before: float) -> None:
    """Take away what a process left behind in the middle of writing it."""
    if path.is_file() and _age(path) < before:
        path.unlink(missing_ok=True)
