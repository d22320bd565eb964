"""Schedules over HTTP: the wire of older clients, bad text refused at the door, and what is shown of a schedule."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from perdure.clock import SystemClock, text_of
from perdure.runtimes.context import RuntimeContext
from perdure.services import bundles, runs
from perdure.services.births import Chosen, StartRequest
from tests.support.gateway import (
    Gateway,
    a_gateway,
    a_straight_bundle,
    an_asking_bundle,
    packed,
)

pytestmark = pytest.mark.anyio
TARGET = {"bundle_id": "straight", "flow_id": "main"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with a flow that asks and one that ends at once."""
    async with a_gateway(tmp_path) as one:
        await one.install(an_asking_bundle(id="ask"))
        await one.install(a_straight_bundle(id="straight"))
        yield one


async def planned(gateway: Gateway, **asked: Any) -> str:
    """Plan runs; the id of the schedule."""
    answer = await gateway.post("/runs/schedule", {**TARGET, **asked})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["run_id"])


async def children(gateway: Gateway, run_id: str) -> list[dict[str, Any]]:
    """The runs that a schedule has started, newest first."""
    items: list[dict[str, Any]] = (await gateway.get(f"/runs?parent_run_id={run_id}")).json()[
        "items"
    ]
    return items


def in_the_future() -> str:
    """Long after the test."""
    return text_of(SystemClock().now() + timedelta(days=1))


async def test_one_shot_runs_its_flow_at_once_and_ends(gateway: Gateway) -> None:
    run_id = await planned(gateway, start_at="now")
    summary = await gateway.until(run_id, "completed")
    assert summary["workflow_id"] == f"scheduled:{run_id}"
    assert summary["is_scheduled"] is True
    assert {
        "kind": "scheduled_run", "interval": None, "repeat_count": None, "repeat_until": None, "start_at": None,
        "share_context": True, "target_workflow_id": "straight@1.0.0:main", "target_bundle_ref": "straight@1.0.0",
        "target_flow_id": "main",
    }.items() <= summary["schedule"].items()  # fmt: skip
    (child,) = await children(gateway, run_id)
    assert (child["status"], child["session_id"]) == ("completed", summary["session_id"])
    assert (child["is_scheduled"], child["schedule"]) == (False, None)


async def test_rows_of_the_list_of_runs_say_as_much(gateway: Gateway) -> None:
    run_id = await planned(gateway, interval="1h", start_at=in_the_future())
    detail = await gateway.until(run_id, "waiting")
    (row,) = (await gateway.get("/runs?root_only=true")).json()["items"]
    assert row == detail
    assert row["waiting"]["reason"] == "until"


async def test_the_inputs_of_a_schedule_are_those_of_its_flow(gateway: Gateway) -> None:
    run_id = await planned(gateway, bundle_id="ask", input_data={"prompt": "Ada"}, start_at=in_the_future())  # fmt: skip
    told = (await gateway.get(f"/runs/{run_id}/input_data")).json()
    assert (told["bundle_id"], told["flow_id"]) == ("ask", "main")
    assert told["input_data"] == {"prompt": "Ada"}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"repeat_count": 0}, 400), ({"repeat_count": 2}, 400), ({"repeat_until": "2030-01-01T00:00:00Z"}, 400),
        ({"interval": "1s", "repeat_count": 10_001}, 400), ({"interval": "banana"}, 422), ({"start_at": "soon"}, 422),
        ({"cron": "* * *"}, 422), ({"cron": "@daily", "timezone": "Mars/Base"}, 422), ({"overlap": "maybe"}, 422),
        ({"flow_id": "zz"}, 404), ({"bundle_id": "nope"}, 404),
    ],
)  # fmt: skip
async def test_what_cannot_be_a_schedule_is_refused_and_leaves_nothing(
    gateway: Gateway, asked: dict[str, Any], status: int
) -> None:
    answer = await gateway.post("/runs/schedule", {**TARGET, **asked})
    assert answer.status_code == status, answer.text
    assert (await gateway.get("/runs")).json()["items"] == []


