"""Histories on the wire."""

from collections.abc import Iterator
from typing import Any, Final, Literal

import orjson
from pydantic import BaseModel, Field

from perdure.api.schemas.fields import JsonObject
from perdure.api.schemas.runs import waiting_of
from perdure.clock import time_of
from perdure.kernel.model import TERMINAL
from perdure.kernel.values import Json
from perdure.services.history import Asked, History, LedgerPart, Snapshot, Turn
from perdure.stores.artifacts import Artifact
from perdure.stores.records import wire_of
from perdure.stores.runs import Header

VERSION: Final = 1
ANSWERS: Final = ("answer", "response", "message", "text", "content")


class AskHistory(BaseModel):
    """How much of a history is wanted."""

    include_subruns: bool = True
    include_session: bool = False
    session_turn_limit: int = Field(200, ge=1, le=500)
    ledger_mode: Literal["tail", "full"] = "tail"
    ledger_max_items: int = Field(2_000, ge=0, le=20_000)

    def asked(self) -> Asked:
        """What is asked for."""
        return Asked(
            subruns=self.include_subruns,
            session=self.include_session,
            turns_max=self.session_turn_limit,
            whole=self.ledger_mode == "full",
            records_max=self.ledger_max_items,
        )


class LedgerExcerpt(BaseModel):
    """Some records of one ledger, each with its cursor."""

    run_id: str
    total: int
    cursor_start: int
    cursor_end: int
    items: list[JsonObject]


class HistoryBundle(BaseModel):
    """All that a client shows of a run at once."""

    version: int
    generated_at: str
    root_run_id: str
    run: JsonObject
    workflow_snapshot: JsonObject | None
    input_data: JsonObject
    ledgers: dict[str, LedgerExcerpt]
    timeline: list[JsonObject]
    session: JsonObject | None = None


def history_of(history: History, at: str) -> dict[str, Json]:
    """A history as the wire shows it; its records are the stored bytes."""
    shown: dict[str, Any] = {
        "version": VERSION,
        "generated_at": at,
        "root_run_id": history.header.birth.id,
        "run": _run_of(history.header),
        "workflow_snapshot": _snapshot_of(history.header, history.snapshot),
        "input_data": dict(history.inputs),
        "ledgers": {part.run_id: _ledger_of(part) for part in history.ledgers},
        "timeline": sorted(
            (entry for part in history.ledgers for entry in _timeline_of(part)), key=_by_time
        ),
    }
    if history.turns is not None:
        turns = [_turn_of(turn) for turn in history.turns]
        shown["session"] = {"session_id": history.header.birth.session_id, "turns": turns}
    return shown


def _run_of(header: Header) -> dict[str, Json]:
    birth = header.birth
    return {
        "run_id": birth.id, "workflow_id": birth.workflow_id, "status": header.status.value,
        "current_node": header.node_id or None, "created_at": birth.created_at, "updated_at": header.updated_at,
        "actor_id": birth.actor_id, "session_id": birth.session_id, "parent_run_id": birth.parent_id,
        "error": header.error, "waiting": waiting_of(header),
    }  # fmt: skip


def _snapshot_of(header: Header, snapshot: Snapshot | None) -> Json:
    if snapshot is None:
        return None
    return {
        "workflow_id": header.birth.workflow_id, "format": "visualflow_json", "sha256": snapshot.sha256,
        "artifact_id": snapshot.artifact_id, "created_at": header.birth.created_at,
    }  # fmt: skip


def _ledger_of(part: LedgerPart) -> dict[str, Json]:
    records = part.records
    return {
        "run_id": part.run_id,
        "total": part.total,
        "cursor_start": records[0].seq if records else part.total,
        "cursor_end": records[-1].seq if records else part.total,
        "items": [{"cursor": it.seq, "record": orjson.Fragment(wire_of(it))} for it in records],
    }


def _timeline_of(part: LedgerPart) -> Iterator[dict[str, Json]]:
    for record in part.records:
        body = orjson.loads(record.body)
        started_at, ended_at = body["started_at"], body["ended_at"]
        yield {
            "run_id": part.run_id, "cursor": record.seq, "node_id": body["node_id"], "status": body["status"],
            "effect_type": (body["effect"] or {}).get("type"), "started_at": started_at, "ended_at": ended_at,
            "duration_ms": None if ended_at is None else _ms_between(started_at, ended_at),
        }  # fmt: skip


def _by_time(entry: dict[str, Json]) -> tuple[str, int]:
    return entry["ended_at"] or entry["started_at"], entry["cursor"]


def _ms_between(started_at: str, ended_at: str) -> float:
    return round((time_of(ended_at) - time_of(started_at)).total_seconds() * 1000, 3)


def _turn_of(turn: Turn) -> dict[str, Json]:
    header = turn.header
    birth, usage, output = header.birth, header.usage, header.output
    lasted_ms = (
        _ms_between(birth.created_at, header.updated_at) if header.status in TERMINAL else None
    )
    return {
        "run_id": birth.id, "workflow_id": birth.workflow_id, "kind": "run", "status": header.status.value,
        "created_at": birth.created_at, "updated_at": header.updated_at, "prompt": turn.prompt,
        "prompt_metadata": {}, "attachments": [], "answer": answer_of(output),
        "answer_meta": output.get("meta") if isinstance(output, dict) else None,
        "stats": {
            "duration_ms": lasted_ms, "llm_calls": usage.llm_calls, "tool_calls": usage.tool_calls,
            "usage": {
                "input_tokens": usage.tokens_in, "output_tokens": usage.tokens_out,
                "total_tokens": usage.tokens_in + usage.tokens_out,
            },
            "tok_s": round(usage.tokens_out / lasted_ms * 1000, 2) if lasted_ms else None,
        },
        "artifacts": [_made(one) for one in turn.artifacts],
    }  # fmt: skip


def _made(artifact: Artifact) -> dict[str, Json]:
    """An artifact as a turn names it; its own route tells the rest."""
    return {
        "artifact_id": artifact.id, "run_id": artifact.owner, "content_type": artifact.content_type,
        "size_bytes": artifact.size_bytes, "sha256": artifact.sha256, "created_at": artifact.created_at,
        "filename": artifact.tags.get("filename"),
    }  # fmt: skip


def answer_of(output: Json) -> str | None:
    """The text in a run's output that answers its prompt, if there is one."""
    fields = output if isinstance(output, dict) else {"text": output}
    texts = (fields.get(name) for name in ANSWERS)
    return next((text for text in texts if isinstance(text, str) and text), None)
