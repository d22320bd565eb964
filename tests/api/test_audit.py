"""What the audit shows to whom: the whole of it to admins, to everybody what concerns them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from perdure.identity.audit import verify
from perdure.ids import TenantId
from perdure.services.audit import acting, entry_of, note, vouch
from tests.support.audited import entries
from tests.support.callers import Known, a_principal
from tests.support.chains import KEYS, an_entry
from tests.support.gateway import FEATURES, Gateway, Options, a_gateway

pytestmark = pytest.mark.anyio

HOME = TenantId("default")
ROOT, ALICE, BOB = (a_principal(it, admin=it == "root") for it in ("root", "alice", "bob"))
STRANGER = a_principal("stranger", tenant="beta", admin=True)


@pytest.fixture
async def users(tmp_path: Path, database: str) -> AsyncIterator[Gateway]:
    """A gateway that root, alice, bob and an admin of another tenant may come to."""
    known = Known(ROOT, ALICE, BOB, STRANGER)
    options = Options(credentials=known, runs=False, features=FEATURES, database=database)
    async with a_gateway(tmp_path, options) as one:
        yield one


def as_(user: str) -> dict[str, Any]:
    """The options of a request that somebody makes."""
    return {"headers": {"authorization": f"Bearer {user}"}}


async def ask(gateway: Gateway, user: str, path: str, **query: Any) -> Any:
    """What somebody is answered."""
    answer = await gateway.get(path, params=query, **as_(user))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def fill(gateway: Gateway, count: int = 12) -> None:
    """Let alice and bob have done things in turn."""
    for n in range(count):
        who = (ALICE, BOB)[n % 2]
        entry = entry_of(who, "run:start", request_id=f"r{n}", address="10.0.0.9")
        await note(gateway.control, entry._replace(target=f"run-{n}"))


async def test_an_admin_lists_by_any_filter_in_pages(users: Gateway) -> None:
    await fill(users)
    page = await ask(users, "root", "/audit", actor="alice", limit=4)
    assert [it["target"] for it in page["items"]] == ["run-10", "run-8", "run-6", "run-4"]
    rest = await ask(users, "root", "/audit", actor="alice", limit=4, cursor=page["next_cursor"])
    assert [it["target"] for it in rest["items"]] == ["run-2", "run-0"]
    assert rest["next_cursor"] is None
    found = await ask(
        users, "root", "/audit", request_id="r7", resource_class="run", outcome="done"
    )
    assert [(it["seq"], it["actor"], it["address"]) for it in found["items"]] == [
        (8, "bob", "10.0.0.9")
    ]
    assert len(found["items"][0]["hash"]) == 64
    assert (await ask(users, "root", "/audit", since="2030-01-01T00:00:00Z"))["items"] == []


async def test_promise_58_the_audit_of_all_is_for_admins_only(users: Gateway) -> None:
    for path in ("/audit", "/audit/tail", "/audit/export", "/audit/checkpoints"):
        answer = await users.get(path, **as_("alice"))
        told = answer.json()
        assert (answer.status_code, told["reason_code"]) == (403, "admin_required"), path
        assert (told["resource_class"], told["action"]) == ("audit", "read")


async def test_promise_74_a_denied_attempt_is_an_audit_event(users: Gateway) -> None:
    for _ in range(5):
        await users.get("/audit/export", **as_("alice"))
    (entry,) = await entries(users.control, HOME)
    assert (entry["actor"], entry["action"], entry["outcome"]) == ("alice", "audit:read", "denied")
    assert (entry["reason_code"], entry["subject"]) == ("admin_required", "alice")
    assert entry["request_id"]


async def test_promise_15_a_wrong_credential_is_an_audit_event(users: Gateway) -> None:
    for _ in range(3):
        assert (await users.get("/me", **as_("mallory"))).status_code == 401
    (entry,) = await entries(users.control, HOME)
    assert (entry["actor"], entry["action"], entry["reason_code"]) == (
        "(nobody)", "gate:enter", "unauthenticated",
    )  # fmt: skip
    assert "mallory" not in str(entry)


async def test_who_shows_nothing_leaves_nothing(users: Gateway) -> None:
    answer = await users.client.get("/api/gateway/me", headers={"authorization": ""})
    assert answer.status_code == 401
    del users.client.headers["authorization"]
    await users.client.get("/api/gateway/me")
    assert len(await entries(users.control, HOME)) <= 1


async def test_another_tenants_chain_is_as_one_that_is_not_there(users: Gateway) -> None:
    await fill(users)
    for path in ("/audit", "/audit/tail", "/audit/checkpoints"):
        theirs = await users.get(path, params={"tenant_id": "default"}, **as_("stranger"))
        nobodys = await users.get(path, params={"tenant_id": "no-such"}, **as_("stranger"))
        assert theirs.content == nobodys.content, path
        assert b"alice" not in theirs.content
    assert (await ask(users, "stranger", "/audit"))["items"] == []


async def test_everybody_sees_what_concerns_them_and_nothing_else(users: Gateway) -> None:
    await fill(users)
    entry = entry_of(ROOT, "user:read", address="10.9.9.9")
    await note(users.control, entry._replace(subject="alice", facts={"reason": "she asked"}))
    own = await ask(users, "alice", "/me/audit", limit=4)
    assert {it["subject"] for it in own["items"]} == {"alice"}
    assert (own["items"][0]["actor"], own["items"][0]["facts"]) == ("root", {"reason": "she asked"})
    assert "address" not in own["items"][0]
    assert own["items"][1]["address"] == "10.0.0.9"
    rest = await ask(users, "alice", "/me/audit", cursor=own["next_cursor"])
    targets = [it["target"] for it in [*own["items"], *rest["items"]]]
    assert targets == ["", "run-10", "run-8", "run-6", "run-4", "run-2", "run-0"]


async def test_ones_own_view_does_not_count_what_others_do(users: Gateway) -> None:
    await fill(users)
    before = await ask(users, "alice", "/me/audit", limit=2)
    assert all(
        name not in item for item in before["items"] for name in ("seq", "hash", "prev_hash")
    )
    assert before["next_cursor"][16:] != f"{9:016x}"
    for cursor in ("", "zz", "00" * 16, "00" * 15, before["next_cursor"][:-2]):
        answer = await users.get("/me/audit", params={"cursor": cursor}, **as_("alice"))
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), cursor


async def test_an_intent_that_nobody_settled_reads_as_unknown(users: Gateway) -> None:
    async with acting(users.control, entry_of(ROOT, "user:write")):
        (item,) = (await ask(users, "root", "/audit"))["items"]
        assert (item["outcome"], item["settled"]) == ("intent", "unknown")
    items = (await ask(users, "root", "/audit"))["items"]
    assert [(it["outcome"], it.get("settled")) for it in items] == [
        ("done", None),
        ("intent", "done"),
    ]


async def test_the_tail_is_lines_of_json(users: Gateway) -> None:
    await fill(users)
    told = await ask(users, "root", "/audit/tail")
    assert (told["ok"], told["truncated"], told["bytes"]) == (True, False, len(told["content"]))
    assert len(told["content"].splitlines()) == 12
    short = await ask(users, "root", "/audit/tail", max_bytes=1_000)
    assert (short["truncated"], short["bytes"] <= 1_000) == (True, True)


async def test_an_export_and_the_public_key_are_all_that_a_check_needs(users: Gateway) -> None:
    from perdure.adapters.notary import PublicKeys

    await fill(users)
    await vouch(users.control)
    answer = await users.get("/audit/export", **as_("root"))
    assert answer.headers["content-type"] == "application/jsonl"
    told = await ask(users, "root", "/audit/checkpoints")
    keys = PublicKeys([told["public_key"].encode()])
    verdict = verify(answer.content.splitlines(), keys.signed)
    assert (verdict.ok, verdict.records, verdict.tenant) == (True, 12, "default")
    assert [it["seq"] for it in told["items"]] == [12]
    assert (told["head"]["seq"], told["key_id"]) == (12, told["items"][0]["key_id"])
    assert KEYS.signed(told["key_id"], b"", b"") is False


async def test_an_entry_of_any_text_is_told_as_json(users: Gateway) -> None:
    await note(users.control, an_entry(tenant=HOME, target='"},{', facts={"é": "\x00"}))
    (item,) = (await ask(users, "root", "/audit"))["items"]
    assert (item["target"], item["facts"]) == ('"},{', {"é": "\x00"})
