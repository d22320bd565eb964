"""What each event makes of a run: keys close once, programs are asked, folds leave one record."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from perdure.ids import Key
from perdure.kernel.decide import decide, ignored, misfit
from perdure.kernel.model import (
    Advance,
    Answered,
    Arrived,
    Cells,
    Decision,
    Due,
    Event,
    Failed,
    Fault,
    Hold,
    Ok,
    Release,
    Run,
    Status,
    Told,
    Unknown,
)
from perdure.kernel.program import Done, Fail, Moment, Move, View
from tests.support.builders import a_listener, a_question, a_run, a_start, a_timer, an_effect
from tests.support.clock import START
from tests.support.ledger import assert_ledger
from tests.support.scripted import ScriptedProgram
from tests.support.simulation import Simulation

END = Move(end=Done("fine"))
LATER = START + timedelta(minutes=1)


class Listener:
    """A program that waits on, and tells what it saw."""

    def __init__(self) -> None:
        self.saw: list[Event] = []

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        self.saw.append(event)
        return Move()


def decided(run: Run, event: Event, move: Move = END, cells: Cells | None = None) -> Decision:
    """The decision where the program answers everything with `move`."""
    script = dict.fromkeys(("begin", "more", "told", "a", "q", "e", "t", "c"), move)
    return decide(run, event, ScriptedProgram(script), cells or {}, LATER)


# --- the beginning and the end ---------------------------------------------------------------


def test_a_run_begins_once() -> None:
    world = Simulation()
    run_id = world.start(ScriptedProgram({"begin": Move(effects=(an_effect(),))}), begin=False)
    assert world.deliver(run_id, Advance()).applied
    assert world.deliver(run_id, Advance()).disposition == "ignored: there is nothing to begin"
    assert_ledger(world.steps(run_id), "started echo")


def test_a_good_end_leaves_the_completion_and_then_the_last_record() -> None:
    world = Simulation()
    run_id = world.start(ScriptedProgram({"begin": Move(path=("n",), end=Done({"a": 1}))}))
    completion, last = world.steps(run_id)
    assert (completion.effect, completion.status, completion.node_id) == (None, "completed", "n")
    assert completion.result == {"completed": True, "output": {"a": 1}}
    assert last.idempotency_key == "system:terminal_status:completed"
    assert last.effect["payload"]["payload"] == last.result["payload"] == {"text": "completed"}
    assert (world.run(run_id).output, world.run(run_id).error) == ({"a": 1}, None)


def test_a_good_end_says_what_went_wrong_on_the_way() -> None:
    world = Simulation()
    end = Done({"success": False}, mishap=("n", "it did not work"))
    run_id = world.start(ScriptedProgram({"begin": Move(path=("m",), end=end)}))
    assert_ledger(world.steps(run_id), "error", "end", "ended completed")
    mishap, completion, _ = world.steps(run_id)
    assert (mishap.node_id, mishap.status, mishap.error) == ("n", "failed", "it did not work")
    assert (completion.node_id, world.run(run_id).error) == ("m", None)


def test_a_bad_end_says_why() -> None:
    world = Simulation()
    run_id = world.start(ScriptedProgram({"begin": Move(end=Fail("no_luck", "none at all"))}))
    assert_ledger(world.steps(run_id), "error", "ended failed")
    assert world.steps(run_id)[0].error == world.run(run_id).error == "no_luck: none at all"


@pytest.mark.parametrize(
    ("code", "records"),
    [
        ("refused", ["failed echo", "ended failed"]),
        ("other", ["failed echo", "error", "ended failed"]),
    ],
)
def test_a_failed_effect_that_ends_the_run_is_the_record_of_why(
    code: str, records: list[str]
) -> None:
    world = Simulation()
    run_id = world.start(
        ScriptedProgram({"begin": Move(effects=(an_effect(),)), "a failed": Move(end=Fail(code))})
    )
    world.arrive(run_id, "a", Failed("refused", "not today"))
    assert_ledger(world.steps(run_id), "started echo", *records)
    assert world.steps(run_id)[1].error == "refused: not today"


def test_a_program_that_asks_for_nothing_and_waits_for_nothing_fails() -> None:
    world = Simulation()
    run_id = world.start(ScriptedProgram({}))
    assert world.run(run_id).error is not None
    assert str(world.run(run_id).error).startswith("program_stuck: ")


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("begin", [False, True])
def test_a_fault_ends_the_run_whatever_it_was_about(held: bool, begin: bool) -> None:
    world = Simulation()
    script = ScriptedProgram({"begin": Move(effects=(an_effect(),), waits=(a_question(),))})
    run_id = world.start(script, begin=begin)
    if held:
        world.deliver(run_id, Hold())
    world.deliver(run_id, Fault("program_bug", "KeyError"))
    assert world.status(run_id) is Status.FAILED
    assert world.run(run_id).error == "program_bug: KeyError"


# --- what closes a key -----------------------------------------------------------------------

ASKED = a_run(
    an_effect("a"), a_question("q", key="ask"), a_listener("e", key="evt"), a_timer("t", LATER)
)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (Arrived(Key("none"), Ok(1)), "its key is not open"),
        (Arrived(Key("ask"), Ok(1)), "its key is a wait"),
        (Answered(Key("none"), {}), "the run does not wait for this"),
        (Answered(Key("k1"), {}), "the run does not wait for this"),
        (Answered(Key("ask"), {}, opened_seq=1), "the wait was answered before"),
        (Answered(Key("ask"), "yes"), "an answer is an object"),
        (Due(Key("none")), "its key is not open"),
        (Due(Key("k1")), "its key is not open"),
        (Due(Key("ask")), "its key is not open"),
        (Due(Key("k4"), 1), "the wait came due before"),
        (Release(), "the run is not held"),
        (Advance(), "there is nothing to begin"),
    ],
)
def test_what_is_not_open_changes_nothing_and_says_so(event: Event, why: str) -> None:
    decision = decided(ASKED, event)
    assert decision == ignored(ASKED, why)
    assert (decision.run, decision.disposition) == (ASKED, f"ignored: {why}")


def test_a_time_that_has_not_come_is_not_due() -> None:
    early = decide(ASKED, Due(Key("k4")), Listener(), {}, LATER - timedelta(microseconds=1))
    assert early == ignored(ASKED, "it is not due yet")
    assert decide(ASKED, Due(Key("k4")), Listener(), {}, LATER).applied


@pytest.mark.parametrize(
    ("event", "seen"),
    [
        (Arrived(Key("k1"), Ok(1, {"cost": 2.0}), ({"n": 1},), "t0"), Arrived(Key("k1"), Ok(1, {"cost": 2.0}), tag="a")),
        (Arrived(Key("k1"), Failed("no")), Arrived(Key("k1"), Failed("no"), tag="a")),
        (Arrived(Key("k1"), Unknown("cut")), Arrived(Key("k1"), Failed("unknown_outcome", "cut"), tag="a")),
        (Answered(Key("ask"), {"x": 1}, "ann", 2), Answered(Key("ask"), {"x": 1}, "ann", tag="q")),
        (Answered(Key("evt"), {"x": 1}), Answered(Key("evt"), {"x": 1}, tag="e")),
        (Due(Key("k4"), 4), Due(Key("k4"), tag="t")),
        (Told({"x": 1}), Told({"x": 1})),
    ],
)  # fmt: skip
def test_the_program_sees_the_event_with_its_own_tag(event: Event, seen: Event) -> None:
    program = Listener()
    decision = decide(ASKED, event, program, {}, LATER)
    assert program.saw == [seen]
    closed = {key for key in ASKED.open if key not in decision.run.open}
    assert closed == ({getattr(event, "key", None)} - {None})


def test_an_outcome_is_recorded_whole() -> None:
    run = a_run(an_effect("a", result_key="answer"))
    attempts = ({"error": "timeout"}, {"error": None})
    decision = decided(
        run, Arrived(Key("k1"), Ok({"y": 2}), attempts), Move(effects=(an_effect("b"),))
    )
    step = decision.steps[0]
    assert (step.status, step.result, step.error) == ("completed", {"y": 2}, None)
    assert (step.attempt, step.attempts, step.effect_class) == (2, attempts, "read")
    assert step.effect == {"type": "echo", "payload": {"say": "a"}, "result_key": "answer"}
    assert (step.step_id, step.idempotency_key) == (run.open[Key("k1")].step_id, "k1")
    assert decision.arrived == ("k1",)


def test_an_answer_is_recorded_with_who_gave_it() -> None:
    decision = decided(ASKED, Answered(Key("ask"), {"response": "yes"}, "ann"), Move())
    (step,) = decision.steps
    assert (decision.decided_by, step.by) == ("ann", "ann")
    assert step.result == {"resumed": True}
    assert step.effect["payload"] == {
        "wait_reason": "user", "wait_key": "ask", "resume_to_node": "node-q", "result_key": "q",
        "payload": {"response": "yes"},
    }  # fmt: skip
    assert decided(ASKED, Answered(Key("ask"), {}), Move()).decided_by is None


def test_an_answer_to_an_earlier_opening_of_a_key_is_ignored() -> None:
    world = Simulation()
    ask = Move(waits=(a_question("q", key="again"),))
    run_id = world.start(ScriptedProgram({"begin": ask, "q": [ask, END]}))
    first = world.run(run_id).open[Key("again")].seq
    assert world.deliver(run_id, Answered(Key("again"), {"n": 1}, opened_seq=first)).applied
    assert world.run(run_id).open[Key("again")].seq != first
    assert not world.deliver(run_id, Answered(Key("again"), {"n": 1}, opened_seq=first)).applied
    assert world.answer(run_id, "q").applied
    assert world.status(run_id) is Status.COMPLETED


def test_a_time_of_an_earlier_opening_of_a_key_is_ignored() -> None:
    world = Simulation()
    nap = Move(waits=(a_timer("t", START, key="nap"),))
    run_id = world.start(ScriptedProgram({"begin": nap, "t": [nap, END]}))
    first = world.run(run_id).open[Key("nap")].seq
    assert world.deliver(run_id, Due(Key("nap"), first)).applied
    assert not world.deliver(run_id, Due(Key("nap"), first)).applied
    assert world.status(run_id) is Status.WAITING


CHOICES = a_question("q", choices=("yes", "no"), allow_free_text=False)


@pytest.mark.parametrize(
    ("changes", "payload", "fault"),
    [
        ({}, {"response": "yes"}, None),
        ({}, {"response": "maybe"}, "the response is none of the choices: yes, no"),
        ({}, {"response": "Yes"}, "the response is none of the choices: yes, no"),
        ({}, {"response": True}, "the response is none of the choices: yes, no"),
        ({}, {"response": ["yes"]}, "the response is none of the choices: yes, no"),
        ({}, {}, "the response is none of the choices: yes, no"),
        ({"allow_free_text": True}, {"response": "maybe"}, None),
        ({"choices": None}, {"response": "maybe"}, None),
        ({}, ["yes"], "an answer is an object"),
        ({}, None, "an answer is an object"),
    ],
)
def test_choices_are_enforced(changes: dict[str, Any], payload: Any, fault: str | None) -> None:
    assert misfit(replace(CHOICES, **changes), payload) == fault
    run = a_run(replace(CHOICES, key="q", **changes))
    decision = decided(run, Answered(Key("q"), payload))
    assert decision.applied is (fault is None)


def test_an_event_may_carry_any_object() -> None:
    assert misfit(a_listener(choices=("yes",), allow_free_text=False), {"any": "thing"}) is None


# --- words that answer no wait ---------------------------------------------------------------


def test_what_is_told_before_the_beginning_is_told_at_the_beginning_in_order() -> None:
    world = Simulation()
    program = Listener()
    run_id = world.start(program, begin=False)
    for word in ("one", "two", "three"):
        assert world.deliver(run_id, Told(word)).applied
    assert program.saw == []
    assert world.status(run_id) is Status.RUNNING
    world.deliver(run_id, Advance())
    assert program.saw[:4] == [Advance(), Told("one"), Told("two"), Told("three")]
    assert not [name for name in world.cells(run_id) if name.startswith("rt/held/")]


# --- withdrawing -----------------------------------------------------------------------------


def test_what_is_withdrawn_is_never_performed_and_its_outcome_comes_too_late() -> None:
    world = Simulation()
    script = {
        "begin": Move(effects=(an_effect("a"), an_effect("b"))),
        "a": Move(withdraw=("b",), effects=(an_effect("c"),)),
    }
    run_id = world.start(ScriptedProgram(script))
    assert world.arrive(run_id, "a").dropped == (world.lives[run_id].open_as("b").key,)
    assert world.arrive(run_id, "b").disposition == "ignored: its key is not open"
    assert list(world.effects(run_id)) == ["c"]


def test_what_is_asked_for_and_given_up_in_one_decision_is_never_begun() -> None:
    ask = Move(
        effects=(an_effect("x"),), waits=(a_question("q"),), starts=(a_start("c"),), more=True
    )
    again = Move(withdraw=("x", "q", "c"), effects=(an_effect("y"),))
    world = Simulation({"child": ScriptedProgram({"begin": END})})
    run_id = world.start(ScriptedProgram({"begin": ask, "more": again}))
    assert list(world.effects(run_id)) == ["y"]
    assert world.waits(run_id) == {}


def test_a_key_that_is_closed_opened_and_closed_in_one_decision_is_closed() -> None:
    world = Simulation()
    ask = Move(waits=(a_question("q", key="again"),))
    script = {
        "begin": ask,
        "q": replace(ask, more=True),
        "more": Move(withdraw=("q",), effects=(an_effect(),)),
    }
    run_id = world.start(ScriptedProgram(script))
    decision = world.answer(run_id, "q")
    assert [entry.seq for entry in decision.closed] == [1]
    assert decision.opened == ()


def test_a_key_that_is_opened_closed_and_opened_in_one_decision_is_open_once() -> None:
    world = Simulation()
    ask = Move(waits=(a_question("q", key="again"),), more=True)
    script = {"begin": ask, "more": replace(ask, withdraw=("q",), more=False)}
    run_id = world.start(ScriptedProgram(script))
    (entry,) = world.waits(run_id).values()
    assert (entry.key, entry.seq) == ("again", 2)


def test_a_key_that_is_open_is_never_taken_by_another() -> None:
    world = Simulation()
    again = a_question("q", key="k#3")
    waits = (again, a_question("r", key="k"), a_question("s", key="k"), replace(again, tag="t"))
    run_id = world.start(ScriptedProgram({"begin": Move(waits=waits)}))
    assert len(world.waits(run_id)) == 4
    for tag in "qrst":
        assert world.answer(run_id, tag).applied


def test_a_wait_named_like_an_effect_to_come_takes_nothing_from_it() -> None:
    world = Simulation()

    def steal(cells: View, event: Event, moment: Moment) -> Move:
        return Move(waits=(a_question("q", key=f"{moment.run.id}:2:0"),), more=True)

    act = Move(effects=(an_effect(),))
    run_id = world.start(ScriptedProgram({"begin": steal, "more": act}))
    assert len(world.run(run_id).open) == 2
    assert world.answer(run_id, "q").applied
    assert world.arrive(run_id, "a").applied
