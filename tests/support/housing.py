"""Many planes in one process: a control store, a router, a waker and a runner, over either database."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from perdure.adapters.sql.control import (
    SqlControl,
    open_postgres_control,
    open_sqlite_control,
    schema_of,
)
from perdure.adapters.sql.peek import due_in_file, due_in_schema
from perdure.adapters.sql.plane import (
    PlaneConfig,
    Pools,
    open_postgres_plane,
    open_sqlite_plane,
)
from perdure.clock import text_of
from perdure.identity.access import RULES
from perdure.identity.principal import Principal, Role
from perdure.ids import RunId, RuntimeId, SessionId, TenantId, UserId, new_id
from perdure.kernel.draft import born
from perdure.kernel.model import Birth, ProgramRef
from perdure.registry.registry import registry_of
from perdure.runner.config import RunnerConfig
from perdure.runner.runner import Runner
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.folders import plane_folder
from perdure.runtimes.hub import Hub
from perdure.runtimes.router import NoWorker, Router, RouterConfig, Worker
from perdure.runtimes.waker import Waker, WakerConfig
from perdure.stores.runs import Commit
from tests.support.planes import shared_engine
from tests.support.running import NoHttp, Signal, Stage

TENANT = TenantId("t")


def a_principal(name: str) -> Principal:
    """A user whose runtime has the user's name."""
    roles = frozenset({Role.USER})
    return Principal(TENANT, UserId(name), roles, RuntimeId(name), TENANT, "user-registry", "f")


class House:
    """One process with many planes."""

    def __init__(self, folder: Path, stage: Stage, control: SqlControl, pools: Pools) -> None:
        self.folder, self.stage, self.control, self.pools = folder, stage, control, pools
        self.prefix = new_id()  # of schemas
        self.runner = Runner(RunnerConfig(**{"holder": new_id(), "stop_s": 0.2, **stage.config}))
        self.opened: list[str] = []
        self.peeked: list[str] = []
        self.resting: set[str] = set()  # whose runs are not to move
        self.moved = Signal()
        self.router: Router
        self.waker: Waker

    async def open_plane(self, tenant: TenantId, runtime: RuntimeId) -> RuntimeContext:
        """Open a plane, as the program does."""
        clock, hub = self.stage.clock, Hub()
        entry = await self.control.enter(tenant, runtime, at=text_of(clock.now()))
        folder = plane_folder(self.folder, tenant, runtime)
        config = PlaneConfig(
            on_commit=hub.committed, pools=self.pools, on_mail=hub.mailed, on_hint=hub.hint,
            note_due=lambda due, at: self.control.note_due(tenant, runtime, due, at=at),
            synchronous="NORMAL",
        )  # fmt: skip
        if self.control.database.facts.alone:
            plane = await open_sqlite_plane(folder, config)
        else:
            schema = f"{self.prefix} {entry.schema_name}"
            plane = await open_postgres_plane(shared_engine(), schema, folder / "artifacts", config)
        assert entry.schema_name == schema_of(tenant, runtime)
        self.opened.append(runtime)
        hub.tell_also(lambda _batch: self.moved.tell())
        return RuntimeContext(
            tenant, runtime, plane, hub, registry_of([self.stage.feature()], RULES), clock, NoHttp(),
            folder / "workspaces",
        )  # fmt: skip

    async def peek(self, tenant: TenantId, runtime: RuntimeId) -> str | None:
        """Look into a plane that is closed, as the program does."""
        self.peeked.append(runtime)
        if self.control.database.facts.alone:
            return due_in_file(plane_folder(self.folder, tenant, runtime))
        schema = f"{self.prefix} {schema_of(tenant, runtime)}"
        return due_in_schema(shared_engine(), schema)

    async def may_move(self, _tenant: TenantId, runtime: RuntimeId) -> bool:
        """Whether the runs of a plane are to move."""
        return runtime not in self.resting

    def birth(self, script: str = "run") -> Birth:
        """The birth of a run that plays a script."""
        run_id = RunId(new_id())
        at = text_of(self.stage.clock.now())
        return Birth(run_id, script, ProgramRef("test", None, script), at, run_id, SessionId("s"))

    async def start(self, name: str, script: str = "run") -> RunId:
        """Have a run born in the plane of `name`."""
        birth = self.birth(script)
        async with self.router.using(TENANT, RuntimeId(name)) as runtime:
            await runtime.plane.runs.commit(Commit(born(birth, {})))
        return birth.id

    async def status(self, name: str, run_id: RunId) -> str:
        """How a run stands, in a plane that is opened for it if need be."""
        async with self.router.using(TENANT, RuntimeId(name)) as runtime:
            return (await runtime.plane.runs.header(run_id)).status.value

    async def until(self, name: str, run_id: RunId, status: str) -> None:
        """Wait until a run stands like this."""
        with anyio.fail_after(30):
            while await self.status(name, run_id) != status:
                await anyio.sleep(0.01)

    async def until_idle(self, name: str) -> None:
        """Wait until nothing of an open plane is in hand."""
        runtime = await self.router.runtime(TENANT, RuntimeId(name))
        with anyio.fail_after(30):
            while not self.runner.idle(runtime):
                await anyio.sleep(0.005)

    async def until_closed(self, name: str) -> None:
        """Have planes closed, until this one is."""
        with anyio.fail_after(30):
            while self.router.is_open(TENANT, RuntimeId(name)):
                await self.router.close_idle()
                await anyio.sleep(0.01)


@asynccontextmanager
async def a_house(
    folder: Path, stage: Stage, *, database: str = "sqlite", schema: str = "", runs: bool = True,
    serves: bool = True, **router: Any,
) -> AsyncGenerator[House]:  # fmt: skip
    """A process with many planes. `runs`: with a runner; `serves`: with the waker and the closing at work."""
    pools = Pools()
    async with AsyncExitStack() as stack:
        stack.callback(pools.close)
        if database == "sqlite":
            control = await open_sqlite_control(folder / "control.db", pools.readers)
        else:
            name = schema or f"control {new_id()}"
            control = await open_postgres_control(shared_engine(), pools.readers, name)
        stack.push_async_callback(control.close)
        house = House(folder, stage, control, pools)
        if schema:
            house.prefix = schema
        worker: Worker = house.runner if runs else NoWorker()
        times = {"idle_s": 0.0, "rest_s": 0.0, "look_s": 0.01, "keep_s": 0.0, "room_s": 0.3}
        house.router = Router(
            house.open_plane, control, worker, stage.clock, RouterConfig(**{**times, **router}),
            house.may_move,
        )  # fmt: skip
        stack.push_async_callback(house.router.close_all)
        house.waker = Waker(
            house.router, control, stage.clock, house.peek, WakerConfig(again_s=0.2)
        )
        group = await stack.enter_async_context(anyio.create_task_group())
        if runs:
            group.start_soon(house.runner.serve)
        if serves:
            group.start_soon(house.waker.serve)
            group.start_soon(house.router.serve)
        try:
            yield house
        finally:
            group.cancel_scope.cancel()
