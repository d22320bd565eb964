"""Holds: what arrives is recorded, the program is asked nothing until the release, nothing is lost."""

from datetime import timedelta

import pytest

from perdure.kernel.decide import HELD
from perdure.kernel.model import (
    Advance,
    Answered,
    Arrived,
    Due,
    Event,
    Failed,
    Hold,
    Ok,
    Release,
    Status,
    Told,
)
from perdure.kernel.program import Done, Moment, Move, View
from tests.support.branches import Branches, Call, Do, Sleep
from tests.support.builders import a_listener, a_question, a_timer, an_effect
from tests.support.clock import START
from tests.support.ledger import assert_ledger
from tests.support.scripted import ScriptedProgram
from tests.support.simulation import Simulation

LATER = START + timedelta(minutes=1)


class Diary:
    """A program that asks for one of each, and writes down what it sees."""

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Keep the event in the cell `saw`."""
        if isinstance(event, Advance):
            waits = (a_question("q"), a_timer("t", LATER))
            return Move(effects=(an_effect("a"), an_effect("b")), waits=waits)
        return Move(writes={"saw": [*cells.get("saw", []), event]})


def test_a_hold_says_why_and_since_when() -> None:
    world = Simulation()
    run_id = world.start(Branches((Do(),)))
    decision = world.deliver(run_id, Hold("lunch"))
    assert decision.steps == ()
    held = world.run(run_id).held
    assert held is not None
    assert (held.reason, held.at) == ("lunch", decision.run.updated_at)
    assert world.deliver(run_id, Hold("again")).disposition == "ignored: the run is held already"
    assert world.deliver(run_id, Release()).applied
    assert world.run(run_id).held is None
    assert world.deliver(run_id, Release()).disposition == "ignored: the run is not held"


def test_what_comes_during_a_hold_is_recorded_at_once_and_asked_about_at_the_release() -> None:
    world = Simulation()
    run_id = world.start(Diary())
    life = world.lives[run_id]
    keys = {tag: life.open_as(tag).key for tag in "abqt"}
    world.deliver(run_id, Hold())
    world.arrive(run_id, "b", Failed("no", "way", result={"half": 1}))
    world.deliver(run_id, Told({"x": 1}))
    world.answer(run_id, "q", {"response": "r"}, by="ann")
    world.arrive(run_id, "a", Ok("fine"))
    assert_ledger(life.steps[4:], "failed echo", "resume", "completed echo")
    assert "saw" not in life.cells
    assert world.come_due(run_id, "t").disposition == "ignored: the run is held"
    world.deliver(run_id, Release())
    assert life.cells["saw"] == [
        Arrived(keys["b"], Failed("no", "way", result={"half": 1}), tag="b"),
        Told({"x": 1}),
        Answered(keys["q"], {"response": "r"}, "ann", tag="q"),
        Arrived(keys["a"], Ok("fine"), tag="a"),
        Due(keys["t"], tag="t"),
    ]
    assert not [name for name in life.cells if name.startswith(HELD)]


def test_a_hold_keeps_more_than_nine_things_in_their_order() -> None:
    world = Simulation()
    run_id = world.start(Diary())
    world.deliver(run_id, Hold())
    for number in range(25):
        world.deliver(run_id, Told(number))
    world.deliver(run_id, Release())
    assert world.cells(run_id)["saw"] == [Told(number) for number in range(25)]


def test_a_run_that_is_held_before_it_begins_begins_after_the_release() -> None:
    world = Simulation()
    run_id = world.start(Branches((Do(),)), begin=False)
    assert world.deliver(run_id, Hold()).applied
    assert world.deliver(run_id, Advance()).disposition == "ignored: there is nothing to begin"
    world.deliver(run_id, Told("early"))
    assert world.deliver(run_id, Release()).applied
    assert world.run(run_id).ready
    assert world.lives[run_id].program.asked == 0
    assert world.deliver(run_id, Advance()).applied
    assert world.cells(run_id)["told"] == 1
    assert list(world.effects(run_id)) == ["0.0"]


def test_a_release_of_what_nothing_came_to_asks_nothing() -> None:
    world = Simulation()
    run_id = world.start(Branches((Do(),), (Sleep(60),)))
    asked = world.lives[run_id].program.asked
    world.deliver(run_id, Hold())
    world.deliver(run_id, Release())
    assert world.lives[run_id].program.asked == asked
    assert world.come_due(run_id, "1.0").applied


def test_times_that_passed_during_a_hold_come_due_at_the_release_and_later_ones_later() -> None:
    world = Simulation()
    run_id = world.start(Branches((Sleep(10),), (Sleep(20),), (Sleep(30),)))
    world.deliver(run_id, Hold())
    world.clock.advance(20)
    world.deliver(run_id, Release())
    cells = world.cells(run_id)
    assert (cells["out/0.0"], cells["out/1.0"]) == ("due", "due")
    assert "out/2.0" not in cells
    world.come_due(run_id, "2.0")
    assert world.status(run_id) is Status.COMPLETED


def test_a_time_that_an_answer_withdraws_at_the_release_does_not_come_due() -> None:
    world = Simulation()
    script = {
        "begin": Move(waits=(a_timer("t", LATER), a_timer("u", LATER), a_question("q"))),
        "t": Move(withdraw=("u",), writes={"t": True}),
        "u": Move(writes={"u": True}),
    }
    run_id = world.start(ScriptedProgram(script))
    world.deliver(run_id, Hold())
    world.reach(run_id, "t")
    world.deliver(run_id, Release())
    assert "t" in world.cells(run_id)
    assert "u" not in world.cells(run_id)


def test_a_run_may_end_at_the_release_whatever_else_was_kept() -> None:
    world = Simulation()
    script = {"begin": Move(effects=(an_effect("a"), an_effect("b"))), "a": Move(end=Done("first"))}
    run_id = world.start(ScriptedProgram(script))
    world.deliver(run_id, Hold())
    world.arrive(run_id, "a")
    world.arrive(run_id, "b")
    world.deliver(run_id, Release())
    assert world.run(run_id).output == "first"


@pytest.mark.parametrize("waits", [(), (a_listener("e"),)])
def test_a_held_run_with_something_kept_is_waiting_only_where_a_wait_is_open(
    waits: tuple[()],
) -> None:
    world = Simulation()
    run_id = world.start(ScriptedProgram({"begin": Move(effects=(an_effect("a"),), waits=waits)}))
    world.deliver(run_id, Hold())
    world.arrive(run_id, "a")
    assert (world.status(run_id) is Status.WAITING) is bool(waits)


def test_a_hold_and_its_release_reach_the_whole_tree() -> None:
    world = Simulation({"child": Branches((Call("grandchild"),)), "grandchild": Branches((Do(),))})
    root = world.start(Branches((Call(),), (Do(),)))
    world.settle()
    world.deliver(root, Hold("lunch"))
    world.settle()
    assert {life.run.held.reason if life.run.held else None for life in world.lives.values()} == {
        "lunch"
    }
    deepest = list(world.lives)[-1]
    world.arrive(deepest, "0.0")
    assert world.status(deepest) is Status.RUNNING
    world.deliver(root, Release())
    world.settle()
    assert not [life for life in world.lives.values() if life.run.held]
    world.arrive(root, "1.0")
    world.settle()
    assert world.status(root) is Status.COMPLETED


def test_a_child_that_ends_during_a_hold_is_heard_of_at_the_release() -> None:
    world = Simulation({"child": Branches((Do(),))})
    root = world.start(Branches((Call(),)))
    world.settle()
    (child,) = world.children(root)
    world.deliver(root, Hold())
    world.arrive(child, "0.0")
    assert world.status(child) is Status.COMPLETED
    world.settle()
    assert world.status(root) is Status.RUNNING
    world.deliver(root, Release())
    assert world.status(root) is Status.COMPLETED


def test_a_second_hold_is_another_message_than_the_first() -> None:
    world = Simulation({"child": Branches((Do(),))})
    root = world.start(Branches((Call(),)))
    world.settle()
    (child,) = world.children(root)
    for _ in range(2):
        world.deliver(root, Hold())
        world.settle()
        assert world.run(child).held is not None
        world.deliver(root, Release())
        world.settle()
        assert world.run(child).held is None
