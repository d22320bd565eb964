"""Opens the one plane of single-token mode, and the control store that knows of it."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, NamedTuple

import anyio
from pydantic import SecretStr
from sqlalchemy import Engine

from perdure.adapters.sql.control import (
    SqlControl,
    open_postgres_control,
    open_sqlite_control,
    schema_of,
)
from perdure.adapters.sql.notify import Notices
from perdure.adapters.sql.plane import (
    PlaneConfig,
    Pools,
    SqlPlane,
    open_postgres_plane,
    open_sqlite_plane,
)
from perdure.adapters.sql.postgres import postgres_engine
from perdure.app.settings import Settings
from perdure.clock import Clock, text_of
from perdure.ids import RunId, RuntimeId, TenantId
from perdure.runner.runner import Runner
from perdure.runtimes.hub import Hub

TENANT: Final = TenantId("default")
RUNTIME: Final = RuntimeId("admin")


class Listeners(NamedTuple):
    """Who hears what a plane tells: the process's hub and its runner, and a crash test's probe."""

    hub: Hub
    runner: Runner | None
    probe: Callable[[str], None]

    def mail(self, _run_ids: Sequence[RunId]) -> None:
        """Have the runner look: something is there for a run."""
        for lane in self.runner.lanes if self.runner is not None else ():
            lane.look_again()


def folder_of(settings: Settings) -> Path:
    """Where the plane keeps what is in files."""
    return settings.data_dir / "planes" / TENANT / RUNTIME


async def open_plane(
    stack: AsyncExitStack, settings: Settings, clock: Clock, told: Listeners
) -> SqlPlane:
    """Open the plane, in SQLite or in Postgres, to be closed with `stack`.

    Raises `Unavailable` where another process holds it, `SchemaNewer`, `StoreFailed`.
    """
    pools = Pools()
    stack.callback(pools.close)
    engine = None if settings.database_url is None else _engine(stack, settings.database_url)
    if engine is None:
        control = await open_sqlite_control(settings.data_dir / "control.db", pools.readers)
    else:
        control = await open_postgres_control(engine, pools.readers)
    stack.push_async_callback(control.close)
    await control.enter(TENANT, RUNTIME, at=text_of(clock.now()))
    config = _config(settings, pools, control, told)
    if engine is None:
        plane = await open_sqlite_plane(folder_of(settings), config)
    else:
        notices = await _notices(stack, engine)
        artifacts = folder_of(settings) / "artifacts"
        schema = schema_of(TENANT, RUNTIME)
        plane = await open_postgres_plane(engine, schema, artifacts, config, notices)
    stack.push_async_callback(plane.close)
    return plane


def _engine(stack: AsyncExitStack, url: SecretStr) -> Engine:
    engine = postgres_engine(url.get_secret_value())
    stack.callback(engine.dispose)
    return engine


async def _notices(stack: AsyncExitStack, engine: Engine) -> Notices:
    """The hints between processes, told and heard until the program ends."""
    notices = Notices(engine)
    group = await stack.enter_async_context(anyio.create_task_group())
    stack.callback(group.cancel_scope.cancel)
    group.start_soon(notices.serve)
    return notices


def _config(settings: Settings, pools: Pools, control: SqlControl, told: Listeners) -> PlaneConfig:
    def note_due(due: str, at: str) -> str:
        return control.note_due(TENANT, RUNTIME, due, at=at)

    return PlaneConfig(
        on_commit=told.hub.committed, pools=pools, on_mail=told.mail, on_hint=told.hub.hint,
        note_due=note_due, probe=told.probe, synchronous=settings.sqlite_synchronous,
    )  # fmt: skip
