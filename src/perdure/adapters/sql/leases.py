"""Leases of processes that are gone: void at the opening of a plane that nobody else can hold."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import literal_column, update

from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.statements import Sql
from perdure.adapters.sql.tables import BORN, PENDING, UNTAKEN, inbox, outbox, runs

_TAKEN_BACK: Final[Mapping[str, Any]] = {"lease_until": literal_column("''")}  # before all times
# A retry that waits for its time has no holder, and goes on waiting.
_VOID_EFFECTS: Final = Sql(
    update(outbox).where(PENDING, outbox.c.holder.is_not(None)).values(_TAKEN_BACK)
)
_VOID_MESSAGES: Final = Sql(
    update(inbox).where(UNTAKEN, inbox.c.holder.is_not(None)).values(_TAKEN_BACK)
)
_VOID_BIRTHS: Final = Sql(update(runs).where(BORN, runs.c.holder.is_not(None)).values(_TAKEN_BACK))


def void_leases(session: Session) -> None:
    """Take every lease back: whoever held one was another process, and this one is alone."""
    for statement in (_VOID_EFFECTS, _VOID_MESSAGES, _VOID_BIRTHS):
        session.run(statement)
