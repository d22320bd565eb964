"""Runs of flows, driven by decisions alone: effects, people and time are the test's."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from perdure.bundles.bundle import Bundle
from perdure.features.flows.listeners import LISTENING, address_of
from perdure.features.flows.program import flow_program
from perdure.ids import BundleSha, Key, RunId, SessionId, derived_id
from perdure.kernel.decide import decide
from perdure.kernel.draft import born
from perdure.kernel.limits import Limits
from perdure.kernel.model import (
    GONE,
    TERMINAL,
    Advance,
    Answered,
    Arrived,
    Birth,
    Cancel,
    Decision,
    Due,
    Effect,
    Event,
    Failed,
    Ok,
    Open,
    Outcome,
    ProgramRef,
    Run,
    Send,
    Status,
    Step,
    Wait,
)
from perdure.kernel.program import Done, Moment, Move, Program, View
from perdure.kernel.values import Json
from tests.support.clock import FakeClock
from tests.support.drawing import Drawn, a_bundle, a_flow, a_start, an_end

Handler = Callable[[Effect, Birth], Outcome]


class Counted(dict[str, Json]):
    """Cells that count how often they are read."""

    reads = 0
    scans = 0

    def get(self, name: str, default: Json = None) -> Json:
        """The cell, counted."""
        self.reads += 1
        return super().get(name, default)

    def __iter__(self) -> Iterator[str]:
        """All names, counted as a scan of everything."""
        self.scans += 1
        return super().__iter__()


@dataclass
class Lived:
    """One run, with all that a store would keep of it."""

    run: Run
    program: Program
    cells: Counted
    steps: list[Step] = field(default_factory=list)
    outbox: list[Open] = field(default_factory=list)


class OneCallAgent:
    """Stands for the agent program: it calls the model once, and answers what it was told."""

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Ask, then answer."""
        if isinstance(event, Arrived):
            return _answered(cells, event)
        said = [*cells.get("in/messages"), {"role": "user", "content": cells.get("in/prompt")}]
        payload = {
            "messages": said,
            "provider": cells.get("in/provider"),
            "model": cells.get("in/model"),
        }
        return Move(effects=(Effect("llm_call", payload, "reason", "reason"),), path=("reason",))


def _answered(cells: View, event: Arrived) -> Move:
    assert isinstance(event.outcome, Ok)
    answer = event.outcome.result["content"]
    said = [
        {"role": "user", "content": cells.get("in/prompt")},
        {"role": "assistant", "content": answer},
    ]
    output = {
        "answer": answer, "report": answer, "iterations": 1, "tool_calls": [], "tool_results": [],
        "provider": cells.get("in/provider") or "scripted", "model": cells.get("in/model") or "script",
        "messages": said, "scratchpad": {"steps": [{"node_id": "reason"}]}, "warnings": [],
    }  # fmt: skip
    return Move(end=Done(output), path=("done",))


