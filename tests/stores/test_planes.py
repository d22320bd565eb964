"""What is promised of the control store: a plane's due time may be early, and is never late."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from perdure.adapters.sql.control import SqlControl, open_postgres_control, open_sqlite_control
from perdure.adapters.sql.plane import Pools
from perdure.clock import text_of
from perdure.errors import StoreFailed
from perdure.ids import RuntimeId, TenantId, new_id
from perdure.stores.planes import QUIET_S, PlaneEntry
from tests.support.clock import START
from tests.support.planes import DATABASES, shared_engine

pytestmark = pytest.mark.anyio

ACME, BETA = TenantId("acme"), TenantId("beta")
ALICE, BOB = RuntimeId("alice"), RuntimeId("bob")


def at(seconds: float) -> str:
    """The time so long after the start."""
    return text_of(START + timedelta(seconds=seconds))


@pytest.fixture(params=DATABASES)
async def control(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlControl]:
    """A fresh control store."""
    pools = Pools()
    if request.param == "sqlite":
        opened = await open_sqlite_control(tmp_path / "control.db", pools.readers)
    else:
        schema = f"control {new_id()}"
        opened = await open_postgres_control(shared_engine(), pools.readers, schema)
    yield opened
    await opened.close()
    pools.close()


async def due(control: SqlControl, seconds: float) -> list[RuntimeId]:
    """The planes that are due then."""
    return [it.runtime for it in await control.due_planes(now=at(seconds), limit=9)]


async def test_a_plane_is_entered_once(control: SqlControl) -> None:
    entries = await asyncio.gather(*(control.enter(ACME, ALICE, at=at(n)) for n in range(4)))
    assert len(set(entries)) == 1
    assert entries[0].due_at is None
    others = [await control.enter(ACME, BOB, at=at(0)), await control.enter(BETA, ALICE, at=at(0))]
    assert len({it.schema_name for it in (entries[0], *others)}) == 3


async def test_a_due_time_is_lowered_and_never_raised_by_a_note(control: SqlControl) -> None:
    await control.enter(ACME, ALICE, at=at(0))
    assert await due(control, 999) == []
    for noted, stands in ((50, 50), (70, 50), (20, 20), (20, 20)):
        assert control.note_due(ACME, ALICE, at(noted), at=at(1)) == at(stands)
    assert await due(control, 19) == []
    assert await due(control, 20) == [ALICE]


async def test_planes_are_due_earliest_first(control: SqlControl) -> None:
    for runtime, seconds in ((ALICE, 30), (BOB, 10)):
        await control.enter(ACME, runtime, at=at(0))
        control.note_due(ACME, runtime, at(seconds), at=at(1))
    assert await due(control, 30) == [BOB, ALICE]
    assert len(await control.due_planes(now=at(30), limit=1)) == 1


async def test_a_due_time_is_raised_only_when_nobody_relies_on_it(control: SqlControl) -> None:
    await control.enter(ACME, ALICE, at=at(0))
    control.note_due(ACME, ALICE, at(10), at=at(5))
    (read,) = await control.due_planes(now=at(20), limit=9)
    assert not await control.settle_due(read, None, now=at(5 + QUIET_S - 1))
    assert await due(control, 20) == [ALICE]
    assert await control.settle_due(read, at(500), now=at(5 + QUIET_S))
    assert await due(control, 499) == []
    assert await due(control, 500) == [ALICE]


async def test_a_due_time_that_changed_since_is_not_raised(control: SqlControl) -> None:
    await control.enter(ACME, ALICE, at=at(0))
    control.note_due(ACME, ALICE, at(10), at=at(0))
    (read,) = await control.due_planes(now=at(10), limit=9)
    control.note_due(ACME, ALICE, at(8), at=at(0))
    assert not await control.settle_due(read, None, now=at(9999))
    assert await due(control, 8) == [ALICE]


async def test_a_plane_with_nothing_to_do_is_not_due(control: SqlControl) -> None:
    await control.enter(ACME, ALICE, at=at(0))
    control.note_due(ACME, ALICE, at(10), at=at(0))
    (read,) = await control.due_planes(now=at(10), limit=9)
    assert await control.settle_due(read, None, now=at(9999))
    assert await due(control, 9999) == []
    assert control.note_due(ACME, ALICE, at(77), at=at(70)) == at(77)


async def test_every_plane_is_found_without_its_time(control: SqlControl) -> None:
    for number in range(5):
        await control.enter(ACME if number % 2 else BETA, RuntimeId(f"r{number}"), at=at(0))
    seen: list[PlaneEntry] = []
    while page := await control.planes(after=seen[-1] if seen else None, limit=2):
        seen += page
    assert [(it.tenant, it.runtime) for it in seen] == [
        (ACME, "r1"), (ACME, "r3"), (BETA, "r0"), (BETA, "r2"), (BETA, "r4"),
    ]  # fmt: skip


async def test_the_schema_of_a_plane_is_written_down(control: SqlControl) -> None:
    await control.enter(ACME, ALICE, at=at(0))
    await control.migrated(ACME, ALICE, "0099")
    assert (await control.enter(ACME, ALICE, at=at(1))).schema_version == "0099"


async def test_nothing_is_noted_of_a_plane_that_nobody_entered(control: SqlControl) -> None:
    with pytest.raises(StoreFailed):
        control.note_due(ACME, ALICE, at(1), at=at(0))


async def test_who_closed_a_plane_alone_need_not_wait_to_settle_it(control: SqlControl) -> None:
    await control.enter(ACME, ALICE, at=at(0))
    control.note_due(ACME, ALICE, at(10), at=at(5))
    read = await control.entry(ACME, ALICE)
    assert read is not None
    assert await control.settle_due(read, at(70), now=at(5), quiet_s=0)
    assert await due(control, 69) == []
    assert await due(control, 70) == [ALICE]


async def test_the_next_due_time_of_all_is_known(control: SqlControl) -> None:
    assert await control.next_due(after=at(0)) is None
    for runtime, seconds in ((ALICE, 30), (BOB, 10)):
        await control.enter(ACME, runtime, at=at(0))
        control.note_due(ACME, runtime, at(seconds), at=at(1))
    assert await control.next_due(after=at(0)) == at(10)
    assert await control.next_due(after=at(10)) == at(30)
    assert await control.next_due(after=at(30)) is None


async def test_a_plane_that_left_is_known_no_more(control: SqlControl) -> None:
    await control.enter(ACME, ALICE, at=at(0))
    control.note_due(ACME, ALICE, at(10), at=at(5))
    for _ in range(2):
        await control.leave(ACME, ALICE)
        assert await control.entry(ACME, ALICE) is None
    assert await due(control, 999) == []
