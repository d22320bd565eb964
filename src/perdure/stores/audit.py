"""The audit chains of the tenants, and in each plane the rows that are on their way to one."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple, Protocol

import orjson

from perdure.identity.audit import GENESIS, Checkpoint, Entry, Head, line_of
from perdure.ids import RuntimeId, TenantId
from perdure.kernel.values import Json

SETTLES: Final = "settles"  # in a body: the number of the intent that it is the outcome of


class Record(NamedTuple):
    """An entry of a chain, as it was hashed; `settled` is the outcome of an intent, if one is known."""

    seq: int
    body: bytes
    previous: bytes
    hash: bytes
    settled: str | None = None

    def line(self) -> bytes:
        """The entry as an export has it."""
        return line_of(self.seq, self.previous, self.body, self.hash)


class Carried(NamedTuple):
    """An entry that a plane kept first. `origin` is its own among all that the tenant's planes ever kept."""

    origin: str
    body: bytes


class Pending(NamedTuple):
    """An entry that is still in its plane, under a number that no other had there."""

    n: int
    body: bytes


class AuditQuery(NamedTuple):
    """Which entries to list, newest first. Times are RFC 3339 text; `before` is the cursor of the page before."""

    tenant: TenantId
    limit: int = 100
    before: int | None = None
    actor: str | None = None
    subject: str | None = None
    action: str | None = None
    resource_class: str | None = None
    outcome: str | None = None
    request_id: str | None = None
    since: str | None = None
    until: str | None = None


class AuditPage(NamedTuple):
    """Entries, newest first, and the cursor of the next page where there is one."""

    items: tuple[Record, ...]
    next: int | None


class AuditStore(Protocol):
    """One chain per tenant, only ever added to. What has waited together is written in one transaction."""

    async def append(self, entry: Entry, *, settles: int | None = None) -> int:
        """Add an entry; its number, once it is on disk. `settles` is the intent that it is the outcome of."""
        ...

    async def carry(self, tenant: TenantId, carried: Sequence[Carried]) -> int:
        """Add what planes kept, in this order; how many were new. What came before adds nothing."""
        ...

    async def page(self, query: AuditQuery) -> AuditPage:
        """Entries, newest first."""
        ...

    async def records(self, tenant: TenantId, *, after: int, limit: int) -> Sequence[Record]:
        """Entries with a number above `after`, in their order."""
        ...

    async def heads(self) -> Sequence[Head]:
        """Where each chain stands."""
        ...

    async def head(self, tenant: TenantId) -> Head:
        """Where one chain stands; at 0 where nothing was ever written."""
        ...

    async def mark(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint. Twice is as good as once."""
        ...

    async def checkpoints(
        self, tenant: TenantId, *, after: int, limit: int
    ) -> Sequence[Checkpoint]:
        """Checkpoints of entries above `after`, in their order."""
        ...

    async def marked(self) -> dict[TenantId, int]:
        """The number of the last entry that a checkpoint speaks of, by tenant."""
        ...


class PlaneAudit(Protocol):
    """Entries that a plane keeps until they are in the tenant's chain.

    They are put there in the transaction of what they tell, by the stores that change something.
    """

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, on the event loop, whenever this process has kept something here."""
        ...

    async def add(self, entry: Entry) -> None:
        """Keep an entry that tells of no change in the plane's own stores; return after it is on disk."""
        ...

    async def pending(self, *, limit: int) -> Sequence[Pending]:
        """What is still here, oldest first."""
        ...

    async def carried(self, numbers: Sequence[int]) -> None:
        """Forget what is in the chain now."""
        ...


def body_of(entry: Entry, settles: int | None = None) -> bytes:
    """The bytes of an entry, as they are hashed and kept. Values that JSON does not know become text."""
    fields = entry.fields()
    if settles is not None:
        fields[SETTLES] = settles
    return orjson.dumps(fields, default=str)


def fields_of(body: bytes) -> dict[str, Json]:
    """What the bytes of an entry say."""
    fields: dict[str, Any] = orjson.loads(body)
    return fields


def origin_of(runtime: RuntimeId, pending: Pending) -> str:
    """The name of a carried entry: its plane and number, and its bytes, since a purged plane counts anew."""
    from_bytes = sha256(pending.body).hexdigest()[:16]
    return f"{runtime}:{pending.n}:{from_bytes}"


def start_of(tenant: TenantId) -> Head:
    """Where a chain stands that has no entry."""
    return Head(tenant, 0, GENESIS)
