"""`ControlStore` in SQL: a file of its own on SQLite, the schema `perdure` on Postgres."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import (
    Engine,
    bindparam,
    case,
    delete,
    literal_column,
    select,
    tuple_,
    update,
)

from perdure.adapters.sql.commit_rows import at_most_once
from perdure.adapters.sql.dialect import CommitUnknown, Database, Session, Write
from perdure.adapters.sql.migrate import CONTROL, NEWEST, RUNTIME, migrate
from perdure.adapters.sql.sqlite import SqliteDatabase
from perdure.adapters.sql.statements import Row, Sql
from perdure.adapters.sql.tables import planes
from perdure.clock import text_of, time_of
from perdure.errors import StoreFailed
from perdure.ids import RuntimeId, TenantId
from perdure.stores.planes import QUIET_S, PlaneEntry

T = TypeVar("T")

SCHEMA: Final = "perdure"
_NAMES: Final = ("tenant", "runtime", "schema_name", "schema_version", "due_at", "noted_at")
_COLUMNS: Final = tuple(planes.c[name] for name in _NAMES)
_KEY: Final = (planes.c.tenant, planes.c.runtime)
_THIS: Final = (
    planes.c.tenant == bindparam("_tenant"),
    planes.c.runtime == bindparam("_runtime"),
)
_ENTER: Final = at_most_once(planes, _NAMES)
_GET: Final = Sql(select(*_COLUMNS).where(*_THIS))
_DUE: Final = Sql(
    select(*_COLUMNS)
    .where(planes.c.due_at <= bindparam("now"))
    .order_by(planes.c.due_at, *_KEY)
    .limit(bindparam("_limit"))
)
_NEXT: Final = Sql(
    select(planes.c.due_at)
    .where(planes.c.due_at > bindparam("after"))
    .order_by(planes.c.due_at)
    .limit(literal_column("1"))
)
_LEAVE: Final = Sql(delete(planes).where(*_THIS))
_ALL: Final = Sql(
    select(*_COLUMNS)
    .where(tuple_(*_KEY) > tuple_(bindparam("after_tenant"), bindparam("after_runtime")))
    .order_by(*_KEY)
    .limit(bindparam("_limit"))
)
_NOTE: Final = Sql(
    update(planes)
    .where(*_THIS)
    .values(
        due_at=case(
            (planes.c.due_at <= bindparam("due"), planes.c.due_at), else_=bindparam("due_too")
        ),
        noted_at=bindparam("at"),
    )
    .returning(planes.c.due_at)
)
_SETTLE: Final = Sql(
    update(planes)
    .where(
        *_THIS, planes.c.due_at == bindparam("read"), planes.c.noted_at <= bindparam("quiet_since")
    )
    .values(due_at=bindparam("due"))
)
_MIGRATED: Final = Sql(update(planes).where(*_THIS).values(schema_version=bindparam("version")))


class SqlControl:
    """The planes of one installation. Made by `open_sqlite_control` or `open_postgres_control`."""

    def __init__(self, database: Database, threads: Executor) -> None:
        """Keep them in `database`; what may wait for the disk happens on `threads`."""
        self.database: Final = database
        self._threads = threads

    async def enter(self, tenant: TenantId, runtime: RuntimeId, *, at: str) -> PlaneEntry:
        """The entry of a plane, made where there is none; nothing is written where it is there."""
        known = await self.entry(tenant, runtime)
        if known is not None:
            return known
        row = (tenant, runtime, schema_of(tenant, runtime), NEWEST[RUNTIME], None, at)

        def work(session: Session) -> PlaneEntry:
            session.write([Write(_ENTER, [row])])
            found = session.first(_GET, _tenant=tenant, _runtime=runtime)
            assert found is not None, "it was written in the same transaction"
            return _entry(found)

        return await self._write(work)

    async def entry(self, tenant: TenantId, runtime: RuntimeId) -> PlaneEntry | None:
        """The entry of a plane, or `None` where there is none."""
        row = await self._read(
            lambda session: session.first(_GET, _tenant=tenant, _runtime=runtime)
        )
        return None if row is None else _entry(row)

    async def due_planes(self, *, now: str, limit: int) -> Sequence[PlaneEntry]:
        """Planes that are due at `now`, earliest first."""
        rows = await self._read(lambda session: session.all(_DUE, now=now, _limit=limit))
        return [_entry(row) for row in rows]

    async def next_due(self, *, after: str) -> str | None:
        """The earliest time after `after` at which any plane is due, or `None`."""
        row = await self._read(lambda session: session.first(_NEXT, after=after))
        return None if row is None else row[0]

    async def planes(self, *, after: PlaneEntry | None, limit: int) -> Sequence[PlaneEntry]:
        """Every plane, in pages."""
        tenant, runtime = ("", "") if after is None else (after.tenant, after.runtime)
        rows = await self._read(
            lambda session: session.all(
                _ALL, after_tenant=tenant, after_runtime=runtime, _limit=limit
            )
        )
        return [_entry(row) for row in rows]

    def note_due(self, tenant: TenantId, runtime: RuntimeId, due: str, *, at: str) -> str:
        """Lower a plane's due time, unless it is earlier already; the time that stands then."""
        with self.database.writing() as session:
            row = session.first(
                _NOTE, _tenant=tenant, _runtime=runtime, due=due, due_too=due, at=at
            )
        if row is None:
            raise StoreFailed("the control store does not know the plane")
        noted: str = row[0]
        return noted

    async def settle_due(
        self, read: PlaneEntry, due: str | None, *, now: str, quiet_s: float = QUIET_S
    ) -> bool:
        """Raise a plane's due time, where nobody has said anything for long enough."""
        quiet_since = text_of(time_of(now) - timedelta(seconds=quiet_s))
        return await self._write(
            lambda session: session.run(
                _SETTLE, _tenant=read.tenant, _runtime=read.runtime, read=read.due_at, due=due,
                quiet_since=quiet_since,
            ) == 1
        )  # fmt: skip

    async def leave(self, tenant: TenantId, runtime: RuntimeId) -> None:
        """Know a plane no more."""
        await self._write(lambda session: session.run(_LEAVE, _tenant=tenant, _runtime=runtime))

    async def migrated(self, tenant: TenantId, runtime: RuntimeId, schema_version: str) -> None:
        """Write down which schema a plane has."""
        await self._write(
            lambda session: session.run(
                _MIGRATED, _tenant=tenant, _runtime=runtime, version=schema_version
            )
        )

    async def close(self) -> None:
        """Let go of the file. Twice is as good as once."""
        await self._run(self.database.close)

    async def _read(self, read: Callable[[Session], T]) -> T:
        def reading() -> T:
            with self.database.reading() as session:
                return read(session)

        return await self._run(reading)

    async def _write(self, work: Callable[[Session], T]) -> T:
        def writing() -> T:
            with self.database.writing() as session:
                return work(session)

        return await self._run(writing)

    async def _run(self, call: Callable[[], T]) -> T:
        def called() -> T:
            try:
                return call()
            except CommitUnknown as unknown:
                raise StoreFailed("the connection was lost; look whether it was done") from unknown
            except self.database.error_types() as failed:
                raise StoreFailed(f"the control store failed: {failed}") from failed

        return await asyncio.get_running_loop().run_in_executor(self._threads, called)


