"""Bookmarks: moments of runs that somebody named, found again, and gone on from as forks."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from perdure.clock import text_of
from perdure.errors import Invalid, LimitReached
from perdure.identity.audit import Entry
from perdure.ids import RunId, new_id
from perdure.runtimes.context import RuntimeContext
from perdure.services.forks import Forked, ForkRequest, fork
from perdure.stores.bookmarks import Bookmark, BookmarkQuery

BOOKMARKS_MAX: Final = 10_000  # of one runtime


class BookmarkPage(NamedTuple):
    """Bookmarks, newest first, and how many there are."""

    items: Sequence[Bookmark]
    total: int
    query: BookmarkQuery


class Mark(NamedTuple):
    """A moment to be named: after record `seq`, or where the run stands now."""

    name: str
    seq: int | None = None
    note: str = ""
    tags: tuple[str, ...] = ()


async def add(
    runtime: RuntimeContext, run_id: RunId, mark: Mark, entry: Entry | None = None
) -> Bookmark:
    """Name a moment of a run. Raises `RunNotFound`, `Invalid` beyond the head, `LimitReached`."""
    header = await runtime.plane.runs.header(run_id)
    seq = header.seq if mark.seq is None else mark.seq
    if not 0 <= seq <= header.seq:
        raise Invalid(f"`seq` is between 0 and {header.seq}", seq=seq)
    _, total = await runtime.plane.bookmarks.list(BookmarkQuery(limit=1))
    if total >= BOOKMARKS_MAX:
        raise LimitReached(f"There are {BOOKMARKS_MAX} bookmarks, and no more can be kept.")
    at = text_of(runtime.clock.now())
    bookmark = Bookmark(new_id(), run_id, seq, mark.name, at, mark.note, mark.tags)
    await runtime.plane.bookmarks.add(bookmark, _entry(entry, at, bookmark.id))
    return bookmark


async def get(runtime: RuntimeContext, bookmark_id: str) -> Bookmark:
    """A bookmark. Raises `BookmarkNotFound`."""
    return await runtime.plane.bookmarks.get(bookmark_id)


async def listed(runtime: RuntimeContext, query: BookmarkQuery) -> BookmarkPage:
    """A page of bookmarks. Raises `RunNotFound` where it is of a run that is not there."""
    if query.run_id is not None:
        await runtime.plane.runs.header(query.run_id)
    return BookmarkPage(*await runtime.plane.bookmarks.list(query), query)


async def remove(runtime: RuntimeContext, bookmark_id: str, entry: Entry | None = None) -> None:
    """Take a bookmark away; the run stays as it is. Raises `BookmarkNotFound`."""
    at = text_of(runtime.clock.now())
    await runtime.plane.bookmarks.remove(bookmark_id, _entry(entry, at, bookmark_id))


async def restore(
    runtime: RuntimeContext, bookmark_id: str, request: ForkRequest, entry: Entry | None = None
) -> Forked:
    """Go on from a bookmark in a fork; the run itself stays as it is. Raises as `fork` does."""
    bookmark = await runtime.plane.bookmarks.get(bookmark_id)
    return await fork(runtime, bookmark.run_id, request._replace(from_seq=bookmark.seq), entry)


def _entry(entry: Entry | None, at: str, target: str) -> Entry | None:
    return None if entry is None else entry._replace(at=at, target=target)
