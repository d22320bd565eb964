"""Moments of runs that somebody named, to come back to."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from perdure.identity.audit import Entry
from perdure.ids import RunId


class Bookmark(NamedTuple):
    """A moment of a run: after its record `seq`."""

    id: str
    run_id: RunId
    seq: int
    name: str
    created_at: str
    note: str = ""
    tags: tuple[str, ...] = ()


class BookmarkQuery(NamedTuple):
    """Which bookmarks to look for. `text` is a part of a name, a note or a tag, in any case of letters."""

    run_id: RunId | None = None
    tag: str | None = None
    text: str | None = None
    limit: int = 100
    offset: int = 0


class BookmarkStore(Protocol):
    """Bookmarks of one runtime."""

    async def add(self, bookmark: Bookmark, entry: Entry | None = None) -> None:
        """Keep a bookmark; `entry` goes on to the audit chain in the same transaction."""
        ...

    async def get(self, bookmark_id: str) -> Bookmark:
        """The bookmark. Raises `BookmarkNotFound`."""
        ...

    async def list(self, query: BookmarkQuery) -> tuple[Sequence[Bookmark], int]:
        """A page, newest first, and how many there are."""
        ...

    async def remove(self, bookmark_id: str, entry: Entry | None = None) -> None:
        """Take a bookmark away. Raises `BookmarkNotFound`."""
        ...
