"""No statement reads a whole table, of a plane or of the control store: each finds its rows by an index."""

import re
from collections.abc import Callable, Iterator, Mapping

import pytest
from sqlalchemy import MetaData, Table
from sqlalchemy.sql.visitors import iterate

from perdure.adapters.sql import migrate
from perdure.adapters.sql.control_tables import users
from perdure.adapters.sql.sqlite import SqliteDatabase
from perdure.adapters.sql.statements import Sql
from perdure.adapters.sql.tables import PLANE
from tests.adapters.sql.test_statements import STATEMENTS

TREES: Mapping[str, MetaData] = {migrate.RUNTIME: PLANE, migrate.CONTROL: users.metadata}
WHOLE_TABLE = re.compile(rf"SCAN ({'|'.join([*PLANE.tables, *users.metadata.tables])})(?! USING)")
# Of the tenants' chains there are few, and whoever asks wants every one.
EVERY_ROW = {f"perdure.adapters.sql.audit:{name}" for name in ("_HEADS", "_MARKED")}
FEW_ROWS = {"perdure.adapters.sql.bundles:_MARKS"}  # of a table of what is installed
NO_TABLE = {"perdure.adapters.sql.peek:_IS_THERE"}  # asked of Postgres alone
Explain = Callable[[Sql], list[str]]


def tree_of(statement: Sql) -> str:
    """Where the tables of a statement are."""
    tables = [it for it in iterate(statement.core) if isinstance(it, Table)]
    return next(name for name, known in TREES.items() if all(it.metadata is known for it in tables))


@pytest.fixture(scope="module")
def explain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explain]:
    """How SQLite would go about a statement."""
    databases = {tree: SqliteDatabase(tmp_path_factory.mktemp(tree) / "a.db") for tree in TREES}
    for tree, database in databases.items():
        database.migrate(lambda connection, tree=tree: migrate.migrate(connection, tree))  # type: ignore[misc]  # a default

    def steps(statement: Sql) -> list[str]:
        words = statement.words("sqlite")
        connection = databases[tree_of(statement)].writer.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(f"EXPLAIN QUERY PLAN {words.text}", [None] * len(words.names))
            return [row[3] for row in cursor.fetchall()]
        finally:
            connection.close()

    yield steps
    for database in databases.values():
        database.close()


@pytest.mark.parametrize("name", sorted(set(STATEMENTS) - EVERY_ROW - FEW_ROWS - NO_TABLE))
def test_rows_are_found_by_an_index(explain: Explain, name: str) -> None:
    scans = [step for step in explain(STATEMENTS[name]) if WHOLE_TABLE.search(step)]
    assert scans == []


def test_the_statements_of_both_stores_are_looked_at() -> None:
    assert {tree_of(it) for it in STATEMENTS.values()} == set(TREES)
