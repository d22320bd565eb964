"""Health is told to everybody, readiness with its reason, metrics to admins or on loopback."""

from pathlib import Path

import pytest

from perdure.api.collaborators import ApiSettings
from perdure.errors import StoreFailed
from perdure.identity.principal import Role
from perdure.identity.users import OVER_ALL
from tests.support.gateway import Gateway, Options, a_gateway
from tests.support.signing import a_town

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


async def test_metrics_count_the_whole_server_and_are_for_admins_of_all_of_it(
    tmp_path: Path, database: str
) -> None:
    async with a_town(tmp_path, database=database) as town:
        both = frozenset({Role.USER, Role.ADMIN})
        _, town.tokens["op"] = await town.control.user("op", roles=both, scopes=(OVER_ALL,))

        async def asked(name: str) -> tuple[int, dict[str, str]]:
            answer = await town.gateway.client.get("/metrics", headers=town.bearer(name))
            told = {} if answer.is_success else answer.json()
            names = ("reason_code", "required_scope", "required_role")
            return answer.status_code, {name: told[name] for name in names if name in told}

        assert await asked("op") == (200, {})
        needed = {"reason_code": "scope_required", "required_scope": OVER_ALL}
        assert await asked("ada") == (403, needed)
        needed = {"reason_code": "admin_required", "required_role": "admin"}
        assert await asked("bob") == (403, needed)


async def test_on_loopback_metrics_are_open(tmp_path: Path) -> None:
    settings = ApiSettings(on_loopback=True, access_logged=False)
    async with a_gateway(tmp_path, Options(settings=settings)) as gateway:
        here = {**NOBODY, "host": "localhost"}
        assert (await gateway.client.get("/metrics", headers=here)).status_code == 200
