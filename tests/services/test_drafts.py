"""Drafts go when their time is over, whole trees of them, and nothing else goes with them."""

from datetime import timedelta
from typing import Any

import pytest

from perdure.clock import text_of
from perdure.services.drafts import TTL_S
from tests.api.conftest import gateway as gateway
from tests.support.gateway import Gateway

pytestmark = pytest.mark.anyio

EPHEMERAL = {"purpose": "draft_test", "retention": {"mode": "ephemeral"}}


async def drafted(
    gateway: Gateway, flow: str = "straight:main", status: str = "completed", **more: Any
) -> str:
    """A run that is only tried out, as far as it comes."""
    body = {
        "flow_id": flow,
        "input_data": {"prompt": "x" * 100_000},
        "run_lifecycle": EPHEMERAL,
        **more,
    }
    run: str = (await gateway.post("/runs/start", body)).json()["run_id"]
    await gateway.until(run, status)
    return run


async def purged(gateway: Gateway, **asked: Any) -> dict[str, Any]:
    """What a purge tells."""
    answer = await gateway.post("/runs/purge_drafts", asked)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_dry_run_tells_and_takes_nothing(gateway: Gateway) -> None:
    run = await drafted(gateway)
    told = await purged(gateway, force=True)
    assert (told["dry_run"], told["scanned"], told["eligible"], told["purged"]) == (True, 1, 1, 0)
    assert told["policy"]["default_ttl_s"] == TTL_S
    assert (await gateway.get(f"/runs/{run}")).status_code == 200


async def test_what_is_purged_is_gone_with_all_that_was_kept_of_it(gateway: Gateway) -> None:
    run = await drafted(gateway)
    assert (await gateway.get(f"/runs/{run}/artifacts")).json()["total"] > 0
    told = await purged(gateway, dry_run=False, force=True)
    assert [(it["run_id"], it["purged"]) for it in told["items"]] == [(run, True)]
    for path in ("", "/ledger", "/input_data", "/artifacts"):
        assert (await gateway.get(f"/runs/{run}{path}")).status_code == 404, path
    assert (await gateway.get("/artifacts/search")).json()["total"] == 0
    assert (await purged(gateway, dry_run=False, force=True))["scanned"] == 0


async def test_drafts_stay_until_their_time_is_over(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await drafted(gateway)
    assert [it["reason"] for it in (await purged(gateway, dry_run=False))["items"]] == ["not_due"]
    now = gateway.runtime.clock.now
    later = timedelta(seconds=TTL_S + 1)
    monkeypatch.setattr(type(gateway.runtime.clock), "now", lambda _clock: now() + later)
    assert (await purged(gateway, dry_run=False))["purged"] == 1
    assert text_of(now()) < text_of(gateway.runtime.clock.now())


async def test_what_is_no_such_draft_stays(gateway: Gateway) -> None:
    real = await gateway.start("straight:main", prompt="real")
    await gateway.until(real, "completed")
    await drafted(gateway, run_lifecycle={"purpose": "draft_test", "retention": {"mode": "keep"}})
    await drafted(gateway, "ask:main", "waiting")
    for active, why in ((False, "active"), (True, "active_cancel_it_first")):
        told = await purged(gateway, dry_run=False, force=True, include_active=active)
        assert (told["scanned"], told["eligible"], told["purged"], told["skipped"]) == (2, 0, 0, 2)
        assert {it["reason"] for it in told["items"]} == {"retained", why}
    assert (await gateway.get(f"/runs/{real}")).status_code == 200


async def test_a_draft_that_a_fork_of_its_fork_needs_stays_and_says_so(gateway: Gateway) -> None:
    chain = [await drafted(gateway)]
    for _ in range(2):
        made = await gateway.post(f"/runs/{chain[-1]}/fork", {"from_seq": 0})
        chain.append(made.json()["run_id"])
        await gateway.until(chain[-1], "completed")
    _, between, _ = chain
    told = await purged(gateway, dry_run=False, force=True, run_ids=[between])
    assert (told["eligible"], told["purged"]) == (0, 0)
    (item,) = told["items"]
    assert (item["eligible"], item["purged"], item["reason"]) == (False, False, "still_used")
    assert (await purged(gateway, dry_run=False, force=True))["purged"] == 3


async def test_only_those_that_are_named_go(gateway: Gateway) -> None:
    first, second = await drafted(gateway, session_id="a"), await drafted(gateway, session_id="b")
    assert (await purged(gateway, dry_run=False, force=True, run_ids=[first]))["purged"] == 1
    assert (await purged(gateway, force=True, session_id="a"))["scanned"] == 0
    assert [
        it["run_id"] for it in (await purged(gateway, force=True, session_id="b", limit=1))["items"]
    ] == [second]
    assert (await gateway.post("/runs/purge_drafts", {"limit": 5_001})).status_code == 422
    assert (await gateway.post("/runs/purge_drafts", {"odd": 1})).status_code == 422


async def test_the_files_of_a_draft_go_with_it(gateway: Gateway) -> None:
    run = await drafted(gateway)
    folder, other = gateway.runtime.workspaces / run, gateway.runtime.workspaces / "another"
    for it in (folder, other):
        it.mkdir(parents=True)
        (it / "file").write_text("x")
    await purged(gateway, dry_run=False, force=True)
    assert (folder.exists(), other.exists()) == (False, True)
