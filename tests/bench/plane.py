"""The product in this process: a fresh or kept plane with its runner, without a face."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import psycopg

from perdure.adapters.egress import Egress
from perdure.adapters.sql.plane import (
    PlaneConfig,
    Pools,
    SqlPlane,
    open_postgres_plane,
    open_sqlite_plane,
)
from perdure.adapters.sql.postgres import postgres_engine
from perdure.clock import SystemClock, text_of
from perdure.features import echo
from perdure.identity.access import RULES
from perdure.ids import RunId, RuntimeId, SessionId, TenantId, new_id
from perdure.kernel.draft import born
from perdure.kernel.model import Birth, ProgramRef
from perdure.kernel.values import Json
from perdure.registry.feature import Feature
from perdure.registry.registry import registry_of
from perdure.runner.config import RunnerConfig
from perdure.runner.runner import Runner
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.hub import Hub
from perdure.stores.runs import Commit, Listener

AT_ONCE = 512  # births under way


@dataclass(frozen=True, slots=True)
class Product:
    """A plane and its runner, under way."""

    runtime: RuntimeContext
    runner: Runner

    async def start(self, kind: str, inputs: Mapping[str, Json]) -> RunId:
        """Give birth to a run and answer when it is on disk."""
        birth = birth_of(kind)
        await self.runtime.plane.runs.commit(Commit(born(birth, inputs)))
        return birth.id

    async def start_many(self, kind: str, inputs: Mapping[str, Json], count: int) -> list[RunId]:
        """Give birth to many runs, some hundreds at a time."""
        ids: list[RunId] = []
        left = iter(range(count))

        async def bear() -> None:
            for _ in left:
                ids.append(await self.start(kind, inputs))

        async with anyio.create_task_group() as group:
            for _ in range(min(count, AT_ONCE)):
                group.start_soon(bear)
        return ids


def birth_of(kind: str) -> Birth:
    """A run of the program of this kind, of which there is one."""
    run_id = RunId(new_id())
    now = text_of(SystemClock().now())
    return Birth(run_id, kind, ProgramRef(kind, None, ""), now, run_id, SessionId(new_id()))


def engine_address(dsn: str) -> str:
    """The server of `dsn` as the product takes it."""
    with psycopg.connect(dsn) as connection:
        info = connection.info
        return f"postgresql+psycopg://{info.user}@/{info.dbname}?host={info.host}"


@asynccontextmanager
async def product(
    folder: Path, dsn: str = "", *, features: Sequence[Feature] = (), heard: Sequence[Listener] = ()
) -> AsyncGenerator[Product]:
    """Open the plane in `folder` (with `dsn`: in a new schema there) and let its runner serve."""
    async with AsyncExitStack() as stack:
        pools, hub = Pools(), Hub(heard)
        stack.callback(pools.close)
        runner = Runner(RunnerConfig(holder="bench"))

        def mail(_run_ids: Sequence[RunId]) -> None:
            for lane in runner.lanes:
                lane.look_again()

        config = PlaneConfig(on_commit=hub.committed, pools=pools, on_mail=mail)
        plane = await opened(stack, folder, dsn, config)
        egress = Egress()
        stack.push_async_callback(egress.close)
        runtime = RuntimeContext(
            tenant=TenantId("bench"), runtime=RuntimeId("bench"), plane=plane, hub=hub,
            registry=registry_of([echo.FEATURE, *features], RULES), clock=SystemClock(),
            http=egress.bound(), workspaces=folder / "workspaces",
        )  # fmt: skip
        runner.open(runtime)
        async with anyio.create_task_group() as group:
            await group.start(serving, runner)
            yield Product(runtime, runner)
            runner.stop()


async def serving(runner: Runner, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    """Let the runner serve, and tell when it does."""
    await runner.serve(started=task_status.started)


async def opened(stack: AsyncExitStack, folder: Path, dsn: str, config: PlaneConfig) -> SqlPlane:
    """The plane, closed with the stack."""
    if dsn:
        engine = postgres_engine(engine_address(dsn))
        stack.callback(engine.dispose)
        schema = f"bench_{new_id().replace('-', '')}"
        plane = await open_postgres_plane(engine, schema, folder / "artifacts", config)
    else:
        plane = await open_sqlite_plane(folder, config)
    stack.push_async_callback(plane.close)
    return plane
