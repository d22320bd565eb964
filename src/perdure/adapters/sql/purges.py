"""`PurgeStore` in SQL: whole trees of runs, from every table that knows them."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, delete, select

from perdure.adapters.sql.audit_pending import SqlPlaneAudit, keep
from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.statements import Sql, among
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
from perdure.identity.audit import Entry
from perdure.ids import RunId
from perdure.kernel.model import TERMINAL
from perdure.stores.purges import Purged

_TREES: Final = Sql(
    select(runs.c.pk, runs.c.id, runs.c.root_id, runs.c.status).where(
        among(runs.c.root_id, "roots")
    )
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
            alive = {root for _, _, root, status in rows if status not in TERMINAL}
            gone = [(pk, run_id) for pk, run_id, root, _ in rows if root not in alive]
            if not gone:
                return Purged((), 0)
            ids = [run_id for _, run_id in gone]
            # A fork goes on with what its origin made, unless it goes as well.
            read = {origin for origin, fork in session.all(_FORKED, ids=ids) if fork not in ids}
            count = 0
            if artifacts:
                count = session.run(_ARTIFACTS, ids=[it for it in ids if it not in read])
            for statement in _BY_ID:
                session.run(statement, ids=ids)
            for statement in _BY_NUMBER:
                session.run(statement, pks=[pk for pk, _ in gone])
            keep(session, entry)
            return Purged([RunId(it) for it in ids], count)

        if entry is None:
            return await self._writer.work(work)
        purged = await self._writer.work(work, due=entry.at, at=entry.at)
        self._audit.kept(entry)
        return purged
