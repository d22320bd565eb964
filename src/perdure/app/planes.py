"""Opens planes, in SQLite or in Postgres, and makes runtimes of them."""

from asyncio import get_running_loop
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from perdure.adapters.egress import Egress
from perdure.adapters.sql.batches import Probe
from perdure.adapters.sql.control import schema_of
from perdure.adapters.sql.peek import due_in_file, due_in_schema
from perdure.adapters.sql.plane import (
    PlaneConfig,
    SqlPlane,
    open_postgres_plane,
    open_sqlite_plane,
)
from perdure.app.control import Ground
from perdure.app.sections.content import ContentSettings
from perdure.app.sections.storage import StorageSettings
from perdure.app.settings import Settings
from perdure.app.shipped import Shipped
from perdure.clock import Clock, text_of
from perdure.errors import Invalid
from perdure.identity.principal import Principal
from perdure.ids import RuntimeId, TenantId
from perdure.registry.registry import Registry
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.control import ControlContext
from perdure.runtimes.endpoints import endpoints_of
from perdure.runtimes.folders import plane_folder
from perdure.runtimes.hub import Hub
from perdure.runtimes.license import LICENSE_S, License
from perdure.runtimes.limits import Meter, Metering, RuntimeLimits
from perdure.runtimes.router import Key, RouterConfig

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from perdure.adapters.bucket.buckets import Bucket
    from perdure.adapters.sql.notify import Notices

TENANT: Final = TenantId("default")
RUNTIME: Final = RuntimeId("admin")  # the first admin's, and that of single-token mode


def folder_of(settings: StorageSettings) -> Path:
    """Where the first admin's plane keeps what is in files."""
    return plane_folder(settings.data_dir, TENANT, RUNTIME)


def limits_of(settings: Settings) -> RuntimeLimits:
    """The bounds of each runtime."""
    return RuntimeLimits(
        runs_at_once=settings.runs_at_once,
        effects_at_once=settings.effects_at_once,
        requests_at_once=settings.principal_requests,
        streams_at_once=settings.principal_streams,
        stream_bytes_per_minute=settings.principal_stream_bytes,
        starts_per_minute=settings.principal_starts,
    )


def router_config_of(settings: Settings) -> RouterConfig:
    """How long planes stay open, and how many."""
    return RouterConfig(
        open_max=settings.planes_open_max, idle_s=settings.plane_idle_s,
        others_s=0.0 if settings.database_url is None else LICENSE_S,
    )  # fmt: skip


def metering_of(settings: Settings, clock: Clock) -> Metering | None:
    """What counts what each principal uses; where there is one alone, the bounds of the server are theirs."""
    return Metering(limits_of(settings), clock) if settings.user_auth else None


