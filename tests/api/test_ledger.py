"""Ledgers over HTTP: pages and streams are the stored bytes, and each is told once and in order."""

import re

import pytest

from tests.support.gateway import Gateway

pytestmark = pytest.mark.anyio
FIELDS = [
    "run_id", "step_id", "node_id", "status", "effect", "result", "error", "started_at", "ended_at", "actor_id",
    "session_id", "attempt", "idempotency_key", "prev_hash", "record_hash", "signature",
]  # fmt: skip
FRAME = re.compile(rb'id: (\d+)\nevent: step\ndata: \{"cursor": (\d+), "record": (\{.*\})\}\n\n')


async def ended(gateway: Gateway) -> str:
    """A run that has asked, been answered and ended: four records."""
    run_id = await gateway.start("ask:main", prompt="Größe?")
    await gateway.until(run_id, "waiting")
    await gateway.command(run_id, "resume", payload={"payload": {"response": "5 \n 6"}})
    await gateway.until(run_id, "completed")
    return run_id


async def test_a_record_has_every_field_and_the_run_its_end(gateway: Gateway) -> None:
    run_id = await ended(gateway)
    page = (await gateway.get(f"/runs/{run_id}/ledger")).json()
    assert [list(record) for record in page["items"]] == [FIELDS] * 4
    waiting, resume, completion, status = page["items"]
    assert waiting["result"]["wait"]["prompt"] == "Größe?"
    assert resume["effect"]["type"] == "resume"
    assert completion["result"] == {
        "completed": True,
        "output": {"said": "5 \n 6", "success": True},
    }
    assert status["result"]["payload"] == {"text": "completed"}
    assert [it["prev_hash"] for it in page["items"][1:]] == [
        it["record_hash"] for it in page["items"][:3]
    ]


async def test_pages_go_on_where_the_one_before_ended(gateway: Gateway) -> None:
    run_id = await ended(gateway)
    whole = (await gateway.get(f"/runs/{run_id}/ledger")).json()["items"]
    items: list[object] = []
    after = 0
    for expected in (3, 4, 4):
        page = (await gateway.get(f"/runs/{run_id}/ledger?after={after}&limit=3")).json()
        items, after = items + page["items"], page["next_after"]
        assert after == expected
    assert items == whole
    beyond = (await gateway.get(f"/runs/{run_id}/ledger?after=99")).json()
    assert beyond == {"items": [], "next_after": 99}


async def test_detail_comes_only_where_it_is_asked_for(gateway: Gateway) -> None:
    run_id = await ended(gateway)
    full = (await gateway.get(f"/runs/{run_id}/ledger?detail=full")).json()["items"]
    assert [list(record) for record in full] == [[*FIELDS, "detail"]] * 4
    assert full[0]["detail"]["path"][-1] == "ask"
    assert full[1]["detail"]["by"] == "local/local-admin"


async def test_several_ledgers_come_at_once_and_unknown_runs_not_at_all(gateway: Gateway) -> None:
    run_id = await ended(gateway)
    body = {"runs": [{"run_id": run_id, "after": 3}, {"run_id": "nobody"}], "limit": 200}
    told = (await gateway.post("/runs/ledger/batch", body)).json()
    page = (await gateway.get(f"/runs/{run_id}/ledger?after=3")).json()
    assert told == {"runs": {run_id: page}}


async def test_the_stream_is_the_ledger_to_the_byte(gateway: Gateway) -> None:
    run_id = await ended(gateway)
    stream = await gateway.get(f"/runs/{run_id}/ledger/stream?after=0")
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    frames = FRAME.findall(stream.content)
    assert [(int(number), int(cursor)) for number, cursor, _ in frames] == [
        (n, n) for n in range(1, 5)
    ]
    page = (await gateway.get(f"/runs/{run_id}/ledger")).content
    assert b'{"items":[%b],"next_after":4}' % b",".join(record for *_, record in frames) == page
    done = b'event: done\ndata: {"run_id": "%b", "cursor": 4, "status": "terminal"}\n\n'
    assert FRAME.sub(b"", stream.content) == done % run_id.encode()


async def test_the_last_event_s_id_wins_over_after(gateway: Gateway) -> None:
    run_id = await ended(gateway)
    for header, after, first in (("2", 0, 3), ("0", 3, 1), (None, 3, 4)):
        headers = {} if header is None else {"last-event-id": header}
        stream = await gateway.get(f"/runs/{run_id}/ledger/stream?after={after}", headers=headers)
        assert int(FRAME.findall(stream.content)[0][0]) == first


async def test_a_reader_who_has_everything_is_told_that_it_is_done(gateway: Gateway) -> None:
    run_id = await ended(gateway)
    stream = await gateway.get(f"/runs/{run_id}/ledger/stream?after=4")
    assert stream.content.startswith(b"event: done\n")


async def test_an_unknown_run_is_told_before_anything_streams(gateway: Gateway) -> None:
    for path in ("ledger", "ledger/stream"):
        answer = await gateway.get(f"/runs/nobody/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found")
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "query",
    ["after=-1", "after=9007199254740993", "limit=0", "limit=2001", "detail=some", "after=x"],
)
async def test_a_page_that_means_nothing_is_refused(gateway: Gateway, query: str) -> None:
    assert (await gateway.get(f"/runs/any/ledger?{query}")).status_code == 400


@pytest.mark.parametrize(
    "query", ["heartbeat_s=0.1", "heartbeat_s=61", "heartbeat_s=nan", "deltas=perhaps"]
)
async def test_a_stream_that_means_nothing_is_refused(gateway: Gateway, query: str) -> None:
    assert (await gateway.get(f"/runs/any/ledger/stream?{query}")).status_code == 400


async def test_a_last_event_id_that_we_did_not_give_is_refused(gateway: Gateway) -> None:
    headers = {"last-event-id": "banana"}
    assert (await gateway.get("/runs/any/ledger/stream", headers=headers)).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"runs": 1},
        {"runs": [{"after": 1}]},
        {"runs": [], "limit": 0},
        {"runs": [{"run_id": "x"}] * 501},
    ],
)
async def test_a_batch_that_means_nothing_is_refused(
    gateway: Gateway, body: dict[str, object]
) -> None:
    assert (await gateway.post("/runs/ledger/batch", body)).status_code == 422
