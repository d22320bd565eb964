"""Work begun at once: what ends without waiting for anything needs no timer to end it."""

from collections.abc import Awaitable, Generator
from types import CoroutineType
from typing import Any, TypeVar

T = TypeVar("T")


class Begun(Generator[Any, Any, T]):
    """Work that has run in the caller's task as far as it comes without waiting.

    To await it is to go on with it, once and in the same task, where it has not `ended`.
    """

    __slots__ = ("_first", "_waits", "_work", "ended", "value")

    value: T  # what it came to, where it has ended

    def __init__(self, work: Awaitable[T]) -> None:
        """Begin `work`; what it raises before its first wait is raised here."""
        self._work = work if isinstance(work, CoroutineType) else _awaited(work)
        self._first, self.ended = True, False
        try:
            self._waits = self._work.send(None)
        except StopIteration as end:
            self.value, self.ended = end.value, True

    def __await__(self) -> Generator[Any, Any, T]:
        """Be awaited as the work would be from its beginning."""
        return self

    def send(self, value: Any) -> Any:
        """What the work waits for next."""
        if self._first:
            self._first = False
            return self._waits
        return self._work.send(value)

    def throw(self, *thrown: Any) -> Any:
        """Tell the work what came of its wait, or that it is to end."""
        return self._work.throw(*thrown)


async def _awaited(work: Awaitable[T]) -> T:
    return await work
