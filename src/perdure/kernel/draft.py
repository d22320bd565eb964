"""A decision while it is being written down: records are numbered, keys opened and closed.

The draft is the only mutable thing of the kernel, and it never leaves `decide`.
"""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from perdure.clock import text_of
from perdure.ids import Key, RunId, StepId, derived_id, step_id_of
from perdure.kernel.model import (
    Birth,
    Deadline,
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
    Wait,
)
from perdure.kernel.program import Done, Fail, Moment, View
from perdure.kernel.values import Json

CHILD_KIND: Final = "start_subworkflow"
ENDED: Final = ("completed", "failed")  # the states of a step that is over
UNWANTED: Final = {"reason": "no longer wanted"}  # what a child is told that is given up
BESIDE: Final = "rt/children/"  # cells that name the children nobody waits for, since holds and cancels reach them too


class Draft:
    """What one event makes of one run, so far."""

    # What few decisions need is made where they do.
    arrived: tuple[Key, ...] = ()
    births: tuple[Decision, ...] = ()
    sends: tuple[Send, ...] = ()
    redo: tuple[Key, ...] = ()
    doubted: tuple[Key, ...] = ()
    path: tuple[str, ...] = ()
    path_more = 0
    withdrawn: frozenset[str] = frozenset()  # tags
    ends_fold: int | None = None  # index in steps of the record that ends the fold
    failure: str | None = None  # the code of an outcome that this decision records
    decided_by: str | None = None
    events: tuple[Json, ...] = ()  # that this decision is about, where no record says it

    def __init__(self, run: Run, cells: View, moment: Moment) -> None:
        """Begin with the run as it was read."""
        self.run = run
        self.birth = run.birth
        self.cells = cells
        self.moment = moment
        self.now = moment.text
        self.seq = run.seq
        self.open = dict(run.open)
        self.node_id = run.node_id
        self.held = run.held
        self.ready = run.ready
        self.usage = run.usage
        self.warnings = run.warnings
        self.steps: list[Step] = []
        self.effects: list[Open] = []
        self.dropped: list[Key] = []
        self.opened: list[Open] = []
        self.closed: list[Open] = []

    # --- records of what came in -----------------------------------------------------------

    def record_outcome(self, entry: Open, outcome: Ok | Failed, attempts: tuple[Json, ...]) -> None:
        """Close an effect or a child with its last outcome."""
        what, status, error = entry.what, "completed", None
        if isinstance(outcome, Failed):
            status, error = "failed", error_text(outcome.code, outcome.detail)
            self.failure = outcome.code
        if isinstance(what, Effect):
            kind, effect_class = what.kind, str(what.effect_class)
            self.arrived = (entry.key,)
        else:
            kind, effect_class = CHILD_KIND, None
            self.closed.append(entry)
        effect = effect_json(kind, what.payload, what.result_key)
        self.seq += 1
        self.steps.append(
            Step(self.seq, entry.step_id, what.node_id, status, entry.at, self.now, effect, outcome.result,
                 error, len(attempts) or 1, entry.key, effect_class, attempts)
        )  # fmt: skip
        self.usage = self.usage.plus(outcome.usage)
        del self.open[entry.key]

    def record_answer(self, entry: Open, payload: Json, by: str) -> None:
        """Close a wait with what it was answered."""
        wait = entry.what
        assert isinstance(wait, Wait)
        told = {
            "wait_reason": wait.reason.value, "wait_key": entry.key, "resume_to_node": wait.node_id,
            "result_key": wait.result_key, "payload": payload,
        }  # fmt: skip
        self.decided_by = by or None
        resume = effect_json("resume", told, None)
        done = {"resumed": True}
        self.record(wait.node_id, "completed", resume, done, by=by or None, ends_fold=False)
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
        self.open[entry.key] = replace(entry, review=True)
        self.doubted += (entry.key,)
        self.open_wait(wait, entry.step_id, attempts)

    def give_back(self, entry: Open) -> None:
        """Give an effect in review back to the outbox, under the same key."""
        self.open[entry.key] = replace(entry, review=False)
        self.redo += (entry.key,)

    # --- records of what the program asks for ----------------------------------------------

    def begin_effect(self, effect: Effect) -> None:
        """Number an effect and put it in the outbox."""
        self.seq = seq = self.seq + 1
        run_id, now = self.birth.id, self.now
        step_id = step_id_of(run_id, seq)
        key = Key(f"{run_id}:{seq}:{len(self.effects)}")
        if key in self.open:
            key = self._free(key)
        asked = effect_json(effect.kind, effect.payload, effect.result_key)
        writes, path = self._carried()
        self.steps.append(
            Step(seq, step_id, effect.node_id, "started", now, None, asked, None, None, 1, key,
                 str(effect.effect_class), (), None, writes, path)
        )  # fmt: skip
        entry = self.open[key] = Open(key, step_id, seq, now, effect)
        self.effects.append(entry)

    def open_wait(
        self, wait: Wait, step_id: StepId | None = None, attempts: tuple[Json, ...] = ()
    ) -> None:
        """Number a wait, of a step begun before or of its own, and open it under a key that is free."""
        key = self._free(wait.key or f"{wait.reason.value}:{self.birth.id}:{self.seq + 1}")
        asked = effect_json(wait.kind, wait.payload, wait.result_key)
        told = {"wait": wait_json(wait, key)}
        self.record(wait.node_id, "waiting", asked, told, step_id=step_id, attempts=attempts)
        entry = self.open[key] = Open(key, self.steps[-1].step_id, self.seq, self.now, wait)
        self.opened.append(entry)

    def begin_child(self, start: Start) -> None:
        """Give birth to a child in the same commit, and wait for it if that is wished."""
        birth, step_id = self.birth, step_id_of(self.birth.id, self.seq + 1)
        child_id = RunId(derived_id(birth.id, start.identity or step_id))
        key = self._free(f"subworkflow:{child_id}")
        effect = effect_json(CHILD_KIND, start.payload, start.result_key)
        again = f"{birth.id}:{self.seq + 1}:0"
        self.record(start.node_id, "started", effect, key=again)
        if start.wait:
            self.open_wait(child_wait(start, child_id, key), step_id)
        else:
            told = {"sub_run_id": child_id}
            self.record(start.node_id, "completed", effect, told, step_id=step_id, key=again)
            self.cells.pending[f"{BESIDE}{child_id}"] = True
        deadline = birth.deadline
        if start.deadline is not None and (deadline is None or start.deadline < deadline.at):
            deadline = Deadline(start.deadline, child_id)
        child = Birth(
            id=child_id, workflow_id=start.workflow_id, program=start.program, created_at=self.now,
            root_id=birth.root_id, session_id=start.session_id or birth.session_id, actor_id=birth.actor_id,
            parent_id=birth.id, parent_key=key if start.wait else None, depth=birth.depth + 1,
            lifecycle=birth.lifecycle, limits=start.limits or birth.limits,
            forked_from=start.forked_from, guard=birth.guard, deadline=deadline,
        )  # fmt: skip
        self.births += (born(child, start.cells),)

    def withdraw_all(self, tags: tuple[str, ...]) -> None:
        """Give up everything open that has one of these tags."""
        self.withdrawn = self.withdrawn.union(tags)
        for entry in tuple(self.open.values()):
            if entry.what.tag in tags:
                self.withdraw(entry)

    def withdraw(self, entry: Open) -> None:
        """Give up something open: an effect is never performed, a child is cancelled."""
        if isinstance(entry.what, Effect):
            self.dropped.append(entry.key)
        else:
            if entry.what.child is not None:
                self.send(entry.what.child, "cancel", body=UNWANTED)
            self.closed.append(entry)
        del self.open[entry.key]

    # --- messages ----------------------------------------------------------------------------

    def tell_children(self, kind: str, body: Json, tags: tuple[str, ...] | None = None) -> None:
        """Send the same message to the children that are waited for, all or those with one of these tags."""
        for entry in self.open.values():
            what = entry.what
            if isinstance(what, Wait) and what.child is not None and (tags is None or what.tag in tags):  # fmt: skip
                self.send(what.child, kind, body=body)

    def tell_beside(self, kind: str, body: Json) -> None:
        """Send the same message to the children that nobody waits for. One that has ended leaves it alone."""
        for name in sorted(self.cells.names(BESIDE)):
            self.send(RunId(name.removeprefix(BESIDE)), kind, body=body)

    def send(self, to: RunId, kind: str, key: Key | None = None, body: Json = None) -> None:
        """Send a message to another run; the same decision made again sends the same id."""
        version = self.run.version + 1
        sent_id = derived_id(self.birth.id, str(version), kind, to, key or "")
        self.sends += (Send(sent_id, to, kind, key, body),)

    # --- the end -----------------------------------------------------------------------------

    def end(self, end: Done | Fail) -> Decision:
        """Write the last records, close everything, and tell the parent."""
        if isinstance(end, Done):
            if end.mishap is not None:
                node_id, why = end.mishap
                self.record(node_id, "failed", error=why)
            self.record(self.node_id, "completed", None, {"completed": True, "output": end.output})
            return self._closed(Status.COMPLETED, None, end.output)
        error = error_text(end.code, end.detail)
        if end.code != self.failure:  # else the record of the outcome says it already
            self.record(self.node_id, "failed", error=error)
        return self._closed(Status.FAILED, error, None)

    def cancel(self, reason: str) -> Decision:
        """End the run at somebody's word, and with it every child; of an end of its own only those it waits for."""
        self.tell_beside("cancel", {"reason": reason})
        return self._closed(Status.CANCELLED, reason or "Cancelled", None)

    def expire(self) -> Decision | None:
        """End the run at its deadline, and as a cancel does every child; `None` where that has not come."""
        deadline = self.birth.deadline
        if deadline is None or deadline.at > self.now:
            return None
        self.tell_of("expired", deadline.at)
        whose = "" if deadline.of == self.birth.id else f" of run {deadline.of}, which is above it,"
        end = Fail("deadline_passed", f"the deadline{whose} was {deadline.at}")
        self.tell_beside("cancel", {"reason": error_text(end.code, end.detail)})
        return self.end(end)

    def _closed(self, status: Status, error: str | None, output: Json) -> Decision:
        for entry in tuple(self.open.values()):
            self.withdraw(entry)
        text = {"text": status.value}
        self.record(
            self.node_id, "completed",
            effect_json("emit_event", {"name": "abstract.status", "scope": "session", "payload": text}, None),
            {"emitted": True, "name": "abstract.status", "payload": text},
            key=f"system:terminal_status:{status.value}",
        )  # fmt: skip
        birth = self.birth
        if birth.parent_id is not None and birth.parent_key is not None:
            told = {
                "status": status.value,
                "output": output,
                "error": error,
                "sub_run_id": birth.id,
            }
            self.send(birth.parent_id, "child", birth.parent_key, told)
        self.ready, self.held = False, None
        return self.decision(status, error, output)

    def decision(
        self, status: Status | None = None, error: str | None = None, output: Json = None
    ) -> Decision:
        """The finished value. Runs and decisions are made by position, which is the fastest way."""
        run, writes = self.run, self.cells.pending
        silent = self._told()
        if self.dropped or self.closed:
            self._forget_what_came_and_went()
        after = Run(
            self.birth, run.version + 1, status or status_of(self.open), self.seq, self.now, self.ready,
            self.open, self.node_id, self.held, error, output, self.usage, self._attach(writes),
            run.state_bytes, self.warnings, silent,
        )  # fmt: skip
        return Decision(
            after, run.version, "applied", tuple(self.steps), writes, tuple(self.effects),
            self.arrived, tuple(self.dropped), self.redo, self.doubted, tuple(self.opened),
            tuple(self.closed), self.decided_by, self.births, self.sends,
        )  # fmt: skip

    def tell_of(self, name: str, *facts: Json) -> None:
        """Remember what is decided on, since no record of its own will tell of it."""
        self.events += ([self.now, name, *facts],)

    def _told(self) -> tuple[Json, ...]:
        """Give what no record tells to the first record; what is left without one."""
        events = self.run.silent + self.events
        if not events or not self.steps:
            return events
        self.steps[0] = replace(self.steps[0], events=events)
        return ()

    def _forget_what_came_and_went(self) -> None:
        """What was asked for and given up in the same decision is never begun."""
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
        if self.run.unrecorded:
            writes = {**self.run.unrecorded, **writes}
        if not self.steps:
            return writes
        index = -1 if self.ends_fold is None else self.ends_fold
        step = self.steps[index]
        if step.writes is not writes or step.path is not self.path or self.path_more:
            self.steps[index] = replace(
                step, writes=writes, path=self.path, path_more=self.path_more
            )
        return {}

    def warn(self, warnings: tuple[str, ...]) -> None:
        """Keep warnings with the run, each once, up to the bound."""
        new = tuple(text for text in warnings if text not in self.warnings)
        self.warnings = (self.warnings + new)[: self.birth.limits.warnings_max]

    def passed(self, nodes: tuple[str, ...]) -> None:
        """Remember the nodes that a move passed."""
        self.node_id = nodes[-1]
        room = self.birth.limits.path_max - len(self.path)
        if len(nodes) > room:
            self.path_more += len(nodes) - room
            nodes = nodes[:room]
        self.path += nodes

    def _free(self, wish: str) -> Key:
        """The key that was wished for, made another where that one is open: programs choose keys."""
        while wish in self.open:
            wish = f"{wish}#{self.seq + 1}"
        return Key(wish)

    # --- records -----------------------------------------------------------------------------

    def record(  # noqa: PLR0913 - one place writes records, and a record has these parts
        self, node_id: str, status: str, effect: Json = None, result: Json = None, *,
        error: str | None = None, step_id: StepId | None = None, key: str | None = None,
        attempts: tuple[Json, ...] = (), by: str | None = None, ends_fold: bool = True,
    ) -> None:  # fmt: skip
        """Write down the next record: of the step `step_id` that began before, or of one of its own."""
        writes, path = self._carried() if ends_fold else (None, None)
        self.seq = seq = self.seq + 1
        self.steps.append(
            Step(seq, step_id or step_id_of(self.birth.id, seq), node_id, status, self.now,
                 self.now if status in ENDED else None, effect, result, error, 1, key, None, attempts, by,
                 writes, path)
        )  # fmt: skip

    def _carried(self) -> tuple[Mapping[str, Json] | None, tuple[str, ...] | None]:
        """What a record that ends a fold carries: the first one all of the fold, the others nothing.

        The map is the one that later moves of the fold write to, so they are in it as well.
        """
        if self.ends_fold is not None:
            return None, None
        self.ends_fold = len(self.steps)
        return self.cells.pending, self.path


