"""Work begun at once: what ends without waiting for anything needs no timer to end it.

Work that is told to end and goes on waiting has a grace for that. After it the work is given up:
nothing resumes it any more, whatever it had in mind. What the work ends within itself (the race of
two connections, a deadline of its own) cancels the task for a moment as well, and is no such wish.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from types import CoroutineType
from typing import Any, Final, TypeVar

T = TypeVar("T")

GRACE_S: Final = 5.0


class Begun(Generator[Any, Any, T]):
    """Work that has run in the caller's task as far as it comes without waiting.

    To await it is to go on with it, once and in the same task, where it has not `ended`.
    """

    __slots__ = (
        "_before", "_doom", "_doomed", "_first", "_grace_s", "_waits", "_work", "ended", "told",
        "value",
    )  # fmt: skip

    told: Callable[[], bool] | None  # whether it was told to end, whatever it did with that
    value: T  # what it came to, where it has ended

    def __init__(self, work: Awaitable[T], grace_s: float = GRACE_S) -> None:
        """Begin `work`; what it raises before its first wait is raised here."""
        self._work: Any = work if isinstance(work, CoroutineType) else _awaited(work)
        try:
            self._waits = self._work.send(None)
        except StopIteration as end:
            self.value, self.ended = end.value, True
            return  # most work: it needs nothing of the rest
        self._first, self.ended = True, False
        self._grace_s = grace_s
        self._doom: asyncio.TimerHandle | None = None
        self._doomed = False
        self._before = 0  # how often the task was being cancelled when the work was first awaited
        self.told = None

    def __await__(self) -> Generator[Any, Any, T]:
        """Be awaited as the work would be from its beginning."""
        return self

    def send(self, value: Any) -> Any:
        """What the work waits for next."""
        if self._first:
            self._first = False
            self._before = _cancelling(asyncio.current_task())
            return self._waits
        waits = self._work.send(value)
        if self._doom is not None:
            self._look_at_grace()
        return waits

    def throw(self, *thrown: Any) -> Any:
        """Tell the work what came of its wait, or that it is to end: then it may go on for a grace."""
        if self._doomed:
            raise self._given_up()
        waits = self._work.throw(*thrown)
        if self._doom is not None or isinstance(thrown[-1], asyncio.CancelledError):
            self._look_at_grace()
        return waits

    def _look_at_grace(self) -> None:
        """Have the grace run where the work waits although it is to end, and only there."""
        task = asyncio.current_task()
        to_end = _cancelling(task) > self._before or (self.told is not None and self.told())
        if to_end and self._doom is None:
            loop = asyncio.get_running_loop()
            self._doom = loop.call_later(self._grace_s, self._end, task)
        elif not to_end and self._doom is not None:  # a scope within the work was all that ended
            self._doom.cancel()
            self._doom = None

    def _end(self, task: "asyncio.Task[Any] | None") -> None:
        """The grace is over: the task is told once more, and the work is not asked."""
        if task is not None and self._work.cr_frame is not None:
            self._doomed = True
            task.cancel()

    def _given_up(self) -> asyncio.CancelledError:
        """Leave the work for good; the task's own cancelling is taken back, since it was meant for the work."""
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        with suppress(RuntimeError):  # it goes on waiting even now, and nobody resumes it
            self._work.close()
        return asyncio.CancelledError()


def _cancelling(task: "asyncio.Task[Any] | None") -> int:
    return 0 if task is None else task.cancelling()


async def _awaited(work: Awaitable[T]) -> T:
    return await work
