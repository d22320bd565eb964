"""Times that come due: read from an index when the earliest of them has come, never kept in memory."""

from datetime import timedelta
from typing import Final

import anyio

from perdure.clock import time_of
from perdure.kernel.model import Due
from perdure.runner.lane import Lane
from perdure.stores.waits import DueWait

BACKLOG_MAX: Final = 2_000  # runs queued to be driven, above which the timers hold back
RESTLESS_S: Final = 0.01  # between two looks while what is due is still on its way to its runs


async def deliver_due(lane: Lane) -> None:
    """Queue every wait whose time has come, and learn when the next one does."""
    lane.next_due = None
    await _waits(lane)
    plane = lane.runtime.plane
    for due in (await plane.waits.next_due(), await plane.outbox.next_due()):
        if due is not None:
            lane.due_at(due)


async def _waits(lane: Lane) -> None:
    after: DueWait | None = None
    while True:
        page = await lane.runtime.plane.waits.due(
            now=lane.now(), limit=lane.config.page, after=after
        )
        if not page:
            return
        await lane.bring([(wait.run_id, Due(wait.key, wait.opened_seq), None) for wait in page])
        after = page[-1]
        await lane.until(lambda: len(lane.ready) <= BACKLOG_MAX)


async def until_due(lane: Lane) -> None:
    """Sleep until the earliest known time, until an earlier one is learnt, or for one poll."""
    lane.tick = anyio.Event()
    wait_s = lane.config.poll_s
    if lane.next_due is not None:
        wait_s = min(wait_s, max(RESTLESS_S, _ahead_s(lane, lane.next_due)))
    with anyio.move_on_after(wait_s):
        await lane.tick.wait()


def _ahead_s(lane: Lane, due: str) -> float:
    """How far ahead a time is. The empty text is before all times: what has it is due at once."""
    if due <= lane.now():
        return 0.0
    ahead: timedelta = time_of(due) - lane.runtime.clock.now()
    return ahead.total_seconds()
