"""What the two databases have in common here, and the facts in which they differ."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from perdure.adapters.sql.statements import Row, Rows, Sql


class Facts(NamedTuple):
    """What is true of a database, stated once, so that nothing has to be skipped."""

    name: str
    alone: bool  # one process holds a plane, and a second one is refused
    notifies: bool  # commits of other processes are told


class Write(NamedTuple):
    """Rows to be written by one statement. `exact`: each must find its row, or nothing is written."""

    statement: Rows
    rows: Sequence[Row]
    exact: bool = False


class Mismatch(Exception):
    """A row was not found as it was read: somebody else was faster. Never leaves the adapter."""


class CommitUnknown(Exception):
    """The connection was lost while the commit was under way. Never leaves the adapter."""


class Session(Protocol):
    """One transaction. Parameters go by name; a list is one parameter."""

    def all(self, statement: Sql, **values: object) -> list[Row]:
        """Every row of the answer."""
        ...

    def first(self, statement: Sql, **values: object) -> Row | None:
        """The first row of the answer, if there is one."""
        ...

    def run(self, statement: Sql, **values: object) -> int:
        """Run a statement that answers no rows; how many rows it touched."""
        ...

    def write(self, writes: Sequence[Write]) -> None:
        """Write rows. Raises `Mismatch` where an exact write touched fewer rows than it was given."""
        ...


class Database(Protocol):
    """Where one plane lies. Every session begins and ends within one call of a store."""

    @property
    def facts(self) -> Facts:
        """What is true of it."""
        ...

    def reading(self) -> AbstractContextManager[Session]:
        """A transaction that sees one moment and changes nothing."""
        ...

    def writing(self) -> AbstractContextManager[Session]:
        """A transaction, committed at the end of the block, undone where the block raises."""
        ...

    def fatal(self, error: Exception) -> bool:
        """Whether the store can no longer be trusted with writes after this error."""
        ...

    def transient(self, error: Exception) -> bool:
        """Whether the same transaction may succeed when it is tried again."""
        ...

    def error_types(self) -> tuple[type[Exception], ...]:
        """What the driver raises."""
        ...

    def close(self) -> None:
        """Let go of every connection."""
        ...
