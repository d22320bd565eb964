"""An outside world that remembers: an HTTP server in its own process, which counts what is done to it.

A deed is one thing that should happen; its name is chosen by whoever plans it. `POST
/deeds/{name}` does it once for each `Idempotency-Key`: the same key again is the same effect. So
a deed that came under two keys was done twice, and a deed whose class is `once` was done as often
as it was called. `GET /counts` tells all of it, `GET /counts?name` of one deed. The server
outlives whoever calls it.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.house.tree import ROOT

KEY: Final = b"idempotency-key"
LENGTH: Final = b"content-length"


@dataclass
class Deed:
    """What was done under one name: how often it was called, and under which keys."""

    calls: int = 0
    keys: dict[str, int] = field(default_factory=dict)

    @property
    def effects(self) -> int:
        """How often it happened, to a side that honours keys."""
        return len(self.keys)


class Counting(asyncio.Protocol):
    """One connection, kept alive; requests are answered in the order in which they came."""

    def __init__(self, deeds: dict[str, Deed]) -> None:
        self._deeds = deeds
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            first, *lines = head.split(b"\r\n")
            headers = dict(_header(line) for line in lines)
            length = int(headers.get(LENGTH, b"0"))
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            method, target, _ = first.decode().split(" ")
            self._answer(method, target, headers.get(KEY, b"").decode())

    def _answer(self, method: str, target: str, key: str) -> None:
        split = urlsplit(target)
        if method == "GET":
            only = unquote(split.query)
            told = {
                name: vars(self._deeds[name])
                for name in ([only] if only else self._deeds)
                if name in self._deeds
            }
            self._reply(json.dumps(told).encode())
            return
        deed = self._deeds.setdefault(unquote(split.path.removeprefix("/deeds/")), Deed())
        deed.calls += 1
        deed.keys[key] = deed.keys.get(key, 0) + 1
        options = dict(parse_qsl(split.query))
        if "hang" in options:
            return  # it is done, and nobody is told
        body = b'{"calls": %d, "effects": %d}' % (deed.calls, deed.effects)
        if delay_s := float(options.get("delay", 0)):
            asyncio.get_running_loop().call_later(delay_s, self._reply, body)
        else:
            self._reply(body)

    def _reply(self, body: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            head = (
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            )
            self._transport.write(head % len(body) + body)


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.strip().lower(), value.strip()


@dataclass(frozen=True)
class Counter:
    """The server, as a test sees it."""

    port: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def count(self, deed: str) -> Deed:
        """What was done so far under one name."""
        return self._told(deed).get(deed, Deed())

    def counts(self) -> Mapping[str, Deed]:
        """Everything that was done so far, by name."""
        return self._told("")

    def _told(self, only: str) -> Mapping[str, Deed]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", f"/counts?{only}")
            told: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return {name: Deed(**deed) for name, deed in told.items()}


@contextmanager
def counter() -> Iterator[Counter]:
    """A counter in a process of its own, gone at the end of the block."""
    command = [sys.executable, "-m", "tests.support.counter"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        try:
            yield Counter(int(process.stdout.readline()))
        finally:
            process.terminate()


async def serve() -> None:
    """Count until the process that started this one lets go of it."""
    deeds: dict[str, Deed] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Counting(deeds), "127.0.0.1", 0, backlog=1_000)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)  # ends when the other end is closed
    server.close()


if __name__ == "__main__":
    asyncio.run(serve())
