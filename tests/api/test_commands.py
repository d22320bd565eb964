"""Commands over HTTP: the statuses that tell a mistake from a race, and what became of each."""

from typing import Any

import pytest

from tests.support.gateway import Gateway

pytestmark = pytest.mark.anyio


async def asking(gateway: Gateway) -> str:
    """A run that waits for an answer."""
    run_id = await gateway.start("ask:main", prompt="?")
    await gateway.until(run_id, "waiting")
    return run_id


async def test_a_command_is_taken_once(gateway: Gateway) -> None:
    run_id = await asking(gateway)
    body = {
        "command_id": "c",
        "run_id": run_id,
        "type": "pause",
        "payload": {},
        "client_id": "web_pwa",
        "ts": 1.5,
    }
    first = await gateway.post("/commands", body)
    assert first.json() == {"accepted": True, "duplicate": False, "seq": 1}
    assert (await gateway.post("/commands", body)).json() == {
        "accepted": False,
        "duplicate": True,
        "seq": 1,
    }
    other = await gateway.post("/commands", {**body, "type": "cancel"})
    assert (other.status_code, other.json()["code"]) == (409, "duplicate_command")


async def test_what_became_of_a_command_can_be_asked(gateway: Gateway) -> None:
    run_id = await asking(gateway)
    await gateway.command(run_id, "cancel")
    await gateway.until(run_id, "cancelled")
    told = (await gateway.get(f"/commands/cancel-{run_id}")).json()
    assert (told["state"], told["type"], told["run_id"]) == ("applied", "cancel", run_id)
    assert told["settled_at"] >= told["created_at"]
    unknown = await gateway.get("/commands/never")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "command_not_found")


@pytest.mark.parametrize(
    ("type", "payload", "status", "code"),
    [
        ("resume", {"wait_key": "other", "payload": {"response": "y"}}, 409, "wait_mismatch"),
        ("resume", {"payload": "text"}, 422, "unfit"),
        ("resume", {}, 409, "wait_mismatch"),
        ("update_schedule", {"interval": "20m"}, 409, "conflict"),
        ("compact_memory", {}, 409, "conflict"),
        ("emit_event", {}, 422, "unfit"),
        ("explode", {}, 400, "invalid"),
    ],
)
async def test_what_cannot_apply_is_refused_and_leaves_nothing(
    gateway: Gateway, type: str, payload: dict[str, Any], status: int, code: str
) -> None:
    run_id = await asking(gateway)
    answer = await gateway.command(run_id, type, payload=payload)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await gateway.get(f"/commands/{type}-{run_id}")).status_code == 404


async def test_a_run_that_has_ended_takes_no_commands(gateway: Gateway) -> None:
    run_id = await gateway.start("straight:main", prompt="hi")
    await gateway.until(run_id, "completed")
    for type in ("pause", "cancel", "resume"):
        answer = await gateway.command(run_id, type, payload={})
        assert (answer.status_code, answer.json()["reason"]) == (409, "ended")


async def test_an_unknown_run_is_not_found(gateway: Gateway) -> None:
    answer = await gateway.command("nobody", "cancel")
    assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"command_id": "c", "run_id": "r"},
        {"command_id": 5, "run_id": "r", "type": "pause"},
        {"command_id": "c", "run_id": "r", "type": "pause", "payload": []},
        {"command_id": "c" * 257, "run_id": "r", "type": "pause"},
        {"command_id": "c", "run_id": "r\u0007", "type": "pause"},
    ],
)
async def test_a_command_has_its_fields(gateway: Gateway, body: dict[str, Any]) -> None:
    assert (await gateway.post("/commands", body)).status_code == 422
