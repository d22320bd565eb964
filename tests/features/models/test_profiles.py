"""Endpoint profiles: keys go in and never come out, and go to no other host than their own."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from perdure.features.models.feature import models_feature
from perdure.features.models.settings import ModelsConfig
from perdure.identity.access import USER
from perdure.identity.credentials import SingleToken, local_admin
from perdure.identity.principal import Principal
from perdure.stores.endpoints import EndpointRefused, Use
from tests.support.gateway import Gateway, Options, a_gateway
from tests.support.loopback import Call, Exchange, Loopback
from tests.support.models import scripted
from tests.support.planes import DATABASES

pytestmark = pytest.mark.anyio

KEY = "sk-secret-0123456789abcdef"
UNDER = "/config/provider-endpoint-profiles"
USE = Use("alice", "a test")
BOB = replace(local_admin("f"), roles=frozenset({USER}))


class AsBob(SingleToken):
    """Lets the one token in as a user who is no admin."""

    async def principal_of(self, token: str) -> Principal:
        await super().principal_of(token)
        return BOB


@pytest.fixture(params=DATABASES)
def options(request: pytest.FixtureRequest) -> Options:
    features = [models_feature(ModelsConfig(), None)]
    return Options(features=features, runs=False, database=request.param)


@pytest.fixture
async def gateway(tmp_path: Path, options: Options) -> AsyncGenerator[Gateway]:
    async with a_gateway(tmp_path, options) as one:
        yield one


async def made(gateway: Gateway, id: str = "office", **more: Any) -> dict[str, Any]:
    """A profile that was just created, as the answer shows it."""
    body = {
        "id": id,
        "display_name": "Office",
        "base_url": "https://api.example.com/v1",
        "api_key": KEY,
        **more,
    }
    answer = await gateway.post(UNDER, body)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()["profile"]
    return shown


async def put(gateway: Gateway, id: str = "office", **change: Any) -> Any:
    return await gateway.client.put(f"/api/gateway{UNDER}/{id}", json=change)


async def opened(gateway: Gateway, id: str = "office") -> tuple[str, str]:
    """Where a call through the profile would go, and with what key."""
    assert gateway.runtime.endpoints is not None
    endpoint = await gateway.runtime.endpoints.open(id, USE)
    assert KEY not in repr(endpoint)
    return endpoint.base_url, endpoint.api_key


async def test_promise_102_a_key_is_write_only(gateway: Gateway) -> None:
    shown = await made(gateway)
    assert shown["api_key_set"] and shown["virtual_provider"] == "endpoint:office"
    told = [
        (await gateway.get(UNDER)).text,
        (await put(gateway, description="x")).text,
        (await gateway.get("/discovery/providers?include_models=true")).text,
        (await gateway.get("/discovery/capabilities")).text,
        (await gateway.get(f"{UNDER}/office/used-by")).text,
    ]
    assert all(KEY not in text and KEY.encode().hex() not in text for text in told)
    assert (await opened(gateway))[1] == KEY


async def test_promise_103_only_status_and_fingerprint_are_shown(gateway: Gateway) -> None:
    shown = await made(gateway)
    assert {name for name in shown if "key" in name} == {"api_key_set", "api_key_fingerprint"}
    assert len(shown["api_key_fingerprint"]) == 16


@pytest.mark.parametrize("wrong", [{"api_key": "two words"}, {"api_key": 12345678}, {"api_key": "é" * 20},
                                   {"api_key": "x" * 9_000}])  # fmt: skip
async def test_promise_102_a_refused_key_is_not_repeated(
    gateway: Gateway, wrong: dict[str, Any]
) -> None:
    answer = await gateway.post(
        UNDER, {"id": "a", "display_name": "A", "provider_family": "openai", **wrong}
    )
    assert answer.status_code == 422 and str(wrong["api_key"]) not in answer.text


async def test_a_new_origin_clears_the_key_and_says_so(gateway: Gateway) -> None:
    await made(gateway)
    body = (await put(gateway, base_url="https://api.example.com/v2")).json()
    assert not body["key_cleared"] and await opened(gateway) == ("https://api.example.com/v2", KEY)
    body = (await put(gateway, base_url="https://evil.example/v1")).json()
    assert body["key_cleared"] and "another host" in body["notice"]
    assert await opened(gateway) == ("https://evil.example/v1", "")
    for origin in ("http://evil.example/v1", "https://evil.example:8443/v1"):
        await put(gateway, api_key=KEY)
        assert (await put(gateway, base_url=origin)).json()["key_cleared"]


async def test_a_change_leaves_what_it_does_not_name(gateway: Gateway) -> None:
    await made(gateway, description="d", allowed_models=["m"])
    body = (await put(gateway, enabled=False, api_key="")).json()["profile"]
    assert (body["description"], body["allowed_models"], body["enabled"], body["api_key_set"]) == (
        "d", ["m"], False, True,
    )  # fmt: skip
    cleared = (await put(gateway, clear_api_key=True)).json()
    assert not cleared["profile"]["api_key_set"] and not cleared["key_cleared"]
    assert (await put(gateway, clear_api_key=True, api_key=KEY)).status_code == 422


async def test_promise_111_a_change_of_scope_never_loses_a_profile(gateway: Gateway) -> None:
    await made(gateway)
    before = (await gateway.get(UNDER)).json()
    for wrong in ({"base_url": "nonsense"}, {"provider_family": "none"}, {"api_key": "a b"}):
        assert (await put(gateway, scope="gateway", **wrong)).status_code == 422
        assert (await gateway.get(UNDER)).json() == before
    assert (await put(gateway, scope="gateway")).json()["profile"]["scope"] == "gateway"
    assert await opened(gateway) == ("https://api.example.com/v1", KEY)
    assert await gateway.runtime.plane.profiles.list() == []
    assert (await put(gateway, scope="user")).json()["profile"]["scope"] == "user"
    assert await opened(gateway) == ("https://api.example.com/v1", KEY)


async def test_promise_111_a_scope_change_that_was_cut_off_goes_on(gateway: Gateway) -> None:
    await made(gateway)
    endpoints = gateway.runtime.endpoints
    assert endpoints is not None
    own = await endpoints.stores.own.get("office")
    assert own is not None and await endpoints.stores.shared.add(replace(own, sealed=None))
    assert (await put(gateway, scope="gateway")).status_code == 200
    assert await opened(gateway) == ("https://api.example.com/v1", KEY)
    assert await endpoints.stores.own.get("office") is None


async def test_a_seal_that_was_moved_opens_nowhere(gateway: Gateway) -> None:
    await made(gateway)
    own = await gateway.runtime.plane.profiles.get("office")
    assert own is not None
    moved = replace(
        own, id="home", origin="https://evil.example", base_url="https://evil.example/v1"
    )
    await gateway.runtime.plane.profiles.add(moved)
    split = replace(own, id="third", base_url="https://evil.example/v1")
    await gateway.runtime.plane.profiles.add(split)
    for id in ("home", "third"):
        with pytest.raises(EndpointRefused) as refused:
            await opened(gateway, id)
        assert refused.value.code == "endpoint_key_unreadable" and KEY not in str(refused.value)


async def test_promise_105_gateway_profiles_are_for_all_and_changed_by_admins(
    tmp_path: Path, options: Options
) -> None:
    async with a_gateway(
        tmp_path, replace(options, credentials=AsBob(["a-token-of-a-test"], b"k"))
    ) as bob:
        refused = await bob.post(
            UNDER, {"id": "x", "display_name": "X", "provider_family": "openai", "scope": "gateway"}
        )
        assert (refused.status_code, refused.json()["reason_code"]) == (403, "admin_required")
        assert (await bob.get(UNDER)).json()["can_create_gateway_scope"] is False
        await made(bob, "own")
        assert (await put(bob, "own", scope="gateway")).status_code == 403
        assert bob.runtime.endpoints is not None
        stores = bob.runtime.endpoints.stores
        own = await stores.own.get("own")
        assert own is not None
        await stores.shared.add(replace(own, id="shared", sealed=None))
        (shown,) = [it for it in (await bob.get(UNDER)).json()["profiles"] if it["id"] == "shared"]
        assert (shown["base_url"], shown["api_key_fingerprint"]) == ("", None)
        assert (await opened(bob, "shared"))[0] == "https://api.example.com/v1"
        assert (await put(bob, "shared", enabled=False)).status_code == 403
        assert (await bob.client.delete(f"/api/gateway{UNDER}/shared")).status_code == 403


async def test_an_id_is_taken_once_and_what_is_not_there_is_not_found(gateway: Gateway) -> None:
    await made(gateway)
    again = await gateway.post(
        UNDER, {"id": "office", "display_name": "X", "provider_family": "openai"}
    )
    assert (again.status_code, again.json()["reason_code"]) == (409, "profile_exists")
    assert (await put(gateway, "none", enabled=True)).status_code == 404
    assert (await gateway.client.delete(f"/api/gateway{UNDER}/none")).status_code == 404
    gone = await gateway.client.delete(f"/api/gateway{UNDER}/office")
    assert gone.json() == {"ok": True, "deleted": True, "profiles": []}


# --- asking for models -----------------------------------------------------------------------------


async def found(gateway: Gateway, **body: Any) -> dict[str, Any]:
    answer = await gateway.post(f"{UNDER}/discover-models", body)
    assert answer.status_code == 200 and KEY not in answer.text, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_promise_106_a_stored_key_goes_to_the_url_that_it_was_stored_with(
    gateway: Gateway,
) -> None:
    calls: list[str | None] = []

    def answer(call: Call, exchange: Exchange) -> None:
        calls.append(call.headers.get("authorization"))
        echo = call.headers.get("authorization", "nothing")
        exchange.reply(200, orjson.dumps({"data": [{"id": "m1"}, {"id": echo}]}))

    with Loopback(answer) as own, Loopback(answer) as other:
        await made(gateway, base_url=f"{own.url}/v1")
        saved = await found(gateway, profile_id="office")
        assert (saved["ok"], saved["models"][0], saved["api_key_set"]) == (True, "m1", True)
        for url in (f"{other.url}/v1", f"{own.url}/v2", f"http://localhost:{own.port}/v1"):
            told = await found(gateway, profile_id="office", base_url=url)
            assert not told["api_key_set"] and "give it again" in told["notice"]
        draft = await found(gateway, base_url=f"{other.url}/v1", api_key="another-key")
        assert draft["api_key_set"]
    assert calls == [f"Bearer {KEY}", None, None, None, "Bearer another-key"]


async def test_an_endpoint_that_does_not_answer_is_told_as_such(gateway: Gateway) -> None:
    told = await found(gateway, base_url="http://127.0.0.1:9/v1", api_key=KEY)
    assert (told["ok"], told["available"], told["models"]) == (False, False, [])


async def test_endpoints_are_listed_and_asked_as_providers(gateway: Gateway) -> None:
    with scripted(models=["m1"]) as server:
        await made(gateway, base_url=server.base_url)
        (item,) = (await gateway.get("/discovery/providers")).json()["items"]
        assert (item["id"], item["scope"]) == ("endpoint:office", "user")
        body = (await gateway.get("/discovery/providers/endpoint:office/models")).json()
        assert (body["models"], body["provider_endpoint_profile"]) == (["m1"], "office")
    missing = await gateway.get("/discovery/providers/endpoint:none/models")
    assert missing.status_code == 404 and "none" not in missing.json()["detail"]


async def test_each_use_of_a_key_is_on_the_record(gateway: Gateway) -> None:
    await made(gateway)
    await opened(gateway)
    bodies = [it.body for it in await gateway.runtime.plane.audit.pending(limit=100)]
    used = [body for body in bodies if b'"secret:use"' in body]
    assert (
        len(used) == 1 and b"endpoint:office" in used[0] and b"https://api.example.com" in used[0]
    )
    assert KEY.encode() not in b"".join(bodies)
