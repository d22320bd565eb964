"""Whoever asks is told who they are, and what they may do."""

from pathlib import Path

import pytest

from perdure.identity.access import ADMIN
from tests.support.gateway import Gateway
from tests.support.signing import a_town

pytestmark = pytest.mark.anyio


async def test_the_token_is_a_local_admin(gateway: Gateway) -> None:
    told = (await gateway.get("/me")).json()
    assert told["ok"] is True
    fingerprint = told["principal"].pop("token_fingerprint")
    assert len(fingerprint) == 12
    assert told["principal"] == {
        "user_id": "local-admin", "tenant_id": "local", "roles": ["admin", "user"], "scopes": ["*"],
        "runtime_id": "admin", "source": "legacy-token", "admin": True,
    }  # fmt: skip
    assert told["auth"] == {"mode": "legacy-token", "user_auth_enabled": False}
    assert told["routing"] == {"mode": "single-user", "one_user_one_runtime": True}


async def test_ping_answers_with_the_time(gateway: Gateway) -> None:
    told = (await gateway.get("/ping")).json()
    assert (told["ok"], told["status"], told["service"]) == (True, "healthy", "abstractgateway")
    assert told["time"].endswith("+00:00")


async def test_whoever_asks_is_told_what_they_may_do(tmp_path: Path) -> None:
    async with a_town(tmp_path) as town:
        user = (await town.gateway.get("/me", headers=town.bearer("alice"))).json()
        admin = (await town.gateway.get("/me", headers=town.bearer("ada"))).json()
    rules = town.gateway.app.state.collaborators.rules
    of_admins = {action for action, one in rules.items() if one.roles == {ADMIN} and not one.hidden}
    assert of_admins
    assert of_admins == set(admin["actions"]) - set(user["actions"])
    assert set(user["actions"]) < set(admin["actions"])
    assert user["auth"] == {"mode": "users", "user_auth_enabled": True}
    assert user["routing"] == {"mode": "per-principal", "one_user_one_runtime": True}
