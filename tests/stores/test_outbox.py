"""What is promised of effects on their way: each is leased once, and marked before it may do harm."""

import asyncio

import pytest

from perdure.ids import Key, RunId
from perdure.kernel.model import Advance, Answered, Cancel, EffectClass, Hold, Release, Unknown
from tests.support.branches import Ask, Branches, Do
from tests.support.builders import AT
from tests.support.driving import LEASED_UNTIL, Driven, a_driven_run
from tests.support.planes import Store

pytestmark = pytest.mark.anyio

LATER = "2026-01-01T00:02:00.000000+00:00"
LATER_STILL = "2026-01-01T00:03:00.000000+00:00"


async def claimed(store: Store, holder: str = "you", *, now: str = LATER, until: str = LATER_STILL, limit: int = 99, run_id: RunId | None = None) -> list[Key]:  # fmt: skip
    """The keys that a claim brings."""
    pending = await store.plane.outbox.claim(
        holder, now=now, until=until, limit=limit, run_id=run_id
    )
    return [it.key for it in pending]


async def test_an_effect_is_born_leased_to_who_committed_it(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(EffectClass.IDEMPOTENT),)))
    assert await claimed(store, now=AT) == []
    entry = driven.opened("0.0")
    (pending,) = await store.plane.outbox.claim("you", now=LEASED_UNTIL, until=LATER, limit=9)
    assert (pending.run_id, pending.key, pending.effect) == (driven.id, entry.key, entry.what)
    assert (pending.attempts, pending.dispatched_at) == ((), None)
    assert await claimed(store, now=LEASED_UNTIL) == []


async def test_an_effect_without_a_holder_is_free_at_once(store: Store) -> None:
    driven = Driven(store.plane, Branches((Do(),)))
    await driven.bear()
    await driven.deliver(Advance(), holder=None, leased_until=None)
    assert await claimed(store, now=AT) == [driven.key("0.0")]


async def test_eight_workers_claiming_forty_effects_lease_each_once(store: Store) -> None:
    await a_driven_run(store.plane, Branches(*[(Do(),)] * 40))
    claims = [claimed(store, f"worker {n}", limit=5) for n in range(8)]
    leased = [key for keys in await asyncio.gather(*claims) for key in keys]
    assert len(leased) == len(set(leased)) == 40


async def test_effects_are_claimed_oldest_first_and_by_run(store: Store) -> None:
    one = await a_driven_run(store.plane, Branches((Do(),), (Do(),), (Do(),)), "one")
    other = await a_driven_run(store.plane, Branches((Do(),)), "other")
    assert await claimed(store, run_id=other.id) == [other.key("0.0")]
    assert await claimed(store, limit=2) == [one.key("0.0"), one.key("1.0")]
    assert await claimed(store) == [one.key("2.0")]


async def test_an_effect_that_arrived_is_gone(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(), Ask()), (Do(),)))
    await driven.arrive("0.0")
    assert await claimed(store) == [driven.key("1.0")]


async def test_effects_of_held_runs_are_left_alone_until_the_release(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(EffectClass.ONCE),)))
    key = driven.key("0.0")
    await driven.deliver(Hold())
    assert await claimed(store) == []
    assert await store.plane.outbox.next_due() is None
    assert not await store.plane.outbox.dispatch(driven.id, key, holder="me", at=AT)
    await driven.deliver(Release())
    assert await store.plane.outbox.dispatch(driven.id, key, holder="me", at=AT)
    assert await claimed(store) == [key]


async def test_effects_in_review_or_given_up_are_left_alone(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(EffectClass.ONCE),), (Do(),)))
    await driven.arrive("0.0", Unknown("cut"))
    assert await claimed(store, limit=1) == [driven.key("1.0")]
    await driven.deliver(Cancel())
    assert await claimed(store, now="9999") == []
    assert await store.plane.outbox.next_due() is None


async def test_a_dispatch_is_marked_once(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(EffectClass.ONCE),)))
    key = driven.key("0.0")
    marks = [store.plane.outbox.dispatch(driven.id, key, holder="me", at=AT) for _ in range(8)]
    assert sorted(await asyncio.gather(*marks)) == [*[False] * 7, True]
    (pending,) = await store.plane.outbox.claim("you", now=LATER, until=LATER_STILL, limit=9)
    assert pending.dispatched_at == AT


