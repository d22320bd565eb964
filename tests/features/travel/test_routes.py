"""Time travel over HTTP: forks, replays, differences, bookmarks, and verifying before promoting."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import Gateway, a_gateway, an_asking_bundle

pytestmark = pytest.mark.anyio


@pytest.fixture
async def lived(tmp_path: Path) -> AsyncIterator[tuple[Gateway, str]]:
    """A gateway with a run that asked, was answered, and ended."""
    async with a_gateway(tmp_path) as gateway:
        await gateway.install(an_asking_bundle(id="ask"))
        run_id = await gateway.start("ask:main", prompt="Why?")
        await answer(gateway, run_id, "So.")
        yield gateway, run_id


async def answer(gateway: Gateway, run_id: str, words: str) -> dict[str, Any]:
    """Answer what the run asks, and follow it to its end."""
    summary = await gateway.until(run_id, "waiting")
    told = {"wait_key": summary["waiting"]["wait_key"], "payload": {"response": words}}
    assert (await gateway.command(run_id, "resume", payload=told)).status_code == 200
    return await gateway.until(run_id, "completed")


async def test_a_fork_goes_on_with_edits_and_shows_where_it_comes_from(
    lived: tuple[Gateway, str],
) -> None:
    gateway, run_id = lived
    body = {"from_seq": 0, "edits": {"in/prompt": "Why not?"}}
    forked = (await gateway.post(f"/runs/{run_id}/fork", body)).json()
    assert forked["forked_from"] == {"run_id": run_id, "seq": 0}
    summary = await gateway.until(forked["run_id"], "waiting")
    assert summary["forked_from"] == forked["forked_from"]
    assert summary["waiting"]["prompt"] == "Why not?"
    assert (await answer(gateway, forked["run_id"], "Because."))["output"]["said"] == "Because."
    origin = (await gateway.get(f"/runs/{run_id}")).json()
    assert (origin["forked_from"], origin["output"]["said"]) == (None, "So.")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"from_seq": 99}, 400),
        ({"edits": {"ctl/main": 1}}, 422),
        ({"effects": "boldly"}, 422),
        ({"from_seq": 1, "bundle_version": "9.9.9"}, 404),
    ],
)
async def test_a_fork_that_cannot_be_is_refused(
    lived: tuple[Gateway, str], body: Any, status: int
) -> None:
    gateway, run_id = lived
    assert (await gateway.post(f"/runs/{run_id}/fork", body)).status_code == status


async def test_the_same_key_makes_one_fork(lived: tuple[Gateway, str]) -> None:
    gateway, run_id = lived
    headers = {"idempotency-key": "k"}
    made = [
        (await gateway.post(f"/runs/{run_id}/fork", {"from_seq": 1}, headers=headers)).json()
        for _ in range(2)
    ]
    assert made[0] == made[1]


async def test_a_replay_says_that_it_is_identical(lived: tuple[Gateway, str]) -> None:
    gateway, run_id = lived
    told = (await gateway.post(f"/runs/{run_id}/replay")).json()
    assert told == {"run_id": run_id, "records": 4, "result": "identical", "difference": None}
    assert (await gateway.post("/runs/nobody/replay")).status_code == 404


async def test_a_difference_names_the_cells_that_changed(lived: tuple[Gateway, str]) -> None:
    gateway, run_id = lived
    told = (await gateway.get(f"/runs/{run_id}/diff?from=1&to=4")).json()
    assert (told["from"], told["to"], told["left_out"]) == (1, 4, 0)
    changed = {one["cell"]: one for one in told["cells"]}
    assert changed["out/ask"]["change"] == "added"
    assert "So." in str(changed["out/ask"]["after"])
    same = (await gateway.get(f"/runs/{run_id}/diff?from=4")).json()
    assert (same["to"], same["cells"]) == (4, [])
    few = (await gateway.get(f"/runs/{run_id}/diff?from=0&limit=1")).json()
    assert (len(few["cells"]), few["left_out"] > 0) == (1, True)
    assert (await gateway.get(f"/runs/{run_id}/diff?from=5")).status_code == 400


async def test_a_version_is_verified_before_it_is_used(lived: tuple[Gateway, str]) -> None:
    gateway, run_id = lived
    await gateway.install(an_asking_bundle(id="ask", version="2.0.0"))
    body = {"bundle_version": "2.0.0", "runs": [run_id]}
    told = (await gateway.post("/bundles/ask/verify", body)).json()
    assert told == {"compatible": True, "checked": 1, "identical": 1, "divergent": []}
    assert (await gateway.post("/bundles/ask/verify", {"bundle_version": "3"})).status_code == 404


async def test_a_bookmark_is_found_shown_restored_and_taken_away(
    lived: tuple[Gateway, str],
) -> None:
    gateway, run_id = lived
    made = (
        await gateway.post(
            f"/runs/{run_id}/bookmarks", {"name": "Before the answer", "seq": 1, "tags": ["good"]}
        )
    ).json()
    for path in (f"/runs/{run_id}/bookmarks", "/bookmarks?tag=good", "/bookmarks?q=ANSWER"):
        assert (await gateway.get(path)).json()["items"] == [made]
    assert (await gateway.get("/bookmarks?q=nothing")).json()["total"] == 0
    path = f"/bookmarks/{made['bookmark_id']}"
    assert (await gateway.get(path)).json() == made
    forked = (await gateway.post(f"{path}/restore", {})).json()
    assert forked["forked_from"] == {"run_id": run_id, "seq": 1}
    await gateway.until(forked["run_id"], "waiting")
    assert (await gateway.client.delete(f"/api/gateway{path}")).json() == {"ok": True}
    assert (await gateway.get(path)).status_code == 404
    beyond = await gateway.post(f"/runs/{run_id}/bookmarks", {"name": "x", "seq": 5})
    assert beyond.status_code == 400
