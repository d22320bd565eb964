"""Group commit: what waits is written as one transaction, and each caller hears its own answer.

No delay is added: a batch is what has gathered while the one before was being written, and what its
callers hand in as they hear. So a plane is written or its loop works, and neither takes the
interpreter from the other all the time. The writers of all planes share a few threads; a writer goes
to the end of the line for one after each batch. Where there are several, batches are smaller, and
callers hear in turns with those of the others.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from msgspec import Struct

from perdure.adapters.sql.dialect import Session
from perdure.errors import GatewayError, Unavailable
from perdure.ids import RunId

T = TypeVar("T")

BATCH_MAX: Final = 512  # of what waits, in one transaction
BATCH_SHARED: Final = 64  # the same where several planes are open
TURN: Final = 8  # callers that hear in one turn of the loop, where several planes are open


class Work(Struct, frozen=True):
    """Something that a store wants done in a transaction that it may share with others.

    `run` reads first, and raises what it has to refuse before it writes anything. It may run twice.
    `then` is called on the event loop when it was written or could not be, even where its caller has gone.
    """

    run: Callable[[Session], Any]
    due: str | None = None  # when it gives the plane something to do
    at: str = ""  # the time of the caller, where there is a `due`
    then: Callable[[], None] | None = None


class Mailed(NamedTuple, Generic[T]):
    """What a work answers that left messages for runs."""

    value: T
    run_ids: tuple[RunId, ...]


Handed = tuple[Any, "asyncio.Future[Any]"]  # a `Commit` or a `Work`, and the future of its caller


class Answer(Struct, frozen=True):
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


class Company:
    """The writers that share some threads: how many there are."""

    __slots__ = ("writers",)

    def __init__(self) -> None:
        """Begin with none."""
        self.writers = 0


class Writer:
    """The one way into a plane. Lives on the event loop; its batches are written elsewhere, one at a time."""

    def __init__(
        self, batches: Batches, threads: Executor, loop: asyncio.AbstractEventLoop,
        company: Company | None = None,
    ) -> None:  # fmt: skip
        """Write `batches` on `threads`, which it shares with its `company`, and answer on `loop`."""
        self._company = company or Company()
        self._company.writers += 1
        self._batches, self._threads, self._loop = batches, threads, loop
        self._waiting: deque[Handed] = deque()
        self._busy = False  # a batch is written, or is about to be
        self._closed = False

    def put(self, what: Any) -> "asyncio.Future[Any]":
        """Hand something in; the future is done when it is on disk, or could not be."""
        if self._closed:
            raise Unavailable("the store is closed")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((what, future))
        if not self._busy:
            self._busy = True
            # Whatever else becomes ready in this turn of the loop is to be in the same batch.
            self._loop.call_soon(self._begin)
        return future

    async def work(
        self, run: Callable[[Session], T | Mailed[T]], *, due: str | None = None, at: str = "",
        then: Callable[[], None] | None = None,
    ) -> T:  # fmt: skip
        """Have something done in a transaction that it may share with others."""
        done: T = await self.put(Work(run, due, at, then))
        return done

    def _begin(self) -> None:
        """Have what waits written, at the end of the line for a thread; or rest where nothing does."""
        most = BATCH_MAX if self._company.writers == 1 else BATCH_SHARED
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), most))]
        self._busy = bool(batch)
        if batch:
            self._threads.submit(self._write, batch)

    def _write(self, batch: Sequence[Handed]) -> None:
        """Write a batch, on a thread of the pool."""
        answers: list[Answer] | None = None
        try:
            answers = self._batches.write([what for what, _ in batch])
        finally:  # even a bug is an answer: nobody waits for ever
            answers = answers or [Answer(error=sys.exc_info()[1]) for _ in batch]
            with suppress(RuntimeError):  # the loop is gone, and with it everyone who waits
                self._loop.call_soon_threadsafe(self._answer, batch, answers)

    def _answer(self, batch: Sequence[Handed], answers: Sequence[Answer]) -> None:
        try:
            self._batches.tell([what for what, _ in batch], answers)
        finally:
            self._tell_callers(batch, answers, 0)
            # After the callers: what they hand in at once is to be in the same batch as what waits.
            self._loop.call_soon(self._begin)

    def _tell_callers(self, batch: Sequence[Handed], answers: Sequence[Answer], at: int) -> None:
        """Answer the callers from `at` on, as many as have their turn now."""
        end = len(batch) if self._company.writers == 1 else at + TURN
        for (_, future), answer in zip(batch[at:end], answers[at:end], strict=True):
            if future.done():  # its caller has gone; what is written is written
                continue
            if answer.error is None:
                future.set_result(answer.value)
            else:
                future.set_exception(answer.error)
        if end < len(batch):
            self._loop.call_soon(self._tell_callers, batch, answers, end)

    async def close(self) -> None:
        """Write what was handed in, and take nothing more. Twice is as good as once."""
        if not self._closed:
            last = self.put(Work(_nothing))  # answered after everything before it
            self._closed = True
            self._company.writers -= 1
            with suppress(GatewayError):
                await last


def _nothing(_session: Session) -> None:
    """Write nothing."""
