"""What the runner needs of the outbox: effects committed and not yet performed."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from perdure.ids import Key, RunId
from perdure.kernel.model import Effect
from perdure.kernel.values import Json


class Pending(Struct, frozen=True):
    """An effect to be performed. `dispatched_at` is set where a `once` effect may have happened."""

    run_id: RunId
    key: Key
    effect: Effect
    attempts: tuple[Json, ...] = ()
    dispatched_at: str | None = None


class OutboxStore(Protocol):
    """Effects on their way. They enter and leave in commits of `RunStore`; times are RFC 3339 text."""

    async def claim(
        self, holder: str, *, now: str, until: str, limit: int, run_id: RunId | None = None
    ) -> Sequence[Pending]:
        """Lease up to `limit` effects whose lease is over or whose retry is due, oldest first.

        Effects of held runs, in review, or given up are left alone. None is leased twice at
        once. With `run_id`, only that run's.
        """
        ...

    async def dispatch(self, run_id: RunId, key: Key, *, holder: str, at: str) -> bool:
        """Write down that a `once` effect is about to be performed, before it is.

        `False`, and nothing written, if it was marked before, is leased to another holder, its
        run is held or has ended, the run's parent or root is cancelled, or it is no longer wanted.
        """
        ...

    async def retry_later(
        self,
        run_id: RunId,
        key: Key,
        *,
        attempts: tuple[Json, ...],
        due: str,
        undo_dispatch: bool = False,
    ) -> None:
        """Give the lease back until `due`, keeping the story of the attempts. No effect if it left the outbox.

        `undo_dispatch` clears the mark of `dispatch`, where it is certain that nothing happened.
        """
        ...

    async def renew(self, holder: str, keys: Sequence[tuple[RunId, Key]], *, until: str) -> None:
        """Lengthen the holder's leases on these effects."""
        ...

    async def ignored(self, run_id: RunId, key: Key, why: str) -> None:
        """Note on a given-up effect that its outcome came too late."""
        ...

    async def next_due(self) -> str | None:
        """When the earliest retry or lease comes due, or `None`."""
        ...
