"""`DrawingStore` in SQL."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from sqlalchemy import bindparam, delete, func, select, update

from perdure.adapters.sql.audit_pending import SqlPlaneAudit, keep
from perdure.adapters.sql.commit_rows import at_most_once
from perdure.adapters.sql.dialect import Session, Write
from perdure.adapters.sql.encode import dumps, loads
from perdure.adapters.sql.reader import Reader
from perdure.adapters.sql.statements import Row, Sql
from perdure.adapters.sql.tables import drawings
from perdure.adapters.sql.writer import Writer
from perdure.errors import FlowNotFound, LimitReached
from perdure.identity.audit import Entry
from perdure.stores.drawings import Drawing

T = TypeVar("T")

_NAMES: Final = ("id", "body", "created_at", "updated_at")
_COLUMNS: Final = tuple(drawings.c[name] for name in _NAMES)
_THIS: Final = drawings.c.id == bindparam("_id")
_GET: Final = Sql(select(*_COLUMNS).where(_THIS))
_LIST: Final = Sql(select(*_COLUMNS).order_by(drawings.c.updated_at.desc(), drawings.c.id.desc()))
_COUNT: Final = Sql(select(func.count()).select_from(drawings))
_ADD: Final = at_most_once(drawings, _NAMES)
_REPLACE: Final = Sql(
    update(drawings)
    .where(_THIS, drawings.c.updated_at == bindparam("_was"))
    .values(body=bindparam("body"), updated_at=bindparam("updated_at"))
)
_REMOVE: Final = Sql(delete(drawings).where(_THIS))


class SqlDrawings:
    """Drawings of one plane."""

    def __init__(self, reader: Reader, writer: Writer, audit: SqlPlaneAudit) -> None:
        """Read by `reader`, write by `writer`."""
        self._reader, self._writer, self._audit = reader, writer, audit

    async def get(self, drawing_id: str) -> Drawing:
        """A drawing. Raises `FlowNotFound`."""
        row = await self._reader.read(lambda session: session.first(_GET, _id=drawing_id))
        if row is None:
            raise FlowNotFound
        return _drawing(row)

    async def list(self) -> Sequence[Drawing]:
        """All of them, the one changed last first."""
        rows = await self._reader.read(lambda session: session.all(_LIST))
        return [_drawing(row) for row in rows]

    async def add(self, drawing: Drawing, *, most: int, entry: Entry | None = None) -> bool:
        """Keep a new one; `False` where its id is taken. Raises `LimitReached`."""

        def work(session: Session) -> bool:
            count = session.first(_COUNT)
            assert count is not None, "a count is always answered"
            if count[0] >= most:
                raise LimitReached(f"There are {most} flows under authors' hands.", limit=most)
            if session.first(_GET, _id=drawing.id) is not None:
                return False
            session.write([Write(_ADD, [_row(drawing)])])
            keep(session, entry)
            return True

        return await self._changed(work, entry)

    async def replace(self, drawing: Drawing, was: Drawing, *, entry: Entry | None = None) -> bool:
        """Put one in the place of what was read; `False` where somebody changed that since."""

        def work(session: Session) -> bool:
            changed = session.run(
                _REPLACE, _id=was.id, _was=was.updated_at, body=dumps(drawing.body),
                updated_at=drawing.updated_at,
            ) == 1  # fmt: skip
            keep(session, entry if changed else None)
            return changed

        return await self._changed(work, entry)

    async def remove(self, drawing_id: str, *, entry: Entry | None = None) -> bool:
        """Forget one; whether it was there."""

        def work(session: Session) -> bool:
            removed = session.run(_REMOVE, _id=drawing_id) == 1
            keep(session, entry if removed else None)
            return removed

        return await self._changed(work, entry)

    async def _changed(self, work: Callable[[Session], T], entry: Entry | None) -> T:
        """Change something, with what the audit is to know of it."""
        if entry is None:
            return await self._writer.work(work)
        changed = await self._writer.work(work, due=entry.at, at=entry.at)
        self._audit.kept(entry)
        return changed


def _row(drawing: Drawing) -> Row:
    return drawing.id, dumps(drawing.body), drawing.created_at, drawing.updated_at


def _drawing(row: Row) -> Drawing:
    drawing_id, body, created_at, updated_at = row
    return Drawing(drawing_id, loads(body), created_at, updated_at)
