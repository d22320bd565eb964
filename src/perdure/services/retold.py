"""A ledger decided again: from each record, the event that made it; from the event, the decision.

The ledger tells enough. What came in (an outcome, an answer, a cancel) is a record; what left none
(a time that came due, a hold, a release, a word for the program) is told by the next record, in
`events`. A version is one more than the version before, and the time of a decision is the time of
its records. So the decision can be taken again as it was, and held against what was written.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from msgspec.structs import replace

from perdure.clock import time_of
from perdure.ids import Key
from perdure.kernel.decide import HELD, decide
from perdure.kernel.draft import born
from perdure.kernel.model import (
    GONE,
    TERMINAL,
    Advance,
    Answered,
    Arrived,
    Birth,
    Cancel,
    Cells,
    Decision,
    Due,
    Effect,
    Event,
    Expired,
    Failed,
    Fault,
    Held,
    Hold,
    Ok,
    Release,
    Run,
    Step,
    Told,
    Unknown,
)
from perdure.kernel.program import Program
from perdure.kernel.values import Json
from perdure.registry.guarded import outcome_of
from perdure.stores.records import Recorded

_CANCELLED: Final = "system:terminal_status:cancelled"
_SIZE: Final = "size"  # no event: how large the store found the state to be


class Again(NamedTuple):
    """What one record was made by, and what that makes of the run when it is decided again."""

    event: Event
    at: datetime
    decision: Decision


class Retold:
    """A run that lives its ledger again. Nothing of it is committed, performed or sent.

    `run` and `cells` are those before the decision whose records are being taken.
    """

    def __init__(self, birth: Birth, cells: Cells, program: Program) -> None:
        """Begin with the birth, and the cells at 0."""
        self.program = program
        self.run: Run = born(birth, cells).run
        self.cells: dict[str, Json] = dict(cells)
        self._now: Again | None = None
        self._left: Sequence[Step] = ()

    def take(self, record: Recorded) -> Step | None:
        """The record that stands here when it is decided again; `None` where none does."""
        if not self._left:
            if self._now is not None:
                self.go_on(self._now.decision)
            self._now = self.again(record)
            self._left = () if self._now is None else self._now.decision.steps
        if not self._left:
            self._now = None
            return None
        step, *self._left = self._left
        return step

    def left(self) -> int:
        """How many records more the last decision makes than were taken."""
        return len(self._left)

    def stand(self) -> None:
        """Stand where the run last stood whole and unended, no later than after the last record taken.

        That is after a decision, or between what came in and what the program made of it. An approval
        is not taken along: it was given for what the origin does.
        """
        now, left, self._now, self._left = self._now, self._left, None, ()
        if now is None:
            return
        if not left and now.decision.run.status not in TERMINAL:
            self.go_on(now.decision)
        elif isinstance(now.event, Arrived) or self._is_answer(now.event):
            self.take_in(now)

    def _is_answer(self, event: Event) -> bool:
        """Whether it is an answer that may be taken along."""
        if not isinstance(event, Answered) or event.key not in self.run.open:
            return False
        what = self.run.open[event.key].what
        details = None if isinstance(what, Effect) else what.details
        return not isinstance(details, dict) or details.get("mode") != "approval_required"

    def again(self, record: Recorded) -> Again | None:
        """Decide what made `record`, without going further; `None` where no event explains it.

        What left no record before it is gone through.
        """
        for at, name, *facts in record.detail.get("events", ()):
            if name == _SIZE:
                self.run = replace(self.run, state_bytes=facts[0])
                continue
            again = self._decided(_EVENTS[name](*facts), time_of(at))
            if not again.decision.applied or again.decision.steps:
                return again
            self.go_on(again.decision)
        found = event_of(self.run, record)
        return None if found is None else self._decided(found, time_of(record.at))

    def _decided(self, event: Event, at: datetime) -> Again:
        return Again(event, at, decide(self.run, event, self.program, self.cells, at))

    def go_on(self, decision: Decision) -> None:
        """Stand after a decision."""
        self.run = decision.run
        for name, value in decision.writes.items():
            if value is GONE:
                self.cells.pop(name, None)
            else:
                self.cells[name] = value

    def take_in(self, again: Again) -> None:
        """Stand after what came in, before the program was asked about it."""
        held = replace(self.run, held=self.run.held or Held("fork", self.run.updated_at))
        decision = decide(held, again.event, self.program, self.cells, again.at)
        self.go_on(replace(decision, run=replace(decision.run, held=self.run.held)))


def event_of(run: Run, record: Recorded) -> Event | None:
    """The event that made a record of `run` that no note tells of, or `None`."""
    body = record.body
    if body["idempotency_key"] == _CANCELLED:
        return Cancel()
    if run.ready:
        return Advance()
    effect = body["effect"] or {}
    if effect.get("type") == "resume" and body["status"] == "completed":
        told = effect["payload"]
        return Answered(Key(told["wait_key"]), told["payload"], record.detail.get("by") or "")
    if body["status"] == "waiting":
        return _doubt(run, record)
    entry = run.open.get(body["idempotency_key"])
    if entry is None or body["status"] not in ("completed", "failed"):
        return None
    return Arrived(entry.key, _outcome_of(run, record), tuple(record.detail.get("attempts", ())))


def _outcome_of(run: Run, record: Recorded) -> Ok | Failed:
    """The outcome in a record; under a hold a cell has it in full."""
    kept = record.detail.get("writes", {}).get(f"{HELD}{run.version}")
    if kept is not None:
        return outcome_of(kept)
    body = record.body
    if body["status"] == "completed":
        return Ok(body["result"])
    code, _, detail = (body["error"] or "").partition(": ")
    return Failed(code, detail, result=body["result"])


def _doubt(run: Run, record: Recorded) -> Event | None:
    """The outcome that nobody knows, where the record opens the review of an effect."""
    details = ((record.body["result"] or {}).get("wait") or {}).get("details") or {}
    for entry in run.open.values():
        if isinstance(entry.what, Effect) and entry.step_id == record.body["step_id"]:
            unknown = Unknown(details.get("detail") or "")
            attempts = tuple(record.detail.get("attempts", ()))
            return Arrived(entry.key, unknown, attempts, details.get("dispatched_at"))
    return None


def is_event(told: Json) -> bool:
    """Whether a record may tell so of what left none before it; `told[0]` is a text, and when it was."""
    if not isinstance(told, list) or not all(isinstance(it, str) for it in told[:2]):
        return False
    kinds = _FACTS.get(told[1]) if len(told) > 1 else None
    return (
        kinds is not None
        and len(kinds) == len(told) - 2
        and all(isinstance(fact, kind) for fact, kind in zip(told[2:], kinds, strict=True))
    )


def _due(key: str) -> Due:
    return Due(Key(key))


_EVENTS: Final[Mapping[str, Callable[..., Event]]] = {
    "due": _due, "hold": Hold, "release": Release, "told": Told, "fault": Fault,
    "expired": Expired,
}  # fmt: skip
_FACTS: Final[Mapping[str, tuple[type, ...]]] = {
    "due": (str,), "hold": (str,), "release": (), "told": (object,), "fault": (str, str),
    "expired": (str,), _SIZE: (int,),
}  # fmt: skip
