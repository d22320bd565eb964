"""Admins make, change and delete the users of their tenant; tokens are shown once."""

import dataclasses
from typing import Any

import httpx2
import pytest

from perdure.identity.principal import Role
from perdure.identity.users import OVER_ALL
from perdure.ids import RuntimeId, TenantId
from tests.support.control import BETA
from tests.support.signing import Town

pytestmark = pytest.mark.anyio

FIELDS = {
    "user_id", "tenant_id", "email", "roles", "scopes", "enabled", "runtime_id", "created_at", "updated_at",
}  # fmt: skip


async def ask(town: Town, method: str, path: str, body: Any = None, *, by: str = "ada", **query: Any) -> httpx2.Response:  # fmt: skip
    """Ask for something of `/admin/users`."""
    return await town.gateway.client.request(
        method, f"/api/gateway/admin/users{path}", json=body, params=query, headers=town.bearer(by)
    )


async def me(town: Town, token: str) -> int:
    """How a token is received."""
    headers = {"authorization": f"Bearer {token}"}
    return (await town.gateway.get("/me", headers=headers)).status_code


async def test_users_are_made_shown_and_listed(town: Town) -> None:
    body = {
        "user_id": "carl",
        "email": "c@example.org",
        "roles": ["user"],
        "scopes": ["run:*", "me:*"],
    }
    answer = await ask(town, "POST", "", body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert set(told) == {"user", "token"}
    assert set(told["user"]) == FIELDS
    assert told["user"]["tenant_id"] == "acme"
    assert told["user"]["runtime_id"] == "carl"
    assert (await ask(town, "GET", "/carl")).json() == {"user": told["user"]}
    listed = (await ask(town, "GET", "")).json()
    assert [it["user_id"] for it in listed["users"]] == ["ada", "alice", "bob", "carl"]
    assert told["user"] in listed["users"]
    assert await me(town, told["token"]) == 200


async def test_users_are_listed_in_pages(town: Town) -> None:
    first = (await ask(town, "GET", "", limit=2)).json()
    rest = (await ask(town, "GET", "", limit=2, cursor=first["next_cursor"])).json()
    assert [it["user_id"] for it in first["users"] + rest["users"]] == ["ada", "alice", "bob"]
    assert rest["next_cursor"] is None


async def test_promise_06_a_token_is_shown_once_and_never_again(town: Town) -> None:
    made = (await ask(town, "POST", "", {"user_id": "carl"})).json()["token"]
    rotated = (await ask(town, "PATCH", "/carl", {"rotate_token": True})).json()["token"]
    named = (await ask(town, "POST", "/carl/tokens", {"name": "ci"})).json()["token"]
    bearer = {"authorization": f"Bearer {rotated}"}
    answers = [
        await ask(town, "GET", ""), await ask(town, "GET", "/carl"), await ask(town, "GET", "/carl/tokens"),
        await ask(town, "PATCH", "/carl", {"email": "c@example.org"}),
        await town.gateway.get("/audit", headers=town.bearer("ada")),
        await town.gateway.get("/me", headers=bearer),
        await town.gateway.get("/me/tokens", headers=bearer), await ask(town, "DELETE", "/carl"),
    ]  # fmt: skip
    for answer in answers:
        assert answer.status_code == 200, answer.text
        for token in (made, rotated, named):
            assert token[-43:] not in answer.text


async def test_promise_07_no_hash_of_a_token_is_returned(town: Town) -> None:
    ((digest,),) = town.control.rows("SELECT digest FROM tokens WHERE user_id = 'alice'")
    for answer in (await ask(town, "GET", "/alice"), await ask(town, "GET", "/alice/tokens")):
        assert bytes(digest).hex()[:12] not in answer.text
    (token,) = (await ask(town, "GET", "/alice/tokens")).json()["tokens"]
    assert set(token) == {
        "id", "name", "fingerprint", "created_at", "expires_at", "overlap_until", "last_used_at",
    }  # fmt: skip


async def test_a_token_is_not_chosen(town: Town) -> None:
    chosen = "agw_" + "a" * 60
    for method, path, body in (("POST", "", {"user_id": "carl"}), ("PATCH", "/alice", {})):
        answer = await ask(town, method, path, {**body, "token": chosen})
        assert answer.status_code == 422
        assert chosen not in answer.text
    assert (await ask(town, "GET", "/carl")).status_code == 404
    assert (await ask(town, "POST", "", {"user_id": "carl", "token": ""})).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"user_id": "alice"}, 400, "user_exists"), ({"user_id": "ALICE"}, 400, "user_exists"),
        ({"user_id": "carl", "runtime_id": "bob"}, 400, "runtime_taken"),
        ({"user_id": "carl", "email": "nobody"}, 400, "invalid"),
        ({"user_id": "саrl"}, 422, "unfit"), ({"user_id": ""}, 422, "unfit"), ({}, 422, "unfit"),
        ({"user_id": "carl", "roles": []}, 422, "unfit"), ({"user_id": "carl", "roles": ["root"]}, 422, "unfit"),
        ({"user_id": "carl", "other": 1}, 422, "unfit"), ({"user_id": "carl", "enabled": "no"}, 422, "unfit"),
        ({"user_id": "carl", "tenant_id": "beta"}, 403, "forbidden"),
        ({"user_id": "carl", "scopes": [OVER_ALL]}, 403, "forbidden"),
    ],
)  # fmt: skip
async def test_what_makes_no_user_is_refused(town: Town, body: Any, status: int, code: str) -> None:
    answer = await ask(town, "POST", "", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len((await ask(town, "GET", "")).json()["users"]) == 3


async def test_a_user_is_changed(town: Town) -> None:
    change = {
        "email": "a@example.org",
        "roles": ["admin", "user"],
        "scopes": ["run:read"],
        "runtime_id": "new",
    }
    answer = await ask(town, "PATCH", "/alice", change)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"user"}
    assert change.items() <= answer.json()["user"].items()
    assert (await ask(town, "GET", "/alice")).json() == answer.json()


