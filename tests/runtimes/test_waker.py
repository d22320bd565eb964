"""What is due in a plane happens though nobody asks for the plane: never late, and at no cost before."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import pytest

from perdure.clock import SystemClock, text_of
from perdure.ids import RunId, RuntimeId, TenantId
from perdure.kernel.program import Done, Move
from perdure.runtimes.waker import Waker, WakerConfig
from tests.support.branches import Branches, Sleep
from tests.support.builders import an_effect
from tests.support.clock import FakeClock
from tests.support.housing import TENANT, House, a_house
from tests.support.planes import DATABASES
from tests.support.running import Acted, Gate, Script, Stage, always

pytestmark = pytest.mark.anyio

ACTING: Script = {"begin": Move(effects=(an_effect(),)), "a": Move(end=Done("done"))}
FAR_S, SOON_S = 3600.0, 0.6


class Later(SystemClock):
    """The machine's clock, and more of it when a test says so."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """The time of day, so much later."""
        return super().now() + self.ahead


def a_sleeper(seconds: float, clock: SystemClock | FakeClock | None = None) -> Stage:
    """Runs that sleep so long, and end."""
    return Stage({"run": Branches((Sleep(seconds),))}, clock=clock or SystemClock())


async def slept(house: House, name: str) -> RunId:
    """A run that waits for its time, in a plane that is closed again."""
    run_id = await house.start(name)
    await house.until(name, run_id, "waiting")
    await house.until_closed(name)
    return run_id


async def ended(house: House, name: str) -> None:
    """Wait until the plane's run has gone on by itself: nobody here opens the plane."""
    with anyio.fail_after(30):
        while (entry := await house.control.entry(TENANT, RuntimeId(name))) is None or (
            entry.due_at is not None or house.router.is_open(TENANT, RuntimeId(name))
        ):
            await anyio.sleep(0.02)


async def test_promise_122_a_due_wait_in_a_plane_that_nobody_opened_fires(tmp_path: Path) -> None:
    """In its time, and the plane is closed again after."""
    clock = Later()
    async with a_house(tmp_path, a_sleeper(FAR_S, clock)) as house:
        run_id = await slept(house, "alice")
        opened = len(house.opened)
        clock.ahead = timedelta(seconds=FAR_S - SOON_S)
        house.waker.look_again()
        await ended(house, "alice")
        assert house.opened[opened:] == ["alice"]
        async with house.router.using(TENANT, RuntimeId("alice")) as runtime:
            header = await runtime.plane.runs.header(run_id)
            assert header.status.value == "completed"
            (record,) = await runtime.plane.runs.ledger(run_id, after=header.seq - 1, limit=1)
            assert record.seq == header.seq


@pytest.mark.parametrize("database", DATABASES)
async def test_promise_115_and_nobody_need_sign_in_after_a_restart(
    tmp_path: Path, database: str
) -> None:
    """Open runs, due waits, outbox and inbox rows are found by the control store alone."""
    clock, schema = Later(), f"house {id(tmp_path)}"
    gate = Gate()
    scripts: dict[str, Script] = {"run": Branches((Sleep(FAR_S),)), "act": ACTING}
    stage = Stage(scripts, {"echo": always(gate)}, clock=clock, config={"lease_s": 0.2})
    async with a_house(tmp_path, stage, database=database, schema=schema, serves=False) as first:
        run_ids = {"sleeps": await first.start("sleeps"), "acts": await first.start("acts", "act")}
        await first.until("sleeps", run_ids["sleeps"], "waiting")
        await gate.until_inside(1)
    async with a_house(tmp_path, stage, database=database, schema=schema, runs=False, serves=False) as api:  # fmt: skip
        run_ids["born"] = await api.start("born", "act")  # by a process that moves no runs
    clock.ahead = timedelta(seconds=FAR_S)
    gate.open()
    async with a_house(tmp_path, stage, database=database, schema=schema) as second:
        with anyio.fail_after(30):
            while not {"sleeps", "acts", "born"} <= set(second.opened):
                await anyio.sleep(0.01)
        for name, run_id in run_ids.items():
            await second.until(name, run_id, "completed")


async def test_a_plane_without_anything_due_is_never_opened(tmp_path: Path) -> None:
    async with a_house(tmp_path, a_sleeper(FAR_S)) as house:
        await slept(house, "alice")
        opened = len(house.opened)
        for _ in range(3):
            house.waker.look_again()
            await anyio.sleep(0.06)
        assert len(house.opened) == opened


async def test_a_plane_that_was_woken_just_now_is_woken_for_its_next_time(tmp_path: Path) -> None:
    clock = Later()
    stage = Stage({"run": Branches((Sleep(FAR_S), Sleep(FAR_S)))}, clock=clock)
    async with a_house(tmp_path, stage, serves=False) as house:
        run_id = await slept(house, "alice")
        waker = Waker(house.router, house.control, clock, house.peek)
        for _ in range(2):
            clock.ahead += timedelta(seconds=FAR_S + 1)
            await waker.wake_due()
            assert house.router.is_open(TENANT, RuntimeId("alice"))
            await house.until_closed("alice")
        await house.until("alice", run_id, "completed")


