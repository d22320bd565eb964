"""Runs on the wire."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from msgspec.structs import asdict
from pydantic import BaseModel, BeforeValidator, Field

from perdure.api.schemas.fields import TEXT_LETTERS_MAX, Body, Id, JsonObject, Seconds, When, Words
from perdure.ids import RunId
from perdure.kernel.model import TERMINAL, Birth, Status
from perdure.kernel.values import Json
from perdure.services.births import LIMITS_DEFAULT, StartRequest
from perdure.services.runs import Inputs
from perdure.services.schedules import is_schedule
from perdure.stores.blocked import Blocked
from perdure.stores.runs import Header, RunPage, RunQuery, Verdict

WAITING_FIELDS: Final = (
    "reason",
    "wait_key",
    "until",
    "prompt",
    "choices",
    "allow_free_text",
    "details",
)
WORKSPACE_PINS: Final = (
    "workspace_root",
    "workspace_access_mode",
    "workspace_allowed_paths",
    "workspace_ignored_paths",
)
COMMANDS_PATH: Final = "/api/gateway/commands"
Level = Literal["off", "low", "medium", "high", "xhigh"]


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Blankable = Annotated[Id | None, BeforeValidator(_blank_is_none)]
Word = Annotated[Words | None, BeforeValidator(_blank_is_none)]


class StartRun(Body):
    """What to run, and with what."""

    bundle_id: Blankable = Field(None, description="`id` or `id@version`")
    bundle_version: Blankable = None
    flow_id: Blankable = Field(None, description="`flow`, `bundle:flow` or `bundle@version:flow`")
    input_data: JsonObject = Field(default_factory=dict)
    session_id: Blankable = None
    registry_scope: Blankable = Field(None, description="`private` or `tenant_catalog`")
    thinking: bool | Level | None = None
    run_lifecycle: JsonObject | None = None
    deadline: When = Field(None, description="A time: when the run and all below it are to end")
    timeout_s: Seconds | None = Field(
        None, description="The same, in seconds from now; the earlier of the two counts"
    )

    def request(self, key: str | None) -> StartRequest:
        """The request that this body is, under the client's key."""
        return StartRequest(
            input_data=self.input_data,
            bundle_id=self.bundle_id,
            bundle_version=self.bundle_version,
            flow_id=self.flow_id,
            session_id=self.session_id,
            registry_scope=self.registry_scope,
            thinking=self.thinking,
            lifecycle=self.run_lifecycle,
            key=key,
            deadline=self.deadline,
            timeout_s=self.timeout_s,
        )


class ListRuns(BaseModel):
    """Which runs to list."""

    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = Field(None, max_length=TEXT_LETTERS_MAX)
    status: Annotated[Status | None, BeforeValidator(_blank_is_none)] = None
    workflow_id: Word = None
    session_id: Word = None
    parent_run_id: Word = None
    root_run_id: Word = None
    root_only: bool = False
    include_ledger_len: bool = Field(True, description="Always there; taken for older clients")
    include_metrics: bool = Field(False, description="Always there; taken for older clients")
    include_drafts: bool = False
    q: Word = Field(None, description="In ids, flow names, errors and prompts")
    created_after: When = None
    created_before: When = None

    def query(self) -> RunQuery:
        """The query that this is."""
        return RunQuery(
            limit=self.limit,
            after=self.cursor or None,
            status=self.status,
            workflow_id=self.workflow_id,
            session_id=self.session_id,
            parent_id=None if self.parent_run_id is None else RunId(self.parent_run_id),
            root_id=None if self.root_run_id is None else RunId(self.root_run_id),
            root_only=self.root_only,
            text=self.q,
            created_after=self.created_after,
            created_before=self.created_before,
            hidden=self.workflow_id is not None,
            drafts=self.include_drafts,
        )


class Started(BaseModel):
    """A run that was born."""

    run_id: str


class Waiting(BaseModel):
    """What a run waits for."""

    reason: str
    wait_key: str | None
    until: str | None
    prompt: str | None
    choices: list[str] | None
    allow_free_text: bool
    details: Any


