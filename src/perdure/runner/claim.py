"""What there is to do in a plane: runs to begin, messages to deliver, effects left behind."""

from collections.abc import Sequence

from perdure.kernel.model import Advance
from perdure.runner.events import event_of
from perdure.runner.lane import Lane
from perdure.stores.outbox import Pending


async def claim(lane: Lane) -> Sequence[Pending]:
    """Lease what nobody holds and queue it for its runs; the effects come back, to be performed."""
    await _births(lane)
    await _messages(lane)
    return await effects(lane)


async def is_owed(lane: Lane) -> bool:
    """Whether there is something to do now of which nobody told: the safety net under all that is told.

    It is one look for all that may wait, so that a plane in which nothing does costs no more.
    """
    due = await lane.runtime.plane.next_due()
    if due is None:
        return False
    if due > lane.now():
        lane.due_at(due)
        return False
    lane.tick.set()
    lane.has_kept()
    return True


async def effects(lane: Lane) -> Sequence[Pending]:
    """Lease effects whose lease is over or whose retry is due, as many as can be taken up.

    A full page means another look; what finds no room stays in the store until there is some.
    """
    limit = min(lane.config.page, lane.room_to_take_up())
    if limit <= 0:
        lane.left_some = True
        return ()
    lane.taken_up += limit  # nobody else takes that room meanwhile
    found: Sequence[Pending] = ()
    try:
        found = await lane.runtime.plane.outbox.claim(
            lane.config.holder, now=lane.now(), until=lane.leased_until(), limit=limit
        )
    finally:
        lane.taken_up -= limit - len(found)
    if len(found) == limit:
        lane.look_again()
    return found


async def _births(lane: Lane) -> None:
    page = lane.config.page
    while True:
        born = await lane.runtime.plane.runs.claim(
            lane.config.holder, now=lane.now(), until=lane.leased_until(), limit=page
        )
        for run_id in born:
            lane.deliver(run_id, Advance())
        if len(born) < page:
            return


async def _messages(lane: Lane) -> None:
    page = lane.config.page
    while True:
        messages = await lane.runtime.plane.inbox.claim(
            lane.config.holder, now=lane.now(), until=lane.leased_until(), limit=page
        )
        await lane.bring([
            (one.run_id, event_of(one.kind, one.key, one.body, one.opened_seq, one.by), one.id)
            for one in messages
        ])  # fmt: skip
        if len(messages) < page:
            return
