"""The routes of discovery: shapes of the wire, one action each, problems for what is not there."""

from collections.abc import AsyncGenerator
from types import SimpleNamespace

import httpx2
import pytest
from fastapi import FastAPI

from perdure.adapters.egress import Egress
from perdure.api import problems
from perdure.api.deps import Required, runtime_of
from perdure.features.models.discovery import Catalog
from perdure.features.models.routes import routes
from tests.support.models import config_for, scripted
from tests.support.openai_server import OpenAiServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client() -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of the routes alone, as somebody who may do everything."""
    egress = Egress()
    with scripted(models=["m1", "m2"]) as server:
        app = app_over(server, egress)
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as it:
            yield it
    await egress.close()


def app_over(server: OpenAiServer, egress: Egress) -> FastAPI:
    app = FastAPI()
    problems.register(app)
    router = routes(Catalog(config_for(server), None))
    app.include_router(router)
    app.dependency_overrides[runtime_of] = lambda: SimpleNamespace(http=egress.bound())
    for route in router.routes:
        for needed in getattr(route, "dependencies", []):
            app.dependency_overrides[needed.dependency] = lambda: None
    return app


async def test_providers_are_listed(client: httpx2.AsyncClient) -> None:
    body = (await client.get("/api/gateway/discovery/providers")).json()
    (item,) = body["items"]
    assert (item["id"], item["status"], item["models"]) == ("scripted", "available", [])
    catalog = body["catalog"]
    assert (catalog["contract"], catalog["kind"]) == ("gateway_catalog_v1", "providers")
    assert catalog["include_models"] is False
    more = await client.get("/api/gateway/discovery/providers?include_models=true")
    assert more.json()["items"][0]["models"] == ["m1", "m2"]


async def test_models_of_a_provider_are_listed(client: httpx2.AsyncClient) -> None:
    body = (await client.get("/api/gateway/discovery/providers/Scripted/models")).json()
    assert (body["provider"], body["models"]) == ("scripted", ["m1", "m2"])
    assert body["items"][0] == {"id": "m1", "label": "m1", "provider": "scripted"}
    assert (body["available"], body["route_available"]) == (True, True)


async def test_a_provider_that_is_not_configured_is_a_problem(client: httpx2.AsyncClient) -> None:
    response = await client.get("/api/gateway/discovery/providers/vllm/models")
    assert response.status_code == 404
    assert "PERDURE_PROVIDER_VLLM_BASE_URL" in response.json()["detail"]


async def test_capabilities_need_a_name(client: httpx2.AsyncClient) -> None:
    path = "/api/gateway/discovery/models/capabilities"
    assert (await client.get(path)).status_code == 400
    body = (await client.get(path, params={"model_name": "m1"})).json()
    assert body["model"] == "m1"
    assert body["capabilities"]["max_tokens"] is None


def test_every_route_names_its_action() -> None:
    with scripted() as server:
        router = routes(Catalog(config_for(server), None))
    for route in router.routes:
        (needed,) = getattr(route, "dependencies", [])
        assert isinstance(needed.dependency, Required)
        assert needed.dependency.action == "discovery:read"