async def test_more_planes_may_be_due_than_may_be_open(tmp_path: Path) -> None:
    names, clock = [f"r{number}" for number in range(6)], Later()
    async with a_house(tmp_path, a_sleeper(FAR_S, clock), open_max=2) as house:
        for name in names:
            await slept(house, name)
        clock.ahead = timedelta(seconds=FAR_S)
        house.waker.look_again()
        for name in names:
            await ended(house, name)
        assert house.router.open_count <= 2


async def test_what_the_control_store_was_never_told_is_found_by_the_sweep(tmp_path: Path) -> None:
    """A due time that was lost: the plane is looked into all the same, once in a while."""
    clock = Later()
    async with a_house(tmp_path, a_sleeper(FAR_S, clock), serves=False) as house:
        run_id = await slept(house, "alice")
        entry = await house.control.entry(TENANT, RuntimeId("alice"))
        assert entry is not None
        await house.control.settle_due(entry, None, now=text_of(clock.now()), quiet_s=0)
        clock.ahead = timedelta(seconds=FAR_S)
        await house.waker.wake_due()
        assert not house.router.is_open(TENANT, RuntimeId("alice"))
        await house.waker.sweep()
        await house.until("alice", run_id, "completed")


async def test_the_sweep_comes_by_every_plane(tmp_path: Path) -> None:
    async with a_house(tmp_path, a_sleeper(FAR_S), serves=False) as house:
        for number in range(5):
            await slept(house, f"r{number}")
        config = WakerConfig(sweep_page=2)
        waker = Waker(house.router, house.control, SystemClock(), house.peek, config)
        opened = len(house.opened)
        for _ in range(3):
            await waker.sweep()
        assert sorted(house.peeked) == [f"r{number}" for number in range(5)]
        assert len(house.opened) == opened, "what is noted as it is opens nothing"


async def test_a_plane_whose_runs_are_not_to_move_is_not_woken(tmp_path: Path) -> None:
    asked: list[str] = []

    async def no(_tenant: TenantId, runtime: RuntimeId) -> bool:
        asked.append(runtime)
        return False

    clock = Later()
    async with a_house(tmp_path, a_sleeper(FAR_S, clock), serves=False) as house:
        await slept(house, "alice")
        clock.ahead = timedelta(seconds=FAR_S)
        waker = Waker(house.router, house.control, clock, house.peek, may_wake=no)
        await waker.wake_due()
        assert asked == ["alice"] and not house.router.is_open(TENANT, RuntimeId("alice"))
        await waker.wake_due()
        assert asked == ["alice"], "it is not asked again at once"


async def test_a_plane_that_cannot_be_opened_keeps_no_other_from_waking(tmp_path: Path) -> None:
    clock = Later()
    async with a_house(tmp_path, a_sleeper(FAR_S, clock), serves=False) as house:
        for name in ("bad", "good"):
            await slept(house, name)
        clock.ahead = timedelta(seconds=FAR_S)
        await house.router.forget(TENANT, RuntimeId("bad"), bar=True)
        await house.waker.wake_due()
        assert house.router.is_open(TENANT, RuntimeId("good"))


async def test_a_hint_has_it_look_before_its_poll(tmp_path: Path) -> None:
    """Another process made a plane due: nobody here noted that, and the timer does not know."""
    async with a_house(tmp_path, Stage({"run": ACTING}, {"echo": always(Acted())})) as house:
        now = text_of(house.stage.clock.now())
        await house.control.enter(TENANT, RuntimeId("alice"), at=now)
        await anyio.sleep(0.1)
        await asyncio.to_thread(house.control.note_due, TENANT, RuntimeId("alice"), now, at=now)
        house.waker.look_again()
        with anyio.fail_after(30):
            while house.opened != ["alice"]:
                await anyio.sleep(0.01)


async def test_promise_128_two_processes_serve_the_same_planes_and_no_run_is_moved_by_two(
    tmp_path: Path,
) -> None:
    """On Postgres: both wake what is due; every effect is performed once."""
    schema, handler = f"house {id(tmp_path)}", Acted()
    stage = Stage({"run": ACTING}, {"echo": always(handler)})
    one = a_house(tmp_path / "one", stage, database="postgresql", schema=schema)
    other = a_house(tmp_path / "one", stage, database="postgresql", schema=schema)
    async with one as first, other as second:
        runs = [("a", await first.start("a")), ("b", await second.start("b"))]
        runs += [("b", await first.start("b")), ("a", await second.start("a"))]
        for name, run_id in runs:
            await first.until(name, run_id, "completed")
            await second.until(name, run_id, "completed")
    keys = [context.key for _, context in handler.calls]
    assert len(keys) == len(set(keys)) == len(runs)
