"""Where a schedule stands: the cells that it keeps between two events, read once and written when they changed."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from perdure.kernel.model import GONE
from perdure.kernel.program import View
from perdure.kernel.values import Json
from perdure.services.schedules import SPEC

CHILD_STEPS: Final = (
    "rt/_child_steps"  # how long the ledger of an occurrence may get; the schedule's own may grow
)
STANDING: Final = "ctl/schedule"
RUNNING: Final = "ctl/running"
BUFFER: Final = "ctl/buffer"
BACKFILL: Final = "ctl/backfill"
GAP: Final = "ctl/gap"
TERMS: Final = "ctl/terms"  # new terms, while what has passed under the old ones is accounted for
CLOSED: Final = "ctl/closed"  # why nothing is started, where the flow takes no new runs


class Counts(NamedTuple):
    """What a schedule has come to so far. Times are text, as cells hold them."""

    anchor: str  # from where even steps are counted
    after: str | None = None  # up to here all planned times are accounted for
    last: str | None = None  # the last of them
    timer: str | None = None  # when the open timer comes due
    planned: int = 0  # times that are accounted for
    started: int = 0
    skipped: int = 0
    failed: int = 0
    failures: int = 0  # in a row
    extra: int = 0  # runs beside the plan: triggered, or of a backfill


class Standing:
    """The cells of a schedule in hand. Lists and maps are copies; what changed is written back at the end."""

    def __init__(self, cells: View, born: str) -> None:
        """Read the cells; a schedule that was just `born` has none."""
        self.spec: Mapping[str, Json] = cells[SPEC]
        kept = cells.get(STANDING)
        self.counts = Counts(self.spec["start_at"] or born) if kept is None else Counts(**kept)
        self.running: dict[str, Json] = dict(cells.get(RUNNING, {}))
        self.buffer: list[Json] = list(cells.get(BUFFER, ()))
        self.backfill: list[str] = list(cells.get(BACKFILL, ()))
        self.gap: Json = cells.get(GAP)
        self.closed: str | None = cells.get(CLOSED)
        self.terms: Json = cells.get(TERMS)
        self._before = self._cells()

    def _cells(self) -> dict[str, Json]:
        lists = {
            RUNNING: dict(self.running),
            BUFFER: list(self.buffer),
            BACKFILL: list(self.backfill),
        }
        return {
            SPEC: self.spec,
            STANDING: self.counts,
            **lists,
            GAP: self.gap,
            CLOSED: self.closed,
            TERMS: self.terms,
        }

    def count(self, **changes: Json) -> None:
        """Change counts."""
        self.counts = self.counts._replace(**changes)

    def writes(self) -> dict[str, Json]:
        """The cells that are not as they were read; an empty one is no cell."""
        now = self._cells()
        changed = {name: value for name, value in now.items() if value != self._before[name]}
        written = {name: value if value else GONE for name, value in changed.items()}
        if STANDING in written:
            written[STANDING] = self.counts._asdict()
        return written

    def busy(self) -> list[str]:
        """The tags of runs that a planned time may overlap with; a backfill goes its own way."""
        return [tag for tag, it in self.running.items() if it["cause"] != "backfill"]

    def idle(self) -> bool:
        """Whether nothing runs and nothing waits to."""
        return not (self.running or self.buffer or self.backfill)
