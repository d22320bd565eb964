"""What runs wait for, by time."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from perdure.ids import Key, RunId


class DueWait(NamedTuple):
    """A wait whose time has come."""

    run_id: RunId
    key: Key
    opened_seq: int
    due: str


class WaitStore(Protocol):
    """Open waits. They open and close in commits of `RunStore`."""

    async def due(self, *, now: str, limit: int, after: DueWait | None = None) -> Sequence[DueWait]:
        """Open waits of runs that are not held whose time is `now` or before, earliest first."""
        ...

    async def next_due(self, *, after: str | None = None) -> str | None:
        """When the earliest open wait of a run that is not held comes due, of those later than `after`, or `None`."""
        ...
