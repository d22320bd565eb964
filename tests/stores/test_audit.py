"""What is promised of the audit chains: no gap, no repeat, and found by what is asked."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure.adapters.sql.audit import SqlAudit
from perdure.adapters.sql.control import SqlControl, open_postgres_control, open_sqlite_control
from perdure.adapters.sql.plane import Pools
from perdure.clock import text_of
from perdure.identity.audit import INTENT, Entry, Head, opening_line, signature_line, verify
from perdure.ids import RuntimeId, TenantId, new_id
from perdure.stores.audit import (
    AuditQuery,
    Carried,
    Pending,
    body_of,
    fields_of,
    origin_of,
)
from perdure.stores.notary import checkpoint_of, seal_of
from tests.support.chains import AT, KEYS, NOTARY, TENANT, an_entry
from tests.support.clock import START
from tests.support.planes import DATABASES, shared_engine

pytestmark = pytest.mark.anyio

BETA = TenantId("beta")


class Chains:
    """The store under test, and the control store that it lies in."""

    def __init__(self, control: SqlControl, pools: Pools) -> None:
        self.control, self.pools = control, pools
        self.audit = SqlAudit(control.database, pools.readers)

    def tamper(self, statement: str) -> None:
        """Change something behind the store's back."""
        from sqlalchemy import text

        from perdure.adapters.sql.statements import Sql

        with self.control.database.writing() as session:
            session.run(Sql(text(statement)))


@pytest.fixture(params=DATABASES)
async def chains(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Chains]:
    """Chains in a fresh control store."""
    pools = Pools()
    if request.param == "sqlite":
        control = await open_sqlite_control(tmp_path / "control.db", pools.readers)
    else:
        control = await open_postgres_control(shared_engine(), pools.readers, f"control {new_id()}")
    opened = Chains(control, pools)
    yield opened
    await opened.audit.close()
    await control.close()
    pools.close()


def at(seconds: float) -> str:
    """The time so long after the start."""
    return text_of(START + timedelta(seconds=seconds))


async def export(audit: SqlAudit, tenant: TenantId = TENANT) -> list[bytes]:
    """Everything of a chain, as an export has it."""
    records = await audit.records(tenant, after=0, limit=10_000)
    marks = {it.head.seq: it for it in await audit.checkpoints(tenant, after=0, limit=1_000)}
    lines = [opening_line(tenant, 0, bytes(32))]
    for record in records:
        lines.append(record.line())
        if record.seq in marks:
            lines.append(signature_line("checkpoint", marks[record.seq]))
    seal = seal_of(NOTARY, await audit.head(tenant), AT, 0)
    return [*lines, signature_line("seal", seal)]


async def found(audit: SqlAudit, **asked: Any) -> list[int]:
    """The numbers of what a query lists."""
    page = await audit.page(AuditQuery(TENANT, **asked))
    return [record.seq for record in page.items]


async def test_a_chain_has_no_gap_however_many_append_at_once(chains: Chains) -> None:
    entries = [an_entry(n) for n in range(60)]
    numbers = await asyncio.gather(*(chains.audit.append(it) for it in entries))
    assert sorted(numbers) == list(range(1, 61))
    assert verify(await export(chains.audit), KEYS.signed).records == 60


async def test_two_processes_chain_into_one(chains: Chains) -> None:
    other = SqlAudit(chains.control.database, chains.pools.readers)
    await asyncio.gather(
        *(it.append(an_entry(n)) for n in range(25) for it in (chains.audit, other))
    )
    assert verify(await export(chains.audit), KEYS.signed).records == 50
    await other.close()


async def test_each_tenant_has_a_chain_of_its_own(chains: Chains) -> None:
    for tenant in (TENANT, BETA, TENANT):
        await chains.audit.append(an_entry(tenant=tenant))
    assert [(it.tenant, it.seq) for it in await chains.audit.heads()] == [(TENANT, 2), (BETA, 1)]
    assert (await chains.audit.head(TenantId("nobody"))).seq == 0
    assert verify(await export(chains.audit, BETA), KEYS.signed).ok


async def test_what_a_plane_hands_over_twice_is_in_the_chain_once(chains: Chains) -> None:
    bodies = [body_of(an_entry(n)) for n in range(1_200)]
    carried = [
        Carried(origin_of(RuntimeId("alice"), Pending(n, body)), body)
        for n, body in enumerate(bodies)
    ]
    assert await chains.audit.carry(TENANT, carried[:700]) == 700
    again = await asyncio.gather(*(chains.audit.carry(TENANT, carried) for _ in range(2)))
    assert sorted(again) == [0, 500]
    assert await chains.audit.carry(TENANT, []) == 0
    records = await chains.audit.records(TENANT, after=0, limit=2_000)
    assert [record.body for record in records] == bodies


