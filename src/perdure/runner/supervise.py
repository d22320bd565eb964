"""The one place below the processes where a bug is caught: it is logged, and told as a value."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import anyio
import structlog

log: Final = structlog.get_logger("perdure.runner")

RESTART_S: Final = (0.1, 5.0)  # between a loop's failure and its next start, first and longest


@dataclass(slots=True)
class Contained:
    """What came of a piece of work: `bug` names the exception that it ended with, if it did."""

    bug: str | None = None


@contextmanager
def containing(what: str, **facts: object) -> Iterator[Contained]:
    """Keep a bug from going further up; it is logged with its trace and named in the result."""
    contained = Contained()
    try:
        yield contained
    except Exception as bug:  # a bug of a handler or a program must not stop the others (0016)
        contained.bug = type(bug).__name__
        log.exception("bug", what=what, **facts)


async def keep_going(name: str, loop: Callable[..., Awaitable[None]], *arguments: object) -> None:
    """Run a loop, and start it again, ever later, when it fails; done when it ends by itself."""
    pause_s, longest_s = RESTART_S
    while True:
        with containing(name):
            await loop(*arguments)
            return
        await anyio.sleep(pause_s)
        pause_s = min(pause_s * 2, longest_s)
