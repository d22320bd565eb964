"""The runner as a whole: children, stopping, and runs that end while others go on."""

from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from perdure.errors import StoreFailed
from perdure.ids import Key
from perdure.kernel.draft import born
from perdure.kernel.model import Advance, EffectClass, Ok, Status, Unknown
from perdure.kernel.program import Done, Fail, Move
from perdure.stores.runs import Commit, Receipt
from tests.support.builders import a_start, an_effect
from tests.support.driving import Driven
from tests.support.running import Acted, Gate, Running, Script, Stage, always, running
from tests.support.scripted import ScriptedProgram

pytestmark = pytest.mark.anyio

ACTING: Script = {"begin": Move(effects=(an_effect(),)), "a": Move(end=Done("done"))}
PARENT: Script = {
    "begin": Move(starts=(a_start("c"),)),
    "c ok": Move(end=Done("the child has ended")),
    "c failed": Move(end=Fail("the_child_failed")),
}


async def test_a_child_is_born_and_its_end_reaches_its_parent(tmp_path: Path) -> None:
    """Whether it ends well or badly."""
    bad = {"begin": Move(starts=(a_start("c", of="bad"),)), "c failed": Move(end=Done("heard"))}
    scripts: dict[str, Script] = {
        "run": PARENT, "child": {"begin": Move(end=Done(7))},
        "parent": bad, "bad": {"begin": Move(end=Fail("no"))},
    }  # fmt: skip
    async with running(tmp_path, Stage(scripts)) as on_stage:
        assert (await on_stage.until(await on_stage.start())).output == "the child has ended"
        assert (await on_stage.until(await on_stage.start("parent"))).output == "heard"


async def test_a_child_that_is_cancelled_as_it_is_born_performs_nothing(tmp_path: Path) -> None:
    """It hears of the cancel before it begins."""
    handler = Acted()
    moves = [Move(starts=(a_start("c"),), more=True), Move(withdraw=("c",), end=Done("alone"))]
    scripts: dict[str, Script] = {"run": {"begin": moves[0], "more": moves[1]}, "child": ACTING}
    async with running(tmp_path, Stage(scripts, {"echo": always(handler)})) as on_stage:
        run_id = await on_stage.start()
        await on_stage.until(run_id)
        (birth,) = [
            child.run.id for one in on_stage.committed for child in one.decision.births
        ]  # fmt: skip
        await on_stage.until(birth, Status.CANCELLED)
    assert handler.calls == []


async def test_a_child_held_before_it_begins_begins_at_its_release(tmp_path: Path) -> None:
    """Though the process that bore it has it leased."""
    async with running(tmp_path, Stage({"run": ACTING}, {"echo": always(Acted())})) as on_stage:
        birth = on_stage.birth()
        lane = on_stage.lane
        lane.stopping = True  # it hears of no birth
        far = "2999-01-01T00:00:00.000000+00:00"
        await on_stage.plane.runs.commit(Commit(born(birth, {}), holder="x", leased_until=far))
        lane.stopping = False
        await on_stage.send(birth.id, "hold")
        await on_stage.until_so(birth.id, lambda header: header.held is not None)
        await on_stage.send(birth.id, "release")
        await on_stage.until(birth.id)


async def test_what_is_under_way_may_end_after_the_wish_to_stop(tmp_path: Path) -> None:
    """Its outcome is committed, and nothing more is begun."""
    gate = Gate()
    script: Script = {
        "begin": Move(effects=(an_effect("a"), an_effect("b"))),
        "a": Move(effects=(replace(an_effect("next"), kind="next"),)),
    }
    following = Acted()
    stage = Stage({"run": script}, {"echo": always(gate), "next": always(following)}, {"stop_s": 9})
    async with running(tmp_path, stage) as on_stage:
        run_id = await on_stage.start()
        await gate.until_inside(2)
        on_stage.runner.stop()
        gate.open()
    async with running(tmp_path, Stage({}, serves=False)) as looked_at:
        done = [it for it in await looked_at.ledger(run_id) if it["status"] == "completed"]
        assert len(done) == 2 and following.calls == []


