"""The cookies of browsers: how they are bound, and that they prove what was meant."""

from pathlib import Path

import pytest

from perdure.api.collaborators import ApiSettings
from perdure.api.cookies import CookieNames
from tests.support.signing import API, CSRF, SESSION, SESSION_HEADER, Town, a_town, set_by

pytestmark = pytest.mark.anyio
START = {"flow_id": "straight:main"}
SECURE = ApiSettings(access_logged=False, trusted_proxies=1)


# --- the cookies -----------------------------------------------------------------------------------


async def test_promise_19_20_21_cookies_have_their_bounds(town: Town) -> None:
    async with town.browser() as browser:
        plain = set_by(await browser.sign_in("alice", town.tokens["alice"]))
        kept = set_by(await browser.sign_in("alice", town.tokens["alice"], remember=True))
    assert plain == {
        SESSION: {"HttpOnly", "Path=/", "SameSite=lax"}, CSRF: {"Path=/", "SameSite=lax"},
    }  # fmt: skip
    assert kept == {name: parts | {"Max-Age=2592000"} for name, parts in plain.items()}


async def test_promise_19_secure_is_judged_by_the_scheme_or_by_a_proxy_that_is_trusted(
    tmp_path: Path,
    database: str,
) -> None:
    forwarded = {"x-forwarded-for": "9.9.9.9", "x-forwarded-proto": "https"}
    cases: tuple[tuple[ApiSettings, str, dict[str, str], bool], ...] = (
        (ApiSettings(access_logged=False), "http://gateway", forwarded, False),
        (ApiSettings(access_logged=False), "https://gateway", {}, True),
        (SECURE, "http://gateway", forwarded, True),
        (SECURE, "http://gateway", {"x-forwarded-proto": "https"}, False),
    )
    for number, (settings, url, headers, secure) in enumerate(cases):
        folder = tmp_path / str(number)
        async with (
            a_town(folder, settings, database=database) as town,
            town.browser(url=url) as browser,
        ):
            answer = await browser.sign_in("alice", town.tokens["alice"], headers=headers)
        for parts in set_by(answer).values():
            assert ("Secure" in parts) is secure


async def test_names_are_the_operator_s_to_choose(tmp_path: Path) -> None:
    names = CookieNames("s1", "c1", "X-S", "X-C")
    settings = ApiSettings(access_logged=False, cookies=names)
    async with a_town(tmp_path, settings) as town, town.browser() as browser:
        answer = await browser.sign_in("alice", town.tokens["alice"])
        assert set(set_by(answer)) == {"s1", "c1"}
        assert (await browser.ask("POST", "/runs/start", json=START)).status_code == 403
        shown = {"X-S": browser.cookie("s1"), "X-C": browser.cookie("c1")}
        browser.client.cookies.clear()
        started = await browser.ask("POST", "/runs/start", json=START, headers=shown)
    assert started.status_code == 200


async def test_with_tls_cookies_are_held_to_their_host_where_that_is_asked_for(
    tmp_path: Path,
) -> None:
    names = CookieNames(held_to_host=True)
    settings = ApiSettings(access_logged=False, cookies=names)
    async with a_town(tmp_path, settings) as town, town.browser(url="https://gateway") as browser:
        answer = await browser.sign_in("alice", town.tokens["alice"])
        assert set(set_by(answer)) == {f"__Host-{SESSION}", f"__Host-{CSRF}"}
        assert (await browser.ask("GET", "/me")).status_code == 200
        value = browser.session
        browser.client.cookies.clear()
        sent = {"cookie": f"{SESSION}={value}"}  # as a neighbour of the host could have set it
        assert (await browser.ask("GET", "/me", headers=sent)).status_code == 401


# --- what was meant --------------------------------------------------------------------------------


async def test_promise_22_what_a_session_changes_needs_its_own_csrf_token(town: Town) -> None:
    async with town.browser("alice") as alice, town.browser("bob") as bob:
        old = alice.csrf
        await alice.sign_in("alice", town.tokens["alice"])
        for wrong in (
            " ",
            "wrong",
            old,
            bob.csrf,
            alice.csrf + "x",
            alice.session,
            alice.csrf[:-1],
        ):
            for method, path in (("POST", "/runs/start"), ("POST", "/session/logout"), ("DELETE", "/bundles/ask")):  # fmt: skip
                answer = await alice.ask(method, path, csrf=wrong, json=START if method == "POST" else None)  # fmt: skip
                assert (answer.status_code, answer.json()["reason_code"]) == (403, "csrf_required")
        assert (await alice.ask("GET", "/runs")).json()["items"] == []
        assert (await alice.ask("POST", "/runs/start", json=START)).status_code == 200