def schema_of(tenant: TenantId, runtime: RuntimeId) -> str:
    """The name of a plane's schema: ours, short enough for Postgres, and no two planes have the same."""
    return "plane_" + sha256(f"{tenant}\x1f{runtime}".encode()).hexdigest()[:32]


def _entry(row: Row) -> PlaneEntry:
    tenant, runtime, schema_name, schema_version, due_at, noted_at = row
    return PlaneEntry(
        TenantId(tenant), RuntimeId(runtime), schema_name, schema_version, due_at, noted_at
    )


async def open_sqlite_control(path: Path, threads: Executor) -> SqlControl:
    """Open the control store in a file. Raises `Unavailable` while another process holds it, `SchemaNewer`."""

    def opened() -> SqliteDatabase:
        database = SqliteDatabase(path)
        try:
            database.migrate(lambda connection: migrate(connection, CONTROL))
        except BaseException:
            database.close()
            raise
        return database

    loop = asyncio.get_running_loop()
    return SqlControl(await loop.run_in_executor(threads, opened), threads)


async def open_postgres_control(engine: Engine, threads: Executor, schema: str = SCHEMA) -> SqlControl:  # fmt: skip
    """Open the control store in its schema. Raises `SchemaNewer`."""
    from perdure.adapters.sql.postgres import PostgresDatabase  # noqa: PLC0415 - as in plane.py

    database = PostgresDatabase(engine, schema, lambda connection: migrate(connection, CONTROL))
    await asyncio.get_running_loop().run_in_executor(threads, database.make)
    return SqlControl(database, threads)
