"""What users left behind is listed, handed on, and purged by its id said twice."""

import json

from tests.app.conftest import Perdure
from tests.support.scripted_gateway import ScriptedGateway

PLACE = "/admin/runtime-reservations"
LEFT = {
    "tenant_id": "default", "runtime_id": "carl", "owner_key": "default:carl", "owner_user_id": "carl",
    "reason": "deleted-user", "created_at": "2026-11-21", "updated_at": "2026-11-21", "data_exists": True,
    "data_path": "planes/default/carl",
}  # fmt: skip


def test_they_are_listed_page_by_page(perdure: Perdure, gateway: ScriptedGateway) -> None:
    first = {"runtime_reservations": [LEFT], "next_cursor": "carl"}
    rest = {"runtime_reservations": [LEFT | {"runtime_id": "dora"}], "next_cursor": None}
    gateway.on("GET", PLACE, (200, first), (200, rest))
    lines = perdure("runtimes", "list").out.splitlines()
    assert lines[1].split() == ["carl", "carl", "deleted-user", "yes", "planes/default/carl"]
    assert lines[2].split()[0] == "dora"


def test_one_is_handed_on(perdure: Perdure, gateway: ScriptedGateway) -> None:
    told = {"ok": True, "transferred": True, "previous_runtime_id": "bob"}
    gateway.on("POST", f"{PLACE}/carl/transfer", (200, told))
    ran = perdure("runtimes", "transfer", "carl", "--to", "bob")
    assert "bob has carl now" in ran.out
    (asked,) = gateway.asked("POST", f"{PLACE}/carl/transfer")
    sent = json.loads(asked.body)
    assert (sent["target_user_id"], sent["confirm_runtime_id"]) == ("bob", "carl")


def test_one_is_purged_by_what_was_said_twice(perdure: Perdure, gateway: ScriptedGateway) -> None:
    told = {"ok": True, "purged": True, "tenant_id": "default", "runtime_id": "carl"}
    gateway.on("POST", f"{PLACE}/carl/purge", (200, told))
    assert perdure("runtimes", "purge", "carl").code == 2
    assert gateway.asked("POST", f"{PLACE}/carl/purge") == []
    assert "default/carl is gone" in perdure("runtimes", "purge", "carl", "--confirm", "carl").out
    (asked,) = gateway.asked("POST", f"{PLACE}/carl/purge")
    assert json.loads(asked.body)["confirm_runtime_id"] == "carl"
