"""Parents and children: born with the decision, told of holds and cancels, heard of once; and the cancel fence."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from perdure.ids import RunId, derived_id
from perdure.kernel.decide import decide
from perdure.kernel.model import (
    TERMINAL,
    Advance,
    Arrived,
    Cancel,
    Decision,
    EffectClass,
    Failed,
    Fault,
    Hold,
    Ok,
    Outcome,
    Release,
    Status,
    Unknown,
    Usage,
    Wait,
)
from perdure.kernel.program import Done, Move
from tests.support.branches import Ask, Branches, Call, Do, Race, Sleep
from tests.support.builders import a_run, a_start, an_effect
from tests.support.clock import START
from tests.support.ledger import assert_ledger, word_of
from tests.support.scripted import ScriptedProgram
from tests.support.simulation import Simulation

END = Move(end=Done("fine"))


def test_a_child_is_born_with_its_parents_decision_and_the_parent_waits() -> None:
    world = Simulation({"child": Branches((Do(),))})
    start = a_start("c", cells={"in/a": 1}, payload={"flow": "child"})
    root = world.start(ScriptedProgram({"begin": Move(starts=(start,)), "c": END}))
    (child,) = world.children(root)
    birth = world.run(child).birth
    started, waiting = world.steps(root)
    assert child == derived_id(root, started.step_id)
    assert (birth.root_id, birth.depth, birth.session_id) == (
        root,
        1,
        world.run(root).birth.session_id,
    )
    assert (birth.program.name, birth.workflow_id) == ("child", start.workflow_id)
    assert world.cells(child) == {"in/a": 1}
    assert_ledger([started, waiting], "started start_subworkflow", "waiting start_subworkflow")
    assert started.step_id == waiting.step_id
    assert waiting.result["wait"]["wait_key"] == birth.parent_key == f"subworkflow:{child}"
    assert waiting.result["wait"]["details"] == {
        "sub_run_id": child, "sub_workflow_id": start.workflow_id, "async": True, "include_traces": False,
    }  # fmt: skip
    assert world.status(root) is Status.WAITING


def test_a_birth_repeated_is_the_same_child() -> None:
    program = ScriptedProgram({"begin": Move(starts=(a_start("c"), a_start("d")))})
    run = a_run(ready=True)
    once, again = (decide(run, Advance(), program, {}, START) for _ in range(2))
    assert once.births == again.births
    assert len({birth.run.id for birth in once.births}) == 2
    later = decide(replace(run, version=9), Advance(), program, {}, START)
    assert [birth.run.id for birth in later.births] == [birth.run.id for birth in once.births]


def test_a_child_may_have_a_session_of_its_own() -> None:
    world = Simulation({"child": Branches((Do(),))})
    start = a_start("c", session_id="elsewhere")
    root = world.start(ScriptedProgram({"begin": Move(starts=(start,))}))
    assert world.run(world.children(root)[0]).birth.session_id == "elsewhere"


def test_a_child_that_is_not_waited_for_lives_by_itself() -> None:
    world = Simulation({"child": Branches((Do(),))})
    start = Move(starts=(a_start("c", wait=False),), end=Done("gone on"))
    root = world.start(ScriptedProgram({"begin": start}))
    (child,) = world.children(root)
    assert_ledger(
        world.steps(root),
        "started start_subworkflow", "completed start_subworkflow", "end", "ended completed",
    )  # fmt: skip
    assert world.steps(root)[1].result == {"sub_run_id": child}
    world.settle()
    world.arrive(child, "0.0")
    assert world.inbox == [], "its end is nobody's business"
    assert world.status(child) is Status.COMPLETED


@pytest.mark.parametrize(
    ("event", "status", "word"),
    [
        (None, "completed", {"out/0.0": "0.0"}),
        (Fault("bug", "oh"), "failed", "failed: child_failed"),
        (Cancel("enough"), "cancelled", "failed: child_cancelled"),
    ],
)
def test_a_childs_end_reaches_its_parent_once(
    event: Cancel | Fault | None, status: str, word: object
) -> None:
    world = Simulation({"child": Branches((Do(),))})
    root = world.start(Branches((Call(),)))
    world.settle()
    (child,) = world.children(root)
    sent = (world.arrive(child, "0.0") if event is None else world.deliver(child, event)).sends
    (end,) = sent
    assert (end.to, end.kind, end.body["status"], end.body["sub_run_id"]) == (
        root,
        "child",
        status,
        child,
    )
    assert world.deliver(child, Cancel()).sends == ()
    for _ in range(2):
        world.hand_over(end)
    assert world.run(root).output == {"out/0.0": word}
    assert [word_of(step) for step in world.steps(root)].count("resume") == 0
    assert world.steps(root)[2].effect["type"] == "start_subworkflow"


def test_a_childs_end_that_nobody_can_tell_is_a_failure() -> None:
    world = Simulation({"child": Branches((Do(),))})
    root = world.start(Branches((Call(),)))
    assert world.arrive(root, "0.0", Unknown("lost")).applied
    assert world.run(root).output == {"out/0.0": "failed: unknown_outcome"}


def test_a_child_that_is_withdrawn_is_cancelled_and_its_end_comes_too_late() -> None:
    world = Simulation({"child": Branches((Do(),))})
    script = {
        "begin": Move(starts=(a_start("c"),), effects=(an_effect("a"),)),
        "a": Move(withdraw=("c",), effects=(an_effect("b"),)),
    }
    root = world.start(ScriptedProgram(script))
    (child,) = world.children(root)
    world.deliver(child, Advance())
    world.arrive(root, "a")
    world.settle()
    assert world.status(child) is Status.CANCELLED
    assert world.run(child).error == "no longer wanted"
    assert list(world.effects(root)) == ["b"]


def test_an_answer_cannot_stand_for_a_childs_end() -> None:
    world = Simulation({"child": Branches((Do(),))})
    root = world.start(Branches((Call(),)))
    assert world.answer(root, "0.0").disposition == "ignored: the run does not wait for this"


# --- the cancel fence ------------------------------------------------------------------------


def story(world: Simulation, root: RunId, length: int) -> None:
    """The first `length` events of a life with effects, a review, a race, a hold and a child's work."""
    (child,) = world.children(root)
    events: list[Callable[[], Decision]] = [
        lambda: world.arrive(root, "0.0"),
        lambda: world.deliver(child, Advance()),
        lambda: world.arrive(root, "1.0", Unknown("cut")),
        lambda: world.deliver(root, Hold()),
        lambda: world.answer(root, "2.0", {"by": "event"}),
        lambda: world.arrive(child, "0.0"),
        lambda: world.deliver(root, Release()),
    ]
    for event in events[:length]:
        event()


