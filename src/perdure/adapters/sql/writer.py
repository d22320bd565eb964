"""Group commit: what waits is written as one transaction, and each caller hears its own answer.

No delay is added: a batch is what has gathered while the one before was being written. The
writers of all planes share a few threads; a writer with nothing to do holds none. Where there are
several, one with much to write gives its thread up after a smaller batch while another waits for
one, and its callers hear in turns with those of the others.
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
BATCH_SHARED: Final = 64  # the same where several planes are open
ROUNDS_MAX: Final = 16  # batches of one plane before it goes to the end of the line for a thread
TURN: Final = 8  # callers that hear in one turn of the loop, where several planes are open


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


class Company:
    """The writers that share some threads: how many there are, and how many wait for a thread."""

    __slots__ = ("_lock", "waiting", "writers")

    def __init__(self) -> None:
        """Begin with none."""
        self.writers, self.waiting = 0, 0
        self._lock = Lock()

    def joined(self, change: int) -> None:
        """Count a writer that was opened, or with -1 one that was closed."""
        with self._lock:
            self.writers += change

    def queued(self, change: int) -> None:
        """Count a writer that waits for a thread, or with -1 one that got it."""
        with self._lock:
            self.waiting += change


class Writer:
    """The one way into a plane. Lives on the event loop; its batches are written elsewhere."""

    def __init__(
        self, batches: Batches, threads: Executor, loop: asyncio.AbstractEventLoop,
        company: Company | None = None,
    ) -> None:  # fmt: skip
        """Write `batches` on `threads`, which it shares with its `company`, and answer on `loop`."""
        self._company = company or Company()
        self._company.joined(1)
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
            self._loop.call_soon(self._queue)
        return future

    async def work(
        self, run: Callable[[Session], T | Mailed[T]], *, due: str | None = None, at: str = ""
    ) -> T:
        """Have something done in a transaction that it may share with others."""
        done: T = await self.put(Work(run, due, at))
        return done

    def _queue(self) -> None:
        self._company.queued(1)
        self._threads.submit(self._write)

    def _write(self) -> None:
        """Write batch after batch until nothing waits, on a thread of the pool."""
        self._company.queued(-1)
        resting = False
        try:
            resting = self._rounds()
        finally:
            if not resting:
                self._queue()

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
            if self._company.waiting:
                return False
        return False

    def _next(self) -> list[Handed]:
        with self._lock:
            most = BATCH_MAX if self._company.writers == 1 else BATCH_SHARED
            count = min(len(self._waiting), most)
            self._busy = count > 0
            return [self._waiting.popleft() for _ in range(count)]

    def _answer(self, batch: Sequence[Handed], answers: Sequence[Answer]) -> None:
        try:
            self._batches.tell([one.what for one in batch], answers)
        finally:
            self._tell_callers(batch, answers, 0)

    def _tell_callers(self, batch: Sequence[Handed], answers: Sequence[Answer], at: int) -> None:
        """Answer the callers from `at` on, as many as have their turn now."""
        end = len(batch) if self._company.writers == 1 else at + TURN
        for one, answer in zip(batch[at:end], answers[at:end], strict=True):
            if one.future.done():  # its caller has gone; what is written is written
                continue
            if answer.error is None:
                one.future.set_result(answer.value)
            else:
                one.future.set_exception(answer.error)
        if end < len(batch):
            self._loop.call_soon(self._tell_callers, batch, answers, end)

    async def close(self) -> None:
        """Write what was handed in, and take nothing more. Twice is as good as once."""
        if not self._closed:
            last = self.put(Work(_nothing))  # answered after everything before it
            self._closed = True
            self._company.joined(-1)
            with suppress(GatewayError):
                await last


def _nothing(_session: Session) -> None:
    """Write nothing."""
