"""A plane in one Postgres schema, reached by the pool of the process that all its planes share.

A transaction opens in the same round trip as its first statement, with the plane's schema as its
search path; nothing of the plane is left on a connection that goes back. Nothing is prepared on
the server, since a prepared statement would remember the schema of another plane.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import sha256
from threading import Lock
from typing import Any, Final

import psycopg
from psycopg import sql as pieces
from psycopg.pq.abc import PGconn
from psycopg.waiting import Ready, Wait
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from perdure.adapters.sql.dialect import CommitUnknown, Facts, Mismatch, Session, Write
from perdure.adapters.sql.statements import Row, Rows, Sql
from perdure.adapters.sql.unnest import DUMPERS, Many, many_of

FACTS: Final = Facts("postgresql", alone=False, notifies=True)
FEW: Final = 3  # rows up to which a statement for each is cheaper than one that unpacks arrays
BEGIN_READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
BEGIN_WRITE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
TO_PLANE: Final = (
    "SELECT set_config('search_path', %s, true)"  # what SET LOCAL does, with a parameter
)
# Serialization failure, deadlock, the server is ending or coming up.
TRANSIENT: Final = frozenset({"40001", "40P01", "57P01", "57P02", "57P03"})
CORRUPT: Final = ("XX001", "XX002", "58030")  # data or index corrupted, i/o error


def postgres_engine(url: str, *, connections: int = 12) -> Engine:
    """The pool of one process, for planes and for the control store."""
    engine = create_engine(
        url, pool_size=connections, max_overflow=0, pool_reset_on_return=None, pool_pre_ping=False,
        connect_args={"autocommit": True, "prepare_threshold": None},
    )  # fmt: skip
    event.listen(engine, "connect", _teach)
    return engine


def _teach(connection: psycopg.Connection[Any], _record: object) -> None:
    for packed, dumper in DUMPERS:
        connection.adapters.register_dumper(packed, dumper)


class PostgresSession:
    """One transaction in pipeline mode: statements without an answer wait for those with one."""

    __slots__ = ("_connection", "_many", "_pipeline")

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        pipeline: psycopg.Pipeline,
        many: dict[Rows, Many],
    ) -> None:
        """Speak over `connection`; `many` remembers the statements over many rows."""
        self._connection, self._pipeline, self._many = connection, pipeline, many

    def _execute(self, statement: Sql, values: Mapping[str, object]) -> psycopg.Cursor[Any]:
        words = statement.words("postgresql").text
        cursor = self._connection.cursor(binary=True)
        cursor.execute(words.encode(), statement.row("postgresql", values))
        self._send_all()
        return cursor

    def _send_all(self) -> None:
        """Have what was said leave this process whole.

        The driver hands it to the system once, and then waits for an answer. What the system did
        not take would stay here, while the server waits for it: both would wait for good.
        """
        if self._connection.pgconn.flush():
            self._connection.wait(_sending(self._connection.pgconn))

    def all(self, statement: Sql, **values: object) -> list[Row]:
        """Every row of the answer."""
        return self._execute(statement, values).fetchall()

    def first(self, statement: Sql, **values: object) -> Row | None:
        """The first row of the answer, if there is one."""
        row: Row | None = self._execute(statement, values).fetchone()
        return row

    def run(self, statement: Sql, **values: object) -> int:
        """Run a statement that answers no rows; how many rows it touched."""
        cursor = self._execute(statement, values)
        self._pipeline.sync()
        return cursor.rowcount

    def write(self, writes: Sequence[Write]) -> None:
        """Write rows. Raises `Mismatch` where an exact write touched fewer rows than it was given."""
        sent = [
            (self._sent(statement, rows), len(rows), exact) for statement, rows, exact in writes
        ]
        if any(exact for *_, exact in sent):
            self._pipeline.sync()
            for cursors, count, exact in sent:
                if exact and sum(cursor.rowcount for cursor in cursors) != count:
                    raise Mismatch

    def _sent(self, statement: Rows, rows: Sequence[Row]) -> list[psycopg.Cursor[Any]]:
        if len(rows) <= FEW:
            words = statement.words("postgresql").text.encode()
            return [self._said(words, row) for row in rows]
        many = self._many.get(statement)
        if many is None:
            many = self._many[statement] = many_of(statement)
        return [self._said(many.text.encode(), many.arrays(rows))]

    def _said(self, words: bytes, values: Sequence[Any]) -> psycopg.Cursor[Any]:
        cursor = self._connection.cursor().execute(words, values)
        self._send_all()
        return cursor


class PostgresDatabase:
    """The schema of a plane. It is made when it is first needed."""

    facts = FACTS
    _many: Final[dict[Rows, Many]] = {}

    def __init__(
        self, engine: Engine, schema: str, make: Callable[[Connection], object], *, made: bool = False
    ) -> None:  # fmt: skip
        """Serve `schema` by the pool of `engine`; `make` brings a new or older schema up to date.

        With `made` it is taken as it is.
        """
        self._engine, self._make = engine, make
        self._schema = schema
        self._path = pieces.Identifier(schema).as_string()
        self._made = made
        self._making = Lock()

    def prepare(self) -> None:
        """Bring a schema that is there up to date; leave one that is not to be made later."""
        with self._engine.connect() as connection:
            found = connection.exec_driver_sql(
                "SELECT 1 FROM pg_namespace WHERE nspname = %s", (self._schema,)
            ).first()
        if found is not None:
            self.make()

    def make(self) -> None:
        """Make the schema, or bring it up to date, while no other process does."""
        with self._making:
            if self._made:
                return
            with self._engine.connect() as connection:
                connection.exec_driver_sql(BEGIN_WRITE)
                try:
                    key = int.from_bytes(sha256(self._schema.encode()).digest()[:8], signed=True)
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (key,))
                    connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {self._path}")
                    connection.exec_driver_sql(TO_PLANE, (self._path,))
                    self._make(connection)
                    connection.exec_driver_sql("COMMIT")
                except BaseException:
                    with suppress(SQLAlchemyError):  # the first error is the one to tell
                        connection.exec_driver_sql("ROLLBACK")
                    raise
            self._made = True

    @contextmanager
    def _session(
        self, begin: str, end: Callable[[psycopg.Connection[Any]], None]
    ) -> Iterator[Session]:
        if not self._made:
            self.make()
        checked_out = self._engine.raw_connection()
        connection: psycopg.Connection[Any] = checked_out.dbapi_connection  # type: ignore[assignment]  # the driver's own
        try:
            with connection.pipeline() as pipeline:
                connection.execute(begin.encode())
                connection.execute(TO_PLANE.encode(), (self._path,))
                yield PostgresSession(connection, pipeline, self._many)
                pipeline.sync()
            end(connection)
        except BaseException:
            _undo(connection)
            raise
        finally:
            if connection.closed:
                checked_out.invalidate()
                self._engine.dispose()  # what lies idle in the pool was cut by the same stroke
            checked_out.close()

    def reading(self) -> AbstractContextManager[Session]:
        """A transaction that sees one moment and changes nothing."""
        return self._session(BEGIN_READ, _end)

    def writing(self) -> AbstractContextManager[Session]:
        """A transaction, committed at the end of the block, undone where the block raises."""
        return self._session(BEGIN_WRITE, _commit)

    def fatal(self, error: Exception) -> bool:
        """Whether the store can no longer be trusted with writes after this error."""
        return getattr(error, "sqlstate", None) in CORRUPT

    def transient(self, error: Exception) -> bool:
        """Whether the same transaction may succeed when it is tried again."""
        if isinstance(error, DBAPIError):  # from the pool
            error = error.orig if isinstance(error.orig, psycopg.Error) else error
        if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
            return True  # the connection was lost, or there was none
        return getattr(error, "sqlstate", None) in TRANSIENT

    def error_types(self) -> tuple[type[Exception], ...]:
        """What the driver raises."""
        return (psycopg.Error, SQLAlchemyError)

    def close(self) -> None:
        """Let go of nothing: the pool belongs to the process."""


def _sending(connection: PGconn) -> Generator[Wait, Ready | int, None]:
    """Send until nothing is left, and take in what comes meanwhile: the server may wait as well."""
    while connection.flush():
        if (yield Wait.RW) & Ready.R:
            connection.consume_input()


def _end(connection: psycopg.Connection[Any]) -> None:
    """End a look. Nothing is unknown where that is not answered: whoever looked may look again."""
    connection.execute(b"COMMIT")


def _commit(connection: psycopg.Connection[Any]) -> None:
    """Commit. Raises `CommitUnknown` where the answer does not come back."""
    try:
        connection.execute(b"COMMIT")
    except psycopg.OperationalError as failed:
        if connection.broken:
            raise CommitUnknown from failed
        raise


def _undo(connection: psycopg.Connection[Any]) -> None:
    """Roll back, unless the connection went with the transaction."""
    if not (connection.broken or connection.closed):
        with suppress(psycopg.Error):
            connection.execute(b"ROLLBACK")
