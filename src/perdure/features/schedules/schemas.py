"""Schedules on the wire."""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, Field

from perdure.api.schemas.fields import TEXT_LETTERS_MAX, Body, Id, JsonObject
from perdure.api.schemas.runs import Blankable, Level
from perdure.clock import text_of
from perdure.errors import Invalid
from perdure.features.schedules.calendar import Dst
from perdure.features.schedules.schedule import Occurrence, Occurrences, Page, Planned, Shown
from perdure.features.schedules.spec import Asked, Overlap
from perdure.features.schedules.standing import BACKFILL, BUFFER, CLOSED, RUNNING
from perdure.kernel.limits import INTEGER_MAX
from perdure.kernel.model import Status
from perdure.kernel.values import Json
from perdure.services.births import StartRequest
from perdure.stores.runs import RunQuery

PAGE_MAX: Final = 200
PREVIEW_MAX: Final = 1_000


class ScheduleRun(Body):
    """What to run, with what, and when."""

    bundle_id: Blankable = Field(None, description="`id` or `id@version`")
    bundle_version: Blankable = None
    flow_id: Blankable = Field(None, description="`flow`, `bundle:flow` or `bundle@version:flow`")
    input_data: JsonObject = Field(default_factory=dict)
    session_id: Blankable = None
    registry_scope: Blankable = Field(None, description="`private` or `tenant_catalog`")
    thinking: bool | Level | None = None
    start_at: Blankable = Field(None, description="A time, or `now`")
    interval: Blankable = Field(None, description="`15m`, `1.5h`, `PT15M`; at least 100ms")
    cron: Blankable = Field(None, description="Five fields, or a name such as `@daily`")
    timezone: Blankable = Field(None, description="IANA name; UTC where none is given")
    dst: Dst = Field(
        Dst.FIRST, strict=False, description="Local times that the clocks leave out or show twice"
    )
    repeat_count: int | None = Field(None, ge=-INTEGER_MAX, le=INTEGER_MAX)
    repeat_until: Blankable = None
    share_context: bool = Field(True, description="Whether runs are of the schedule's own session")
    overlap: Overlap = Field(Overlap.SKIP, strict=False)
    catchup_window: Blankable = Field(
        None, description="How late a missed time is still made up for; `1d`"
    )
    jitter: Blankable = Field(
        None, description="The most by which this schedule is late on purpose"
    )
    pause_after_failures: int | None = Field(None, ge=1, le=INTEGER_MAX)
    run_timeout: Blankable = Field(None, description="How long each run may take, such as `15m`")

    def request(self, key: str | None) -> StartRequest:
        """What is to be run, under the client's key."""
        return StartRequest(
            input_data=self.input_data, bundle_id=self.bundle_id, bundle_version=self.bundle_version,
            flow_id=self.flow_id, session_id=self.session_id, registry_scope=self.registry_scope,
            thinking=self.thinking, key=key,
        )  # fmt: skip

    def asked(self) -> Asked:
        """When it is to be run."""
        return Asked(
            start_at=self.start_at, interval=self.interval, cron=self.cron, timezone=self.timezone or "UTC",
            dst=self.dst, repeat_count=self.repeat_count, repeat_until=self.repeat_until,
            share_context=self.share_context, overlap=self.overlap, catchup_window=self.catchup_window,
            jitter=self.jitter, pause_after_failures=self.pause_after_failures, run_timeout=self.run_timeout,
        )  # fmt: skip


class ListSchedules(BaseModel):
    """Which schedules to list."""

    limit: int = Field(50, ge=1, le=PAGE_MAX)
    cursor: str | None = Field(None, max_length=TEXT_LETTERS_MAX)
    status: Status | None = None

    def query(self) -> RunQuery:
        """The query that this is."""
        return RunQuery(
            limit=self.limit, after=self.cursor or None, status=self.status, drafts=True
        )


class AskOccurrences(BaseModel):
    """Which occurrences to list."""

    limit: int = Field(50, ge=1, le=PAGE_MAX)
    cursor: int | None = Field(
        None, ge=1, le=INTEGER_MAX, description="`next_cursor` of the page before"
    )


