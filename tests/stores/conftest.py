"""The one fixture of the conformance suite: a fresh plane, on each database in turn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.planes import DATABASES, Store, a_store


@pytest.fixture(params=DATABASES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A fresh plane."""
    async with a_store(request.param, tmp_path) as opened:
        yield opened
