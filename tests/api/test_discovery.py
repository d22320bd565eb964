"""Discovery tells what is true here, and an empty list where there is nothing."""

import pytest

from tests.support.gateway import Gateway

pytestmark = pytest.mark.anyio


async def test_no_tools_is_an_empty_list(gateway: Gateway) -> None:
    assert (await gateway.get("/discovery/tools")).json() == {"items": []}


async def test_capabilities_stand_where_clients_look_for_them(gateway: Gateway) -> None:
    contracts = (await gateway.get("/discovery/capabilities")).json()["capabilities"]["contracts"]
    start = contracts["common"]["runs"]["start"]
    assert start["endpoint"] == "/api/gateway/runs/start"
    assert start["thinking_control"]["values"] == ["off", "low", "medium", "high", "xhigh"]
    assert contracts["abstractcode"]["available"] is True
    assert contracts["common"]["readiness"]["surfaces"]["ledger"]["stream_transport"] == "sse"


async def test_every_place_that_is_shown_answers(gateway: Gateway) -> None:
    contracts = (await gateway.get("/discovery/capabilities")).json()["capabilities"]["contracts"]
    for name, path in contracts["common"]["discovery"].items():
        if isinstance(path, str) and "{" not in path:
            asked = await gateway.client.get(path, params={"model_name": "any"})
            assert asked.status_code == 200, name
