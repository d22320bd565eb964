"""One event, one decision, one commit: the only way in which the runner changes a run."""

from typing import Final

import anyio.lowlevel

from perdure.errors import (
    BundleNotFound,
    BundleRefused,
    DuplicateCommand,
    FeatureAbsent,
    FlowNotFound,
    FlowRefused,
    NotJson,
    StoreFailed,
    VersionConflict,
)
from perdure.kernel.decide import decide, decide_a_slice
from perdure.kernel.fold import Fold
from perdure.kernel.model import (
    TERMINAL,
    Advance,
    Cancel,
    Decision,
    Event,
    Expired,
    Fault,
    Hold,
    Release,
    Run,
)
from perdure.kernel.program import Moment, Move, Program, View
from perdure.runner.hot import Delivery, HotRun
from perdure.runner.lane import Lane
from perdure.runtimes.containing import containing, log
from perdure.stores.runs import Commit


class _Silent:
    """Stands where a run's program is not asked: it has ended, or it is held."""

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Never asked."""
        raise AssertionError(f"asked of a run that is not to move: {event}")


_SILENT: Final[Program] = _Silent()
_ENDS: Final = (Cancel, Expired)
_ASKS_NOBODY: Final = (*_ENDS, Hold, Fault)


async def drive(lane: Lane, hot: HotRun, delivery: Delivery) -> Decision | None:
    """Decide what an event makes of a run, and commit it; the decision, or `None` if nothing changed.

    Where somebody else committed first, the run is loaded and the event decided anew.
    """
    hot.taken = delivery
    for _ in range(lane.config.conflicts_max):
        kept = hot.run
        run = kept or await _load(lane, hot)
        if run is None:
            await _settle(lane, delivery, "dead: there is no such run")
            return None
        event = delivery.event
        asked = _asked(lane, hot, run, hot.program or await _program(lane, hot, run, event), event)
        decision = asked if isinstance(asked, Decision) else await _on(lane, hot, run, event, asked)
        if decision is None:
            hot.queue.insert(1, delivery)  # behind the end that came in between
            return None
        if not decision.applied and (kept is None or _is_final(run, event)):
            await _settle(lane, delivery, decision.disposition)
            return None
        if not decision.applied:
            hot.forget()  # it may be what another process made of the run that the event is for
            continue
        try:
            return await _kept(lane, hot, decision, delivery.taken)
        except DuplicateCommand:
            hot.forget()
            return None
        except VersionConflict:
            hot.forget()
    log.warning("contended", run_id=hot.id)
    lane.give_back(hot, delivery)
    return None


def _is_final(run: Run, event: Event) -> bool:
    """Whether an event that changes nothing now can change nothing later either."""
    return run.status in TERMINAL or isinstance(event, Advance)


async def _load(lane: Lane, hot: HotRun) -> Run | None:
    loaded = (await lane.loads.load([hot.id])).get(hot.id)
    if loaded is None:
        return None
    lane.take(hot, loaded)
    return loaded.run


def _asked(
    lane: Lane, hot: HotRun, run: Run, program: Program | Fault, event: Event
) -> Decision | Fold:
    """Decide, as far as a slice goes."""
    at = lane.runtime.clock.now()
    if isinstance(program, Fault):
        return decide(run, program, _SILENT, hot.cells, at)
    with containing("program", run_id=hot.id) as contained:
        return decide_a_slice(run, event, program, hot.cells, at)
    return _gone_wrong(lane, hot, run, contained)


def _gone_wrong(lane: Lane, hot: HotRun, run: Run, contained: containing) -> Decision:
    """The end of a run whose program has a bug."""
    fault = Fault("program_bug", f"the program raised {contained.bug}")
    return decide(run, fault, _SILENT, hot.cells, lane.runtime.clock.now())


async def _on(lane: Lane, hot: HotRun, run: Run, event: Event, fold: Fold) -> Decision | None:
    """Let a long fold block nobody, and give it up, with `None`, where an end waits behind it."""
    clock = lane.runtime.clock
    sliced_at = clock.monotonic()
    with containing("program", run_id=hot.id) as contained:
        while isinstance(decided := fold.on(), Fold):
            fold = decided
            if clock.monotonic() - sliced_at >= lane.config.slice_s:
                await anyio.lowlevel.checkpoint()
                sliced_at = clock.monotonic()
                if _end_first(hot, event):
                    return None
        return decided
    return _gone_wrong(lane, hot, run, contained)


def _end_first(hot: HotRun, event: Event) -> bool:
    """Whether a cancel or the deadline waits behind this event; it is then the next to come."""
    waiting = next((one for one in hot.queue if isinstance(one.event, _ENDS)), None)
    if waiting is None or isinstance(event, _ENDS):
        return False
    hot.queue.remove(waiting)
    hot.queue.appendleft(waiting)
    return True


async def _program(lane: Lane, hot: HotRun, run: Run, event: Event) -> Program | Fault:
    """The run's program, made where it is to be asked, or why it cannot be."""
    if run.status in TERMINAL or isinstance(event, _ASKS_NOBODY):
        return _SILENT
    if run.held is not None and not isinstance(event, Release):
        return _SILENT
    gone: StoreFailed | None = None
    with containing("program", run_id=run.id) as contained:
        try:
            hot.program = await lane.runtime.program_of(run.birth)
            return hot.program
        except (BundleNotFound, BundleRefused, FlowNotFound, FlowRefused, FeatureAbsent) as absent:
            log.warning("no program", run_id=run.id, code=absent.code, detail=absent.detail)
            return Fault(absent.code, absent.detail)
        except StoreFailed as failed:
            gone = failed
    if gone is not None:
        raise gone  # the definition may be there when the store is
    return Fault("program_bug", f"making the program raised {contained.bug}")


