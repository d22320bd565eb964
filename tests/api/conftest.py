"""A gateway for each test of the HTTP face."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.gateway import (
    Gateway,
    Options,
    a_gateway,
    a_straight_bundle,
    an_asking_bundle,
)
from tests.support.planes import DATABASES
from tests.support.signing import Town, a_town


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with a flow that asks, `ask:main`, and one that ends at once, `straight:main`."""
    async with a_gateway(tmp_path) as one:
        await one.install(an_asking_bundle(id="ask"))
        await one.install(a_straight_bundle(id="straight"))
        yield one


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """Each of the databases in turn."""
    name: str = request.param
    return name


@pytest.fixture
async def anywhere(tmp_path: Path, database: str) -> AsyncIterator[Gateway]:
    """The same gateway, over either database."""
    async with a_gateway(tmp_path, Options(database=database)) as one:
        await one.install(an_asking_bundle(id="ask"))
        await one.install(a_straight_bundle(id="straight"))
        yield one


@pytest.fixture
async def town(tmp_path: Path, database: str) -> AsyncIterator[Town]:
    """A gateway with alice, bob, and ada who is an admin, who are kept in either database."""
    async with a_town(tmp_path, database=database) as one:
        yield one
