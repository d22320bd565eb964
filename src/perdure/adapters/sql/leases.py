"""Leases of processes that are gone: void at the opening of a plane that nobody else can hold."""

from typing import Final

from sqlalchemy import literal, update

from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.statements import Sql
from perdure.adapters.sql.tables import inbox, outbox, runs

_VOID: Final = (
    # A retry that waits for its time has no holder, and goes on waiting.
    Sql(
        update(outbox)
        .where(outbox.c.holder.is_not(None), outbox.c.disposition == literal("pending"))
        .values(lease_until=literal(""))
    ),
    Sql(
        update(inbox)
        .where(inbox.c.holder.is_not(None), inbox.c.disposition == literal("pending"))
        .values(lease_until=literal(""))
    ),
    Sql(
        update(runs)
        .where(runs.c.holder.is_not(None), runs.c.ready == literal(1))
        .values(lease_until=literal(""))
    ),
)


def void_leases(session: Session) -> None:
    """Take every lease back: whoever held one was another process, and this one is alone."""
    for statement in _VOID:
        session.run(statement)
