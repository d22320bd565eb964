"""An act is on the record before it happens; how it ended follows; what nobody wrote reads as unknown."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from perdure.adapters.sql.statements import Sql
from perdure.errors import Conflict, Forbidden, StoreFailed, Unauthenticated
from perdure.identity.audit import Entry, verify
from perdure.identity.credentials import local_admin
from perdure.ids import TenantId
from perdure.runtimes.control import ControlContext
from perdure.services.audit import (
    HOME,
    acting,
    chain_of,
    checkpoints,
    entry_of,
    export,
    listed,
    note,
    outcome_of,
    tail,
    vouch,
)
from perdure.stores.audit import AuditQuery, fields_of
from tests.support.audited import audited, entries
from tests.support.chains import KEYS, TENANT, an_entry
from tests.support.planes import DATABASES

pytestmark = pytest.mark.anyio


@pytest.fixture(params=DATABASES)
async def control(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ControlContext]:
    """Chains and a notary, on each database."""
    async with audited(tmp_path, request.param) as opened:
        yield opened


def an_act(**changes: Any) -> Entry:
    """An admin changes a user."""
    return Entry(TENANT, "root", "user:write", "user", **changes)


async def told(control: ControlContext) -> list[tuple[str, ...]]:
    """What the chain says of acts, in short."""
    return [(it["outcome"], it["subject"], it["reason_code"]) for it in await entries(control)]


async def test_an_act_is_an_intent_and_then_an_outcome(control: ControlContext) -> None:
    async with acting(control, an_act(target="bob")) as act:
        assert await told(control) == [("intent", "root", "")], (
            "nothing is done before it is written"
        )
        act.about(subject="bob", roles=["user"])
    assert await told(control) == [("intent", "root", ""), ("done", "bob", "")]
    last = (await entries(control))[-1]
    assert (last["settles"], last["facts"], last["target"]) == (1, {"roles": ["user"]}, "bob")
    assert last["at"] == (await entries(control))[0]["at"] == "2026-01-01T00:00:00.000000+00:00"


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        (Conflict("taken"), ("failed", "conflict")),
        (Forbidden(reason_code="admin_required"), ("denied", "admin_required")),
        (Unauthenticated(), ("denied", "unauthenticated")),
        (ZeroDivisionError(), ("failed", "internal_error")),
        (asyncio.CancelledError(), ("failed", "cut_off")),
    ],
)
async def test_how_an_act_fails_is_on_the_record(raised: BaseException, outcome: tuple[str, str], tmp_path: Path) -> None:  # fmt: skip
    assert outcome_of(raised) == outcome
    async with audited(tmp_path) as control:
        with pytest.raises(type(raised)):
            async with acting(control, an_act()):
                raise raised
        assert [it[::2] for it in await told(control)] == [("intent", ""), outcome]


async def test_what_cannot_be_written_down_is_not_done(tmp_path: Path) -> None:
    done = []
    async with audited(tmp_path) as control:
        with control.planes.database.writing() as session:  # type: ignore[attr-defined]  # of SqlControl
            session.run(Sql(text("DROP TABLE audit")))
        with pytest.raises(StoreFailed):
            async with acting(control, an_act()):
                done.append("it")
    assert done == []


async def test_an_intent_without_outcome_reads_as_unknown(control: ControlContext) -> None:
    act = acting(control, an_act())
    await act.__aenter__()  # and here the process ends
    page = await listed(control, AuditQuery(TENANT, action="user:write"))
    assert [(fields_of(it.body)["outcome"], it.settled) for it in page.items] == [("intent", None)]
    await act.__aexit__(None, None, None)


async def test_who_asks_decides_whose_chain_it_is() -> None:
    admin = local_admin("f")
    entry = entry_of(admin, "run:start", request_id="r" * 999, address="1.2.3.4")
    assert (entry.tenant, entry.actor, entry.resource_class) == ("default", "local-admin", "run")
    assert (chain_of(admin), len(entry.request_id)) == ("default", 200)
    nobody = entry_of(None, "session:login")
    assert (nobody.tenant, nobody.actor) == (HOME, "(nobody)")


async def test_the_tail_is_the_newest_that_fits(control: ControlContext) -> None:
    for n in range(450):
        await note(control, an_entry(n))
    content, more = await tail(control, TENANT, 1 << 20)
    lines = content.splitlines()
    assert (len(lines), more) == (450, False)
    assert [fields_of(line)["seq"] for line in lines] == list(range(1, 451))
    content, more = await tail(control, TENANT, 1_000)
    assert (len(content) <= 1_000, more) == (True, True)
    assert content.splitlines() == lines[-len(content.splitlines()) :]
    assert await tail(control, TenantId("empty"), 10) == (b"", False)


async def test_an_export_is_checked_by_the_public_key_alone(control: ControlContext) -> None:
    for n in range(30):
        await note(control, an_entry(n))
        if n % 10 == 5:
            assert await vouch(control) == 1
            assert await vouch(control) == 0, "there is nothing new to vouch for"
    lines = [line async for line in export(control, TENANT, after=0)]
    verdict = verify(lines, KEYS.signed)
    assert (verdict.ok, verdict.records, verdict.why) == (True, 30, None)
    assert sum(line.startswith(b'{"checkpoint"') for line in lines) == 3
    rest = [line async for line in export(control, TENANT, after=12)]
    assert (verify(rest, KEYS.signed).ok, verify(rest, KEYS.signed).records) == (True, 18)
    beyond = [line async for line in export(control, TENANT, after=99)]
    assert (verify(beyond, KEYS.signed).ok, len(beyond)) == (True, 2)


async def test_a_chain_that_was_cut_where_it_lies_disagrees_with_what_was_signed(
    control: ControlContext,
) -> None:
    for n in range(6):
        await note(control, an_entry(n))
    await vouch(control)
    (fourth,) = await control.audit.records(TENANT, after=3, limit=1)
    with control.planes.database.writing() as session:  # type: ignore[attr-defined]  # of SqlControl
        session.run(Sql(text("DELETE FROM audit WHERE seq > 4")))
        session.run(Sql(text("UPDATE audit_heads SET seq = 4, hash = (SELECT hash FROM audit WHERE seq = 4)")))  # fmt: skip
    assert (await control.audit.head(TENANT)).hash == fourth.hash
    verdict = verify([line async for line in export(control, TENANT, after=0)], KEYS.signed)
    assert (verdict.ok, verdict.bad_seq, verdict.why) == (
        False, 5, "the checkpoint speaks of entry 6, which is missing",
    )  # fmt: skip


async def test_checkpoints_are_listed_with_where_the_chain_stands(control: ControlContext) -> None:
    for n in range(3):
        await note(control, an_entry(n))
        await vouch(control)
    head, found = await checkpoints(control, TENANT, after=1, limit=9)
    assert (head.seq, [it.head.seq for it in found]) == (3, [2, 3])
