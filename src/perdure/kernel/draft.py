"""A decision while it is being written down: records are numbered, keys opened and closed.

The draft is the only mutable thing of the kernel, and it never leaves `decide`.
"""

from collections.abc import Mapping
from typing import Final

from perdure.clock import text_of
from perdure.ids import Key, RunId, StepId, derived_id
from perdure.kernel.limits import INTEGER_MAX
from perdure.kernel.model import (
    Birth,
    Decision,
    Effect,
    Failed,
    Ok,
    Open,
    Reason,
    Run,
    Send,
    Start,
    Status,
    Step,
    Unknown,
    Usage,
    Wait,
)
from perdure.kernel.program import Done, Fail, Moment, View
from perdure.kernel.values import Json

CHILD_KIND: Final = "start_subworkflow"


class Draft:
    """What one event makes of one run, so far."""

    def __init__(self, run: Run, cells: View, moment: Moment) -> None:
        """Begin with the run as it was read."""
        self.run = run
        self.cells = cells
        self.moment = moment
        self.now = moment.text
        self.seq = run.seq
        self.open: dict[Key, Open] = dict(run.open)
        self.steps: list[Step] = []
        self.effects: list[Open] = []
        self.arrived: list[Key] = []
        self.dropped: list[Key] = []
        self.redo: list[Key] = []
        self.doubted: list[Key] = []
        self.opened: list[Open] = []
        self.closed: list[Open] = []
        self.births: list[Decision] = []
        self.sends: list[Send] = []
        self.path: list[str] = []
        self.path_more = 0
        self.usage = run.usage
        self.node_id = run.node_id
        self.first_of_fold: int | None = None  # index in steps of the record that ends the fold
        self.ready = run.ready
        self.warnings = run.warnings
        self.failure: str | None = None  # the code of an outcome that this decision records
        self.withdrawn: set[str] = set()  # tags

    # --- records of what came in -----------------------------------------------------------

    def record_outcome(self, entry: Open, outcome: Ok | Failed, attempts: tuple[Json, ...]) -> None:
        """Close an effect or a child with its last outcome."""
        what, error = entry.what, None
        if isinstance(outcome, Failed):
            error, self.failure = error_text(outcome.code, outcome.detail), outcome.code
        if isinstance(what, Effect):
            effect = effect_json(what.kind, what.payload, what.result_key)
            effect_class: str | None = what.effect_class.value
            self.arrived.append(entry.key)
        else:
            effect = effect_json(CHILD_KIND, what.payload, what.result_key)
            effect_class = None
            self.closed.append(entry)
        self._step(
            entry.step_id, what.node_id, "completed" if error is None else "failed", entry.at, self.now, effect,
            outcome.result, error, attempt=max(1, len(attempts)), key=entry.key, effect_class=effect_class, attempts=attempts,
        )  # fmt: skip
        self.usage = used(self.usage, outcome.usage)
        del self.open[entry.key]

    def record_answer(self, entry: Open, payload: Json, by: str) -> None:
        """Close a wait with what it was answered."""
        wait = entry.what
        assert isinstance(wait, Wait)
        told = {
            "wait_reason": wait.reason.value, "wait_key": entry.key, "resume_to_node": wait.node_id,
            "result_key": wait.result_key, "payload": payload,
        }  # fmt: skip
        step_id = self._step_id("resume")
        self._step(
            step_id, wait.node_id, "completed", self.now, self.now, effect_json("resume", told, None),
            {"resumed": True}, None, by=by or None,
        )  # fmt: skip
        self.close(entry)

    def close(self, entry: Open) -> None:
        """Take a wait from what is open, without a record."""
        self.closed.append(entry)
        del self.open[entry.key]

    def doubt(
        self, entry: Open, outcome: Unknown, attempts: tuple[Json, ...], dispatched_at: str | None
    ) -> None:
        """Keep an effect whose outcome nobody knows, and open the wait in which a person says it."""
        effect = entry.what
        assert isinstance(effect, Effect)
        details = {
            "kind": "needs_review", "effect": effect_json(effect.kind, effect.payload, effect.result_key),
            "effect_key": entry.key, "dispatched_at": dispatched_at, "detail": outcome.detail,
        }  # fmt: skip
        wait = Wait(
            tag=effect.tag, node_id=effect.node_id, reason=Reason.USER, kind=effect.kind,
            key=review_key(entry.key), prompt="Did it happen?", choices=("it happened", "it did not happen"),
            allow_free_text=False, details=details, payload=effect.payload, result_key=effect.result_key,
            review_of=entry.key,
        )  # fmt: skip
        self.open[entry.key] = entry._replace(review=True)
        self.doubted.append(entry.key)
        self.open_wait(wait, entry.step_id, attempts)

    # --- records of what the program asks for ----------------------------------------------

    def begin_effect(self, effect: Effect) -> None:
        """Number an effect and put it in the outbox."""
        step_id = self._step_id(effect.kind)
        key = self._free(f"{self.run.birth.id}:{self.seq + 1}:{len(self.effects)}")
        self._step(
            step_id, effect.node_id, "started", self.now, None,
            effect_json(effect.kind, effect.payload, effect.result_key), None, None, key=key,
            effect_class=effect.effect_class.value, ends_fold=True,
        )  # fmt: skip
        entry = Open(key, step_id, self.seq, self.now, effect)
        self.open[key] = entry
        self.effects.append(entry)

    def open_wait(
        self, wait: Wait, step_id: StepId | None = None, attempts: tuple[Json, ...] = ()
    ) -> Open:
        """Number a wait and open it under its key, made unique where the key is open already."""
        step_id = step_id or self._step_id(wait.kind)
        key = self._free(wait.key or f"{wait.reason.value}:{self.run.birth.id}:{self.seq + 1}")
        result = {"wait": wait_json(wait, key)}
        self._step(
            step_id, wait.node_id, "waiting", self.now, None, effect_json(wait.kind, wait.payload, wait.result_key),
            result, None, attempts=attempts, ends_fold=True,
        )  # fmt: skip
        entry = Open(key, step_id, self.seq, self.now, wait)
        self.open[key] = entry
        self.opened.append(entry)
        return entry

    def begin_child(self, start: Start) -> None:
        """Give birth to a child in the same commit, and wait for it if that is wished."""
        birth = self.run.birth
        step_id = self._step_id(CHILD_KIND)
        child_id = RunId(derived_id(birth.id, step_id))
        key = self._free(f"subworkflow:{child_id}")
        effect = effect_json(CHILD_KIND, start.payload, start.result_key)
        idempotency_key = f"{birth.id}:{self.seq + 1}:0"
        self._step(step_id, start.node_id, "started", self.now, None, effect, None, None,
                   key=idempotency_key, ends_fold=True)  # fmt: skip
        if start.wait:
            self.open_wait(child_wait(start, child_id, key), step_id)
        else:
            self._step(step_id, start.node_id, "completed", self.now, self.now, effect,
                       {"sub_run_id": child_id}, None, key=idempotency_key)  # fmt: skip
        child = Birth(
            id=child_id, workflow_id=start.workflow_id, program=start.program, created_at=self.now,
            root_id=birth.root_id, session_id=start.session_id or birth.session_id, actor_id=birth.actor_id,
            parent_id=birth.id, parent_key=key if start.wait else None, depth=birth.depth + 1,
            lifecycle=birth.lifecycle, limits=birth.limits,
        )  # fmt: skip
        self.births.append(born(child, start.cells))

    def withdraw(self, entry: Open) -> None:
        """Give up something open: an effect is never performed, a child is cancelled."""
        if isinstance(entry.what, Effect):
            self.dropped.append(entry.key)
        else:
            if entry.what.child is not None:
                self.send(entry.what.child, "cancel", body={"reason": "no longer wanted"})
            self.closed.append(entry)
        del self.open[entry.key]

    def send(self, to: RunId, kind: str, key: Key | None = None, body: Json = None) -> None:
        """Send a message to another run; the same decision made again sends the same id."""
        version = self.run.version + 1
        sent_id = derived_id(self.run.birth.id, str(version), kind, to, key or "")
        self.sends.append(Send(sent_id, to, kind, key, body))

    # --- the end -----------------------------------------------------------------------------

    def end(self, end: Done | Fail) -> Decision:
        """Write the last records, close everything, and tell the parent."""
        if isinstance(end, Done):
            step_id = self._step_id("end")
            result = {"completed": True, "output": end.output}
            self._step(
                step_id,
                self.node_id,
                "completed",
                self.now,
                self.now,
                None,
                result,
                None,
                ends_fold=True,
            )
            return self._closed(Status.COMPLETED, None, end.output)
        error = error_text(end.code, end.detail)
        if end.code != self.failure:  # else the record of the outcome says it already
            self._step(self._step_id("end"), self.node_id, "failed", self.now, self.now, None, None, error,
                       ends_fold=True)  # fmt: skip
        return self._closed(Status.FAILED, error, None)

    def cancel(self, reason: str) -> Decision:
        """End the run at somebody's word."""
        return self._closed(Status.CANCELLED, reason or "Cancelled", None)

    def _closed(self, status: Status, error: str | None, output: Json) -> Decision:
        for entry in tuple(self.open.values()):
            self.withdraw(entry)
        text = {"text": status.value}
        payload = {"name": "abstract.status", "scope": "session", "payload": text}
        result = {"emitted": True, "name": "abstract.status", "payload": text}
        self._step(
            self._step_id("status"), self.node_id, "completed", self.now, self.now,
            effect_json("emit_event", payload, None), result, None,
            key=f"system:terminal_status:{status.value}", ends_fold=True,
        )  # fmt: skip
        birth = self.run.birth
        if birth.parent_id is not None and birth.parent_key is not None:
            body = {
                "status": status.value,
                "output": output,
                "error": error,
                "sub_run_id": birth.id,
            }
            self.send(birth.parent_id, "child", birth.parent_key, body)
        return self.decision(status, error=error, output=output)

    def decision(
        self, status: Status | None = None, error: str | None = None, output: Json = None
    ) -> Decision:
        """The finished value."""
        run = self.run
        writes = self.cells.pending
        unrecorded = self._attach({**run.unrecorded, **writes} if run.unrecorded else writes)
        self._forget_what_came_and_went()
        after = Run(
            birth=run.birth, version=run.version + 1, status=status or status_of(self.open), seq=self.seq,
            updated_at=self.now, ready=self.ready and status is None, open=self.open, node_id=self.node_id,
            held=run.held if status is None else None, error=error,
            output=output, usage=self.usage, unrecorded=unrecorded, state_bytes=run.state_bytes, warnings=self.warnings,
        )  # fmt: skip
        return Decision(
            run=after, read_version=run.version, steps=tuple(self.steps), writes=writes,
            effects=tuple(self.effects), arrived=tuple(self.arrived), dropped=tuple(self.dropped),
            redo=tuple(self.redo), doubted=tuple(self.doubted), opened=tuple(self.opened), closed=tuple(self.closed),
            births=tuple(self.births), sends=tuple(self.sends),
        )  # fmt: skip

    def _forget_what_came_and_went(self) -> None:
        """What was asked for and given up in the same decision is never dispatched."""
        gone = {entry.key for entry in self.effects if self.open.get(entry.key) is not entry}
        if gone:
            self.effects = [entry for entry in self.effects if entry.key not in gone]
            self.dropped = [key for key in self.dropped if key not in gone]
        passed = {entry.seq for entry in self.opened if self.open.get(entry.key) is not entry}
        if passed:
            self.opened = [entry for entry in self.opened if entry.seq not in passed]
            self.closed = [entry for entry in self.closed if entry.seq not in passed]

    def _attach(self, writes: Mapping[str, Json]) -> Mapping[str, Json]:
        """Give the writes to the record that ends the fold; what no record takes is carried on."""
        if not self.steps:
            return writes
        if writes or self.path:
            index = len(self.steps) - 1 if self.first_of_fold is None else self.first_of_fold
            self.steps[index] = self.steps[index]._replace(
                writes=writes, path=tuple(self.path), path_more=self.path_more
            )
        return {}

    def warn(self, warnings: tuple[str, ...]) -> None:
        """Keep warnings with the run, each once, up to the bound."""
        new = tuple(text for text in warnings if text not in self.warnings)
        self.warnings = (self.warnings + new)[: self.run.birth.limits.warnings_max]

    def passed(self, nodes: tuple[str, ...]) -> None:
        """Remember the nodes that a move passed."""
        self.node_id = nodes[-1]
        room = self.run.birth.limits.path_max - len(self.path)
        self.path.extend(nodes[:room])
        self.path_more += max(0, len(nodes) - room)

    def _free(self, wish: str) -> Key:
        """The key that was wished for, made another where that one is open: programs choose keys."""
        while wish in self.open:
            wish = f"{wish}#{self.seq + 1}"
        return Key(wish)

    def _step_id(self, word: str) -> StepId:
        return StepId(derived_id(self.run.birth.id, str(self.seq + 1), word))

    def _step(  # noqa: PLR0913 - one place writes records, and a record has these parts
        self, step_id: StepId, node_id: str, status: str, started_at: str, ended_at: str | None, effect: Json,
        result: Json, error: str | None, *, attempt: int = 1, key: str | None = None,
        effect_class: str | None = None, attempts: tuple[Json, ...] = (), by: str | None = None,
        ends_fold: bool = False,
    ) -> None:  # fmt: skip
        self.seq += 1
        if ends_fold and self.first_of_fold is None:
            self.first_of_fold = len(self.steps)
        self.steps.append(
            Step(self.seq, step_id, node_id, status, started_at, ended_at, effect, result, error, attempt, key,
                 effect_class, attempts, None, None, 0, by)
        )  # fmt: skip


