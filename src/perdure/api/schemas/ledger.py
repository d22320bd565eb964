"""Ledgers on the wire: stored bytes, spliced and never encoded again."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import orjson
from pydantic import BaseModel, Field

from perdure.api.schemas.fields import Body, Id
from perdure.ids import RunId
from perdure.kernel.limits import INTEGER_MAX
from perdure.stores.records import Record, wire_of

RUNS_MAX = 500  # in one request for several ledgers
PAGE_MAX = 2_000


class StepRecord(BaseModel):
    """One record of a ledger."""

    run_id: str
    step_id: str
    node_id: str
    status: str
    effect: dict[str, Any] | None
    result: Any
    error: str | None
    started_at: str
    ended_at: str | None
    actor_id: str
    session_id: str
    attempt: int
    idempotency_key: str | None
    prev_hash: str | None
    record_hash: str | None
    signature: str | None
    detail: dict[str, Any] | None = Field(None, description="Only where it was asked for")


class LedgerPage(BaseModel):
    """Records in order. `next_after` is what to ask for next."""

    items: list[StepRecord]
    next_after: int


class AskPage(BaseModel):
    """Which records to give."""

    after: int = Field(0, ge=0, le=INTEGER_MAX)
    limit: int = Field(200, ge=1, le=PAGE_MAX)
    detail: Literal["full"] | None = None


class AskStream(BaseModel):
    """From where to follow, and how."""

    after: int = Field(0, ge=0, le=INTEGER_MAX)
    heartbeat_s: float = Field(5.0, gt=0.1, le=60)
    deltas: bool = Field(False, description="Also pieces of answers that are still coming")


class Cursor(Body):
    """One ledger, and how much of it is known."""

    run_id: Id
    after: int = Field(0, ge=0, le=INTEGER_MAX)


class LedgerCursors(Body):
    """Several ledgers, and how many records of each."""

    runs: list[Cursor] = Field(max_length=RUNS_MAX)
    limit: int = Field(200, ge=1, le=PAGE_MAX)

    def cursors(self) -> dict[RunId, int]:
        """What is known, by run."""
        return {RunId(one.run_id): one.after for one in self.runs}


class LedgerPages(BaseModel):
    """Pages by run; unknown runs are left out."""

    runs: dict[str, LedgerPage]


def page_bytes(records: Sequence[Record], after: int, *, full: bool = False) -> bytes:
    """A page, spliced of the stored bytes."""
    items = b",".join(wire_of(record, full=full) for record in records)
    return b'{"items":[%b],"next_after":%d}' % (items, records[-1].seq if records else after)


def pages_bytes(pages: Mapping[RunId, Sequence[Record]], cursors: Mapping[RunId, int]) -> bytes:
    """Pages of several ledgers by run."""
    shown = (
        b"%b:%b" % (orjson.dumps(run_id), page_bytes(records, cursors[run_id]))
        for run_id, records in pages.items()
    )
    return b'{"runs":{%b}}' % b",".join(shown)
