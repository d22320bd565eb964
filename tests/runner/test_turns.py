"""Planes on one runner take turns: the order of what is begun, and not how long it takes."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import pytest

from perdure.adapters.sql.plane import Pools
from perdure.ids import RunId
from perdure.kernel.draft import born
from perdure.kernel.model import Advance, Event, Ok
from perdure.kernel.program import Done, Moment, Move, View
from perdure.runner.config import RunnerConfig
from perdure.runner.loads import Found, Loads
from perdure.runner.runner import Runner
from perdure.runner.turns import SIDE_BY_SIDE, TURN, Turns
from perdure.runtimes.limits import RuntimeLimits
from perdure.stores.runs import Commit
from tests.support.builders import an_effect
from tests.support.driving import Driven
from tests.support.running import (
    FAR,
    Acted,
    Gate,
    Running,
    Script,
    Stage,
    always,
    opened,
    running,
    running_together,
)
from tests.support.scripted import ScriptedProgram

pytestmark = pytest.mark.anyio

MANY, VERY_MANY = 100, 10_000
ACTING: Script = {"begin": Move(effects=(an_effect(),)), "a": Move(end=Done("done"))}


class Noting:
    """A program that ends at once, and notes whose run it was."""

    def __init__(self, order: list[str]) -> None:
        self.order = order
        self.seen: Callable[[], None] = lambda: None

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Note, and end."""
        self.order.append(str(cells["in/who"]))
        self.seen()
        return Move(end=Done("done"))


async def test_one_that_is_alone_never_pauses() -> None:
    turns, passed = Turns(["alone"]), list[str]()
    asyncio.get_running_loop().call_soon(passed.append, "another")
    for _ in range(TURN * 10):
        await turns.took_one()
    assert passed == []


async def test_one_among_others_pauses_after_each_turn() -> None:
    turns, passed = Turns(["one", "other"]), list[str]()
    for begun in range(TURN):
        asyncio.get_running_loop().call_soon(passed.append, "another")
        assert not passed, f"paused after {begun}"
        await turns.took_one()
    assert len(passed) == TURN


def test_one_among_others_has_fewer_driven_side_by_side() -> None:
    """However many it may have alone: what the others wait for is what it has in hand."""
    alone, shared = Turns(["alone"]), Turns(["one", "other"])
    assert (alone.at_once(256), shared.at_once(256)) == (256, SIDE_BY_SIDE)
    assert shared.at_once(4) == 4


async def test_no_more_than_that_are_driven_while_others_are_open(tmp_path: Path) -> None:
    """A hundred runs are queued at once; how many were driven side by side is looked at in each."""
    running_then: list[int] = []
    noting = Noting([])
    async with running_together(tmp_path, Stage({"run": noting}), "alice", "bob") as (alice, _bob):
        with anyio.fail_after(30):
            while not alice.lane.idle():
                await anyio.sleep(0.001)
        runs = [await born_unheard(alice, "alice") for _ in range(MANY)]
        noting.seen = lambda: running_then.append(alice.lane.running)
        for run_id in runs:
            alice.lane.deliver(run_id, Advance())
        for run_id in runs:
            await alice.until(run_id)
    assert len(running_then) == MANY and max(running_then) <= SIDE_BY_SIDE


async def born_unheard(on_stage: Running, who: str) -> RunId:
    """A run that is born, and that the lane has not heard of."""
    on_stage.lane.stopping = True
    birth = on_stage.birth()
    commit = Commit(born(birth, {"in/who": who}), holder="nobody", leased_until=FAR)
    await on_stage.plane.runs.commit(commit)
    on_stage.lane.stopping = False
    return birth.id


async def test_a_plane_with_much_to_begin_lets_another_begin_after_one_turn(tmp_path: Path) -> None:
    """A hundred runs of one are queued before the single run of the other."""
    await one_beside_many(tmp_path, MANY)


@pytest.mark.soak
async def test_a_plane_with_very_much_to_begin_lets_another_begin_after_one_turn(
    tmp_path: Path,
) -> None:
    await one_beside_many(tmp_path, VERY_MANY)


async def one_beside_many(tmp_path: Path, many: int) -> None:
    """Alice's runs are queued before Bob's single one, which begins within two turns: with the look for it."""
    begun: list[str] = []
    script: Script = {"begin": Move(end=Done("done"))}
    async with running_together(tmp_path, Stage({"run": script}), "alice", "bob") as planes:
        alice, bob = planes
        with anyio.fail_after(30):
            while not all(it.lane.idle() for it in planes):
                await anyio.sleep(0.001)
        runs = [await born_unheard(alice, "alice") for _ in range(many)]
        single = await born_unheard(bob, "bob")
        for on_stage, who in ((alice, "alice"), (bob, "bob")):
            note_looks(on_stage, who, begun)
        for run_id in runs:
            alice.lane.deliver(run_id, Advance())
        bob.lane.deliver(single, Advance())
        for on_stage, run_id in [(bob, single), *((alice, run_id) for run_id in runs)]:
            await on_stage.until(run_id)
    assert len(begun) == many + 1
    assert begun.index("bob") <= 2 * TURN


