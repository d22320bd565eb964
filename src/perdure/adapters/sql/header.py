"""The row of a run: its columns by how often they change, and the values of the kernel that they make."""

from collections.abc import Mapping
from typing import Any, Final

from perdure.adapters.sql.encode import (
    blocked_bytes,
    blocked_of,
    bytes_of,
    clean,
    dumps,
    json_of,
    limits_bytes,
    limits_of,
    loads,
)
from perdure.adapters.sql.statements import Row
from perdure.ids import BundleSha, Key, RunId, SessionId
from perdure.kernel.draft import wait_json
from perdure.kernel.model import (
    Birth,
    Deadline,
    Guard,
    Held,
    Open,
    Point,
    ProgramRef,
    Run,
    Status,
    Usage,
    Wait,
)
from perdure.kernel.values import Json
from perdure.stores.blocked import Blocked, blocked_on, shown_open
from perdure.stores.runs import Header

BIRTH: Final = (
    "id", "workflow_id", "program_kind", "program_bundle", "program_name", "created_at", "root_id",
    "session_id", "actor_id", "parent_id", "parent_key", "depth", "lifecycle", "draft", "prompt", "limits", "forked_from",
    "forked_seq", "guard", "deadline", "deadline_of",
)  # fmt: skip
ALWAYS: Final = (
    "version", "head_seq", "head_hash", "updated_at", "node_id", "effects", "llm_calls", "tool_calls",
    "tokens_in", "tokens_out", "cost", "bytes_since",
)  # fmt: skip
SOMETIMES: Final = (
    "status", "ready", "held_reason", "held_at", "cancelled_at", "error", "output", "output_artifact",
    "unrecorded", "snapshot_seq", "snapshot_bytes", "warnings", "waiting", "blocked",
)  # fmt: skip
LEASE: Final = ("holder", "lease_until")
SHOWN: Final = (
    *BIRTH, "version", "status", "node_id", "updated_at", "head_seq", "waiting", "blocked", "held_reason",
    "held_at", "error", "output", "output_artifact", "effects", "llm_calls", "tool_calls", "tokens_in",
    "tokens_out", "cost", "warnings",
)  # fmt: skip


def birth_row(birth: Birth) -> Row:
    """The columns of `BIRTH`."""
    ref = birth.program
    return (
        birth.id, birth.workflow_id, ref.kind, ref.bundle, ref.name, birth.created_at, birth.root_id,
        birth.session_id, birth.actor_id, birth.parent_id, birth.parent_key, birth.depth,
        bytes_of(birth.lifecycle), int(is_draft(birth)), clean(birth.prompt), limits_bytes(birth.limits),
        *(birth.forked_from or (None, None)), birth.guard and birth.guard.value, *(birth.deadline or (None, None)),
    )  # fmt: skip


def is_draft(birth: Birth) -> bool:
    """Whether a run only tries a flow out, and is left out of lists."""
    return isinstance(birth.lifecycle, dict) and birth.lifecycle.get("purpose") == "draft_test"


def birth_of(row: Mapping[str, Any]) -> Birth:
    """What a run is from its first moment."""
    bundle = row["program_bundle"]
    return Birth(
        id=RunId(row["id"]), workflow_id=row["workflow_id"],
        program=ProgramRef(row["program_kind"], None if bundle is None else BundleSha(bundle), row["program_name"]),
        created_at=row["created_at"], root_id=RunId(row["root_id"]), session_id=SessionId(row["session_id"]),
        actor_id=row["actor_id"], parent_id=None if row["parent_id"] is None else RunId(row["parent_id"]),
        parent_key=None if row["parent_key"] is None else Key(row["parent_key"]), depth=row["depth"],
        lifecycle=json_of(row["lifecycle"]), prompt=row["prompt"], limits=limits_of(row["limits"]),
        forked_from=_point_of(row), guard=None if row["guard"] is None else Guard(row["guard"]),
        deadline=None if row["deadline"] is None else Deadline(row["deadline"], RunId(row["deadline_of"])),
    )  # fmt: skip


def _point_of(row: Mapping[str, Any]) -> Point | None:
    """Where a run was forked from."""
    if row["forked_from"] is None:
        return None
    return Point(RunId(row["forked_from"]), row["forked_seq"])


def is_plain(run: Run) -> bool:
    """Whether the columns of `SOMETIMES` are what they are for a run that only performs effects."""
    if (
        run.status is not Status.RUNNING
        or run.ready
        or run.unrecorded
        or run.silent
        or run.warnings
        or run.held
    ):
        return False
    for entry in run.open.values():
        if entry.review or isinstance(entry.what, Wait):
            return False
    return bool(run.open)


def always_row(run: Run, head_hash: bytes, bytes_since: int) -> Row:
    """The columns of `ALWAYS`."""
    usage = run.usage
    return (
        run.version, run.seq, head_hash, run.updated_at, clean(run.node_id), usage.effects, usage.llm_calls,
        usage.tool_calls, usage.tokens_in, usage.tokens_out, usage.cost, bytes_since,
    )  # fmt: skip


def blocked_column(run: Run) -> bytes | None:
    """Why a run does not move, but for one that only waits for effects: the outbox tells that better."""
    blocked = blocked_on(run)
    return None if blocked is None or blocked.kind == "effect" else blocked_bytes(blocked)


def waiting_column(run: Run) -> bytes | None:
    """The wait that summaries show, in full, with the key to answer it by."""
    shown = shown_open(run)
    if shown is None or not isinstance(shown.what, Wait):
        return None
    return dumps({**wait_json(shown.what, shown.key), "wait_key": shown.key})


def usage_of(row: Mapping[str, Any]) -> Usage:
    """What a run has used."""
    return Usage(
        row["effects"], row["llm_calls"], row["tool_calls"], row["tokens_in"], row["tokens_out"], row["cost"]
    )  # fmt: skip


def held_of(row: Mapping[str, Any]) -> Held | None:
    """The hold of a run, if there is one."""
    return None if row["held_at"] is None else Held(row["held_reason"], row["held_at"])


def header_of(row: Mapping[str, Any], blocked: Blocked | None, output: Json) -> Header:
    """What a list shows of a run."""
    return Header(
        birth=birth_of(row), version=row["version"], status=Status(row["status"]), node_id=row["node_id"],
        updated_at=row["updated_at"], seq=row["head_seq"], waiting=json_of(row["waiting"]), blocked=blocked,
        held=held_of(row), error=row["error"], output=output, usage=usage_of(row),
        warnings=warnings_of(row),
    )  # fmt: skip


def warnings_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The warnings kept with a run."""
    return () if row["warnings"] is None else tuple(loads(row["warnings"]))


def stored_blocked(row: Mapping[str, Any]) -> Blocked | None:
    """Why a run does not move, where its row says it."""
    return blocked_of(row["blocked"])


def run_of(
    row: Mapping[str, Any], open_: Mapping[Key, Open], unrecorded: Mapping[str, Json], output: Json,
    silent: tuple[Json, ...] = (),
) -> Run:  # fmt: skip
    """The run of a row, with what was kept in other tables."""
    return Run(
        birth=birth_of(row), version=row["version"], status=Status(row["status"]), seq=row["head_seq"],
        updated_at=row["updated_at"], ready=bool(row["ready"]), open=open_, node_id=row["node_id"],
        held=held_of(row), error=row["error"], output=output, usage=usage_of(row), unrecorded=unrecorded,
        state_bytes=row["snapshot_bytes"], warnings=warnings_of(row), silent=silent,
    )  # fmt: skip