@pytest.mark.parametrize("above", ["parent_id", "root_id"])
async def test_nothing_is_marked_below_a_run_that_is_cancelled(store: Store, above: str) -> None:
    top = await a_driven_run(store.plane, Branches((Ask(),)), "top")
    driven = Driven(store.plane, Branches((Do(EffectClass.ONCE),)))
    await driven.bear(parent_id=top.id if above == "parent_id" else None, root_id=top.id)
    await driven.deliver(Advance())
    await top.deliver(Cancel())
    key = driven.key("0.0")
    assert not await store.plane.outbox.dispatch(driven.id, key, holder="me", at=AT)


async def test_only_the_holder_marks_a_dispatch_and_only_while_it_is_wanted(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(EffectClass.ONCE),)))
    outbox, key = store.plane.outbox, driven.key("0.0")
    assert not await outbox.dispatch(driven.id, key, holder="you", at=AT)
    assert not await outbox.dispatch(driven.id, Key("other"), holder="me", at=AT)
    assert not await outbox.dispatch(RunId("other"), key, holder="me", at=AT)
    await driven.deliver(Cancel())
    assert not await outbox.dispatch(driven.id, key, holder="me", at=AT)


async def test_a_retry_gives_the_lease_back_and_keeps_the_story(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(),)))
    outbox, key = store.plane.outbox, driven.key("0.0")
    attempts = ({"attempt": 1, "outcome": "failed"},)
    await outbox.retry_later(driven.id, key, attempts=attempts, due=LATER)
    assert await outbox.next_due() == LATER
    assert await claimed(store, now=LEASED_UNTIL) == []
    (pending,) = await outbox.claim("you", now=LATER, until=LATER_STILL, limit=9)
    assert pending.attempts == attempts
    assert not await outbox.dispatch(driven.id, key, holder="me", at=AT), "it is another's now"


async def test_the_mark_of_a_dispatch_is_taken_back_only_when_asked(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(EffectClass.ONCE),)))
    outbox, key = store.plane.outbox, driven.key("0.0")
    for undo, mark in ((False, AT), (True, None)):
        await outbox.dispatch(driven.id, key, holder="me", at=AT)
        await outbox.retry_later(driven.id, key, attempts=({},), due=LATER, undo_dispatch=undo)
        (pending,) = await outbox.claim("me", now=LATER, until=LATER_STILL, limit=9)
        assert pending.dispatched_at == mark


async def test_a_retry_of_what_has_arrived_does_nothing(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(),), (Ask(),)))
    key = driven.key("0.0")
    await driven.arrive("0.0")
    await store.plane.outbox.retry_later(driven.id, key, attempts=(), due=AT)
    assert await claimed(store) == []


async def test_leases_are_lengthened_by_their_holder_alone(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(),), (Do(),)))
    outbox, keys = store.plane.outbox, [(driven.id, driven.key(tag)) for tag in ("0.0", "1.0")]
    await outbox.renew("you", keys, until=LATER_STILL)
    assert await outbox.next_due() == LEASED_UNTIL
    await outbox.renew("me", keys[:1], until=LATER_STILL)
    assert await claimed(store) == [driven.key("1.0")]


async def test_what_a_person_wants_repeated_is_free_at_once_and_unmarked(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(EffectClass.ONCE),)))
    outbox, key = store.plane.outbox, driven.key("0.0")
    await outbox.dispatch(driven.id, key, holder="me", at=AT)
    await driven.arrive("0.0", Unknown("cut"))
    (review,) = (it for it in driven.run.open.values() if it.key != key)
    answer = {"resolution": "did_not_happen", "then": "retry"}
    await driven.deliver(Answered(review.key, answer, "alice"))
    (pending,) = await outbox.claim("me", now=AT, until=LATER, limit=9)
    assert (pending.key, pending.dispatched_at) == (key, None)


async def test_a_late_outcome_is_noted_on_what_was_given_up(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(),)))
    key = driven.key("0.0")
    await store.plane.outbox.ignored(driven.id, key, "not so late")
    await driven.deliver(Cancel())
    await store.plane.outbox.ignored(driven.id, key, "the run has ended")
    assert store.tamper("SELECT disposition FROM outbox") == [("ignored: the run has ended",)]


async def test_the_next_due_time_is_the_earliest(store: Store) -> None:
    assert await store.plane.outbox.next_due() is None
    driven = await a_driven_run(store.plane, Branches((Do(),), (Do(),)))
    await store.plane.outbox.retry_later(driven.id, driven.key("0.0"), attempts=({},), due=AT)
    assert await store.plane.outbox.next_due() == AT
