"""`InboxStore` in SQL."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, bindparam, exists, literal_column, select, update

from perdure.adapters.sql import commit_rows as sql
from perdure.adapters.sql.audit_pending import SqlPlaneAudit, keep
from perdure.adapters.sql.counters import INBOX, take
from perdure.adapters.sql.dialect import Session, Write
from perdure.adapters.sql.encode import bytes_of, json_of
from perdure.adapters.sql.events import emit, forget_kept
from perdure.adapters.sql.reader import Reader
from perdure.adapters.sql.statements import Row, Rows, Sql
from perdure.adapters.sql.tables import UNTAKEN, inbox
from perdure.adapters.sql.writer import Mailed, Writer
from perdure.errors import CommandNotFound, DuplicateCommand
from perdure.identity.audit import Entry
from perdure.ids import Key, RunId
from perdure.stores.inbox import Accepted, Delivered, Delivery, Emission, Message

_KNOWN: Final = Sql(select(inbox.c.seq, inbox.c.body_hash).where(inbox.c.id == bindparam("_id")))
_DELIVERY: Final = Sql(
    select(
        inbox.c.id, inbox.c.run_id, inbox.c.kind, inbox.c.seq, inbox.c.created_at, inbox.c.disposition,
        inbox.c.settled_at,
    ).where(inbox.c.id == bindparam("_id"), inbox.c.run_id.is_not(None))
)  # fmt: skip
# Holds and releases of a run are given out one after the other, since each undoes the one before.
_earlier: Final = inbox.alias("earlier")
_ORDERED: Final[Sequence[ColumnElement[str]]] = [
    literal_column(f"'{kind}'") for kind in ("hold", "release", "pause", "unpause")
]
_IN_TURN: Final = inbox.c.kind.not_in(_ORDERED) | ~exists().where(
    _earlier.c.run_id == inbox.c.run_id,
    _earlier.c.kind.in_(_ORDERED),
    _earlier.c.disposition == literal_column("'pending'"),
    _earlier.c.seq < inbox.c.seq,
)
_FREE: Final = (
    select(
        inbox.c.id, inbox.c.run_id, inbox.c.kind, inbox.c.key, inbox.c.body, inbox.c.opened_seq, inbox.c.by
    )
    .where(
        UNTAKEN,
        inbox.c.lease_until.is_(None) | (inbox.c.lease_until <= bindparam("now")),
        _IN_TURN,
    )
    .order_by(inbox.c.seq)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)  # fmt: skip
_CLAIMABLE: Final = Sql(_FREE)
_CLAIMABLE_OF: Final = Sql(_FREE.where(inbox.c.run_id == bindparam("_run_id")))
_LEASE: Final = Rows(
    update(inbox)
    .where(inbox.c.id == bindparam("_id"))
    .values(holder=bindparam("holder"), lease_until=bindparam("lease_until")),
    ("holder", "lease_until", "_id"),
)
_SETTLE: Final = Sql(
    update(inbox)
    .where(inbox.c.id == bindparam("_id"), UNTAKEN)
    .values(disposition=bindparam("disposition"), settled_at=bindparam("at"))
)


class SqlInbox:
    """Messages on their way to runs, each taken once."""

    def __init__(self, reader: Reader, writer: Writer, audit: SqlPlaneAudit) -> None:
        """Read by `reader`, write by `writer`."""
        self._reader, self._writer, self._audit = reader, writer, audit

    async def put(
        self,
        message: Message,
        *,
        body_hash: str,
        at: str,
        disposition: str = "pending",
        entry: Entry | None = None,
    ) -> Accepted:
        """Take a command in. Raises `DuplicateCommand` for the same id with another body."""

        def work(session: Session) -> Accepted | Mailed[Accepted]:
            before = session.first(_KNOWN, _id=message.id)
            if before is not None:
                if before[1] != body_hash:
                    raise DuplicateCommand(seq=before[0])
                return Accepted(before[0], duplicate=True)
            number = take(session, INBOX)
            row = _row(message, number, body_hash, at, disposition)
            session.write([Write(sql.ADD_MESSAGE, [row])])
            keep(session, entry)
            mailed = (message.run_id,) if disposition == "pending" else ()
            return Mailed(Accepted(number, duplicate=False), mailed)

        accepted = await self._writer.work(work, due=at, at=at)
        self._audit.kept(entry)
        return accepted

    async def claim(
        self, holder: str, *, now: str, until: str, limit: int, run_id: RunId | None = None
    ) -> Sequence[Message]:
        """Lease messages that nobody has taken, in the order in which they came."""

        def work(session: Session) -> Sequence[Message]:
            if run_id is None:
                rows = session.all(_CLAIMABLE, now=now, limit=limit)
            else:
                rows = session.all(_CLAIMABLE_OF, now=now, limit=limit, _run_id=run_id)
            if rows:
                session.write([Write(_LEASE, [(holder, until, row[0]) for row in rows])])
            return [_message(row) for row in rows]

        return await self._writer.work(work)

    async def settle(self, message_id: str, disposition: str, *, at: str) -> None:
        """Mark a message that changed no run."""
        await self._writer.work(
            lambda session: session.run(_SETTLE, _id=message_id, disposition=disposition, at=at)
        )

    async def delivery(self, message_id: str) -> Delivery:
        """What became of a command. Raises `CommandNotFound`."""
        row = await self._reader.read(lambda session: session.first(_DELIVERY, _id=message_id))
        if row is None:
            raise CommandNotFound
        return Delivery(*row)

    async def emit(self, emission: Emission, *, at: str, entry: Entry | None = None) -> Delivered:
        """Give an event to every open wait at its addresses, or keep it where there is none."""

        def work(session: Session) -> Mailed[Delivered]:
            delivered = emit(session, emission, at, entry)
            return Mailed(delivered, delivered.run_ids)

        delivered: Delivered = await self._writer.work(work, due=at, at=at)
        self._audit.kept(entry)
        return delivered

    async def sweep(self, *, now: str) -> int:
        """Forget kept events whose time is over."""
        return await self._writer.work(lambda session: forget_kept(session, now))


def _row(message: Message, number: int, body_hash: str, at: str, disposition: str) -> Row:
    settled_at = None if disposition == "pending" else at
    return (
        message.id, number, message.run_id, message.kind, message.key, message.opened_seq, message.by,
        body_hash, at, disposition, settled_at, None, None, bytes_of(message.body),
    )  # fmt: skip


def _message(row: Row) -> Message:
    message_id, run_id, kind, key, body, opened_seq, by = row
    return Message(
        message_id, RunId(run_id), kind, None if key is None else Key(key), json_of(body), opened_seq, by
    )  # fmt: skip
