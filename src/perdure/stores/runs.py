"""What the program needs of durable run storage; `tests/stores/test_runs.py` says what is promised."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from perdure.identity.audit import Entry
from perdure.ids import RunId
from perdure.kernel.model import Birth, Cells, Decision, Held, Run, Status, Usage
from perdure.kernel.values import Json
from perdure.stores.blocked import Blocked
from perdure.stores.records import Record, Recorded


class Loaded(Struct, frozen=True):
    """A run with its cells, as last committed. The dict is the caller's own to keep and change."""

    run: Run
    cells: dict[str, Json]
    bytes_since: int  # of writes since the last snapshot
    snapshot_bytes: int  # of the last snapshot


class Request(Struct, frozen=True):
    """A birth asked for under a client's own key, so that asking again starts nothing."""

    id: str
    body_hash: str


class Commit(Struct, frozen=True):
    """A decision on its way to the store, with what must be written in the same transaction.

    `taken` is the inbox message that the decision answers: it is marked in the same commit, and
    the whole is refused with `DuplicateCommand` if the message was taken before. `snapshot` is
    the whole map of cells as committed at `decision.read_version`, where the caller finds one
    due. `holder` leases the decision's effects to a process until `leased_until`. `request`,
    `entry`, which goes on to the tenant's audit chain, and `unmarked` are for births only. With
    `unmarked` the birth is refused with `Deprecated` where its flow has a mark by then.
    """

    decision: Decision
    taken: str | None = None
    snapshot: Cells | None = None
    holder: str | None = None
    leased_until: str | None = None
    request: Request | None = None
    entry: Entry | None = None
    unmarked: bool = False


class Receipt(Struct, frozen=True):
    """What a commit wrote: the records as they went down, and the bytes that count to a snapshot."""

    records: tuple[Record, ...]
    bytes_written: int
    snapshot_bytes: int | None  # where a snapshot was written


class Committed(Struct, frozen=True):
    """Told to listeners on the event loop, right after the commit: what happened, and its records."""

    decision: Decision
    records: tuple[Record, ...]
    by: str | None = None  # the holder that committed it


Listener = Callable[[Sequence[Committed]], None]


class Header(Struct, frozen=True):
    """What a list of runs shows of one; kept by the commit, read without the ledger."""

    birth: Birth
    version: int
    status: Status
    node_id: str
    updated_at: str
    seq: int
    waiting: Json  # the wait that summaries show, as records write it, with `wait_key`
    blocked: Blocked | None
    held: Held | None
    error: str | None
    output: Json
    usage: Usage
    warnings: tuple[str, ...] = ()
    schedule: Json = None  # the terms of a schedule, where somebody looked for them


class RunQuery(Struct, frozen=True):
    """Which runs to list. Times are RFC 3339 text; `after` is the cursor of the page before."""

    limit: int = 50
    after: str | None = None
    status: Status | None = None
    workflow_id: str | None = None
    session_id: str | None = None
    parent_id: RunId | None = None
    root_id: RunId | None = None
    root_only: bool = False
    program_kind: str | None = None
    text: str | None = None
    created_after: str | None = None
    created_before: str | None = None
    hidden: bool = False  # also runs whose workflow id begins with `__`
    drafts: bool = False  # also runs whose lifecycle has the purpose `draft_test`
    only_drafts: bool = False  # and no others


class RunPage(Struct, frozen=True):
    """Headers, newest first, and the cursor of the next page where there is one."""

    items: tuple[Header, ...]
    next: str | None


class Whole(Struct, frozen=True):
    """A record as it is stored, and as it reads with every value in place; `light` where some are elsewhere."""

    record: Record
    read: Recorded
    light: bool


class Adopted(Struct, frozen=True):
    """A run that was lived elsewhere, as it is taken in: what it was born with, and its records.

    `run` stands where the ledger ends, and has ended: nothing goes on with it here. What cells and
    records name is here already.
    """

    run: Run
    cells: Cells
    records: Sequence[Record]
    entry: Entry | None = None


class Verdict(Struct, frozen=True):
    """Whether a ledger is what was written. `bad_seq` is the first record that is not."""

    ok: bool
    records: int
    bad_seq: int | None = None
    why: str | None = None


class RunStore(Protocol):
    """Runs of one runtime, with their ledger, cells, outbox, waits and inbox.

    Every method is one transaction. An implementation is right when it passes
    `tests/stores/test_runs.py`; there is no other definition.
    """

    async def commit(self, commit: Commit) -> Receipt:
        """Write everything that the decision says, all or none; return after it is on disk.

        A run at version 1 is new. Raises `VersionConflict` if the run was committed since
        `decision.read_version`, `DuplicateCommand` if `taken` or `request` came before, with
        the first answer in its facts. A failure of one commit never spoils its neighbours.
        """
        ...

    async def born_of(self, request: Request) -> RunId | None:
        """The run that was born under this request before, or `None`.

        Raises `DuplicateCommand`, as `commit` does, where the key came before with another body.
        """
        ...

    async def load(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Loaded]:
        """Runs with their cells and open keys, those that exist. Reads a snapshot and its tail."""
        ...

    async def header(self, run_id: RunId) -> Header:
        """What a summary shows. Raises `RunNotFound`, also for another runtime's run."""
        ...

    async def list(self, query: RunQuery) -> RunPage:
        """A page of headers, newest first."""
        ...

    async def living(self, root_id: RunId, most: int) -> int:
        """How many runs of a tree have not ended, its root among them; counted up to `most`."""
        ...

    async def ledger(self, run_id: RunId, *, after: int, limit: int) -> Sequence[Record]:
        """Records with `seq > after`, in order and without gaps; none for an unknown run."""
        ...

    async def recorded(self, run_id: RunId, *, after: int, limit: int) -> Sequence[Whole]:
        """The same, with every value that is kept elsewhere put back in its place."""
        ...

    async def adopt(self, adopted: Adopted) -> bool:
        """Keep a run that was lived elsewhere, all or nothing; `False` where the same one is here already.

        Raises `RunExists` where another run has its id. Nothing of it is claimed or told to listeners.
        """
        ...

    async def state(self, run_id: RunId, seq: int) -> Mapping[str, Json]:
        """The cells after record `seq`; after 0: the inputs. Raises `RunNotFound`, `Invalid` beyond the head."""
        ...

    async def verify(self, run_id: RunId) -> Verdict:
        """Hash every record again, and compare the last with the run's head. Raises `RunNotFound`."""
        ...

    async def claim(self, holder: str, *, now: str, until: str, limit: int) -> Sequence[RunId]:
        """Lease up to `limit` runs that were born and not begun, oldest first. None is leased twice at once."""
        ...
