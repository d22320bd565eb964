"""Times that come due."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio.lowlevel
import pytest

from perdure.clock import text_of
from perdure.kernel.model import Advance, Due, Event, Status
from perdure.kernel.program import Done, Moment, Move, View
from perdure.runner import timers
from perdure.runner.lane import Lane
from perdure.runner.timers import deliver_due, until_due
from perdure.stores.inbox import Message
from tests.support.builders import a_question, a_timer
from tests.support.clock import START, FakeClock
from tests.support.driving import Driven
from tests.support.running import Running, Script, Stage, running
from tests.support.scripted import ScriptedProgram

pytestmark = pytest.mark.anyio

FAR = datetime(2999, 1, 1, tzinfo=UTC)


def waiting(seconds: float) -> Script:
    """A run that waits so long, and ends."""

    def begin(_cells: View, _event: Event, moment: Moment) -> Move:
        return Move(waits=(a_timer("t", moment.at + timedelta(seconds=seconds)),))

    return {"begin": begin, "t due": Move(end=Done("due"))}


async def test_a_wait_fires_when_its_time_has_come(tmp_path: Path) -> None:
    """Long before the poll."""
    async with running(tmp_path, Stage({"run": waiting(0.05)})) as on_stage:
        await on_stage.until(await on_stage.start())


async def test_an_earlier_time_that_is_learnt_later_fires_first(tmp_path: Path) -> None:
    """The timers are woken from their sleep."""
    stage = Stage({"late": waiting(3_600), "soon": waiting(0.05)})
    async with running(tmp_path, stage) as on_stage:
        late = await on_stage.start("late")
        await on_stage.until(late, Status.WAITING)
        await on_stage.until(await on_stage.start("soon"))
        assert (await on_stage.plane.runs.header(late)).status is Status.WAITING


async def test_a_thousand_waits_that_are_due_at_once_all_fire(tmp_path: Path) -> None:
    """In pages, each of them once."""
    clock = FakeClock()
    script: Script = {"begin": Move(waits=(a_timer("t", START + timedelta(hours=1)),))}
    asleep = Stage({"run": script}, clock=clock, config={"page": 100})
    async with running(tmp_path, asleep) as on_stage:
        runs = [await on_stage.start() for _ in range(1_000)]
        for run_id in runs:
            await on_stage.until(run_id, Status.WAITING)
    clock.advance(3_600)
    awake = Stage({"run": {"t": Move(end=Done("due"))}}, clock=clock, config={"page": 100})
    async with running(tmp_path, awake) as on_stage:
        for run_id in runs:
            await on_stage.until(run_id)
        assert len(on_stage.committed) == 1_000


async def test_a_backlog_holds_the_timers_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more runs are queued than can be driven soon, and all fire all the same."""
    monkeypatch.setattr(timers, "BACKLOG_MAX", 0)
    stage = Stage({"run": waiting(0.01)}, config={"page": 1, "runs_at_once": 1})
    async with running(tmp_path, stage) as on_stage:
        for run_id in [await on_stage.start() for _ in range(5)]:
            await on_stage.until(run_id)


async def test_a_time_that_a_hold_hid_fires_soon_after_the_release(tmp_path: Path) -> None:
    """The timers learn of it again; they had looked while it was held, and would sleep for a poll."""
    clock = FakeClock()
    async with running(tmp_path, Stage({"run": waiting(60)}, clock=clock)) as on_stage:
        run_id = await on_stage.start()
        await on_stage.until(run_id, Status.WAITING)
        await on_stage.send(run_id, "hold")
        await on_stage.until_so(run_id, lambda header: header.held is not None)
        clock.advance(60)
        looked, lane = on_stage.lane.tick, on_stage.lane
        looked.set()
        while lane.tick is looked:  # until the timers have looked, and sleep again
            await anyio.lowlevel.checkpoint()
        await on_stage.send(run_id, "release")
        await on_stage.until(run_id)