@dataclass(frozen=True, slots=True)
class Planes:
    """What every plane of this process is opened with."""

    settings: Settings
    ground: Ground
    registry: Registry
    egress: Egress
    clock: Clock
    probe: Probe
    metering: Metering | None = None
    notices: "Notices | None" = None  # where other processes may have the same planes
    control: ControlContext | None = None  # without one there are no endpoint profiles
    bucket: "Bucket | None" = None  # where content lies, if not in the folder of each plane
    shipped: Shipped = field(default_factory=Shipped)
    _provided: set[Key] = field(default_factory=set)  # have had the shipped bundles in this process

    async def open(self, tenant: TenantId, runtime: RuntimeId) -> RuntimeContext:
        """Open a plane, made and migrated as needed, with what is shipped installed.

        Raises `Unavailable` where another process holds it, `SchemaNewer`, `StoreFailed`.
        """
        await self.ground.store.enter(tenant, runtime, at=text_of(self.clock.now()))
        features = self.registry.features
        hub = Hub([listener for feature in features for listener in feature.observers])
        folder = plane_folder(self.settings.data_dir, tenant, runtime)
        plane = await self._plane(folder, schema_of(tenant, runtime), self._config(tenant, runtime, hub))  # fmt: skip
        context = RuntimeContext(
            tenant=tenant, runtime=runtime, plane=plane, hub=hub, registry=self.registry,
            clock=self.clock, http=self.egress.bound(), workspaces=folder / "workspaces",
            limits=limits_of(self.settings),
            meter=None if self.metering is None else self.metering.of(tenant, runtime),
            endpoints=None if self.control is None else endpoints_of(self.control, tenant, runtime, plane),
            license=self._license(tenant, runtime),
        )  # fmt: skip
        try:
            await self._provide(context)
        except BaseException:
            await plane.close()
            raise
        return context

    def _license(self, tenant: TenantId, runtime: RuntimeId) -> License | None:
        """What effects need to begin where other processes may have the plane, and users may go."""
        if self.ground.engine is None or self.control is None or not self.settings.user_auth:
            return None
        return License(partial(self.control.principals.is_served, tenant, runtime), self.clock)

    async def peek(self, tenant: TenantId, runtime: RuntimeId) -> str | None:
        """When a plane is due that is not open: at once with the empty text, never with `None`."""
        folder, engine = plane_folder(self.settings.data_dir, tenant, runtime), self.ground.engine

        def peeked() -> str | None:
            if engine is None:
                return due_in_file(folder)
            return due_in_schema(engine, schema_of(tenant, runtime))

        return await get_running_loop().run_in_executor(self.ground.pools.readers, peeked)

    def meter_of(self, principal: Principal) -> Meter | None:
        """What counts what a principal uses, by the runtime that is theirs."""
        if self.metering is None:
            return None
        return self.metering.of(principal.runtime_tenant, principal.runtime)

    async def _plane(self, folder: Path, schema: str, config: PlaneConfig) -> SqlPlane:
        if self.ground.engine is None:
            return await open_sqlite_plane(folder, config)
        artifacts = folder / "artifacts"
        return await open_postgres_plane(
            self.ground.engine, schema, artifacts, config, self.notices
        )

    def _config(self, tenant: TenantId, runtime: RuntimeId, hub: Hub) -> PlaneConfig:
        def note_due(due: str, at: str) -> str:
            return self.ground.store.note_due(tenant, runtime, due, at=at)

        folder = plane_folder(self.settings.data_dir, tenant, runtime)
        place = str(folder.relative_to(self.settings.data_dir))
        return PlaneConfig(
            content=None if self.bucket is None else self.bucket.content(place, folder / "parts"),
            on_commit=hub.committed, pools=self.ground.pools, on_mail=hub.mailed, on_hint=hub.hint,
            note_due=note_due, probe=self.probe, synchronous=self.settings.sqlite_synchronous,
        )  # fmt: skip

    async def _provide(self, runtime: RuntimeContext) -> None:
        """Install what is shipped, once for a plane in the life of this process."""
        key = (runtime.tenant, runtime.runtime)
        if key not in self._provided:
            await self.shipped.install(runtime)
            self._provided.add(key)


def bucket_of(settings: ContentSettings) -> "Bucket | None":
    """The bucket that is set. Raises `Invalid` where it cannot be one, or what reaches it is not installed."""
    if settings.artifacts_url is None:
        return None
    try:
        from perdure.adapters.bucket import buckets
    except ImportError as missing:
        why = "a bucket needs pip install 'perdure[s3]'"
        raise Invalid(why, setting="PERDURE_ARTIFACTS_URL") from missing
    return buckets.bucket_of(settings.artifacts_url)


async def open_notices(stack: AsyncExitStack, engine: "Engine | None") -> "Notices | None":
    """The hints between processes on Postgres, told and heard until the program ends."""
    if engine is None:
        return None
    from perdure.adapters.sql.notify import Notices

    notices = Notices(engine)
    group = await stack.enter_async_context(anyio.create_task_group())
    stack.callback(group.cancel_scope.cancel)
    group.start_soon(notices.serve)
    return notices
