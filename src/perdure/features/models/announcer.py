"""Pieces of an answer on their way to its readers: the first at once, then at most a few a second."""

import asyncio
from collections.abc import Callable
from typing import Final, Self

from perdure.registry.effects import Delta

GAP_S: Final = 0.05
HELD_MAX: Final = 2_000  # characters gathered before they go at any rate


class Announcer:
    """Gathers what comes close together and publishes it with its offset. Nothing stays behind at the end."""

    def __init__(self, publish: Callable[[Delta], None]) -> None:
        """Tell `publish`, between `with` and the end of the block."""
        self._publish = publish
        self._offsets: dict[str, int] = {}
        self._kind = ""
        self._held: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._flush()

    def say(self, kind: str, text: str) -> None:
        """Publish `text` now, or within `GAP_S` of what was published last."""
        if kind != self._kind:
            self._flush()
            self._kind = kind
        self._held.append(text)
        if self._timer is None or sum(map(len, self._held)) > HELD_MAX:
            self._flush()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GAP_S, self._later)

    def _later(self) -> None:
        waiting = bool(self._held)
        self._flush()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(GAP_S, self._later) if waiting else None

    def _flush(self) -> None:
        text = "".join(self._held)
        self._held.clear()
        if text:
            offset = self._offsets.get(self._kind, 0)
            self._offsets[self._kind] = offset + len(text)
            self._publish(Delta(offset, self._kind, text))
