"""Folds: pure moves leave one record, and a long fold decides the same in slices as at once."""

import pytest
from msgspec.structs import replace

from perdure.ids import Key
from perdure.kernel.decide import decide, decide_a_slice
from perdure.kernel.fold import Fold, limit_reached
from perdure.kernel.limits import SLICE, Limits
from perdure.kernel.model import GONE, Advance, Arrived, Cells, Decision, Event, Ok, Run, Status
from perdure.kernel.program import Done, Fail, Move
from tests.support.builders import a_birth, a_question, a_run, a_timer, an_effect
from tests.support.clock import START
from tests.support.ledger import assert_ledger
from tests.support.scripted import ScriptedProgram
from tests.support.simulation import Simulation

END = Move(end=Done("fine"))
LATER = START


def decided(run: Run, event: Event, move: Move = END, cells: Cells | None = None) -> Decision:
    """The decision where the program answers everything with `move`."""
    script = dict.fromkeys(("begin", "more", "told", "a", "q", "e", "t", "c"), move)
    return decide(run, event, ScriptedProgram(script), cells or {}, LATER)


@pytest.mark.parametrize("moves", [1, 2, 10])
def test_pure_moves_leave_one_record_with_their_net_writes_and_path(moves: int) -> None:
    pure = [
        Move(writes={"last": n, f"cell/{n}": n, f"cell/{n - 1}": GONE}, path=(f"n{n}",), more=True)
        for n in range(moves)
    ]
    act = Move(effects=(an_effect(),), path=("act",), writes={"acting": True})
    first, *more = [*pure, act]
    world = Simulation()
    run_id = world.start(ScriptedProgram({"begin": first, "more": more}), cells={"in": 1})
    (step,) = world.steps(run_id)
    assert step.path == (*(f"n{n}" for n in range(moves)), "act")
    assert step.writes is not None
    written = {name: value for name, value in step.writes.items() if not name.startswith("played/")}
    alive = {"last": moves - 1, "acting": True, f"cell/{moves - 1}": moves - 1}
    assert written == alive | {f"cell/{n}": GONE for n in range(-1, moves - 1)}
    assert world.run(run_id).node_id == "act"


def test_a_fold_of_several_requests_writes_with_the_first_record_that_it_leaves() -> None:
    both = Move(effects=(an_effect("a"), an_effect("b")), writes={"x": 1})
    decision = decided(a_run(ready=True), Advance(), both)
    assert_ledger(decision.steps, "started echo", "started echo")
    assert decision.steps[0].writes == {"x": 1, "played/begin": 1}
    assert decision.steps[1].writes is None
    assert [entry.key for entry in decision.effects] == [
        f"{decision.run.id}:1:0", f"{decision.run.id}:2:1",
    ]  # fmt: skip


def test_what_an_outcome_writes_rides_on_its_record_where_nothing_follows() -> None:
    run = a_run(an_effect("a"), an_effect("b"))
    decision = decided(run, Arrived(Key("k1"), Ok(1)), Move(writes={"x": 1}, path=("join",)))
    (step,) = decision.steps
    assert (step.status, step.writes, step.path) == ("completed", {"x": 1}, ("join",))


def test_what_an_outcome_and_its_fold_write_is_in_the_record_that_follows() -> None:
    decision = decided(
        a_run(an_effect("a")), Arrived(Key("k1"), Ok(1)), replace(END, writes={"x": 1})
    )
    outcome, completion, last = decision.steps
    assert (outcome.writes, completion.writes, last.writes) == (None, {"x": 1}, None)


def test_writes_that_no_record_takes_ride_along_to_the_next_record() -> None:
    world = Simulation()
    script = {
        "begin": Move(waits=(a_timer("t", START), a_timer("u", START), a_question("q"))),
        "t": Move(writes={"t": 1, "both": 1}),
        "u": Move(writes={"u": 2, "both": 2}),
        "q": Move(writes={"q": 3}, effects=(an_effect(),)),
    }
    run_id = world.start(ScriptedProgram(script))
    assert world.come_due(run_id, "t").steps == world.come_due(run_id, "u").steps == ()
    assert world.run(run_id).unrecorded == {"t": 1, "u": 2, "both": 2}
    world.answer(run_id, "q")
    assert world.run(run_id).unrecorded == {}
    assert world.steps(run_id)[-1].writes == {"t": 1, "u": 2, "both": 2, "q": 3}


@pytest.mark.parametrize("moves", [1, SLICE - 1, SLICE, SLICE + 1, 3 * SLICE])
def test_a_long_fold_pauses_after_every_slice_and_decides_the_same(moves: int) -> None:
    program = ScriptedProgram(
        {"begin": Move(more=True), "more": [*[Move(more=True)] * (moves - 1), END]}
    )
    run = a_run(ready=True)
    pauses, decision = driven(decide_a_slice(run, Advance(), program, {}, START))
    assert pauses == moves // SLICE
    assert decision == decide(run, Advance(), program, {}, START)


def driven(decided: Decision | Fold) -> tuple[int, Decision]:
    """How often a fold paused, and what it decided."""
    pauses = 0
    while isinstance(decided, Fold):
        decided = decided.on()
        pauses += 1
    return pauses, decided


def test_a_fold_that_writes_too_many_records_ends_between_two_slices() -> None:
    again = Move(withdraw=("a",), effects=(an_effect(),), more=True)
    program = ScriptedProgram({"begin": again, "more": [again] * 10 * SLICE})
    run = a_run(ready=True, birth=a_birth(limits=Limits(steps_max=SLICE)))
    decision = decide(run, Advance(), program, {}, START)
    assert decision.run.error == f"limit_reached: steps_max: more than {SLICE} records"
    assert (decision.run.status, decision.effects, decision.dropped) == (Status.FAILED, (), ())
    assert len(decision.steps) == SLICE + 2


def test_a_bound_says_its_name() -> None:
    assert limit_reached("open_max", "too many") == Fail("limit_reached", "open_max: too many")
