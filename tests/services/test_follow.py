"""A reader gets every record once and in order, whatever it misses, and is never waited for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from perdure.clock import text_of
from perdure.ids import Key, RunId, StepId
from perdure.kernel.draft import born
from perdure.kernel.model import Birth, Decision, ProgramRef, Run, Status, Step
from perdure.registry.effects import Delta
from perdure.runtimes.deltas import RunDelta
from perdure.services import follow as following
from perdure.services.follow import Item, Steps, is_last
from perdure.stores.records import Record
from perdure.stores.runs import Commit
from tests.support.builders import a_birth
from tests.support.clock import START, FakeClock
from tests.support.gateway import Gateway, Options, a_gateway

pytestmark = pytest.mark.anyio
AT = text_of(START)
LAST_KEY = "system:terminal_status:completed"


@pytest.fixture
async def still(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway without a runner and with a clock of ours: what happens is what the test commits."""
    async with a_gateway(tmp_path, Options(runs=False, clock=FakeClock())) as one:
        yield one


class Writer:
    """Writes the ledger of one run, record by record."""

    def __init__(self, gateway: Gateway, name: str = "run") -> None:
        self.runs = gateway.runtime.plane.runs
        self.birth: Birth = a_birth(name, program=ProgramRef("echo", None, name))
        self.run: Run = born(self.birth, {}).run

    async def born(self) -> RunId:
        await self.runs.commit(Commit(born(self.birth, {})))
        return self.birth.id

    async def writes(
        self, count: int, *, last: bool = False, then: Status = Status.RUNNING
    ) -> None:
        """Commit `count` records, each by itself; the last one ends the run, or leaves it as wished."""
        for index in range(count):
            ends = last and index == count - 1
            seq = self.run.seq + 1
            step = Step(seq, StepId(f"s{seq}"), "node", "completed", AT, AT, result=seq,
                        idempotency_key=LAST_KEY if ends else Key(f"k{seq}"))  # fmt: skip
            status = Status.RUNNING if index < count - 1 else then
            status = Status.COMPLETED if ends else status
            after = replace(
                self.run, version=self.run.version + 1, seq=seq, status=status, ready=False
            )
            decision = Decision(run=after, read_version=self.run.version, steps=(step,))
            await self.runs.commit(Commit(decision))
            self.run = after


async def taken(steps: Steps) -> list[int]:
    """The numbers of every record until the steps end."""
    with anyio.fail_after(30):
        return [item.seq async for items in steps for item in items if isinstance(item, Record)]


def shown(items: Sequence[Item]) -> list[int | str]:
    """The numbers of records and the texts of deltas."""
    return [it.seq if isinstance(it, Record) else it.delta.text for it in items]


async def handed(steps: Awaitable[list[Item]]) -> list[int | str]:
    """What a reader is handed that waits."""
    with anyio.fail_after(30):
        return shown(await steps)


async def test_what_was_written_before_comes_first_and_then_what_is_written(still: Gateway) -> None:
    writer = Writer(still)
    run_id = await writer.born()
    await writer.writes(3)
    async with Steps(still.runtime, run_id, 0, deltas=False) as steps:
        await steps.begin()
        assert [item.seq for item in await anext(steps) if isinstance(item, Record)] == [1, 2, 3]
        await writer.writes(2, last=True)
        assert await taken(steps) == [4, 5]


