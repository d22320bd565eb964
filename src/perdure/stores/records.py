"""Records as bytes: encoded once, hashed as encoded, and spliced with their hashes for every reader."""

from collections.abc import Mapping
from hashlib import sha256
from struct import Struct
from typing import Final, NamedTuple

import orjson

from perdure.ids import RunId
from perdure.kernel.model import GONE, Birth, Step
from perdure.kernel.values import Json

GENESIS: Final = bytes(32)  # the hash before the first record

# Lengths as four bytes, before each part of what is hashed: two parts can never pass for two others.
_PREVIOUS_OWNER: Final = Struct(">I32sI").pack
_SEQ_BODY: Final = Struct(">IQI").pack
_DETAIL: Final = Struct(">I").pack


class Record(NamedTuple):
    """One stored step: `body` without its hashes, `detail` beside it, and both hashes (32 bytes each)."""

    seq: int
    body: bytes
    detail: bytes
    previous: bytes
    hash: bytes


class Recorded(NamedTuple):
    """A record as it is read back: its fields, and what stands beside it, with every value in place."""

    seq: int
    body: Mapping[str, Json]
    detail: Mapping[str, Json]

    @property
    def at(self) -> str:
        """When it was decided."""
        at: str = self.body["ended_at"] or self.body["started_at"]
        return at


# What every record has, in the form in which it is hashed.
FIELDS: Final = frozenset({
    "run_id", "step_id", "node_id", "status", "effect", "result", "error", "started_at", "ended_at", "actor_id",
    "session_id", "attempt", "idempotency_key",
})  # fmt: skip


def body_of(birth: Birth, step: Step) -> dict[str, Json]:
    """The record of `contract`, all fields but the three that are about the record itself."""
    _, step_id, node_id, status, started_at, ended_at, effect, result, error, attempt, key, *_ = (
        step
    )
    return {
        "run_id": birth.id,
        "step_id": step_id,
        "node_id": node_id,
        "status": status,
        "effect": effect,
        "result": result,
        "error": error,
        "started_at": started_at,
        "ended_at": ended_at,
        "actor_id": birth.actor_id,
        "session_id": birth.session_id,
        "attempt": attempt,
        "idempotency_key": key,
    }


def detail_of(step: Step) -> dict[str, Json]:
    """What stands beside a record: the net writes, the path, the class and the attempts."""
    *_, effect_class, attempts, by, writes, path, path_more, events = step
    detail: dict[str, Json] = {}
    if writes:
        if GONE in writes.values():
            detail["gone"] = [name for name, value in writes.items() if value is GONE]
            writes = {name: value for name, value in writes.items() if value is not GONE}
        detail["writes"] = writes
    if path:
        detail["path"] = path
    if effect_class:
        detail["class"] = effect_class
    if path_more or attempts or by or events:
        told = (("path_more", path_more), ("attempts", attempts), ("by", by), ("events", events))
        detail.update((name, value) for name, value in told if value)
    return detail


def apply_detail(cells: dict[str, Json], detail: Mapping[str, Json]) -> None:
    """Bring `cells` from before a record to after it."""
    cells.update(detail.get("writes", {}))
    for name in detail.get("gone", ()):
        cells.pop(name, None)


def hash_of(previous: bytes, run_id: RunId, seq: int, body: bytes, detail: bytes) -> bytes:
    """Chain one record to the one before: sha256 over the five parts, each with its length before it."""
    owner = run_id.encode()
    return sha256(
        _PREVIOUS_OWNER(32, previous, len(owner))
        + owner
        + _SEQ_BODY(8, seq, len(body))
        + body
        + _DETAIL(len(detail))
        + detail
    ).digest()


def wire_of(record: Record, *, full: bool = False) -> bytes:
    """The record as clients read it: the stored bytes, with the hashes (and the detail) spliced on."""
    tail = b',"prev_hash":"%b","record_hash":"%b","signature":null' % (
        record.previous.hex().encode(),
        record.hash.hex().encode(),
    )
    beside = b',"detail":%b' % record.detail if full else b""
    return record.body[:-1] + tail + beside + b"}"


def encoded(value: Json) -> bytes:
    """JSON as the ledger stores it. The value was checked at the door: see `kernel.values`."""
    return orjson.dumps(value)
