"""A ledger decided again; that every ledger of these tests comes out as it was is a law of `tests/support`."""

import pytest
from msgspec.structs import replace

from perdure.ids import RunId
from perdure.kernel.limits import Limits
from perdure.kernel.model import Answered, Hold, Release, Status, Told, Wait
from perdure.kernel.program import Program
from perdure.services.retold import Retold
from tests.support.branches import Ask, Branches, Do, Sleep
from tests.support.ledger import recorded, word_of
from tests.support.simulation import Simulation

PLAN = ((Do(), Do()), (Ask(), Do()), (Sleep(60), Do()))


def lived() -> tuple[Simulation, RunId]:
    """A run with effects, an answer, a time, a hold and a word for its program, lived to its end."""
    world = Simulation()
    run_id = world.start(Branches(*PLAN))
    world.deliver(run_id, Hold("lunch"))
    world.arrive(run_id, "0.0")
    world.deliver(run_id, Told({"hear": "this"}))
    world.deliver(run_id, Release())
    world.answer(run_id, "1.0", by="ann")
    world.come_due(run_id, "2.0")
    for tag in ("0.1", "1.1", "2.1"):
        world.arrive(run_id, tag)
    assert world.status(run_id) is Status.COMPLETED
    return world, run_id


def retold(world: Simulation, run_id: RunId, program: Program, upto: int | None = None) -> Retold:
    """The run told again as far as `upto`, each record held against what was written."""
    life = world.lives[run_id]
    again = Retold(life.run.birth, life.inputs, program)
    for step in life.steps[:upto]:
        assert again.take(recorded(life.run.birth, step)) == step
    return again


def test_a_ledger_decided_again_is_the_same_to_the_last_record() -> None:
    world, run_id = lived()
    assert retold(world, run_id, Branches(*PLAN)).left() == 0


def test_what_leaves_no_record_is_told_by_the_next_one() -> None:
    world, run_id = lived()
    told = [[name for _, name, *_ in step.events] for step in world.steps(run_id) if step.events]
    assert told == [["hold"], ["told", "release"], ["due"]]


def test_another_program_is_found_at_the_first_record_that_it_would_not_write() -> None:
    world, run_id = lived()
    life = world.lives[run_id]
    other = Retold(life.run.birth, life.inputs, Branches((Do(), Ask()), *PLAN[1:]))
    same = [other.take(recorded(life.run.birth, step)) == step for step in life.steps]
    first = same.index(False)
    assert word_of(life.steps[first]) == "started echo"
    assert life.steps[first].node_id == "node-0.1"


def test_a_record_that_nothing_explains_is_none() -> None:
    world, run_id = lived()
    life = world.lives[run_id]
    again = retold(world, run_id, Branches(*PLAN), 3)
    stray = replace(life.steps[3], idempotency_key="nobody asked for this")
    assert again.take(recorded(life.run.birth, stray)) is None


@pytest.mark.parametrize("seq", range(1, 14))
def test_a_run_stands_whole_at_every_record_or_a_little_before(seq: int) -> None:
    world, run_id = lived()
    assert world.run(run_id).seq == 13
    again = retold(world, run_id, Branches(*PLAN), seq)
    again.stand()
    assert again.run.status is not Status.COMPLETED
    assert seq - 3 <= again.run.seq <= seq


def test_an_approval_is_not_taken_along() -> None:
    world = Simulation()
    run_id = world.start(Branches((Ask(), Do())))
    life = world.lives[run_id]
    world.deliver(run_id, Answered(life.open_as("0.0").key, {"response": "yes"}))
    for mode, seq in (("approval_required", 1), ("anything_else", 2)):
        again = retold(world, run_id, Branches((Ask(), Do())), 1)
        again.stand()
        (key, entry), *_ = again.run.open.items()
        assert isinstance(entry.what, Wait)
        what = replace(entry.what, details={"mode": mode})
        again.run = replace(again.run, open={key: replace(entry, what=what)})
        again.take(recorded(life.run.birth, life.steps[1]))
        again.stand()
        assert again.run.seq == seq


def test_a_run_that_grew_too_large_is_told_again_with_its_size() -> None:
    world = Simulation()
    run_id = world.start(Branches((Do(), Do())), limits=Limits(state_bytes_max=10))
    life = world.lives[run_id]
    life.run = replace(life.run, state_bytes=11)
    world.arrive(run_id, "0.0")
    assert world.status(run_id) is Status.FAILED
    retold(world, run_id, Branches((Do(), Do())))
