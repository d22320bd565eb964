"""Whoever asks is told who they are, and the installation's token signs no browser in."""

import pytest

from tests.support.gateway import TOKEN, Gateway

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


async def test_the_token_of_an_installation_signs_nobody_in(gateway: Gateway) -> None:
    texts = set()
    for user, token in (("local-admin", TOKEN), ("local-admin", "wrong"), ("nobody", "wrong")):
        answer = await gateway.post(
            "/session/login", {"user_id": user, "token": token}, headers={"authorization": ""}
        )
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        texts.add(answer.json()["detail"])
    assert len(texts) == 1


@pytest.mark.parametrize(
    "body", [{}, {"user_id": "a", "token": ""}, {"user_id": "a", "token": "b", "more": 1}]
)
async def test_a_sign_in_has_its_fields_and_no_others(
    gateway: Gateway, body: dict[str, str]
) -> None:
    assert (await gateway.post("/session/login", body)).status_code == 422


async def test_signing_out_without_a_session_ends_none(gateway: Gateway) -> None:
    assert (await gateway.post("/session/logout")).json() == {"ok": True, "deleted": False}
