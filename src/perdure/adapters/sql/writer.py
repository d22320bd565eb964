"""Group commit: what waits is written as one transaction, and each caller hears its own answer.

No delay is added: a batch is what has gathered while the one before was being written. The
writers of all planes share a few threads; a writer with nothing to do holds none.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from threading import Lock
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from perdure.adapters.sql.dialect import Session
from perdure.errors import GatewayError, Unavailable
from perdure.ids import RunId

T = TypeVar("T")

BATCH_MAX: Final = 512  # of what waits, in one transaction
ROUNDS_MAX: Final = 16  # batches of one plane before another plane has its turn on the thread


class Work(NamedTuple):
    """Something that a store wants done in a transaction that it may share with others.

    `run` reads first, and raises what it has to refuse before it writes anything. It may run twice.
    """

    run: Callable[[Session], Any]
    due: str | None = None  # when it gives the plane something to do
    at: str = ""  # the time of the caller, where there is a `due`


class Mailed(NamedTuple, Generic[T]):
    """What a work answers that left messages for runs."""

    value: T
    run_ids: tuple[RunId, ...]


class Handed(NamedTuple):
    """What was handed in: a `Commit` or a `Work`, and the future of its caller."""

    what: Any
    future: "asyncio.Future[Any]"


class Answer(NamedTuple):
    """What came of what was handed in."""

    value: Any = None
    error: BaseException | None = None
    mailed: tuple[RunId, ...] = ()  # runs that have a message now


class Batches(Protocol):
    """What knows how to write a batch, and whom to tell."""

    def write(self, batch: Sequence[Any]) -> list[Answer]:
        """Write a batch, on a writer's thread. Never raises."""
        ...

    def tell(self, batch: Sequence[Any], answers: Sequence[Answer]) -> None:
        """Tell listeners what was written, on the event loop, before the callers hear."""
        ...


class Writer:
    """The one way into a plane. Lives on the event loop; its batches are written elsewhere."""

    def __init__(
        self, batches: Batches, threads: Executor, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Write `batches` on `threads`, and answer on `loop`."""
        self._batches, self._threads, self._loop = batches, threads, loop
        self._waiting: deque[Handed] = deque()
        self._lock = Lock()  # between the loop and the thread that writes
        self._busy = False  # a thread writes, or is about to
        self._closed = False

    def put(self, what: Any) -> "asyncio.Future[Any]":
        """Hand something in; the future is done when it is on disk, or could not be."""
        if self._closed:
            raise Unavailable("the store is closed")
        future: asyncio.Future[Any] = self._loop.create_future()
        with self._lock:
            self._waiting.append(Handed(what, future))
            begins, self._busy = not self._busy, True
        if begins:
            # Whatever else becomes ready in this turn of the loop is to be in the same batch.
            self._loop.call_soon(self._threads.submit, self._write)
        return future

    async def work(
        self, run: Callable[[Session], T | Mailed[T]], *, due: str | None = None, at: str = ""
    ) -> T:
        """Have something done in a transaction that it may share with others."""
        done: T = await self.put(Work(run, due, at))
        return done

    def _write(self) -> None:
        """Write batch after batch until nothing waits, on a thread of the pool."""
        resting = False
        try:
            resting = self._rounds()
        finally:
            if not resting:
                self._threads.submit(self._write)

    def _rounds(self) -> bool:
        """Write some batches; whether nothing waits any more."""
        for _ in range(ROUNDS_MAX):
            batch = self._next()
            if not batch:
                return True
            answers: list[Answer] | None = None
            try:
                answers = self._batches.write([one.what for one in batch])
            finally:  # even a bug is an answer: nobody waits for ever
                answers = answers or [Answer(error=sys.exc_info()[1]) for _ in batch]
                with suppress(RuntimeError):  # the loop is gone, and with it everyone who waits
                    self._loop.call_soon_threadsafe(self._answer, batch, answers)
        return False

    def _next(self) -> list[Handed]:
        with self._lock:
            count = min(len(self._waiting), BATCH_MAX)
            self._busy = count > 0
            return [self._waiting.popleft() for _ in range(count)]

    def _answer(self, batch: Sequence[Handed], answers: Sequence[Answer]) -> None:
        try:
            self._batches.tell([one.what for one in batch], answers)
        finally:
            for one, answer in zip(batch, answers, strict=True):
                if one.future.done():  # its caller has gone; what is written is written
                    continue
                if answer.error is None:
                    one.future.set_result(answer.value)
                else:
                    one.future.set_exception(answer.error)

    async def close(self) -> None:
        """Write what was handed in, and take nothing more. Twice is as good as once."""
        if not self._closed:
            last = self.put(Work(_nothing))  # answered after everything before it
            self._closed = True
            with suppress(GatewayError):
                await last


def _nothing(_session: Session) -> None:
    """Write nothing."""
