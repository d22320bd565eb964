"""What the stores are asked, statement by statement, whichever database they lie in."""

from typing import Any, Final

import pytest

from perdure.adapters.sql.postgres import PostgresSession
from perdure.adapters.sql.sqlite import SqliteSession

# What a process does by itself, soon after a request or now and then.
BY_ITSELF: Final = ("SET last_used_at", "SET last_seen_at", "planes.due_at", "audit_checkpoints", "audit_heads.tenant, audit_heads.seq", "FROM runtimes JOIN users")  # fmt: skip


class Statements:
    """Writes down every statement, until the test is over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._asked: list[str] = []
        for session, dialect in ((SqliteSession, "sqlite"), (PostgresSession, "postgresql")):
            for name in ("all", "first", "run"):
                monkeypatch.setattr(session, name, self._noting(getattr(session, name), dialect))
            monkeypatch.setattr(session, "write", self._noting_writes(session.write, dialect))

    def _noting(self, method: Any, dialect: str) -> Any:
        def noted(session: Any, statement: Any, **values: object) -> Any:
            self._note(statement.words(dialect).text)
            return method(session, statement, **values)

        return noted

    def _noting_writes(self, method: Any, dialect: str) -> Any:
        def noted(session: Any, writes: Any) -> Any:
            for write in writes:
                self._note(f"{write.statement.words(dialect).text} × {len(write.rows)}")
            return method(session, writes)

        return noted

    def _note(self, text: str) -> None:
        if not any(it in text for it in BY_ITSELF):
            self._asked.append(text)

    def taken(self) -> list[str]:
        """The statements since the last time."""
        taken, self._asked = self._asked, []
        return taken
