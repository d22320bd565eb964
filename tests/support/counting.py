"""A database that writes down which statements it was asked, so that equal work can be seen to be equal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from perdure.adapters.sql.dialect import Database, Facts, Session, Write
from perdure.adapters.sql.statements import Row, Sql


class CountingSession:
    """One transaction, on the record."""

    def __init__(self, session: Session, record: "CountingDatabase") -> None:
        self._session, self._record = session, record

    def _note(self, statement: Sql) -> None:
        self._record.asked.append(statement.words("sqlite").text)
        self._record.statements.append(statement)

    def all(self, statement: Sql, **values: object) -> list[Row]:
        self._note(statement)
        return self._session.all(statement, **values)

    def first(self, statement: Sql, **values: object) -> Row | None:
        self._note(statement)
        return self._session.first(statement, **values)

    def run(self, statement: Sql, **values: object) -> int:
        self._note(statement)
        return self._session.run(statement, **values)

    def write(self, writes: Sequence[Write]) -> None:
        for write in writes:
            self._note(write.statement)
        self._session.write(writes)


class CountingDatabase:
    """A database, on the record: `asked` has its statements since the record was last taken.

    `statements` has the same, as the adapter has them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.asked: list[str] = []
        self.statements: list[Sql] = []

    def taken(self) -> list[str]:
        """The statements since the last time."""
        taken, self.asked, self.statements = self.asked, [], []
        return taken

    @property
    def facts(self) -> Facts:
        return self._database.facts

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self._database.reading() as session:
            yield CountingSession(session, self)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with self._database.writing() as session:
            yield CountingSession(session, self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def fatal(self, error: Exception) -> bool:
        return self._database.fatal(error)

    def transient(self, error: Exception) -> bool:
        return self._database.transient(error)

    def error_types(self) -> tuple[type[Exception], ...]:
        return self._database.error_types()

    def close(self) -> None:
        self._database.close()
