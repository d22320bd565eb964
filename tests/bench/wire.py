"""The smallest HTTP client that will do, so that what is measured is the server: one connection, kept alive."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Self


class Refused(Exception):
    """The server answered with an error status."""


class Line:
    """One connection to a server on loopback; a request at a time."""

    def __init__(self, port: int, headers: Mapping[str, str] | None = None) -> None:
        """Name the server's port, and what every request says of itself."""
        self._port = port
        given = {"host": f"127.0.0.1:{port}", "content-type": "application/json", **(headers or {})}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in given.items()).encode()
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up."""
        self._writer.close()

    async def post(self, path: str, body: bytes) -> bytes:
        """Send a body and give the answer's body."""
        return await self._asked("POST", path, body)

    async def get(self, path: str) -> bytes:
        """Give the body of what stands at `path`."""
        return await self._asked("GET", path, b"")

    async def _asked(self, method: str, path: str, body: bytes) -> bytes:
        first = f"{method} {path} HTTP/1.1\r\ncontent-length: {len(body)}\r\n".encode()
        self._writer.write(first + self._head + b"\r\n" + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        answer = await self._body(head)
        status = int(head.split(" ", 2)[1])
        if status >= 400:
            raise Refused(f"{method} {path}: {status} {answer[:300]!r}")
        return answer

    async def _body(self, head: str) -> bytes:
        if "transfer-encoding: chunked" in head:
            return b"".join([chunk async for chunk in self._chunks()])
        named = head.partition("content-length:")[2].split("\r\n", 1)[0]
        return await self._reader.readexactly(int(named or 0))

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
            yield await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        await self._reader.readuntil(b"\r\n")
