"""Numbers that give an order or a surrogate key, taken from rows that are locked while they are taken."""

from typing import Final

from sqlalchemy import bindparam, update

from perdure.adapters.sql.dialect import CommitUnknown, Database, Session
from perdure.adapters.sql.statements import Sql
from perdure.adapters.sql.tables import counters
from perdure.errors import StoreFailed

INBOX: Final = "inbox"  # the order of messages
EVENTS: Final = "events"  # held by whoever gives an event out or opens a wait for one
RUNS: Final = "runs"  # surrogate keys
AUDIT: Final = "audit"  # the order of entries on their way to the chain
NAMES: Final = (INBOX, EVENTS, RUNS, AUDIT)
BLOCK: Final = 1_000  # numbers a process takes at once
TRIES_MAX: Final = 3  # of taking a block, where the connection was lost

_TAKE: Final = Sql(
    update(counters)
    .where(counters.c.name == bindparam("_name"))
    .values(value=counters.c.value + bindparam("count"))
    .returning(counters.c.value)
)


def take(session: Session, name: str, count: int = 1) -> int:
    """Take `count` numbers; the first of them. Nobody else takes any before this transaction ends."""
    row = session.first(_TAKE, _name=name, count=count)
    assert row is not None, "the migration made the counters"
    last: int = row[0]
    return last - count + 1


class Numbers:
    """Numbers of one name, taken in blocks, so that a birth costs no statement of its own."""

    def __init__(self, database: Database, name: str) -> None:
        """Take none before the first is needed."""
        self._database, self._name = database, name
        self._next = self._end = 0

    def new(self) -> int:
        """A number that nobody has had."""
        if self._next == self._end:
            self._next = self._block(TRIES_MAX)
            self._end = self._next + BLOCK
        self._next += 1
        return self._next - 1

    def _block(self, tries: int) -> int:
        """The first number of a block that is ours. Where nobody knows whether it is, take another."""
        try:
            with self._database.writing() as session:
                first = take(session, self._name, BLOCK)
        except CommitUnknown as unknown:
            if tries == 1:
                raise StoreFailed("nobody knows whether numbers were taken") from unknown
            return self._block(tries - 1)
        return first
