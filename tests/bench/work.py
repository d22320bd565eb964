"""The rows of one effect-step, as the product keeps them: what every bare loop writes, and nothing else does."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from perdure.ids import RunId, new_id
from perdure.stores.records import GENESIS, hash_of

AT = "2026-01-01T00:00:00.000000+00:00"
PROMPT = "Say in one sentence what a durable run is, and name the record that ends it."
ANSWER = "A durable run is one whose every step is on disk before the next begins; it ends well."

# The columns that each statement gives, in the order of the rows below.
HEADER = (
    "version", "head_seq", "head_hash", "updated_at", "node_id", "effects", "llm_calls", "tool_calls",
    "tokens_in", "tokens_out", "cost", "bytes_since",
)  # fmt: skip
LEDGER = ("run", "seq", "body", "detail", "hash")
OUTBOX = (
    "run", "key", "seq", "disposition", "holder", "lease_until", "dispatched_at", "attempts", "body",
)  # fmt: skip

Row = tuple[Any, ...]


@dataclass(slots=True)
class BareRun:
    """As much of a run as a step needs: where its chain ends, and which effect is under way."""

    number: int
    id: RunId
    version: int = 1
    seq: int = 0
    head: bytes = GENESIS
    step_id: str = ""
    key: str = ""

    def begin(self) -> "BareRun":
        """Name the effect that the first step will end."""
        self.step_id, self.key = new_id(), f"{self.id}:0:0"
        return self


class StepRows(NamedTuple):
    """One decision as rows: an effect's outcome, and the intent of the next."""

    header: Row  # the columns of HEADER, then the run's number and the version it must have
    ledger: tuple[Row, Row]
    gone: Row  # the key of the outbox row that this outcome ends
    outbox: Row


def record(run: BareRun, node: str, status: str, ended: str | None, result: object) -> bytes:
    """A record with all fields of the wire, as bytes."""
    return orjson.dumps(
        {
            "run_id": run.id,
            "step_id": run.step_id,
            "node_id": node,
            "status": status,
            "effect": {
                "type": "echo",
                "payload": {"prompt": PROMPT, "params": {"temperature": 0.0, "max_tokens": 256}},
                "result_key": f"out/{node}",
            },
            "result": result,
            "error": None,
            "started_at": AT,
            "ended_at": ended,
            "actor_id": "local/local-admin",
            "session_id": run.id,
            "attempt": 1,
            "idempotency_key": run.key,
        }
    )


def outcome(run: BareRun) -> Row:
    """The record of an effect that ended well, chained to the last."""
    result = {"content": ANSWER, "usage": {"input_tokens": 17, "output_tokens": 21}, "ok": True}
    body = record(run, "node-1", "completed", AT, result)
    written = {"out/node-1": {"content": ANSWER}, "last": "out/node-1"}
    detail = orjson.dumps({"writes": written, "path": ["node-1", "node-2"], "class": "read"})
    return chained(run, body, detail)


def intent(run: BareRun) -> Row:
    """The record of the next effect, chained to that outcome."""
    run.step_id, run.key = new_id(), f"{run.id}:{run.seq + 1}:0"
    body = record(run, "node-2", "started", None, None)
    return chained(run, body, orjson.dumps({"path": ["node-2"], "class": "read"}))


def chained(run: BareRun, body: bytes, detail: bytes) -> Row:
    """A ledger row whose hash covers all before it."""
    run.seq += 1
    run.head = hash_of(run.head, run.id, run.seq, body, detail)
    return (run.number, run.seq, body, detail, run.head)


def next_step(run: BareRun) -> StepRows:
    """Encode and hash one step, and bring the run to after it."""
    gone = (run.number, run.key)
    ledger = (outcome(run), intent(run))
    effects, expected = run.seq // 2, run.version
    run.version += 1
    header = (run.version, run.seq, run.head, AT, "node-2", effects, effects, 0, 17, 21, 0.0, 400)
    payload = orjson.dumps({"kind": "echo", "prompt": PROMPT, "class": "read"})
    pending = (run.number, run.key, run.seq, "pending", "worker", AT, None, None, payload)
    return StepRows((*header, run.number, expected), ledger, gone, pending)


def bare_runs(count: int) -> list[BareRun]:
    """Runs that have an effect under way each."""
    return [BareRun(number, RunId(new_id())).begin() for number in range(1, count + 1)]


def birth_of(run: BareRun) -> dict[str, object]:
    """The run's own row; columns that are not named are null."""
    whole = dict.fromkeys(
        ("depth", "draft", "effects", "llm_calls", "tool_calls", "tokens_in", "tokens_out", "cost",
         "bytes_since", "ready", "snapshot_seq", "snapshot_bytes", "head_seq"), 0,
    )  # fmt: skip
    text = {"workflow_id": "bench", "program_kind": "bench", "program_name": "bench"}
    times = {"created_at": AT, "updated_at": AT}
    about = {"root_id": run.id, "session_id": run.id, "actor_id": "local/local-admin"}
    rest = {"prompt": PROMPT, "limits": b"{}", "node_id": "node-1", "status": "running"}
    first = {"version": run.version, "head_hash": run.head}
    return {"pk": run.number, "id": run.id, **whole, **text, **times, **about, **rest, **first}


def first_effect_of(run: BareRun) -> dict[str, object]:
    """The outbox row that the first step ends."""
    values = (run.number, run.key, 0, "pending", "worker", AT, None, None, b"{}")
    return dict(zip(OUTBOX, values, strict=True))