async def test_what_is_due_is_queued_and_the_next_time_is_known(tmp_path: Path) -> None:
    """One look: what has come is delivered, what comes next is remembered."""
    stage = Stage({}, clock=FakeClock(), serves=False)
    async with running(tmp_path, stage) as on_stage:
        await _asleep(on_stage, "past", START)
        await _asleep(on_stage, "far", FAR)
        await deliver_due(on_stage.lane)
        queued = [list(hot.queue) for hot in on_stage.lane.ready]
        assert len(queued) == 2  # a birth is queued for each, and for one its time
        # What was queued is looked for again, lest it was lost; until then only the next is awaited.
        assert on_stage.lane.next_due == text_of(START + timedelta(seconds=timers.AGAIN_S))


async def test_what_a_run_is_just_being_told_is_not_queued_again(tmp_path: Path) -> None:
    """A look that comes while the first commit is under way finds the wait still open."""
    stage = Stage({}, clock=FakeClock(), serves=False)
    async with running(tmp_path, stage) as on_stage:
        await _asleep(on_stage, "past", START)
        await deliver_due(on_stage.lane)
        (hot,) = on_stage.lane.ready
        while not isinstance((taken := hot.queue.popleft()).event, Due):
            pass
        hot.taken = taken
        await deliver_due(on_stage.lane)
        assert not hot.queue
        hot.taken = None  # it came to nothing: the next look brings it again
        await deliver_due(on_stage.lane)
        assert [delivery.event for delivery in hot.queue] == [taken.event]


async def _asleep(on_stage: Running, name: str, until: datetime) -> None:
    script = {"begin": Move(waits=(a_timer("t", until),))}
    driven = Driven(on_stage.plane, ScriptedProgram(script))
    await driven.bear(name)
    await driven.deliver(Advance())


async def test_a_time_that_has_come_waits_for_an_answer_that_was_taken_in_before(
    tmp_path: Path,
) -> None:
    """Who was to bring the answer has died; whoever is there when the time has come leaves it the wait."""
    clock = FakeClock()
    async with running(tmp_path, Stage({}, clock=clock, serves=False)) as on_stage:
        asked = a_question("q", until=START + timedelta(seconds=5))
        driven = Driven(on_stage.plane, ScriptedProgram({"begin": Move(waits=(asked,))}))
        await driven.begin("run")
        entry, at = driven.opened("q"), text_of(START)
        answer = Message("answer", driven.id, "resume", entry.key, {"response": "yes"}, entry.seq)
        await on_stage.plane.inbox.put(answer, body_hash="h", at=at)
        clock.advance(6)
        await deliver_due(on_stage.lane)
        (hot,) = on_stage.lane.ready
        assert [it.event for it in hot.queue] == [Advance()], "its birth alone"
        again = text_of(START + timedelta(seconds=6 + timers.AGAIN_S))
        assert on_stage.lane.next_due == again
        await on_stage.plane.inbox.settle(answer.id, "ignored: why not", at=at)
        await deliver_due(on_stage.lane)
        assert hot.queue[-1].event == Due(entry.key, entry.seq)


async def test_timers_that_know_of_nothing_wake_for_nothing(tmp_path: Path) -> None:
    """No poll wakes them: what another process opened is found by the look under everything."""
    stage = Stage({}, config={"poll_s": 0.0}, serves=False)
    async with running(tmp_path, stage) as on_stage, anyio.create_task_group() as group:
        lane, woken = on_stage.lane, anyio.Event()

        async def sleeping() -> None:
            await until_due(lane)
            woken.set()

        group.start_soon(sleeping)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        assert not woken.is_set()
        lane.due_at(text_of(START))
        await woken.wait()


async def test_what_nobody_told_of_is_found_by_the_poll(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A birth, a time and an end, as if another process had committed each and its hint were lost."""
    monkeypatch.setattr(Lane, "heard", lambda _lane, _batch: None)
    stage = Stage({"run": waiting(0.05)}, config={"poll_s": 0.02})
    async with running(tmp_path, stage) as on_stage:
        await on_stage.until(await on_stage.start())