class AskPreview(BaseModel):
    """Which planned times to show: the next ones, or those of a window."""

    limit: int = Field(10, ge=1, le=PREVIEW_MAX)
    start: Id | None = Field(None, alias="from", description="Begin of a window; with `to`")
    end: Id | None = Field(None, alias="to")

    def window(self) -> tuple[str, str] | None:
        """The window that is asked about. Raises `Invalid` where it has one end."""
        if self.start is None and self.end is None:
            return None
        if not (self.start and self.end):
            raise Invalid(
                "A window has both ends: from and to.", field="to" if self.start else "from"
            )
        return self.start, self.end


class ScheduleRow(BaseModel):
    """A schedule: its terms, what comes next, and what it has come to."""

    run_id: str
    workflow_id: str
    session_id: str
    status: Literal["running", "waiting", "completed", "failed", "cancelled"]
    paused: bool
    pause_reason: str | None
    paused_at: str | None
    created_at: str
    updated_at: str
    error: str | None
    schedule: JsonObject
    next_run_at: str | None
    closed: str | None
    last_planned_at: str | None
    planned: int
    started: int
    skipped: int
    failed: int
    failures_in_a_row: int
    running: list[str]
    buffered: list[str]
    backfill_left: int


class ScheduleList(BaseModel):
    """A page of schedules, newest first."""

    items: list[ScheduleRow]
    next_cursor: str | None


class OccurrenceRow(BaseModel):
    """What became of a planned time; with `planned_until` and `count` of all from one to the other."""

    seq: int
    at: str
    planned_at: str
    planned_until: str | None
    count: int
    outcome: Literal["ran", "caught_up", "skipped"]
    cause: Literal["planned", "trigger", "backfill"]
    why: str | None
    run_id: str | None
    status: str | None


class OccurrenceList(BaseModel):
    """A page of occurrences, newest first."""

    items: list[OccurrenceRow]
    next_cursor: int | None


class PlannedRow(BaseModel):
    """A time that is planned, in UTC; it is run a little later where there is jitter."""

    planned_at: str
    runs_at: str


class Preview(BaseModel):
    """Planned times, in order."""

    items: list[PlannedRow]


def row_of(shown: Shown) -> dict[str, Json]:
    """A schedule as the wire shows it."""
    header, cells, counts = shown.header, shown.cells, shown.counts
    birth, held = header.birth, header.held
    return {
        "run_id": birth.id, "workflow_id": birth.workflow_id, "session_id": birth.session_id,
        "status": header.status.value, "paused": held is not None,
        "pause_reason": None if held is None else held.reason or None,
        "paused_at": None if held is None else held.at, "created_at": birth.created_at,
        "updated_at": header.updated_at, "error": header.error, "schedule": header.schedule,
        "next_run_at": _text(shown.next_at), "closed": cells.get(CLOSED), "last_planned_at": counts.last, "planned": counts.planned,
        "started": counts.started, "skipped": counts.skipped, "failed": counts.failed,
        "failures_in_a_row": counts.failures,
        "running": [it["planned_at"] for it in cells.get(RUNNING, {}).values()],
        "buffered": [it["planned_at"] for it in cells.get(BUFFER, ())],
        "backfill_left": len(cells.get(BACKFILL, ())),
    }  # fmt: skip


def page_of(page: Page) -> dict[str, Json]:
    """A page of schedules as the wire shows it."""
    return {"items": [row_of(it) for it in page.items], "next_cursor": page.next}


def occurrences_of(found: Occurrences) -> dict[str, Json]:
    """A page of occurrences as the wire shows it."""
    return {"items": [_occurrence_of(it) for it in found.items], "next_cursor": found.before}


def _occurrence_of(it: Occurrence) -> dict[str, Json]:
    status = None if it.status is None else it.status.value
    alone = {"planned_until": None, "count": 1}
    return {"seq": it.seq, "at": it.at, **alone, **it.told, "status": status}


def preview_of(planned: list[Planned]) -> dict[str, Json]:
    """Planned times as the wire shows them."""
    rows = [
        {"planned_at": text_of(it.planned_at), "runs_at": text_of(it.runs_at)} for it in planned
    ]
    return {"items": rows}


def _text(at: datetime | None) -> str | None:
    return None if at is None else text_of(at)