async def test_a_deprecated_flow_takes_no_schedule(gateway: Gateway) -> None:
    await gateway.post("/bundles/straight/deprecate", {})
    assert (await gateway.post("/runs/schedule", TARGET)).status_code == 409


async def test_a_flow_that_is_deprecated_while_a_schedule_of_it_begins_takes_none(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = runs.checked

    async def late(runtime: RuntimeContext, request: StartRequest) -> Chosen:
        chosen = await checked(runtime, request)
        await bundles.deprecate(runtime, "straight", None, "old")
        return chosen

    monkeypatch.setattr(runs, "checked", late)
    refused = await gateway.post("/runs/schedule", {**TARGET, "interval": "100ms"})
    assert (refused.status_code, refused.json()["code"]) == (409, "deprecated")
    assert (await gateway.get("/schedules")).json()["items"] == []


async def test_a_schedule_of_a_deprecated_flow_skips_and_runs_again_when_it_may(
    gateway: Gateway,
) -> None:
    run_id = await planned(gateway, interval="100ms", overlap="allow_all")
    other = await planned(gateway, bundle_id="ask", start_at=in_the_future())
    await gateway.post("/bundles/straight/deprecate", {"reason": "old"})
    path = f"/schedules/{run_id}"
    with anyio.fail_after(30):
        while (row := (await gateway.get(path)).json())["skipped"] < 2:
            await anyio.sleep(0.01)
    assert (row["closed"], row["next_run_at"]) == ("the flow is deprecated: old", None)
    told = (await gateway.get(f"{path}/occurrences?limit=1")).json()["items"][0]
    assert (told["outcome"], told["why"]) == ("skipped", "the flow is deprecated: old")
    refused = await gateway.command(run_id, "trigger_schedule", payload={})
    assert (refused.status_code, refused.json()["code"]) == (409, "deprecated")
    assert (await gateway.get(f"/schedules/{other}")).json()["closed"] is None
    await gateway.post("/bundles/straight/undeprecate", {})
    with anyio.fail_after(30):
        while (await gateway.get(path)).json()["started"] == row["started"]:
            await anyio.sleep(0.01)
    assert (await gateway.get(path)).json()["closed"] is None


async def test_a_bundle_that_was_removed_with_a_mark_runs_again_when_it_is_installed_again(
    gateway: Gateway,
) -> None:
    run_id = await planned(gateway, interval="100ms", overlap="allow_all")
    path = f"/schedules/{run_id}"
    await gateway.post("/bundles/straight/deprecate", {"reason": "old"})
    await gateway.client.delete("/api/gateway/bundles/straight")
    with anyio.fail_after(30):
        while (row := (await gateway.get(path)).json())["closed"] is None:
            await anyio.sleep(0.01)
    await bundles.upload(gateway.runtime, packed(a_straight_bundle(id="straight")))
    with anyio.fail_after(30):
        while (await gateway.get(path)).json()["started"] == row["started"]:
            await anyio.sleep(0.01)
    assert (await gateway.get(path)).json()["closed"] is None


async def test_the_same_key_plans_once(gateway: Gateway) -> None:
    body = {**TARGET, "interval": "1h", "start_at": in_the_future()}
    key = {"Idempotency-Key": "k"}
    first, again = [await gateway.post("/runs/schedule", body, headers=key) for _ in range(2)]
    assert first.json() == again.json()
    other = await gateway.post("/runs/schedule", {**body, "interval": "2h"}, headers=key)
    assert other.status_code == 422


async def test_a_schedule_shows_its_terms_and_what_comes_next(gateway: Gateway) -> None:
    at = in_the_future()
    run_id = await planned(gateway, interval="1h", start_at=at)
    await gateway.until(run_id, "waiting")
    row = (await gateway.get(f"/schedules/{run_id}")).json()
    assert (row["next_run_at"], row["planned"], row["running"]) == (at, 0, [])
    assert (await gateway.get("/schedules")).json() == {"items": [row], "next_cursor": None}
    times = (await gateway.get(f"/schedules/{run_id}/preview?limit=3")).json()["items"]
    assert times[0]["planned_at"] == at
    assert len(times) == 3


@pytest.mark.parametrize("path", ["", "/occurrences", "/preview"])
async def test_what_is_no_schedule_is_not_found_as_one(gateway: Gateway, path: str) -> None:
    run_id = await gateway.start("ask:main")
    no_schedule = await gateway.get(f"/schedules/{run_id}{path}")
    nothing = await gateway.get(f"/schedules/nothing{path}")
    assert no_schedule.status_code == nothing.status_code == 404
    assert no_schedule.json()["title"] == nothing.json()["title"]


async def test_occurrences_are_told_newest_first_in_pages_with_how_they_stand(
    gateway: Gateway,
) -> None:
    run_id = await planned(gateway, interval="100ms", repeat_count=5, overlap="buffer_all")
    await gateway.until(run_id, "completed")
    told = (await gateway.get(f"/schedules/{run_id}/occurrences")).json()
    assert [it["status"] for it in told["items"]] == ["completed"] * 5
    times = [it["planned_at"] for it in told["items"]]
    assert times == sorted(times, reverse=True)
    page = (await gateway.get(f"/schedules/{run_id}/occurrences?limit=2")).json()
    more = f"/schedules/{run_id}/occurrences?cursor={page['next_cursor']}"
    rest = (await gateway.get(more)).json()["items"]
    assert page["items"] + rest == told["items"]


async def test_a_window_shows_what_a_backfill_would_run_and_has_both_ends(gateway: Gateway) -> None:
    run_id = await planned(gateway, interval="1h", start_at="2030-01-01T00:00:00Z")
    path = f"/schedules/{run_id}/preview"
    window = "from=2020-01-01T00:30:00Z&to=2020-01-01T03:00:00Z"
    times = (await gateway.get(f"{path}?{window}")).json()["items"]
    assert [it["planned_at"][11:16] for it in times] == ["01:00", "02:00", "03:00"]
    assert (await gateway.get(f"{path}?from=2020-01-01T00:30:00Z")).status_code == 400
    assert (await gateway.get(f"{path}?from=x&to=y")).status_code == 400


async def command(gateway: Gateway, run_id: str, type: str, payload: Any = None) -> dict[str, Any]:
    """Send a command, and wait until it is settled."""
    answer = await gateway.command(run_id, type, payload=payload or {})
    assert answer.status_code == 200, answer.text
    with anyio.fail_after(30):
        while True:
            told: dict[str, Any] = (await gateway.get(f"/commands/{type}-{run_id}")).json()
            if told["state"] != "pending":
                return told
            await anyio.sleep(0.01)


async def test_a_new_interval_moves_the_next_run(gateway: Gateway) -> None:
    run_id = await planned(gateway, interval="1h", bundle_id="ask")
    await gateway.until(run_id, "waiting")
    (child,) = await children(gateway, run_id)
    before = (await gateway.get(f"/schedules/{run_id}")).json()
    answer = await gateway.command(child["run_id"], "update_schedule", payload={"interval": "20m"})
    assert answer.status_code == 200, answer.text
    row = before
    with anyio.fail_after(30):
        while row["schedule"]["interval"] != "20m":
            row = (await gateway.get(f"/schedules/{run_id}")).json()
    assert row["next_run_at"] < before["next_run_at"]


@pytest.mark.parametrize(
    ("type", "payload", "status"),
    [
        ("update_schedule", {"interval": "banana"}, 422), ("update_schedule", {}, 422),
        ("update_schedule", {"intervall": "1m"}, 422), ("update_schedule", {"cron": "@daily", "apply_immediately": False}, 422),
        ("backfill_schedule", {"from": "2020-01-01T00:00:00Z"}, 422),
        ("backfill_schedule", {"from": "2020-01-01T00:00:00Z", "to": "2019-01-01T00:00:00Z"}, 422),
        ("backfill_schedule", {"from": "2020-01-01T00:00:00Z", "to": "2020-01-01T00:00:01Z"}, 422),
        ("backfill_schedule", {"from": "2020-01-01T00:00:00Z", "to": "2025-01-01T00:00:00Z"}, 422),
        ("backfill_schedule", {"from": "2020-01-01T00:00:00Z", "to": "2999-01-01T00:00:00Z"}, 422),
    ],
)  # fmt: skip
async def test_a_command_that_cannot_apply_is_refused_and_leaves_nothing(
    gateway: Gateway, type: str, payload: Any, status: int
) -> None:
    run_id = await planned(gateway, interval="1h", start_at="2030-01-01T00:30:00Z")
    answer = await gateway.command(run_id, type, payload=payload)
    assert answer.status_code == status, answer.text
    assert (await gateway.get(f"/commands/{type}-{run_id}")).status_code == 404


async def test_commands_for_schedules_are_for_schedules_that_go_on(gateway: Gateway) -> None:
    plain = await gateway.start("ask:main")
    once = await planned(gateway, start_at=in_the_future())
    for run_id, type in ((plain, "trigger_schedule"), (once, "update_schedule")):
        answer = await gateway.command(run_id, type, payload={"interval": "1m"})
        assert answer.status_code == 409
    await command(gateway, once, "pause", {"reason": "lunch"})
    assert (await gateway.command(once, "trigger_schedule", payload={})).status_code == 409


async def test_a_trigger_and_a_resume_without_a_pause_run_it_now(gateway: Gateway) -> None:
    run_id = await planned(gateway, interval="1h", start_at=in_the_future())
    for count, type in enumerate(("trigger_schedule", "resume"), start=1):
        assert (await command(gateway, run_id, type))["state"] == "applied"
        assert len(await children(gateway, run_id)) == count
    row = (await gateway.get(f"/schedules/{run_id}")).json()
    assert (row["planned"], row["started"]) == (0, 2)


async def test_a_pause_has_a_note_and_a_backfill_runs_what_its_window_shows(
    gateway: Gateway,
) -> None:
    run_id = await planned(gateway, interval="1h", start_at="2030-01-01T00:00:00Z")
    window = {"from": "2020-01-01T00:30:00Z", "to": "2020-01-01T03:00:00Z"}
    await command(gateway, run_id, "backfill_schedule", window)
    with anyio.fail_after(30):
        while len(await children(gateway, run_id)) < 3:
            await anyio.sleep(0.01)
    await command(gateway, run_id, "pause", {"reason": "holiday"})
    row = (await gateway.get(f"/schedules/{run_id}")).json()
    assert (row["paused"], row["pause_reason"]) == (True, "holiday")


@pytest.mark.parametrize(
    ("asked", "nodes"),
    [
        ({}, ["start", "wait_start", "run_target"]),
        ({"interval": "15m"}, ["start", "run_target", "wait_interval"]),
        ({"cron": "@daily"}, ["start", "wait_start", "run_target", "wait_interval"]),
        ({"interval": "15m", "repeat_count": 3},
         ["start", "repeat", "is_first", "pick_wait", "wait_start", "wait_interval", "run_target", "end"]),
    ],
)  # fmt: skip
async def test_a_schedule_is_drawn_as_a_flow(
    gateway: Gateway, asked: dict[str, Any], nodes: list[str]
) -> None:
    run_id = await planned(gateway, **asked)
    told = (await gateway.get(f"/workflows/scheduled:{run_id}/flow")).json()
    assert (told["workflow_id"], told["source"]) == (f"scheduled:{run_id}", "dynamic")
    assert [node["id"] for node in told["flow"]["nodes"]] == nodes
    assert (await gateway.get("/workflows/scheduled:nothing/flow")).status_code == 404
