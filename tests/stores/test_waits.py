"""What is promised of waits by time: none is forgotten, and none comes early."""

from datetime import timedelta

import pytest

from perdure.clock import text_of
from perdure.ids import Key
from perdure.kernel.model import Cancel, Expired, Hold, Release
from perdure.stores.inbox import Emission, Message
from perdure.stores.waits import DueWait, Overdue
from tests.support.branches import Ask, Branches, Listen, Sleep
from tests.support.builders import a_deadline
from tests.support.clock import START
from tests.support.driving import Driven, a_driven_run
from tests.support.planes import Store

pytestmark = pytest.mark.anyio


def after(seconds: float) -> str:
    """The time so long after the start."""
    return text_of(START + timedelta(seconds=seconds))


async def test_waits_come_due_earliest_first_and_none_early(store: Store) -> None:
    slow = await a_driven_run(store.plane, Branches((Sleep(30),), (Sleep(10),)), "slow")
    quick = await a_driven_run(store.plane, Branches((Listen(20),), (Ask(),)), "quick")
    assert await store.plane.waits.next_due() == after(10)
    assert await store.plane.waits.due(now=after(9.999999), limit=9) == []
    first, second = slow.opened("1.0"), quick.opened("0.0")
    assert await store.plane.waits.due(now=after(20), limit=9) == [
        DueWait(slow.id, first.key, first.seq, after(10)),
        DueWait(quick.id, second.key, second.seq, after(20)),
    ]
    assert len(await store.plane.waits.due(now=after(30), limit=9)) == 3
    assert await store.plane.waits.next_due(after=after(10)) == after(20)
    assert await store.plane.waits.next_due(after=after(30)) is None


async def test_pages_of_due_waits_have_no_gap_and_no_repeat(store: Store) -> None:
    for n in range(4):
        await a_driven_run(store.plane, Branches(*[(Sleep(5 + n % 2),)] * 3), f"run {n}")
    seen: list[DueWait] = []
    while page := await store.plane.waits.due(
        now=after(9), limit=5, after=seen[-1] if seen else None
    ):
        seen += page
    assert len(seen) == len(set(seen)) == 12
    assert [it.due for it in seen] == sorted(it.due for it in seen)


async def test_a_wait_that_closed_is_not_due(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Sleep(5),), (Sleep(6),)))
    await driven.come_due("0.0")
    assert await store.plane.waits.next_due() == after(6)
    await driven.deliver(Cancel())
    assert await store.plane.waits.next_due() is None
    assert await store.plane.waits.due(now=after(99), limit=9) == []


async def test_waits_of_a_held_run_are_not_due_until_its_release(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Sleep(5),)))
    await driven.deliver(Hold())
    assert await store.plane.waits.next_due() is None
    assert await store.plane.waits.due(now=after(99), limit=9) == []
    await driven.deliver(Release())
    assert await store.plane.waits.next_due() == after(5)
    (due,) = await store.plane.waits.due(now=after(5), limit=9)
    assert due.run_id == driven.id


async def test_a_wait_that_an_event_is_on_its_way_to_does_not_come_due(store: Store) -> None:
    """Also where who was to bring the event has died, and its time has passed before another one does."""
    driven = await a_driven_run(store.plane, Branches((Listen(5),), (Sleep(9),)))
    store.tamper("UPDATE waits SET address = 'here' WHERE due = ?", after(5))
    emission = Emission("event", ("here",), {"payload": 1}, keep_until=after(99))
    assert (await store.plane.inbox.emit(emission, at=after(4))).run_ids == (driven.id,)
    assert await store.plane.waits.next_due() == after(9)
    (due,) = await store.plane.waits.due(now=after(50), limit=9)
    assert due.due == after(9)


async def test_a_due_wait_says_whether_an_answer_is_on_its_way_to_it(store: Store) -> None:
    """Leased or not, until somebody has settled it; an answer to what was open before says nothing."""
    driven = await a_driven_run(store.plane, Branches((Listen(5),), (Sleep(5),)))
    listens, inbox = driven.opened("0.0"), store.plane.inbox
    for name, seq in (("old", listens.seq - 1), ("answer", listens.seq)):
        message = Message(name, driven.id, "resume", listens.key, {}, opened_seq=seq)
        await inbox.put(message, body_hash="h", at=after(4))
    await inbox.claim("who died", now=after(4), until=after(90), limit=9)

    async def answered() -> set[Key]:
        due = await store.plane.waits.due(now=after(50), limit=9)
        assert len(due) == 2
        return {it.key for it in due if it.answered}

    assert await answered() == {listens.key}
    await inbox.settle("answer", "ignored: why not", at=after(50))
    assert not await answered()


async def test_a_wait_without_a_time_is_never_due(store: Store) -> None:
    await a_driven_run(store.plane, Branches((Ask(),)))
    assert await store.plane.waits.next_due() is None


async def test_who_decided_is_kept_with_the_wait(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Ask(),), (Ask(),)))
    await driven.answer("0.0", by="alice")
    rows = store.tamper(
        "SELECT decided_by, closed_seq, body IS NULL FROM waits WHERE closed_seq IS NOT NULL"
    )
    assert [(who, seq, bool(empty)) for who, seq, empty in rows] == [
        ("alice", driven.run.seq, True)
    ]


async def limited(store: Store, name: str, seconds: float) -> Driven:
    """A run that waits for an answer, and has so long to live."""
    deadline = a_deadline(seconds)
    return await a_driven_run(store.plane, Branches((Ask(),)), name, deadline=deadline)


async def test_deadlines_come_earliest_first_and_none_early(store: Store) -> None:
    late, soon = await limited(store, "late", 30), await limited(store, "soon", 10)
    await a_driven_run(store.plane, Branches((Ask(),)), "free")
    waits = store.plane.waits
    assert await waits.next_deadline() == after(10)
    assert await waits.next_deadline(after=after(10)) == after(30)
    assert await waits.next_deadline(after=after(30)) is None
    assert await waits.overdue(now=after(9.999999), limit=9) == []
    assert await waits.overdue(now=after(10), limit=9) == [Overdue(soon.id, after(10))]
    assert [it.run_id for it in await waits.overdue(now=after(99), limit=9)] == [soon.id, late.id]
    assert await waits.next_due() is None, "no wait comes due of it"


async def test_pages_of_deadlines_have_no_gap_and_no_repeat(store: Store) -> None:
    for n in range(7):
        await limited(store, f"run {n}", 5 + n % 2)
    seen: list[Overdue] = []
    while page := await store.plane.waits.overdue(
        now=after(9), limit=3, after=seen[-1] if seen else None
    ):
        seen += page
    assert len(seen) == len({it.run_id for it in seen}) == 7
    assert [it.deadline for it in seen] == sorted(it.deadline for it in seen)


async def test_a_hold_hides_no_deadline_and_an_end_takes_it_away(store: Store) -> None:
    held, ended, unbegun = await limited(store, "a", 5), await limited(store, "b", 5), Driven(store.plane, Branches((Ask(),)))  # fmt: skip
    await unbegun.bear("c", deadline=a_deadline(5))
    await held.deliver(Hold())
    await ended.answer("0.0")
    found = await store.plane.waits.overdue(now=after(5), limit=9)
    assert {it.run_id for it in found} == {held.id, unbegun.id}
    held.clock.advance(5)
    await held.deliver(Expired(after(5)))
    assert await store.plane.waits.overdue(now=after(5), limit=9) == [Overdue(unbegun.id, after(5))]
    unbegun.clock.advance(5)
    await unbegun.deliver(Expired(after(5)))
    assert await store.plane.waits.next_deadline() is None
