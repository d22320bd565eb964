"""What every journey needs: a world outside, and a store."""

import logging
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests.journeys.gateway import nursery, open_nursery
from tests.journeys.journey import Journey, a_journey
from tests.support.counter import counter
from tests.support.postgres import postgres_server

_numbers = count(1)
logging.getLogger("httpx2").setLevel(logging.WARNING)  # thousands of requests are no news


@pytest.fixture(scope="session")
def nursery_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a process that bears gateways."""
    path = tmp_path_factory.mktemp("nursery") / "socket"
    with open_nursery(path):
        yield path


@pytest.fixture(params=["sqlite", "postgres"])
def postgres(request: pytest.FixtureRequest) -> str | None:
    """The address of an empty database, or `None` where the journey is on SQLite."""
    if request.param == "sqlite":
        return None
    server, name = postgres_server(), f"journey_{next(_numbers)}"
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.url(name)


@pytest.fixture
async def journey(
    tmp_path: Path, nursery_path: Path, postgres: str | None
) -> AsyncIterator[Journey]:
    """A gateway that has not been started, a world outside, and somebody who watches both."""
    with counter() as outside:
        async with (
            nursery(nursery_path) as born,
            a_journey(tmp_path, outside, born, postgres) as made,
        ):
            yield made
