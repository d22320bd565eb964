"""`/runs`: start, list and read runs of the caller's runtime."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from perdure.api.deps import CurrentRuntime, EntryInside, NewCommand, require
from perdure.api.routing import PREFIX, answers, json_of, resource
from perdure.api.schemas import drafts as drafted
from perdure.api.schemas import runs as shown
from perdure.api.schemas.fields import RunIdPath, Seq
from perdure.api.schemas.history import AskHistory, HistoryBundle, history_of
from perdure.clock import text_of
from perdure.services import drafts, runs
from perdure.services.history import history

router = resource("runs", f"{PREFIX}/runs")


@router.post(
    "/start",
    dependencies=[require("run:start")],
    responses=answers(shown.Started, 404, 409, body=True),
)
async def start_run(
    body: shown.StartRun, runtime: CurrentRuntime, key: NewCommand, entry: EntryInside
) -> Response:
    """Start a run of a flow. Repeating the same `Idempotency-Key` starts nothing new."""
    return json_of({"run_id": await runs.start(runtime, body.request(key), entry)})


@router.post(
    "/purge_drafts",
    dependencies=[require("run:purge")],
    responses=answers(drafted.Purged, body=True),
)
async def purge_drafts(
    runtime: CurrentRuntime, entry: EntryInside, body: drafted.PurgeDrafts | None = None
) -> Response:
    """Take away runs that were only tried out and whose time is over; a dry run only says which."""
    asked = (body or drafted.PurgeDrafts()).asked()
    return json_of(drafted.purged_of(asked, await drafts.purge(runtime, asked, entry)))


@router.get("", dependencies=[require("run:read")], responses=answers(shown.RunList))
async def list_runs(query: Annotated[shown.ListRuns, Query()], runtime: CurrentRuntime) -> Response:
    """List runs, newest first. `cursor` is `next_cursor` of the page before."""
    return json_of(shown.page_of(await runs.listed(runtime, query.query())))


@router.get(
    "/{run_id}", dependencies=[require("run:read")], responses=answers(shown.RunSummary, 404)
)
async def read_run(run_id: RunIdPath, runtime: CurrentRuntime) -> Response:
    """Say where a run stands, what it waits for and why it does not move."""
    return json_of(shown.summary_of(await runs.summary(runtime, run_id)))


@router.get(
    "/{run_id}/input_data",
    dependencies=[require("run:read")],
    responses=answers(shown.InputData, 404),
)
async def read_input_data(run_id: RunIdPath, runtime: CurrentRuntime) -> Response:
    """Say what a run was started with."""
    return json_of(shown.inputs_of(await runs.input_data(runtime, run_id)))


@router.get(
    "/{run_id}/history_bundle",
    dependencies=[require("run:read")],
    responses=answers(HistoryBundle, 404),
)
async def read_history_bundle(
    run_id: RunIdPath, asked: Annotated[AskHistory, Query()], runtime: CurrentRuntime
) -> Response:
    """Give a run's tree, its ledgers, its timeline and its session's turns at once."""
    found = await history(runtime, run_id, asked.asked())
    return json_of(history_of(found, text_of(runtime.clock.now())))


@router.get(
    "/{run_id}/state", dependencies=[require("run:read")], responses=answers(shown.RunState, 404)
)
async def read_state(
    run_id: RunIdPath, runtime: CurrentRuntime, seq: Seq | None = None
) -> Response:
    """Give the cells of a run after record `seq`, or as they are now."""
    return json_of(shown.state_of(run_id, *await runs.state(runtime, run_id, seq)))


@router.get(
    "/{run_id}/verify", dependencies=[require("run:read")], responses=answers(shown.Verified, 404)
)
async def verify_run(run_id: RunIdPath, runtime: CurrentRuntime) -> Response:
    """Hash every record of a run again, and say whether the ledger is what was written."""
    return json_of(shown.verdict_of(run_id, await runs.verify(runtime, run_id)))
