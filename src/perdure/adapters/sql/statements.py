"""Core statements compiled once to the text of each database, and run with plain rows from then on."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Table, bindparam, insert
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import NullType

Row = tuple[Any, ...]
Values = Mapping[str, object]

DIALECTS: Final[Mapping[str, Dialect]] = {
    "sqlite": sqlite_dialect(paramstyle="qmark"),
    "postgresql": psycopg_dialect(paramstyle="format"),  # type: ignore[no-untyped-call]  # untyped there
}


class Words(NamedTuple):
    """A statement as one database reads it, and its parameters: their order, and those that are fixed."""

    text: str
    names: tuple[str, ...]
    fixed: Values


class Sql:
    """One statement of the adapter. It is compiled when a database first needs it, and never again."""

    def __init__(self, core: ClauseElement) -> None:
        """Keep the statement for both databases."""
        self.core = core
        self._words: dict[str, Words] = {}

    def words(self, dialect: str) -> Words:
        """The statement in the words of a database."""
        words = self._words.get(dialect)
        if words is None:
            words = self._words[dialect] = self._compiled(dialect)
        return words

    def _compiled(self, dialect: str) -> Words:
        compiled = self.core.compile(dialect=DIALECTS[dialect])
        assert isinstance(compiled, SQLCompiler)
        names = tuple(compiled.positiontup or ())
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        return Words(str(compiled), names, fixed)

    def row(self, dialect: str, values: Values) -> Row:
        """The parameters in the order of the statement."""
        words = self.words(dialect)
        return tuple(values[name] if name in values else words.fixed[name] for name in words.names)


class Rows(Sql):
    """A statement that runs once for each row of parameters, given in the order of `columns`."""

    def __init__(self, core: ClauseElement, columns: Sequence[str]) -> None:
        """Hold the statement to the order that its rows have."""
        super().__init__(core)
        self.columns = tuple(columns)

    def _compiled(self, dialect: str) -> Words:
        words = super()._compiled(dialect)
        assert words.names == self.columns, (words.names, self.columns)
        return words


def inserting(table: Table, columns: Sequence[str]) -> Rows:
    """An insert of whole rows."""
    return Rows(insert(table).values({name: bindparam(name) for name in columns}), columns)


class among(ColumnElement[bool]):  # noqa: N801 - reads as an operator, as Core's own do
    """`column` is one of a list that is a single parameter, so that the text stays the same."""

    inherit_cache = True
    type = NullType()  # type: ignore[assignment]  # a boolean would be compared with 1 on SQLite

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        """Compare `column` with the list given as `name`."""
        self.column = column
        self.values: BindParameter[Any] = bindparam(name)


@compiles(among, "sqlite")
def _among_sqlite(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    column = compiler.process(element.column, **kw)
    values = compiler.process(element.values, **kw)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - parts of a statement, compiled


@compiles(among, "postgresql")
def _among_postgresql(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    column = compiler.process(element.column, **kw)
    return f"{column} = ANY({compiler.process(element.values, **kw)})"
