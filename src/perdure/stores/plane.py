"""One runtime's durable data, as the rooms above see it: the stores of one plane, together."""

from typing import Protocol

from perdure.stores.artifacts import ArtifactStore
from perdure.stores.audit import PlaneAudit
from perdure.stores.bookmarks import BookmarkStore
from perdure.stores.bundles import BundleStore
from perdure.stores.drawings import DrawingStore
from perdure.stores.inbox import InboxStore
from perdure.stores.outbox import OutboxStore
from perdure.stores.profiles import ProfileStore
from perdure.stores.purges import PurgeStore
from perdure.stores.runs import RunStore
from perdure.stores.waits import WaitStore


class Plane(Protocol):
    """The stores of one runtime. Nothing in it can name another runtime's data."""

    @property
    def runs(self) -> RunStore:
        """Runs with their ledger and cells."""
        ...

    @property
    def outbox(self) -> OutboxStore:
        """Effects committed and not yet performed."""
        ...

    @property
    def inbox(self) -> InboxStore:
        """Commands, events and messages on their way to runs."""
        ...

    @property
    def waits(self) -> WaitStore:
        """What runs wait for, by time and by address."""
        ...

    @property
    def artifacts(self) -> ArtifactStore:
        """Bytes by hash."""
        ...

    @property
    def bundles(self) -> BundleStore:
        """Installed bundles."""
        ...

    @property
    def purges(self) -> PurgeStore:
        """What is taken away for good."""
        ...

    @property
    def drawings(self) -> DrawingStore:
        """Flows as their authors have them."""
        ...

    @property
    def bookmarks(self) -> BookmarkStore:
        """Moments of runs that somebody named."""
        ...

    @property
    def audit(self) -> PlaneAudit:
        """What was done here, on its way to the tenant's chain."""
        ...

    @property
    def profiles(self) -> ProfileStore:
        """The endpoint profiles of the runtime's principal."""
        ...

    @property
    def alone(self) -> bool:
        """Whether no other process can hold this plane, so that every old lease is void at opening."""
        ...

    async def next_due(self) -> str | None:
        """When the plane has something to do next; the empty text is at once, `None` is never.

        It may say too early a time and never too late a one. Held runs have nothing to do.
        """
        ...

    async def ready(self) -> None:
        """Answer if the store can read and write. Raises `StoreFailed`."""
        ...

    async def close(self) -> None:
        """Finish what was handed in, then let go of the files. Twice is as good as once."""
        ...
