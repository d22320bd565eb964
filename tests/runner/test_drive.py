"""One event, one decision, one commit."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure.clock import text_of
from perdure.ids import BundleSha, Key, RunId
from perdure.kernel.limits import Limits
from perdure.kernel.model import Advance, Arrived, Deadline, Due, Ok, ProgramRef, Status, Told
from perdure.kernel.program import Done, Moment, Move, View
from perdure.runner.drive import drive
from perdure.runner.hot import Delivery, HotRun
from perdure.stores.runs import RunQuery
from tests.support.builders import a_question, a_start, an_effect
from tests.support.driving import Driven
from tests.support.running import Gate, Running, Script, Stage, always, running
from tests.support.scripted import ScriptedProgram

pytestmark = pytest.mark.anyio

ASKING: Script = {"begin": Move(waits=(a_question(key="k"),)), "q": Move(end=Done("answered"))}
END = Move(end=Done("done"))


def a_stage(script: Script, **more: Any) -> Stage:
    """A stage with one script."""
    return Stage(scripts={"run": script, "other": {"begin": END}}, **more)


def raising(_cells: View, _event: object, _moment: Moment) -> Move:
    """A program with a bug."""
    raise LookupError("in the program")


async def test_a_program_that_raises_fails_its_run_and_others_go_on(tmp_path: Path) -> None:
    """The bug is named by its class."""
    async with running(tmp_path, a_stage({"begin": raising})) as on_stage:
        failed = await on_stage.until(await on_stage.start(), Status.FAILED)
        assert failed.error == "program_bug: the program raised LookupError"
        await on_stage.until(await on_stage.start("other"))


async def test_what_a_program_writes_must_be_json(tmp_path: Path) -> None:
    """A value that no store can keep is the program's bug, and ends the run."""
    script: Script = {"begin": Move(writes={"set": {1}}, end=Done("no"))}
    async with running(tmp_path, a_stage(script)) as on_stage:
        failed = await on_stage.until(await on_stage.start(), Status.FAILED)
        assert str(failed.error).startswith("program_bug:")


@pytest.mark.parametrize(
    ("ref", "code"),
    [
        (ProgramRef("unknown", None, "x"), "feature_absent"),
        (ProgramRef("test", BundleSha("0" * 64), "run"), "bundle_not_found"),
        (ProgramRef("test", None, "nobody wrote it"), "program_bug"),
    ],
)
async def test_a_program_that_is_not_there_ends_the_run(
    tmp_path: Path, ref: ProgramRef, code: str
) -> None:
    """With the code that says what is missing; a factory that raises has a bug."""
    async with running(tmp_path, a_stage(ASKING)) as on_stage:
        failed = await on_stage.until(await on_stage.start(program=ref), Status.FAILED)
        assert str(failed.error).startswith(f"{code}:")
        await on_stage.until(await on_stage.start("other"))


async def _driven_elsewhere(on_stage: Running, run_id: RunId, program: Script) -> Driven:
    """The run in the hands of another process."""
    assert isinstance(program, dict)
    elsewhere = Driven(on_stage.plane, ScriptedProgram(program))
    loaded = (await on_stage.plane.runs.load([run_id]))[run_id]
    elsewhere.run, elsewhere.cells = loaded.run, loaded.cells
    return elsewhere


TWICE: Script = {
    "begin": Move(waits=(a_question("a", key="a"),)),
    "a": Move(waits=(a_question("b", key="b"),)),
    "b": Move(end=Done("both")),
}


async def test_an_event_is_decided_on_the_run_as_the_store_has_it(tmp_path: Path) -> None:
    """What another process made of a run that rests here is not overlooked: the answer counts."""
    async with running(tmp_path, a_stage(TWICE)) as on_stage:
        run_id = await on_stage.start()
        await on_stage.until(run_id, Status.WAITING)
        await on_stage.rest()
        elsewhere = await _driven_elsewhere(on_stage, run_id, TWICE)
        await elsewhere.answer("a", {"response": "there"})
        await on_stage.send(run_id, "resume", elsewhere.key("b"), {"response": "here"})
        ended = await on_stage.until(run_id)
        assert ended.output == "both"


async def test_where_somebody_else_committed_first_the_event_is_decided_anew(
    tmp_path: Path,
) -> None:
    """The outcome of an effect finds the run as another process left it."""
    gate = Gate(Ok("late"))
    script: Script = {
        "begin": Move(effects=(an_effect(),), waits=(a_question(key="k"),)),
        "a": END,
    }
    async with running(tmp_path, a_stage(script, effects={"echo": always(gate)})) as on_stage:
        run_id = await on_stage.start()
        await gate.until_inside(1)
        elsewhere = await _driven_elsewhere(on_stage, run_id, script)
        await elsewhere.answer("q")
        gate.open()
        await on_stage.until(run_id)
        words = [one["status"] for one in await on_stage.ledger(run_id) if one["effect"]]
        assert words == ["started", "waiting", "completed", "completed", "completed"]


