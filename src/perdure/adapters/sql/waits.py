"""`WaitStore` in SQL."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import bindparam, exists, literal_column, select, tuple_

from perdure.adapters.sql.reader import Reader
from perdure.adapters.sql.statements import Row, Sql
from perdure.adapters.sql.tables import UNENDED, UNTAKEN, inbox, runs, waits
from perdure.ids import Key, RunId
from perdure.stores.waits import DueWait, Overdue

_earlier: Final = runs.alias("earlier")
_COMING: Final = (  # what an event is on its way to does not come due: the event was in time
    waits.c.closed_seq.is_(None),
    waits.c.due.is_not(None),
    waits.c.event.is_(None),
    runs.c.held_at.is_(None),
)
_ANSWERED: Final = exists().where(
    UNTAKEN,
    inbox.c.run_id == runs.c.id,
    inbox.c.kind == literal_column("'resume'"),
    inbox.c.opened_seq == waits.c.opened_seq,
)
_TIMED: Final = (
    select(runs.c.id, waits.c.key, waits.c.opened_seq, waits.c.due, _ANSWERED)
    .join(runs, runs.c.pk == waits.c.run)
    .where(*_COMING)
)
_ORDER: Final = (waits.c.due, waits.c.run, waits.c.opened_seq)
_DUE: Final = _TIMED.where(waits.c.due <= bindparam("now")).order_by(*_ORDER).limit(bindparam("limit"))  # fmt: skip
_FIRST_DUE: Final = Sql(_DUE)
_AFTER_RUN: Final = (
    select(_earlier.c.pk).where(_earlier.c.id == bindparam("after_run")).scalar_subquery()
)
_MORE_DUE: Final = Sql(
    _DUE.where(
        tuple_(*_ORDER) > tuple_(bindparam("after_due"), _AFTER_RUN, bindparam("after_seq")),
    )
)  # fmt: skip
_NEXT: Final = (
    select(waits.c.due)
    .join(runs, runs.c.pk == waits.c.run)
    .where(*_COMING)
    .order_by(waits.c.due)
    .limit(literal_column("1"))
)
NEXT_DUE: Final = Sql(_NEXT)
NEXT_DUE_AFTER: Final = Sql(_NEXT.where(waits.c.due > bindparam("after")))

_LIMITED: Final = select(runs.c.id, runs.c.deadline).where(UNENDED, runs.c.deadline.is_not(None))
_ENDING: Final = (runs.c.deadline, runs.c.pk)
_OVERDUE: Final = (
    _LIMITED.where(runs.c.deadline <= bindparam("now")).order_by(*_ENDING).limit(bindparam("limit"))
)
_FIRST_OVERDUE: Final = Sql(_OVERDUE)
_MORE_OVERDUE: Final = Sql(
    _OVERDUE.where(tuple_(*_ENDING) > tuple_(bindparam("after_deadline"), _AFTER_RUN))
)
_ENDS: Final = (
    select(runs.c.deadline)
    .where(UNENDED, runs.c.deadline.is_not(None))
    .order_by(runs.c.deadline)
    .limit(literal_column("1"))
)
NEXT_DEADLINE: Final = Sql(_ENDS)
_NEXT_DEADLINE_AFTER: Final = Sql(_ENDS.where(runs.c.deadline > bindparam("after")))


class SqlWaits:
    """Open waits and deadlines, by time."""

    def __init__(self, reader: Reader) -> None:
        """Read by `reader`; what opens and closes waits is `SqlRuns.commit`."""
        self._reader = reader

    async def due(self, *, now: str, limit: int, after: DueWait | None = None) -> Sequence[DueWait]:
        """Open waits of runs that are not held whose time has come, earliest first."""
        place = after and {
            "after_due": after.due, "after_run": after.run_id, "after_seq": after.opened_seq,
        }  # fmt: skip
        rows = await self._page(_FIRST_DUE, _MORE_DUE, place, now=now, limit=limit)
        return [
            DueWait(RunId(run_id), Key(key), seq, due, bool(answered))
            for run_id, key, seq, due, answered in rows
        ]

    async def overdue(
        self, *, now: str, limit: int, after: Overdue | None = None
    ) -> Sequence[Overdue]:
        """Runs that have not ended and whose deadline has come, earliest first."""
        place = after and {"after_deadline": after.deadline, "after_run": after.run_id}
        rows = await self._page(_FIRST_OVERDUE, _MORE_OVERDUE, place, now=now, limit=limit)
        return [Overdue(RunId(run_id), deadline) for run_id, deadline in rows]

    async def next_due(self, *, after: str | None = None) -> str | None:
        """When the earliest open wait of a run that is not held comes due, of those later than `after`."""
        return await self._earliest(NEXT_DUE, NEXT_DUE_AFTER, after)

    async def next_deadline(self, *, after: str | None = None) -> str | None:
        """The earliest deadline of a run that has not ended, of those later than `after`."""
        return await self._earliest(NEXT_DEADLINE, _NEXT_DEADLINE_AFTER, after)

    async def _page(
        self, first: Sql, more: Sql, place: Mapping[str, object] | None, **asked: object
    ) -> list[Row]:
        """The first page, or the one behind a place."""
        statement = first if place is None else more
        return await self._reader.read(
            lambda session: session.all(statement, **asked, **(place or {}))
        )

    async def _earliest(self, first: Sql, later: Sql, after: str | None) -> str | None:
        """The first time of all, or of those later than `after`."""
        statement, place = (first, {}) if after is None else (later, {"after": after})
        row = await self._reader.read(lambda session: session.first(statement, **place))
        return None if row is None else row[0]
