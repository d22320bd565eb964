"""A fork's beginning: what was open is asked for again in its own name, and harm waits for a person."""

from typing import Any, Final

import pytest

from perdure.ids import RunId
from perdure.kernel.model import (
    GONE,
    Advance,
    Answered,
    Effect,
    EffectClass,
    Failed,
    Guard,
    Ok,
    Point,
    Status,
    Wait,
)
from perdure.kernel.program import Moment, Move, View
from perdure.registry.guarded import (
    FORK,
    CameTo,
    Guarded,
    forked_child,
    kept_outcome,
    opened_cell,
    outcome_of,
    recorded_cells,
)
from tests.support.branches import Ask, Branches, Call, Do, Sleep
from tests.support.builders import a_birth, a_listener, a_run, a_run_id, an_effect
from tests.support.clock import START
from tests.support.scripted import ScriptedProgram
from tests.support.simulation import Simulation

ONCE = Do(EffectClass.ONCE)
ORIGIN, FORKED = a_run_id(), a_run_id("fork")


def forked(
    world: Simulation, program: Branches, guard: Guard, came: tuple[CameTo, ...] = ()
) -> RunId:
    """A fork of the run of the world where it stands, begun."""
    origin = world.lives[ORIGIN]
    children = {
        entry.what.child: forked_child(
            entry.what, world.run(entry.what.child).birth, {}, Point(entry.what.child, 0)
        )
        for entry in origin.run.open.values()
        if isinstance(entry.what, Wait) and entry.what.child is not None
    }
    cells = {
        **origin.cells,
        FORK: opened_cell(origin.run, children),
        **dict(recorded_cells(guard, came)),
    }
    point = Point(ORIGIN, origin.run.seq)
    world._be_born(a_birth("fork", forked_from=point, guard=guard), cells, Guarded(program, guard))
    world.deliver(FORKED, Advance())
    return FORKED


def stub(world: Simulation) -> Any:
    """The outcome that the one effect of the fork comes to without being performed."""
    (entry,) = world.effects(FORKED).values()
    assert isinstance(entry.what, Effect)
    return entry.what.stub


def a_world(*plan: Any) -> tuple[Simulation, Branches]:
    """A world with one run of the plan, begun."""
    program = Branches(*plan)
    world = Simulation({"child": Branches((Do(),))})
    world.start(program)
    return world, program


@pytest.mark.parametrize("guard", [Guard.REUSE, Guard.ASK, Guard.RERUN])
def test_an_effect_that_must_not_happen_twice_waits_for_a_person(guard: Guard) -> None:
    world, program = a_world((ONCE,))
    forked(world, program, guard)
    assert world.effects(FORKED) == {}
    (entry,) = world.waits(FORKED).values()
    assert isinstance(entry.what, Wait)
    assert entry.what.details["mode"] == "approval_required"
    assert world.status(FORKED) is Status.WAITING
    assert world.deliver(FORKED, Answered(entry.key, {"approved": True})).effects
    assert list(world.effects(FORKED)) == ["0.0"]
    world.arrive(FORKED, "0.0", Ok("sent"))
    assert world.run(FORKED).output == {"out/0.0": "sent"}


def test_an_effect_that_is_not_wanted_fails_and_one_that_happened_elsewhere_has() -> None:
    for payload, output in (
        ({"approved": False, "reason": "no"}, "failed: not_approved"),
        ({"resolution": "happened", "result": "by hand"}, "by hand"),
    ):
        world, program = a_world((ONCE,))
        forked(world, program, Guard.ASK)
        (key,) = world.waits(FORKED)
        world.deliver(FORKED, Answered(key, {"approved": "perhaps"}))
        (key,) = world.waits(FORKED)  # it was no answer, and is asked again
        assert world.deliver(FORKED, Answered(key, payload)).applied
        assert world.run(FORKED).output == {"out/0.0": output}


@pytest.mark.parametrize("guard", [Guard.REUSE, Guard.SIMULATE])
def test_a_recorded_outcome_stands_for_the_effect(guard: Guard) -> None:
    world, program = a_world((ONCE, ONCE))
    came = CameTo("echo", "node-0.0", {"say": "0.0"}, Ok("as before"))
    forked(world, program, guard, (came,))
    assert stub(world)["outcome"]["result"] == "as before"
    world.arrive(FORKED, "0.0", Ok("as before"))
    if guard is Guard.REUSE:
        assert world.effects(FORKED) == {}, "of the second nothing is recorded"
    else:
        assert stub(world)["outcome"]["code"] == "not_simulated"


def test_what_comes_after_the_point_is_asked_about_too_unless_it_is_to_run_again() -> None:
    for guard, waits in ((Guard.ASK, True), (Guard.RERUN, False)):
        world, program = a_world((Do(), ONCE))
        forked(world, program, guard)
        world.arrive(FORKED, "0.0")
        assert bool(world.waits(FORKED)) is waits
        assert bool(world.effects(FORKED)) is not waits


def test_waits_are_opened_anew_and_those_of_the_origin_stay_as_they_are() -> None:
    world, program = a_world((Ask(f"ask:{ORIGIN}"),), (Sleep(60),))
    before = world.waits(ORIGIN)
    forked(world, program, Guard.ASK)
    assert f"ask:{FORKED}" in world.waits(FORKED)
    world.answer(FORKED, "0.0")
    world.come_due(FORKED, "1.0")
    assert world.status(FORKED) is Status.COMPLETED
    assert world.waits(ORIGIN) == before
    assert world.status(ORIGIN) is Status.WAITING