async def test_of_a_run_that_has_not_moved_the_store_is_asked_nothing(
    still: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(still)
    run_id = await writer.born()
    for name in ("ledger", "header"):
        monkeypatch.setattr(still.runtime.plane.runs, name, None)
    async with Steps(still.runtime, run_id, 0, deltas=True) as steps:
        await steps.begin()
        still.runtime.deltas.publish((run_id,), StepId("s"), 1, Delta(0, "text", "Hel"))
        assert await handed(anext(steps)) == ["Hel"]
        await writer.writes(2, last=True)
        assert await taken(steps) == [1, 2]


async def test_a_reader_goes_on_after_its_cursor(still: Gateway) -> None:
    writer = Writer(still)
    run_id = await writer.born()
    await writer.writes(5, last=True)
    for after in range(7):
        async with Steps(still.runtime, run_id, after, deltas=False) as steps:
            await steps.begin()
            assert await taken(steps) == list(range(after + 1, 6))


async def test_pages_join_without_a_seam(still: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PAGE", 2)
    writer = Writer(still)
    run_id = await writer.born()
    await writer.writes(6)
    async with Steps(still.runtime, run_id, 0, deltas=False) as steps:
        await steps.begin()
        await writer.writes(3, last=True)
        assert await taken(steps) == list(range(1, 10))


async def test_a_slow_reader_falls_behind_and_catches_up(
    still: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "WAITING_MAX", 3)
    writer = Writer(still)
    run_id = await writer.born()
    async with Steps(still.runtime, run_id, 0, deltas=False) as steps:
        await steps.begin()
        await writer.writes(10, last=True)
        assert len(steps._waiting) <= 3, "what it did not take is not kept"
        assert await taken(steps) == list(range(1, 11))


async def test_a_hint_alone_makes_a_reader_look(still: Gateway) -> None:
    writer = Writer(still)
    run_id = await writer.born()
    hub = still.runtime.hub
    async with Steps(still.runtime, run_id, 0, deltas=False) as steps:
        await steps.begin()
        told, hub._by_run = hub._by_run, {}  # the commits of another process are not told here
        await writer.writes(3, last=True)
        hub._by_run = told
        hub.hint(None)
        assert await taken(steps) == [1, 2, 3]


async def test_without_any_hint_the_store_is_asked_again_after_a_while(still: Gateway) -> None:
    writer = Writer(still)
    run_id = await writer.born()
    hub, clock = still.runtime.hub, still.runtime.clock
    assert isinstance(clock, FakeClock)
    async with Steps(still.runtime, run_id, 0, deltas=False) as steps:
        await steps.begin()
        hub._by_run = {}
        await writer.writes(2, last=True)
        steps.nudge()
        assert await anext(steps) == []
        clock.advance(following.LOOK_AGAIN_S)
        steps.nudge()
        assert await anext(steps) == []
        assert await taken(steps) == [1, 2]


async def test_deltas_come_between_the_records_around_them(still: Gateway) -> None:
    writer = Writer(still)
    run_id = await writer.born()
    deltas = still.runtime.deltas
    async with Steps(still.runtime, run_id, 0, deltas=True) as steps:
        await steps.begin()
        await writer.writes(1)
        deltas.publish((run_id,), StepId("s"), 1, Delta(0, "text", "Hel"))
        deltas.publish((run_id,), StepId("s"), 1, Delta(3, "text", "lo"))
        await writer.writes(1, last=True)
        items = await anext(steps)
    assert shown(items) == [1, "Hel", "lo", 2]


async def test_who_did_not_ask_gets_no_deltas(still: Gateway) -> None:
    writer = Writer(still)
    run_id = await writer.born()
    async with Steps(still.runtime, run_id, 0, deltas=False) as steps:
        await steps.begin()
        still.runtime.deltas.publish((run_id,), StepId("s"), 1, Delta(0, "text", "Hel"))
        await writer.writes(1, last=True)
        assert not any(isinstance(item, RunDelta) for item in await anext(steps))


# --- the pace --------------------------------------------------------------------------------------


@pytest.fixture
async def paused(
    still: Gateway, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Writer, Steps]]:
    """A reader that was just handed a record, and has a pause before it that does not end by itself."""
    monkeypatch.setattr(following, "PACE_S", 3_600)
    writer = Writer(still)
    run_id = await writer.born()
    async with Steps(still.runtime, run_id, 0, deltas=True) as steps:
        await steps.begin()
        await writer.writes(1)
        assert await handed(anext(steps)) == [1], "a quiet reader is told at once"
        yield writer, steps


async def test_while_a_run_moves_what_follows_is_joined(paused: tuple[Writer, Steps]) -> None:
    writer, steps = paused
    reading = asyncio.ensure_future(anext(steps))
    await writer.writes(2)
    deltas = steps._runtime.deltas
    deltas.publish((steps.run_id,), StepId("s"), 1, Delta(0, "text", "Hel"))
    await writer.writes(1)
    await anyio.wait_all_tasks_blocked()
    assert not reading.done()
    steps._end_pause()
    assert await handed(reading) == [2, 3, "Hel", 4]


@pytest.mark.parametrize("status", [Status.WAITING, Status.COMPLETED])
async def test_where_a_run_comes_to_rest_its_reader_is_told_at_once(
    paused: tuple[Writer, Steps], status: Status
) -> None:
    writer, steps = paused
    reading = asyncio.ensure_future(anext(steps))
    await writer.writes(3, last=status is Status.COMPLETED, then=status)
    assert await handed(reading) == [2, 3, 4]
    assert steps.ended is (status is Status.COMPLETED)


async def test_a_rest_is_over_once_it_was_told(paused: tuple[Writer, Steps]) -> None:
    writer, steps = paused
    await writer.writes(1, then=Status.WAITING)
    assert await handed(anext(steps)) == [2]
    reading = asyncio.ensure_future(anext(steps))
    steps._runtime.deltas.publish((steps.run_id,), StepId("s"), 1, Delta(0, "text", "Hel"))
    await anyio.wait_all_tasks_blocked()
    assert not reading.done()
    await writer.writes(1)
    await anyio.wait_all_tasks_blocked()
    assert not reading.done()
    await writer.writes(1, last=True)
    assert await handed(reading) == ["Hel", 3, 4]


async def test_a_reader_that_fell_behind_makes_no_pause(
    paused: tuple[Writer, Steps], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, steps = paused
    monkeypatch.setattr(following, "WAITING_MAX", 3)
    reading = asyncio.ensure_future(anext(steps))
    await writer.writes(4)
    assert await handed(reading) == [2, 3, 4, 5]


async def test_a_pause_does_not_hold_up_whoever_nudges(paused: tuple[Writer, Steps]) -> None:
    writer, steps = paused
    reading = asyncio.ensure_future(anext(steps))
    await writer.writes(1)
    steps.nudge()
    assert await handed(reading) == []
    assert steps.cursor == 1


async def test_a_reader_that_stops_waiting_is_woken_no_more(paused: tuple[Writer, Steps]) -> None:
    writer, steps = paused
    reading = asyncio.ensure_future(anext(steps))
    await anyio.wait_all_tasks_blocked()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await writer.writes(1, last=True)
    assert await taken(steps) == [2]


async def test_a_closed_reader_is_told_nothing(still: Gateway) -> None:
    writer = Writer(still)
    run_id = await writer.born()
    steps = Steps(still.runtime, run_id, 0, deltas=True)
    await steps.begin()
    await writer.writes(1)
    await anext(steps)
    steps.close()
    steps.close()
    assert steps._pause is not None
    assert steps._pause.cancelled()
    await writer.writes(1)
    assert not steps._waiting
    assert not still.runtime.hub._by_run


async def test_the_last_record_is_known_by_itself(still: Gateway) -> None:
    writer = Writer(still)
    run_id = await writer.born()
    await writer.writes(2, last=True)
    first, last = await writer.runs.ledger(run_id, after=0, limit=2)
    assert (is_last(first), is_last(last)) == (False, True)
