"""Reads happen on a few shared threads, each in a transaction that sees one moment."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, TypeVar

from perdure.adapters.sql.dialect import Database, Session
from perdure.errors import StoreFailed

T = TypeVar("T")

TRIES_MAX: Final = 3  # of one look, where the connection was lost


class Reader:
    """The one way to look into a plane."""

    def __init__(
        self, database: Database, threads: Executor, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Read from `database` on `threads`."""
        self._database, self._threads, self._loop = database, threads, loop

    async def read(self, read: Callable[[Session], T]) -> T:
        """Read on another thread. Raises `StoreFailed` where the database does not answer."""
        return await self.run(lambda: self._read(read))

    async def run(self, call: Callable[[], T]) -> T:
        """Do something that may wait for the disk on another thread."""
        return await self._loop.run_in_executor(self._threads, call)

    def _read(self, read: Callable[[Session], T], tries: int = TRIES_MAX) -> T:
        try:
            with self._database.reading() as session:
                return read(session)
        except self._database.error_types() as failed:
            if tries == 1 or not self._database.transient(failed):
                raise StoreFailed(f"the store cannot be read: {failed}") from failed
        return self._read(read, tries - 1)
