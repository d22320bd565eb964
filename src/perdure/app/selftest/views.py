"""What somebody reads who reads all that is theirs: others neither show in it nor shift it."""

from collections.abc import Mapping, Sequence
from typing import Final

import anyio
import anyio.abc
import httpx2

from perdure.app.selftest import kinds
from perdure.app.selftest.answers import Answer, difference, told
from perdure.app.selftest.document import Asked
from perdure.app.selftest.probes import shut
from perdure.app.selftest.report import Report
from perdure.app.selftest.requests import request_of, values_of
from perdure.app.selftest.rows import API
from perdure.app.selftest.things import Things

STREAM: Final = f"GET {API}/runs/{{run_id}}/ledger/stream"
STREAM_S: Final = 60.0

Views = Mapping[str, Answer]


async def views_of(asked: Sequence[Asked], things: Things, report: Report) -> Views:
    """The answers of all that somebody may read, with their own ids where some are needed."""
    found: dict[str, Answer] = {}
    for one in asked:
        row = one.row
        if not row.reads or row.noted or one.route == STREAM:
            continue
        if shut(one, things.person) is not None:
            continue  # and to be refused there would be on their record
        values = await values_of(one, things, whole=False)
        answer = await request_of(one, values, things.person).by(things.person)
        found[one.route] = told(answer)
        report.views += 1
    return found


def check_same(before: Views, after: Views, of: Sequence[Asked], who: str, report: Report) -> None:
    """See that nothing shifted in answers that change only with what their reader has."""
    for route in {one.route for one in of if one.row.lists and one.route in after}:
        apart = difference(after[route], before[route])
        if apart is not None:
            report.found(route, who, f"shifts by what another does: {apart}")


async def overhear(
    things: Things, heard: list[str], report: Report, *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    """Follow somebody's own run, until cancelled."""
    run = await things.get(kinds.RUN)
    gateway = await things.person.connected()
    path = f"/runs/{run}/ledger/stream"
    async with gateway.open(path, {}, STREAM_S, deltas=1, heartbeat_s=1) as answer:
        task_status.started()
        try:
            async for piece in answer.aiter_text():
                heard.append(piece)
        except httpx2.TransportError as cut:
            report.found(STREAM, things.person.name, f"the stream was cut: {cut}")
