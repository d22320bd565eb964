"""`PlaneAudit` in SQL: entries that wait in their plane for the tenant's chain."""

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import bindparam, delete, literal_column, select

from perdure.adapters.sql.counters import AUDIT, take
from perdure.adapters.sql.dialect import Session, Write
from perdure.adapters.sql.reader import Reader
from perdure.adapters.sql.statements import Row, Rows, Sql, inserting
from perdure.adapters.sql.tables import audit_pending
from perdure.adapters.sql.writer import Writer
from perdure.identity.audit import Entry
from perdure.stores.audit import Pending, body_of

ADD_ENTRY: Final = inserting(audit_pending, ("n", "at", "body"))
_PENDING: Final = Sql(
    select(audit_pending.c.n, audit_pending.c.body)
    .where(audit_pending.c.n >= literal_column("0"))
    .order_by(audit_pending.c.n)
    .limit(bindparam("_limit"))
)
_DROP: Final = Rows(delete(audit_pending).where(audit_pending.c.n == bindparam("_n")), ("_n",))


def entry_row(number: int, entry: Entry) -> Row:
    """An entry as it is kept."""
    return number, entry.at, body_of(entry)


def keep(session: Session, entry: Entry | None) -> None:
    """Keep an entry in the transaction of what it tells."""
    if entry is not None:
        session.write([Write(ADD_ENTRY, [entry_row(take(session, AUDIT), entry)])])


class SqlPlaneAudit:
    """The entries of one plane that are on their way."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        """Read by `reader`, write by `writer`."""
        self._reader, self._writer = reader, writer
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, on the event loop, whenever this process has kept something."""
        self._listeners.append(listener)

    def kept(self, entry: Entry | None) -> None:
        """Tell who listens that an entry is on disk, where there was one."""
        if entry is not None:
            for listener in self._listeners:
                listener()

    async def add(self, entry: Entry) -> None:
        """Keep an entry that tells of no change in the plane's own stores."""
        await self._writer.work(lambda session: keep(session, entry), due=entry.at, at=entry.at)
        self.kept(entry)

    async def pending(self, *, limit: int) -> Sequence[Pending]:
        """What is still here, oldest first."""
        rows = await self._reader.read(lambda session: session.all(_PENDING, _limit=limit))
        return [Pending(n, bytes(body)) for n, body in rows]

    async def carried(self, numbers: Sequence[int]) -> None:
        """Forget what is in the chain now."""
        rows: list[Row] = [(n,) for n in numbers]
        await self._writer.work(lambda session: session.write([Write(_DROP, rows)]))
