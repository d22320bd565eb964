"""Opens planes whose time has come, though nobody asks for them: one task for all planes.

It sleeps until the earliest due time that the control store knows, is told of a plane that was
closed or of something that another process did, and looks slowly besides. A plane that a process
left behind when it ended is due by what was noted before each of its commits. The sweep relies on
no time: it looks into every plane once in a while, and opens it where something was not noted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog

from perdure.clock import Clock, text_of, time_of
from perdure.errors import GatewayError
from perdure.ids import RuntimeId, TenantId
from perdure.runtimes.router import Key, MayMove, Router, always
from perdure.stores.planes import ControlStore, PlaneEntry

# When a closed plane is due, looked up in the plane itself; the empty text is at once, `None` is never.
Peek = Callable[[TenantId, RuntimeId], Awaitable[str | None]]

log: Final = structlog.get_logger("perdure.waker")


@dataclass(frozen=True, slots=True)
class WakerConfig:
    """How it looks. Times in seconds."""

    poll_s: float = 20.0  # between two looks, where nothing is due and nothing is told
    page: int = 64  # planes of one look
    opened_at_once: int = 4  # side by side; each takes a thread while it is opened
    again_s: float = 60.0  # until a plane is tried again that was opened in vain, for the time that is still its own
    restless_s: float = 0.05  # between two looks, whatever is told
    sweep_page: int = 4  # planes that are looked into without being due, in each poll


class _Try(NamedTuple):
    """A plane was opened."""

    due: str | None  # what for
    at: float  # by a clock that runs evenly


class Waker:
    """Has planes open when they are due. Lives on the event loop."""

    def __init__(
        self, router: Router, control: ControlStore, clock: Clock, peek: Peek,
        config: WakerConfig | None = None, may_wake: MayMove = always,
    ) -> None:  # fmt: skip
        """Open planes of `router`; `may_wake` says no of those whose runs are not to move."""
        self._router, self._control, self._clock, self._may_wake = router, control, clock, may_wake
        self._peek = peek
        self.config: Final = config or WakerConfig()
        self._told = asyncio.Event()
        self._tried: dict[Key, _Try] = {}
        self._soonest: str | None = None
        self._swept: PlaneEntry | None = None
        router.on_due(self.note)

    def note(self, due: str) -> None:
        """Know that a plane which is closed here is due at this time."""
        if self._soonest is None or due < self._soonest:
            self._soonest = due
            self._told.set()

    def look_again(self) -> None:
        """Look: another process did something in a plane that is not open here."""
        self._told.set()

    async def serve(self) -> None:
        """Wake planes, for as long as this is not cancelled."""
        swept_at = self._clock.monotonic()
        while True:
            self._told.clear()
            await self.wake_due()
            if self._clock.monotonic() - swept_at >= self.config.poll_s:
                swept_at = self._clock.monotonic()
                await self.sweep()
            await asyncio.sleep(self.config.restless_s)
            await self._until_due()

    async def wake_due(self) -> None:
        """Open every plane that is due and not open here, and learn when the next one is."""
        self._soonest = None
        while True:
            now = text_of(self._clock.now())
            limit = self.config.page + self._router.open_count + len(self._tried)
            found = await self._control.due_planes(now=now, limit=limit)
            waiting = [it for it in found if self._is_to_wake(it)]
            if not waiting:
                break
            await self._open(waiting)
        soonest = await self._control.next_due(after=now)
        if soonest is not None:
            self.note(soonest)

    async def sweep(self) -> None:
        """Look into the next few planes, due or not: what should have been noted and was not is found."""
        page = await self._control.planes(after=self._swept, limit=self.config.sweep_page)
        self._swept = page[-1] if len(page) == self.config.sweep_page else None
        await self._open([it for it in page if await self._was_forgotten(it)])

    async def _was_forgotten(self, entry: PlaneEntry) -> bool:
        """Whether a plane that is closed here has something to do before the time that was noted."""
        if self._router.is_open(entry.tenant, entry.runtime):
            return False
        due = await self._peek(entry.tenant, entry.runtime)
        return due is not None and (entry.due_at is None or due < entry.due_at)

    def _is_to_wake(self, entry: PlaneEntry) -> bool:
        """Whether a due plane is not open, and was not opened just now for the same time, which was in vain."""
        key = (entry.tenant, entry.runtime)
        if self._router.is_open(*key):
            return False
        tried = self._tried.get(key)
        return (
            tried is None
            or tried.due != entry.due_at
            or self._clock.monotonic() - tried.at >= self.config.again_s
        )

    async def _open(self, entries: Sequence[PlaneEntry]) -> None:
        now = self._clock.monotonic()
        self._tried = {
            key: it for key, it in self._tried.items() if now - it.at < self.config.again_s
        }
        few = asyncio.Semaphore(self.config.opened_at_once)

        async def one(entry: PlaneEntry) -> None:
            async with few:
                await self._wake(entry)

        await asyncio.gather(*map(one, entries))

    async def _wake(self, entry: PlaneEntry) -> None:
        key = (entry.tenant, entry.runtime)
        self._tried[key] = _Try(entry.due_at, self._clock.monotonic())
        try:
            if await self._may_wake(*key):
                await self._router.wake(*key)
        except GatewayError as failed:
            log.warning("not woken", tenant=key[0], runtime=key[1], code=failed.code)

    async def _until_due(self) -> None:
        """Sleep until the earliest known time, until something is told, or for one poll."""
        wait_s = self.config.poll_s
        if self._soonest is not None:
            ahead = (time_of(self._soonest) - self._clock.now()).total_seconds()
            wait_s = min(wait_s, max(0.0, ahead))
        try:
            async with asyncio.timeout(wait_s):
                await self._told.wait()
        except TimeoutError:
            return
