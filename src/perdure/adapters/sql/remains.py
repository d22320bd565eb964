"""`Remains` of planes: a schema where planes lie in Postgres, and a folder on either database."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from perdure.adapters.disk.erase import check_way, erase
from perdure.adapters.sql.control import schema_of
from perdure.errors import StoreFailed
from perdure.ids import RuntimeId, TenantId

T = TypeVar("T")

_IS_THERE: Final = "SELECT 1 FROM pg_namespace WHERE nspname = %s"


class PlaneRemains:
    """What is left of planes, in files below a root and, where there is an engine, in schemas."""

    def __init__(
        self, root: Path, folder_of: Callable[[TenantId, RuntimeId], Path], threads: Executor, engine: Engine | None = None,
        erase_content: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        """Know the folders that `folder_of` names, all below `root`; wait for the disk on `threads`.

        `erase_content` takes away what a plane has in a bucket, by its place.
        """
        self._erase_content = erase_content
        self._root, self._folder_of, self._threads, self._engine = root, folder_of, threads, engine

    def place(self, tenant: TenantId, runtime: RuntimeId) -> str:
        """Where a plane's files lie, relative to the data directory."""
        return str(self._folder_of(tenant, runtime).relative_to(self._root))

    async def exist(self, tenant: TenantId, runtime: RuntimeId) -> bool:
        """Whether anything of a plane is left."""

        def look() -> bool:
            return self._folder_of(tenant, runtime).is_dir() or self._is_schema(tenant, runtime)

        return await self._run(look)

    async def erase(self, tenant: TenantId, runtime: RuntimeId) -> None:
        """Take away the schema, then content and folder: files never outlive what names them the other way round."""

        def work() -> None:
            folder = self._folder_of(tenant, runtime)
            check_way(self._root, folder)  # before anything is gone
            if self._is_schema(tenant, runtime):
                self._drop(schema_of(tenant, runtime))
            if self._erase_content is not None:
                self._erase_content(self.place(tenant, runtime))
            erase(self._root, folder)

        await self._run(work)

    def _is_schema(self, tenant: TenantId, runtime: RuntimeId) -> bool:
        if self._engine is None:
            return False
        with self._engine.connect() as connection:
            name = schema_of(tenant, runtime)
            return connection.exec_driver_sql(_IS_THERE, (name,)).first() is not None

    def _drop(self, schema: str) -> None:
        """Drop a schema whose name the server made of hexadecimal digits."""
        assert self._engine is not None, "a schema was found"
        with self._engine.begin() as connection:
            connection.exec_driver_sql(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')

    async def _run(self, work: Callable[[], T]) -> T:
        def worked() -> T:
            try:
                return work()
            except SQLAlchemyError as failed:
                raise StoreFailed("Postgres did not take the data away") from failed

        return await asyncio.get_running_loop().run_in_executor(self._threads, worked)
