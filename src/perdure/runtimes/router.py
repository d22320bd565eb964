"""Opens the plane of a runtime when it is asked for, keeps it while it is used, and closes it after.

A plane that is closed is a row in the control store and files on disk: it costs nothing until
somebody asks for it, or its due time has come (`waker`). A plane is opened, closed and settled
under a lock of its own, so that one process never has it open twice.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar
from weakref import WeakValueDictionary

from perdure.clock import Clock, text_of, time_of
from perdure.errors import Unavailable
from perdure.identity.principal import Principal
from perdure.ids import RuntimeId, TenantId
from perdure.runtimes.context import RuntimeContext
from perdure.stores.planes import QUIET_S, ControlStore, PlaneEntry

T = TypeVar("T")
Key = tuple[TenantId, RuntimeId]
OpenPlane = Callable[[TenantId, RuntimeId], Awaitable[RuntimeContext]]
MayMove = Callable[[TenantId, RuntimeId], Awaitable[bool]]

RETRY_S: Final = 0.05  # between two looks for room, while every open plane is in use


class Worker(Protocol):
    """What moves the runs of open planes, as far as opening and closing concern it."""

    @property
    def moves(self) -> bool:
        """Whether it does anything at all: where it does not, another process does."""
        ...

    def open(self, runtime: RuntimeContext) -> object:
        """Take a plane on."""
        ...

    def idle(self, runtime: RuntimeContext) -> bool:
        """Whether nothing of the plane is in hand, or known to wait."""
        ...

    async def close(self, runtime: RuntimeContext) -> None:
        """Leave a plane; no task and no timer is left of it."""
        ...


class NoWorker:
    """Stands in a process that serves and moves no runs."""

    moves: Final = False

    def open(self, runtime: RuntimeContext) -> object:
        """Take nothing on."""
        return None

    def idle(self, runtime: RuntimeContext) -> bool:
        """Say yes: nothing is in hand here."""
        return True

    async def close(self, runtime: RuntimeContext) -> None:
        """Leave nothing."""


async def always(_tenant: TenantId, _runtime: RuntimeId) -> bool:
    """Move the runs of every plane."""
    return True


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """How long planes stay open, and how many. Times in seconds."""

    open_max: int = 128  # at once; at the bound the longest unused makes room, or the asker waits
    idle_s: float = 120.0  # after its last use, until a plane is closed
    rest_s: float = 2.0  # the same for one that only its due time opened
    keep_s: float = 5.0  # one that is due within this time stays open
    look_s: float = 1.0  # between two looks for planes to close
    room_s: float = 10.0  # how long an asker waits for room
    check_s: float = 5.0  # between two looks whether the runs of open planes are still to move
    others_s: float = 0.0  # how long others may begin effects of a plane that is forgotten


class Kept:
    """One open plane: whose it is, and when it was last in use."""

    __slots__ = ("key", "moved", "pinned", "runtime", "used_at", "wanted")

    def __init__(self, key: Key, runtime: RuntimeContext, used_at: float, *, wanted: bool) -> None:
        """Keep `runtime`; `wanted` says that a principal asked for it, and not only its due time."""
        self.key, self.runtime, self.used_at, self.wanted = key, runtime, used_at, wanted
        self.pinned = False
        self.moved = False  # whether the worker has it


class Router:
    """From a principal to its runtime, in this process. Lives on the event loop."""

    def __init__(
        self, open_plane: OpenPlane, control: ControlStore, worker: Worker, clock: Clock,
        config: RouterConfig | None = None, may_move: MayMove = always,
    ) -> None:  # fmt: skip
        """Open planes by `open_plane`, and have `worker` move what is in them.

        `may_move` says no of planes whose runs rest though somebody may read there: their principal
        is disabled or gone. Another process may have done that, so it is asked again and again.
        """
        self._open_plane, self._control, self._worker, self._clock, self._may_move = (
            open_plane,
            control,
            worker,
            clock,
            may_move,
        )
        self.config: Final = config or RouterConfig()
        self._kept: dict[Key, Kept] = {}
        self._opening: set[Key] = set()
        self._closing: set[Key] = set()
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()
        self._barred: set[Key] = set()
        self._due_later: list[Callable[[str], None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()  # what goes on though its asker has gone
        self._some = asyncio.Event()  # there are planes that may be closed one day
        self._closed = False

    # --- asking ----------------------------------------------------------------------------------

    async def open(self, principal: Principal) -> RuntimeContext:
        """The principal's runtime. Whoever keeps it over an `await` of some length enters its `use`.

        Raises `Unavailable` where as many planes are in use as may be open, or the plane is barred.
        """
        return await self.runtime(principal.runtime_tenant, principal.runtime)

    async def runtime(self, tenant: TenantId, runtime: RuntimeId) -> RuntimeContext:
        """The runtime of this name, opened where it is not. As `open`."""
        kept = self._kept.get((tenant, runtime))
        if kept is None:
            kept = await self._opened((tenant, runtime), wanted=True)
        kept.wanted = True
        kept.used_at = self._clock.monotonic()
        return kept.runtime

    @asynccontextmanager
    async def using(self, tenant: TenantId, runtime: RuntimeId) -> AsyncIterator[RuntimeContext]:
        """The runtime of this name, open until the end of the block."""
        found = await self.runtime(tenant, runtime)
        with found.use:
            yield found

    async def wake(self, tenant: TenantId, runtime: RuntimeId) -> None:
        """Have a plane open for what is due in it; it is closed again when that is done."""
        if (tenant, runtime) not in self._kept:
            await self._opened((tenant, runtime), wanted=False)

    async def pin(self, tenant: TenantId, runtime: RuntimeId) -> RuntimeContext:
        """The same as `runtime`, and it stays open."""
        found = await self.runtime(tenant, runtime)
        self._kept[tenant, runtime].pinned = True
        return found

    def is_open(self, tenant: TenantId, runtime: RuntimeId) -> bool:
        """Whether this process has the plane open; one that is being closed is, until it is said when it is due."""
        return (tenant, runtime) in self._kept or (tenant, runtime) in self._closing

    @property
    def open_count(self) -> int:
        """How many planes are open, or about to be."""
        return len(self._kept) + len(self._opening)

    def on_due(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the time at which a plane that was just closed is due."""
        self._due_later.append(listener)

    # --- opening ---------------------------------------------------------------------------------

    async def _opened(self, key: Key, *, wanted: bool) -> Kept:
        return await self._whole(self._open_now(key, wanted=wanted))

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something to its end, whatever becomes of who asked: nothing may be left half open."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _open_now(self, key: Key, *, wanted: bool) -> Kept:
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            kept = self._kept.get(key)
            if kept is None:
                self._check(key)
                await self._room()
                self._opening.add(key)
                try:
                    moves = await self._may_move(*key)
                    runtime = await self._open_plane(*key)
                finally:
                    self._opening.discard(key)
                kept = Kept(key, runtime, self._clock.monotonic(), wanted=wanted)
                self._kept[key] = kept
                if moves:
                    self._worker.open(runtime)
                    kept.moved = True
                self._some.set()
        return kept

    def _check(self, key: Key) -> None:
        if self._closed:
            raise Unavailable("The server is going down.")
        if key in self._barred:
            raise Unavailable("This runtime is being taken away.")

    async def _room(self) -> None:
        """Wait until one more plane may be open. Raises `Unavailable` where that takes too long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.config.room_s
        while self.open_count >= self.config.open_max:
            if not await self._close_one():
                if loop.time() >= until:
                    raise Unavailable(
                        "As many runtimes are in use as may be open at once.",
                        open_max=self.config.open_max, retry_after=1,
                    )  # fmt: skip
                await asyncio.sleep(RETRY_S)

    async def _close_one(self) -> bool:
        """Close the longest unused plane of those that nobody uses, whether it is due soon or not."""
        for kept in sorted(self._kept.values(), key=lambda it: (it.wanted, it.used_at)):
            if self._free(kept) and await self._whole(self._close(kept, forced=True)):
                return True
        return False

    # --- closing ---------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Close planes that nobody uses any more, for as long as this is not cancelled."""
        checked_at = self._clock.monotonic()
        while True:
            await self._some.wait()
            await asyncio.sleep(self._pause_s())
            if self._clock.monotonic() - checked_at >= self.config.check_s:
                checked_at = self._clock.monotonic()
                await self.check_moves()
            await self.close_idle()
            if all(kept.pinned and not self._may_change(kept) for kept in self._kept.values()):
                self._some.clear()

    def _pause_s(self) -> float:
        """Until the next look: where no plane may be closed, there is only to be checked what moves."""
        closes = any(not kept.pinned for kept in self._kept.values())
        return self.config.look_s if closes else self.config.check_s

    async def check_moves(self) -> None:
        """Stop the runs of planes that are not to move any more, and begin those that are again."""
        for kept in tuple(self._kept.values()):
            if self._may_change(kept):
                await self._whole(self._check_move(kept))

    def _may_change(self, kept: Kept) -> bool:
        """Whether something may say of a plane that its runs move, or not, without telling the router."""
        return not (kept.moved and kept.runtime.plane.alone)

    async def _check_move(self, kept: Kept) -> None:
        async with self._locks.setdefault(kept.key, asyncio.Lock()):
            moves = await self._may_move(*kept.key)
            if self._kept.get(kept.key) is not kept or moves is kept.moved:
                return
            kept.moved = moves
            if moves:
                self._worker.open(kept.runtime)
            else:
                await self._worker.close(kept.runtime)

    async def close_idle(self) -> None:
        """Close the planes that were unused for long enough and have nothing to do soon."""
        now = self._clock.monotonic()
        for kept in tuple(self._kept.values()):
            if not self._free(kept):
                kept.used_at = now
            elif now - kept.used_at >= (self.config.idle_s if kept.wanted else self.config.rest_s):
                await self._whole(self._close(kept, forced=False))

    def _free(self, kept: Kept) -> bool:
        """Whether nobody uses a plane, and nothing of it is in hand."""
        runtime = kept.runtime
        used = kept.pinned or runtime.use.holders or runtime.hub.listened_to
        return not used and self._worker.idle(runtime)

    async def _close(self, kept: Kept, *, forced: bool) -> bool:
        """Close a plane and say in the control store when it is due next; whether that was done."""
        lock = self._locks.setdefault(kept.key, asyncio.Lock())
        async with lock:
            seen = kept.used_at
            entry = await self._control.entry(*kept.key)
            if not forced and not await self._may_close(kept, entry):
                return False
            if self._kept.get(kept.key) is not kept or not self._free(kept) or kept.used_at != seen:
                return False
            del self._kept[kept.key]  # from here on who asks for it waits for the lock
            self._closing.add(kept.key)
            try:
                await self._worker.close(kept.runtime)
                due = await kept.runtime.plane.next_due()
                await kept.runtime.plane.close()
                if entry is not None:
                    await self._settle(kept, entry, due)
            finally:
                self._closing.discard(kept.key)
        return True

    async def _may_close(self, kept: Kept, entry: PlaneEntry | None) -> bool:
        """Whether a plane has nothing to do soon, and its due time can be raised to what it has."""
        if not (self._worker.moves and kept.moved):
            return True
        due = await kept.runtime.plane.next_due()
        if due is not None and (due == "" or self._ahead_s(due) <= self.config.keep_s):
            return False
        if kept.runtime.plane.alone or entry is None or entry.due_at == due:
            return True
        return -self._ahead_s(entry.noted_at) >= QUIET_S  # another process may rely on the time

    async def _settle(self, kept: Kept, entry: PlaneEntry, due: str | None) -> None:
        now = text_of(self._clock.now())
        if due is not None and (entry.due_at is None or due < entry.due_at):
            # Nobody noted it, or the note was lost: a time may be early and must not be late.
            await asyncio.to_thread(self._control.note_due, *kept.key, due or now, at=now)
        elif due != entry.due_at and self._worker.moves:
            quiet_s = 0 if kept.runtime.plane.alone else QUIET_S
            await self._control.settle_due(entry, due, now=now, quiet_s=quiet_s)
        if due is not None:
            for listener in self._due_later:
                listener(due or now)

    def _ahead_s(self, due: str) -> float:
        ahead: float = (time_of(due) - self._clock.now()).total_seconds()
        return ahead

    # --- taking away -----------------------------------------------------------------------------

    async def forget(self, tenant: TenantId, runtime: RuntimeId, *, bar: bool = False) -> None:
        """Stop a plane's runs and close it, whoever uses it; with `bar`, nobody opens it again here.

        For a runtime that is disabled, handed over or purged. What is under way may end as at a
        stop; who still holds the runtime finds its store closed. When this returns, no process
        begins an effect of it. Twice is as good as once.
        """
        key = (tenant, runtime)
        if bar:
            self._barred.add(key)
        await self._whole(self._drop(key))
        await asyncio.sleep(self.config.others_s)

    async def _drop(self, key: Key) -> None:
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            kept = self._kept.pop(key, None)
            if kept is not None:
                await self._worker.close(kept.runtime)
                await kept.runtime.plane.close()

    def allow(self, tenant: TenantId, runtime: RuntimeId) -> None:
        """Let a plane be opened again that was barred."""
        self._barred.discard((tenant, runtime))

    async def close_all(self) -> None:
        """Close every plane, as it is: the process ends. Twice is as good as once.

        Due times stay as they were noted; they may be early.
        """
        self._closed = True
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for key in tuple(self._kept):
            await self._drop(key)