def born(birth: Birth, cells: Mapping[str, Json]) -> Decision:
    """The birth of a run: version 1, no record, its inputs as the cells at seq 0."""
    run = Run(birth=birth, version=1, status=Status.RUNNING, seq=0, updated_at=birth.created_at)
    return Decision(run=run, read_version=0, writes=cells)


def status_of(open_: Mapping[Key, Open]) -> Status:
    """`waiting` where nothing but waits is open, `running` otherwise."""
    if open_ and all(entry.review or isinstance(entry.what, Wait) for entry in open_.values()):
        return Status.WAITING
    return Status.RUNNING


def effect_json(kind: str, payload: Json, result_key: str | None) -> Json:
    """An effect as records show it."""
    return {"type": kind, "payload": payload, "result_key": result_key}


def wait_json(wait: Wait, key: Key) -> Json:
    """A wait as records and summaries show it."""
    return {
        "reason": wait.reason.value, "wait_key": None if wait.reason is Reason.UNTIL else key,
        "until": None if wait.until is None else text_of(wait.until), "resume_to_node": wait.node_id,
        "result_key": wait.result_key, "prompt": wait.prompt,
        "choices": None if wait.choices is None else list(wait.choices),
        "allow_free_text": wait.allow_free_text, "details": wait.details,
    }  # fmt: skip