class Unblock(BaseModel):
    """Something that would let a run go on; `needs` names what the caller has to fill in."""

    verb: str
    label: str
    method: str
    path: str
    body: JsonObject | None = None
    needs: list[str] | None = None


class BlockedOn(BaseModel):
    """Why a run does not move."""

    type: str
    since: str
    detail: str
    deadline: str | None
    unblock: list[Unblock]


class ForkedFrom(BaseModel):
    """A moment of a run: after its record `seq`."""

    run_id: str
    seq: int


class EndsBy(BaseModel):
    """When a run is to end, and the run that was given this deadline: itself, or one above it."""

    at: str
    run_id: str


class RunSummary(BaseModel):
    """What is known of a run; a row of a list and a detail are the same."""

    run_id: str
    workflow_id: str
    status: Literal["running", "waiting", "completed", "failed", "cancelled"]
    current_node: str | None
    created_at: str
    updated_at: str
    actor_id: str
    session_id: str
    parent_run_id: str | None
    root_run_id: str
    forked_from: ForkedFrom | None
    deadline: EndsBy | None
    error: str | None
    output: Any
    flow_warnings: list[str] | None
    paused: bool
    pause_reason: str | None
    paused_at: str | None
    resumed_at: str | None
    waiting: Waiting | None
    blocked_on: BlockedOn | None
    is_scheduled: bool
    schedule: JsonObject | None
    limits: JsonObject
    run_lifecycle: JsonObject | None
    is_draft: bool
    ledger_len: int
    steps: int
    effects: int
    llm_calls: int
    tool_calls: int
    tokens_in: int
    tokens_out: int
    tokens_total: int
    cost: float


class RunList(BaseModel):
    """A page of runs, newest first."""

    items: list[RunSummary]
    next_cursor: str | None


class InputData(BaseModel):
    """What a run was started with."""

    run_id: str
    workflow_id: str
    bundle_id: str | None
    bundle_version: str | None
    flow_id: str
    pin_ids: list[str]
    input_data: JsonObject
    workspace: JsonObject


class RunState(BaseModel):
    """The cells of a run after one record."""

    run_id: str
    seq: int
    cells: JsonObject


class Verified(BaseModel):
    """Whether a ledger is what was written; `bad_seq` is the first record that is not."""

    ok: bool
    run_id: str
    records: int
    bad_seq: int | None
    why: str | None


def summary_of(header: Header) -> dict[str, Json]:
    """A run as the wire shows it."""
    birth, usage, held = header.birth, header.usage, header.held
    tokens = usage.tokens_in + usage.tokens_out
    return {
        "run_id": birth.id,
        "workflow_id": birth.workflow_id,
        "status": header.status.value,
        "current_node": header.node_id or None,
        "created_at": birth.created_at,
        "updated_at": header.updated_at,
        "actor_id": birth.actor_id,
        "session_id": birth.session_id,
        "parent_run_id": birth.parent_id,
        "root_run_id": birth.root_id,
        "forked_from": None if birth.forked_from is None else birth.forked_from._asdict(),
        "deadline": _deadline_of(birth),
        "error": header.error,
        "output": header.output,
        "flow_warnings": list(header.warnings) or None,
        "paused": held is not None,
        "pause_reason": None if held is None else held.reason or None,
        "paused_at": None if held is None else held.at,
        "resumed_at": None,
        "waiting": waiting_of(header),
        "blocked_on": _blocked_of(header),
        "is_scheduled": is_schedule(header),
        "schedule": header.schedule,
        "limits": {"tokens": _tokens_of(tokens)},
        "run_lifecycle": birth.lifecycle,
        "is_draft": is_draft(birth.lifecycle),
        "ledger_len": header.seq,
        "steps": header.seq,
        "effects": usage.effects,
        "llm_calls": usage.llm_calls,
        "tool_calls": usage.tool_calls,
        "tokens_in": usage.tokens_in,
        "tokens_out": usage.tokens_out,
        "tokens_total": tokens,
        "cost": usage.cost,
    }