async def test_promise_22_without_the_header_nothing_changes_either(town: Town) -> None:
    async with town.browser("alice") as alice:
        answer = await alice.client.post(f"{API}/runs/start", json=START)
        assert (answer.status_code, answer.json()["reason_code"]) == (403, "csrf_required")
        shown = {SESSION_HEADER: alice.session}
        alice.client.cookies.clear()
        answer = await alice.client.post(f"{API}/runs/start", json=START, headers=shown)
        assert (answer.status_code, answer.json()["reason_code"]) == (403, "csrf_required")


async def test_promise_23_a_bad_bearer_beside_a_session_lets_nothing_pass(town: Town) -> None:
    async with town.browser("alice") as alice:
        for sent in ("Bearer wrong", f"Bearer {town.tokens['alice']}x", "Bearer agw_a_b"):
            answer = await alice.client.post(
                f"{API}/runs/start", json=START, headers={"authorization": sent}
            )
            assert answer.status_code == 401
        for sent in ("Basic YTpi", "Bearer", "Bearer ", "Token x"):
            answer = await alice.client.post(
                f"{API}/runs/start", json=START, headers={"authorization": sent}
            )
            assert answer.status_code == 403
        good = await alice.client.post(f"{API}/runs/start", json=START, headers=town.bearer("bob"))
        assert good.status_code == 200


async def test_promise_23_a_bearer_needs_no_csrf_token(town: Town) -> None:
    answer = await town.gateway.post("/runs/start", START, headers=town.bearer("alice"))
    assert answer.status_code == 200


async def test_a_cookie_is_good_for_no_page_of_another_site(town: Town) -> None:
    crossing = {"sec-fetch-site": "cross-site"}
    async with town.browser("alice") as alice:
        for more in ({}, {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}, {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}):  # fmt: skip
            answer = await alice.ask("GET", "/runs", headers=crossing | more)
            assert (answer.status_code, answer.json()["reason_code"]) == (403, "cross_site")
        follows = crossing | {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
        assert (await alice.ask("GET", "/runs", headers=follows)).status_code == 200
        posted = await alice.ask("POST", "/runs/start", json=START, headers=follows)
        assert posted.status_code == 403
        listed = crossing | {"origin": "http://localhost:3001"}
        assert (await alice.ask("GET", "/runs", headers=listed)).status_code == 200
        assert (await alice.ask("GET", "/runs", headers={"sec-fetch-site": "same-origin"})).status_code == 200  # fmt: skip


HOSTILE = {
    "huge": "x" * 60_000, "bad base64": "agws_%%%.###", "no signature": "agws_" + "a" * 43, "empty": "",
    "two parts": ".", "a NUL": "agws_a\x00.b", "not ASCII": "agws_\xff.b", "quoted": '"agws_a.b"',
}  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_cookie_is_refused_like_none(town: Town, value: str) -> None:
    async with town.browser() as browser:
        for name, sent in (("cookie", f"{SESSION}={value}"), (SESSION_HEADER, value)):
            answer = await browser.client.get(
                f"{API}/me", headers=[(name.encode(), sent.encode("latin-1"))]
            )
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_a_session_whose_signature_was_touched_is_refused(town: Town) -> None:
    async with town.browser("alice") as alice:
        value = alice.session
        body, _, mark = value.rpartition(".")
        alice.client.cookies.clear()
        flipped = mark[:-2] + ("A" if mark[-2] != "A" else "B") + mark[-1]
        for odd in (body, f"{body}.", f"{body}.{mark[:-1]}", f"{body}.{flipped}", value + "A", f"x{value}", value.upper()):  # fmt: skip
            answer = await alice.ask("GET", "/me", headers={SESSION_HEADER: odd})
            assert (answer.status_code, answer.json()["reason_code"]) == (401, "unauthenticated")
        twice = {"cookie": f"{SESSION}={value}; {SESSION}={value}"}
        assert (await alice.ask("GET", "/me", headers=twice)).status_code == 401
        assert (await alice.ask("GET", "/me", headers={"cookie": f"a=b; {SESSION}={value}"})).status_code == 200  # fmt: skip


async def test_promise_30_a_browser_sees_its_own_session_alone(town: Town) -> None:
    async with town.browser("alice") as alice, town.browser("bob") as bob, town.browser() as third:
        assert (await alice.ask("GET", "/me")).json()["principal"]["user_id"] == "alice"
        assert (await bob.ask("GET", "/me")).json()["principal"]["user_id"] == "bob"
        assert (await third.ask("GET", "/me")).status_code == 401
        for one in (alice, bob):
            items = (await one.ask("GET", "/session/list")).json()["items"]
            assert [item["current"] for item in items] == [True]