@pytest.mark.parametrize("length", range(8))
def test_a_cancel_at_any_point_closes_everything_and_nothing_is_done_after(length: int) -> None:
    world = Simulation({"child": Branches((Do(), Do()), (Ask(),))})
    plan = Branches(
        (Do(), Do()), (Do(EffectClass.ONCE),), (Race(60), Do()), (Call(),), (Sleep(60),)
    )
    root = world.start(plan)
    story(world, root, length)
    before = world.run(root)
    decision = world.deliver(root, Cancel("enough"))
    assert not (decision.effects or decision.opened or decision.births)
    gone = {*decision.dropped, *(entry.key for entry in decision.closed)}
    assert gone == set(before.open)
    assert_ledger(decision.steps, "ended cancelled")
    assert (world.run(root).error, world.run(root).held) == ("enough", None)
    world.settle()
    for life in world.lives.values():
        assert life.run.status is Status.CANCELLED
        for entry in life.known.values():
            assert not world.deliver(life.run.id, Arrived(entry.key, Ok("late"))).applied
    assert not [life for life in world.lives.values() if life.outbox or life.waits]


@pytest.mark.parametrize("held", [False, True])
def test_a_cancel_before_the_beginning_leaves_nothing_to_begin(held: bool) -> None:
    world = Simulation()
    run_id = world.start(Branches((Do(),)), begin=False)
    if held:
        world.deliver(run_id, Hold())
    world.deliver(run_id, Cancel())
    assert_ledger(world.steps(run_id), "ended cancelled")
    assert world.run(run_id).error == "Cancelled"
    assert not world.deliver(run_id, Advance()).applied


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_an_end_of_any_kind_gives_up_what_is_open(end: str) -> None:
    world = Simulation({"child": Branches((Do(),))})
    asked = Move(effects=(an_effect("a"), an_effect("b")), starts=(a_start("c"),))
    run_id = world.start(ScriptedProgram({"begin": asked, "a": END}))
    if end == "completed":
        world.arrive(run_id, "a")
    else:
        world.deliver(run_id, Fault("bug") if end == "failed" else Cancel())
    assert world.status(run_id).value == end
    world.settle()
    assert {life.run.status for life in world.lives.values()} <= TERMINAL
    assert world.status(world.children(run_id)[0]) is Status.CANCELLED


