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
        assert "default-src 'self'" in answer.headers["content-security-policy"]
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


async def test_on_loopback_it_is_open(tmp_path: Path) -> None:
    settings = ApiSettings(on_loopback=True, access_logged=False)
    async with a_gateway(tmp_path, Options(settings=settings)) as gateway:
        document = (await gateway.client.get("/openapi.json", headers=NOBODY)).json()
    assert document["openapi"].startswith("3.1")
    assert "/api/gateway/runs/start" in document["paths"]


async def test_every_problem_is_explained_where_its_type_leads(gateway: Gateway) -> None:
    kinds = (await gateway.client.get("/problems", headers=NOBODY)).json()["items"]
    assert len(kinds) > 20
    for kind in kinds:
        told = await gateway.client.get(f"/problems/{kind['code']}", headers=NOBODY)
        assert told.json() == kind
    assert (await gateway.client.get("/problems/never", headers=NOBODY)).status_code == 404
