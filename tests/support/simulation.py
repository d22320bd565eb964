"""A world in which time, effects and people are the test's, and every change is a decision.

It keeps what a store would keep (runs, cells, records, outbox, waits, inbox) and changes it in
one way only: `decide`, and then the decision written down as it stands. Every commit is held to
the laws of `tests/support/laws.py`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from perdure.clock import text_of
from perdure.ids import Key, RunId
from perdure.kernel.decide import decide
from perdure.kernel.draft import born
from perdure.kernel.model import (
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
    Hold,
    Ok,
    Open,
    Outcome,
    Release,
    Run,
    Send,
    Status,
    Step,
    Wait,
)
from perdure.kernel.program import Program
from perdure.kernel.values import Json
from tests.support.builders import a_birth
from tests.support.clock import FakeClock
from tests.support.laws import check_birth, check_commit, check_repetition
from tests.support.ledger import apply
from tests.support.life import Life, Watched


class Simulation:
    """Runs that live by decisions alone."""

    def __init__(self, programs: Mapping[str, Program] | None = None) -> None:
        """Know the `programs` that children may name."""
        self.clock = FakeClock()
        self.programs = dict(programs or {})
        self.lives: dict[RunId, Life] = {}
        self.inbox: list[Send] = []
        self.sent: set[str] = set()  # ids of messages
        self.taken: set[str] = set()

    # --- the beginning -----------------------------------------------------------------------

    def start(
        self, program: Program, *, name: str = "run", cells: Cells | None = None,
        begin: bool = True, **changes: Any,
    ) -> RunId:  # fmt: skip
        """Give birth to a run, and begin it unless told not to; `changes` are of its birth."""
        birth = a_birth(name, **changes)
        self._be_born(birth, cells or {}, program)
        if begin:
            self.deliver(birth.id, Advance())
        return birth.id

    def _be_born(self, birth: Birth, cells: Cells, program: Program) -> None:
        decision = born(birth, cells)
        check_birth(decision)
        self.lives[birth.id] = Life(decision.run, Watched(program), dict(cells), dict(cells))

    def begin_children(self) -> None:
        """Begin every run that was born, is not held, and has not begun."""
        for run_id in self._unbegun():
            self.deliver(run_id, Advance())

    def _unbegun(self) -> list[RunId]:
        runs = [life.run for life in self.lives.values()]
        return [run.id for run in runs if run.ready and run.held is None]

    # --- events ------------------------------------------------------------------------------

    def deliver(self, run_id: RunId, event: Event) -> Decision:
        """Decide what `event` makes of the run, commit it, and deliver it once more in vain."""
        life = self.lives[run_id]
        before, shown = life.run, repr((life.run, life.cells))
        asked = life.program.asked
        decision = decide(before, event, life.program, life.cells, self.clock.now())
        asked = life.program.asked - asked
        again = decide(before, event, life.program, life.cells, self.clock.now())
        assert again == decision, "the same run, event, cells and time make the same decision"
        assert repr((life.run, life.cells)) == shown, "deciding changes nothing"
        life.history.append(event)
        if decision.applied:
            self._commit(life, event, decision)
        check_commit(life, before, event, decision, asked)
        check_repetition(life, before, event, self.clock.now())
        return decision

    def _commit(self, life: Life, event: Event, decision: Decision) -> None:
        apply(life.cells, decision.writes)
        life.run = decision.run
        life.steps.extend(decision.steps)
        for key in (*decision.arrived, *decision.dropped):
            del life.outbox[key]
            life.in_review.discard(key)
        life.outbox.update({entry.key: entry for entry in decision.effects})
        life.in_review.update(decision.doubted)
        life.in_review.difference_update(decision.redo)
        for entry in decision.closed:
            del life.waits[entry.key, entry.seq]
        life.waits.update({(entry.key, entry.seq): entry for entry in decision.opened})
        life.known.update({entry.what.tag: entry for entry in decision.run.open.values()})
        assert not self.sent.intersection(send.id for send in decision.sends), "no id is used twice"
        self.sent.update(send.id for send in decision.sends)
        self.inbox.extend(decision.sends)
        for birth in decision.births:
            self._be_born(
                birth.run.birth, birth.writes, self.programs[birth.run.birth.program.name]
            )

    def arrive(self, run_id: RunId, tag: str, outcome: Outcome | None = None) -> Decision:
        """An effect (or child) that the program calls `tag` comes to an outcome: its tag, if none is given."""
        entry = self.lives[run_id].open_as(tag)
        return self.deliver(run_id, Arrived(entry.key, Ok(tag) if outcome is None else outcome))

    def answer(self, run_id: RunId, tag: str, payload: Json = None, *, by: str = "") -> Decision:
        """Somebody answers the wait that the program calls `tag`."""
        entry = self.lives[run_id].open_as(tag)
        answer = {"response": tag} if payload is None else payload
        return self.deliver(run_id, Answered(entry.key, answer, by, entry.seq))

    def come_due(self, run_id: RunId, tag: str) -> Decision:
        """The time of the wait `tag` has come; the clock is moved there if it is not."""
        entry = self.lives[run_id].open_as(tag)
        self.reach(run_id, tag)
        return self.deliver(run_id, Due(entry.key, entry.seq))

    def reach(self, run_id: RunId, tag: str) -> None:
        """Move the clock to the time of the wait `tag`, and wake nobody."""
        what = self.lives[run_id].open_as(tag).what
        assert isinstance(what, Wait)
        assert what.until is not None
        self.clock.set(max(self.clock.now(), what.until))

    def expire(self) -> None:
        """Tell every run whose deadline has come, as a look at the store finds them."""
        now = text_of(self.clock.now())
        for life in tuple(self.lives.values()):
            deadline = life.run.birth.deadline
            if deadline is not None and deadline.at <= now and life.run.status not in TERMINAL:
                self.deliver(life.run.id, Expired(deadline.at))

    # --- messages between runs ---------------------------------------------------------------

    def settle(self, *, begin: bool = True) -> None:
        """Hand every message over, each once, and begin what can begin, until nothing moves."""
        while self.inbox or (begin and self._unbegun()):
            if self.inbox:
                self.hand_over(self.inbox.pop(0))
            else:
                self.begin_children()

    def hand_over(self, message: Send) -> None:
        """Deliver one message, unless it was taken before."""
        if message.id in self.taken:
            return
        self.taken.add(message.id)
        self.deliver(message.to, event_of(message))

    # --- what there is to see ----------------------------------------------------------------

    def run(self, run_id: RunId) -> Run:
        """The run as last committed."""
        return self.lives[run_id].run

    def status(self, run_id: RunId) -> Status:
        """Where the run stands."""
        return self.lives[run_id].run.status

    def steps(self, run_id: RunId) -> list[Step]:
        """The run's ledger."""
        return self.lives[run_id].steps

    def cells(self, run_id: RunId) -> Mapping[str, Json]:
        """The run's cells."""
        return self.lives[run_id].cells

    def children(self, run_id: RunId) -> list[RunId]:
        """The run's children, oldest first."""
        return [child for child, life in self.lives.items() if life.run.birth.parent_id == run_id]

    def effects(self, run_id: RunId) -> dict[str, Open]:
        """The effects under way and not in review, by the program's name for them."""
        life = self.lives[run_id]
        return {
            entry.what.tag: entry for key, entry in life.outbox.items() if key not in life.in_review
        }

    def waits(self, run_id: RunId) -> dict[Key, Open]:
        """The open waits, by key."""
        return {entry.key: entry for entry in self.lives[run_id].waits.values()}

    def due(self, run_id: RunId) -> list[Open]:
        """The waits whose time has come."""
        return [entry for entry in self.waits(run_id).values() if is_due(entry, self.clock.now())]


def is_due(entry: Open, now: datetime) -> bool:
    """Whether the time of what is open has come."""
    until = None if isinstance(entry.what, Effect) else entry.what.until
    return until is not None and until <= now


def event_of(message: Send) -> Event:
    """What a message from another run is to the run that gets it."""
    match message.kind:
        case "child":
            assert message.key is not None
            body = message.body
            if body["status"] == Status.COMPLETED.value:
                return Arrived(message.key, Ok(body["output"]))
            return Arrived(message.key, Failed("child_" + body["status"], body["error"] or ""))
        case "cancel":
            return Cancel(message.body["reason"])
        case "hold":
            return Hold(message.body["reason"])
        case "release":
            return Release()
        case _:
            raise AssertionError(f"no run sends {message.kind!r}")
