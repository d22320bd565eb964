"""What a move says beside what it asks for: notes, a child's own name and bounds, and words to relatives and itself."""

from datetime import timedelta

from msgspec.structs import replace

from perdure.clock import text_of
from perdure.ids import derived_id
from perdure.kernel.decide import decide
from perdure.kernel.limits import Limits
from perdure.kernel.model import Advance, Due, Event, Hold, Note, Release, Status
from perdure.kernel.program import Done, Moment, Move, View
from tests.support.branches import Branches, Sleep
from tests.support.builders import a_run, a_start, a_timer
from tests.support.clock import START
from tests.support.ledger import assert_ledger, rebuilt
from tests.support.scripted import ScriptedProgram
from tests.support.simulation import Simulation

LATER = START + timedelta(hours=1)
TIMER = a_timer("t", LATER)
NOTE = Note("n", "occurrence", {"why": "late"})


def test_a_note_is_a_record_of_its_own_before_what_is_begun() -> None:
    world = Simulation({"child": Branches(())})
    begin = Move(notes=(NOTE, replace(NOTE, payload=2)), waits=(TIMER,), writes={"var/a": 1})
    root = world.start(ScriptedProgram({"begin": begin}))
    steps = world.steps(root)
    assert_ledger(steps, "completed occurrence", "completed occurrence", "waiting wait_until")
    assert [step.effect["payload"] for step in steps[:2]] == [{"why": "late"}, 2]
    assert rebuilt({}, steps) == world.cells(root)


def test_a_decision_of_notes_alone_keeps_its_writes_with_the_last() -> None:
    world = Simulation()
    begun = Move(waits=(TIMER,))
    script = {"begin": begun, "t due": Move(notes=(NOTE,), writes={"var/a": 1}, waits=(TIMER,))}
    root = world.start(ScriptedProgram(script))
    world.come_due(root, "t")
    assert rebuilt({}, world.steps(root)) == world.cells(root)
    assert world.cells(root)["var/a"] == 1


def test_a_child_with_a_name_of_its_own_is_the_same_child_wherever_it_is_written() -> None:
    named = a_start("c", identity="2026-03-01", limits=Limits(steps_max=7))
    runs = [a_run(ready=True), a_run(ready=True, seq=5, version=9)]
    births = [
        decide(run, Advance(), ScriptedProgram({"begin": Move(starts=(named,))}), {}, START).births
        for run in runs
    ]
    assert {birth.run.id for (birth,) in births} == {derived_id(runs[0].id, "2026-03-01")}
    assert births[0][0].run.birth.limits.steps_max == 7


def test_a_child_that_is_to_end_is_still_heard_of() -> None:
    world = Simulation({"child": Branches((Sleep(60.0),))})
    begin = Move(starts=(a_start("c"), a_start("d")), waits=(TIMER,))
    script = {"begin": begin, "t due": Move(cancel=("c",)), "c": Move(), "d": Move(end=Done(1))}
    root = world.start(ScriptedProgram(script))
    first, second = world.children(root)
    world.settle()
    world.come_due(root, "t")
    assert {entry.what.tag for entry in world.waits(root).values()} == {"c", "d"}
    world.settle()
    assert (world.status(first), world.status(second)) == (Status.CANCELLED, Status.WAITING)
    assert {entry.what.tag for entry in world.waits(root).values()} == {"d"}


def test_a_run_may_ask_to_be_held() -> None:
    world = Simulation()
    root = world.start(ScriptedProgram({"begin": Move(waits=(TIMER,), hold="enough")}))
    assert world.run(root).held is None
    world.settle()
    held = world.run(root).held
    assert held is not None
    assert held.reason == "enough"


class Sleeper:
    """Remembers the hold that each moment told of."""

    def __init__(self) -> None:
        self.told: list[str | None] = []

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        self.told.append(None if moment.held is None else moment.held.at)
        return Move(end=Done(1)) if isinstance(event, Due) else Move(waits=(TIMER,))


def test_what_came_due_in_a_hold_is_told_with_the_hold_that_ends() -> None:
    world, sleeper = Simulation(), Sleeper()
    root = world.start(sleeper)
    world.clock.advance(60)
    world.deliver(root, Hold("lunch"))
    since = text_of(world.clock.now())
    world.clock.set(LATER)
    world.deliver(root, Release())
    assert since in sleeper.told
    assert set(sleeper.told) == {None, since}
