"""The fixtures of the conformance suite: a fresh plane, a fresh control store, on each database in turn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.control import Control, a_control
from tests.support.planes import DATABASES, Store, a_store


@pytest.fixture(params=DATABASES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A fresh plane."""
    async with a_store(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture(params=DATABASES)
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Control]:
    """A fresh control store."""
    async with a_control(request.param, tmp_path) as opened:
        yield opened
