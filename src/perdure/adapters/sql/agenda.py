"""When a plane has something to do next, over everything that waits in it."""

from typing import Final

from sqlalchemy import ColumnClause, func, literal_column, select

from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.outbox import NEXT_DUE as NEXT_EFFECT
from perdure.adapters.sql.statements import Sql
from perdure.adapters.sql.tables import BORN, UNTAKEN, audit_pending, inbox, runs
from perdure.adapters.sql.waits import NEXT_DEADLINE
from perdure.adapters.sql.waits import NEXT_DUE as NEXT_WAIT

_AT_ONCE: Final[ColumnClause[str]] = literal_column("''")  # before all times


# What is leased is somebody's until the lease ends; what has no lease is to be done at once.
_BIRTH: Final = Sql(
    select(func.min(func.coalesce(runs.c.lease_until, _AT_ONCE))).where(
        BORN, runs.c.held_at.is_(None)
    )
)
_MESSAGE: Final = Sql(select(func.min(func.coalesce(inbox.c.lease_until, _AT_ONCE))).where(UNTAKEN))
_AUDIT: Final = Sql(
    select(_AT_ONCE).where(audit_pending.c.n >= literal_column("0")).limit(literal_column("1"))
)
_ALL: Final = (_BIRTH, _MESSAGE, NEXT_EFFECT, NEXT_WAIT, NEXT_DEADLINE, _AUDIT)


def next_due(session: Session) -> str | None:
    """The earliest time of all, or `None` where nothing waits for a time or for anybody."""
    rows = (session.first(statement) for statement in _ALL)
    return min((row[0] for row in rows if row is not None and row[0] is not None), default=None)
