"""Forks repeat no harm: at each step, with each guard, beside a world that counts what is done to it."""

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import anyio
import pytest

from perdure.errors import Divergent, Invalid, KeyReused, Unfit
from perdure.ids import Key, RunId
from perdure.kernel.model import Effect, EffectClass, Guard, Ok, Outcome, Status
from perdure.kernel.values import Json
from perdure.registry.effects import EffectContext
from perdure.services.forks import ForkRequest, _outcome_in, fork
from perdure.services.replays import replay
from perdure.stores.records import Recorded
from perdure.stores.runs import Header, RunQuery
from tests.support.branches import Ask, Branches, Call, Do, Sleep
from tests.support.counter import Counter, counter
from tests.support.running import Running, Stage, always, running

pytestmark = pytest.mark.anyio
ONCE = Do(EffectClass.ONCE)
THIRTY = Branches((ONCE,) * 14)  # 14 effects of two records each, and the two of the end
TAKING = [Guard.REUSE, Guard.SIMULATE]


@pytest.fixture(scope="module")
def world() -> Iterator[Counter]:
    """The world outside."""
    with counter() as one:
        yield one


class Deeds:
    """A handler that does something outside, once for each key."""

    def __init__(self, world: Counter, name: str) -> None:
        self._world, self._name = world, name

    async def __call__(self, effect: Effect, context: EffectContext) -> Outcome:
        await anyio.to_thread.run_sync(self._do, context.key)
        return Ok({"did": effect.payload})

    def _do(self, key: str) -> None:
        connection = HTTPConnection("127.0.0.1", self._world.port, timeout=30)
        connection.request("POST", f"/deeds/{self._name}", headers={"Idempotency-Key": key})
        connection.getresponse().read()
        connection.close()

    @property
    def done(self) -> int:
        """How often."""
        return self._world.count(self._name).calls


def a_stage(deeds: Deeds, **scripts: Any) -> Stage:
    """Programs that ask for deeds."""
    return Stage(dict(scripts), {"echo": always(deeds)})


async def forked(stage: Running, run_id: RunId, seq: int | None, guard: Guard) -> Header:
    """A fork that has come as far as it comes by itself."""
    made = await fork(stage.runtime, run_id, ForkRequest(seq, effects=guard))
    return await stage.until(made.run_id, Status.WAITING, Status.COMPLETED, Status.FAILED)


@pytest.mark.parametrize("guard", [Guard.ASK, *TAKING])
async def test_a_fork_at_any_step_does_nothing_outside_that_was_not_asked_for(
    tmp_path: Path, world: Counter, guard: Guard
) -> None:
    deeds = Deeds(world, f"steps-{guard}")
    async with running(tmp_path, a_stage(deeds, run=THIRTY)) as stage:
        run_id = await stage.start()
        origin = await stage.until(run_id)
        assert (origin.seq, deeds.done) == (30, 14)
        for seq in range(31):
            header = await forked(stage, run_id, seq, guard)
            asks = guard is Guard.ASK and seq < 28
            assert header.status is (Status.WAITING if asks else Status.COMPLETED)
            assert header.birth.forked_from is not None
            assert header.birth.forked_from.run_id == run_id
            assert seq - 2 <= header.birth.forked_from.seq <= seq
            if not asks:
                assert header.output == origin.output
        assert deeds.done == 14


async def test_an_effect_that_is_allowed_is_performed_once_and_the_next_one_asks(
    tmp_path: Path, world: Counter
) -> None:
    deeds = Deeds(world, "allowed")
    async with running(tmp_path, a_stage(deeds, run=Branches((ONCE, ONCE)))) as stage:
        run_id = await stage.start()
        await stage.until(run_id)
        header = await forked(stage, run_id, 1, Guard.ASK)
        for count in (3, 4):
            assert header.waiting["details"]["kind"] == "fork_effect"
            allowed = header.waiting["wait_key"], {"approved": True}
            await stage.settled(await stage.send(header.birth.id, "resume", *allowed))
            header = await stage.until_so(header.birth.id, goes_beyond(header, count == 4))
            assert deeds.done == count


def goes_beyond(before: Header, ends: bool) -> Any:
    """Whether a run waits for something else now, or has ended."""
    if ends:
        return lambda one: one.status is Status.COMPLETED
    return lambda one: bool(one.waiting) and one.waiting["wait_key"] != before.waiting["wait_key"]


async def test_what_runs_again_runs_again(tmp_path: Path, world: Counter) -> None:
    deeds = Deeds(world, "again")
    async with running(tmp_path, a_stage(deeds, run=Branches((ONCE, ONCE)))) as stage:
        run_id = await stage.start()
        await stage.until(run_id)
        assert (await forked(stage, run_id, 0, Guard.RERUN)).status is Status.COMPLETED
        assert deeds.done == 4
        header = await forked(stage, run_id, 1, Guard.RERUN)
        assert header.status is Status.WAITING, (
            "what was open at the point was allowed to another run"
        )
        assert deeds.done == 4


async def test_a_fork_of_a_waiting_run_leaves_its_wait_untouched(
    tmp_path: Path, world: Counter
) -> None:
    plan = Branches((Ask("q"), Do()), (Sleep(9_999),))
    async with running(tmp_path, a_stage(Deeds(world, "waits"), run=plan)) as stage:
        run_id = await stage.start()
        origin = await stage.until(run_id, Status.WAITING)
        before = (await stage.plane.runs.load([run_id]))[run_id]
        header = await forked(stage, run_id, None, Guard.ASK)
        assert header.waiting["wait_key"] == "q"
        await stage.send(header.birth.id, "resume", Key("q"), {"response": "a"})
        await stage.until_so(header.birth.id, lambda one: one.seq > 3)
        assert (await stage.plane.runs.load([run_id]))[run_id] == before
        assert (await stage.plane.runs.header(run_id)).version == origin.version


