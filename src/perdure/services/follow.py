"""One reader's way along one run's ledger: first what is kept, then what comes, in order and once.

The reader listens before it reads, so that nothing falls between. What it has not taken yet is
bounded: a reader that is too slow is marked behind, forgets what was handed to it, and reads
pages of the ledger until it has caught up.
"""

from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

import anyio

from perdure.ids import RunId
from perdure.kernel.model import TERMINAL
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.deltas import RunDelta
from perdure.stores.records import Record
from perdure.stores.runs import Committed

PAGE: Final = 500  # records read at a time while catching up
WAITING_MAX: Final = 512  # records and deltas handed over and not yet taken
WAITING_BYTES_MAX: Final = 1024 * 1024  # of them all
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
        self._changed = anyio.Event()
        self._stops: list[Callable[[], None]] = [runtime.hub.listen(run_id, self._heard)]

    async def begin(self) -> None:
        """Read the first page, so that a run that is not there is told before anything is sent.

        Raises `RunNotFound`.
        """
        self._first = await self._read()
        if not self._first:
            await self._ask()

    # --- what comes in, on the event loop ------------------------------------------------------

    def nudge(self) -> None:
        """Make a waiting reader look up."""
        self._nudged = True
        self._changed.set()

    def _heard(self, commits: Sequence[Committed]) -> None:
        """Take what a commit wrote; a hint alone says that the store has more."""
        if not commits:
            self._behind = self._ask_head = True
        for committed in commits:
            run = committed.decision.run
            if run.status in TERMINAL:
                self._end = run.seq
            if not self._behind:
                for record in committed.records:
                    self._take(record, len(record.body) + len(record.detail))
        self._changed.set()

    def _heard_delta(self, delta: RunDelta) -> None:
        self._take(delta, len(delta.delta.text))
        self._changed.set()

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

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Item]:
        while True:
            if items := await self._next():
                return items
            if self._end is not None and self.cursor >= self._end:
                raise StopAsyncIteration
            if self._behind or self._waiting:
                continue
            if self._nudged:
                return self._look_up()
            self._changed = anyio.Event()
            await self._changed.wait()

    async def _next(self) -> list[Item]:
        if self._first:
            first, self._first = self._first, []
            return first
        if self._behind:
            return await self._read()
        items = [item for item in self._waiting if self._is_next(item)]
        self._waiting.clear()
        self._waiting_bytes = 0
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
        if self._wants_deltas and not self._behind:
            self._wants_deltas = False
            self._stops.append(self._runtime.deltas.listen(self.run_id, self._heard_delta))
        return list(records)

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
