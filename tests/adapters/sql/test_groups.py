"""Groups of rows say the same as the rows one by one."""

import pytest

from perdure.adapters.sql import commit_rows
from perdure.adapters.sql.groups import SIZES, grouped
from perdure.adapters.sql.statements import Rows

STATEMENTS = {name: it for name, it in vars(commit_rows).items() if isinstance(it, Rows)}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_group_takes_the_parameters_of_all_its_rows(name: str) -> None:
    statement = STATEMENTS[name]
    text = grouped(statement, 16)
    if text is None:
        assert statement.words("sqlite").text.startswith("UPDATE")
    else:
        assert text.count("?") == 16 * len(statement.columns)
        assert text.endswith("ON CONFLICT DO NOTHING") == (
            "CONFLICT" in statement.words("sqlite").text
        )


def test_a_group_never_has_more_parameters_than_sqlite_takes() -> None:
    widest = max(len(it.columns) for it in STATEMENTS.values())
    assert max(SIZES) * widest < 32_766


def test_groups_go_from_the_large_to_the_small() -> None:
    assert list(SIZES) == sorted(SIZES, reverse=True)
