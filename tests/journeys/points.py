"""Points at which a process can be killed beside those that the program names.

- `written`: all that is to be changed of users and runtimes is written, and is not committed
- `committed`: it is
- `filled`, `flushed`: the same of any transaction at all, in the control store and in planes
- `removed`: a file or a folder was taken away
- `dropped`: a plane's schema was taken away
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.postgres import PostgresDatabase
from perdure.adapters.sql.remains import PlaneRemains
from perdure.adapters.sql.sqlite import SqliteDatabase
from perdure.adapters.sql.transactions import Transactions

Probe = Callable[[str], None]


def watch(probe: Probe) -> None:
    """Have these points passed, from here on and in this process; uses of tokens, which anybody makes, pass none."""
    patch("perdure.services.uses.GATHER_S", 3_600.0).start()
    for database in (SqliteDatabase, PostgresDatabase):
        patch.object(database, "writing", _writing(database.writing, probe)).start()
    patch.object(Transactions, "_write", _working(Transactions._write, probe)).start()
    for module, name in ((os, "unlink"), (os, "rmdir")):
        patch.object(module, name, _then(getattr(module, name), "removed", probe)).start()
    patch.object(PlaneRemains, "_drop", _then(PlaneRemains._drop, "dropped", probe)).start()


def _writing(plain: Callable[..., Any], probe: Probe) -> Callable[..., Any]:
    @contextmanager
    def writing(database: object) -> Iterator[Session]:
        with plain(database) as session:
            yield session
            probe("filled")
        probe("flushed")

    return writing


def _working(plain: Callable[..., Any], probe: Probe) -> Callable[..., Any]:
    def worked(transactions: Transactions, work: Callable[[Session], Any], tries: int) -> Any:
        def until_written(session: Session) -> Any:
            answer = work(session)
            probe("written")
            return answer

        answer = plain(transactions, until_written, tries)
        probe("committed")
        return answer

    return worked


def _then(plain: Callable[..., Any], point: str, probe: Probe) -> Callable[..., Any]:
    def done(*given: Any, **named: Any) -> Any:
        answer = plain(*given, **named)
        probe(point)
        return answer

    return done
