"""Text lines out of bytes as they come. Only a line feed ends a line, as event streams need it."""

import codecs
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self


class Lines(AsyncIterator[str]):
    """The lines of a body, without their ends; what is not UTF-8 is replaced, not refused.

    `str.splitlines` would break JSON at U+2028, which may stand in a string as it is.
    """

    def __init__(self, chunk: Callable[[], Awaitable[bytes | None]]) -> None:
        """Ask `chunk` for more bytes whenever there is no whole line; `None` is the end."""
        self._chunk = chunk
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._begun: list[str] = []
        self._whole: deque[str] = deque()
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while not self._whole:
            if self._ended:
                raise StopAsyncIteration
            chunk = await self._chunk()
            self._ended = chunk is None
            self._take(self._decode(chunk or b"", final=self._ended))
        return self._whole.popleft()

    def _take(self, text: str) -> None:
        head, *more = text.split("\n")
        self._begun.append(head)
        for piece in more:
            self._finish()
            self._begun.append(piece)
        if self._ended and any(self._begun):
            self._finish()

    def _finish(self) -> None:
        self._whole.append("".join(self._begun).removesuffix("\r"))
        self._begun.clear()