async def test_promise_08_a_rotated_token_stops_and_the_new_one_begins(town: Town) -> None:
    answer = await ask(town, "PATCH", "/alice", {"rotate_token": True})
    assert await me(town, town.tokens["alice"]) == 401
    assert await me(town, answer.json()["token"]) == 200


async def test_a_change_and_a_new_token_are_one_thing(town: Town) -> None:
    both = {"rotate_token": True, "email": "a@example.org"}
    refused = await ask(town, "PATCH", "/alice", both | {"runtime_id": "bob"})
    assert refused.status_code == 400 and await me(town, town.tokens["alice"]) == 200
    answer = await ask(town, "PATCH", "/alice", both)
    assert answer.json()["user"]["email"] == "a@example.org"
    assert await me(town, town.tokens["alice"]) == 401
    assert await me(town, answer.json()["token"]) == 200


async def test_a_rotated_token_overlaps_where_that_is_asked(town: Town) -> None:
    await ask(town, "PATCH", "/alice", {"rotate_token": True, "overlap_s": 30})
    assert await me(town, town.tokens["alice"]) == 200
    town.control.clock.advance(30)
    assert await me(town, town.tokens["alice"]) == 401


@pytest.mark.parametrize(
    ("method", "body"),
    [("PATCH", {"enabled": False}), ("PATCH", {"rotate_token": True}), ("DELETE", None)],
)
async def test_promise_26_what_ends_a_token_ends_the_browsers_session(
    town: Town, method: str, body: Any
) -> None:
    async with town.browser("alice") as browser, town.browser("bob") as other:
        assert (await browser.ask("GET", "/me")).status_code == 200
        assert (await ask(town, method, "/alice", body)).status_code == 200
        answer = await browser.ask("GET", "/me")
        assert (answer.status_code, answer.json()["reason_code"]) == (401, "session_revoked")
        assert (await other.ask("GET", "/me")).status_code == 200
    assert await me(town, town.tokens["alice"]) == 401


async def test_a_user_is_deleted_and_comes_back_to_what_was_theirs(town: Town) -> None:
    await ask(town, "PATCH", "/alice", {"runtime_id": "special"})
    answer = await ask(town, "DELETE", "/alice")
    assert answer.json() == {"ok": True, "deleted": True, "user_id": "alice", "tenant_id": "acme"}
    assert (await ask(town, "DELETE", "/alice")).status_code == 404
    taken = await ask(town, "POST", "", {"user_id": "carl", "runtime_id": "special"})
    assert taken.json()["code"] == "runtime_taken"
    again = await ask(town, "POST", "", {"user_id": "alice"})
    assert again.json()["user"]["runtime_id"] == "special"


