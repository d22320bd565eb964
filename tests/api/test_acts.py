"""Each route that changes something leaves exactly one act on the record; generated from the routes there are."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from perdure.api.app import routes_of
from perdure.identity.access import Recorded
from perdure.identity.tokens import read_token
from tests.support.built import Built, built
from tests.support.deeds import DEEDS, READS, Doer, Route

pytestmark = pytest.mark.anyio

SAFE = {"GET", "HEAD", "OPTIONS"}
PATIENCE_S = 20


def changing(one: Built) -> dict[Route, str]:
    """The routes that are no plain reads, with their actions."""
    rules = one.app.api.state.collaborators.rules
    return {
        (method, route.path): route.required.action
        for route in routes_of(one.app.api)
        for method in route.methods or set()
        if (method not in SAFE or rules[route.required.action].audited)
        and (method, route.path) not in READS
    }


def secret_in(token: str) -> str:
    """The part of a token that is secret."""
    shown = read_token(token)
    assert shown is not None
    return shown.secret


async def acts_of(one: Built, request_id: str) -> list[dict[str, Any]]:
    """What is on record of a request, oldest first; entries of the plane come soon after."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            items: list[Any] = (await one.get("/audit", request_id=request_id))["items"]
            if any(it["outcome"] != "intent" for it in items):
                return items[::-1]
            await anyio.sleep(0.02)


async def test_promise_74_each_route_that_changes_something_leaves_one_act(
    tmp_path: Path,
    database: str,
) -> None:
    async with built(tmp_path, database, user_auth=True) as one:
        doer, rules = Doer(one), one.app.api.state.collaborators.rules
        for route, action in changing(one).items():
            assert route in DEEDS, (
                f"{route} changes something: do it once in tests/support/deeds.py"
            )
            assert rules[action].audited, f"{route}: its action {action} is not audited"
            answer = await DEEDS[route](doer)
            assert answer.status_code == 200, (route, answer.text)
            acts = await acts_of(one, answer.headers["x-request-id"])
            around = rules[action].recorded is Recorded.AROUND
            assert [it["outcome"] for it in acts] == (["intent", "done"] if around else ["done"]), (
                route
            )
            assert {it["action"] for it in acts} == {action}
            assert all(it["actor"] and it["at"] for it in acts)


async def test_a_refused_act_leaves_how_it_ended_and_no_change(tmp_path: Path) -> None:
    async with built(tmp_path, user_auth=True) as one:
        doer = Doer(one)
        answer = await doer.send("DELETE", "/admin/users/nobody-here")
        acts = await acts_of(one, answer.headers["x-request-id"])
        assert [(it["outcome"], it["reason_code"]) for it in acts] == [
            ("intent", ""), ("failed", "user_not_found"),
        ]  # fmt: skip
        user, token = await doer.user()
        headers = {"authorization": f"Bearer {token}"}
        answer = await doer.send("POST", "/admin/users", {"user_id": "x"}, headers=headers)
        (act,) = await acts_of(one, answer.headers["x-request-id"])
        assert (act["outcome"], act["actor"], act["reason_code"]) == (
            "denied",
            user,
            "admin_required",
        )


async def test_promise_15_a_failed_sign_in_is_on_record(
    tmp_path: Path,
    database: str,
) -> None:
    async with built(tmp_path, database, user_auth=True) as one:
        doer = Doer(one)
        user, _ = await doer.user()
        for _ in range(4):
            body = {"user_id": user, "token": "agw_wrong"}
            answer = await doer.send("POST", "/session/login", body)
            assert answer.status_code in (401, 429)
        items = (await one.get("/audit", action="session:login"))["items"]
        assert {(it["outcome"], it["actor"]) for it in items} == {("denied", "(nobody)")}
        assert all(it["address"] for it in items)
        assert len(items) <= 2, "those alike are counted"


async def test_promise_06_no_entry_holds_a_token_that_was_shown(
    tmp_path: Path,
    database: str,
) -> None:
    async with built(tmp_path, database, user_auth=True) as one:
        doer = Doer(one)
        user, first = await doer.user()
        rotated = await doer.ready("PATCH", f"/admin/users/{user}", {"rotate_token": True})
        second = await doer.ready("POST", f"/admin/users/{user}/tokens", {"name": "other"})
        told = (await one.get("/audit/tail"))["content"]
        for token in (first, rotated["token"], second["token"]):
            assert secret_in(token) not in told


async def test_promise_102_no_entry_holds_what_was_said(
    tmp_path: Path,
    database: str,
) -> None:
    async with built(tmp_path, database, user_auth=True) as one:
        doer = Doer(one)
        user, token = await doer.user()
        for wrong in (token, f"{token}x"):
            await doer.send("POST", "/session/login", {"user_id": user, "token": wrong})
        one.client.cookies.clear()
        started = await DEEDS["POST", "/api/gateway/runs/start"](doer)
        await acts_of(one, started.headers["x-request-id"])
        told = (await one.get("/audit/tail"))["content"]
        for secret in (
            token,
            secret_in(token),
            "a secret",
            one.client.headers["authorization"],
        ):
            assert secret not in told


async def test_whoever_is_concerned_finds_it_in_the_chain_of_their_tenant(tmp_path: Path) -> None:
    async with built(tmp_path, user_auth=True) as one:
        doer = Doer(one)
        for tenant in ("default", "beta"):
            body = {"user_id": "bob", "tenant_id": tenant}
            token = (await doer.ready("POST", "/admin/users", body))["token"]
            await doer.ready("PATCH", f"/admin/users/bob?tenant_id={tenant}", {"email": "b@x.org"})
            own = await doer.ready("GET", "/me/audit", headers={"authorization": f"Bearer {token}"})
            done = [it for it in own["items"] if it["outcome"] == "done"]
            assert [it["action"] for it in done] == ["user:write", "user:write"], tenant
            assert {it["subject"] for it in done} == {"bob"}
