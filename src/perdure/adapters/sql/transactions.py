"""Reads and writes of the control store, each one transaction on a thread that may wait for the disk."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, TypeVar

from perdure.adapters.sql.dialect import CommitUnknown, Database, Session
from perdure.adapters.sql.reader import Reader
from perdure.errors import StoreFailed

T = TypeVar("T")

TRIES_MAX: Final = 5  # of one transaction that the database gave up for another's sake


class Transactions:
    """The one way into the tables of the control store. What a piece of work raises undoes all that it wrote."""

    def __init__(self, database: Database, threads: Executor) -> None:
        """Work on `database`, on `threads`."""
        self._database = database
        self._reader = Reader(database, threads, asyncio.get_running_loop())

    async def read(self, work: Callable[[Session], T]) -> T:
        """Look at one moment. Raises `StoreFailed`."""
        return await self._reader.read(work)

    async def write(self, work: Callable[[Session], T]) -> T:
        """Write all that `work` does, or nothing. Raises what it raises, and `StoreFailed`."""
        return await self._reader.run(lambda: self._write(work, TRIES_MAX))

    def _write(self, work: Callable[[Session], T], tries: int) -> T:
        database = self._database
        try:
            with database.writing() as session:
                return work(session)
        except CommitUnknown as unknown:
            raise StoreFailed("the connection was lost; look whether it was done") from unknown
        except database.error_types() as failed:
            if tries == 1 or not database.transient(failed):
                raise StoreFailed(f"the control store failed: {failed}") from failed
        return self._write(work, tries - 1)
