"""Ledgers read as an account of deeds: what was begun, what came of it, and what a person had to say."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

GENESIS: Final = "0" * 64
OUTCOMES: Final = ("completed", "failed")
TERMINAL: Final = ("completed", "failed", "cancelled")


@dataclass
class Done:
    """One effect as its ledger tells it."""

    run_id: str
    key: str
    kind: str
    deed: str
    outcome: str | None = None
    error: str | None = None
    doubted: bool = False

    @property
    def once(self) -> bool:
        """Whether it must never happen twice."""
        return self.kind == "deed_once"


def told(ledger: Sequence[bytes]) -> list[Any]:
    """The records of a ledger, chained each to the one before and none of them missing."""
    records = [json.loads(record) for record in ledger]
    previous = GENESIS
    for seq, record in enumerate(records, 1):
        assert record["prev_hash"] == previous, f"record {seq} of {record['run_id']} is not chained"
        previous = record["record_hash"]
    return records


def effects_in(run_id: str, records: Sequence[Any]) -> dict[str, Done]:
    """Every deed of a ledger by its key; each was begun once and has one outcome at most."""
    found: dict[str, Done] = {}
    for record in records:
        key, effect = record["idempotency_key"], record["effect"]
        if effect is None or not effect["type"].startswith("deed_"):
            continue
        if record["status"] == "started":
            assert key not in found, f"{key} was begun twice"
            found[key] = Done(run_id, key, effect["type"], effect["payload"]["deed"])
        elif record["status"] == "waiting":
            found[record["result"]["wait"]["details"]["effect_key"]].doubted = True
        else:
            done = found[key]
            assert done.outcome is None, f"{key} has two outcomes"
            done.outcome, done.error = record["status"], record["error"]
    return found


def answers_in(records: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """The answers that a run took, each with the key of its wait."""
    for record in records:
        if record["effect"] is not None and record["effect"]["type"] == "resume":
            payload = record["effect"]["payload"]
            yield payload["wait_key"], payload["payload"]


def check_end(status: str, records: Sequence[Any]) -> None:
    """The last record of a run that has ended says how, and no other does."""
    ends = [
        it for it in records if (it["idempotency_key"] or "").startswith("system:terminal_status:")
    ]
    if status in TERMINAL:
        assert [it["idempotency_key"] for it in ends] == [f"system:terminal_status:{status}"]
        assert records[-1] is ends[0]
    else:
        assert ends == []
