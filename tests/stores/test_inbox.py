"""What is promised of messages: each is taken in once, reaches its run once, and an event finds its wait."""

import asyncio
from collections.abc import Sequence

import pytest

from perdure.errors import CommandNotFound, DuplicateCommand
from perdure.ids import Key, RunId
from perdure.kernel.model import Answered, Cancel, Event, Hold, Release, Wait
from perdure.kernel.program import Done, Moment, Move, View
from perdure.kernel.values import Json
from perdure.stores.inbox import Accepted, Emission, Message
from tests.support.branches import Ask, Branches, Call
from tests.support.builders import AT, a_listener, a_run_id
from tests.support.driving import Driven, a_driven_run
from tests.support.planes import Store

pytestmark = pytest.mark.anyio

LATER = "2026-01-01T00:02:00.000000+00:00"
LATER_STILL = "2026-01-01T00:03:00.000000+00:00"
NEXT_WEEK = "2026-01-08T00:00:00.000000+00:00"
RUN = a_run_id()


class Listens:
    """Waits for events, one after the other, and ends with the last of them."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Open the next wait."""
        heard = cells.get("heard", ())
        if isinstance(event, Answered):
            heard = [*heard, event.payload]
        if len(heard) == len(self.addresses):
            return Move(end=Done(heard))
        wait = a_listener("e", match=self.addresses[len(heard)])
        return Move(writes={"heard": heard}, waits=(wait,))


async def put(store: Store, message_id: str, kind: str = "cancel", *, run_id: RunId = RUN, body: Json = None, body_hash: str = "h") -> Accepted:  # fmt: skip
    """Take a command in."""
    message = Message(message_id, run_id, kind, body=body, by="alice")
    return await store.plane.inbox.put(message, body_hash=body_hash, at=AT)


async def claimed(store: Store, *, now: str = AT, until: str = LATER, limit: int = 99, run_id: RunId | None = None) -> Sequence[Message]:  # fmt: skip
    """The messages that a claim brings."""
    return await store.plane.inbox.claim("me", now=now, until=until, limit=limit, run_id=run_id)


async def emitted(store: Store, event_id: str, *addresses: str, at: str = AT, keep_until: str = NEXT_WEEK) -> tuple[RunId, ...]:  # fmt: skip
    """The runs that an event reached."""
    emission = Emission(event_id, addresses, {"payload": event_id}, keep_until)
    return (await store.plane.inbox.emit(emission, at=at)).run_ids


async def take_events(store: Store, driven: Driven) -> list[str]:
    """Hand a run the events that are there for it; their ids."""
    taken = []
    for message in await claimed(store, run_id=driven.id, now=LATER, until=LATER_STILL):
        assert message.key is not None
        event = Answered(message.key, message.body, opened_seq=message.opened_seq)
        await driven.deliver(event, taken=message.id)
        taken.append(message.body["payload"])
    return taken


# --- commands ------------------------------------------------------------------------------------


async def test_a_command_is_taken_in_once(store: Store) -> None:
    first = await put(store, "c1")
    second = await put(store, "c2")
    again = await put(store, "c1")
    assert (first.duplicate, second.duplicate, again.duplicate) == (False, False, True)
    assert first.seq == again.seq < second.seq
    assert [it.id for it in await claimed(store)] == ["c1", "c2"]


async def test_the_same_id_with_another_body_is_refused(store: Store) -> None:
    first = await put(store, "c1")
    with pytest.raises(DuplicateCommand) as caught:
        await put(store, "c1", body_hash="other")
    assert caught.value.facts == {"seq": first.seq}


async def test_of_eight_callers_with_one_command_one_is_the_first(store: Store) -> None:
    accepted = await asyncio.gather(*(put(store, "c1") for _ in range(8)))
    assert sorted(it.duplicate for it in accepted) == [False, *[True] * 7]
    assert len({it.seq for it in accepted}) == 1


async def test_a_command_survives_a_restart_whole(store: Store) -> None:
    message = Message("c1", RUN, "resume", Key("k"), {"response": "Grüße"}, 7, "alice")
    await store.plane.inbox.put(message, body_hash="h", at=AT)
    await store.open_again()
    assert await claimed(store) == [message]


