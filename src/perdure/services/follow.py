"""One reader's way along one run's ledger: first what is kept, then what comes, in order and once.

The reader listens before it reads, so that nothing falls between. What it has not taken yet is
bounded: a reader that is too slow is marked behind, forgets what was handed to it, and reads
pages of the ledger until it has caught up.

A reader of a quiet run is told at once. While the run moves, what follows is joined and handed
over once every `PACE_S`; where the run comes to rest, at once again: it waits for somebody, or has ended.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from perdure.ids import RunId
from perdure.kernel.model import TERMINAL, Status
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.deltas import RunDelta
from perdure.stores.records import Record
from perdure.stores.runs import Committed

PAGE: Final = 500  # records read at a time while catching up
WAITING_MAX: Final = 512  # records and deltas handed over and not yet taken
WAITING_BYTES_MAX: Final = 1024 * 1024  # of them all
PACE_S: Final = 0.08  # between two times that a reader is handed what comes, while the run moves
LOOK_AGAIN_S: Final = 10.0  # hints may be lost: without one, the store is asked this often

Item = Record | RunDelta


class Steps:
    """The records of a run after `cursor`, and the deltas of its calls for a reader that wants them.

    Iterating gives what there is by now, joined into one list, and waits where there is nothing.
    It ends after the last record of a run that has ended. `nudge` makes a waiting reader look up:
    it gets an empty list.
    """

    def __init__(
        self, runtime: RuntimeContext, run_id: RunId, cursor: int, *, deltas: bool
    ) -> None:
        """Begin to listen to the run. Nothing is read yet."""
        self.run_id = run_id
        self.cursor = cursor
        self._runtime = runtime
        self._wants_deltas = deltas
        self._waiting: deque[Item] = deque()
        self._waiting_bytes = 0
        self._first: list[Item] = []
        self._behind = True
        self._ask_head = False
        self._nudged = False
        self._end: int | None = None
        self._looked_at = runtime.clock.monotonic()
        self._loop = asyncio.get_running_loop()
        self._told: asyncio.Future[None] | None = None  # what a reader waits for that has nothing
        self._pause: asyncio.TimerHandle | None = None  # since something was handed over
        self._rests = False
        self._stops: list[Callable[[], None]] = [runtime.hub.listen(run_id, self._heard)]

    async def begin(self) -> None:
        """Read the first page, so that a run that is not there is told before anything is sent.

        Of a run that was born just now there is none. Raises `RunNotFound`.
        """
        if self._runtime.hub.is_unmoved(self.run_id):
            self._behind = False
            self._hear_deltas()
            return
        self._first = await self._read()
        if not self._first:
            await self._ask()

    # --- what comes in, on the event loop ------------------------------------------------------

    def nudge(self) -> None:
        """Make a waiting reader look up."""
        self._nudged = True
        self._wake()

    def _wake(self) -> None:
        if self._told is not None and not self._told.done():
            self._told.set_result(None)

    def _heard(self, commits: Sequence[Committed]) -> None:
        """Take what a commit wrote; a hint alone says that the store has more."""
        if not commits:
            self._behind = self._ask_head = True
        for committed in commits:
            run = committed.decision.run
            self._rests = run.status is not Status.RUNNING
            if run.status in TERMINAL:
                self._end = run.seq
            if not self._behind:
                for record in committed.records:
                    self._take(record, len(record.body) + len(record.detail))
        if self._is_due():
            self._wake()

    def _heard_delta(self, delta: RunDelta) -> None:
        self._take(delta, len(delta.delta.text))
        if self._is_due():
            self._wake()

    def _is_due(self) -> bool:
        """Whether what waits is handed over now, and not at the end of the pause."""
        return self._pause is None or self._rests or self._behind

    def _begin_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
        self._pause = self._loop.call_later(PACE_S, self._end_pause)

    def _end_pause(self) -> None:
        self._pause = None
        if self._waiting:
            self._wake()

    def _take(self, item: Item, size: int) -> None:
        if self._behind:
            return
        self._waiting.append(item)
        self._waiting_bytes += size
        if len(self._waiting) > WAITING_MAX or self._waiting_bytes > WAITING_BYTES_MAX:
            self._fall_behind()

    def _fall_behind(self) -> None:
        self._behind = True
        self._waiting.clear()
        self._waiting_bytes = 0

    # --- what goes out -------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether the run has ended and its last record was handed over."""
        return self._end is not None and self.cursor >= self._end

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Item]:
        while True:
            if self._is_due() and (items := await self._next()):
                self._begin_pause()
                return items
            if self.ended:
                raise StopAsyncIteration
            if self._behind or (self._waiting and self._is_due()):
                continue
            if self._nudged:
                return self._look_up()
            self._told = self._loop.create_future()
            await self._told

    async def _next(self) -> list[Item]:
        if self._first:
            first, self._first = self._first, []
            return first
        if self._behind:
            return await self._read()
        items = [item for item in self._waiting if self._is_next(item)]
        self._waiting.clear()
        self._waiting_bytes = 0
        self._rests = False
        return items

    def _is_next(self, item: Item) -> bool:
        """Let pass each record once and in order; where one is missing, fall behind instead."""
        if isinstance(item, RunDelta):
            return True
        if item.seq == self.cursor + 1 and not self._behind:
            self.cursor = item.seq
            return True
        self._behind = self._behind or item.seq > self.cursor
        return False

    async def _read(self) -> list[Item]:
        """Read a page of the ledger. What is committed meanwhile is taken beside it."""
        self._behind = False
        runs, ask_head, self._ask_head = self._runtime.plane.runs, self._ask_head, False
        records = await runs.ledger(self.run_id, after=self.cursor, limit=PAGE)
        self._looked_at = self._runtime.clock.monotonic()
        if records:
            self.cursor = records[-1].seq
            if is_last(records[-1]):
                self._end = self.cursor
        if len(records) == PAGE:
            self._fall_behind()
        elif ask_head:
            await self._ask()
        if not self._behind:
            self._hear_deltas()
        return list(records)

    def _hear_deltas(self) -> None:
        if self._wants_deltas:
            self._wants_deltas = False
            self._stops.append(self._runtime.deltas.listen(self.run_id, self._heard_delta))

    async def _ask(self) -> None:
        """Ask the store where the run stands, since no commit told it."""
        header = await self._runtime.plane.runs.header(self.run_id)
        if header.status in TERMINAL:
            self._end = header.seq
        self._behind = self._behind or header.seq > self.cursor

    def _look_up(self) -> list[Item]:
        self._nudged = False
        if self._runtime.clock.monotonic() - self._looked_at >= LOOK_AGAIN_S:
            self._behind = self._ask_head = True
        return []

    # --- the end -------------------------------------------------------------------------------

    def close(self) -> None:
        """Listen no longer. Twice is as good as once."""
        if self._pause is not None:
            self._pause.cancel()
        while self._stops:
            self._stops.pop()()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        self.close()


_LAST: Final = b'"idempotency_key":"system:terminal_status:'


def is_last(record: Record) -> bool:
    """Whether a record is the last of its run: it says how the run ended, and nothing follows it."""
    return record.body.endswith(b'"}') and _LAST in record.body[-128:]
