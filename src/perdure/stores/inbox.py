"""What reaches runs from outside a commit of their own: commands, events, and words of other runs."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from perdure.identity.audit import Entry
from perdure.ids import Key, RunId
from perdure.kernel.values import Json


class Message(NamedTuple):
    """Something for one run. `kind`: resume, cancel, pause, unpause, child, event, told."""

    id: str
    run_id: RunId
    kind: str
    key: Key | None = None
    body: Json = None
    opened_seq: int | None = None
    by: str = ""


class Accepted(NamedTuple):
    """A command taken in. `seq` counts the plane's commands; a repeat gets the first one's."""

    seq: int
    duplicate: bool


class Delivery(NamedTuple):
    """What became of a message: `pending`, `applied`, `ignored: …`, or `dead: …`."""

    id: str
    run_id: RunId
    kind: str
    seq: int
    created_at: str
    disposition: str
    settled_at: str | None


class Emission(NamedTuple):
    """An event, taken once by `id`. `addresses` are tried exactly; `body` is the envelope."""

    id: str
    addresses: tuple[str, ...]
    body: Json
    keep_until: str  # RFC 3339: an event that no run waits for is kept until then


class Delivered(NamedTuple):
    """The runs that an event reached; none if it is kept."""

    run_ids: tuple[RunId, ...]


class InboxStore(Protocol):
    """Messages on their way to runs, each taken once. `RunStore.commit` marks what it took."""

    async def put(
        self,
        message: Message,
        *,
        body_hash: str,
        at: str,
        disposition: str = "pending",
        entry: Entry | None = None,
    ) -> Accepted:
        """Take a command in; return after it is on disk. The same id and body again is a duplicate.

        With another `disposition` it is only written down, as settled: it was carried out already
        and is brought to no run. `entry` is kept for the audit chain in the same transaction, but
        not of a duplicate. Raises `DuplicateCommand` for the same id with another body.
        """
        ...

    async def claim(
        self, holder: str, *, now: str, until: str, limit: int, run_id: RunId | None = None
    ) -> Sequence[Message]:
        """Lease up to `limit` messages that nobody has taken, in the order in which they came.

        A hold or a release is left alone while one that came before it, for the same run, is not
        settled: each of them undoes the other.
        """
        ...

    async def settle(self, message_id: str, disposition: str, *, at: str) -> None:
        """Mark a message that changed no run: `ignored: …` or `dead: …`."""
        ...

    async def delivery(self, message_id: str) -> Delivery:
        """What became of a command. Raises `CommandNotFound`."""
        ...

    async def emit(self, emission: Emission, *, at: str, entry: Entry | None = None) -> Delivered:
        """Give an event to every open wait at its addresses, or keep it where there is none.

        One transaction with the look for waits: an event and a wait never miss each other. The
        same id again changes nothing and answers as before; `entry` is of the first time.
        """
        ...

    async def sweep(self, *, now: str) -> int:
        """Forget kept events whose time is over; how many there were."""
        ...