async def test_messages_are_leased_once_in_their_order(store: Store) -> None:
    for n in range(6):
        await put(store, f"c{n}", run_id=a_run_id("a" if n % 2 else "b"))
    assert [it.id for it in await claimed(store, limit=2)] == ["c0", "c1"]
    assert [it.id for it in await claimed(store, run_id=a_run_id("a"))] == ["c3", "c5"]
    assert [it.id for it in await claimed(store)] == ["c2", "c4"]
    assert await claimed(store) == []
    assert len(await claimed(store, now=LATER)) == 6, "a lease ends at its time"


async def test_a_hold_and_its_release_are_given_out_one_after_the_other(store: Store) -> None:
    for kind in ("hold", "release", "cancel"):
        await put(store, kind, kind)
    await put(store, "of another", "release", run_id=a_run_id("another"))
    assert [it.id for it in await claimed(store)] == ["hold", "cancel", "of another"]
    assert await claimed(store) == [], "the release waits for the hold, whoever has that"
    await store.plane.inbox.settle("hold", "applied", at=AT)
    assert [it.id for it in await claimed(store)] == ["release"]


async def test_eight_workers_claiming_forty_messages_lease_each_once(store: Store) -> None:
    await asyncio.gather(*(put(store, f"c{n}") for n in range(40)))
    leased = await asyncio.gather(*(claimed(store, limit=5) for _ in range(8)))
    ids = [message.id for messages in leased for message in messages]
    assert len(ids) == len(set(ids)) == 40


async def test_what_became_of_a_command_is_told(store: Store) -> None:
    accepted = await put(store, "c1", "pause")
    delivery = await store.plane.inbox.delivery("c1")
    assert delivery == ("c1", RUN, "pause", accepted.seq, AT, "pending", None)
    await store.plane.inbox.settle("c1", "ignored: the run has ended", at=LATER)
    settled = await store.plane.inbox.delivery("c1")
    assert (settled.disposition, settled.settled_at) == ("ignored: the run has ended", LATER)
    assert await claimed(store, now=LATER) == []


async def test_a_message_is_settled_once(store: Store) -> None:
    await put(store, "c1")
    await store.plane.inbox.settle("c1", "dead: there is no such run", at=AT)
    await store.plane.inbox.settle("c1", "ignored: other", at=LATER)
    delivery = await store.plane.inbox.delivery("c1")
    assert (delivery.disposition, delivery.settled_at) == ("dead: there is no such run", AT)


async def test_a_command_that_never_came_is_not_found(store: Store) -> None:
    with pytest.raises(CommandNotFound):
        await store.plane.inbox.delivery("nobody")


async def test_who_leaves_a_message_is_heard(store: Store) -> None:
    await put(store, "c1")
    assert store.mailed == [RUN]
    await put(store, "c1")
    assert store.mailed == [RUN], "a repeat leaves none"


async def test_a_child_s_end_is_a_message_to_its_parent(store: Store) -> None:
    parent = await a_driven_run(store.plane, Branches((Call(),)))
    (entry,) = parent.run.open.values()
    assert isinstance(entry.what, Wait)
    assert entry.what.child is not None
    child = Driven(store.plane, Branches())
    child.run = (await store.plane.runs.load([entry.what.child]))[entry.what.child].run
    await child.deliver(Cancel("enough"))
    (message,) = await claimed(store, run_id=parent.id)
    assert (message.kind, message.key) == ("child", entry.key)
    assert (message.body["status"], message.body["error"]) == ("cancelled", "enough")


async def test_a_run_released_before_it_began_is_told_of(store: Store) -> None:
    driven = Driven(store.plane, Branches((Ask(),)))
    await driven.bear()
    await driven.deliver(Hold())
    assert store.mailed == []
    await driven.deliver(Release())
    assert store.mailed == [driven.id]
    assert await store.plane.runs.claim("me", now=AT, until=LATER, limit=9) == [driven.id]


# --- events --------------------------------------------------------------------------------------


async def test_an_event_reaches_every_wait_at_its_addresses(store: Store) -> None:
    listening = [
        await a_driven_run(store.plane, Listens(address), f"run {address}")
        for address in ("a", "b", "c")
    ]
    assert set(await emitted(store, "e1", "a", "b", "x")) == {listening[0].id, listening[1].id}
    assert sorted(store.mailed) == sorted([listening[0].id, listening[1].id])
    for driven, events in zip(listening, (["e1"], ["e1"], []), strict=True):
        assert await take_events(store, driven) == events
    assert listening[0].run.output == [{"payload": "e1"}]


