"""Browsers sign in, are known by their cookies alone, prove what they mean, and go."""

import dataclasses
from pathlib import Path
from typing import Any

import anyio
import pytest

from perdure.api.collaborators import ApiSettings
from tests.support.gateway import TOKEN, Gateway, served
from tests.support.signing import (
    API,
    CSRF_HEADER,
    SESSION,
    SESSION_HEADER,
    Town,
    a_town,
    set_by,
)

pytestmark = pytest.mark.anyio
START = {"flow_id": "straight:main"}


def masked(answer: Any) -> dict[str, Any]:
    """A problem without what is the request's own."""
    return {**answer.json(), "instance": ""}


# --- signing in ------------------------------------------------------------------------------------


async def test_promise_17_sign_in_gives_a_session_in_its_cookies_and_in_no_body(town: Town) -> None:
    async with town.browser() as browser:
        answer = await browser.sign_in("alice", town.tokens["alice"])
        told = answer.json()
        assert told["principal"]["user_id"] == "alice"
        assert told["principal"]["source"] == "user-registry"
        assert told["auth"] == {
            "mode": "users", "user_auth_enabled": True, "session": "gateway-browser-session",
        }  # fmt: skip
        assert set(told["session"]) == {"expires_at"}
        assert browser.session.startswith("agws_")
        assert browser.csrf.startswith("agcsrf_")
        later = [await browser.ask("GET", "/me"), await browser.ask("GET", "/session/list")]
        for one in (answer, *later):
            assert browser.session not in one.text
            assert browser.session.rpartition(".")[0] not in one.text
            assert browser.csrf not in one.text


