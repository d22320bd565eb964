"""What is found in a plane: births, messages and effects that others left."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import Engine

from perdure.adapters.sql.sqlite import SqliteDatabase
from perdure.clock import text_of
from perdure.kernel.draft import born
from perdure.kernel.model import Advance, Ok, Status
from perdure.kernel.program import Done, Move
from perdure.runner.claim import claim, effects, is_owed
from perdure.runner.lane import Lane
from tests.support.builders import a_question, a_timer, an_effect
from tests.support.clock import START, FakeClock
from tests.support.driving import Driven
from tests.support.running import FAR, PAST, Acted, Running, Script, Stage, always, running
from tests.support.scripted import ScriptedProgram

pytestmark = pytest.mark.anyio

ACTING: Script = {"begin": Move(effects=(an_effect(),)), "a": Move(end=Done("done"))}
HEARING: Script = {
    "begin": Move(waits=(a_question(key="k"),)),
    "told": [Move(), Move(), Move(end=Done("three words"))],
}


def stage(handler: Acted | None = None, *, serves: bool = True, page: int = 500) -> Stage:
    """A run that asks for one effect, and one that hears three words."""
    scripts: dict[str, Script] = {"run": ACTING, "hearing": HEARING}
    return Stage(scripts, {"echo": always(handler or Acted())}, {"page": page}, serves=serves)


async def test_births_of_a_process_that_is_gone_are_claimed_and_begun(tmp_path: Path) -> None:
    """More of them than a page holds."""
    async with running(tmp_path, stage(serves=False)) as dead:
        runs = [await dead.start() for _ in range(5)]
    async with running(tmp_path, stage(page=2)) as on_stage:
        for run_id in runs:
            await on_stage.until(run_id)


async def test_a_plane_that_owes_nothing_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction that only reads, and nobody is woken."""
    looks, session = list[str](), SqliteDatabase._session

    def counted(database: SqliteDatabase, engine: Engine, begin: str) -> Any:
        looks.append(begin)
        return session(database, engine, begin)

    async with running(tmp_path, stage(serves=False)) as on_stage:
        lane = Lane(on_stage.runtime, on_stage.runner.config)
        monkeypatch.setattr(SqliteDatabase, "_session", counted)
        assert not await is_owed(lane)
        assert looks == ["BEGIN"]
        assert not (lane.tick.is_set() or lane.kept.is_set() or lane.next_due)


async def test_what_is_owed_wakes_timers_and_carriers_and_what_comes_later_is_kept(
    tmp_path: Path,
) -> None:
    """A wait of which nobody told, before its time and then."""
    clock = FakeClock()
    until = START + timedelta(hours=1)
    asks: Script = {"begin": Move(waits=(a_timer("t", until),)), "t due": Move(end=Done(None))}
    async with running(tmp_path, Stage({"run": asks}, clock=clock)) as on_stage:
        await on_stage.until(await on_stage.start(), Status.WAITING)
        lane = Lane(on_stage.runtime, on_stage.runner.config)
        assert not await is_owed(lane)
        assert lane.next_due == text_of(until)
        on_stage.runner.stop()
        clock.advance(3_600)
        lane.tick = anyio.Event()
        assert await is_owed(lane)
        assert lane.tick.is_set()
        assert lane.kept.is_set()


async def test_messages_are_brought_in_pages_and_in_order(tmp_path: Path) -> None:
    """Each once: three words end the run, no word is told twice."""
    async with running(tmp_path, stage(serves=False)) as dead:
        run_id = await dead.start("hearing")
        words = [await dead.send(run_id, "told", body=n) for n in range(3)]
    async with running(tmp_path, stage(page=2)) as on_stage:
        ended = await on_stage.until(run_id)
        assert [await on_stage.settled(word) for word in words] == ["applied"] * 3
        assert ended.output == "three words"


