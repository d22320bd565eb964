"""`OutboxStore` in SQL."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, literal_column, select, update

from perdure.adapters.sql.dialect import Session, Write
from perdure.adapters.sql.encode import dumps, effect_of, loads
from perdure.adapters.sql.reader import Reader
from perdure.adapters.sql.statements import Row, Rows, Sql
from perdure.adapters.sql.tables import PENDING, outbox, runs
from perdure.adapters.sql.writer import Writer
from perdure.ids import Key, RunId
from perdure.kernel.values import Json
from perdure.stores.outbox import Pending

_RUN: Final = select(runs.c.pk).where(runs.c.id == bindparam("_run_id")).scalar_subquery()
_THIS: Final = (outbox.c.run == _RUN, outbox.c.key == bindparam("_key"))

_FREE: Final = (
    select(outbox.c.run, outbox.c.key, runs.c.id, outbox.c.body, outbox.c.attempts, outbox.c.dispatched_at)
    .join(runs, runs.c.pk == outbox.c.run)
    .where(PENDING, outbox.c.lease_until <= bindparam("now"), runs.c.held_at.is_(None))
    .order_by(outbox.c.lease_until, outbox.c.run, outbox.c.seq)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True, of=outbox)
)  # fmt: skip
_CLAIMABLE: Final = Sql(_FREE)
_CLAIMABLE_OF: Final = Sql(_FREE.where(runs.c.id == bindparam("_run_id")))
_LEASE: Final = Rows(
    update(outbox)
    .where(outbox.c.run == bindparam("_run"), outbox.c.key == bindparam("_key"))
    .values(holder=bindparam("holder"), lease_until=bindparam("lease_until")),
    ("holder", "lease_until", "_run", "_key"),
)
_ABOVE: Final = runs.alias("above")
_FENCED: Final = (  # the run's parent or root is cancelled, and its own cancel is on its way
    select(literal_column("1"))
    .select_from(_ABOVE)
    .where(
        _ABOVE.c.id.in_([runs.c.parent_id, runs.c.root_id]),
        _ABOVE.c.status == literal_column("'cancelled'"),
    )
    .correlate(runs)
    .exists()
)
_DISPATCH: Final = Sql(
    update(outbox)
    .where(
        outbox.c.run
        == select(runs.c.pk)
        .where(runs.c.id == bindparam("_run_id"), runs.c.held_at.is_(None), ~_FENCED)
        .scalar_subquery(),
        outbox.c.key == bindparam("_key"),
        outbox.c.holder == bindparam("_holder"),
        outbox.c.dispatched_at.is_(None),
        PENDING,
    )
    .values(dispatched_at=bindparam("at"))
)
_LATER: Final = (
    update(outbox)
    .where(*_THIS, PENDING)
    .values(
        attempts=bindparam("tried"), lease_until=bindparam("due"), holder=literal_column("NULL")
    )
)
_RETRY_LATER: Final = Sql(_LATER)
_RETRY_UNDONE: Final = Sql(_LATER.values(dispatched_at=literal_column("NULL")))
_RENEW: Final = Sql(
    update(outbox)
    .where(*_THIS, PENDING, outbox.c.holder == bindparam("_holder"))
    .values(lease_until=bindparam("until"))
)
_IGNORED: Final = Sql(
    update(outbox)
    .where(*_THIS, outbox.c.disposition == literal_column("'withdrawn'"))
    .values(disposition=bindparam("told"))
)
NEXT_DUE: Final = Sql(
    select(outbox.c.lease_until)
    .join(runs, runs.c.pk == outbox.c.run)
    .where(PENDING, runs.c.held_at.is_(None))
    .order_by(outbox.c.lease_until)
    .limit(literal_column("1"))
)


class SqlOutbox:
    """Effects on their way."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        """Read by `reader`, write by `writer`."""
        self._reader, self._writer = reader, writer

    async def claim(
        self, holder: str, *, now: str, until: str, limit: int, run_id: RunId | None = None
    ) -> Sequence[Pending]:
        """Lease effects whose lease is over or whose retry is due, oldest first."""

        def work(session: Session) -> Sequence[Pending]:
            if run_id is None:
                rows = session.all(_CLAIMABLE, now=now, limit=limit)
            else:
                rows = session.all(_CLAIMABLE_OF, now=now, limit=limit, _run_id=run_id)
            if rows:
                session.write([Write(_LEASE, [(holder, until, row[0], row[1]) for row in rows])])
            return [_pending(row) for row in rows]

        return await self._writer.work(work)

    async def dispatch(self, run_id: RunId, key: Key, *, holder: str, at: str) -> bool:
        """Write down that a `once` effect is about to be performed, if it still may be."""
        return await self._writer.work(
            lambda session: (
                session.run(_DISPATCH, _run_id=run_id, _key=key, _holder=holder, at=at) == 1
            )
        )

    async def retry_later(
        self,
        run_id: RunId,
        key: Key,
        *,
        attempts: tuple[Json, ...],
        due: str,
        undo_dispatch: bool = False,
    ) -> None:
        """Give the lease back until `due`, keeping the story of the attempts."""
        statement = _RETRY_UNDONE if undo_dispatch else _RETRY_LATER
        tried = dumps(attempts)
        await self._writer.work(
            lambda session: session.run(statement, _run_id=run_id, _key=key, tried=tried, due=due)
        )

    async def renew(self, holder: str, keys: Sequence[tuple[RunId, Key]], *, until: str) -> None:
        """Lengthen the holder's leases on these effects."""

        def work(session: Session) -> None:
            for run_id, key in keys:
                session.run(_RENEW, _run_id=run_id, _key=key, _holder=holder, until=until)

        await self._writer.work(work)

    async def ignored(self, run_id: RunId, key: Key, why: str) -> None:
        """Note on a given-up effect that its outcome came too late."""
        await self._writer.work(
            lambda session: session.run(_IGNORED, _run_id=run_id, _key=key, told=f"ignored: {why}")
        )

    async def next_due(self) -> str | None:
        """When the earliest retry or lease comes due, or `None`."""
        row = await self._reader.read(lambda session: session.first(NEXT_DUE))
        return None if row is None else row[0]


def _pending(row: Row) -> Pending:
    _, key, run_id, body, attempts, dispatched_at = row
    tried = () if attempts is None else tuple(loads(attempts))
    return Pending(RunId(run_id), Key(key), effect_of(body), tried, dispatched_at)
