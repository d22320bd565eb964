"""Whether effects of a plane may begin, where another process may have said that they may not.

The word of the control store is believed for a moment and no longer. Whoever takes it back waits for
that moment before they say that it is done: from then on nothing begins, in any process, and no hint
has to arrive for it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from perdure.clock import Clock

LICENSE_S: Final = 0.5  # how long a word is believed, from before it was asked for


class License:
    """The license of one plane in one process. Lives on the event loop."""

    def __init__(self, ask: Callable[[], Awaitable[bool]], clock: Clock) -> None:
        """Have none yet; `ask` reads the control store."""
        self._ask, self._clock = ask, clock
        self._until = float("-inf")
        self._asking = asyncio.Lock()

    @property
    def is_fresh(self) -> bool:
        """Whether effects may begin without asking."""
        return self._clock.monotonic() < self._until

    async def renewed(self) -> bool:
        """Whether effects may begin: asked for where the last word is too old, once for all who wait."""
        async with self._asking:
            while not self.is_fresh:
                at = self._clock.monotonic()
                if not await self._ask():
                    return False
                self._until = at + LICENSE_S  # where asking took longer, it is asked again
            return True