async def test_a_message_for_a_run_that_is_not_there_is_dead(tmp_path: Path) -> None:
    """It is settled, and comes no more."""
    async with running(tmp_path, a_stage(ASKING)) as on_stage:
        missing = on_stage.birth().id
        message = await on_stage.send(missing, "cancel")
        assert (await on_stage.settled(message)).startswith("dead:")
        assert on_stage.lane.hot.known(missing) is None


class Endless:
    """A program whose fold does not end by itself."""

    def next(self, cells: View, _event: object, _moment: Moment) -> Move:
        """Count one more."""
        return Move(writes={"count": cells.get("count", 0) + 1}, more=True)


async def test_a_long_fold_lets_others_go_on_and_a_cancel_wins(tmp_path: Path) -> None:
    """The cancel is decided first, and the fold's event finds a run that has ended."""
    async with running(tmp_path, a_stage(Endless(), config={"slice_s": 0.0})) as on_stage:
        run_id = await on_stage.start(limits=Limits(moves_max=10**9))
        await on_stage.until(await on_stage.start("other"))
        told = await on_stage.send(run_id, "cancel", body={"reason": "too long"})
        cancelled = await on_stage.until(run_id, Status.CANCELLED)
        assert cancelled.error == "too long"
        assert await on_stage.settled(told) == "applied"


async def test_a_deadline_wins_over_a_long_fold(tmp_path: Path) -> None:
    async with running(tmp_path, a_stage(Endless(), config={"slice_s": 0.0})) as on_stage:
        soon = text_of(on_stage.stage.clock.now() + timedelta(seconds=0.05))
        deadline = Deadline(soon, RunId("above"))
        run_id = await on_stage.start(limits=Limits(moves_max=10**9), deadline=deadline)
        ended = await on_stage.until(run_id, Status.FAILED)
        assert (ended.error or "").startswith("deadline_passed: the deadline of run above")


async def test_an_outcome_is_kept_when_others_are_always_faster(tmp_path: Path) -> None:
    """It stays with the run and is decided later; only what the stores keep is left to them."""
    stage = a_stage(ASKING, config={"conflicts_max": 1}, serves=False)
    async with running(tmp_path, stage) as on_stage:
        run_id, lane = await on_stage.start(), on_stage.lane
        old = (await on_stage.plane.runs.load([run_id]))[run_id]
        elsewhere = await _driven_elsewhere(on_stage, run_id, ASKING)
        await elsewhere.deliver(Advance())
        hot = HotRun(run_id)
        hot.take(old)
        arrived = Delivery(Arrived(Key("nobody asked"), Ok(None)))
        for delivery in (arrived, Delivery(Due(Key("k"))), Delivery(Told("a word"), "taken")):
            hot.take(old)
            assert await drive(lane, hot, delivery) is None
        assert list(hot.queue) == [arrived]


WIDE: Script = {"begin": Move(starts=tuple(a_start(f"c{n}", of="asking") for n in range(3)))}
DEEP: Script = {"begin": Move(starts=(a_start("wide", of="wide"),)), "wide failed": END}


@pytest.mark.parametrize(("tree_max", "fits"), [(5, True), (4, False)])
async def test_a_tree_may_have_tree_max_runs_that_have_not_ended(
    tmp_path: Path, tree_max: int, fits: bool
) -> None:
    """The run that would bear one too many ends and bears none."""
    stage = Stage(scripts={"run": DEEP, "wide": WIDE, "asking": ASKING})
    async with running(tmp_path, stage) as on_stage:
        root = await on_stage.start(limits=Limits(tree_max=tree_max))
        await on_stage.until(root, Status.WAITING if fits else Status.COMPLETED)
        await on_stage.rest()
        found = (await on_stage.plane.runs.list(RunQuery(root_id=root))).items
        errors = {it.error for it in found if it.error}
        over = f"limit_reached: tree_max: more than {tree_max} runs of one tree have not ended"
        assert (len(found), errors) == ((5, set()) if fits else (2, {over}))


async def test_how_many_runs_a_root_bears_is_its_own_affair(tmp_path: Path) -> None:
    """A schedule bears runs for ever; `open_max` bounds those that it waits for."""
    stage = Stage(scripts={"run": WIDE, "asking": ASKING})
    async with running(tmp_path, stage) as on_stage:
        root = await on_stage.start(limits=Limits(tree_max=1))
        assert (await on_stage.until(root, Status.WAITING)).error is None
