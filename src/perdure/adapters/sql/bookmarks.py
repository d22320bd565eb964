"""`BookmarkStore` in SQL."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, bindparam, delete, func, select

from perdure.adapters.sql.audit_pending import SqlPlaneAudit, keep
from perdure.adapters.sql.dialect import Session, Write
from perdure.adapters.sql.encode import dumps, loads
from perdure.adapters.sql.purges import hold_origins
from perdure.adapters.sql.reader import Reader
from perdure.adapters.sql.statements import Row, Sql, inserting
from perdure.adapters.sql.tables import bookmarks
from perdure.adapters.sql.writer import Writer
from perdure.errors import BookmarkNotFound
from perdure.identity.audit import Entry
from perdure.ids import RunId
from perdure.stores.bookmarks import Bookmark, BookmarkQuery

T = TypeVar("T")

_NAMES: Final = ("id", "run_id", "seq", "name", "note", "tags", "created_at")
_COLUMNS: Final = tuple(bookmarks.c[name] for name in _NAMES)
_ADD: Final = inserting(bookmarks, (*_NAMES[:-1], "words", "created_at"))
_GET: Final = Sql(select(*_COLUMNS).where(bookmarks.c.id == bindparam("_id")))
_REMOVE: Final = Sql(delete(bookmarks).where(bookmarks.c.id == bindparam("_id")))
_FILTERS: Final[Mapping[str, ColumnElement[bool]]] = {
    "run_id": bookmarks.c.run_id == bindparam("run_id"),
    "tag": bookmarks.c.words.like(bindparam("tag"), escape="\\"),
    "text": bookmarks.c.words.like(bindparam("text"), escape="\\"),
}
_LIKE: Final = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


class SqlBookmarks:
    """Bookmarks of one plane."""

    def __init__(self, reader: Reader, writer: Writer, audit: SqlPlaneAudit) -> None:
        """Read by `reader`, write by `writer`; what goes on record is told to `audit`."""
        self._reader, self._writer, self._audit = reader, writer, audit

    async def add(self, bookmark: Bookmark, entry: Entry | None = None) -> None:
        """Keep a bookmark. Raises `RunNotFound` where a purge took the run meanwhile."""

        def work(session: Session) -> None:
            hold_origins(session, [bookmark.run_id])
            session.write([Write(_ADD, [_row(bookmark)])])
            keep(session, entry)

        await self._changed(work, entry)

    async def get(self, bookmark_id: str) -> Bookmark:
        """The bookmark. Raises `BookmarkNotFound`."""
        row = await self._reader.read(lambda session: session.first(_GET, _id=bookmark_id))
        if row is None:
            raise BookmarkNotFound
        return _bookmark(row)

    async def list(self, query: BookmarkQuery) -> tuple[Sequence[Bookmark], int]:
        """A page, newest first, and how many there are."""
        asked = _asked(query)
        where = [_FILTERS[name] for name in asked]
        page = Sql(
            select(*_COLUMNS)
            .where(*where)
            .order_by(bookmarks.c.created_at.desc(), bookmarks.c.id.desc())
            .limit(bindparam("_limit"))
            .offset(bindparam("_offset"))
        )
        count = Sql(select(func.count()).select_from(bookmarks).where(*where))

        def read(session: Session) -> tuple[Sequence[Bookmark], int]:
            rows = session.all(page, **asked, _limit=query.limit, _offset=query.offset)
            counted = session.first(count, **asked)
            assert counted is not None, "a count is always answered"
            return [_bookmark(row) for row in rows], counted[0]

        return await self._reader.read(read)

    async def remove(self, bookmark_id: str, entry: Entry | None = None) -> None:
        """Take a bookmark away. Raises `BookmarkNotFound`."""

        def work(session: Session) -> None:
            if not session.run(_REMOVE, _id=bookmark_id):
                raise BookmarkNotFound
            keep(session, entry)

        await self._changed(work, entry)

    async def _changed(self, work: Callable[[Session], T], entry: Entry | None) -> T:
        if entry is None:
            return await self._writer.work(work)
        changed = await self._writer.work(work, due=entry.at, at=entry.at)
        self._audit.kept(entry)
        return changed


def _asked(query: BookmarkQuery) -> dict[str, str]:
    asked = {}
    if query.run_id is not None:
        asked["run_id"] = str(query.run_id)
    if query.tag is not None:
        asked["tag"] = f"%\n#{query.tag.lower().translate(_LIKE)}\n%"
    if query.text is not None:
        asked["text"] = f"%{query.text.lower().translate(_LIKE)}%"
    return asked


def _row(bookmark: Bookmark) -> Row:
    tags = [f"#{tag}" for tag in bookmark.tags]
    words = "\n".join(["", bookmark.name, bookmark.note, *tags, ""]).lower()
    return (
        bookmark.id, bookmark.run_id, bookmark.seq, bookmark.name, bookmark.note,
        dumps(bookmark.tags), words, bookmark.created_at,
    )  # fmt: skip


def _bookmark(row: Row) -> Bookmark:
    bookmark_id, run_id, seq, name, note, tags, created_at = row
    return Bookmark(bookmark_id, RunId(run_id), seq, name, created_at, note, tuple(loads(tags)))
