"""What a schedule is told to do: read from what a client asks, and kept in one cell as the wire shows it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

from perdure.clock import text_of, time_of
from perdure.errors import Invalid, Unfit
from perdure.features.schedules.calendar import (
    LATEST,
    Dst,
    Plan,
    WallClock,
    cron_of,
    instants,
    zone_of,
)
from perdure.features.schedules.durations import duration_of
from perdure.kernel.values import Json
from perdure.services.births import DEADLINE_S_MAX

KIND: Final = "scheduled_run"
REPEATS_MAX: Final = 10_000  # of what is to be repeated so often, or until then, at even steps
INTERVAL_MIN: Final = timedelta(milliseconds=100)
CATCH_UP: Final = "1d"
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
FAILURES_MAX: Final = 1_000_000


class Overlap(StrEnum):
    """What a planned time comes to while an earlier one still runs."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    BUFFER_ALL = "buffer_all"
    CANCEL_OTHER = "cancel_other"
    TERMINATE_OTHER = "terminate_other"
    ALLOW_ALL = "allow_all"


class Asked(NamedTuple):
    """When to run, in the words of the client."""

    start_at: str | None = None
    interval: str | None = None
    cron: str | None = None
    timezone: str = "UTC"
    dst: Dst = Dst.FIRST
    repeat_count: int | None = None
    repeat_until: str | None = None
    share_context: bool = True
    overlap: Overlap = Overlap.SKIP
    catchup_window: str | None = None
    jitter: str | None = None
    pause_after_failures: int | None = None
    run_timeout: str | None = None  # of each run, from its start on


class Target(NamedTuple):
    """What to run, in the words of the wire."""

    workflow_id: str
    bundle_ref: str
    flow_id: str


def spec_of(asked: Asked, target: Target, now: datetime) -> dict[str, Json]:
    """The cell of a new schedule. Raises `Invalid` and `Unfit` where it could not be kept to."""
    start = start_of(asked.start_at, asked.timezone, now)
    asked = asked._replace(interval=None if asked.repeat_count == 1 else asked.interval)
    spec: dict[str, Json] = {
        "kind": KIND, "interval": asked.interval, "cron": asked.cron, "timezone": asked.timezone,
        "dst": asked.dst.value, "repeat_count": asked.repeat_count,
        "repeat_until": _until(asked.repeat_until, asked.timezone),
        "start_at": None if start is None else text_of(start), "share_context": asked.share_context,
        "overlap": asked.overlap.value, "catchup_window": asked.catchup_window or CATCH_UP,
        "jitter": asked.jitter, "pause_after_failures": asked.pause_after_failures,
        "run_timeout": asked.run_timeout,
        "target_workflow_id": target.workflow_id, "target_bundle_ref": target.bundle_ref,
        "target_flow_id": target.flow_id, "created_at": text_of(now), "updated_at": text_of(now),
    }  # fmt: skip
    check(spec, start or now)
    return spec


def check(spec: Mapping[str, Json], first: datetime) -> None:
    """Raise `Invalid` or `Unfit` where a spec says too much, or what cannot be."""
    recurs = spec["interval"] is not None or spec["cron"] is not None
    if spec["interval"] is not None and spec["cron"] is not None:
        raise Invalid("interval and cron cannot be combined.", reason="schedule")
    if spec["repeat_count"] is not None:
        _check_count(spec, recurs=recurs)
    if spec["repeat_until"] is not None and not recurs:
        raise Invalid("repeat_until requires interval.", reason="schedule")
    failures = spec["pause_after_failures"]
    if failures is not None and not 1 <= failures <= FAILURES_MAX:
        raise Unfit("pause_after_failures is 1 or more.", field="pause_after_failures")
    _check_timeout(spec.get("run_timeout"))
    plan = plan_of(spec, first)
    zone_of(spec["timezone"])
    duration_of(spec["catchup_window"], "catchup_window")
    duration_of(spec["jitter"] or "0s", "jitter")
    if plan.after(None) is None:
        raise Unfit("The schedule would never run.", reason="never")
    if plan.step is not None and plan.until is not None:
        count, _ = plan.leap(plan.first, plan.until + timedelta(microseconds=1))
        _check_most(count)


def _check_timeout(text: str | None) -> None:
    longest = timedelta(seconds=DEADLINE_S_MAX)
    if text is not None and not timedelta(0) < duration_of(text, "run_timeout") <= longest:
        detail = f"run_timeout is more than nothing and at most {longest.days}d."
        raise Unfit(detail, field="run_timeout")


def _check_count(spec: Mapping[str, Json], *, recurs: bool) -> None:
    count: int = spec["repeat_count"]
    if count < 1:
        raise Invalid("repeat_count must be >= 1.", reason="schedule")
    if count > 1 and not recurs:
        raise Invalid("repeat_count > 1 requires interval.", reason="schedule")
    if spec["repeat_until"] is not None:
        raise Invalid("repeat_until cannot be combined with repeat_count.", reason="schedule")
    _check_most(count)


def _check_most(count: int) -> None:
    if count > REPEATS_MAX:
        raise Invalid(f"A schedule repeats at most {REPEATS_MAX} times.", reason="schedule")


def plan_of(spec: Mapping[str, Json], first: datetime) -> Plan:
    """The planned times of a spec, the first of them at `first` or, with cron, not before. Raises `Unfit`."""
    step = None
    if spec["interval"] is not None:
        step = duration_of(spec["interval"], "interval")
        if step < INTERVAL_MIN:
            raise Unfit("interval is at least 100ms.", field="interval")
    until = None if spec["repeat_until"] is None else time_of(spec["repeat_until"])
    return Plan(first, step, _cron(spec), until)


def _cron(spec: Mapping[str, Json]) -> WallClock | None:
    if spec["cron"] is None:
        return None
    return cron_of(spec["cron"], spec["timezone"], Dst(spec["dst"]))


def jitter_of(spec: Mapping[str, Json], schedule_id: str) -> timedelta:
    """By how much this schedule is late on purpose: the same for all its times, another for another schedule."""
    if not spec["jitter"]:
        return timedelta(0)
    most = duration_of(spec["jitter"], "jitter") // timedelta(microseconds=1)
    return timedelta(
        microseconds=int.from_bytes(sha256(schedule_id.encode()).digest()) % (most + 1)
    )


def start_of(text: str | None, timezone: str, now: datetime) -> datetime | None:
    """When it is to begin; `None` for at once. A time without an offset is of the schedule's zone."""
    if text is None or text.strip().lower() in ("", "now"):
        return None
    return time_in(text, "start_at", timezone)


def _until(text: str | None, timezone: str) -> str | None:
    return None if text is None else text_of(time_in(text, "repeat_until", timezone))


def time_in(text: str, field: str, timezone: str) -> datetime:
    """Read a time; without an offset it is of the zone. Raises `Unfit`, which names the field."""
    zone = zone_of(timezone)
    try:
        at = datetime.fromisoformat(text.strip())
        found = at.astimezone(UTC) if at.tzinfo is not None else instants(at, zone, Dst.FIRST)[0]
        if EARLIEST <= found < LATEST:
            return found
        raise ValueError("out of all bounds")
    except (ValueError, OverflowError) as error:
        raise Unfit(f"{field} is a time such as `2026-03-01T09:00:00Z`.", field=field) from error