def note_looks(on_stage: Running, who: str, begun: list[str]) -> None:
    """Note whose run it is whenever the lane looks for one in the store."""
    load = on_stage.plane.runs.load

    async def noted(run_ids: Sequence[RunId]) -> Found:
        begun.extend([who] * len(run_ids))
        found: Found = await load(run_ids)
        return found

    on_stage.lane.loads = Loads(noted)


async def test_a_backlog_in_the_store_is_taken_up_as_far_as_there_is_room(tmp_path: Path) -> None:
    """Effects that an earlier process left: no more tasks than may perform, and all come to pass."""
    async with running(tmp_path, Stage({"run": ACTING}, serves=False)) as dead:
        for number in range(20):
            driven = Driven(dead.plane, ScriptedProgram({"begin": Move(effects=(an_effect(),))}))
            await driven.bear(f"r{number}", program=dead.birth().program)
            await driven.deliver(Advance())
    gate, runner, pools = Gate(), Runner(RunnerConfig("me", stop_s=0.2)), Pools()
    stage = Stage({"run": ACTING}, {"echo": always(gate)})
    async with opened(tmp_path, stage, runner, pools, RuntimeLimits(effects_at_once=4)) as on_stage:
        lane = runner.open(on_stage.runtime)
        async with anyio.create_task_group() as group:
            group.start_soon(runner.serve)
            await gate.until_inside(4)
            with anyio.fail_after(30):
                while not lane.left_some:
                    await anyio.lowlevel.checkpoint()
            assert lane.taken_up == 4 and not lane.idle()
            gate.open()
            await gate.moved.until(lambda: len(gate.left) == 20)
            runner.stop()
    assert gate.most == 4
    pools.close()


async def test_runs_are_driven_side_by_side_as_far_as_the_limit(tmp_path: Path) -> None:
    runner, pools = Runner(RunnerConfig("me", stop_s=0.2)), Pools()
    stage = Stage({"run": ACTING}, {"echo": always(Acted(Ok(1)))})
    async with opened(tmp_path, stage, runner, pools, RuntimeLimits(runs_at_once=2)) as on_stage:
        lane = runner.open(on_stage.runtime)
        assert lane.runs_at_once == 2
        async with anyio.create_task_group() as group:
            group.start_soon(runner.serve)
            runs = [await on_stage.start() for _ in range(8)]
            for run_id in runs:
                await on_stage.until(run_id)
                assert lane.running <= 2
            runner.stop()
    pools.close()


async def test_a_closed_plane_leaves_no_task_and_no_timer(tmp_path: Path) -> None:
    """The other goes on, and the closed one can be taken on again."""
    stage = Stage({"run": ACTING}, {"echo": always(Acted())})
    async with running_together(tmp_path, stage, "alice", "bob") as (alice, bob):
        await alice.until(await alice.start())
        with anyio.fail_after(30):
            while not all(it.lane.idle() for it in (alice, bob)):
                await anyio.sleep(0.001)
        lane, before = alice.lane, len(asyncio.all_tasks())
        await alice.runner.close(alice.runtime)
        assert lane.group is None and lane not in alice.runner.lanes
        assert before - len(asyncio.all_tasks()) == 6  # its own, and its five loops
        await bob.until(await bob.start())
        alice.runner.open(alice.runtime)
        await alice.until(await alice.start())


async def test_a_plane_is_idle_when_nothing_is_in_hand_and_nothing_known_to_wait(
    tmp_path: Path,
) -> None:
    gate = Gate()
    async with running(tmp_path, Stage({"run": ACTING}, {"echo": always(gate)})) as on_stage:
        runner = on_stage.runner
        assert not runner.idle(on_stage.runtime), "it has not looked yet"
        run_id = await on_stage.start()
        await gate.until_inside(1)
        assert not runner.idle(on_stage.runtime)
        gate.open()
        await on_stage.until(run_id)
        await on_stage.rest()
        with anyio.fail_after(30):
            while not runner.idle(on_stage.runtime):
                await anyio.lowlevel.checkpoint()


async def test_what_is_under_way_in_a_plane_that_is_closed_may_end(tmp_path: Path) -> None:
    gate = Gate()
    stage = Stage({"run": ACTING}, {"echo": always(gate)}, {"stop_s": 9})
    async with running_together(tmp_path, stage, "alice", "bob") as (alice, _bob):
        run_id = await alice.start()
        await gate.until_inside(1)
        async with anyio.create_task_group() as group:
            group.start_soon(alice.runner.close, alice.runtime)
            await anyio.lowlevel.checkpoint()
            gate.open()
        header = await alice.plane.runs.header(run_id)
        assert header.status.value == "completed"