async def test_a_child_goes_on_below_the_fork_where_it_stood(
    tmp_path: Path, world: Counter
) -> None:
    scripts = {"run": Branches((Call("child"),)), "child": Branches((Do(), Ask("q")))}
    async with running(tmp_path, a_stage(Deeds(world, "child"), **scripts)) as stage:
        run_id = await stage.start()
        await stage.until(run_id, Status.WAITING)
        (child,) = await children_of(stage, run_id)
        await stage.until(child, Status.WAITING)
        header = await forked(stage, run_id, None, Guard.ASK)
        (other,) = await children_of(stage, header.birth.id)
        found = await stage.until(other, Status.WAITING)
        assert found.birth.forked_from == (child, 3)
        assert found.seq == 1, "what it did before is not done again"
        await stage.send(other, "resume", found.waiting["wait_key"], {"response": "yes"})
        await stage.until(header.birth.id)
        assert (await stage.plane.runs.header(run_id)).status is Status.WAITING


async def children_of(stage: Running, run_id: RunId) -> list[RunId]:
    """The children of a run."""
    await stage.until_so(run_id, lambda one: one.seq > 0)
    page = await stage.plane.runs.list(RunQuery(parent_id=run_id))
    return [one.birth.id for one in page.items]


async def test_edits_change_what_the_fork_sees_and_not_what_the_machine_keeps(
    tmp_path: Path, world: Counter
) -> None:
    async with running(tmp_path, a_stage(Deeds(world, "edits"), run=THIRTY)) as stage:
        run_id = await stage.start(cells={"in/to": "ann"})
        await stage.until(run_id)
        made = await fork(stage.runtime, run_id, ForkRequest(0, {"in/to": "bob"}))
        assert (await stage.plane.runs.state(made.run_id, 0))["in/to"] == "bob"
        for name in ("ctl/0", "rt/_limits", "last", "x"):
            with pytest.raises(Unfit):
                await fork(stage.runtime, run_id, ForkRequest(0, {name: 1}))
        with pytest.raises(Invalid):
            await fork(stage.runtime, run_id, ForkRequest(31))


async def test_a_fork_of_a_fork_asks_and_replays_like_any_run(
    tmp_path: Path, world: Counter
) -> None:
    deeds = Deeds(world, "twice")
    async with running(tmp_path, a_stage(deeds, run=THIRTY)) as stage:
        run_id = await stage.start()
        await stage.until(run_id)
        first = await forked(stage, run_id, 9, Guard.REUSE)
        second = await forked(stage, first.birth.id, 9, Guard.SIMULATE)
        assert second.output == first.output
        for one in (run_id, first.birth.id, second.birth.id):
            assert (await replay(stage.runtime, one)).difference is None
        assert deeds.done == 14


async def test_a_repeat_under_the_same_key_is_the_same_fork(tmp_path: Path, world: Counter) -> None:
    async with running(tmp_path, a_stage(Deeds(world, "key"), run=THIRTY)) as stage:
        run_id = await stage.start()
        await stage.until(run_id)
        request = ForkRequest(3, key="k")
        assert await fork(stage.runtime, run_id, request) == await fork(
            stage.runtime, run_id, request
        )
        with pytest.raises(KeyReused):
            await fork(stage.runtime, run_id, request._replace(from_seq=5))


async def test_a_run_whose_program_is_another_by_now_is_not_forked(
    tmp_path: Path, world: Counter
) -> None:
    staged = a_stage(Deeds(world, "other"), run=THIRTY)
    async with running(tmp_path, staged) as stage:
        run_id = await stage.start()
        await stage.until(run_id)
    staged.scripts["run"] = Branches((Ask(), *THIRTY.plan[0]))
    async with running(tmp_path, staged) as stage:
        with pytest.raises(Divergent) as raised:
            await fork(stage.runtime, run_id, ForkRequest(9))
        assert raised.value.facts["seq"] == 1


async def test_forks_share_the_artifacts_of_their_origin(tmp_path: Path, world: Counter) -> None:
    """Ten forks of a run that holds ten megabytes add less than one."""
    staged = a_stage(Deeds(world, "share"), run=Branches((Ask(),)))
    cells: dict[str, Json] = {f"in/{n}": str(n) * 1_000_000 for n in range(5)}
    async with running(tmp_path, staged) as stage:
        run_id = await stage.start(cells=cells)
        await stage.until(run_id, Status.WAITING)
        await stage.plane.artifacts.put(
            b"a" * 5_000_000, owner=run_id, content_type="text/plain", at="2026"
        )
    before = size_of(tmp_path)  # at rest: the log of the database is folded in when it is closed
    async with running(tmp_path, staged) as stage:
        made = [await forked(stage, run_id, None, Guard.ASK) for _ in range(10)]
        state = await stage.plane.runs.state(made[-1].birth.id, 0)
        assert state["in/4"] == cells["in/4"]
    assert size_of(tmp_path) - before < 1_000_000


def size_of(folder: Path) -> int:
    """How many bytes lie in a folder, with all that is below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_record_that_is_about_nothing_is_no_outcome() -> None:
    """As no ledger of ours has one, but the file of an import may."""
    body = {"idempotency_key": "x", "effect": None, "status": "completed", "result": None}
    assert list(_outcome_in(Recorded(1, body, {}))) == []
