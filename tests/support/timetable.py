"""Schedules on real planes, served by one runner or by several, with a clock that is the test's."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
from orjson import loads

from perdure.adapters.sql.plane import PlaneConfig, Pools, SqlPlane
from perdure.clock import text_of
from perdure.features.schedules.program import schedule_program
from perdure.identity.access import RULES
from perdure.ids import RunId, RuntimeId, SessionId, TenantId, new_id
from perdure.kernel.draft import born
from perdure.kernel.model import Birth, ProgramRef
from perdure.kernel.program import Done, Move
from perdure.registry.feature import Feature
from perdure.registry.registry import registry_of
from perdure.runner.config import RunnerConfig
from perdure.runner.runner import Runner
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.hub import Hub
from perdure.services.schedules import OCCURRENCE, SCHEDULE, SPEC
from perdure.stores.plane import Plane
from perdure.stores.runs import Commit
from tests.support.clock import FakeClock
from tests.support.planes import PLACES, Place
from tests.support.running import NoHttp
from tests.support.scheduling import a_spec
from tests.support.scripted import ScriptedProgram

PATIENCE_S: Final = 60.0
FLOW: Final = ScriptedProgram({"begin": Move(end=Done("did"))})


def feature() -> Feature:
    """Schedules of a flow that ends at once."""
    programs = {SCHEDULE: schedule_program, "flow": lambda _ref, _bundle: FLOW}
    return Feature("stage", programs=programs)


@dataclass
class Timetable:
    """A plane, everybody who serves it, and the one clock that they all look at."""

    clock: FakeClock
    runtimes: list[RuntimeContext]
    runners: list[Runner]

    @property
    def plane(self) -> Plane:
        """The stores, as the first of them sees them."""
        return self.runtimes[0].plane

    async def plan(self, **asked: Any) -> RunId:
        """Have a schedule born; its id."""
        now, run_id = self.clock.now(), RunId(new_id())
        ref = ProgramRef(SCHEDULE, None, "flow")
        birth = Birth(run_id, f"scheduled:{run_id}", ref, text_of(now), run_id, SessionId("s"))
        await self.plane.runs.commit(Commit(born(birth, {SPEC: a_spec(now, **asked)})))
        self.look()
        return run_id

    def look(self) -> None:
        """Have everybody look at the clock and at the stores."""
        for runner in self.runners:
            for lane in runner.lanes:
                lane.tick.set()
                lane.look_again()

    async def rested(self, state: Callable[[], bool]) -> None:
        """Wait until `state` holds and nothing is in hand."""
        with anyio.fail_after(PATIENCE_S):
            while not state() or any(not it.idle() for one in self.runners for it in one.lanes):
                await anyio.sleep(0.01)

    async def planned(self, run_id: RunId) -> int:
        """How many planned times a schedule has accounted for."""
        loaded = (await self.plane.runs.load([run_id]))[run_id]
        standing = loaded.cells.get("ctl/schedule")
        return 0 if standing is None else int(standing["planned"])

    async def until(self, run_id: RunId, planned: int) -> None:
        """Wait until so many planned times are accounted for."""
        with anyio.fail_after(PATIENCE_S):
            while await self.planned(run_id) < planned:
                self.look()
                await anyio.sleep(0.01)

    async def told(self, run_id: RunId) -> list[str]:
        """The planned times that the ledger tells of, in its order."""
        found: list[str] = []
        after = 0
        while records := await self.plane.runs.ledger(run_id, after=after, limit=1_000):
            after = records[-1].seq
            for body in (loads(record.body) for record in records):
                effect = body["effect"] or {}
                if body["status"] == "started" or effect.get("type") == OCCURRENCE:
                    found.append(effect["payload"]["occurrence"]["planned_at"])
        return found


@asynccontextmanager
async def a_timetable(
    database: str, folder: Path, *, runners: int = 1, clock: FakeClock | None = None, hot_idle_max: int = 256
) -> AsyncIterator[Timetable]:  # fmt: skip
    """A fresh plane, served by so many runners, each with its own connections where the database has it so."""
    place, clock = PLACES[database](folder), clock or FakeClock()
    table = Timetable(clock, [], [])
    async with AsyncExitStack() as stack:
        for number in range(runners):
            shared = table.runtimes and table.plane.alone
            runtime = table.runtimes[0] if shared else await _opened(stack, place, clock, folder)
            table.runtimes.append(runtime)
            config = RunnerConfig(holder=f"runner {number}", stop_s=0.2, hot_idle_max=hot_idle_max)
            table.runners.append(Runner(config))
        group = await stack.enter_async_context(anyio.create_task_group())
        for runtime, runner in zip(table.runtimes, table.runners, strict=True):
            runner.open(runtime)
            group.start_soon(runner.serve)
        yield table
        for runner in table.runners:
            runner.stop()


async def _opened(
    stack: AsyncExitStack, place: Place, clock: FakeClock, folder: Path
) -> RuntimeContext:
    """The plane, closed with the stack."""
    hub, pools = Hub(), Pools()
    stack.callback(pools.close)
    config = PlaneConfig(
        on_commit=hub.committed, pools=pools, on_mail=hub.mailed, synchronous="NORMAL"
    )
    plane: SqlPlane = await place.open(config)
    stack.push_async_callback(plane.close)
    return RuntimeContext(
        TenantId("t"), RuntimeId("r"), plane, hub, registry_of([feature()], RULES), clock, NoHttp(),
        folder / "workspaces",
    )  # fmt: skip
