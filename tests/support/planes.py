"""A plane under test on either database: opened, listened to, opened again, and tampered with."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from sqlite3 import connect
from typing import Any, Protocol

import psycopg
from sqlalchemy import Engine

from perdure.adapters.sql.plane import (
    PlaneConfig,
    Pools,
    SqlPlane,
    open_postgres_plane,
    open_sqlite_plane,
)
from perdure.adapters.sql.postgres import postgres_engine
from perdure.ids import RunId, new_id
from perdure.stores.runs import Committed
from tests.support.postgres import postgres_server

DATABASES = ("sqlite", "postgresql")


class Place(Protocol):
    """Where a plane lies, and how a test reaches it past the stores."""

    @property
    def artifacts(self) -> Path:
        """The folder of its content."""
        ...

    async def open(self, config: PlaneConfig) -> SqlPlane:
        """Open the plane there."""
        ...

    def tamper(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement behind the store's back; `?` stands for a value."""
        ...

    def checked_out(self, plane: SqlPlane) -> int:
        """How many connections have not come back."""
        ...


class SqlitePlace:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.artifacts = folder / "artifacts"

    async def open(self, config: PlaneConfig) -> SqlPlane:
        return await open_sqlite_plane(self.folder, config)

    def tamper(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        connection = connect(self.folder / "plane.db", isolation_level=None)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def checked_out(self, plane: SqlPlane) -> int:
        database: Any = plane.database
        return sum(engine.pool.checkedout() for engine in (database.writer, database.readers))


class PostgresPlace:
    """A schema of its own in the database that all tests of a process share."""

    def __init__(self, folder: Path) -> None:
        self.schema = f"plane {new_id()}"
        self.artifacts = folder / "artifacts"

    async def open(self, config: PlaneConfig) -> SqlPlane:
        return await open_postgres_plane(shared_engine(), self.schema, self.artifacts, config)

    def tamper(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(postgres_server().conninfo(), autocommit=True) as connection:
            connection.execute("SELECT set_config('search_path', %s, false)", (f'"{self.schema}"',))
            cursor = connection.execute(statement.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else []

    def checked_out(self, plane: SqlPlane) -> int:
        pool: Any = shared_engine().pool
        count: int = pool.checkedout()
        return count


PLACES: Mapping[str, Callable[[Path], Place]] = {
    "sqlite": SqlitePlace,
    "postgresql": PostgresPlace,
}


@cache
def shared_engine() -> Engine:
    """The pool of this process to the server of its tests."""
    return postgres_engine(postgres_server().url())


class Store:
    """The plane under test, and what it told."""

    def __init__(self, place: Place, pools: Pools) -> None:
        self.place, self.pools = place, pools
        self.batches: list[Sequence[Committed]] = []
        self.mailed: list[RunId] = []
        self.probed: list[str] = []
        self.plane: SqlPlane

    def config(self, **changes: Any) -> PlaneConfig:
        """How the plane under test is held."""
        told: dict[str, Any] = {
            "on_commit": self.batches.append, "on_mail": self.mailed.extend, "pools": self.pools,
            "probe": self.probed.append,
        }  # fmt: skip
        return PlaneConfig(**{**told, **changes})

    async def open_again(self) -> SqlPlane:
        """Close the plane and open it anew, so that only what is on disk is known."""
        await self.plane.close()
        self.plane = await self.place.open(self.config())
        return self.plane

    def tamper(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement behind the store's back; `?` stands for a value."""
        return self.place.tamper(statement, *values)

    @property
    def committed(self) -> list[Committed]:
        """Every commit that listeners were told of."""
        return [one for batch in self.batches for one in batch]


@asynccontextmanager
async def a_store(database: str, folder: Path) -> AsyncIterator[Store]:
    """A fresh plane; when the test is over, no connection may be left checked out."""
    pools = Pools()
    store = Store(PLACES[database](folder), pools)
    store.plane = await store.place.open(store.config())
    try:
        yield store
        assert store.place.checked_out(store.plane) == 0, "a connection did not come back"
    finally:
        await store.plane.close()
        pools.close()
