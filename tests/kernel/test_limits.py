"""Every bound of a run, on both sides: up to it all is well, beyond it the run ends and says so."""

import pytest
from msgspec.structs import replace

from perdure.ids import RunId
from perdure.kernel.decide import decide
from perdure.kernel.limits import Limits
from perdure.kernel.model import Advance, Decision, Run, Status
from perdure.kernel.program import Done, Move
from tests.support.builders import a_birth, a_question, a_run, a_start, an_effect
from tests.support.clock import START
from tests.support.ledger import assert_ledger, word_of
from tests.support.scripted import ScriptedProgram
from tests.support.simulation import Simulation

END = Move(end=Done("fine"))


def error_of(world: Simulation, run_id: RunId) -> str | None:
    """What the run says of its end; `None` where it ended well."""
    assert world.status(run_id) in {Status.COMPLETED, Status.FAILED}
    return world.run(run_id).error


def looping(moves: int) -> ScriptedProgram:
    """A program that makes so many moves in its first fold, and then ends."""
    pure = [Move(writes={"n": n}, more=True, path=(f"n{n}",)) for n in range(moves - 1)]
    first, *rest = [*pure, END]
    return ScriptedProgram({"begin": first, "more": rest})


@pytest.mark.parametrize("moves", [1, 2, 63, 64, 65, 200])
def test_a_fold_may_have_moves_max_moves_and_not_one_more(moves: int) -> None:
    world = Simulation()
    within = world.start(looping(moves), name="within", limits=Limits(moves_max=moves))
    assert error_of(world, within) is None
    beyond = world.start(looping(moves + 1), name="beyond", limits=Limits(moves_max=moves))
    assert error_of(world, beyond) == (f"limit_reached: moves_max: {moves} moves without a record")
    assert_ledger(world.steps(beyond), "error", "ended failed")


@pytest.mark.parametrize("effects", [1, 2, 5])
def test_a_ledger_may_have_steps_max_records_before_the_end(effects: int) -> None:
    one = Move(effects=(an_effect("a"),))
    program = ScriptedProgram({"begin": one, "a": [*[one] * (effects - 1), END]})
    world = Simulation()
    within = world.start(program, name="within", limits=Limits(steps_max=2 * effects + 1))
    beyond = world.start(program, name="beyond", limits=Limits(steps_max=2 * effects))
    for run_id in (within, beyond):
        for _ in range(effects):
            world.arrive(run_id, "a")
    assert error_of(world, within) is None
    assert error_of(world, beyond) == (f"limit_reached: steps_max: more than {2 * effects} records")
    assert [word_of(step) for step in world.steps(beyond)][-3:] == [
        "completed echo",
        "error",
        "ended failed",
    ]


@pytest.mark.parametrize("kind", ["effects", "waits", "children", "mixed"])
def test_open_max_things_may_be_open_at_once(kind: str) -> None:
    def asking(n: int) -> Move:
        tags = [f"t{i}" for i in range(n)]
        of_kind = {
            "effects": Move(effects=tuple(an_effect(tag) for tag in tags)),
            "waits": Move(waits=tuple(a_question(tag) for tag in tags)),
            "children": Move(starts=tuple(a_start(tag) for tag in tags)),
            "mixed": Move({}, (an_effect("e"),), tuple(a_question(tag) for tag in tags[1:])),
        }
        return of_kind[kind]

    world = Simulation({"child": ScriptedProgram({"begin": END})})
    within = world.start(
        ScriptedProgram({"begin": asking(3)}), name="within", limits=Limits(open_max=3)
    )
    assert len(world.run(within).open) == 3
    beyond = world.start(
        ScriptedProgram({"begin": asking(4)}), name="beyond", limits=Limits(open_max=3)
    )
    assert error_of(world, beyond) == "limit_reached: open_max: more than 3 open at once"
    assert_ledger(world.steps(beyond), "error", "ended failed")
    assert not world.children(beyond), "nothing of what is too much is begun"


def test_what_closes_makes_room_for_what_opens() -> None:
    script = {"begin": Move(effects=(an_effect("a"), an_effect("b"))), "a": Move(effects=(an_effect("c"),)),
              "b": Move(withdraw=("c",), effects=(an_effect("d"), an_effect("e")))}  # fmt: skip
    world = Simulation()
    run_id = world.start(ScriptedProgram(script), limits=Limits(open_max=2))
    world.arrive(run_id, "a")
    world.arrive(run_id, "b")
    assert sorted(world.effects(run_id)) == ["d", "e"]


@pytest.mark.parametrize("deep", [0, 1, 3])
def test_runs_may_be_depth_max_deep(deep: int) -> None:
    itself = ScriptedProgram({"begin": Move(starts=(a_start("c", of="itself"),)), "c failed": END})
    world = Simulation({"itself": itself})
    root = world.start(itself, limits=Limits(depth_max=deep))
    world.settle()
    assert max(life.run.birth.depth for life in world.lives.values()) == deep
    deepest = list(world.lives)[-1]
    assert error_of(world, deepest) == f"limit_reached: depth_max: more than {deep} runs deep"
    assert error_of(world, root) is None or deep == 0


def begun(run: Run, program: ScriptedProgram) -> Decision:
    """The decision of beginning `run`."""
    return decide(replace(run, ready=True), Advance(), program, {}, START)


@pytest.mark.parametrize(("size", "ends"), [(1000, Status.COMPLETED), (1001, Status.FAILED)])
def test_cells_may_weigh_state_bytes_max(size: int, ends: Status) -> None:
    run = a_run(limits=Limits(state_bytes_max=1000), state_bytes=size)
    decision = begun(run, ScriptedProgram({"begin": END}))
    assert decision.run.status is ends
    assert (decision.run.error is None) == (ends is Status.COMPLETED)
    if ends is Status.FAILED:
        assert decision.run.error == "limit_reached: state_bytes_max: more than 1000 bytes"


@pytest.mark.parametrize(("moves", "kept", "more"), [(2, 2, 0), (5, 5, 0), (6, 5, 1), (12, 5, 7)])
def test_a_record_names_path_max_nodes_and_counts_the_rest(
    moves: int, kept: int, more: int
) -> None:
    run = a_run(birth=a_birth(limits=Limits(path_max=5)))
    last = begun(run, looping(moves + 1)).steps[0]
    assert last.path == tuple(f"n{n}" for n in range(kept))
    assert last.path_more == more


def test_one_move_may_pass_more_nodes_than_a_record_names() -> None:
    run = a_run(birth=a_birth(limits=Limits(path_max=2)))
    decision = begun(run, ScriptedProgram({"begin": replace(END, path=("a", "b", "c", "d"))}))
    assert (decision.steps[0].path, decision.steps[0].path_more) == (("a", "b"), 2)
    assert decision.run.node_id == "d"


def test_the_first_warnings_stay_up_to_warnings_max() -> None:
    run = a_run(birth=a_birth(limits=Limits(warnings_max=3)), warnings=("old",))
    warned = Move(end=Done(None), warnings=("old", "new", "newer", "newest"))
    assert begun(run, ScriptedProgram({"begin": warned})).run.warnings == ("old", "new", "newer")
