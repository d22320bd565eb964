"""Everybody has and ends tokens of their own, and nobody else's."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.signing import Town, a_town

pytestmark = pytest.mark.anyio


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """A gateway with alice, bob, and ada who is an admin."""
    async with a_town(tmp_path) as one:
        yield one


async def ask(town: Town, method: str, path: str = "", body: Any = None, by: str = "alice") -> httpx2.Response:  # fmt: skip
    """Ask for something of `/me/tokens`."""
    return await town.gateway.client.request(
        method, f"/api/gateway/me/tokens{path}", json=body, headers=town.bearer(by)
    )


async def test_one_has_another_token_sees_it_once_and_ends_it(town: Town) -> None:
    new = (await ask(town, "POST", body={"name": "laptop"})).json()
    town.tokens["laptop"] = new["token"]
    listed = (await ask(town, "GET", by="laptop")).json()["tokens"]
    assert sorted(it["name"] for it in listed) == ["default", "laptop"]
    assert new["known"] in listed
    assert new["token"][-43:] not in repr(listed)
    assert (await ask(town, "DELETE", f"/{new['known']['id']}")).status_code == 200
    assert (await ask(town, "GET", by="laptop")).status_code == 401


async def test_another_ones_token_is_as_if_it_were_not_there(town: Town) -> None:
    (token,) = (await ask(town, "GET", by="bob")).json()["tokens"]
    answers = [await ask(town, "DELETE", f"/{id}") for id in (token["id"], "A" * 16)]
    assert [it.status_code for it in answers] == [404, 404]
    assert {**answers[0].json(), "instance": ""} == {**answers[1].json(), "instance": ""}
    assert len((await ask(town, "GET", by="bob")).json()["tokens"]) == 1


async def test_a_token_opened_in_a_browser_needs_what_its_page_knows(town: Town) -> None:
    async with town.browser("alice") as browser:
        refused = await browser.ask("POST", "/me/tokens", csrf="wrong", json={"name": "x"})
        assert (refused.status_code, refused.json()["reason_code"]) == (403, "csrf_required")
        made = await browser.ask("POST", "/me/tokens", json={"name": "x"})
        assert made.status_code == 200


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x", "other": 1}, {"name": "x\n"}, {"name": 1}])  # fmt: skip
async def test_a_token_needs_a_name(town: Town, body: Any) -> None:
    assert (await ask(town, "POST", body=body)).status_code == 422


async def test_the_installation_itself_has_no_tokens_of_its_own(town: Town) -> None:
    answer = await town.gateway.get("/me/tokens")
    assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")
