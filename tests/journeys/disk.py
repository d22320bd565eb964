"""A plane as it lies in its database, looked at and changed past the gateway."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from tests.journeys.gateway import GUARD_S

PLANE: Final = Path("planes/default/admin/plane.db")
OTHERS: Final = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
IN_DOUBT: Final = "SELECT key FROM outbox WHERE dispatched_at IS NOT NULL AND disposition IN ('pending', 'review')"
ON_ITS_WAY: Final = "SELECT (SELECT count(*) FROM inbox WHERE disposition = 'pending') + (SELECT count(*) FROM outbox WHERE disposition = 'pending')"
SCHEMA: Final = "SELECT table_schema FROM information_schema.tables WHERE table_name = 'outbox'"


@dataclass(frozen=True)
class Disk:
    """The database of the one plane that a journey has, on SQLite or on Postgres."""

    data_dir: Path
    postgres: str | None = None

    @contextmanager
    def open(self, mode: str = "ro") -> Iterator[Connection]:
        """A connection that stands in the plane; what was changed (with `rw`) is committed at the end.

        One that only reads leaves the file as the gateway left it, with all that it has to recover.
        """
        if self.postgres is None:
            file = f"sqlite:///file:{self.data_dir / PLANE}?mode={mode}&uri=true"
            engine = create_engine(file, poolclass=NullPool)
        else:
            engine = create_engine(self.postgres, poolclass=NullPool)
        with engine.begin() as connection:
            if self.postgres is not None:
                schema = connection.execute(text(SCHEMA)).scalar_one()
                connection.execute(text(f'SET search_path TO "{schema}"'))
            yield connection

    def settle(self) -> None:
        """Wait until the database has noticed that the gateway is dead, and ended what that had begun."""
        if self.postgres is None:
            return
        engine = create_engine(self.postgres, poolclass=NullPool)
        ends = time.monotonic() + GUARD_S
        with engine.connect() as connection:
            while connection.execute(text(f"SELECT count(*) {OTHERS}")).scalar_one():
                assert time.monotonic() < ends, "somebody is still connected to the database"
                connection.rollback()
                time.sleep(0.002)

    def hang_up(self) -> None:
        """Have Postgres cut every connection but this one."""
        with self.open() as connection:
            connection.execute(text(f"SELECT pg_terminate_backend(pid) {OTHERS}"))

    def outbox(self) -> dict[str, Any]:
        """What is in the outbox: the disposition and the mark of each effect, by its key."""
        with self.open() as connection:
            rows = connection.execute(text("SELECT key, disposition, dispatched_at FROM outbox"))
            return {row.key: row for row in rows}

    def on_its_way(self) -> int:
        """How many messages and effects have yet to reach the run that they are for."""
        with self.open() as connection:
            return int(connection.execute(text(ON_ITS_WAY)).scalar_one())

    def dispatched(self) -> set[str]:
        """The effects of a dead gateway that may have happened, and of which no outcome is known."""
        with self.open() as connection:
            return set(connection.execute(text(IN_DOUBT)).scalars())
