"""Records as bytes: encoded once, hashed as encoded, and spliced with their hashes for every reader."""

import struct
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import orjson
from msgspec import Struct

from perdure.ids import RunId
from perdure.kernel.model import GONE, Birth, Step
from perdure.kernel.values import Json

GENESIS: Final = bytes(32)  # the hash before the first record

# Lengths as four bytes, before each part of what is hashed: two parts can never pass for two others.
_PREVIOUS_OWNER: Final = struct.Struct(">I32sI").pack
_SEQ_BODY: Final = struct.Struct(">IQI").pack
_DETAIL: Final = struct.Struct(">I").pack


class Record(Struct, frozen=True):
    """One stored step: `body` without its hashes, `detail` beside it, and both hashes (32 bytes each)."""

    seq: int
    body: bytes
    detail: bytes
    previous: bytes
    hash: bytes


class Recorded(Struct, frozen=True):
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
    return {
        "run_id": birth.id,
        "step_id": step.step_id,
        "node_id": step.node_id,
        "status": step.status,
        "effect": step.effect,
        "result": step.result,
        "error": step.error,
        "started_at": step.started_at,
        "ended_at": step.ended_at,
        "actor_id": birth.actor_id,
        "session_id": birth.session_id,
        "attempt": step.attempt,
        "idempotency_key": step.idempotency_key,
    }


_SELDOM: Final = ("path_more", "attempts", "by", "events")


def detail_of(step: Step) -> dict[str, Json]:
    """What stands beside a record: the net writes, the path, the class and the attempts."""
    detail: dict[str, Json] = {}
    writes = step.writes
    if writes:
        if GONE in writes.values():
            detail["gone"] = [name for name, value in writes.items() if value is GONE]
            writes = {name: value for name, value in writes.items() if value is not GONE}
        detail["writes"] = writes
    if step.path:
        detail["path"] = step.path
    if step.effect_class:
        detail["class"] = step.effect_class
    for name in _SELDOM:
        if value := getattr(step, name):
            detail[name] = value
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
