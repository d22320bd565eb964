"""No statement of a plane reads a whole table: each finds its rows by an index."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from perdure.adapters.sql.migrate import RUNTIME, migrate
from perdure.adapters.sql.sqlite import SqliteDatabase
from perdure.adapters.sql.tables import PLANE
from tests.adapters.sql.test_statements import STATEMENTS

# The control store has tables of its own; at the opening every lease is taken back.
ELSEWHERE = ("perdure.adapters.sql.control:", "perdure.adapters.sql.leases:")
WHOLE_TABLE = re.compile(rf"SCAN ({'|'.join(PLANE.tables)})(?! USING)")


@pytest.fixture(scope="module")
def explain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """How SQLite would go about a statement."""
    database = SqliteDatabase(tmp_path_factory.mktemp("plans") / "plane.db")
    database.migrate(lambda connection: migrate(connection, RUNTIME))
    connection: Any = database.writer.raw_connection()

    def steps(text: str, parameters: int) -> list[str]:
        rows = connection.dbapi_connection.execute(
            f"EXPLAIN QUERY PLAN {text}", [None] * parameters
        )
        return [row[3] for row in rows]

    yield steps
    connection.close()
    database.close()


@pytest.mark.parametrize("name", [it for it in STATEMENTS if not it.startswith(ELSEWHERE)])
def test_rows_are_found_by_an_index(explain: Any, name: str) -> None:
    words = STATEMENTS[name].words("sqlite")
    scans = [step for step in explain(words.text, len(words.names)) if WHOLE_TABLE.search(step)]
    assert scans == []
