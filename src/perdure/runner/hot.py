"""A run in the runner's hands: kept in memory between its steps, forgotten when it rests."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from perdure.ids import Key, RunId
from perdure.kernel.limits import INLINE_BYTES_MAX
from perdure.kernel.model import GONE, Cells, Decision, Event, Run
from perdure.kernel.program import Program
from perdure.kernel.values import Json
from perdure.stores.runs import Loaded, Receipt


class Delivery(Struct, frozen=True):
    """An event on its way to a run, and the inbox message that it came in, if it did."""

    event: Event
    taken: str | None = None


class UnderWay:
    """An effect that is being performed: it ends at its timeout, or when it is given up."""

    __slots__ = ("_timeout", "given_up")

    def __init__(self) -> None:
        """Begin without a deadline."""
        self._timeout: asyncio.Timeout | None = None
        self.given_up = False

    def within(self, seconds: float) -> asyncio.Timeout:
        """What ends the handler with `TimeoutError` after so long; at once where it is given up.

        It is asyncio's own: a scope of anyio costs four times as much, on every step.
        """
        self._timeout = asyncio.timeout(0 if self.given_up else seconds)
        return self._timeout

    def ended(self) -> None:
        """There is nothing to end any more."""
        self._timeout = None

    def give_up(self) -> None:
        """End it: the run was cancelled, or the effect is no longer wanted."""
        self.given_up = True
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time())


@dataclass(slots=True)
class HotRun:
    """One run, its cells as last committed, and what is to reach it next.

    `driving` is true while one task decides and commits for this run; nobody else does then.
    `users` counts the tasks that hold on to it between two steps, so that none has another copy.
    """

    id: RunId
    run: Run | None = None
    cells: dict[str, Json] = field(default_factory=dict)
    program: Program | None = None
    bytes_since: int = 0
    snapshot_bytes: int = 0
    queue: deque[Delivery] = field(default_factory=deque)
    taken: Delivery | None = None  # what was last driven, or is now
    driving: bool = False
    users: int = 0
    failures: int = 0  # drives in a row that came to nothing
    under_way: dict[Key, UnderWay] = field(default_factory=dict)

    def take(self, loaded: Loaded) -> None:
        """Stand where the store says that the run stands."""
        self.run, self.cells = loaded.run, loaded.cells
        self.bytes_since, self.snapshot_bytes = loaded.bytes_since, loaded.snapshot_bytes

    def forget(self) -> None:
        """Know nothing of the run any more but what is to reach it."""
        self.run, self.cells = None, {}

    def snapshot_due(self) -> Cells | None:
        """The cells to be written down as a snapshot with the next commit, when one is due."""
        if self.bytes_since <= max(INLINE_BYTES_MAX, self.snapshot_bytes):
            return None
        return dict(self.cells)

    def apply(self, decision: Decision, receipt: Receipt) -> None:
        """Stand where a decision that was just committed leaves the run."""
        run = decision.run
        for name, value in decision.writes.items():
            if value is GONE:
                self.cells.pop(name, None)
            else:
                self.cells[name] = value
        self.bytes_since += receipt.bytes_written
        if receipt.snapshot_bytes is not None:
            self.snapshot_bytes, self.bytes_since = receipt.snapshot_bytes, receipt.bytes_written
            run = replace(run, state_bytes=receipt.snapshot_bytes)
        self.run = run

    @property
    def resting(self) -> bool:
        """Whether nothing is under way and nothing is to come."""
        return not (self.driving or self.users or self.queue or self.under_way)


class HotRuns:
    """The runs in hand of one plane. Those that rest are kept a while, the longest unused going first."""

    def __init__(self, idle_max: int) -> None:
        """Keep up to `idle_max` resting runs."""
        self._idle_max = idle_max
        self._active: dict[RunId, HotRun] = {}
        self._idle: OrderedDict[RunId, HotRun] = OrderedDict()

    def at_hand(self, run_id: RunId) -> HotRun:
        """The run, to be used now; not loaded where it was not in hand."""
        hot = self._active.get(run_id)
        if hot is None:
            hot = self._idle.pop(run_id, None) or HotRun(run_id)
            self._active[run_id] = hot
        return hot

    @contextmanager
    def using(self, run_id: RunId) -> Iterator[HotRun]:
        """Hold on to a run, so that it does not rest."""
        hot = self.at_hand(run_id)
        hot.users += 1
        try:
            yield hot
        finally:
            hot.users -= 1
            self.rest(hot)

    def known(self, run_id: RunId) -> HotRun | None:
        """The run if it is in hand."""
        return self._active.get(run_id) or self._idle.get(run_id)

    def rest(self, hot: HotRun) -> None:
        """Let a run rest, and forget it at once where it has ended."""
        if not hot.resting or self._active.get(hot.id) is not hot:
            return
        del self._active[hot.id]
        if hot.run is None or hot.run.status in ("completed", "failed", "cancelled"):
            return
        self._idle[hot.id] = hot
        while len(self._idle) > self._idle_max:
            self._idle.popitem(last=False)

    def active(self) -> tuple[HotRun, ...]:
        """The runs that do not rest."""
        return tuple(self._active.values())