async def test_a_plane_that_counts_anew_after_a_purge_repeats_nothing(chains: Chains) -> None:
    first, second = (Pending(1, body_of(an_entry(n))) for n in (1, 2))
    origins = {origin_of(RuntimeId("alice"), it) for it in (first, second)}
    assert len(origins) == 2


async def test_an_intent_is_settled_by_its_outcome_once(chains: Chains) -> None:
    intents = [await chains.audit.append(an_entry(n, outcome=INTENT)) for n in range(2)]
    await chains.audit.append(an_entry(0, outcome="failed"), settles=intents[0])
    page = await chains.audit.page(AuditQuery(TENANT, outcome=INTENT))
    assert [(it.seq, it.settled) for it in page.items] == [
        (intents[1], None),
        (intents[0], "failed"),
    ]


async def test_entries_are_found_by_what_is_asked(chains: Chains) -> None:
    for n in range(14):
        await chains.audit.append(an_entry(n, at=at(n), outcome="denied" if n % 2 else "done"))
    await chains.audit.append(Entry(TENANT, "root", "user:write", "user", at(99), subject="user-3"))
    audit = chains.audit
    assert await found(audit, actor="user-3") == [11, 4]
    assert await found(audit, subject="user-3") == [15, 11, 4]
    assert await found(audit, action="user:write") == [15]
    assert await found(audit, resource_class="run", outcome="denied", limit=3) == [14, 12, 10]
    assert await found(audit, request_id="r5") == [6]
    assert await found(audit, since=at(3), until=at(6)) == [6, 5, 4]
    assert await found(audit, actor="'; drop table audit") == []


async def test_pages_follow_one_another_without_gap_or_repeat(chains: Chains) -> None:
    await asyncio.gather(*(chains.audit.append(an_entry(n)) for n in range(25)))
    before, pages = None, []
    while True:
        page = await chains.audit.page(AuditQuery(TENANT, limit=10, before=before))
        pages.append([record.seq for record in page.items])
        await chains.audit.append(an_entry())  # what comes meanwhile shifts nothing
        if page.next is None:
            break
        before = page.next
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [seq for page in pages for seq in page] == list(range(25, 0, -1))


async def test_checkpoints_are_kept_once_and_in_order(chains: Chains) -> None:
    for n in range(6):
        await chains.audit.append(an_entry(n))
        if n % 2:
            mark = checkpoint_of(NOTARY, await chains.audit.head(TENANT), AT)
            await chains.audit.mark(mark)
            await chains.audit.mark(mark)
    kept = await chains.audit.checkpoints(TENANT, after=2, limit=9)
    assert [it.head.seq for it in kept] == [4, 6]
    assert await chains.audit.marked() == {TENANT: 6}
    assert verify(await export(chains.audit), KEYS.signed).ok


@pytest.mark.parametrize(
    ("harm", "bad_seq"),
    [
        ("DELETE FROM audit WHERE seq = 5", 5),
        ("DELETE FROM audit WHERE seq > 7", 8),
        ("UPDATE audit SET hash = body WHERE seq = 3", 3),
        ("UPDATE audit SET seq = seq + 100 WHERE seq = 4", 4),
        ("UPDATE audit SET body = (SELECT body FROM audit WHERE seq = 2) WHERE seq = 6", 6),
    ],
)
async def test_a_change_behind_the_stores_back_is_located(
    chains: Chains, harm: str, bad_seq: int
) -> None:
    await asyncio.gather(*(chains.audit.append(an_entry(n)) for n in range(10)))
    chains.tamper(harm)
    verdict = verify(await export(chains.audit), KEYS.signed)
    assert (verdict.ok, verdict.bad_seq) == (False, bad_seq), verdict.why


async def test_texts_that_a_column_cannot_hold_are_kept_in_the_body(chains: Chains) -> None:
    await chains.audit.append(an_entry(0, actor="a\x00b", facts={"at": START}))
    (record,) = await chains.audit.records(TENANT, after=0, limit=9)
    assert fields_of(record.body)["actor"] == "a\x00b"
    assert verify(await export(chains.audit), KEYS.signed).ok


async def test_a_head_names_its_chain(chains: Chains) -> None:
    await chains.audit.append(an_entry())
    (record,) = await chains.audit.records(TENANT, after=0, limit=9)
    assert await chains.audit.head(TENANT) == Head(TENANT, 1, record.hash)
