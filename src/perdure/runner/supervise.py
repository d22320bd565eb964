"""Loops that go on when they fail."""

from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from perdure.runtimes.containing import containing

RESTART_S: Final = (0.1, 5.0)  # between a loop's failure and its next start, first and longest


async def keep_going(name: str, loop: Callable[..., Awaitable[None]], *arguments: object) -> None:
    """Run a loop, and start it again, ever later, when it fails; done when it ends by itself."""
    pause_s, longest_s = RESTART_S
    while True:
        with containing(name):
            await loop(*arguments)
            return
        await anyio.sleep(pause_s)
        pause_s = min(pause_s * 2, longest_s)
