"""The server's own pages: open where they tell nothing, closed where they tell of the API."""

from pathlib import Path

import pytest

from perdure.api.collaborators import ApiSettings
from perdure.api.site import PAGES
from tests.support.gateway import Gateway, Options, a_gateway

pytestmark = pytest.mark.anyio
NOBODY = {"authorization": ""}


async def test_the_first_page_needs_no_credential_and_no_network(gateway: Gateway) -> None:
    for path in ("/", "/console"):
        answer = await gateway.client.get(path, headers=NOBODY)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "/api/health" in answer.text


def test_pages_fetch_nothing_from_elsewhere() -> None:
    for name, content in PAGES.items():
        for mark in (b"//cdn", b"https://", b"<style", b"onclick"):
            assert mark not in content, name
    assert b"<script>" not in PAGES["docs.html"]


async def test_the_parts_of_a_page_are_there_and_nothing_else(gateway: Gateway) -> None:
    answer = await gateway.client.get("/pages/docs.js", headers=NOBODY)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    for odd in ("..%2fapp.py", "app.py", "index.html%00"):
        assert (await gateway.client.get(f"/pages/{odd}")).status_code in (400, 404)


async def test_the_api_s_document_needs_a_credential(gateway: Gateway) -> None:
    for path in ("/docs", "/openapi.json"):
        assert (await gateway.client.get(path, headers=NOBODY)).status_code == 401
        assert (await gateway.client.get(path)).status_code == 200


async def test_promise_77_the_document_lists_every_route_with_its_action(
    anywhere: Gateway,
) -> None:
    document = (await anywhere.client.get("/openapi.json")).json()
    listed = {
        (method.upper(), path): operation["x-action"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    unlisted = {("GET", "/openapi.json"), ("GET", "/pages/{name}")}
    actions = anywhere.app.state.actions
    assert listed == {at: action for at, action in actions.items() if at not in unlisted}
    rules = anywhere.app.state.collaborators.rules
    for (method, path), action in listed.items():
        operation = document["paths"][path][method.lower()]
        assert (operation["security"] == []) is rules[action].public
        assert operation["x-roles"] == sorted(role.value for role in rules[action].roles)
        assert ("x-scope" in operation) is rules[action].over_all


async def test_promise_13_loopback_alone_makes_nobody_a_reader_of_the_api(
    tmp_path: Path,
    database: str,
) -> None:
    settings = ApiSettings(on_loopback=True, access_logged=False)
    async with a_gateway(tmp_path, Options(settings=settings, database=database)) as gateway:
        here = {**NOBODY, "host": "localhost"}
        for (method, path), action in gateway.app.state.actions.items():
            rules = gateway.app.state.collaborators.rules_at_home
            if path.startswith("/api/gateway/") and not rules[action].public:
                asked = path.replace("{", "").replace("}", "")
                answer = await gateway.client.request(method, asked, headers=here)
                assert answer.status_code == 401, path


async def test_on_loopback_it_is_open(tmp_path: Path) -> None:
    settings = ApiSettings(on_loopback=True, access_logged=False)
    async with a_gateway(tmp_path, Options(settings=settings)) as gateway:
        here = {**NOBODY, "host": "localhost:8080"}
        document = (await gateway.client.get("/openapi.json", headers=here)).json()
        for elsewhere in ({"host": "evil.example"}, {**here, "x-forwarded-for": "10.0.0.1"}):
            for path in ("/openapi.json", "/docs", "/metrics"):
                answer = await gateway.client.get(path, headers={**NOBODY, **elsewhere})
                assert answer.status_code == 401
    assert document["openapi"].startswith("3.1")
    assert "/api/gateway/runs/start" in document["paths"]


async def test_every_problem_is_explained_where_its_type_leads(gateway: Gateway) -> None:
    kinds = (await gateway.client.get("/problems", headers=NOBODY)).json()["items"]
    assert len(kinds) > 20
    for kind in kinds:
        told = await gateway.client.get(f"/problems/{kind['code']}", headers=NOBODY)
        assert told.json() == kind
    assert (await gateway.client.get("/problems/never", headers=NOBODY)).status_code == 404