async def _kept(lane: Lane, hot: HotRun, decision: Decision, taken: str | None) -> Decision:
    """Commit the decision, or the run's end where the store finds in it what is no JSON."""
    runs = lane.runtime.plane.runs
    if decision.births and hot.run is not None:
        decision = await _within_its_tree(lane, hot, hot.run, decision)
    try:
        receipt = await runs.commit(_commit(lane, hot, decision, taken))
    except NotJson as unfit:
        if hot.run is None:
            raise
        log.error("bug", what="program", run_id=hot.id, detail=unfit.detail)
        fault = Fault("program_bug", f"what the program made is no JSON: {unfit.detail}")
        decision = decide(hot.run, fault, _SILENT, hot.cells, lane.runtime.clock.now())
        receipt = await runs.commit(_commit(lane, hot, decision, taken))
    hot.apply(decision, receipt)
    return decision


async def _within_its_tree(lane: Lane, hot: HotRun, run: Run, decision: Decision) -> Decision:
    """The decision, or the run's end where its tree would have too many runs. How many a root bears is its own affair."""
    birth = run.birth
    if birth.depth == 0 or await lane.trees.take(birth, len(decision.births)):
        return decision
    most = birth.limits.tree_max
    fault = Fault("limit_reached", f"tree_max: more than {most} runs of one tree have not ended")
    return decide(run, fault, _SILENT, hot.cells, lane.runtime.clock.now())


def _commit(lane: Lane, hot: HotRun, decision: Decision, taken: str | None) -> Commit:
    """The decision with what belongs to it. The store finishes a commit under way, whatever becomes of us."""
    if decision.effects:
        return Commit(decision, taken, hot.snapshot_due(), lane.config.holder, lane.leased_until())
    return Commit(decision, taken, hot.snapshot_due())


async def _settle(lane: Lane, delivery: Delivery, disposition: str) -> None:
    """Note on a message that it changed nothing."""
    if delivery.taken is not None:
        await lane.runtime.plane.inbox.settle(delivery.taken, disposition, at=lane.now())
