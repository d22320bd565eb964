"""What routes ask for: a key that counts once, a runtime of one's own, and the means of a stream."""

from typing import Any

import pytest
from fastapi import Request

from perdure.api.deps import key_of, principal_of, terms_of, visit_of
from perdure.api.visit import Visit
from perdure.errors import Invalid, Unauthenticated
from perdure.identity.credentials import local_admin
from tests.support.gateway import BEARER, Gateway

pytestmark = pytest.mark.anyio


def a_request(gateway: Gateway, token: str | None, principal: object) -> Request:
    """A request that the gate has let through."""
    headers = [(b"authorization", token.encode())] if token else []
    scope: dict[str, Any] = {"type": "http", "app": gateway.app, "headers": headers}
    scope["state"] = {"visit": Visit(scope, nothing, nothing, 0), "principal": principal}
    return Request(scope)


async def nothing(*_message: object) -> Any:
    """Stand for a connection that is not used."""


async def test_the_same_key_starts_one_run(gateway: Gateway) -> None:
    body, key = {"flow_id": "straight:main"}, {"idempotency-key": "k-1"}
    first = await gateway.post("/runs/start", body, headers=key)
    again = await gateway.post("/runs/start", body, headers=key)
    other = await gateway.post("/runs/start", {**body, "session_id": "S"}, headers=key)
    assert first.json() == again.json()
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ü"])
async def test_a_key_is_short_and_printable(key: str) -> None:
    with pytest.raises(Invalid):
        await key_of(key)


async def test_no_key_is_fine() -> None:
    assert await key_of(None) is None
    assert await key_of("x" * 255) == "x" * 255


async def test_nobody_in_particular_has_no_runtime(gateway: Gateway) -> None:
    with pytest.raises(Unauthenticated):
        await principal_of(a_request(gateway, None, None))


async def test_a_stream_lasts_as_long_as_its_credential(gateway: Gateway) -> None:
    good = BEARER["authorization"]
    reader = await gateway.app.state.collaborators.credentials.principal_of(good[7:])
    assert await (await terms_of(a_request(gateway, good, reader))).still_good()
    assert not await (await terms_of(a_request(gateway, "Bearer revoked", reader))).still_good()
    somebody_else = local_admin("another")
    assert not await (await terms_of(a_request(gateway, good, somebody_else))).still_good()


async def test_a_request_that_came_around_the_gate_has_no_visit() -> None:
    with pytest.raises(Unauthenticated):
        visit_of(Request({"type": "http", "headers": []}))
