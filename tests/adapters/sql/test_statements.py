"""Every statement of the adapter can be said in both databases, and its rows have the order of its parameters."""

import importlib
from pathlib import Path

import pytest

import perdure.adapters.sql
from perdure.adapters.sql.statements import DIALECTS, Rows, Sql
from perdure.adapters.sql.unnest import many_of

MODULES = sorted(
    f"perdure.adapters.sql.{path.stem}"
    for path in Path(perdure.adapters.sql.__file__).parent.glob("*.py")
    if path.stem != "__init__"
)
STATEMENTS = {
    f"{name}:{word}": value
    for name in MODULES
    for word, value in vars(importlib.import_module(name)).items()
    if isinstance(value, Sql)
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_is_said_in_the_words_of_a_database(name: str, dialect: str) -> None:
    words = STATEMENTS[name].words(dialect)
    assert "POSTCOMPILE" not in words.text
    assert words.text.count("?" if dialect == "sqlite" else "%s") == len(words.names)
    assert STATEMENTS[name].words(dialect) is words, "it is compiled once"


@pytest.mark.parametrize("name", [it for it in STATEMENTS if isinstance(STATEMENTS[it], Rows)])
def test_rows_are_given_in_the_order_of_the_parameters(name: str) -> None:
    statement = STATEMENTS[name]
    assert isinstance(statement, Rows)
    for dialect in DIALECTS:
        assert statement.words(dialect).names == statement.columns
    many = many_of(statement)
    assert "%s" not in many.text
    assert many.text.count("%b") == len(many.packs) == len(statement.columns)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_text_column_is_compared_as_it_lies_in_its_index(name: str) -> None:
    """A cast of the column itself would keep its index out of use."""
    text = STATEMENTS[name].words("postgresql").text
    assert "CAST(" not in text.upper()


def test_there_are_statements() -> None:
    assert len(STATEMENTS) > 40