def born(birth: Birth, cells: Mapping[str, Json]) -> Decision:
    """The birth of a run: version 1, no record, its inputs as the cells at seq 0."""
    run = Run(birth=birth, version=1, status=Status.RUNNING, seq=0, updated_at=birth.created_at)
    return Decision(run=run, read_version=0, writes=cells)


def status_of(open_: Mapping[Key, Open]) -> Status:
    """`waiting` where nothing but waits is open, `running` otherwise."""
    for entry in open_.values():
        if isinstance(entry.what, Effect) and not entry.review:
            return Status.RUNNING
    return Status.WAITING if open_ else Status.RUNNING


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
        "sub_run_id": child_id, "sub_workflow_id": start.workflow_id, "async": True, "include_traces": False,
    }  # fmt: skip
    return Wait(
        tag=start.tag, node_id=start.node_id, reason=Reason.CHILD, kind=CHILD_KIND, key=key,
        allow_free_text=False, details=details, payload=start.payload, result_key=start.result_key, child=child_id,
    )  # fmt: skip


def review_key(key: Key) -> Key:
    """The key of the wait in which a person says whether the effect `key` happened."""
    return Key(f"review:{key}")


def error_text(code: str, detail: str) -> str:
    """An error as records and summaries show it."""
    return f"{code}: {detail}" if detail else code
