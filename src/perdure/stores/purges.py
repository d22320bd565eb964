"""What is taken away for good: runs that were only tried out, with all that was kept of them."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from perdure.identity.audit import Entry
from perdure.ids import RunId


class Purged(NamedTuple):
    """What was taken away: runs, children among them, and artifacts that nothing else names."""

    runs: Sequence[RunId]
    artifacts: int


class PurgeStore(Protocol):
    """Purges of one runtime. Each is one transaction."""

    async def purge(
        self, roots: Sequence[RunId], *, artifacts: bool, entry: Entry | None = None
    ) -> Purged:
        """Forget whole trees whose every run has ended; a tree with a run that has not stays whole.

        So does a fork that a fork stays of: by it that one reads what their origins made. With `artifacts` theirs go as
        well, but for those of a tree that a fork goes on with, which reads them there, be it a fork of a fork. A fork whose
        origin goes before it is there is not born. Bytes that nothing names any more are the sweep's to take.
        """
        ...