async def test_an_event_is_emitted_once(store: Store) -> None:
    driven = await a_driven_run(store.plane, Listens("a", "a"))
    first = await emitted(store, "e1", "a")
    assert first == (driven.id,)
    assert await take_events(store, driven) == ["e1"]
    assert await emitted(store, "e1", "a") == first, "a repeat is answered as before"
    assert await take_events(store, driven) == []


async def test_an_event_that_comes_before_its_wait_is_kept_for_it(store: Store) -> None:
    assert await emitted(store, "e1", "a", "b") == ()
    assert store.mailed == []
    driven = await a_driven_run(store.plane, Listens("b"))
    assert store.mailed == [driven.id]
    assert await take_events(store, driven) == ["e1"]
    other = await a_driven_run(store.plane, Listens("a"), "other")
    assert await take_events(store, other) == [], "a kept event is for one wait"
    assert await emitted(store, "e1", "a") == ()


async def test_kept_events_are_taken_in_their_order(store: Store) -> None:
    for name in ("e1", "e2", "e3"):
        await emitted(store, name, "a")
    driven = await a_driven_run(store.plane, Listens("a", "a", "a"))
    taken = [event for _ in range(3) for event in await take_events(store, driven)]
    assert taken == ["e1", "e2", "e3"]


async def test_a_wait_that_has_an_event_coming_leaves_the_next_one_to_the_next_wait(
    store: Store,
) -> None:
    driven = await a_driven_run(store.plane, Listens("a", "a"))
    assert await emitted(store, "e1", "a") == (driven.id,)
    assert await emitted(store, "e2", "a") == ()
    taken = [event for _ in range(2) for event in await take_events(store, driven)]
    assert taken == ["e1", "e2"]


async def test_an_event_and_its_wait_never_miss_each_other(store: Store) -> None:
    runs = [Driven(store.plane, Listens("a")) for _ in range(20)]
    begins = [driven.begin(f"run {n}") for n, driven in enumerate(runs)]
    emits = [emitted(store, f"e{n}", "a") for n in range(20)]
    await asyncio.gather(*(it for pair in zip(begins, emits, strict=True) for it in pair))
    taken = [event for driven in runs for event in await take_events(store, driven)]
    kept = store.tamper(
        "SELECT count(*) FROM inbox WHERE disposition = 'kept' AND kind = 'emission'"
    )
    open_still = sum(bool(driven.run.open) for driven in runs)
    assert kept == [(0,)] or open_still == 0, "an event is kept beside a wait that is open"
    assert sorted(set(taken)) == sorted(f"e{n}" for n in range(20)) or kept != [(0,)]


async def test_a_kept_event_is_forgotten_when_its_time_is_over(store: Store) -> None:
    await emitted(store, "soon", "a", "b", keep_until=LATER)
    await emitted(store, "long", "a", keep_until=NEXT_WEEK)
    assert await store.plane.inbox.sweep(now=AT) == 0
    assert await store.plane.inbox.sweep(now=LATER) == 1
    assert await store.plane.inbox.sweep(now=LATER) == 0
    driven = await a_driven_run(store.plane, Listens("a"))
    assert await take_events(store, driven) == ["long"]
    assert await emitted(store, "soon", "a") == (), "it is still the same event"


async def test_an_event_past_its_time_is_not_given_even_before_the_sweep(store: Store) -> None:
    await emitted(store, "e1", "a", keep_until=AT)
    driven = await a_driven_run(store.plane, Listens("a"))
    assert await take_events(store, driven) == []


async def test_an_event_for_a_wait_that_closed_is_kept(store: Store) -> None:
    driven = await a_driven_run(store.plane, Listens("a"))
    await driven.deliver(Cancel())
    assert await emitted(store, "e1", "a") == ()


async def test_a_wait_without_an_address_hears_no_event(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Ask(),)))
    (key,) = driven.run.open
    assert await emitted(store, "e1", key) == ()


async def test_what_was_carried_out_already_is_only_written_down(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Ask(),)))
    message = Message("command-1", driven.id, "emit_event")
    taken = await store.plane.inbox.put(message, body_hash="h", at=AT, disposition="applied: twice")
    again = await store.plane.inbox.put(message, body_hash="h", at=AT, disposition="applied: twice")
    assert (taken.duplicate, again) == (False, Accepted(taken.seq, duplicate=True))
    delivery = await store.plane.inbox.delivery("command-1")
    assert (delivery.disposition, delivery.settled_at) == ("applied: twice", AT)
    assert await store.plane.inbox.claim("me", now=AT, until=AT, limit=9) == []