async def test_an_outcome_that_comes_while_stopping_is_committed(tmp_path: Path) -> None:
    """Also of an effect that was found in the outbox: its run waits to be driven for a moment."""
    gate = Gate()
    async with running(tmp_path, Stage({"run": ACTING}, serves=False)) as dead:
        driven = Driven(dead.plane, ScriptedProgram({"begin": Move(effects=(an_effect(),))}))
        await driven.bear(program=dead.birth().program)
        await driven.deliver(Advance())
    stage = Stage({"run": ACTING}, {"echo": always(gate)}, {"stop_s": 9})
    async with running(tmp_path, stage) as on_stage:
        await gate.until_inside(1)
        on_stage.runner.stop()
        gate.open()
    async with running(tmp_path, Stage({}, serves=False)) as looked_at:
        header = await looked_at.plane.runs.header(driven.id)
        assert header.status is Status.COMPLETED


async def test_what_does_not_end_in_time_is_cancelled_and_nothing_is_lost(tmp_path: Path) -> None:
    """The next process performs it again; what must not happen twice goes to a person."""
    gate = Gate()
    once: Script = {"begin": Move(effects=(an_effect(effect_class=EffectClass.ONCE),))}
    scripts: dict[str, Script] = {"run": ACTING, "once": once}
    stage = Stage(scripts, {"echo": always(gate)}, {"stop_s": 0.01})
    async with running(tmp_path, stage) as on_stage:
        again, doubtful = await on_stage.start(), await on_stage.start("once")
        await gate.until_inside(2)
    assert gate.inside == 0
    handler = Acted()
    async with running(tmp_path, Stage(scripts, {"echo": always(handler)})) as on_stage:
        await on_stage.until(again)
        asked = await on_stage.until(doubtful, Status.WAITING)
        assert asked.waiting["details"]["kind"] == "needs_review"
        assert len(handler.calls) == 1


async def test_a_runner_that_rests_stops_at_once(tmp_path: Path) -> None:
    """Nothing is waited for."""
    async with running(tmp_path, Stage({"run": ACTING}, config={"stop_s": 60})) as on_stage:
        with anyio.fail_after(30):
            on_stage.runner.stop()


class Faltering:
    """A store of runs that fails a commit of an outcome a few times."""

    def __init__(self, on_stage: Running, times: int) -> None:
        self._runs, self.left = on_stage.plane.runs, times

    async def commit(self, commit: Commit) -> Receipt:
        """Commit, unless it is to fail."""
        if commit.decision.arrived and self.left:
            self.left -= 1
            raise StoreFailed("away for a moment")
        receipt: Receipt = await self._runs.commit(commit)
        return receipt

    def __getattr__(self, name: str) -> object:
        return getattr(self._runs, name)


async def test_an_outcome_outlives_a_store_that_is_away(tmp_path: Path) -> None:
    """It is kept in hand and committed later: what must not happen twice is not in doubt for that."""
    handler = Acted()
    script: Script = {
        "begin": Move(effects=(an_effect(effect_class=EffectClass.ONCE),)),
        "a": Move(end=Done("done")),
    }
    async with running(tmp_path, Stage({"run": script}, {"echo": always(handler)})) as on_stage:
        faltering = Faltering(on_stage, 2)
        on_stage.plane.runs = faltering
        await on_stage.until(await on_stage.start())
        assert faltering.left == 0 and len(handler.calls) == 1


async def test_nothing_stays_in_hand_when_all_runs_have_ended(tmp_path: Path) -> None:
    """Neither active nor resting."""
    async with running(tmp_path, Stage({"run": ACTING}, {"echo": always(Acted())})) as on_stage:
        runs = [await on_stage.start() for _ in range(20)]
        for run_id in runs:
            await on_stage.until(run_id)
        await on_stage.rest()
        assert [on_stage.lane.hot.known(run_id) for run_id in runs] == [None] * 20


async def test_a_review_that_is_answered_during_a_hold_is_acted_on_after_it(tmp_path: Path) -> None:
    """The effect did not happen, and is tried again once the run is released."""
    outcomes = Acted(Unknown("cut"), Ok("done"))
    script: Script = {
        "begin": Move(effects=(an_effect(effect_class=EffectClass.ONCE),)),
        "a": Move(end=Done("done")),
    }
    async with running(tmp_path, Stage({"run": script}, {"echo": always(outcomes)})) as on_stage:
        run_id = await on_stage.start()
        asked = await on_stage.until(run_id, Status.WAITING)
        await on_stage.send(run_id, "hold")
        await on_stage.until_so(run_id, lambda header: header.held is not None)
        again = {"resolution": "did_not_happen", "then": "retry"}
        await on_stage.send(run_id, "resume", Key(asked.waiting["wait_key"]), again)
        await on_stage.until(run_id, Status.RUNNING)
        assert len(outcomes.calls) == 1
        await on_stage.send(run_id, "release")
        await on_stage.until(run_id)
        assert len(outcomes.calls) == 2
