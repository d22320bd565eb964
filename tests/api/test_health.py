"""Health is told to everybody, readiness with its reason, metrics to admins or on loopback."""

from pathlib import Path

import pytest

from perdure.api.collaborators import ApiSettings
from perdure.errors import StoreFailed
from tests.support.gateway import Gateway, Options, a_gateway

pytestmark = pytest.mark.anyio
NOBODY = {"authorization": ""}


async def test_promise_02_health_needs_no_credential_and_looks_at_none(
    anywhere: Gateway,
) -> None:
    wrong = {"authorization": "Bearer wrong", "cookie": "abstractgateway_session=wrong"}
    assert (await anywhere.client.get("/api/health", headers=wrong)).status_code == 200
    answer = await anywhere.client.get("/api/health", headers=NOBODY)
    assert answer.json() == {"status": "healthy", "service": "abstractgateway"}
    assert (await anywhere.client.get("/healthz", headers=NOBODY)).json() == {"status": "ok"}
    assert (await anywhere.client.get("/readyz", headers=NOBODY)).json() == {"status": "ready"}


async def test_a_server_that_is_not_ready_says_why(tmp_path: Path) -> None:
    async def not_ready() -> None:
        raise StoreFailed("the disk is full")

    async with a_gateway(tmp_path, Options(ready=[not_ready])) as gateway:
        answer = await gateway.client.get("/readyz", headers=NOBODY)
        alive = await gateway.client.get("/healthz", headers=NOBODY)
    assert (answer.status_code, answer.json()["detail"]) == (503, "the disk is full")
    assert answer.headers["retry-after"] == "1"
    assert alive.status_code == 200


async def test_metrics_are_for_admins(gateway: Gateway) -> None:
    assert (await gateway.client.get("/metrics", headers=NOBODY)).status_code == 401
    answer = await gateway.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'route="/metrics",status="401"' in answer.text


async def test_on_loopback_metrics_are_open(tmp_path: Path) -> None:
    settings = ApiSettings(on_loopback=True, access_logged=False)
    async with a_gateway(tmp_path, Options(settings=settings)) as gateway:
        here = {**NOBODY, "host": "localhost"}
        assert (await gateway.client.get("/metrics", headers=here)).status_code == 200
