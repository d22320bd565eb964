"""What there is to do in a plane: runs to begin, messages to deliver, effects left behind."""

from collections.abc import Sequence
from typing import Final

from perdure.kernel.model import Advance
from perdure.runner.events import event_of
from perdure.runner.lane import Lane
from perdure.stores.outbox import Pending

FOREVER: Final = "9999-12-31T23:59:59.999999+00:00"
ANEW_MAX: Final = 1_000_000  # rows taken at the opening of a plane


async def claim(lane: Lane, *, anew: bool = False) -> Sequence[Pending]:
    """Lease what is to be done and queue it for its runs; the effects come back, to be performed.

    `anew` is for the opening of a plane that no other process can hold: every lease there is
    void, because whoever took it is gone.
    """
    await _births(lane, anew)
    await _messages(lane, anew)
    return await _effects(lane, anew)


async def _births(lane: Lane, anew: bool) -> None:
    now, limit = _bounds(lane, anew)
    while True:
        born = await lane.runtime.plane.runs.claim(
            lane.config.holder, now=now, until=lane.leased_until(), limit=limit
        )
        for run_id in born:
            lane.deliver(run_id, Advance())
        if len(born) < limit:
            return


async def _messages(lane: Lane, anew: bool) -> None:
    now, limit = _bounds(lane, anew)
    while True:
        messages = await lane.runtime.plane.inbox.claim(
            lane.config.holder, now=now, until=lane.leased_until(), limit=limit
        )
        for one in messages:
            event = event_of(one.kind, one.key, one.body, one.opened_seq, one.by)
            lane.deliver(one.run_id, event, one.id)
        if len(messages) < limit:
            return


async def _effects(lane: Lane, anew: bool) -> Sequence[Pending]:
    now, limit = _bounds(lane, anew)
    return await lane.runtime.plane.outbox.claim(
        lane.config.holder, now=now, until=lane.leased_until(), limit=limit
    )


def _bounds(lane: Lane, anew: bool) -> tuple[str, int]:
    """Up to when a lease counts as over, and how many rows to take at once."""
    return (FOREVER, ANEW_MAX) if anew else (lane.now(), lane.config.page)
