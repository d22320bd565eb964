"""When a plane is due that nobody has open: one look, without opening, migrating or making anything.

A plane that cannot be read so is due at once: whoever opens it finds out, or brings it up to date.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from perdure.adapters.sql.agenda import next_due
from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.sqlite import SqliteSession
from perdure.adapters.sql.statements import Sql

if TYPE_CHECKING:
    from sqlalchemy import Engine

AT_ONCE: Final = ""  # before all times
_IS_THERE: Final = Sql(select(func.current_schema()))


def due_in_file(folder: Path) -> str | None:
    """When the plane in a folder is due; `None` where it is never, or there is none."""
    path = folder / "plane.db"
    if not path.exists():
        return None
    try:
        # Not for reading alone: such a connection leaves files behind that are none of the plane's.
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute("PRAGMA query_only = 1")
            return next_due(SqliteSession(connection.cursor()))
    except sqlite3.Error:
        return AT_ONCE


def due_in_schema(engine: "Engine", schema: str) -> str | None:
    """When the plane in a schema is due; `None` where it is never, or there is none."""
    from perdure.adapters.sql.postgres import PostgresDatabase  # noqa: PLC0415 - half of a start

    database = PostgresDatabase(engine, schema, _nothing, made=True)
    try:
        with database.reading() as session:
            return _due_if_there(session)
    except database.error_types():
        return AT_ONCE


def _due_if_there(session: Session) -> str | None:
    row = session.first(_IS_THERE)
    return None if row is None or row[0] is None else next_due(session)


def _nothing(_connection: Any) -> None:
    """Make nothing."""
