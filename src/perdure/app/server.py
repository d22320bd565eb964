"""The HTTP server: uvicorn, but for what it wakes up for ten times a second."""

import socket
from contextlib import AbstractContextManager, nullcontext
from email.utils import formatdate

import anyio
import uvicorn
from uvicorn.server import ServerState

from perdure.clock import Clock, SystemClock

Headers = list[tuple[bytes, bytes]]


class Dated(ServerState):
    """What all connections share; the `Date` of an answer is made when somebody is answered."""

    def __init__(self, clock: Clock) -> None:
        """Tell the time by `clock`."""
        self._clock = clock
        self._second, self._headers = -1, Headers()
        super().__init__()

    @property
    def default_headers(self) -> Headers:
        """The headers that every answer has, the same list for one second."""
        second = int(self._clock.now().timestamp())
        if second != self._second:
            self._second = second
            self._headers = [(b"date", formatdate(second, usegmt=True).encode())]
        return self._headers

    @default_headers.setter
    def default_headers(self, _headers: Headers) -> None:
        """Leave them: they are made anew."""


class Server(uvicorn.Server):
    """Uvicorn without its own hands on the signals: the process has one place for those."""

    def __init__(self, config: uvicorn.Config, clock: Clock | None = None) -> None:
        """Serve as `config` says; `up` is set when it listens."""
        super().__init__(config)
        self.server_state = Dated(clock or SystemClock())
        self.up = anyio.Event()
        self._ended = anyio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.up.set()

    async def main_loop(self) -> None:
        """Sleep until the end."""
        await self._ended.wait()

    def end(self) -> None:
        """Take no more connections, and end when those that are there have their answers."""
        self.should_exit = True
        self._ended.set()

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # a generator there
        """Leave the signals alone."""
        return nullcontext()
