"""Events and the waits for them: whichever comes second finds the first, in one transaction."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, delete, select, update

from perdure.adapters.sql import commit_rows as sql
from perdure.adapters.sql.audit_pending import keep
from perdure.adapters.sql.counters import EVENTS, INBOX, take
from perdure.adapters.sql.dialect import Session, Write
from perdure.adapters.sql.encode import dumps, loads
from perdure.adapters.sql.plan import Opening
from perdure.adapters.sql.statements import Row, Sql, among
from perdure.adapters.sql.tables import inbox, runs, waits
from perdure.identity.audit import Entry
from perdure.ids import Key, RunId, derived_id
from perdure.stores.inbox import Delivered, Emission

_KEPT_AT: Final = Sql(
    select(inbox.c.key)
    .where(
        inbox.c.address == bindparam("at_address"),
        inbox.c.address.is_not(None),
        inbox.c.expires_at > bindparam("at"),
    )
    .order_by(inbox.c.seq)
    .limit(1)
)
_EVENT: Final = Sql(select(inbox.c.disposition, inbox.c.body).where(inbox.c.id == bindparam("_id")))
_GIVEN: Final = Sql(
    update(inbox)
    .where(inbox.c.id == bindparam("_id"))
    .values(
        disposition=bindparam("disposition"), settled_at=bindparam("at"), body=bindparam("body")
    )
)
_UNKEEP: Final = Sql(
    delete(inbox).where(inbox.c.address.is_not(None), inbox.c.key == bindparam("_event"))
)
_LISTENING: Final = Sql(
    select(waits.c.run, waits.c.opened_seq, waits.c.key, runs.c.id)
    .join(runs, runs.c.pk == waits.c.run)
    .where(
        among(waits.c.address, "addresses"),
        waits.c.address.is_not(None),
        waits.c.closed_seq.is_(None),
        waits.c.event.is_(None),
    )
    .order_by(waits.c.run, waits.c.opened_seq)
)
_PROMISE: Final = Sql(
    update(waits)
    .where(waits.c.run == bindparam("_run"), waits.c.opened_seq == bindparam("_seq"))
    .values(event=bindparam("event"))
)
_OVER: Final = Sql(
    select(inbox.c.key)
    .where(inbox.c.address.is_not(None), inbox.c.expires_at <= bindparam("now"))
    .distinct()
)


def give_kept(session: Session, openings: Sequence[Opening]) -> list[RunId]:
    """Give each wait the oldest event that is kept at its address; the runs that got one."""
    reached = []
    for opening in openings:
        found = session.first(_KEPT_AT, at_address=opening.address, at=opening.at)
        if found is None:
            continue
        event = session.first(_EVENT, _id=found[0])
        assert event is not None, "an event is kept as long as an address leads to it"
        _give(session, found[0], event[1], opening)
        session.run(_UNKEEP, _event=found[0])
        session.run(_GIVEN, _id=found[0], disposition="taken", at=opening.at, body=dumps([]))
        reached.append(opening.run_id)
    return reached


def _give(session: Session, event_id: str, body: bytes, to: Opening) -> None:
    """Write the message that will answer a wait, and note at the wait that one is on its way."""
    message_id = derived_id(event_id, to.run_id, to.key, str(to.opened_seq))
    session.write([Write(sql.ADD_MESSAGE, [(
        message_id, take(session, INBOX), to.run_id, "event", to.key, to.opened_seq, "", None, to.at,
        "pending", None, None, None, body,
    )])])  # fmt: skip
    session.run(_PROMISE, _run=to.pk, _seq=to.opened_seq, event=message_id)


def lock_events(session: Session) -> None:
    """Let nobody else give out events, or open waits for them, before this transaction ends."""
    take(session, EVENTS)


def emit(session: Session, emission: Emission, at: str, entry: Entry | None = None) -> Delivered:
    """Give an event to every wait at its addresses that has none coming, or keep it."""
    lock_events(session)
    event_id = f"event:{emission.id}"
    before = session.first(_EVENT, _id=event_id)
    if before is not None:
        disposition, body = before
        return Delivered(tuple(map(RunId, loads(body))) if disposition == "delivered" else ())
    waiting = session.all(_LISTENING, addresses=list(emission.addresses))
    body = dumps(emission.body)
    for pk, opened_seq, key, run_id in waiting:
        _give(session, event_id, body, Opening(pk, RunId(run_id), Key(key), opened_seq, "", at))
    reached = tuple(dict.fromkeys(RunId(run_id) for *_, run_id in waiting))
    number = take(session, INBOX)
    session.write([Write(sql.ADD_MESSAGE, _rows(event_id, number, emission, at, reached))])
    keep(session, entry)
    return Delivered(reached)


def _rows(
    event_id: str, number: int, emission: Emission, at: str, reached: tuple[RunId, ...]
) -> list[Row]:
    """What makes an event count once; and, where it is kept, a row at each of its addresses."""
    disposition = "delivered" if reached else "kept"
    body = dumps(reached) if reached else dumps(emission.body)
    rows: list[Row] = [(
        event_id, number, None, "emission", None, None, "", None, at, disposition, None, None,
        emission.keep_until, body,
    )]  # fmt: skip
    if not reached:
        rows += [
            (f"{event_id}@{address}", number, None, "address", event_id, None, "", None, at, "kept", None,
             address, emission.keep_until, None)
            for address in dict.fromkeys(emission.addresses)
        ]  # fmt: skip
    return rows


def forget_kept(session: Session, now: str) -> int:
    """Forget the events that were kept long enough; how many."""
    lock_events(session)
    over = [row[0] for row in session.all(_OVER, now=now)]
    for event_id in over:
        session.run(_UNKEEP, _event=event_id)
        session.run(_GIVEN, _id=event_id, disposition="expired", at=now, body=dumps([]))
    return len(over)
