"""The HTTP server at rest, and the time that it tells."""

from typing import Any

import anyio
import anyio.lowlevel
import pytest
import uvicorn

from perdure.app.server import Dated, Server
from tests.support.clock import FakeClock

pytestmark = pytest.mark.anyio


async def nothing(*_: Any) -> None:
    """An application that nobody asks."""


def test_an_answer_bears_the_second_in_which_it_is_begun() -> None:
    """Whatever the server itself would have kept for a while."""
    clock = FakeClock()
    shared = Dated(clock)
    shared.default_headers = [(b"date", b"long ago")]
    first = shared.default_headers
    assert first == [(b"date", f"{clock.now():%a, %d %b %Y %H:%M:%S} GMT".encode())]
    assert shared.default_headers is first
    clock.advance(1)
    assert shared.default_headers == [
        (b"date", f"{clock.now():%a, %d %b %Y %H:%M:%S} GMT".encode())
    ]


async def test_a_server_that_nobody_asks_wakes_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks neither at the time nor for its end, which is told to it."""

    async def slept(_delay: float, _result: object = None) -> None:
        raise AssertionError("it sets an alarm")

    server = Server(uvicorn.Config(nothing, lifespan="off", log_config=None))
    with monkeypatch.context() as patched:
        patched.setattr("asyncio.sleep", slept)
        async with anyio.create_task_group() as group:
            group.start_soon(server.main_loop)
            for _ in range(5):
                await anyio.lowlevel.cancel_shielded_checkpoint()
            assert not server.should_exit
            server.end()
    assert server.should_exit