# --- counters --------------------------------------------------------------------------------


def test_a_run_counts_what_all_its_outcomes_used() -> None:
    world = Simulation({"child": Branches((Do(),))})
    root = world.start(Branches((Do(), Do(), Do()), (Call(),)))
    full = {"llm_calls": 1, "tool_calls": 2, "tokens_in": 30, "tokens_out": 4, "cost": 0.5}
    outcomes: list[Outcome] = [Ok(1, full), Failed("no", usage=full), Ok(1)]
    for place, outcome in enumerate(outcomes):
        world.arrive(root, f"0.{place}", outcome)
    usage = world.run(root).usage
    assert usage == Usage(3, 2, 4, 60, 8, 1.0)


def test_the_wait_for_a_child_is_no_question() -> None:
    world = Simulation({"child": Branches((Do(),))})
    root = world.start(Branches((Call(),)))
    (entry,) = world.waits(root).values()
    assert isinstance(entry.what, Wait)
    assert (entry.what.allow_free_text, entry.what.choices) == (False, None)


# --- children that nobody waits for ----------------------------------------------------------


def beside(wait: bool, of: str = "child") -> Move:
    """Start a child, perhaps without waiting for it, and wait for something of one's own."""
    return Move(effects=(an_effect("own"),), starts=(a_start("c", of=of, wait=wait),))


@pytest.mark.parametrize("ended", [False, True])
def test_a_hold_a_release_and_a_cancel_reach_a_child_that_nobody_waits_for(ended: bool) -> None:
    world = Simulation({"child": Branches((Do(),))})
    root = world.start(ScriptedProgram({"begin": beside(wait=False)}))
    world.settle()
    (child,) = world.children(root)
    if ended:
        world.arrive(child, "0.0")
    told = {
        word: world.deliver(root, event).sends
        for word, event in (("hold", Hold("why")), ("release", Release()), ("cancel", Cancel("enough")))
    }  # fmt: skip
    assert {word: [(it.to, it.kind) for it in sends] for word, sends in told.items()} == {
        word: [(child, word)] for word in told
    }
    world.settle()
    assert world.status(child) is (Status.COMPLETED if ended else Status.CANCELLED)


def test_a_run_that_ends_of_itself_leaves_alone_a_child_that_nobody_waits_for() -> None:
    world = Simulation({"child": Branches((Do(),))})
    root = world.start(ScriptedProgram({"begin": beside(wait=False), "own": END}))
    world.settle()
    (child,) = world.children(root)
    assert world.arrive(root, "own").sends == ()
    assert (world.status(root), world.status(child)) == (Status.COMPLETED, Status.RUNNING)


@given(waits=st.lists(st.booleans(), min_size=1, max_size=4), held=st.booleans())
def test_a_cancel_leaves_nothing_under_way_in_the_whole_tree(waits: list[bool], held: bool) -> None:
    names = [f"level-{depth}" for depth in range(len(waits))]
    programs = {
        name: ScriptedProgram({"begin": beside(wait, of)})
        for name, wait, of in zip(names, waits, [*names[1:], "child"], strict=True)
    }
    world = Simulation({**programs, "child": Branches((Do(),))})
    root = world.start(programs["level-0"])
    world.settle()
    if held:
        world.deliver(root, Hold())
        world.settle()
        assert all(life.run.held is not None for life in world.lives.values())
    world.deliver(root, Cancel("enough"))
    world.settle()
    assert len(world.lives) == len(waits) + 1
    assert {life.run.status for life in world.lives.values()} == {Status.CANCELLED}
    assert not any(world.effects(run_id) for run_id in world.lives)
