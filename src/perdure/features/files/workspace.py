"""A run's workspace: a folder that its flows reach by relative paths, and nothing around it.

A path is followed one name at a time from the folder itself, each opened without following a link,
so that no link and no name leads out, whatever somebody puts there meanwhile. All of it blocks: for
a thread.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from perdure.ids import new_id

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
NAMES_MAX: Final = 64  # in one path
ENTRIES_MAX: Final = 10_000  # seen by one listing
FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READING: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
WRITING: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
DRIVE: Final = re.compile(r"[A-Za-z]:")


class NotThere(Exception):
    """A path of the workspace leads to nothing that can be read or written. Says why."""


class Entry(NamedTuple):
    """A file or folder of a listing."""

    path: str
    name: str
    folder: bool
    size_bytes: int


class Listing(NamedTuple):
    """What a folder holds, and whether there is more of it."""

    entries: list[Entry]
    truncated: bool


def names_of(path: str) -> tuple[str, ...]:
    """The names that a relative path leads by. Raises `NotThere` for one that would lead elsewhere."""
    shown = path[:80]
    if not path.strip() or "\x00" in path:
        raise NotThere("a path needs a name")
    if path.startswith("/") or "\\" in path or DRIVE.match(path):
        raise NotThere(f"{shown!r} is no path within the workspace: it is to be relative")
    names = tuple(name for name in path.split("/") if name not in ("", "."))
    if ".." in names:
        raise NotThere(f"{shown!r} is no path within the workspace: it leads out")
    if len(names) > NAMES_MAX:
        raise NotThere(f"a path has at most {NAMES_MAX} names")
    return names


class Workspace:
    """The folder of one tree of runs; it is made when something is first written."""

    def __init__(self, root: Path) -> None:
        """Stand on `root`, whose own path is nobody's but the server's."""
        self._root = root

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises `NotThere`, also for one that is too large."""
        *folders, name = self._named(path)
        with self._folder(folders, path) as folder, self._missing(path):
            file = os.open(name, READING, dir_fd=folder)
            with os.fdopen(file, "rb") as opened:
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise NotThere(f"{path[:80]!r} is no file")
                content = opened.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise NotThere(f"{path[:80]!r} has more than {FILE_BYTES_MAX} bytes")
        return content

    def write(self, path: str, content: bytes) -> None:
        """Put a file there whole or not at all, with the folders that lead to it. Raises `NotThere`."""
        if len(content) > FILE_BYTES_MAX:
            raise NotThere(f"a file has at most {FILE_BYTES_MAX} bytes")
        *folders, name = self._named(path)
        self._root.mkdir(parents=True, exist_ok=True)
        with self._folder(folders, path, make=True) as folder, self._missing(path):
            half = f".{new_id()}.part"
            try:
                with os.fdopen(os.open(half, WRITING, 0o600, dir_fd=folder), "wb") as opened:
                    opened.write(content)
                    opened.flush()
                    os.fsync(opened.fileno())
                os.replace(half, name, src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)
            except OSError:
                with suppress(OSError):
                    os.unlink(half, dir_fd=folder)
                raise

    def entries(self, path: str, *, depth: int, limit: int) -> Listing:
        """What a folder holds down to a depth, by name; links are not there. Raises `NotThere`."""
        names = names_of(path or ".")
        found: list[Entry] = []
        with self._folder(list(names), path or ".") as folder:
            for entry in _walked(folder, "/".join(names), depth):
                if len(found) >= min(limit, ENTRIES_MAX):
                    return Listing(found, True)
                found.append(entry)
        return Listing(found, False)

    def _named(self, path: str) -> tuple[str, ...]:
        names = names_of(path)
        if not names:
            raise NotThere("a path needs a name")
        return names

    @contextmanager
    def _folder(self, names: list[str], path: str, *, make: bool = False) -> Iterator[int]:
        with self._missing(path):
            folder = os.open(self._root, FOLDER)
        try:
            for name in names:
                with self._missing(path):
                    if make:
                        with suppress(FileExistsError):
                            os.mkdir(name, 0o700, dir_fd=folder)
                    inner = os.open(name, FOLDER, dir_fd=folder)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)

    @contextmanager
    def _missing(self, path: str) -> Iterator[None]:
        """Tell what the system says of a path without the path of the workspace itself."""
        try:
            yield
        except FileNotFoundError:
            raise NotThere(f"there is no {path[:80]!r} in the workspace") from None
        except OSError as error:
            raise NotThere(f"{path[:80]!r} cannot be reached: {error.strerror}") from None


def _walked(folder: int, path: str, depth: int) -> Iterator[Entry]:
    with os.scandir(folder) as scanned:
        inside = sorted(scanned, key=lambda it: it.name)
    for item in inside:
        if item.is_symlink():
            continue
        below = f"{path}/{item.name}" if path else item.name
        if item.is_dir(follow_symlinks=False):
            yield Entry(below, item.name, True, 0)
            if depth > 1:
                with suppress(OSError):  # it went away meanwhile
                    yield from _below(folder, item.name, below, depth - 1)
        elif item.is_file(follow_symlinks=False):
            yield Entry(below, item.name, False, item.stat(follow_symlinks=False).st_size)


def _below(folder: int, name: str, path: str, depth: int) -> Iterator[Entry]:
    inner = os.open(name, FOLDER, dir_fd=folder)
    try:
        yield from _walked(inner, path, depth)
    finally:
        os.close(inner)