async def test_a_message_that_is_claimed_twice_is_delivered_once(tmp_path: Path) -> None:
    """A lease that ran out brings it again; it waits in the queue already, and nothing is kept for it."""
    async with running(tmp_path, stage(serves=False)) as on_stage:
        run_id = await on_stage.start("hearing")
        await on_stage.send(run_id, "told", body=1)
        lane = Lane(on_stage.runtime, on_stage.runner.config)
        await claim(lane)
        await on_stage.plane.inbox.claim("other", now=FAR, until=PAST, limit=9)
        await claim(lane)
        hot = lane.hot.known(run_id)
        assert hot is not None
        assert [it.taken is not None for it in hot.queue].count(True) == 1


async def test_what_was_delivered_before_leaves_nothing_in_hand(tmp_path: Path) -> None:
    """A claim that brings nothing new does not keep its runs active for ever."""
    async with running(tmp_path, stage(serves=False)) as on_stage:
        run_id = await on_stage.start("hearing")
        await on_stage.send(run_id, "told", body=1)
        lane = Lane(on_stage.runtime, on_stage.runner.config)
        await claim(lane)
        lane.hot.at_hand(run_id).queue.clear()  # as if it had been driven
        lane.hot.at_hand(run_id).driving = False
        await on_stage.plane.inbox.claim("other", now=FAR, until=PAST, limit=9)
        await claim(lane)
        assert lane.hot.active() == ()


async def asked_by_another(on_stage: Running, leased_until: str) -> Driven:
    """A run that another process drives, with an effect that it leased."""
    driven = Driven(on_stage.plane, ScriptedProgram({"begin": Move(effects=(an_effect(),))}))
    birth = born(on_stage.birth(), {})
    await driven.commit(birth, holder="other", leased_until=FAR)
    await driven.deliver(Advance(), holder="other", leased_until=leased_until)
    return driven


async def test_an_effect_left_by_a_dead_holder_is_performed_after_its_lease(tmp_path: Path) -> None:
    """And not before."""
    handler = Acted()
    async with running(tmp_path, stage(handler, serves=False)) as on_stage:
        lane = Lane(on_stage.runtime, on_stage.runner.config)
        await asked_by_another(on_stage, FAR)
        assert await effects(lane) == []
        left = await asked_by_another(on_stage, PAST)
        assert [it.run_id for it in await effects(lane)] == [left.id]
    async with running(tmp_path, stage(handler)) as on_stage:
        await on_stage.until(left.id)
    assert {effect.tag for effect, _ in handler.calls} == {"a"}


async def test_a_full_page_of_effects_asks_for_another_look(tmp_path: Path) -> None:
    """There may be more."""
    async with running(tmp_path, stage(serves=False, page=1)) as on_stage:
        lane = Lane(on_stage.runtime, on_stage.runner.config)
        await asked_by_another(on_stage, PAST)
        assert len(await effects(lane)) == 1 and lane.look.is_set()


async def test_an_effect_of_a_run_that_rests_here_is_performed_though_another_asked_for_it(
    tmp_path: Path,
) -> None:
    """What is kept of a run is not trusted over what the outbox says."""
    handler = Acted(Ok("late"))
    script: Script = {
        "begin": Move(waits=(a_question(key="k"),)),
        "q": Move(effects=(an_effect(),)),
        "a": Move(end=Done("done")),
    }
    stage_ = Stage({"run": script}, {"echo": always(handler)})
    async with running(tmp_path, stage_) as on_stage:
        run_id = await on_stage.start()
        await on_stage.until(run_id, Status.WAITING)
        await on_stage.rest()
        other = Driven(on_stage.plane, ScriptedProgram({"q": Move(effects=(an_effect(),))}))
        loaded = (await on_stage.plane.runs.load([run_id]))[run_id]
        other.run, other.cells = loaded.run, loaded.cells
        await other.answer("q", holder="dead", leased_until=PAST)
        on_stage.lane.look_again()
        await on_stage.until(run_id)
        assert len(handler.calls) == 1
