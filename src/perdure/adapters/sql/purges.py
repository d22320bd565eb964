"""`PurgeStore` in SQL: whole trees of runs, from every table that knows them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, delete, select

from perdure.adapters.sql.audit_pending import SqlPlaneAudit, keep
from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.statements import Row, Sql, among
from perdure.adapters.sql.tables import (
    artifacts,
    bookmarks,
    cells,
    inbox,
    ledger,
    outbox,
    runs,
    waits,
)
from perdure.adapters.sql.writer import Writer
from perdure.errors import RunNotFound
from perdure.identity.audit import Entry
from perdure.ids import RunId
from perdure.kernel.model import TERMINAL
from perdure.stores.purges import Purged

# The locks have a fork that is being born and a purge of its origin see each other: whoever comes first is first.
_TREES: Final = Sql(
    select(runs.c.pk, runs.c.id, runs.c.root_id, runs.c.status, runs.c.forked_from)
    .where(among(runs.c.root_id, "roots"))
    .with_for_update()
)
_ORIGINS: Final = Sql(
    select(runs.c.id).where(among(runs.c.id, "ids")).with_for_update(read=True, key_share=True)
)
_FORKED: Final = Sql(select(runs.c.forked_from, runs.c.id).where(among(runs.c.forked_from, "ids")))


def _deleting(table: Table, column: ColumnElement[Any], name: str) -> Sql:
    return Sql(delete(table).where(among(column, name)))


# Purges are rare: the inbox is read whole for one rather than that each message keeps an index for it.
# Children of a foreign key come first.
_BY_NUMBER: Final = tuple(
    _deleting(table, table.c[name], "pks")
    for table, name in (
        (ledger, "run"),
        (cells, "run"),
        (outbox, "run"),
        (waits, "run"),
        (runs, "pk"),
    )
)
_BY_ID: Final = tuple(_deleting(it, it.c.run_id, "ids") for it in (inbox, bookmarks))
_ARTIFACTS: Final = _deleting(artifacts, artifacts.c.owner, "ids")


class SqlPurges:
    """Purges of one plane."""

    def __init__(self, writer: Writer, audit: SqlPlaneAudit) -> None:
        """Write by `writer`."""
        self._writer, self._audit = writer, audit

    async def purge(
        self, roots: Sequence[RunId], *, artifacts: bool, entry: Entry | None = None
    ) -> Purged:
        """Forget whole trees whose every run has ended."""

        def work(session: Session) -> Purged:
            rows = session.all(_TREES, roots=list(roots))
            staying = {root for _, _, root, status, _ in rows if status not in TERMINAL}
            staying |= _between(session, [row for row in rows if row[2] not in staying])
            gone = [(pk, run_id, root) for pk, run_id, root, *_ in rows if root not in staying]
            if not gone:
                return Purged((), 0)
            ids = [run_id for _, run_id, _ in gone]
            count = 0
            if artifacts:
                read = _read_of(session, {run_id: root for _, run_id, root in gone})
                mine = [run_id for _, run_id, root in gone if root not in read]
                count = session.run(_ARTIFACTS, ids=mine)
            for statement in _BY_ID:
                session.run(statement, ids=ids)
            for statement in _BY_NUMBER:
                session.run(statement, pks=[pk for pk, _, _ in gone])
            keep(session, entry)
            return Purged([RunId(it) for it in ids], count)

        if entry is None:
            return await self._writer.work(work)
        purged = await self._writer.work(work, due=entry.at, at=entry.at)
        self._audit.kept(entry)
        return purged


def _between(session: Session, ended: Sequence[Row]) -> set[str]:
    """The roots of the trees by which a fork that stays finds what their own origins made."""
    read = _read_of(session, {run_id: root for _, run_id, root, *_ in ended})
    return {root for _, _, root, _, origin in ended if root in read and origin is not None}


def _read_of(session: Session, trees: Mapping[str, str]) -> set[str]:
    """The roots of the trees whose artifacts a fork goes on with that stays, also through forks that go."""
    forks = session.all(_FORKED, ids=list(trees))
    read: set[str] = set()
    known = -1
    while known < len(read):
        known = len(read)
        read |= {
            trees[origin] for origin, fork in forks if fork not in trees or trees[fork] in read
        }
    return read


def hold_origins(session: Session, origins: Sequence[RunId]) -> None:
    """Have the runs that forks are born of stay until the forks are there. Raises `RunNotFound`."""
    here = {run_id for (run_id,) in session.all(_ORIGINS, ids=list(origins))}
    if not here.issuperset(origins):
        raise RunNotFound
