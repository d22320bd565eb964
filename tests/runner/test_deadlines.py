"""A deadline ends a run and all below it: on time, after a restart, under a pause, and whatever is in flight."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from perdure.clock import Clock, text_of
from perdure.ids import RunId
from perdure.kernel.model import Deadline, Effect, EffectClass, Ok, Outcome, Status
from perdure.kernel.program import Move
from perdure.registry.effects import EffectContext
from perdure.runner import timers
from tests.runner.test_cancels import a_tree
from tests.support.builders import a_deadline, a_question, an_effect
from tests.support.clock import FakeClock
from tests.support.running import PATIENCE_S, Gate, Running, Script, Stage, always, running

pytestmark = pytest.mark.anyio

ASKING: Script = {"begin": Move(waits=(a_question(key="q"),))}
ACTING: Script = {"begin": Move(effects=(an_effect("a"), an_effect("b", EffectClass.ONCE)))}


def in_a_moment(clock: Clock, seconds: float = 0.05) -> Deadline:
    """The deadline of a run so long from now."""
    return Deadline(text_of(clock.now() + timedelta(seconds=seconds)), RunId("above"))


async def test_a_run_that_waits_ends_at_its_deadline(tmp_path: Path) -> None:
    """Long before the poll, and not before its time."""
    async with running(tmp_path, Stage({"run": ASKING}, config={"poll_s": 60.0})) as on_stage:
        deadline = in_a_moment(on_stage.stage.clock)
        ended = await on_stage.until(await on_stage.start(deadline=deadline), Status.FAILED)
        assert ended.updated_at >= deadline.at
        assert ended.error == f"deadline_passed: the deadline of run above, which is above it, was {deadline.at}"  # fmt: skip


async def test_what_is_in_flight_is_told_to_end(tmp_path: Path) -> None:
    gate, clock = Gate(), FakeClock()
    stage = Stage({"run": ACTING}, {"echo": always(gate)}, {"poll_s": 0.01}, clock)
    async with running(tmp_path, stage) as on_stage:
        run_id = await on_stage.start(deadline=a_deadline(60))
        await gate.until_inside(2)
        clock.advance(60)
        await on_stage.until(run_id, Status.FAILED)
        await gate.moved.until(lambda: gate.inside == 0)
        await on_stage.rest()
        assert await on_stage.outbox() == []


async def test_a_handler_that_will_not_end_is_dead_after_the_grace(tmp_path: Path) -> None:
    async def ignore(_effect: Effect, _context: EffectContext) -> Outcome:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3_600)

    stage = Stage({"run": ACTING}, {"echo": always(ignore)}, {"grace_s": 0.05})
    async with running(tmp_path, stage) as on_stage:
        run_id = await on_stage.start(deadline=in_a_moment(on_stage.stage.clock))
        await on_stage.until(run_id, Status.FAILED)
        with anyio.fail_after(PATIENCE_S):
            await on_stage.rest()
        assert on_stage.lane.performing == 0


@dataclass
class Counted:
    """A handler that takes a moment, and counts how often it was begun."""

    begun: int = 0
    moved: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, _effect: Effect, _context: EffectContext) -> Outcome:
        self.begun += 1
        self.moved.set()
        self.moved = anyio.Event()
        await anyio.sleep(0)
        return Ok(None)

    async def until(self, begun: int) -> None:
        """Wait until it was begun so often."""
        while self.begun < begun:
            await self.moved.wait()


@pytest.mark.parametrize("moment", [1, 20, 60])
async def test_nothing_of_the_tree_begins_behind_the_deadline(tmp_path: Path, moment: int) -> None:
    """The tree goes on for ever, until the clock is moved there; from then on not one effect begins."""
    clock, handler = FakeClock(), Counted()
    stage = Stage(a_tree(), {"echo": always(handler)}, {"poll_s": 0.01}, clock)
    async with running(tmp_path, stage) as on_stage:
        root = await on_stage.start(deadline=a_deadline(60))
        await handler.until(moment)
        clock.advance(60)
        begun = handler.begun
        await on_stage.until(root, Status.FAILED)
        await on_stage.rest()
        assert handler.begun == begun
        told = await on_stage.rows("SELECT DISTINCT status, substr(error, 1, 16) FROM runs")
        assert told == [("failed", "deadline_passed:")]
        assert await on_stage.outbox() == []


@pytest.mark.parametrize("held", [False, True])
async def test_a_deadline_that_passed_while_nobody_was_there_ends_the_run_at_the_start(
    tmp_path: Path, held: bool
) -> None:
    clock = FakeClock()
    async with running(tmp_path, Stage({"run": ASKING}, clock=clock)) as on_stage:
        run_id = await on_stage.start(deadline=a_deadline(60))
        await on_stage.until(run_id, Status.WAITING)
        if held:
            await on_stage.send(run_id, "pause")
            await on_stage.until_so(run_id, lambda header: header.held is not None)
    clock.advance(999)
    async with running(tmp_path, Stage({"run": ASKING}, clock=clock)) as again:
        assert (await again.until(run_id, Status.FAILED)).held is None


async def test_many_deadlines_that_come_together_end_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "BACKLOG_MAX", 0)
    clock = FakeClock()
    stage = Stage({"run": ASKING}, config={"page": 3, "poll_s": 0.01}, clock=clock)
    async with running(tmp_path, stage) as on_stage:
        runs = [await on_stage.start(deadline=a_deadline(60)) for _ in range(10)]
        for run_id in runs:
            await on_stage.until(run_id, Status.WAITING)
        clock.advance(60)
        for run_id in runs:
            await on_stage.until(run_id, Status.FAILED)


async def test_a_run_that_ended_in_time_is_left_as_it_is(tmp_path: Path) -> None:
    gate = Gate()
    gate.open()
    done: Script = {"begin": Move(effects=(an_effect(),)), "a ok": Move(waits=(a_question(key="q"),))}  # fmt: skip
    clock = FakeClock()
    stage = Stage({"run": done}, {"echo": always(gate)}, {"poll_s": 0.01}, clock)
    async with running(tmp_path, stage) as on_stage:
        run_id = await on_stage.start(deadline=a_deadline(60))
        await on_stage.send(run_id, "cancel", body={"reason": "enough"})
        assert (await on_stage.until(run_id, Status.CANCELLED)).error == "enough"
        clock.advance(60)
        assert await on_stage.plane.waits.next_deadline() is None
        await on_stage.rest()
        assert (await on_stage.plane.runs.header(run_id)).status is Status.CANCELLED


async def rows_of(on_stage: Running, run_id: RunId) -> list[str]:
    """The errors in a run's ledger."""
    return [one["error"] for one in await on_stage.ledger(run_id) if one["error"]]


async def test_the_ledger_says_what_ended_the_run(tmp_path: Path) -> None:
    async with running(tmp_path, Stage({"run": ASKING})) as on_stage:
        run_id = await on_stage.start(deadline=in_a_moment(on_stage.stage.clock))
        ended = await on_stage.until(run_id, Status.FAILED)
        assert await rows_of(on_stage, run_id) == [ended.error]
