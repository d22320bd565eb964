"""What runs wait for, by time; and when they are to end, waiting or not."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from perdure.ids import Key, RunId


class DueWait(NamedTuple):
    """A wait whose time has come; `answered`: a person's answer was taken in, and has not reached the run."""

    run_id: RunId
    key: Key
    opened_seq: int
    due: str
    answered: bool = False


class Overdue(NamedTuple):
    """A run that has not ended and whose deadline has come."""

    run_id: RunId
    deadline: str


class WaitStore(Protocol):
    """Open waits, and deadlines of runs. They come and go in commits of `RunStore`."""

    async def due(self, *, now: str, limit: int, after: DueWait | None = None) -> Sequence[DueWait]:
        """Open waits of runs that are not held whose time is `now` or before, earliest first.

        One that an event is on its way to does not come due: it was in time, whoever brings it and when.
        """
        ...

    async def next_due(self, *, after: str | None = None) -> str | None:
        """When the earliest open wait of a run that is not held comes due, of those later than `after`, or `None`."""
        ...

    async def overdue(
        self, *, now: str, limit: int, after: Overdue | None = None
    ) -> Sequence[Overdue]:
        """Runs that have not ended and whose deadline is `now` or before, earliest first; held ones as well."""
        ...

    async def next_deadline(self, *, after: str | None = None) -> str | None:
        """The earliest deadline of a run that has not ended, of those later than `after`, or `None`."""
        ...
