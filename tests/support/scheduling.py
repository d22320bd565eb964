"""A schedule driven by decisions alone: time and the ends of its occurrences are the test's."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from perdure.clock import text_of
from perdure.features.schedules.program import schedule_program
from perdure.features.schedules.spec import Asked, Overlap, Target, spec_of
from perdure.ids import RunId
from perdure.kernel.model import (
    TERMINAL,
    Due,
    Effect,
    Held,
    Hold,
    ProgramRef,
    Release,
    Status,
    Told,
    Wait,
)
from perdure.kernel.program import Done, Fail, Move, Program
from perdure.kernel.values import Json
from perdure.services.schedules import OCCURRENCE, SPEC
from tests.support.builders import a_question, an_effect
from tests.support.clock import START
from tests.support.scripted import ScriptedProgram
from tests.support.simulation import Simulation

TARGET: Final = Target("bundle@1.0.0:flow", "bundle@1.0.0", "flow")
ENDS: Final = {"work ok": Move(end=Done({"did": 1})), "work failed": Move(end=Fail("bad", "no"))}
RUNNING: Final = ScriptedProgram({"begin": Move(effects=(an_effect("work"),)), **ENDS})
ASKING: Final = ScriptedProgram({"begin": Move(waits=(a_question("q"),)), "q": Move(end=Done(1))})
FAILING: Final = ScriptedProgram({"begin": Move(end=Fail("bad", "no"))})
SUCCEEDING: Final = ScriptedProgram({"begin": Move(end=Done({"did": 1}))})


def a_spec(now: datetime = START, **asked: Any) -> dict[str, Json]:
    """The terms of a schedule."""
    asked = {**asked, "overlap": Overlap(asked.get("overlap", "skip"))}
    return spec_of(Asked(**asked), TARGET, now)


class Scheduled:
    """One schedule, begun, and its occurrences."""

    def __init__(
        self, occurrence: Program = SUCCEEDING, at: datetime = START, **asked: Any
    ) -> None:
        """Have every occurrence run the same program."""
        self.world = Simulation({"flow": occurrence})
        self.world.clock.set(at)
        cells = {SPEC: a_spec(at, **asked), "in/prompt": "hello"}
        program = schedule_program(ProgramRef("schedule", None, "flow"), None)
        self.id = self.world.start(program, cells=cells, begin=False)
        life = self.world.lives[self.id]  # born when the clock says it, as a store would have it
        birth = replace(life.run.birth, created_at=text_of(at))
        life.run = replace(life.run, birth=birth)
        self.world.settle()

    @property
    def now(self) -> datetime:
        """The time."""
        return self.world.clock.now()

    def until(self, at: datetime) -> "Scheduled":
        """Let the time pass with a runner at work: each timer fires when it is due."""
        while (timer := self._timer(at)) is not None and not self.held:
            self.world.clock.set(max(self.now, timer))
            self.wake()
        self.world.clock.set(at)
        return self

    def _timer(self, at: datetime) -> datetime | None:
        times = [
            entry.what.until
            for entry in self.world.waits(self.id).values()
            if isinstance(entry.what, Wait) and entry.what.until is not None
        ]
        return min((it for it in times if it <= at), default=None)

    def sleep(self, at: datetime) -> "Scheduled":
        """Let the time pass with nobody at work, and wake then."""
        self.world.clock.set(at)
        return self.wake()

    def wake(self) -> "Scheduled":
        """Deliver what is due, and all that comes of it."""
        for entry in self.world.due(self.id):
            self.world.deliver(self.id, Due(entry.key, entry.seq))
        self.world.settle()
        return self

    def tell(self, message: Json) -> "Scheduled":
        """A word that a command brings."""
        self.world.deliver(self.id, Told(message))
        self.world.settle()
        return self

    def pause(self, why: str = "lunch") -> "Scheduled":
        """Hold the schedule and what it runs."""
        self.world.deliver(self.id, Hold(why))
        self.world.settle()
        return self

    def resume(self) -> "Scheduled":
        """End the hold."""
        self.world.deliver(self.id, Release())
        self.world.settle()
        return self

    @property
    def runs(self) -> list[RunId]:
        """The occurrences that were started."""
        return self.world.children(self.id)

    @property
    def going(self) -> list[RunId]:
        """Those that have not ended."""
        return [it for it in self.runs if self.world.status(it) not in TERMINAL]

    def end(self, index: int = 0) -> "Scheduled":
        """Let one of those that go end well."""
        run_id = self.going[index]
        (entry,) = self.world.run(run_id).open.values()
        if isinstance(entry.what, Effect):
            self.world.arrive(run_id, "work")
        else:
            self.world.answer(run_id, "q")
        self.world.settle()
        return self

    @property
    def held(self) -> Held | None:
        """The hold of the schedule."""
        return self.world.run(self.id).held

    @property
    def status(self) -> Status:
        """Where the schedule stands."""
        return self.world.status(self.id)

    def occurrences(self) -> list[dict[str, Any]]:
        """What the ledger says of planned times, in its order; a row of several stands once."""
        found = []
        for step in self.world.steps(self.id):
            effect = step.effect or {}
            if step.status == "started" or effect.get("type") == OCCURRENCE:
                found.append(effect["payload"]["occurrence"])
        return found

    def outcomes(self) -> Counter[str]:
        """How many there are of each outcome; a row counts for all that it stands for."""
        counted: Counter[str] = Counter()
        for it in self.occurrences():
            counted[it["outcome"]] += it.get("count", 1)
        return counted

    def whys(self) -> list[str]:
        """Why planned times were passed over."""
        return [it["why"] for it in self.occurrences() if it["outcome"] == "skipped"]


def every(start: datetime, step: timedelta, count: int) -> list[str]:
    """Times in even steps, as cells hold them."""
    return [text_of(start + step * it) for it in range(count)]
