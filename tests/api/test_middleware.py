"""The gate: who asks, and from where; and what every answer carries."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from perdure.api.collaborators import ApiSettings
from perdure.api.middleware import enter_runtime, is_protected
from perdure.identity.access import ADMIN
from perdure.identity.credentials import local_admin
from perdure.ids import TenantId
from perdure.stores.audit import fields_of
from tests.support.gateway import (
    BEARER,
    TOKEN,
    Gateway,
    Options,
    a_gateway,
    a_straight_bundle,
)
from tests.support.signing import a_town

pytestmark = pytest.mark.anyio
NO_BRACES = str.maketrans("", "", "{}")
PROBLEM = {"type", "title", "status", "detail", "code", "instance", "retryable"}
NOBODY = {"authorization": ""}
STRICT = ApiSettings(lockout_after=2, lockout_base_s=60, access_logged=False)


@pytest.fixture
async def strict(tmp_path: Path, database: str) -> AsyncIterator[Gateway]:
    """A gateway that locks out early, over either database."""
    async with a_gateway(tmp_path, Options(settings=STRICT, database=database)) as one:
        yield one


# --- who asks --------------------------------------------------------------------------------------


async def test_the_runtime_is_the_one_that_is_opened_for_the_principal(gateway: Gateway) -> None:
    async def opener(principal: object) -> object:
        assert principal == local_admin("f")
        return gateway.runtime

    assert await enter_runtime(local_admin("f"), opener) is gateway.runtime  # type: ignore[arg-type]  # a small double


async def test_without_a_credential_the_answer_says_how_to_come_in(gateway: Gateway) -> None:
    answer = await gateway.get("/me", headers=NOBODY)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "unauthenticated"


async def test_also_where_there_is_no_route(gateway: Gateway) -> None:
    for path in ("/never", "/runs/%2e%2e/x", "/admin/users"):
        assert (await gateway.get(path, headers=NOBODY)).status_code == 401
    assert is_protected("/api/gateway")
    assert not is_protected("/api/gatewayish")


FORGED = {
    "user_id": "ada", "tenant_id": "other", "runtime_id": "admin", "owner_id": "ada", "all_owners": "true",
    "workspace_root": "/", "principal": "ada", "roles": "admin",
}  # fmt: skip


async def test_promise_04_what_a_client_says_of_itself_changes_nothing(
    tmp_path: Path,
    database: str,
) -> None:
    headers = {f"x-{name.replace('_', '-')}": value for name, value in FORGED.items()}
    headers |= {
        "x-forwarded-user": "ada",
        "x-remote-user": "ada",
        "remote-user": "ada",
        "x-admin": "1",
    }
    async with a_town(tmp_path, database=database) as town:
        plain = await town.gateway.get("/me", headers=town.bearer("bob"))
        forged = {**headers, **town.bearer("bob")}
        assert (await town.gateway.get("/me", params=FORGED, headers=forged)).json() == plain.json()
        started = await town.gateway.post(
            "/runs/start", {"flow_id": "straight:main", **FORGED}, headers=forged
        )
        assert started.status_code in (200, 422)
        for action in ("/audit/tail", "/audit"):
            assert (
                await town.gateway.get(action, params=FORGED, headers=forged)
            ).status_code == 403
        assert (await town.gateway.get("/me", headers={**headers, **NOBODY})).status_code == 401


async def test_promise_14_nothing_that_is_sent_makes_nobody_an_admin(
    tmp_path: Path,
    database: str,
) -> None:
    local = {"host": "localhost", "x-forwarded-for": "127.0.0.1", "x-forwarded-host": "localhost"}
    odd = [
        {}, local, {"authorization": "Bearer "}, {"authorization": "Bearer null"}, {"authorization": "Basic YTpi"},
        {"cookie": "abstractgateway_session="}, {"x-abstractgateway-session": "agws_admin.x"},
        {"x-http-method-override": "OPTIONS"}, {"origin": "http://localhost:1"},
    ]  # fmt: skip
    async with a_town(tmp_path, database=database, installation=False) as town:
        rules, actions = town.gateway.app.state.collaborators.rules, town.gateway.app.state.actions
        of_admins = [at for at, action in actions.items() if rules[action].roles == {ADMIN}]
        assert of_admins
        for method, path in of_admins:
            for headers in [*odd, {"authorization": f"Bearer {TOKEN}"}]:
                answer = await town.gateway.client.request(method, path.translate(NO_BRACES), headers={**NOBODY, **headers})  # fmt: skip
                assert answer.status_code in (401, 429), (method, path, headers)


async def test_promise_15_wrong_tokens_are_locked_out_and_the_right_one_never_is(
    strict: Gateway,
) -> None:
    wrong = {"authorization": "Bearer wrong"}
    statuses = [(await strict.get("/me", headers=wrong)).status_code for _ in range(4)]
    assert statuses == [401, 401, 429, 429]
    assert int((await strict.get("/me", headers=wrong)).headers["retry-after"]) > 1
    assert (await strict.get("/me")).status_code == 200
    other = {"authorization": "Bearer another"}
    assert (await strict.get("/me", headers=other)).status_code == 401
    assert (await strict.get("/me", headers=wrong)).status_code == 429


async def test_promise_70_71_a_denial_reads_the_same_whatever_exists(
    tmp_path: Path,
    database: str,
) -> None:
    async with a_town(tmp_path, database=database) as town:
        rules, actions = town.gateway.app.state.collaborators.rules, town.gateway.app.state.actions
        named = [
            at for at, action in actions.items() if rules[action].roles == {ADMIN} and "{" in at[1]
        ]
        assert named
        for method, path in named:
            told = []
            for name in ("alice", "nobody"):
                asked = re.sub(r"\{\w+\}", name, path)
                answer = await town.gateway.client.request(
                    method, asked, headers=town.bearer("bob")
                )
                body = answer.json()
                assert set(body) - PROBLEM == {"reason_code", "required_role", "resource_class", "action"}  # fmt: skip
                assert name not in answer.text
                told.append((answer.status_code, {**body, "instance": ""}, sorted(answer.headers)))
            assert told[0] == told[1], path
            assert told[0][0] == 403


async def test_promise_15_74_refusals_are_on_the_record(
    tmp_path: Path,
    database: str,
) -> None:
    async with a_town(tmp_path, database=database) as town, town.browser("alice") as alice:
        await town.gateway.post("/admin/users", {"user_id": "eve"}, headers=town.bearer("bob"))
        await alice.ask("POST", "/runs/start", csrf="wrong")
        await alice.sign_in("alice", "wrong")
        await town.gateway.get("/me", headers={"authorization": "Bearer wrong"})
        await town.gateway.get("/me", headers={"origin": "http://evil.example"})
        found = []
        for tenant in ("acme", "default"):
            records = await town.control.context.audit.records(TenantId(tenant), after=0, limit=100)
            found += [fields_of(record.body) for record in records]
    denied = {(it["action"], it["reason_code"]) for it in found if it["outcome"] == "denied"}
    assert denied >= {
        ("user:write", "admin_required"), ("gate:enter", "csrf_required"), ("session:login", "unauthenticated"),
        ("gate:enter", "unauthenticated"), ("gate:enter", "origin_not_allowed"),
    }  # fmt: skip
    assert "wrong" not in repr(found)


# --- from where ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost:1.evil.example", "http://gateway.evil"],
)
async def test_promise_28_a_page_of_another_site_is_refused_on_every_method(
    anywhere: Gateway,
    origin: str,
) -> None:
    evil = {"origin": origin}
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        for path in ("/me", "/session/login", "/runs/x/ledger/stream", "/runs/start", "/never"):
            for headers in (evil, evil | NOBODY, evil | {"access-control-request-method": "POST"}):
                answer = await anywhere.client.request(
                    method, f"/api/gateway{path}", headers=headers
                )
                assert answer.status_code == 403
                assert "access-control-allow-origin" not in answer.headers
                if method != "HEAD":
                    assert answer.json()["reason_code"] == "origin_not_allowed"


async def test_promise_28_the_server_s_own_pages_may_ask(
    anywhere: Gateway,
) -> None:
    for origin in ("http://gateway", "https://gateway"):
        answer = await anywhere.get("/me", headers={"origin": origin})
        assert answer.headers["access-control-allow-origin"] == origin
    forged = {"origin": "http://elsewhere", "x-forwarded-host": "elsewhere"}
    assert (await anywhere.get("/me", headers=forged)).status_code == 403


async def test_a_header_that_says_who_asks_is_not_said_twice(gateway: Gateway) -> None:
    for name in ("authorization", "origin", "x-abstractgateway-session", "x-abstractgateway-csrf"):
        twice = [(name, "http://localhost:1"), (name, "http://localhost:2")]
        answer = await gateway.client.get("/api/gateway/me", headers=twice)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


async def test_a_listed_page_may_ask_and_read(gateway: Gateway) -> None:
    page = {"origin": "http://localhost:3001"}
    for headers in (page, page | NOBODY):
        answer = await gateway.get("/me", headers=headers)
        assert answer.headers["access-control-allow-origin"] == "http://localhost:3001"
        assert answer.headers["vary"] == "Origin"


async def test_a_preflight_is_answered_without_a_credential(gateway: Gateway) -> None:
    asked = {
        "origin": "http://localhost:3001", "access-control-request-method": "POST",
        "access-control-request-headers": "content-type", **NOBODY,
    }  # fmt: skip
    answer = await gateway.client.options("/api/gateway/runs/start", headers=asked)
    assert (answer.status_code, answer.text) == (200, "OK")
    assert answer.headers["access-control-max-age"] == "600"
    assert answer.headers["access-control-allow-headers"] == "content-type"


# --- what every answer carries -----------------------------------------------------------------------


async def test_a_request_keeps_the_id_that_it_came_with(gateway: Gateway) -> None:
    answer = await gateway.get("/me", headers={"x-request-id": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"


@pytest.mark.parametrize("sent", ["a b", "x" * 129, "ü", ""])
async def test_an_odd_id_is_replaced(gateway: Gateway, sent: str) -> None:
    answer = await gateway.get("/me", headers={"x-request-id": sent.encode("utf-8")})
    assert answer.headers["x-request-id"] != sent
    assert len(answer.headers["x-request-id"]) == 36


async def test_every_answer_is_protected_from_being_kept_or_misread(gateway: Gateway) -> None:
    for path in ("/me", "/never"):
        headers = (await gateway.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"


@pytest.fixture
def logs() -> Iterator[list[dict[str, object]]]:
    """What is logged."""
    structlog.reset_defaults()
    with capture_logs() as entries:
        yield entries  # type: ignore[misc]  # mutable mappings with text for keys


async def test_promise_66_the_log_has_a_line_for_each_request_and_nothing_that_a_person_wrote(
    tmp_path: Path,
    logs: list[dict[str, object]],
    database: str,
) -> None:
    async with a_gateway(tmp_path, Options(settings=ApiSettings(), database=database)) as gateway:
        await gateway.install(a_straight_bundle(id="straight"))
        run_id = await gateway.start("straight:main", prompt="a private word")
        await gateway.get(f"/runs/{run_id}?q=another-private-word", headers=BEARER)
        await gateway.get("/private-path")
    lines = [entry for entry in logs if entry["event"] == "request"]
    assert [line["route"] for line in lines] == [
        "/api/gateway/runs/start", "/api/gateway/runs/{run_id}", None,
    ]  # fmt: skip
    assert {line["principal"] for line in lines} == {"local/local-admin"}
    told = repr(lines)
    assert "private" not in told
    assert TOKEN not in told


async def test_promise_16_no_token_session_or_csrf_value_is_in_any_line(
    tmp_path: Path,
    logs: list[dict[str, object]],
    database: str,
) -> None:
    loud = ApiSettings(lockout_after=2)
    async with a_town(tmp_path, loud, database=database) as town, town.browser("alice") as alice:
        secrets = [*town.tokens.values(), alice.session, alice.csrf, "a-wrong-one", "in-a-query"]
        for path in ("/me", "/never", "/runs?token=in-a-query", "/audit"):
            await alice.ask("GET", path)
            await alice.ask("POST", path, csrf="a-wrong-one")
            await town.gateway.get(path, headers=town.bearer("bob"))
            await town.gateway.get(path, headers={"authorization": "Bearer a-wrong-one"})
        await alice.sign_in("alice", town.tokens["bob"])
        await alice.sign_in("a-wrong-one", "a-wrong-one")
    told = repr(logs)
    assert len(logs) > 15
    for secret in secrets:
        assert secret not in told
        assert secret[-43:] not in told
        assert secret.partition("_")[2][:43] not in told or "_" not in secret
    assert {line["principal"] for line in logs if line["event"] == "request"} >= {"acme/alice", "acme/bob", None}  # fmt: skip
