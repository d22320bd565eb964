"""Planes are opened on demand, kept while they are used, and closed after; each is its principal's own."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from perdure.errors import StoreFailed, Unavailable
from perdure.ids import RuntimeId
from perdure.kernel.program import Done, Move
from perdure.stores.planes import QUIET_S
from tests.support.branches import Branches, Sleep
from tests.support.builders import an_effect
from tests.support.clock import FakeClock
from tests.support.housing import TENANT, a_house, a_principal
from tests.support.planes import DATABASES
from tests.support.running import FAR, Acted, Gate, Script, Stage, always

pytestmark = pytest.mark.anyio

ACTING: Script = {"begin": Move(effects=(an_effect(),)), "a": Move(end=Done("done"))}
ALICE, BOB = a_principal("alice"), a_principal("bob")


def a_stage(handler: Any = None, **how: Any) -> Stage:
    """Runs with one effect."""
    return Stage({"run": ACTING}, {"echo": always(handler or Acted())}, **how)


def handles() -> set[str]:
    """The files that this process has open."""
    found = set()
    for it in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # another thread may close one meanwhile
            found.add(os.readlink(it))
    return found


def objects_of(runtime: Any) -> Iterator[object]:
    """Everything of its own that a context reaches: stores, database, writer, folder, listeners."""
    plane = runtime.plane
    yield from (runtime, plane, runtime.hub, runtime.deltas, runtime.use, runtime.workspaces)
    yield from (runtime._bundles, runtime._programs, plane.database, plane._writer, plane._reader)
    yield from (plane.runs, plane.outbox, plane.inbox, plane.waits, plane.artifacts, plane.bundles)


@pytest.mark.parametrize("database", DATABASES)
async def test_promise_60_no_two_principals_share_a_store_object_a_path_or_a_handle(
    tmp_path: Path, database: str
) -> None:
    async with a_house(tmp_path, a_stage(), database=database, serves=False) as house:
        alice, bob = [await house.router.open(it) for it in (ALICE, BOB)]
        assert alice is await house.router.open(ALICE)
        assert not {id(it) for it in objects_of(alice)} & {id(it) for it in objects_of(bob)}
        assert alice.workspaces.parent != bob.workspaces.parent
        assert not alice.workspaces.is_relative_to(bob.workspaces.parent)
        for runtime in (alice, bob):
            await runtime.plane.ready()
        own = {name: {it for it in handles() if f"/t/{name}/" in it} for name in ("alice", "bob")}
        if database == "sqlite":
            assert own["alice"] and own["bob"]
        else:
            schemas = {runtime.plane.database._schema for runtime in (alice, bob)}  # type: ignore[attr-defined]  # past the Protocol
            assert len(schemas) == 2


@pytest.mark.parametrize("database", DATABASES)
async def test_promise_59_what_one_principal_keeps_is_in_its_own_plane_alone(
    tmp_path: Path, database: str
) -> None:
    async with a_house(tmp_path, a_stage(), database=database) as house:
        run_id = await house.start("alice")
        await house.until("alice", run_id, "completed")
        bob = await house.router.open(BOB)
        assert await bob.plane.runs.load([run_id]) == {}


async def test_many_who_ask_at_once_open_a_plane_once(tmp_path: Path) -> None:
    async with a_house(tmp_path, a_stage(), serves=False) as house:
        found = await asyncio.gather(*(house.router.open(ALICE) for _ in range(20)))
        assert house.opened == ["alice"]
        assert len({id(it) for it in found}) == 1


async def test_an_asker_who_goes_away_leaves_the_plane_open_and_whole(tmp_path: Path) -> None:
    async with a_house(tmp_path, a_stage(), serves=False) as house:
        asking = asyncio.ensure_future(house.router.open(ALICE))
        await asyncio.sleep(0)
        asking.cancel()
        runtime = await house.router.open(ALICE)
        await runtime.plane.ready()
        assert house.opened == ["alice"]


@pytest.mark.parametrize("database", DATABASES)
async def test_a_plane_that_nobody_uses_is_closed_and_is_then_a_row_and_nothing_more(
    tmp_path: Path, database: str
) -> None:
    clock = FakeClock()
    async with a_house(tmp_path, a_stage(clock=clock), database=database, serves=False) as house:
        await house.router.close_idle()
        tasks, files = len(asyncio.all_tasks()), handles()
        run_id = await house.start("alice")
        await house.until("alice", run_id, "completed")
        clock.advance(QUIET_S)
        await house.until_closed("alice")
        assert len(asyncio.all_tasks()) == tasks
        assert not [it for it in handles() - files if "/alice/" in it]
        entry = await house.control.entry(TENANT, RuntimeId("alice"))
        assert entry is not None and entry.due_at is None
        assert await house.status("alice", run_id) == "completed"


async def test_what_is_used_is_not_closed(tmp_path: Path) -> None:
    """By a request, by a reader of a run, or by a run that is under way."""
    gate = Gate()
    async with a_house(tmp_path, a_stage(gate), serves=False) as house:
        runtime = await house.router.open(ALICE)
        await house.until_idle("alice")
        with runtime.use:
            await house.router.close_idle()
            assert house.router.is_open(TENANT, RuntimeId("alice"))
        run_id = await house.start("alice")
        await gate.until_inside(1)
        await house.router.close_idle()
        assert house.router.is_open(TENANT, RuntimeId("alice"))
        stop = runtime.hub.listen(run_id, lambda _commits: None)
        gate.open()
        await house.until_idle("alice")
        await house.router.close_idle()
        assert house.router.is_open(TENANT, RuntimeId("alice"))
        stop()
        await house.until_closed("alice")


async def test_a_plane_stays_open_for_a_while_after_its_last_use(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_house(tmp_path, a_stage(clock=clock), serves=False, idle_s=60) as house:
        await house.router.open(ALICE)
        await house.until_idle("alice")
        for passed, is_open in ((59, True), (1, False)):
            clock.advance(passed)
            await house.router.close_idle()
            assert house.router.is_open(TENANT, RuntimeId("alice")) is is_open


async def test_the_longest_unused_makes_room_at_the_bound(tmp_path: Path) -> None:
    clock = FakeClock()
    house_of_two = a_house(tmp_path, a_stage(clock=clock), serves=False, idle_s=999, open_max=2)
    async with house_of_two as house:
        for name in ("one", "two", "one"):
            await house.router.open(a_principal(name))
            await house.until_idle(name)
            clock.advance(1)
        await house.router.open(a_principal("three"))
        assert [house.router.is_open(TENANT, RuntimeId(it)) for it in ("one", "two", "three")] == [
            True, False, True,
        ]  # fmt: skip
        assert house.router.open_count == 2


async def test_at_the_bound_and_all_in_use_who_asks_is_refused_after_a_while(
    tmp_path: Path,
) -> None:
    async with a_house(tmp_path, a_stage(), serves=False, open_max=1) as house:
        alice = await house.router.open(ALICE)
        with alice.use:
            with pytest.raises(Unavailable, match="As many") as refused:
                await house.router.open(BOB)
            assert refused.value.facts["retry_after"] == 1


async def test_at_the_bound_who_asks_waits_until_there_is_room(tmp_path: Path) -> None:
    async with a_house(tmp_path, a_stage(), serves=False, open_max=1, room_s=30) as house:
        alice = await house.router.open(ALICE)
        with alice.use:
            waiting = asyncio.ensure_future(house.router.open(BOB))
            await asyncio.sleep(0.01)
        await waiting
        assert not house.router.is_open(TENANT, RuntimeId("alice"))


async def test_a_pinned_plane_stays_open(tmp_path: Path) -> None:
    async with a_house(tmp_path, a_stage(), serves=False, open_max=1) as house:
        await house.router.pin(TENANT, RuntimeId("alice"))
        await house.until_idle("alice")
        await house.router.close_idle()
        assert house.router.is_open(TENANT, RuntimeId("alice"))


async def test_a_plane_that_is_forgotten_is_closed_whoever_uses_it(tmp_path: Path) -> None:
    """Its runs stop; barred, nobody opens it again until it is allowed."""
    gate = Gate()
    async with a_house(tmp_path, a_stage(gate), serves=False) as house:
        runtime = await house.router.open(ALICE)
        await house.start("alice")
        await gate.until_inside(1)
        with runtime.use:
            await house.router.forget(TENANT, RuntimeId("alice"), bar=True)
            assert gate.inside == 0
            with pytest.raises((Unavailable, StoreFailed)):
                await runtime.plane.ready()
        with pytest.raises(Unavailable, match="taken away"):
            await house.router.open(ALICE)
        house.router.allow(TENANT, RuntimeId("alice"))
        assert await house.router.open(ALICE) is not runtime


@pytest.mark.parametrize("database", DATABASES)
async def test_a_plane_may_be_read_while_its_runs_rest(tmp_path: Path, database: str) -> None:
    """Of a user who is disabled: an admin looks, nothing moves; enabled again, it goes on."""
    done = Acted()
    async with a_house(tmp_path, a_stage(done), database=database, serves=False) as house:
        house.resting.add("alice")
        run_id = await house.start("alice")
        assert house.runner.lanes == []
        await house.router.check_moves()
        assert await house.status("alice", run_id) == "running" and done.calls == []
        await house.until_closed("alice")
        assert await house.status("alice", run_id) == "running"
        house.resting.clear()
        await house.router.check_moves()
        await house.until("alice", run_id, "completed")


async def test_on_postgres_what_another_process_ended_rests_here_as_well(tmp_path: Path) -> None:
    """Nothing told this process that the user is disabled: it asks."""
    gate = Gate()
    stage = a_stage(gate)
    async with a_house(tmp_path, stage, database="postgresql", check_s=0.0) as house:
        runtime = await house.router.open(ALICE)
        with runtime.use:
            await house.start("alice")
            await gate.until_inside(1)
            house.resting.add("alice")
            with anyio.fail_after(30):
                while house.runner.lanes or gate.inside:
                    await anyio.sleep(0.01)
            await runtime.plane.ready()


async def test_a_time_that_nobody_noted_is_noted_when_the_plane_is_closed(tmp_path: Path) -> None:
    """A due time may be early, and must not be late."""
    clock = FakeClock()
    script = sleeping(3600)
    async with a_house(tmp_path, Stage({"run": script}, clock=clock), serves=False) as house:
        run_id = await house.start("alice")
        await house.until("alice", run_id, "waiting")
        entry = await house.control.entry(TENANT, RuntimeId("alice"))
        assert entry is not None
        await house.control.settle_due(entry, None, now=FAR, quiet_s=0)
        await house.until_closed("alice")
        entry = await house.control.entry(TENANT, RuntimeId("alice"))
        assert entry is not None and entry.due_at is not None


async def test_on_postgres_a_time_is_not_raised_while_another_process_may_rely_on_it(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    stage = a_stage(clock=clock)
    async with a_house(tmp_path, stage, database="postgresql", serves=False) as house:
        run_id = await house.start("alice")
        await house.until("alice", run_id, "completed")
        await house.until_idle("alice")
        clock.advance(QUIET_S - 1)
        await house.router.close_idle()
        assert house.router.is_open(TENANT, RuntimeId("alice"))
        clock.advance(1)
        await house.until_closed("alice")


def sleeping(seconds: float) -> Script:
    """A run that waits for a time."""
    return Branches((Sleep(seconds),))
