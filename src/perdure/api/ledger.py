"""`/runs/…/ledger`: read and follow the records of runs; every byte as it is stored."""

from typing import Annotated

from fastapi import Header, Query
from starlette.responses import Response

from perdure.api import sse
from perdure.api.deps import CurrentRuntime, StreamTerms, require
from perdure.api.routing import PREFIX, answers, json_bytes, refusals, resource
from perdure.api.schemas import ledger as shown
from perdure.api.schemas.fields import RunIdPath
from perdure.kernel.limits import INTEGER_MAX
from perdure.services import runs

router = resource("ledger", f"{PREFIX}/runs")

LastEventId = Annotated[int | None, Header(ge=0, le=INTEGER_MAX)]


@router.post(
    "/ledger/batch",
    dependencies=[require("run:read")],
    responses=answers(shown.LedgerPages, body=True),
)
async def read_ledgers(body: shown.LedgerCursors, runtime: CurrentRuntime) -> Response:
    """Give a page of each of several ledgers. Unknown runs are left out."""
    pages = await runs.ledger_batch(runtime, body.cursors(), limit=body.limit)
    return json_bytes(shown.pages_bytes(pages, body.cursors()))


@router.get(
    "/{run_id}/ledger", dependencies=[require("run:read")], responses=answers(shown.LedgerPage, 404)
)
async def read_ledger(
    run_id: RunIdPath, asked: Annotated[shown.AskPage, Query()], runtime: CurrentRuntime
) -> Response:
    """Give the records after `after`; `detail=full` adds what each wrote and where it passed."""
    records = await runs.ledger(runtime, run_id, after=asked.after, limit=asked.limit)
    return json_bytes(shown.page_bytes(records, asked.after, full=asked.detail == "full"))


@router.get(
    "/{run_id}/ledger/stream",
    dependencies=[require("run:read")],
    responses=refusals(404),
    response_class=sse.EventStream,
)
async def follow_ledger(
    run_id: RunIdPath,
    asked: Annotated[shown.AskStream, Query()],
    runtime: CurrentRuntime,
    terms: StreamTerms,
    last_event_id: LastEventId = None,
) -> Response:
    """Replay the records after `Last-Event-ID`, else `after`; then send each as it is committed."""
    after = asked.after if last_event_id is None else last_event_id
    steps = await runs.follow(runtime, run_id, after=after, deltas=asked.deltas)
    return sse.stream(steps, terms, heartbeat_s=asked.heartbeat_s)
