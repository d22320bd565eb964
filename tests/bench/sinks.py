"""Where the bare loops write: the product's own tables, by the fastest statements that the raw drivers allow."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

import psycopg
import sqlalchemy as sa
from pysqlite3 import dbapi2

from perdure.adapters.sql.tables import PLANE, outbox, runs
from tests.bench.work import HEADER, LEDGER, OUTBOX, BareRun, StepRows, birth_of, first_effect_of

SQLITE: dict[str, ModuleType] = {"sqlite3": sqlite3, "pysqlite3": cast(ModuleType, dbapi2)}
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=4000")
SCHEMA = "bare"


class Sink(Protocol):
    """A database that takes a batch of steps in one transaction."""

    def write(self, steps: Sequence[StepRows]) -> None:
        """Commit all; they are on disk when this returns."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def laid_out(engine: sa.Engine, count: Sequence[BareRun]) -> None:
    """Make the product's tables, and the runs with an effect each."""
    PLANE.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(runs), [birth_of(run) for run in count])
        connection.execute(sa.insert(outbox), [first_effect_of(run) for run in count])
    engine.dispose()


def matched(changed: int, steps: Sequence[StepRows]) -> None:
    """Every run had the version that its step was made for."""
    if changed != len(steps):
        raise RuntimeError(f"{changed} of {len(steps)} headers matched")


class SqliteSink:
    """One connection, WAL, `synchronous=FULL`, and `executemany` for each table."""

    def __init__(self, path: Path, driver: str, of: Sequence[BareRun]) -> None:
        """Lay the file out and open it raw."""
        laid_out(sa.create_engine(f"sqlite:///{path}", module=SQLITE[driver]), of)
        self._it: Any = SQLITE[driver].connect(path, isolation_level=None, check_same_thread=False)
        for pragma in PRAGMAS:
            self._it.execute(f"PRAGMA {pragma}")
        self._header, self._gone = updating(), "DELETE FROM outbox WHERE run=? AND key=?"
        self._ledger, self._outbox = inserting("ledger", LEDGER), inserting("outbox", OUTBOX)

    def write(self, steps: Sequence[StepRows]) -> None:
        """Commit a batch."""
        it = self._it
        it.execute("BEGIN IMMEDIATE")
        matched(it.executemany(self._header, [step.header for step in steps]).rowcount, steps)
        it.executemany(self._ledger, [row for step in steps for row in step.ledger])
        it.executemany(self._gone, [step.gone for step in steps])
        it.executemany(self._outbox, [step.outbox for step in steps])
        it.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._it.close()


def inserting(table: str, columns: Sequence[str], mark: str = "?") -> str:
    """An insert of one whole row."""
    marks = ", ".join([mark] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"


def updating(mark: str = "?") -> str:
    """The update of one run's header, if it has the version that was read."""
    changes = ", ".join(f"{name}={mark}" for name in HEADER)
    return f"UPDATE runs SET {changes} WHERE pk={mark} AND version={mark}"


TYPES = {
    "run": "bigint", "pk": "bigint", "seq": "bigint", "version": "bigint", "head_seq": "bigint",
    "body": "bytea", "detail": "bytea", "hash": "bytea", "head_hash": "bytea", "attempts": "bytea",
    "effects": "bigint", "llm_calls": "bigint", "tool_calls": "bigint", "tokens_in": "bigint",
    "tokens_out": "bigint", "cost": "float8", "bytes_since": "bigint", "expected": "bigint",
}  # fmt: skip


def unnested(columns: Sequence[str]) -> str:
    """The columns as arrays, binary, side by side as rows."""
    return "unnest(" + ", ".join(f"%b::{TYPES.get(it, 'text')}[]" for it in columns) + ")"


GIVEN = (*HEADER, "pk", "expected")
CHANGES = ", ".join(f"{name}=v.{name}" for name in HEADER)
MANY_HEADERS = (
    f"UPDATE runs r SET {CHANGES} FROM {unnested(GIVEN)} v({', '.join(GIVEN)}) "
    "WHERE r.pk=v.pk AND r.version=v.expected"
)
MANY_GONE = (
    f"DELETE FROM outbox o USING {unnested(('run', 'key'))} v(run, key) "
    "WHERE o.run=v.run AND o.key=v.key"
)
MANY_LEDGER = f"INSERT INTO ledger ({', '.join(LEDGER)}) SELECT * FROM {unnested(LEDGER)}"
MANY_OUTBOX = f"INSERT INTO outbox ({', '.join(OUTBOX)}) SELECT * FROM {unnested(OUTBOX)}"
ONE_HEADER, ONE_GONE = updating("%b"), "DELETE FROM outbox WHERE run=%b AND key=%b"
ONE_LEDGER, ONE_OUTBOX = inserting("ledger", LEDGER, "%b"), inserting("outbox", OUTBOX, "%b")
FEW = 3  # up to here single rows cost less than planning a join with arrays
Headers = Sequence[psycopg.Cursor]


class PostgresSink:
    """One connection, one pipeline a batch: rows one by one if few, else as one binary array a column."""

    def __init__(self, dsn: str, of: Sequence[BareRun]) -> None:
        """Lay a fresh schema out and connect raw. Without runs the schema is taken as it is."""
        if of:
            with psycopg.connect(dsn, autocommit=True) as first:
                first.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
                first.execute(f"CREATE SCHEMA {SCHEMA}")
            laid_out(sa.create_engine("postgresql+psycopg://", creator=lambda: self._open(dsn)), of)
        self._it = self._open(dsn)
        self._it.autocommit = True
        self._it.prepare_threshold = 1

    @staticmethod
    def _open(dsn: str) -> psycopg.Connection:
        return psycopg.connect(dsn, options=f"-c search_path={SCHEMA}")

    def write(self, steps: Sequence[StepRows]) -> None:
        """Commit a batch, in two round trips: all rows, then the commit once every version matched."""
        send = self._in_rows if len(steps) <= FEW else self._in_columns
        with self._it.pipeline() as pipeline:
            self._it.execute("BEGIN")
            headers = send(steps)
            pipeline.sync()
            matched(sum(it.rowcount for it in headers), steps)
            self._it.execute("COMMIT")

    def _in_rows(self, steps: Sequence[StepRows]) -> Headers:
        headers = [self._it.execute(ONE_HEADER, step.header) for step in steps]
        for step in steps:
            for row in step.ledger:
                self._it.execute(ONE_LEDGER, row)
            self._it.execute(ONE_GONE, step.gone)
            self._it.execute(ONE_OUTBOX, step.outbox)
        return headers

    def _in_columns(self, steps: Sequence[StepRows]) -> Headers:
        header = self._it.execute(MANY_HEADERS, columns([step.header for step in steps]))
        self._it.execute(MANY_LEDGER, columns([row for step in steps for row in step.ledger]))
        self._it.execute(MANY_GONE, columns([step.gone for step in steps]))
        self._it.execute(MANY_OUTBOX, columns([step.outbox for step in steps]))
        return [header]

    def close(self) -> None:
        """Close the connection."""
        self._it.close()


def columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows turned into one list a column."""
    return [list(column) for column in zip(*rows, strict=True)]
