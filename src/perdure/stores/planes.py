"""What the control store knows of planes: which there are, and when each has something to do."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from perdure.ids import RuntimeId, TenantId


class PlaneEntry(NamedTuple):
    """A plane as the control store knows it. `due_at`: it has nothing to do before; `None`: nothing at all.

    `noted_at` is when a process last said so; a process relies on what it said for `RELY_S`.
    """

    tenant: TenantId
    runtime: RuntimeId
    schema_name: str
    schema_version: str
    due_at: str | None
    noted_at: str


RELY_S = 30.0  # how long a process may take it that what it noted still stands
QUIET_S = 90.0  # how long nobody may have noted anything before a time is raised; clocks differ


class ControlStore(Protocol):
    """Planes and their due times, outside every plane. A time may be early, never late."""

    async def enter(self, tenant: TenantId, runtime: RuntimeId, *, at: str) -> PlaneEntry:
        """The entry of a plane, made where there is none. Twice is as good as once."""
        ...

    async def entry(self, tenant: TenantId, runtime: RuntimeId) -> PlaneEntry | None:
        """The entry of a plane, or `None` where there is none."""
        ...

    async def due_planes(self, *, now: str, limit: int) -> Sequence[PlaneEntry]:
        """Planes that are due at `now`, earliest first."""
        ...

    async def next_due(self, *, after: str) -> str | None:
        """The earliest time after `after` at which any plane is due, or `None`."""
        ...

    async def planes(self, *, after: PlaneEntry | None, limit: int) -> Sequence[PlaneEntry]:
        """Every plane, in pages, for the slow sweep that relies on no time."""
        ...

    def note_due(self, tenant: TenantId, runtime: RuntimeId, due: str, *, at: str) -> str:
        """Lower a plane's due time to `due`, unless it is earlier already; the time that stands then.

        Called on a writer's thread, before the commit that makes the plane due; on disk when it returns.
        """
        ...

    async def settle_due(
        self, read: PlaneEntry, due: str | None, *, now: str, quiet_s: float = QUIET_S
    ) -> bool:
        """Raise a plane's due time from what was `read` to `due`; whether that was done.

        It is not where the time has changed since, or anybody noted anything within `quiet_s`,
        which is 0 for one who closed the plane and whom nobody else can have open.
        """
        ...

    async def leave(self, tenant: TenantId, runtime: RuntimeId) -> None:
        """Know a plane no more: its data are gone. Twice is as good as once."""
        ...

    async def migrated(self, tenant: TenantId, runtime: RuntimeId, schema_version: str) -> None:
        """Write down which schema a plane has."""
        ...
