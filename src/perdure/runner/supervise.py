"""The one place below the processes where a bug is caught: it is logged, and told as a value."""

from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import structlog

log: Final = structlog.get_logger("perdure.runner")

RESTART_S: Final = (0.1, 5.0)  # between a loop's failure and its next start, first and longest


class containing:  # noqa: N801 - reads as `with containing("program"):`
    """Keep a bug from going further up: it is logged with its trace, and named in `bug`."""

    __slots__ = ("_facts", "_what", "bug")

    def __init__(self, what: str, **facts: object) -> None:
        """Say what the work is, and about what."""
        self._what, self._facts = what, facts
        self.bug: str | None = None

    def __enter__(self) -> "containing":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, bug: BaseException | None, trace: object
    ) -> bool:
        if not isinstance(bug, Exception):  # a cancellation is no bug, and goes on
            return False
        self.bug = type(bug).__name__
        log.error("bug", what=self._what, exc_info=bug, **self._facts)
        return True


async def keep_going(name: str, loop: Callable[..., Awaitable[None]], *arguments: object) -> None:
    """Run a loop, and start it again, ever later, when it fails; done when it ends by itself."""
    pause_s, longest_s = RESTART_S
    while True:
        with containing(name):
            await loop(*arguments)
            return
        await anyio.sleep(pause_s)
        pause_s = min(pause_s * 2, longest_s)
