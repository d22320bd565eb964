"""Every record of a run hashed again, and the last one held against the run's head."""

from typing import Final

from sqlalchemy import bindparam, select

from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.statements import Row, Sql
from perdure.adapters.sql.tables import ledger, runs
from perdure.errors import RunNotFound
from perdure.ids import RunId
from perdure.stores.records import GENESIS, hash_of
from perdure.stores.runs import Verdict

PAGE: Final = 1_000  # records read at once
_HEAD: Final = Sql(
    select(runs.c.pk, runs.c.head_seq, runs.c.head_hash).where(runs.c.id == bindparam("_id"))
)
_RECORDS: Final = Sql(
    select(ledger.c.seq, ledger.c.body, ledger.c.detail, ledger.c.hash)
    .where(ledger.c.run == bindparam("_run"), ledger.c.seq > bindparam("_after"))
    .order_by(ledger.c.seq)
    .limit(bindparam("_limit"))
)


def verify(session: Session, run_id: RunId) -> Verdict:
    """Say whether a ledger is what was written. Raises `RunNotFound`."""
    head = session.first(_HEAD, _id=run_id)
    if head is None:
        raise RunNotFound
    pk, head_seq, head_hash = head
    seq, previous = 0, GENESIS
    while rows := session.all(_RECORDS, _run=pk, _after=seq, _limit=PAGE):
        for row in rows:
            expected = hash_of(previous, run_id, seq + 1, row[1], row[2])
            if why := _wrong(row, seq + 1, head_seq, expected):
                return Verdict(False, seq, seq + 1, why)
            seq, previous = seq + 1, expected
    if seq < head_seq:
        return Verdict(False, seq, seq + 1, "the record is missing")
    if previous != head_hash:
        return Verdict(False, seq, seq, "the last record is not the one that was committed")
    return Verdict(True, seq)


def _wrong(row: Row, seq: int, head_seq: int, expected: bytes) -> str | None:
    """What is wrong with the record that stands where `seq` should."""
    if row[0] != seq:
        return "the record is missing"
    if row[3] != expected:
        return "the record is not what was written"
    return "the record was never committed" if seq > head_seq else None
