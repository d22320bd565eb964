"""A route checks the right before it reads a body, and reads JSON strictly."""

import pytest

from perdure.api.routing import StrictRoute, answers, json_of, refusals
from perdure.api.schemas.health import Alive
from tests.support.gateway import Gateway

pytestmark = pytest.mark.anyio
START = "/api/gateway/runs/start"
NO_BRACES = str.maketrans("", "", "{}")


@pytest.mark.parametrize("sent", ["text/plain", "application/x-www-form-urlencoded", "", "x/json"])
async def test_a_body_that_does_not_say_that_it_is_json_is_not_read(
    gateway: Gateway, sent: str
) -> None:
    headers = {"content-type": sent}
    answer = await gateway.client.post(START, content=b'{"a": 1}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "sent", ["application/json", "Application/JSON; charset=utf-8", "application/ld+json"]
)
async def test_json_may_be_named_in_each_of_its_ways(gateway: Gateway, sent: str) -> None:
    answer = await gateway.client.post(
        START, content=b'{"flow_id": "straight:main"}', headers={"content-type": sent}
    )
    assert answer.status_code == 200


async def test_what_is_not_json_is_told_as_fastapi_would(gateway: Gateway) -> None:
    headers = {"content-type": "application/json"}
    answer = await gateway.client.post(START, content=b'{"a": NaN}', headers=headers)
    told = answer.json()
    assert (answer.status_code, told["code"]) == (422, "not_json")
    assert (told["errors"][0]["type"], told["errors"][0]["loc"]) == ("json_invalid", ["body"])


async def test_the_right_is_asked_before_the_body_is_read(gateway: Gateway) -> None:
    headers = {"authorization": "", "content-type": "application/json"}
    answer = await gateway.client.post(START, content=b"{", headers=headers)
    assert answer.status_code == 401


async def test_promise_12_without_a_gate_before_it_a_route_lets_nobody_pass(
    anywhere: Gateway,
) -> None:
    """The routes alone, as if somebody had mounted them elsewhere."""
    from fastapi import FastAPI
    from httpx2 import ASGITransport, AsyncClient

    from perdure.api import problems

    bare = FastAPI(openapi_url=None)
    bare.state.collaborators, bare.state.absent = (
        anywhere.app.state.collaborators,
        anywhere.app.state.absent,
    )
    bare.router.routes.extend(
        route for route in anywhere.app.routes if isinstance(route, StrictRoute)
    )
    problems.register(bare)
    async with AsyncClient(transport=ASGITransport(app=bare), base_url="http://bare") as client:
        rules = anywhere.app.state.collaborators.rules
        for (method, path), action in anywhere.app.state.actions.items():
            headers = {"authorization": "Bearer a-token-of-a-test", "host": "localhost"}
            answer = await client.request(method, path.translate(NO_BRACES), headers=headers)
            assert answer.status_code == 401 or rules[action].public, path


def test_what_goes_well_and_what_does_not_are_both_declared() -> None:
    told = answers(Alive, 404, body=True)
    assert set(told) == {200, 400, 401, 403, 404, 413, 415, 422, 429, 500, 503}
    assert set(refusals()) == {400, 401, 403, 429, 500, 503}


def test_values_go_out_as_json() -> None:
    answer = json_of({"a": ["é", None]})
    assert (answer.body, answer.media_type) == ('{"a":["é",null]}'.encode(), "application/json")


@pytest.mark.parametrize("place", ["/runs?limit=1&limit=2", "/runs/any/ledger?after=1&after=1"])
async def test_what_has_one_value_is_given_once(gateway: Gateway, place: str) -> None:
    answer = await gateway.get(place)
    assert (answer.status_code, "stands 2 times" in answer.text) == (400, True), answer.text


async def test_what_nobody_reads_may_stand_as_often_as_it_likes(gateway: Gateway) -> None:
    assert (await gateway.get("/runs?limit=1&other=1&other=2")).status_code == 200