class Flowing:
    """A world of runs of flows. `handlers` perform effects; what has none stays under way."""

    def __init__(self, *flows: Json | Bundle, **handlers: Handler | Outcome) -> None:
        """Know one bundle, given as such or as its flows."""
        given = flows[0]
        self.bundle = given if isinstance(given, Bundle) else a_bundle(*flows)
        self.clock = FakeClock()
        self.handlers = {"emit_event": self._heard, "answer_user": echoed, **handlers}
        self.performed: list[Effect] = []
        self.lives: dict[RunId, Lived] = {}
        self.inbox: list[Send] = []
        self.kept: list[tuple[set[str], Json]] = []
        self.events: list[tuple[RunId, Key, Json]] = []
        self.asked: int = 0

    # --- the life of a run -------------------------------------------------------------------

    def start(
        self, inputs: Mapping[str, Json] | None = None, *, flow: str | None = None,
        limits: Limits | None = None, cells: Mapping[str, Json] | None = None, run_id: RunId | None = None,
    ) -> "Flowing":  # fmt: skip
        """Start a run and drive it as far as it goes."""
        flow_id = flow or self.bundle.default_flow()
        run_id = run_id or RunId(derived_id("flowing", flow_id, str(len(self.lives))))
        birth = Birth(
            id=run_id, workflow_id=self.bundle.workflow_id(flow_id), created_at=self.now, root_id=run_id,
            program=ProgramRef("flow", self.bundle.sha256, flow_id), session_id=SessionId("session"),
            limits=limits or Limits(),
        )  # fmt: skip
        given = {f"in/{name}": value for name, value in (inputs or {}).items()}
        self.root = run_id
        self._be_born(birth, {**given, **(cells or {})})
        self.settle()
        return self

    def settle(self) -> None:
        """Begin, perform and deliver until nothing moves of itself."""
        while self._moved():
            pass

    def _moved(self) -> bool:
        for run_id, life in self.lives.items():
            if life.run.ready:
                self.decide(run_id, Advance())
                return True
            if any(self._perform(run_id, entry) for entry in tuple(life.outbox)):
                return True
        if self.inbox:
            self._bring(self.inbox.pop(0))
            return True
        if self.events:
            run_id, key, envelope = self.events.pop(0)
            if key in self.lives[run_id].run.open:
                self.decide(run_id, Answered(key, envelope))
            return True
        return self._given_late()

    def _bring(self, sent: Send) -> None:
        """Bring a run what another one sent; one that has ended takes nothing."""
        if self.lives[sent.to].run.status in TERMINAL:
            return
        if sent.kind == "cancel":
            self.decide(sent.to, Cancel(sent.body["reason"]))
        else:
            assert sent.key is not None
            self.decide(sent.to, Arrived(sent.key, child_outcome(sent.body)))

    def _listening(self, addresses: set[str]) -> list[tuple[RunId, Key]]:
        """Every wait at one of the addresses."""
        return [
            (run_id, entry.key)
            for run_id, life in self.lives.items()
            for entry in life.run.open.values()
            if isinstance(entry.what, Wait) and entry.what.match in addresses
        ]

    def _given_late(self) -> bool:
        """Give an event that nobody waited for to the first who does."""
        for kept in self.kept:
            if reached := self._listening(kept[0])[:1]:
                self.kept.remove(kept)
                self.events += [(run_id, key, kept[1]) for run_id, key in reached]
                return True
        return False

    def _heard(self, effect: Effect, birth: Birth) -> Outcome:
        """Give an event to every wait at its addresses."""
        payload: Any = effect.payload
        session, name, scope = (
            payload.get("session_id") or birth.session_id,
            payload["name"],
            payload["scope"],
        )
        addresses = {address_of(birth, scope, session, it) for it in (name, "*")}
        envelope = {"event_id": "e", "name": name, "scope": scope, "payload": payload["payload"]}
        reached = self._listening(addresses)
        if not reached:
            self.kept.append((addresses, envelope))
        self.events += [(run_id, key, envelope) for run_id, key in reached]
        key = f"evt:{scope}:{birth.id}:{name}"
        to = [run_id for run_id, _ in reached]
        return Ok({"wait_key": key, "name": name, "delivered": len(to), "delivered_to": to})

    def _perform(self, run_id: RunId, entry: Open) -> bool:
        effect = entry.what
        assert isinstance(effect, Effect)
        handler = self.handlers.get(effect.kind)
        if handler is None:
            return False
        self.performed.append(effect)
        outcome = handler(effect, self.lives[run_id].run.birth) if callable(handler) else handler
        self.decide(run_id, Arrived(entry.key, outcome))
        return True

    def answer(self, node: str, payload: Json) -> "Flowing":
        """Answer the wait of a node, and drive on."""
        return self._tell(node, lambda key: Answered(key, payload))

    def arrive(self, node: str, outcome: Outcome) -> "Flowing":
        """Let the effect of a node come to an outcome, and drive on."""
        return self._tell(node, lambda key: Arrived(key, outcome))

    def come_due(self, node: str, *, late_s: float = 0) -> "Flowing":
        """Let the time of a node's wait come, noticed so late, and drive on."""
        self.clock.set(self.until(node) + timedelta(seconds=late_s))
        return self._tell(node, Due)

    def _tell(self, node: str, event: Callable[[Key], Event]) -> "Flowing":
        run_id, entry = self._found(node)
        self.decide(run_id, event(entry.key))
        self.settle()
        return self

    def decide(self, run_id: RunId, event: Event) -> Decision:
        """One event, one decision, written down; the same again would be the same."""
        life = self.lives[run_id]
        shown = repr(life.cells)
        decision = decide(life.run, event, life.program, life.cells, self.clock.now())
        assert decision.applied, decision.disposition
        assert repr(life.cells) == shown, "a program changes nothing that it was shown"
        again = decide(life.run, event, life.program, life.cells, self.clock.now())
        assert again == decision, "the same cells, event and moment make the same decision"
        self._commit(life, decision)
        return decision

    def _commit(self, life: Lived, decision: Decision) -> None:
        for name, value in decision.writes.items():
            if value is GONE:
                life.cells.pop(name, None)
            else:
                life.cells[name] = value
        life.run = decision.run
        life.steps.extend(decision.steps)
        gone = {*decision.arrived, *decision.dropped}
        life.outbox = [it for it in [*life.outbox, *decision.effects] if it.key not in gone]
        self.inbox.extend(send for send in decision.sends if send.kind in ("child", "cancel"))
        for birth in decision.births:
            self._be_born(birth.run.birth, birth.writes)

    def _be_born(self, birth: Birth, cells: Mapping[str, Json]) -> None:
        program = OneCallAgent() if birth.program.kind == "react" else self.program(birth.program)
        self.lives[birth.id] = Lived(born(birth, cells).run, program, Counted(cells))

    def program(self, ref: ProgramRef) -> Program:
        """The program of a flow of the bundle."""
        assert ref.bundle == BundleSha(self.bundle.sha256)
        return flow_program(ref, self.bundle)

    # --- what there is to see ----------------------------------------------------------------

    @property
    def now(self) -> str:
        """The time, as records write it."""
        return self.clock.now().isoformat(timespec="microseconds")

    @property
    def life(self) -> Lived:
        """The root run."""
        return self.lives[self.root]

    @property
    def status(self) -> Status:
        """Where the root run stands."""
        return self.life.run.status

    @property
    def output(self) -> Json:
        """What the root run gave out. Asks that it completed."""
        assert self.status is Status.COMPLETED, (self.status, self.life.run.error)
        return self.life.run.output

    @property
    def error(self) -> str | None:
        """Why the root run failed."""
        return self.life.run.error

    @property
    def cells(self) -> Mapping[str, Json]:
        """The root run's cells."""
        return self.life.cells

    def children(self) -> list[Lived]:
        """The runs below the root, oldest first."""
        return [life for run_id, life in self.lives.items() if run_id != self.root]

    def effects(self, kind: str) -> list[Effect]:
        """The effects of a kind that were performed, in any run, in order."""
        return [effect for effect in self.performed if effect.kind == kind]

    def open_at(self, node: str) -> Open:
        """What a node waits for, in any run."""
        return self._found(node)[1]

    def until(self, node: str) -> datetime:
        """The time that a node waits for."""
        what = self.open_at(node).what
        assert isinstance(what, Wait) and what.until is not None
        return what.until

    def _found(self, node: str) -> tuple[RunId, Open]:
        found = [
            (run_id, entry)
            for run_id, life in self.lives.items()
            for entry in life.run.open.values()
            if entry.what.node_id == node
        ]
        return next((it for it in found if not _is_listener(it[1])), found[0])

    def path(self) -> list[str]:
        """The nodes that the root run passed, fold by fold."""
        return [node for step in self.life.steps for node in step.path or ()]


