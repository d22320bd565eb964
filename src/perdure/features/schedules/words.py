"""What commands are to a schedule: new terms, a run now, or runs for times that have passed."""

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from perdure.clock import text_of, time_of
from perdure.errors import Conflict, Deprecated, Unfit
from perdure.features.schedules.calendar import Dst
from perdure.features.schedules.program import BACKFILL_MAX
from perdure.features.schedules.spec import Overlap, check, plan_of, time_in
from perdure.features.schedules.standing import BACKFILL, CLOSED, STANDING
from perdure.kernel.model import Cells, Run
from perdure.kernel.values import Json
from perdure.registry.programs import Telling
from perdure.services.schedules import SCHEDULE, SPEC

CLEARED: Final = frozenset(
    {"jitter", "repeat_until", "pause_after_failures", "run_timeout"}
)  # by null
WALL: Final = frozenset({"cron", "timezone", "dst"})  # what times of the wall are read by
Short = Annotated[str, StringConstraints(max_length=256)]
M = TypeVar("M", bound=BaseModel)


class NewTerms(BaseModel):
    """What is to change; what is not named stays."""

    model_config = ConfigDict(extra="forbid")

    interval: Short | None = None
    cron: Short | None = None
    timezone: Short | None = None
    dst: Dst | None = None
    overlap: Overlap | None = None
    catchup_window: Short | None = None
    jitter: Short | None = None
    repeat_until: Short | None = None
    pause_after_failures: int | None = None
    run_timeout: Short | None = None
    apply_immediately: bool = True


class Window(BaseModel):
    """From when to when runs are made up for."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    start: Short = Field(alias="from")
    end: Short = Field(alias="to")


def update(run: Run, cells: Cells, payload: Mapping[str, Json], at: datetime) -> Json:
    """New terms for a schedule that recurs."""
    spec: dict[str, Any] = cells[SPEC]
    if spec["interval"] is None and spec["cron"] is None:
        raise Conflict(
            "The schedule runs once: it has no interval to change.", reason="not_recurrent"
        )
    asked = _read(NewTerms, payload)
    named = asked.model_dump(mode="json", exclude_unset=True, exclude={"apply_immediately"})
    changes = {name: it for name, it in named.items() if it is not None or name in CLEARED}
    if not changes:
        raise Unfit("payload names what is to change, such as `interval`.", field="payload")
    if changes.get("interval") is not None:
        changes.setdefault("cron", None)
    elif changes.get("cron") is not None:
        changes["interval"] = None
    new = {**spec, **changes}
    if new["cron"] is not None and not asked.apply_immediately and WALL & changes.keys():
        raise Unfit("New cron text and a new clock apply at once.", field="apply_immediately")
    if changes.get("repeat_until") is not None:
        changes["repeat_until"] = text_of(
            time_in(changes["repeat_until"], "repeat_until", new["timezone"])
        )
        new = {**spec, **changes}
    check(new, time_of(anchor_of(run, cells)))
    return {"do": "update", "at_once": asked.apply_immediately, "changes": changes}


def trigger(run: Run, cells: Cells, payload: Mapping[str, Json], at: datetime) -> Json:
    """A run now, beside what runs."""
    _check_going(run, cells)
    return {"do": "trigger"}


def backfill(run: Run, cells: Cells, payload: Mapping[str, Json], at: datetime) -> Json:
    """Runs for the planned times of a window that has passed."""
    _check_going(run, cells)
    asked = _read(Window, payload)
    times = planned_between(run, cells, (asked.start, asked.end), BACKFILL_MAX + 1)
    if times and times[-1] > at:
        raise Unfit("payload.to is a time that has passed.", field="to")
    if not times:
        raise Unfit("Nothing is planned between these times.", field="from")
    if len(times) + len(cells.get(BACKFILL, ())) > BACKFILL_MAX:
        raise Unfit(f"At most {BACKFILL_MAX} runs are made up for at a time.", field="from")
    return {"do": "backfill", "planned": [text_of(it) for it in times]}


def planned_between(run: Run, cells: Cells, window: tuple[str, str], most: int) -> list[datetime]:
    """The first planned times of a window, its ends included, also before the schedule began. Raises `Unfit`."""
    spec = cells[SPEC]
    start, end = (
        time_in(text, name, spec["timezone"])
        for text, name in zip(window, ("from", "to"), strict=True)
    )
    if end < start:
        raise Unfit("`to` is no earlier than `from`.", field="to")
    plan = plan_of(spec, time_of(anchor_of(run, cells)))
    if plan.step is not None and start < plan.first:
        plan = plan._replace(first=plan.first - ((plan.first - start) // plan.step) * plan.step)
    elif plan.cron is not None:
        plan = plan._replace(first=min(start, plan.first))
    return list(islice(plan.between(start, end), most))


def anchor_of(run: Run, cells: Cells) -> str:
    """From where even steps are counted."""
    standing = cells.get(STANDING)
    anchor: str = (
        standing["anchor"] if standing else cells[SPEC]["start_at"] or run.birth.created_at
    )
    return anchor


def _check_going(run: Run, cells: Cells) -> None:
    if run.held is not None:
        raise Conflict("The schedule is paused.", reason="paused")
    if CLOSED in cells:
        raise Deprecated(f"The schedule starts nothing: {cells[CLOSED]}.")


def _read(model: type[M], payload: Mapping[str, Json]) -> M:
    """The payload as a model. Raises `Unfit`, which names the first field that does not fit."""
    try:
        return model.model_validate(dict(payload))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in ("payload", *first["loc"]))
        raise Unfit(f"{field}: {first['msg']}.", field=field) from None


COMMANDS: Final[Mapping[str, Telling]] = {
    "update_schedule": Telling(SCHEDULE, update),
    "trigger_schedule": Telling(SCHEDULE, trigger),
    "backfill_schedule": Telling(SCHEDULE, backfill),
}
