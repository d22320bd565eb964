"""A gateway for each test of the services."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.gateway import Gateway, a_gateway, a_straight_bundle, an_asking_bundle


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with a flow that asks, `ask:main`, and one that ends at once, `straight:main`."""
    async with a_gateway(tmp_path) as one:
        await one.install(an_asking_bundle(id="ask"))
        await one.install(a_straight_bundle(id="straight"))
        yield one
