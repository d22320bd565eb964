"""Deadlines: at its time a run ends, whatever it does then, and all below it; not before, and of nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.clock import text_of
from perdure.ids import RunId
from perdure.kernel.model import TERMINAL, Cancel, Expired, Hold, Ok, Release, Status
from perdure.kernel.program import Move
from tests.support.branches import Ask, Atom, Branches, Call, Do, Listen, Race, Sleep
from tests.support.builders import AT, a_deadline, a_run_id, a_start, an_effect
from tests.support.clock import START
from tests.support.ledger import assert_ledger
from tests.support.scripted import ScriptedProgram
from tests.support.simulation import Simulation

WHEN = "2026-01-01T00:01:00.000000+00:00"  # a minute after the clock's start
PASSED = f"deadline_passed: the deadline was {WHEN}"


def of_above(root: RunId) -> str:
    """How a run ends by the deadline of its root."""
    return f"deadline_passed: the deadline of run {root}, which is above it, was {WHEN}"


def a_limited(program: Branches | ScriptedProgram, seconds: float = 60) -> tuple[Simulation, RunId]:
    """A run with a deadline, that may have a child."""
    world = Simulation({"child": Branches((Do(), Ask()))})
    return world, world.start(program, deadline=a_deadline(seconds))


@pytest.mark.parametrize("atom", [Do(), Ask(), Sleep(999), Listen(), Race(999), Call()])
def test_a_run_ends_at_its_deadline_whatever_it_is_about(atom: Atom) -> None:
    world, run_id = a_limited(Branches((atom,)))
    world.clock.advance(60)
    before = world.run(run_id)
    decision = world.deliver(run_id, Expired(WHEN))
    assert (world.status(run_id), world.run(run_id).error) == (Status.FAILED, PASSED)
    assert_ledger(decision.steps, "error", "ended failed")
    assert {*decision.dropped, *(it.key for it in decision.closed)} == set(before.open)
    assert not (decision.effects or decision.opened or decision.births)


def test_nothing_ends_before_its_deadline_or_without_one() -> None:
    world, run_id = a_limited(Branches((Ask(),)))
    world.clock.advance(59.999999)
    assert world.deliver(run_id, Expired(WHEN)).disposition == "ignored: its deadline has not come"
    other = world.start(Branches((Ask(),)), name="other")
    world.clock.advance(999)
    assert not world.deliver(other, Expired(WHEN)).applied
    assert world.status(other) is Status.WAITING


@pytest.mark.parametrize("begun", [False, True])
def test_a_pause_does_not_put_a_deadline_off(begun: bool) -> None:
    world = Simulation()
    run_id = world.start(Branches((Do(),)), begin=begun, deadline=a_deadline(60))
    world.deliver(run_id, Hold("lunch"))
    world.clock.advance(60)
    world.expire()
    assert (world.run(run_id).error, world.run(run_id).held) == (PASSED, None)
    assert not world.deliver(run_id, Release()).applied


def test_a_cancel_that_comes_behind_the_deadline_ends_the_run_as_the_deadline_does() -> None:
    world, run_id = a_limited(Branches((Do(),)))
    world.clock.advance(60)
    world.deliver(run_id, Cancel("enough"))
    assert world.run(run_id).error == PASSED


@pytest.mark.parametrize("first", ["message", "time"])
@pytest.mark.parametrize("wait", [True, False])
def test_a_deadline_ends_the_tree_and_every_run_says_whose_it_was(first: str, wait: bool) -> None:
    begin = Move(starts=(a_start(wait=wait),), effects=(an_effect(),))
    world, root = a_limited(ScriptedProgram({"begin": begin}))
    world.settle()
    (child,) = world.children(root)
    world.clock.advance(60)
    if first == "message":
        world.deliver(root, Expired(WHEN))
        world.settle()
    world.expire()
    world.settle()
    assert (world.run(root).error, world.run(child).error) == (PASSED, of_above(root))
    assert not (world.effects(root) or world.effects(child))


@pytest.mark.parametrize(
    ("above", "own", "at", "whose"),
    [(60, 90, 60, "run"), (60, 60, 60, "run"), (60, 30, 30, None), (None, 30, 30, None), (60, None, 60, "run")],
)  # fmt: skip
def test_a_child_has_the_earlier_of_its_own_and_its_parents(
    above: float | None, own: float | None, at: float, whose: str | None
) -> None:
    given_own = a_deadline(own)
    start = a_start(deadline=None if given_own is None else given_own.at)
    world = Simulation({"child": Branches((Ask(),))})
    root = world.start(
        ScriptedProgram({"begin": Move(starts=(start,))}), deadline=a_deadline(above)
    )
    (child,) = world.children(root)
    found, expected = world.run(child).birth.deadline, a_deadline(at)
    assert found is not None and expected is not None
    assert (found.at, found.of) == (expected.at, child if whose is None else a_run_id(whose))


def test_a_child_with_an_earlier_deadline_ends_alone_and_its_parent_hears_of_it() -> None:
    deadline = a_deadline(30)
    assert deadline is not None
    script = {"begin": Move(starts=(a_start(deadline=deadline.at),)), "c": Move(effects=(an_effect(),))}  # fmt: skip
    world, root = a_limited(ScriptedProgram(script))
    world.settle()
    (child,) = world.children(root)
    world.clock.advance(30)
    world.expire()
    world.settle()
    assert (world.status(child), world.status(root)) == (Status.FAILED, Status.RUNNING)
    assert world.steps(root)[2].error == f"child_failed: deadline_passed: the deadline was {deadline.at}"  # fmt: skip
    assert list(world.effects(root)) == ["a"]


@given(
    branches=st.lists(
        st.lists(st.sampled_from([Do(), Ask(), Sleep(30), Sleep(99), Call()]), max_size=3).map(tuple),
        min_size=1, max_size=3,
    ),
    moments=st.lists(st.sampled_from([0.0, 10.0, 30.0]), max_size=6),
)  # fmt: skip
def test_no_run_of_the_tree_lives_behind_its_deadline(
    branches: list[tuple[Atom, ...]], moments: list[float]
) -> None:
    world, root = a_limited(Branches(*branches))
    for seconds in moments:
        world.clock.advance(seconds)
        world.settle()
        for run_id in tuple(world.lives):
            for tag in sorted(world.effects(run_id)):
                world.arrive(run_id, tag, Ok(tag))
    world.clock.advance(60)
    world.expire()
    world.settle()
    assert text_of(START) == AT < WHEN
    for life in world.lives.values():
        assert life.run.status in TERMINAL and not life.outbox and not life.waits
    if world.status(root) is Status.FAILED:
        assert world.run(root).error == PASSED
