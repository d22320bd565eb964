"""What users of one gateway notice of each other: nothing, however much one of them asks for."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx2
import pytest

from perdure.api.app import routes_of
from perdure.app.build import App
from tests.support.gateway import a_straight_bundle, packed
from tests.support.town import API, a_start, a_town, stored_in


@pytest.mark.anyio
async def test_promise_63_the_same_session_id_of_two_users_is_two_sessions(
    tmp_path: Path, database: str
) -> None:
    async with a_town(tmp_path, **stored_in(database)) as town:
        alice, bob = [await town.user(name) for name in ("alice", "bob")]
        runs = {}
        for client in (alice, bob):
            answer = await a_start(client, "the-same")
            assert answer.status_code == 200, answer.text
            runs[client] = answer.json()["run_id"]
        for client in (alice, bob):
            listed = (await client.get(f"{API}/runs?session_id=the-same")).json()["items"]
            assert [it["run_id"] for it in listed] == [runs[client]]
        for theirs, client in ((runs[bob], alice), (runs[alice], bob)):
            assert (await client.get(f"{API}/runs/{theirs}")).status_code == 404


@pytest.mark.anyio
async def test_who_starts_too_many_is_told_when_to_come_again_and_others_are_not(
    tmp_path: Path,
) -> None:
    async with a_town(tmp_path, principal_starts=3) as town:
        alice, bob = [await town.user(name) for name in ("alice", "bob")]
        answers = [await a_start(alice, "s") for _ in range(4)]
        assert [it.status_code for it in answers] == [200, 200, 200, 429]
        problem = answers[-1].json()
        assert problem["code"] == "too_many_requests" and problem["limit"] == "starts_per_minute"
        assert answers[-1].headers["retry-after"] == str(problem["retry_after"])
        assert (await a_start(bob, "s")).status_code == 200


@pytest.mark.anyio
async def test_one_principal_has_so_many_requests_at_once_and_others_have_their_own(
    tmp_path: Path,
) -> None:
    reached, go_on = anyio.Event(), anyio.Event()
    told: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        reached.set()
        await go_on.wait()
        yield b"}"

    async def slow(client: httpx2.AsyncClient) -> None:
        headers = {"content-type": "application/json"}
        answer = await client.post(f"{API}/runs/start", content=body(), headers=headers)
        told.append(answer.status_code)

    async with a_town(tmp_path, principal_requests=1) as town:
        alice, bob = [await town.user(name) for name in ("alice", "bob")]
        async with anyio.create_task_group() as group:
            group.start_soon(slow, alice)
            await reached.wait()
            refused = await alice.get(f"{API}/me")
            assert (await bob.get(f"{API}/me")).status_code == 200
            go_on.set()
        assert (refused.status_code, refused.json()["limit"]) == (429, "requests_at_once")
        assert (await alice.get(f"{API}/me")).status_code == 200
        assert told == [400]


@pytest.mark.anyio
async def test_a_stream_whose_bytes_are_spent_ends_and_its_reader_is_told_when_to_come(
    tmp_path: Path,
) -> None:
    async with a_town(tmp_path, principal_stream_bytes=1024) as town:
        alice = await town.user("alice")
        body = {"bundle_id": "ask-first", "input_data": {"prompt": "x" * 2_000}}
        run_id = (await alice.post(f"{API}/runs/start", json=body)).json()["run_id"]
        path = f"{API}/runs/{run_id}/ledger/stream"
        with anyio.fail_after(30):
            while (await alice.get(path)).status_code == 200:  # ends, though the run does not
                pass
        refused = await alice.get(path)
        assert refused.status_code == 429
        assert refused.json()["limit"] == "stream_bytes_per_minute"
        assert int(refused.headers["retry-after"]) >= 1


def listings(app: App) -> list[str]:
    """Every route that gives something out without being told of what."""
    return [
        route.path
        for route in routes_of(app.api)
        if "GET" in (route.methods or set()) and "{" not in route.path
    ]


async def settle_in(client: httpx2.AsyncClient, name: str) -> None:
    """Have a bundle, an endpoint profile, a run, a token and a session, each called after `name`."""
    bundle = packed(a_straight_bundle(id=f"plan-of-{name}"))
    profile = {
        "id": f"way-of-{name}",
        "display_name": name,
        "provider_family": "openai",
        "api_key": "k" * 20,
    }
    token = {"name": f"key-of-{name}"}
    for path, body in (("/config/provider-endpoint-profiles", profile), ("/me/tokens", token)):
        answer = await client.post(f"{API}{path}", json=body)
        assert answer.status_code == 200, answer.text
    answer = await client.post(f"{API}/bundles/upload", files={"file": ("a.flow", bundle)})
    assert answer.status_code == 200, answer.text
    assert (await a_start(client, f"session-of-{name}")).status_code == 200


@pytest.mark.anyio
async def test_promise_73_nothing_that_lists_shows_what_is_anothers(
    tmp_path: Path, database: str
) -> None:
    """Neither by a name nor by a count: what there is to see is the same before and after."""
    async with a_town(tmp_path, **stored_in(database)) as town:
        alice, bob = await town.user("alice"), await town.user("bob")
        paths = listings(town.app)
        bob.headers["x-request-id"] = "the-same"  # which problems repeat
        before = {path: (await bob.get(path)).text for path in paths}
        await settle_in(alice, "alice")
        after = {path: (await bob.get(path)).text for path in paths}
        assert [path for path, text in after.items() if "alice" in text] == []
        steady = [
            it
            for it in paths
            if it.startswith((f"{API}/discovery", f"{API}/bundles", f"{API}/config", f"{API}/runs"))
        ]
        assert len(steady) >= 6
        assert {it: after[it] for it in steady} == {it: before[it] for it in steady}
        own = "".join([(await alice.get(path)).text for path in paths])
        for kind in ("plan", "way", "session", "key"):
            assert f"{kind}-of-alice" in own, f"the test made no {kind} to be seen"
