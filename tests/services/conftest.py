"""A gateway, or a control store on each database, for each test of the services."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.control import Control, a_control
from tests.support.gateway import Gateway, a_gateway, a_straight_bundle, an_asking_bundle
from tests.support.planes import DATABASES


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with a flow that asks, `ask:main`, and one that ends at once, `straight:main`."""
    async with a_gateway(tmp_path) as one:
        await one.install(an_asking_bundle(id="ask"))
        await one.install(a_straight_bundle(id="straight"))
        yield one


@pytest.fixture(params=DATABASES)
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Control]:
    """A fresh control store."""
    async with a_control(request.param, tmp_path) as opened:
        yield opened
