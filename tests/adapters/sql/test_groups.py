"""Groups of rows say the same as the rows one by one."""

from contextlib import closing
from pathlib import Path

import pytest

from perdure.adapters.sql import commit_rows
from perdure.adapters.sql.groups import SIZES, grouped
from perdure.adapters.sql.migrate import RUNTIME, migrate
from perdure.adapters.sql.sqlite import SqliteDatabase
from perdure.adapters.sql.statements import Rows

STATEMENTS = {name: it for name, it in vars(commit_rows).items() if isinstance(it, Rows)}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_group_takes_the_parameters_of_all_its_rows(name: str) -> None:
    statement = STATEMENTS[name]
    text = grouped(statement, 16)
    if text is None:
        assert statement.words("sqlite").text.startswith("UPDATE")
        assert "_pk" not in statement.columns
    else:
        assert text.count("?") == 16 * len(statement.columns)
        assert text.endswith("ON CONFLICT DO NOTHING") == (
            "CONFLICT" in statement.words("sqlite").text
        )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("statement", [commit_rows.STEP_RUN, commit_rows.CHANGE_RUN])
def test_a_group_of_updates_finds_its_rows_by_their_numbers(
    tmp_path: Path, statement: Rows, size: int
) -> None:
    database = SqliteDatabase(tmp_path / "a.db")
    database.migrate(lambda connection: migrate(connection, RUNTIME))
    text = grouped(statement, size)
    with closing(database), closing(database.writer.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute(f"EXPLAIN QUERY PLAN {text}", [None] * size * len(statement.columns))
        steps = [row[3] for row in cursor.fetchall()]
    assert "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)" in steps
    assert not any(step.startswith("SCAN runs") for step in steps)


def test_a_group_never_has_more_parameters_than_sqlite_takes() -> None:
    widest = max(len(it.columns) for it in STATEMENTS.values())
    assert max(SIZES) * widest < 32_766


def test_groups_go_from_the_large_to_the_small() -> None:
    assert list(SIZES) == sorted(SIZES, reverse=True)
