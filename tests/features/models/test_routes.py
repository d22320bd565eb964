"""The routes of discovery: shapes of the wire, problems for what is not there."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from perdure.features.models.feature import models_feature
from tests.support.gateway import Gateway, Options, a_gateway
from tests.support.models import config_for, scripted

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(tmp_path: Path) -> AsyncGenerator[Gateway]:
    """A gateway with one provider."""
    with scripted(models=["m1", "m2"]) as server:
        feature = models_feature(config_for(server), None)
        async with a_gateway(tmp_path, Options(features=[feature], runs=False)) as gateway:
            yield gateway


async def test_providers_are_listed(client: Gateway) -> None:
    body = (await client.get("/discovery/providers")).json()
    (item,) = body["items"]
    assert (item["id"], item["status"], item["models"]) == ("scripted", "available", [])
    catalog = body["catalog"]
    assert (catalog["contract"], catalog["kind"]) == ("gateway_catalog_v1", "providers")
    assert catalog["include_models"] is False
    more = await client.get("/discovery/providers?include_models=true")
    assert more.json()["items"][0]["models"] == ["m1", "m2"]


async def test_models_of_a_provider_are_listed(client: Gateway) -> None:
    body = (await client.get("/discovery/providers/Scripted/models")).json()
    assert (body["provider"], body["models"]) == ("scripted", ["m1", "m2"])
    assert body["items"][0] == {"id": "m1", "label": "m1", "provider": "scripted"}
    assert (body["available"], body["route_available"]) == (True, True)


async def test_a_provider_that_is_not_configured_is_a_problem(client: Gateway) -> None:
    response = await client.get("/discovery/providers/vllm/models")
    assert response.status_code == 404
    assert "PERDURE_PROVIDER_VLLM_BASE_URL" in response.json()["detail"]


async def test_capabilities_need_a_name(client: Gateway) -> None:
    path = "/discovery/models/capabilities"
    assert (await client.get(path)).status_code == 400
    body = (await client.get(path, params={"model_name": "m1"})).json()
    assert body["model"] == "m1"
    assert body["capabilities"]["max_tokens"] is None
