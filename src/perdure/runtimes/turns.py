"""Turns of those who have work for a child: one after the other, however much one of them has."""

from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

import anyio


class Turns:
    """So many at once. Who waits has their next turn after one of everybody else who waits."""

    def __init__(self, at_once: int) -> None:
        """Have all of them free."""
        self._free = at_once
        self._waiting: OrderedDict[Hashable, deque[anyio.Event]] = OrderedDict()

    @asynccontextmanager
    async def one(self, who: Hashable) -> AsyncIterator[None]:
        """Hold a turn. Cancelled while it waits, it is given on."""
        await self._taken(who)
        try:
            yield
        finally:
            self._give()

    async def _taken(self, who: Hashable) -> None:
        if self._free:
            self._free -= 1
            return
        mine = anyio.Event()
        self._waiting.setdefault(who, deque()).append(mine)
        try:
            await mine.wait()
        except BaseException:
            if mine.is_set():
                self._give()
            else:
                self._leave(who, mine)
            raise

    def _give(self) -> None:
        """Give a turn to whoever has waited longest since their last one."""
        if not self._waiting:
            self._free += 1
            return
        who, waiting = self._waiting.popitem(last=False)
        waiting.popleft().set()
        if waiting:
            self._waiting[who] = waiting

    def _leave(self, who: Hashable, mine: anyio.Event) -> None:
        waiting = self._waiting[who]
        waiting.remove(mine)
        if not waiting:
            del self._waiting[who]