def _deadline_of(birth: Birth) -> Json:
    deadline = birth.deadline
    return None if deadline is None else {"at": deadline.at, "run_id": deadline.of}


def waiting_of(header: Header) -> Json:
    """The wait of a run, without what only its program needs."""
    if header.waiting is None or header.status in TERMINAL:
        return None
    wait = {name: header.waiting.get(name) for name in WAITING_FIELDS}
    if wait["reason"] == "until":
        wait["wait_key"] = None  # a time is not answered
    return wait


def is_draft(lifecycle: Json) -> bool:
    """Whether a run only tries a flow out."""
    return isinstance(lifecycle, dict) and lifecycle.get("purpose") == "draft_test"


def _tokens_of(used: int) -> dict[str, Json]:
    most = LIMITS_DEFAULT["max_tokens"]
    return {
        "estimated_used": used,
        "max_tokens": most,
        "max_input_tokens": LIMITS_DEFAULT["max_input_tokens"],
        "pct": round(100 * used / most, 2),
        "warn_tokens_pct": LIMITS_DEFAULT["warn_tokens_pct"],
    }


def page_of(page: RunPage) -> dict[str, Json]:
    """A page of runs as the wire shows it."""
    return {"items": [summary_of(header) for header in page.items], "next_cursor": page.next}


def inputs_of(inputs: Inputs) -> dict[str, Json]:
    """The inputs of a run as the wire shows them: those that its flow declares, else all but inner ones."""
    given, birth = inputs.given, inputs.header.birth
    pins = inputs.pins
    if pins is None:
        pins = tuple(name for name in given if not name.startswith("_"))
    return {
        "run_id": birth.id,
        "workflow_id": birth.workflow_id,
        "bundle_id": inputs.bundle_id,
        "bundle_version": inputs.bundle_version,
        "flow_id": inputs.flow_id,
        "pin_ids": list(pins),
        "input_data": {name: given[name] for name in pins if name in given},
        "workspace": {name: given[name] for name in WORKSPACE_PINS if name in given},
    }


def verdict_of(run_id: str, verdict: Verdict) -> dict[str, Json]:
    """What checking a ledger came to."""
    return {"run_id": run_id, **asdict(verdict)}


def state_of(run_id: str, seq: int, cells: Mapping[str, Json]) -> dict[str, Json]:
    """The cells after one record."""
    return {"run_id": run_id, "seq": seq, "cells": dict(cells)}


def _blocked_of(header: Header) -> Json:
    blocked = header.blocked
    if blocked is None or header.status in TERMINAL:
        return None
    birth = header.birth
    return {
        "type": blocked.kind,
        "since": blocked.since,
        "detail": blocked.detail,
        "deadline": birth.deadline and birth.deadline.at,
        "unblock": [*_ways(birth.id, blocked), _command(birth.id, "cancel", "Cancel the run", {})],
    }


def _ways(run_id: str, blocked: Blocked) -> list[dict[str, Json]]:
    match blocked.kind:
        case "question" | "approval" | "event":
            payload: Json = {"wait_key": blocked.key, "payload": {}}
            needs = ["command_id", "payload.payload"]
            return [_command(run_id, "resume", "Answer", payload, needs)]
        case "review":
            payload = {"wait_key": blocked.key, "payload": {}}
            needs = ["command_id", "payload.payload.resolution"]
            return [_command(run_id, "resume", "Say whether it happened", payload, needs)]
        case "hold":
            return [_command(run_id, "resume", "Let it go on", {})]
        case "child":
            path = f"/api/gateway/runs/{blocked.child}"
            return [{"verb": "look", "label": "See the child", "method": "GET", "path": path}]
        case _:
            return []


def _command(
    run_id: str, verb: str, label: str, payload: Json, needs: list[str] | None = None
) -> dict[str, Json]:
    return {
        "verb": verb,
        "label": label,
        "method": "POST",
        "path": COMMANDS_PATH,
        "body": {"run_id": run_id, "type": verb, "payload": payload},
        "needs": needs or ["command_id"],
    }
