"""Times that come due, of waits and of runs: read from an index when the earliest of them has come, never kept in memory."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import anyio

from perdure.clock import text_of, time_of
from perdure.ids import RunId
from perdure.kernel.model import Due, Event, Expired
from perdure.runner.hot import Delivery
from perdure.runner.lane import Lane
from perdure.stores.waits import DueWait, Overdue

BACKLOG_MAX: Final = 2_000  # runs queued to be driven, above which the timers hold back
RESTLESS_S: Final = 0.01  # between two looks, at least
AGAIN_S: Final = 1.0  # after which it is looked whether all that was queued has reached its run


async def deliver_due(lane: Lane) -> None:
    """Queue every wait and every deadline whose time has come, and learn when the next one does."""
    lane.next_due = None
    plane = lane.runtime.plane
    ended, queued = await _deadlines(lane), await _waits(lane)
    if queued is not None or ended is not None:
        lane.due_at(text_of(lane.runtime.clock.now() + timedelta(seconds=AGAIN_S)))
    dues = [await plane.waits.next_deadline(after=ended), await plane.waits.next_due(after=queued)]
    if not lane.left_some:  # what is due already and finds no room is looked for when there is some
        dues.append(await plane.outbox.next_due())
    for due in dues:
        if due is not None:
            lane.due_at(due)


async def _waits(lane: Lane) -> str | None:
    """Queue what is due, a page at a time; the time up to which all was queued, or `None` if nothing was due.

    What is answered is left to its answer, which was acknowledged before: whoever was to bring it
    may have died, and until another one does, its time is looked at again and again.
    """
    after: DueWait | None = None
    while True:
        now = lane.now()
        page = await lane.runtime.plane.waits.due(now=now, limit=lane.config.page, after=after)
        if not page:
            return None if after is None else now
        await _brought(lane, [
            (wait.run_id, Due(wait.key, wait.opened_seq)) for wait in page if not wait.answered
        ])  # fmt: skip
        after = page[-1]


async def _deadlines(lane: Lane) -> str | None:
    """The same of deadlines."""
    after: Overdue | None = None
    while True:
        now = lane.now()
        page = await lane.runtime.plane.waits.overdue(now=now, limit=lane.config.page, after=after)
        if not page:
            return None if after is None else now
        await _brought(lane, [(run.run_id, Expired(run.deadline)) for run in page])
        after = page[-1]


async def _brought(lane: Lane, events: Sequence[tuple[RunId, Event]]) -> None:
    """Queue a page of events, and hold back while there is much to drive."""
    await lane.bring([
        (run_id, event, None) for run_id, event in events if not _is_on_its_way(lane, run_id, event)
    ])  # fmt: skip
    await lane.until(lambda: len(lane.ready) <= BACKLOG_MAX)


def _is_on_its_way(lane: Lane, run_id: RunId, event: Event) -> bool:
    """Whether the run is just being told of it, by an earlier look. What is queued twice is queued once."""
    hot = lane.hot.known(run_id)
    return hot is not None and hot.driving and hot.taken == Delivery(event)


async def until_due(lane: Lane) -> None:
    """Sleep until the earliest known time, until an earlier one is learnt, or until the store owes something."""
    lane.tick = anyio.Event()
    wait_s = None if lane.next_due is None else max(RESTLESS_S, _ahead_s(lane, lane.next_due))
    with anyio.move_on_after(wait_s):
        await lane.tick.wait()


def _ahead_s(lane: Lane, due: str) -> float:
    """How far ahead a time is. The empty text is before all times: what has it is due at once."""
    if due <= lane.now():
        return 0.0
    ahead: timedelta = time_of(due) - lane.runtime.clock.now()
    return ahead.total_seconds()