PARENT: Final = a_run_id("parent")
OWN_PARENT: Final = a_run_id("parent of the fork")


@pytest.mark.parametrize(
    ("address", "moved"),
    [
        ("evt:session:s1:go", "evt:session:s2:go"),
        ("evt:session:s11:go", "evt:session:s11:go"),
        ("evt:workflow:s1:go", "evt:workflow:s1:go"),
        (f"evt:run:{ORIGIN}:go", f"evt:run:{FORKED}:go"),
        (f"evt:run:{PARENT}:go", f"evt:run:{OWN_PARENT}:go"),
    ],
)
def test_a_wait_for_an_event_is_at_the_address_of_the_fork(address: str, moved: str) -> None:
    """Else what is sent to the origin would move its fork too, and what is sent to the fork would not."""
    birth = a_birth(parent_id=PARENT, session_id="s1")
    (told,) = opened_cell(a_run(a_listener(key=address, match=address), birth=birth), {})
    wait = reopened(told)
    assert (wait.key, wait.match) == (moved, moved)
    del told["of"]
    assert reopened(told).key == address.replace(ORIGIN, FORKED), "older ledgers stay as they were"


def reopened(told: Any) -> Wait:
    """The wait that a fork opens for what its cell tells."""
    fork = a_birth(
        "fork", forked_from=Point(ORIGIN, 0), guard=Guard.ASK, session_id="s2", parent_id=OWN_PARENT
    )
    program = Guarded(ScriptedProgram({}), Guard.ASK)
    (wait,) = program.next(View({FORK: [told]}), Advance(), Moment(fork, 1, START)).waits
    return wait


def test_a_child_is_forked_with_its_parent_and_guarded_like_it() -> None:
    world, program = a_world((Call(),))
    world.begin_children()
    (child,) = world.children(ORIGIN)
    forked(world, program, Guard.ASK)
    (other,) = world.children(FORKED)
    birth = world.run(other).birth
    assert (birth.forked_from, birth.guard) == (Point(child, 0), Guard.ASK)
    assert birth.root_id == FORKED
    world.begin_children()
    world.arrive(other, "0.0")
    world.settle()
    assert world.status(FORKED) is Status.COMPLETED
    assert world.status(ORIGIN) is Status.WAITING


def test_a_child_that_came_to_an_end_is_not_born_again() -> None:
    for outcome in (Ok({"output": 1}), Failed("child_failed")):
        world, program = a_world((Do(), Call()))
        payload = a_start_payload(program)
        forked(
            world,
            program,
            Guard.REUSE,
            (CameTo("start_subworkflow", "node-0.1", payload, outcome),),
        )
        world.arrive(FORKED, "0.0")
        assert world.children(FORKED) == []
        assert stub(world)["ok"] is isinstance(outcome, Ok)


def a_start_payload(program: Branches) -> Any:
    """What the program asks of its child."""
    world = Simulation({"child": program})
    world.start(Branches((Call(),)))
    return world.steps(ORIGIN)[0].effect["payload"]


TWICE = [
    CameTo("echo", "n", {"to": "ann"}, Ok("first")),
    CameTo("echo", "n", {"to": "ann"}, Failed("refused", "no", usage={"cost": 1.0})),
]


@pytest.mark.parametrize("outcome", [Ok({"a": 1}, {"cost": 2.0}), Failed("no", "why", True, 3.0)])
def test_an_outcome_is_kept_whole(outcome: Ok | Failed) -> None:
    assert outcome_of(kept_outcome(outcome)) == outcome


def asked_of(guard: Guard, cells: dict[str, Any], **payload: str) -> Move:
    """What becomes of one effect that must not happen twice."""
    effect = an_effect("a", EffectClass.ONCE, node_id="n", payload=payload)
    program = Guarded(ScriptedProgram({"begin": Move(effects=(effect,))}), guard)
    birth = a_birth(forked_from=Point(ORIGIN, 0), guard=guard)
    return program.next(View(cells), Advance(), Moment(birth, 1, START))


def test_recorded_outcomes_are_taken_once_each_and_in_their_order() -> None:
    cells: dict[str, Any] = dict(recorded_cells(Guard.REUSE, TWICE))
    for came in TWICE:
        move = asked_of(Guard.REUSE, cells, to="ann")
        assert outcome_of(move.effects[0].stub) == came.outcome
        cells = {**cells, **move.writes, "played/begin": GONE}
        cells = {name: value for name, value in cells.items() if value is not GONE}
    assert asked_of(Guard.REUSE, cells, to="ann").waits, "of a third nothing is recorded"


@pytest.mark.parametrize(("guard", "found"), [(Guard.REUSE, False), (Guard.SIMULATE, True)])
def test_what_is_asked_differently_is_another_effect_but_for_a_simulation(
    guard: Guard, found: bool
) -> None:
    move = asked_of(guard, dict(recorded_cells(guard, TWICE)), to="bob")
    assert bool(move.effects) is found


def test_a_simulation_takes_what_is_declared_for_a_node() -> None:
    (effect,) = asked_of(Guard.SIMULATE, {"rt/declared/n": {"sent": True}}).effects
    assert outcome_of(effect.stub) == Ok({"sent": True})
