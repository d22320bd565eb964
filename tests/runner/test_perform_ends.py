"""The end of an effect in flight: how its handler is told, and what becomes of one that does not go."""

import asyncio
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from perdure.ids import Key
from perdure.kernel.model import Effect, Ok, Outcome, Status
from perdure.kernel.program import Done, Move
from perdure.registry.effects import EffectContext
from tests.support.builders import a_question, an_effect
from tests.support.running import (
    PATIENCE_S,
    Acted,
    Gate,
    Script,
    Stage,
    a_stage,
    always,
    running,
)

pytestmark = pytest.mark.anyio


async def test_a_cancel_ends_what_is_in_flight_and_its_outcome_changes_nothing(
    tmp_path: Path,
) -> None:
    """The handler's `finally` runs; that it came too late is noted in the outbox."""
    gate = Gate()
    async with running(tmp_path, a_stage(gate)) as on_stage:
        run_id = await on_stage.start()
        await gate.until_inside(1)
        await on_stage.send(run_id, "cancel", body={"reason": "enough"})
        await gate.moved.until(lambda: gate.left == ["a"])
        ended = await on_stage.until(run_id, Status.CANCELLED)
        await on_stage.rest()
        assert await on_stage.outbox() == [] and ended.seq == 2
        rows = await on_stage.rows("SELECT disposition FROM outbox")
    assert rows == [("ignored: came too late: unknown",)]


class Stubborn:
    """A handler that is not let go before the test says so."""

    def __init__(self) -> None:
        self.ending, self.may_end = anyio.Event(), anyio.Event()

    async def __call__(self, _effect: Effect, _context: EffectContext) -> Outcome:
        try:
            await anyio.sleep_forever()
        finally:
            self.ending.set()
            with anyio.CancelScope(shield=True):
                await self.may_end.wait()
        return Ok(None)


async def test_what_is_given_up_while_its_timeout_ends_it_harms_nobody(tmp_path: Path) -> None:
    """Ending twice is as good as once: the same decision's next effect is performed."""
    script: Script = {
        "begin": Move(effects=(an_effect(),), waits=(a_question(key="k"),)),
        "q": Move(withdraw=("a",), effects=(replace(an_effect("b"), kind="next"),)),
        "b": Move(end=Done("b")),
    }
    stubborn = Stubborn()
    kinds = {"echo": always(stubborn, timeout_s=0.01), "next": always(Acted())}
    async with running(tmp_path, Stage({"run": script}, kinds)) as on_stage:
        run_id = await on_stage.start()
        await stubborn.ending.wait()
        await on_stage.send(run_id, "resume", Key("k"), {"response": "yes"})
        await on_stage.until(run_id)
        stubborn.may_end.set()


async def test_a_handler_that_ends_a_part_of_itself_has_all_its_time(tmp_path: Path) -> None:
    """As one that connects to the first of several addresses and then reads a long stream."""

    async def connect_and_read(_effect: Effect, _context: EffectContext) -> Outcome:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            await anyio.sleep(0)
            group.cancel_scope.cancel()
        for _ in range(5):
            await anyio.sleep(0.02)
        return Ok("read")

    async with running(tmp_path, a_stage(connect_and_read, config={"grace_s": 0.02})) as on_stage:
        run = await on_stage.until(await on_stage.start())
        assert run.status is Status.COMPLETED


async def test_a_handler_that_takes_its_cancel_back_is_dead_after_the_grace(tmp_path: Path) -> None:
    """Whoever gave it up still knows."""
    asked = anyio.Event()

    async def ignore(_effect: Effect, _context: EffectContext) -> Outcome:
        asked.set()
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3_600)
            asyncio.current_task().uncancel()  # type: ignore[union-attr]  # handlers run in one

    async with running(tmp_path, a_stage(ignore, config={"grace_s": 0.05})) as on_stage:
        run_id = await on_stage.start()
        await asked.wait()
        await on_stage.send(run_id, "cancel")
        await on_stage.until(run_id, Status.CANCELLED)
        with anyio.fail_after(PATIENCE_S):
            await on_stage.rest()
        assert on_stage.lane.performing == 0


async def test_a_handler_that_ignores_its_cancel_is_dead_after_the_grace(tmp_path: Path) -> None:
    """It is resumed no more, and the run's next effects have its room."""
    asked = anyio.Event()

    async def ignore(_effect: Effect, _context: EffectContext) -> Outcome:
        asked.set()
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3_600)

    stage = a_stage(ignore, config={"grace_s": 0.2, "effects_at_once": 1})
    async with running(tmp_path, stage) as on_stage:
        run_id = await on_stage.start()
        await asked.wait()
        await on_stage.send(run_id, "cancel")
        await on_stage.until(run_id, Status.CANCELLED)
        with anyio.fail_after(PATIENCE_S):
            await on_stage.rest()
        assert on_stage.lane.performing == 0 and on_stage.lane.room.value == 1