def _is_listener(entry: Open) -> bool:
    """Whether it is the child that a node began beside the flow, and not what that node waits for."""
    return entry.what.tag.startswith(LISTENING)


def child_outcome(body: Json) -> Outcome:
    """A child's end, as the runner hands it to the parent."""
    told = {"sub_run_id": body["sub_run_id"], "output": body["output"]}
    if body["status"] == Status.COMPLETED.value:
        return Ok(told)
    return Failed(f"child_{body['status']}", body["error"] or "", result=told)


def echoed(effect: Effect, birth: Birth) -> Outcome:
    """What was to be said."""
    return Ok(effect.payload)


def said(*answers: str) -> Handler:
    """A model that gives these answers, one after the other."""
    left = list(answers)

    def handler(effect: Effect, birth: Birth) -> Outcome:
        content = left.pop(0)
        return Ok(
            {"content": content, "data": None, "tool_calls": None, "model": "script", "finish_reason": "stop",
             "usage": {"total_tokens": 3}, "metadata": {"provider": "scripted"}}
        )  # fmt: skip

    return handler


def made(node: Drawn, pins: Mapping[str, Json], pin: str = "result") -> Json:
    """What a node makes of its pins, seen at the end of a flow that has nothing else in it."""
    flow = a_flow(
        {"start": a_start(*pins), "it": node, "end": an_end("seen")},
        "start -> end",
        *(f"start.{name} => it.{name}" for name in pins),
        f"it.{pin} => end.seen",
    )
    output = Flowing(flow).start(pins).output
    assert output["success"], output
    return output["seen"]


def refused(node: Drawn, pins: Mapping[str, Json]) -> str:
    """What a node says of pins that it can make nothing of."""
    flow = a_flow(
        {"start": a_start(*pins), "it": node, "end": an_end("seen")},
        "start -> end",
        *(f"start.{name} => it.{name}" for name in pins),
        "it.result => end.seen",
    )
    output = Flowing(flow).start(pins).output
    assert output["success"] is False, output
    assert output["node"] == "end", "the node in the order of execution that pulled it"
    return str(output["error"])


def passed(node: Drawn, pins: Mapping[str, Json], *pins_out: str) -> "Flowing":
    """A run that passes one node between its start and its end."""
    flow = a_flow(
        {"start": a_start(*pins), "it": node, "end": an_end(*pins_out)},
        "start -> it -> end",
        *(f"start.{name} => it.{name}" for name in pins),
        *(f"it.{name} => end.{name}" for name in pins_out),
    )
    return Flowing(flow).start(pins)
