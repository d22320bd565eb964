"""`/runs/schedule` and `/schedules`: plan runs of a flow, and see what is planned and what became of it."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import Query, Response

from perdure.api.deps import CurrentRuntime, EntryInside, NewCommand, require
from perdure.api.routing import answers, json_of, resource
from perdure.api.schemas.fields import RunIdPath
from perdure.api.schemas.runs import Started
from perdure.features.schedules import schedule
from perdure.features.schedules import schemas as shown
from perdure.identity.access import ADMIN, USER, Recorded, Rule, rule

ACTIONS: Final[Mapping[str, Rule]] = {
    "schedule:start": rule(USER, ADMIN, audited=True, recorded=Recorded.INSIDE),
    "schedule:read": rule(USER, ADMIN),
}

router = resource("schedules")
READ: Final = [require("schedule:read")]


@router.post(
    "/runs/schedule",
    dependencies=[require("schedule:start")],
    responses=answers(Started, 404, 409, body=True),
)
async def schedule_run(
    body: shown.ScheduleRun, runtime: CurrentRuntime, key: NewCommand, entry: EntryInside
) -> Response:
    """Plan runs of a flow. Repeating the same `Idempotency-Key` plans nothing new."""
    run_id = await schedule.start(runtime, body.request(key), body.asked(), entry)
    return json_of({"run_id": run_id})


@router.get("/schedules", dependencies=READ, responses=answers(shown.ScheduleList))
async def list_schedules(
    asked: Annotated[shown.ListSchedules, Query()], runtime: CurrentRuntime
) -> Response:
    """List schedules, newest first: their terms, what comes next, and what they have come to."""
    return json_of(shown.page_of(await schedule.listed(runtime, asked.query())))


@router.get(
    "/schedules/{schedule_id}",
    dependencies=READ,
    responses=answers(shown.ScheduleRow, 404),
)
async def read_schedule(schedule_id: RunIdPath, runtime: CurrentRuntime) -> Response:
    """Show a schedule. Its id is that of its run; commands change it."""
    return json_of(shown.row_of(await schedule.shown(runtime, schedule_id)))


@router.get(
    "/schedules/{schedule_id}/occurrences",
    dependencies=READ,
    responses=answers(shown.OccurrenceList, 404),
)
async def list_occurrences(
    schedule_id: RunIdPath, asked: Annotated[shown.AskOccurrences, Query()], runtime: CurrentRuntime
) -> Response:
    """Say what became of each planned time, newest first: ran, caught up, or skipped and why."""
    found = await schedule.occurrences(runtime, schedule_id, asked.limit, asked.cursor)
    return json_of(shown.occurrences_of(found))


@router.get(
    "/schedules/{schedule_id}/preview",
    dependencies=READ,
    responses=answers(shown.Preview, 404),
)
async def preview_schedule(
    schedule_id: RunIdPath, asked: Annotated[shown.AskPreview, Query()], runtime: CurrentRuntime
) -> Response:
    """Give the next planned times; or, of a window, those that a backfill of it would run."""
    found = await schedule.preview(runtime, schedule_id, asked.limit, asked.window())
    return json_of(shown.preview_of(list(found)))
