"""Runs over HTTP: the fields that clients read, a list as rich as the detail, and every refusal."""

from datetime import timedelta
from typing import Any

import pytest

from perdure.api.schemas.runs import RunSummary
from perdure.clock import SystemClock, text_of
from tests.support.gateway import Gateway

pytestmark = pytest.mark.anyio

# What existing clients read of a summary, and of which type it is.
SUMMARY: dict[str, tuple[type, ...]] = {
    "run_id": (str,), "workflow_id": (str,), "status": (str,), "current_node": (str,), "created_at": (str,),
    "updated_at": (str,), "actor_id": (str,), "session_id": (str,), "parent_run_id": (type(None),),
    "error": (type(None),), "flow_warnings": (type(None), list), "paused": (bool,),
    "pause_reason": (type(None),), "paused_at": (type(None),), "resumed_at": (type(None),), "waiting": (dict,),
    "is_scheduled": (bool,), "schedule": (type(None),), "limits": (dict,), "run_lifecycle": (type(None),),
    "is_draft": (bool,), "output": (type(None),), "blocked_on": (dict,),
}  # fmt: skip


async def asking(gateway: Gateway, **more: Any) -> str:
    """A run that waits for an answer."""
    body = {"flow_id": "ask:main", "input_data": {"prompt": "Really?"}, **more}
    run_id: str = (await gateway.post("/runs/start", body)).json()["run_id"]
    await gateway.until(run_id, "waiting")
    return run_id


async def test_a_summary_has_every_field_that_clients_read(gateway: Gateway) -> None:
    run_id = await asking(gateway, session_id="S")
    told = (await gateway.get(f"/runs/{run_id}")).json()
    for field, types in SUMMARY.items():
        assert isinstance(told[field], types), field
    assert (told["workflow_id"], told["session_id"]) == ("ask@1.0.0:main", "S")
    assert told["waiting"] == {
        "reason": "user", "wait_key": f"user:{run_id}:ask", "until": None, "prompt": "Really?",
        "choices": None, "allow_free_text": True, "details": None,
    }  # fmt: skip
    assert set(told["limits"]["tokens"]) == {
        "estimated_used", "max_tokens", "max_input_tokens", "pct", "warn_tokens_pct",
    }  # fmt: skip
    RunSummary.model_validate(told)


async def test_a_row_of_the_list_says_what_the_detail_says(gateway: Gateway) -> None:
    run_id = await asking(gateway)
    (row,) = (await gateway.get("/runs?limit=200&root_only=true")).json()["items"]
    assert row == (await gateway.get(f"/runs/{run_id}")).json()
    assert row["ledger_len"] == 1


async def test_what_a_run_waits_for_says_how_to_go_on(gateway: Gateway) -> None:
    run_id = await asking(gateway)
    blocked = (await gateway.get(f"/runs/{run_id}")).json()["blocked_on"]
    assert blocked["type"] == "question"
    answer, cancel = blocked["unblock"]
    assert (answer["verb"], cancel["verb"]) == ("resume", "cancel")
    body = {**answer["body"], "command_id": "c"}
    body["payload"]["payload"] = {"response": "yes"}
    path = answer["path"].removeprefix("/api/gateway")
    assert (await gateway.post(path, body)).status_code == 200
    ended = await gateway.until(run_id, "completed")
    assert (ended["output"]["said"], ended["blocked_on"], ended["waiting"]) == ("yes", None, None)


