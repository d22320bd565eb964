"""Planes take turns: one that has much to begin lets the others begin something in between."""

from collections.abc import Sized
from typing import Final

from anyio.lowlevel import cancel_shielded_checkpoint

TURN: Final = 8  # begun for one plane before another has its turn
SIDE_BY_SIDE: Final = 32  # driven for one plane while others are open, who wait for what is in hand


class Turns:
    """What one plane began in its turn. Alone, it goes on without a pause."""

    __slots__ = ("_planes", "_taken")

    def __init__(self, planes: Sized) -> None:
        """Share the time with `planes`, of which this is one."""
        self._planes, self._taken = planes, 0

    def at_once(self, most: int) -> int:
        """How many runs a plane may have driven side by side, of the `most` that it may have alone."""
        return most if len(self._planes) <= 1 else min(most, SIDE_BY_SIDE)

    async def took_one(self) -> None:
        """Count what was begun; after a turn let every other plane have its own."""
        self._taken += 1
        if self._taken >= TURN and len(self._planes) > 1:
            self._taken = 0
            await cancel_shielded_checkpoint()
