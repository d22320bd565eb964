"""Users are listed, made, changed and deleted over the API; the first admin gets in again without it."""

import json
from pathlib import Path

import pytest

from perdure.app.settings import read_settings
from perdure.app.token_files import bootstrap_path
from tests.app.conftest import Perdure
from tests.support.scripted_gateway import ScriptedGateway

USER = {
    "user_id": "alice", "tenant_id": "default", "email": "a@example.org", "roles": ["user"], "scopes": [],
    "enabled": True, "runtime_id": "alice", "created_at": "2026-11-21", "updated_at": "2026-11-21",
}  # fmt: skip
KNOWN = {
    "id": "t1", "name": "ci", "fingerprint": "f00", "created_at": "2026-11-21", "expires_at": None,
    "overlap_until": None, "last_used_at": None,
}  # fmt: skip
ALICE = "/admin/users/alice"


def test_users_are_listed_page_by_page(perdure: Perdure, gateway: ScriptedGateway) -> None:
    idle = USER | {"user_id": "bob", "enabled": False}
    first, rest = {"users": [USER], "next_cursor": "alice"}, {"users": [idle], "next_cursor": None}
    gateway.on("GET", "/admin/users", (200, first), (200, rest))
    lines = perdure("users", "list", "--tenant", "acme").out.splitlines()
    assert lines[1].split() == ["alice", "user", "alice", "a@example.org"]
    assert lines[2].split()[-1] == "disabled"
    asked = [it.path for it in gateway.asked("GET", "/admin/users")]
    assert all("tenant_id=acme" in it for it in asked)
    assert "cursor=alice" in asked[1]


def test_a_user_is_made_and_their_token_shown(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("POST", "/admin/users", (200, {"user": USER, "token": "agw_once"}))
    ran = perdure("users", "add", "alice", "--role", "user", "--role", "admin", "--scope", "run:*")
    assert ran.out.rstrip().endswith("agw_once")
    (asked,) = gateway.asked("POST", "/admin/users")
    sent = json.loads(asked.body)
    assert (sent["user_id"], sent["roles"], sent["scopes"]) == ("alice", ["user", "admin"], ["run:*"])  # fmt: skip


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (("rotate", "alice", "--overlap", "60"), {"rotate_token": True, "overlap_s": 60}),
        (("disable", "alice"), {"enabled": False}),
        (("enable", "alice"), {"enabled": True}),
    ],
)
def test_a_user_is_changed(
    perdure: Perdure, gateway: ScriptedGateway, words: tuple[str, ...], body: dict[str, object]
) -> None:
    gateway.on("PATCH", ALICE, (200, {"user": USER}))
    assert perdure("users", *words).code == 0
    assert json.loads(gateway.asked("PATCH", ALICE)[0].body) == body


def test_a_user_is_shown_and_deleted(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("GET", ALICE, (200, {"user": USER}))
    assert "a@example.org" in perdure("users", "show", "alice").out
    gone = {"ok": True, "deleted": True, "user_id": "alice", "tenant_id": "default"}
    gateway.on("DELETE", ALICE, (200, gone))
    assert "default/alice is deleted" in perdure("users", "delete", "alice").out


def test_tokens_are_listed_made_and_revoked(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("GET", f"{ALICE}/tokens", (200, {"tokens": [KNOWN]}))
    assert perdure("users", "tokens", "alice").out.splitlines()[1].split()[:3] == ["t1", "ci", "f00"]  # fmt: skip
    gateway.on("POST", f"{ALICE}/tokens", (200, {"token": "agw_once", "known": KNOWN}))
    made = perdure("users", "tokens", "alice", "--add", "ci", "--expires-at", "2027-01-31T00:00:00Z")  # fmt: skip
    assert made.out.rstrip().endswith("agw_once")
    gateway.on("DELETE", f"{ALICE}/tokens/t1", (200, {"ok": True, "revoked": True, "id": "t1"}))
    assert "t1 is revoked" in perdure("users", "tokens", "alice", "--revoke", "t1").out


def test_the_first_admin_gets_in_again_without_a_gateway(perdure: Perdure, home: Path) -> None:
    path = bootstrap_path(read_settings())
    told = []
    for _ in range(2):
        ran = perdure("users", "bootstrap")
        assert ran.code == 0, ran.err
        assert ran.out.strip() == path.read_text().strip()
        told.append(ran.out)
    assert told[0] != told[1]
    assert path.is_relative_to(home)