async def test_promise_18_every_refusal_to_sign_in_reads_the_same(town: Town) -> None:
    _, gone = await town.control.user("gone", enabled=False)
    tries = [
        ("alice", town.tokens["bob"]), ("nobody", town.tokens["bob"]), ("alice", "wrong"), ("nobody", "wrong"),
        ("gone", gone), ("local-admin", TOKEN), ("admin", TOKEN), ("alice", town.tokens["alice"] + "x"),
        ("ALICE", town.tokens["alice"]), ("alice ", town.tokens["alice"]), ("alice", "x" * 4_000),
    ]  # fmt: skip
    answers = []
    async with town.browser() as browser:
        for user, token in tries:
            answer = await browser.sign_in(user, token)
            assert answer.status_code == 401
            assert "set-cookie" not in answer.headers
            answers.append((masked(answer), len(answer.content)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0]["reason_code"] == "unauthenticated"


async def test_promise_18_every_refusal_costs_the_store_the_same(town: Town) -> None:
    tries = [("alice", town.tokens["bob"]), ("nobody", "wrong"), ("alice", "wrong"), ("bob", TOKEN)]
    asked = []
    async with town.browser() as browser:
        for user, token in tries:
            town.control.database.taken()
            await browser.sign_in(user, token)
            asked.append(town.control.database.taken())
    assert asked[0]
    assert all(one == asked[0] for one in asked), asked


async def test_promise_09_the_token_of_the_installation_signs_no_browser_in(town: Town) -> None:
    assert (
        await town.gateway.get("/me", headers={"authorization": f"Bearer {TOKEN}"})
    ).status_code == 200
    async with town.browser() as browser:
        for user in ("local-admin", "admin", "ada"):
            assert (await browser.sign_in(user, TOKEN)).status_code == 401


async def test_promise_33_a_client_s_own_session_id_is_never_taken_over(town: Town) -> None:
    async with town.browser("alice") as first, town.browser() as second:
        for planted in ("agws_mine.abc", first.session):
            shown = {"cookie": f"{SESSION}={planted}", SESSION_HEADER: planted}
            answer = await second.sign_in("bob", town.tokens["bob"], headers=shown)
            given = answer.headers.get_list("set-cookie")[0]
            assert given.startswith(f"{SESSION}=agws_")
            assert planted not in given
            second.client.cookies.clear()
        assert (await first.ask("GET", "/me")).json()["reason_code"] == "session_revoked"


async def test_promise_33_signing_in_again_ends_the_session_before(town: Town) -> None:
    async with town.browser("alice") as browser:
        before = browser.session
        await browser.sign_in("alice", town.tokens["alice"])
        assert browser.session != before
        old = await town.gateway.get("/me", headers={"authorization": "", SESSION_HEADER: before})
        assert (old.status_code, old.json()["reason_code"]) == (401, "session_revoked")
        assert (await browser.ask("GET", "/me")).status_code == 200


async def test_signing_in_is_asked_for_by_no_page_of_another_site(town: Town) -> None:
    async with town.browser() as browser:
        for headers in (
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
            {"sec-fetch-site": "same-site"},
        ):
            answer = await browser.sign_in("alice", town.tokens["alice"], headers=headers)
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers
        page = {"origin": "http://localhost:3001", "sec-fetch-site": "cross-site"}
        assert (
            await browser.sign_in("alice", town.tokens["alice"], headers=page)
        ).status_code == 200


# --- going -----------------------------------------------------------------------------------------


async def test_promise_25_signing_out_ends_the_session_on_the_server(town: Town) -> None:
    async with town.browser("alice") as alice:
        shown = {SESSION_HEADER: alice.session, CSRF_HEADER: alice.csrf}
        answer = await alice.ask("POST", "/session/logout", json={})
        assert answer.json() == {"ok": True, "deleted": True}
        assert all("Max-Age=0" in parts for parts in set_by(answer).values())
        assert alice.session == ""
        for method, path in (("GET", "/me"), ("POST", "/runs/start"), ("POST", "/session/logout")):
            again = await alice.client.request(method, f"{API}{path}", headers=shown)
            assert (again.status_code, again.json()["reason_code"]) == (401, "session_revoked")


async def test_promise_24_a_session_ends_at_its_time_whatever_the_cookie_says(town: Town) -> None:
    async with town.browser() as browser:
        told = (await browser.sign_in("alice", town.tokens["alice"])).json()
        end = told["session"]["expires_at"]
        town.control.clock.advance(8 * 3_600 - 1)
        assert (await browser.ask("GET", "/me")).status_code == 200
        town.control.clock.advance(1)
        assert town.control.now == end
        late = await browser.ask("GET", "/me")
        assert (late.status_code, late.json()["reason_code"]) == (401, "session_expired")


async def test_promise_27_why_not_is_told_apart_by_code_and_by_nothing_else(town: Town) -> None:
    async with town.browser("alice") as alice, town.browser("bob") as bob:
        nobody = await town.gateway.get("/runs", headers={"authorization": ""})
        forbidden = await alice.ask("GET", "/audit")
        unmeant = await alice.client.post(f"{API}/runs/start", json=START)
        shown = {SESSION_HEADER: bob.session}
        await bob.ask("POST", "/session/logout_all")
        revoked = await bob.client.get(f"{API}/runs", headers=shown)
        town.control.clock.advance(9 * 3_600)
        expired = await alice.ask("GET", "/runs")
    codes = [
        (it.status_code, it.json()["reason_code"])
        for it in (nobody, forbidden, unmeant, revoked, expired)
    ]
    assert codes == [
        (401, "unauthenticated"), (403, "admin_required"), (403, "csrf_required"), (401, "session_revoked"),
        (401, "session_expired"),
    ]  # fmt: skip
    for answer in (nobody, forbidden, unmeant, revoked, expired):
        assert "alice" not in answer.text and "bob" not in answer.text


async def test_one_lists_and_ends_one_s_own_sessions_and_no_others(town: Town) -> None:
    async with (
        town.browser("alice") as first, town.browser("alice") as second, town.browser("bob") as bob,
    ):  # fmt: skip
        items = (await first.ask("GET", "/session/list")).json()["items"]
        assert {item["current"] for item in items} == {True, False}
        assert set(items[0]) == {
            "handle", "created_at", "last_seen_at", "expires_at", "remembered", "address", "user_agent", "current",
        }  # fmt: skip
        assert items[0]["address"] == "127.0.0.1"
        other = next(item["handle"] for item in items if not item["current"])
        hidden = await bob.ask("DELETE", f"/session/{other}")
        absent = await bob.ask("DELETE", "/session/never")
        assert (masked(hidden), hidden.status_code) == (masked(absent), 404)
        assert (await second.ask("GET", "/me")).status_code == 200
        assert (await first.ask("DELETE", f"/session/{other}")).json() == {"ok": True, "ended": 1}
        assert (await second.ask("GET", "/me")).json()["reason_code"] == "session_revoked"
        assert (await first.ask("GET", "/me")).status_code == 200


async def test_one_signs_out_everywhere_at_once(town: Town) -> None:
    async with (
        town.browser("alice") as first, town.browser("alice") as second, town.browser("bob") as bob,
    ):  # fmt: skip
        answer = await first.ask("POST", "/session/logout_all")
        assert answer.json() == {"ok": True, "ended": 2}
        for one in (first, second):
            assert (await one.ask("GET", "/me")).status_code == 401
        assert (await bob.ask("GET", "/me")).status_code == 200


async def test_promise_25_an_open_stream_ends_with_its_session_whatever_its_heartbeat(
    tmp_path: Path,
    database: str,
) -> None:
    settings = ApiSettings(access_logged=False, recheck_s=0.2)
    async with a_town(tmp_path, settings, database=database) as town, served(town.gateway.app) as url, town.browser("alice", url=url) as alice:  # fmt: skip
        started = await alice.ask("POST", "/runs/start", json={"flow_id": "ask:main"})
        path = f"/runs/{started.json()['run_id']}/ledger/stream?heartbeat_s=60"
        found, ended = anyio.Event(), anyio.Event()

        async def follow() -> None:
            async with alice.client.stream("GET", f"{API}{path}") as answer:
                async for _ in answer.aiter_raw():
                    found.set()
            ended.set()

        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            with anyio.fail_after(30):
                await found.wait()
                await alice.ask("POST", "/session/logout")
                town.control.clock.advance(5)  # by which the answers that were kept are old
                await ended.wait()


def test_a_stream_ends_within_five_seconds_with_the_usual_settings() -> None:
    usual = dataclasses.asdict(ApiSettings())["recheck_s"]
    kept, late = usual / 2, usual * 0.25
    assert usual + kept + late < 5


# --- without users ---------------------------------------------------------------------------------


async def test_the_token_of_an_installation_signs_nobody_in(gateway: Gateway) -> None:
    texts = set()
    for user, token in (("local-admin", TOKEN), ("local-admin", "wrong"), ("nobody", "wrong")):
        answer = await gateway.post(
            "/session/login", {"user_id": user, "token": token}, headers={"authorization": ""}
        )
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        texts.add(answer.json()["detail"])
    assert len(texts) == 1


@pytest.mark.parametrize(
    "body", [{}, {"user_id": "a", "token": ""}, {"user_id": "a", "token": "b", "more": 1}]
)
async def test_a_sign_in_has_its_fields_and_no_others(
    gateway: Gateway, body: dict[str, str]
) -> None:
    assert (await gateway.post("/session/login", body)).status_code == 422


async def test_signing_out_without_a_session_ends_none(gateway: Gateway) -> None:
    assert (await gateway.post("/session/logout")).json() == {"ok": True, "deleted": False}