async def test_pages_join_without_a_seam(gateway: Gateway) -> None:
    started = [await gateway.start("straight:main", prompt=str(n)) for n in range(5)]
    seen, cursor = [], ""
    for _ in range(3):
        page = (await gateway.get(f"/runs?limit=2&cursor={cursor}")).json()
        seen += [row["run_id"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert seen == started[::-1]
    assert cursor is None


async def test_a_list_can_be_narrowed(gateway: Gateway) -> None:
    ended = await gateway.start("straight:main", prompt="needle")
    await gateway.until(ended, "completed")
    waiting = await asking(gateway, session_id="S")
    for query, expected in (
        ("status=waiting", [waiting]),
        ("status=completed", [ended]),
        ("session_id=S", [waiting]),
        ("workflow_id=straight@1.0.0:main", [ended]),
        ("q=needle", [ended]),
        ("parent_run_id=none", []),
        ("created_after=2999-01-01T00:00:00Z", []),
        ("created_before=2999-01-01T00:00:00Z&session_id=S", [waiting]),
        ("status=&session_id=", [waiting, ended]),
    ):
        page = (await gateway.get(f"/runs?{query}")).json()
        assert [row["run_id"] for row in page["items"]] == expected, query


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "status=odd",
        "created_after=banana",
        "q=%00",
        "session_id=a%0ab",
    ],
)
async def test_a_query_that_means_nothing_is_refused(gateway: Gateway, query: str) -> None:
    answer = await gateway.get(f"/runs?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["loc"][0]) == (400, "query")


async def test_a_cursor_that_we_did_not_give_is_refused(gateway: Gateway) -> None:
    answer = await gateway.get("/runs?cursor=made-up")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


async def test_a_run_is_paused_and_goes_on(gateway: Gateway) -> None:
    run_id = await asking(gateway)
    assert (await gateway.command(run_id, "pause", payload={"reason": "lunch"})).status_code == 200
    while not (told := (await gateway.get(f"/runs/{run_id}")).json())["paused"]:
        pass
    assert (told["pause_reason"], told["blocked_on"]["type"]) == ("lunch", "hold")
    assert told["paused_at"] is not None
    assert (await gateway.command(run_id, "resume")).status_code == 200
    while (await gateway.get(f"/runs/{run_id}")).json()["paused"]:
        pass


async def test_a_cancelled_run_says_why(gateway: Gateway) -> None:
    run_id = await asking(gateway)
    await gateway.command(run_id, "cancel", payload={"reason": "enough"})
    told = await gateway.until(run_id, "cancelled")
    assert (told["error"], told["waiting"]) == ("enough", None)


async def test_a_run_says_when_it_is_to_end(gateway: Gateway) -> None:
    """Of a time and a span, the earlier."""
    in_an_hour = text_of(SystemClock().now() + timedelta(hours=1))
    run_id = await asking(gateway, timeout_s=600, deadline=in_an_hour)
    told = (await gateway.get(f"/runs/{run_id}")).json()
    deadline = told["deadline"]
    assert deadline["run_id"] == run_id and told["created_at"] < deadline["at"] < in_an_hour
    assert told["blocked_on"]["deadline"] == deadline["at"]


async def test_a_run_ends_when_it_is_to_end(gateway: Gateway) -> None:
    body = {"flow_id": "ask:main", "timeout_s": 0.1}
    run_id = (await gateway.post("/runs/start", body)).json()["run_id"]
    ended = await gateway.until(run_id, "failed")
    deadline = ended["deadline"]
    assert deadline["run_id"] == run_id and deadline["at"] > ended["created_at"]
    assert ended["error"] == f"deadline_passed: the deadline was {deadline['at']}"
    assert ended["blocked_on"] is None
    RunSummary.model_validate(ended)


async def test_a_run_without_a_deadline_says_so(gateway: Gateway) -> None:
    told = (await gateway.get(f"/runs/{await asking(gateway)}")).json()
    assert (told["deadline"], told["blocked_on"]["deadline"]) == (None, None)


async def test_the_same_key_with_another_deadline_is_another_request(gateway: Gateway) -> None:
    body = {"flow_id": "ask:main", "timeout_s": 500}
    first, again, other = [
        await gateway.post("/runs/start", it, headers={"Idempotency-Key": "k"})
        for it in (body, body, {**body, "timeout_s": 600})
    ]
    assert first.json() == again.json()
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_the_inputs_are_told_pin_by_pin(gateway: Gateway) -> None:
    body = {"input_data": {"prompt": "?", "workspace_access_mode": "workspace_only", "other": 1}}
    run_id = await asking(gateway, **body)
    assert (await gateway.get(f"/runs/{run_id}/input_data")).json() == {
        "run_id": run_id, "workflow_id": "ask@1.0.0:main", "bundle_id": "ask", "bundle_version": "1.0.0",
        "flow_id": "main", "pin_ids": ["prompt"], "input_data": {"prompt": "?"},
        "workspace": {"workspace_access_mode": "workspace_only"},
    }  # fmt: skip


async def test_a_history_is_all_that_a_client_shows_at_once(gateway: Gateway) -> None:
    run_id = await gateway.start("straight:main", prompt="hi")
    await gateway.until(run_id, "completed")
    path = f"/runs/{run_id}/history_bundle?include_session=true&ledger_max_items=1"
    told = (await gateway.get(path)).json()
    assert (told["version"], told["root_run_id"], told["run"]["status"]) == (1, run_id, "completed")
    page = (await gateway.get(f"/runs/{run_id}/ledger")).json()["items"]
    assert told["ledgers"][run_id] == {
        "run_id": run_id, "total": 2, "cursor_start": 2, "cursor_end": 2,
        "items": [{"cursor": 2, "record": page[1]}],
    }  # fmt: skip
    assert [entry["effect_type"] for entry in told["timeline"]] == ["emit_event"]
    (turn,) = told["session"]["turns"]
    assert (turn["prompt"], turn["answer"], turn["kind"]) == ("hi", None, "run")
    assert set(turn["stats"]) == {"duration_ms", "llm_calls", "tool_calls", "usage", "tok_s"}
    assert "session" not in (await gateway.get(f"/runs/{run_id}/history_bundle")).json()


async def test_the_state_can_be_seen_after_any_record(gateway: Gateway) -> None:
    run_id = await gateway.start("straight:main", prompt="hi")
    await gateway.until(run_id, "completed")
    told = (await gateway.get(f"/runs/{run_id}/state?seq=0")).json()
    assert (told["run_id"], told["seq"], told["cells"]["in/prompt"]) == (run_id, 0, "hi")
    assert (await gateway.get(f"/runs/{run_id}/state?seq=3")).status_code == 400
    assert (await gateway.get(f"/runs/{run_id}/verify")).json() == {
        "ok": True, "run_id": run_id, "records": 2, "bad_seq": None, "why": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"flow_id": "nope:main"}, 404, "bundle_not_found"),
        ({"flow_id": "ask:nope"}, 404, "flow_not_found"),
        ({"flow_id": "ask:main", "registry_scope": "zzz"}, 400, "invalid"),
        ({"flow_id": "ask:main", "registry_scope": "tenant_catalog"}, 404, "feature_absent"),
        ({"bundle_id": "__catalog__v2__x"}, 403, "forbidden"),
        ({"flow_id": "ask:main", "input_data": {"f": {"$artifact": "x"}}}, 422, "unfit"),
        ({"flow_id": "ask:main", "session_id": "a\u0001"}, 422, "unfit"),
        ({"flow_id": "ask:main", "session_id": "s" * 257}, 422, "unfit"),
        ({"flow_id": "ask:main", "thinking": "loud"}, 422, "unfit"),
        ({"flow_id": 5}, 422, "unfit"),
        ({"flow_id": "ask:main", "deadline": "soon"}, 422, "unfit"),
        ({"flow_id": "ask:main", "deadline": "2020-01-01T00:00:00Z"}, 422, "unfit"),
        ({"flow_id": "ask:main", "deadline": "9999-01-01T00:00:00Z"}, 422, "unfit"),
        ({"flow_id": "ask:main", "deadline": "0001-01-01T00:00:00+10:00"}, 422, "unfit"),
        ({"flow_id": "ask:main", "deadline": 5}, 422, "unfit"),
        ({"flow_id": "ask:main", "timeout_s": 0}, 422, "unfit"),
        ({"flow_id": "ask:main", "timeout_s": "5"}, 422, "unfit"),
        ({"flow_id": "ask:main", "timeout_s": 1e15}, 422, "unfit"),
    ],
)
async def test_a_start_that_cannot_be_is_refused_and_starts_nothing(
    gateway: Gateway, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await gateway.post("/runs/start", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await gateway.get("/runs")).json()["items"] == []


async def test_a_blank_field_is_a_field_left_out(gateway: Gateway) -> None:
    body = {"flow_id": "straight:main", "bundle_id": "", "session_id": " ", "registry_scope": ""}
    assert (await gateway.post("/runs/start", body)).status_code == 200
