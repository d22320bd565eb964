"""A plane in one SQLite file: WAL, one connection that writes, and a few that only read.

The standard library's `sqlite3` serves: it is the faster of the drivers, and the fault of older
releases in resetting a WAL needs two connections that write, which a plane never has.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Final

import orjson
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from perdure.adapters.sql.dialect import Facts, Mismatch, Session, Write
from perdure.adapters.sql.groups import SIZES, grouped
from perdure.adapters.sql.statements import Row, Rows, Sql
from perdure.errors import StoreFailed, Unavailable

FACTS: Final = Facts("sqlite", alone=True, notifies=False)
SYNCHRONOUS: Final = {"NORMAL": 1, "FULL": 2}
PRAGMAS: Final[Mapping[str, int | str]] = {
    "journal_mode": "wal",
    "busy_timeout": 10_000,  # ms
    "foreign_keys": 1,
    "wal_autocheckpoint": 4_000,  # pages
}
PAGE_BYTES: Final = 8_192
READERS: Final = 4
OLDEST: Final = (3, 35, 0)  # the first that answers with `RETURNING`
# After these the file may not be what we think it is.
FATAL: Final = frozenset({
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
})  # fmt: skip


class SqliteSession:
    """One transaction on one connection."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        """Speak through `cursor`, whose transaction has begun."""
        self._cursor = cursor

    def _execute(self, statement: Sql, values: Mapping[str, object]) -> sqlite3.Cursor:
        given = {
            name: orjson.dumps(value).decode() if isinstance(value, list) else value
            for name, value in values.items()
        }
        return self._cursor.execute(statement.words("sqlite").text, statement.row("sqlite", given))

    def all(self, statement: Sql, **values: object) -> list[Row]:
        """Every row of the answer."""
        return self._execute(statement, values).fetchall()

    def first(self, statement: Sql, **values: object) -> Row | None:
        """The first row of the answer, if there is one."""
        row: Row | None = self._execute(statement, values).fetchone()
        return row

    def run(self, statement: Sql, **values: object) -> int:
        """Run a statement that answers no rows; how many rows it touched."""
        return self._execute(statement, values).rowcount

    def write(self, writes: Sequence[Write]) -> None:
        """Write rows. Raises `Mismatch` where an exact write touched fewer rows than it was given."""
        for statement, rows, exact in writes:
            if self._written(statement, rows) != len(rows) and exact:
                raise Mismatch

    def _written(self, statement: Rows, rows: Sequence[Row]) -> int:
        """Write rows, in groups as far as there are enough of them; how many were touched."""
        touched, at = 0, 0
        for size in SIZES:
            text = grouped(statement, size) if len(rows) - at >= size else None
            while text is not None and len(rows) - at >= size:
                values = tuple(chain.from_iterable(rows[at : at + size]))
                touched += self._cursor.execute(text, values).rowcount
                at += size
        if at < len(rows):
            one = statement.words("sqlite").text
            touched += self._cursor.executemany(one, rows[at:] if at else rows).rowcount
        return touched


class SqliteDatabase:
    """The file of a plane, held by this process alone."""

    facts = FACTS

    def __init__(self, path: Path, *, synchronous: str = "FULL") -> None:
        """Open the file, made where it is not there. Raises `Unavailable` while another process holds it."""
        if sqlite3.sqlite_version_info < OLDEST:
            raise Unavailable(
                f"SQLite {sqlite3.sqlite_version} is too old; {'.'.join(map(str, OLDEST))} is needed"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(path.with_suffix(".lock"))
        self._path, self._synchronous = path, synchronous
        self.writer = self._engine(size=1, query_only=0)
        self.readers = self._engine(size=READERS, query_only=1)

    def _engine(self, *, size: int, query_only: int) -> Engine:
        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False,
                                         cached_statements=256)  # fmt: skip
            _prepare(connection, {
                **PRAGMAS, "synchronous": SYNCHRONOUS[self._synchronous], "query_only": query_only,
            })  # fmt: skip
            return connection

        return create_engine(
            "sqlite+pysqlite://", creator=connect, poolclass=QueuePool, pool_size=size,
            max_overflow=0, pool_reset_on_return=None,
        )  # fmt: skip

    @contextmanager
    def _session(self, engine: Engine, begin: str) -> Iterator[Session]:
        checked_out = engine.raw_connection()
        try:
            cursor: sqlite3.Cursor = checked_out.cursor()  # type: ignore[assignment]  # the driver's own
            cursor.execute(begin)
            try:
                yield SqliteSession(cursor)
                cursor.execute("COMMIT")
            except BaseException:
                _undo(cursor)
                raise
        finally:
            checked_out.close()

    def reading(self) -> AbstractContextManager[Session]:
        """A transaction that sees one moment and changes nothing."""
        return self._session(self.readers, "BEGIN")

    def writing(self) -> AbstractContextManager[Session]:
        """A transaction, committed at the end of the block, undone where the block raises."""
        return self._session(self.writer, "BEGIN IMMEDIATE")

    def migrate(self, migrate: Callable[[Connection], object]) -> None:
        """Have the schema brought up to date in one transaction."""
        with self.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                migrate(connection)
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                with suppress(SQLAlchemyError):  # the first error is the one to tell
                    connection.exec_driver_sql("ROLLBACK")
                raise

    def fatal(self, error: Exception) -> bool:
        """Whether the store can no longer be trusted with writes after this error."""
        code = getattr(error, "sqlite_errorcode", None)
        return code is not None and (code & 0xFF) in FATAL

    def transient(self, error: Exception) -> bool:
        """Whether the same transaction may succeed when it is tried again: nobody else is here."""
        return False

    def error_types(self) -> tuple[type[Exception], ...]:
        """What the driver raises."""
        return (sqlite3.Error, SQLAlchemyError)

    def close(self) -> None:
        """Let go of every connection, the writing one last: it leaves a whole file behind."""
        self.readers.dispose()
        self.writer.dispose()
        os.close(self._lock)


def _prepare(connection: sqlite3.Connection, pragmas: Mapping[str, int | str]) -> None:
    """Set what a connection must have, and look whether it has it."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a file that is yet to be made
    for name, wanted in pragmas.items():
        connection.execute(f"PRAGMA {name} = {wanted}")
        found = connection.execute(f"PRAGMA {name}").fetchone()[0]
        if found != wanted:
            connection.close()
            raise StoreFailed(f"SQLite keeps {name} at {found}; {wanted} is needed")


def _undo(cursor: sqlite3.Cursor) -> None:
    """Roll back what is left of a transaction; after some errors there is nothing left."""
    if cursor.connection.in_transaction:
        with suppress(sqlite3.Error):  # the first error is the one to tell
            cursor.execute("ROLLBACK")


def _locked(path: Path) -> int:
    """Hold the lock file as long as this process lives."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        os.close(descriptor)
        raise Unavailable(
            "another process holds this plane; on SQLite one process serves it and runs it"
        ) from held
    return descriptor