async def test_the_last_admin_stays(town: Town) -> None:
    for method, body in (("DELETE", None), ("PATCH", {"enabled": False}), ("PATCH", {"roles": ["user"]})):  # fmt: skip
        answer = await ask(town, method, "/ada", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")


async def test_a_runtime_that_nobody_may_use_any_more_is_stopped(town: Town) -> None:
    stopped: list[tuple[TenantId, RuntimeId]] = []

    async def forget(tenant: TenantId, runtime: RuntimeId) -> None:
        stopped.append((tenant, runtime))

    state = town.gateway.app.state
    state.collaborators = dataclasses.replace(state.collaborators, forget_runtime=forget)
    for method, path, body in (
        ("PATCH", "/alice", {"email": "a@example.org"}), ("PATCH", "/alice", {"rotate_token": True}),
        ("PATCH", "/alice", {"runtime_id": "new"}), ("PATCH", "/alice", {"enabled": False}), ("DELETE", "/bob", None),
    ):  # fmt: skip
        assert (await ask(town, method, path, body)).status_code == 200
    assert stopped == [("acme", "alice"), ("acme", "new"), ("acme", "bob")]


async def test_a_user_has_several_tokens(town: Town) -> None:
    new = (await ask(town, "POST", "/alice/tokens", {"name": "ci", "expires_at": "2026-01-01T00:01:00Z"})).json()  # fmt: skip
    assert (new["known"]["name"], new["known"]["expires_at"]) == ("ci", "2026-01-01T00:01:00.000000+00:00")  # fmt: skip
    assert await me(town, new["token"]) == 200
    listed = (await ask(town, "GET", "/alice/tokens")).json()["tokens"]
    assert sorted(it["name"] for it in listed) == ["ci", "default"]
    path = f"/alice/tokens/{new['known']['id']}"
    assert (await ask(town, "DELETE", path)).json() == {"ok": True, "revoked": True, "id": new["known"]["id"]}  # fmt: skip
    assert await me(town, new["token"]) == 401
    assert (await ask(town, "DELETE", path)).status_code == 404
    late = await ask(town, "POST", "/alice/tokens", {"name": "x", "expires_at": "2025-01-01T00:00:00Z"})  # fmt: skip
    assert late.status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None), ("POST", "", {"user_id": "carl"}), ("GET", "/alice", None), ("PATCH", "/alice", {}),
        ("DELETE", "/alice", None), ("GET", "/alice/tokens", None), ("POST", "/alice/tokens", {"name": "x"}),
        ("DELETE", "/alice/tokens/x", None),
    ],
)  # fmt: skip
async def test_promise_68_users_are_no_business_of_who_is_no_admin(
    town: Town, method: str, path: str, body: Any
) -> None:
    _, token = await town.control.user("scoped", scopes=("*", OVER_ALL))
    town.tokens["scoped"] = token
    told = []
    for by in ("alice", "scoped"):
        for asked in (path, path.replace("alice", "nobody")):
            answer = await ask(town, method, asked, body, by=by)
            assert answer.status_code == 403
            told.append({**answer.json(), "instance": ""})
    assert all(it == told[0] for it in told)
    assert (told[0]["reason_code"], told[0]["required_role"]) == ("admin_required", "admin")


async def test_promise_71_another_tenants_users_are_as_if_they_were_not_there(town: Town) -> None:
    await town.control.user("zoe", BETA)
    _, town.tokens["other"] = await town.control.user("other", BETA, roles=frozenset({Role.ADMIN}))
    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {"enabled": False}), ("DELETE", "", None), ("GET", "/tokens", None),
        ("POST", "/tokens", {"name": "x"}), ("DELETE", "/tokens/x", None),
    ):  # fmt: skip
        told = []
        for by, user, tenant in (
            ("ada", "zoe", {"tenant_id": "beta"}), ("ada", "none", {"tenant_id": "beta"}),
            ("ada", "none", {}), ("other", "alice", {"tenant_id": "acme"}), ("other", "alice", {}),
        ):  # fmt: skip
            answer = await ask(town, method, f"/{user}{path}", body, by=by, **tenant)
            told.append((answer.status_code, {**answer.json(), "instance": ""}))
        assert all(it == told[0] for it in told)
        assert told[0][0] == 404
    assert (await ask(town, "GET", "", by="ada", tenant_id="beta")).json()["users"] == []
    assert (await ask(town, "GET", "/zoe", by="other")).status_code == 200


async def test_who_is_over_all_tenants_makes_users_in_any(town: Town) -> None:
    roles = frozenset({Role.ADMIN})
    _, town.tokens["op"] = await town.control.user("op", roles=roles, scopes=(OVER_ALL,))
    body = {"user_id": "zed", "tenant_id": "gamma", "roles": ["admin"], "scopes": [OVER_ALL]}
    assert (await ask(town, "POST", "", body, by="op")).status_code == 200
    assert (await ask(town, "GET", "/zed", by="op", tenant_id="gamma")).status_code == 200
    reserved = await ask(town, "POST", "", {"user_id": "zed", "tenant_id": "local"}, by="op")
    assert reserved.status_code == 422


async def test_promise_74_what_an_admin_does_to_a_user_is_on_the_record(town: Town) -> None:
    await ask(town, "POST", "", {"user_id": "carl"})
    await ask(town, "PATCH", "/carl", {"roles": ["admin"]})
    await ask(town, "DELETE", "/carl")
    page = (await town.gateway.get("/audit?action=user:write", headers=town.bearer("ada"))).json()
    done = [it for it in page["items"] if it["outcome"] == "done"]
    assert [(it["actor"], it["subject"]) for it in done] == [("ada", "carl")] * 3
    assert done[1]["facts"]["changed"] == ["roles"]
