"""An installation of a control store, a router and real planes, as far as handing on and purging goes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from perdure.adapters.sql.control import schema_of
from perdure.adapters.sql.plane import PlaneConfig, Pools, open_postgres_plane, open_sqlite_plane
from perdure.adapters.sql.remains import PlaneRemains
from perdure.identity.access import RULES
from perdure.ids import RuntimeId, TenantId
from perdure.registry.registry import registry_of
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.folders import plane_folder
from perdure.runtimes.hub import Hub
from perdure.runtimes.retention import Retention, no_probe
from perdure.runtimes.router import NoWorker, Router
from tests.support.control import Control, a_control
from tests.support.planes import shared_engine

WORDS = b"what a run has left"


class Stopped(BaseException):
    """The process ends here, as far as a test can have it end."""


def stopping_at(point: str) -> Callable[[str], None]:
    """A probe that ends the process at a point."""

    def probe(name: str) -> None:
        if name == point:
            raise Stopped

    return probe


@dataclass
class Installation:
    """A control store, and the planes that it knows, over several lives of the process."""

    kept: Control
    database: str
    folder: Path
    pools: Pools
    router: Router
    remains: PlaneRemains

    @classmethod
    def on(cls, kept: Control, database: str, folder: Path, pools: Pools) -> "Installation":
        """A process on these data."""
        engine = None if database == "sqlite" else shared_engine()
        remains = PlaneRemains(
            folder, lambda *name: plane_folder(folder, *name), pools.readers, engine
        )
        made = cls(kept, database, folder, pools, None, remains)  # type: ignore[arg-type]  # filled below
        made.router = Router(made.plane, kept.store, NoWorker(), kept.clock)
        return made

    def again(self) -> "Installation":
        """The next process on the same data."""
        return Installation.on(self.kept, self.database, self.folder, self.pools)

    def retention(self, point: str = "") -> Retention:
        """What is under test, in a process that ends at `point`."""
        probe = stopping_at(point) if point else no_probe
        return Retention(self.kept.context, self.router, self.remains, probe)

    async def plane(self, tenant: TenantId, runtime: RuntimeId) -> RuntimeContext:
        """Open a plane."""
        await self.kept.store.enter(tenant, runtime, at=self.kept.now)
        hub = Hub()
        config = PlaneConfig(on_commit=hub.committed, pools=self.pools)
        folder = plane_folder(self.folder, tenant, runtime)
        if self.database == "sqlite":
            plane = await open_sqlite_plane(folder, config)
        else:
            schema = schema_of(tenant, runtime)
            plane = await open_postgres_plane(shared_engine(), schema, folder / "artifacts", config)
        return RuntimeContext(
            tenant=tenant, runtime=runtime, plane=plane, hub=hub, registry=registry_of([], RULES),
            clock=self.kept.clock, http=None, workspaces=folder / "workspaces",  # type: ignore[arg-type]  # nothing calls out
        )  # fmt: skip

    async def fill(self, tenant: TenantId, runtime: RuntimeId) -> None:
        """Leave something in a plane, in its database and in its files."""
        async with self.router.using(tenant, runtime) as opened:
            await opened.plane.artifacts.put(
                WORDS, owner="run", content_type="text/plain", at=self.kept.now
            )

    async def left_in(self, tenant: TenantId, runtime: RuntimeId) -> int:
        """How many artifacts a plane has, opened anew."""
        async with self.router.using(tenant, runtime) as opened:
            found, _ = await opened.plane.artifacts.list(["run"], limit=10, offset=0)
            return len(found)


@asynccontextmanager
async def an_installation(database: str, folder: Path) -> AsyncIterator[Installation]:
    """A fresh installation without a user."""
    pools = Pools()
    async with a_control(database, folder) as kept:
        made = Installation.on(kept, database, folder, pools)
        try:
            yield made
        finally:
            await made.router.close_all()
            for entry in await kept.store.planes(after=None, limit=100):
                await made.remains.erase(
                    entry.tenant, entry.runtime
                )  # in a database that tests share
            pools.close()