def child_wait(start: Start, child_id: RunId, key: Key) -> Wait:
    """The wait for a child's end."""
    details = {
        "sub_run_id": child_id,
        "sub_workflow_id": start.workflow_id,
        "async": True,
        "include_traces": False,
    }
    return Wait(
        tag=start.tag, node_id=start.node_id, reason=Reason.CHILD, kind=CHILD_KIND, key=key,
        allow_free_text=False, details=details, payload=start.payload, result_key=start.result_key, child=child_id,
    )  # fmt: skip


def review_key(key: Key) -> Key:
    """The key of the wait in which a person says whether the effect `key` happened."""
    return Key(f"review:{key}")


def used(usage: Usage, extra: Mapping[str, float]) -> Usage:
    """Add what one outcome used; what the counters do not know, or cannot count, is left out."""
    effects = usage.effects + 1
    if not extra:
        return usage._replace(effects=effects)
    return Usage(
        effects=effects,
        llm_calls=usage.llm_calls + int(_counted(extra, "llm_calls")),
        tool_calls=usage.tool_calls + int(_counted(extra, "tool_calls")),
        tokens_in=usage.tokens_in + int(_counted(extra, "tokens_in")),
        tokens_out=usage.tokens_out + int(_counted(extra, "tokens_out")),
        cost=usage.cost + float(_counted(extra, "cost")),
    )


def _counted(extra: Mapping[str, Json], name: str) -> float:
    """A counter as a handler told it; nobody checked that before."""
    value = extra.get(name, 0)
    return value if isinstance(value, int | float) and 0 <= value <= INTEGER_MAX else 0


def error_text(code: str, detail: str) -> str:
    """An error as records and summaries show it."""
    return f"{code}: {detail}" if detail else code
