"""One effect: performed under its timeout, tried again where that does no harm, its outcome brought home."""

from datetime import timedelta
from random import Random
from typing import Final

import anyio

from perdure.clock import text_of
from perdure.ids import Key, StepId
from perdure.kernel.model import Arrived, EffectClass, Failed, Ok, Outcome, Run, Unknown
from perdure.kernel.values import Json, fault_of
from perdure.registry.effects import Delta, EffectContext, EffectHandler, EffectKind
from perdure.runner.hot import Delivery, HotRun
from perdure.runner.lane import Lane
from perdure.runner.retry import Again, after, attempt_of, summed
from perdure.runner.supervise import containing
from perdure.stores.outbox import Pending

_NEVER_TWICE: Final = frozenset({EffectClass.ONCE, EffectClass.COMPENSABLE})
_chance = Random()  # spreads retries; nothing durable depends on it


async def perform(lane: Lane, hot: HotRun, pending: Pending) -> Arrived | None:
    """Perform one effect of a run in hand; its arrival, or `None` where it is not to be brought now.

    An effect that must not happen twice is marked as dispatched, durably, before its handler is
    called. One that carries the mark already is asked about, never called again.
    """
    run = hot.run
    if run is None or run.held is not None or pending.key not in run.open or lane.stopping:
        return None
    if pending.key in hot.under_way:
        return None
    kind = lane.registry.effect(pending.effect.kind)
    if kind is None:
        detail = f"nothing here performs effects of the kind {pending.effect.kind!r}"
        return Arrived(pending.key, Failed("not_configured", detail))
    scope = anyio.CancelScope()
    hot.under_way[pending.key] = scope
    try:
        with scope:
            await lane.until(lambda: lane.performing < lane.config.effects_at_once)
            return await _counted(lane, run, pending, kind)
        return None  # given up: the run was cancelled, or the effect is no longer wanted
    finally:
        hot.under_way.pop(pending.key, None)
        lane.runtime.deltas.done(run.open[pending.key].step_id)


async def _counted(lane: Lane, run: Run, pending: Pending, kind: EffectKind) -> Arrived | None:
    lane.performing += 1
    try:
        return await _tried(lane, run, pending, kind)
    finally:
        lane.performing -= 1
        lane.ease()


async def _tried(lane: Lane, run: Run, pending: Pending, kind: EffectKind) -> Arrived | None:
    effect, number = pending.effect, len(pending.attempts) + 1
    started_at, dispatched_at = lane.now(), pending.dispatched_at
    context = _context(lane, run, pending, number)
    if dispatched_at is not None:
        outcome = await _asked(kind.probe, pending, context)
    else:
        if effect.effect_class in _NEVER_TWICE:
            if not await _dispatched(lane, pending, started_at):
                return None
            dispatched_at = started_at
        outcome = await _called(kind.handle, kind, pending, context)
    lane.config.probe("after_act")
    ended_at = lane.now()
    if isinstance(outcome, Unknown) and dispatched_at and kind.probe and not pending.dispatched_at:
        outcome = await _asked(kind.probe, pending, context)
    following = after(effect, kind, outcome, number, _chance.random())
    if number == 1 and isinstance(following, Ok):
        return Arrived(pending.key, following)
    attempts = (*pending.attempts, attempt_of(number, started_at, ended_at, outcome))
    if isinstance(following, Again):
        await _later(lane, pending, attempts, following)
        return None
    return Arrived(pending.key, summed(following, pending.attempts), attempts, dispatched_at)


async def arrive(lane: Lane, hot: HotRun, arrived: Arrived) -> None:
    """Bring an outcome to its run."""
    hot.queue.append(Delivery(arrived))
    lane.want(hot)


async def _dispatched(lane: Lane, pending: Pending, at: str) -> bool:
    """Write down that the effect is about to happen; `False` where it must not."""
    with anyio.CancelScope(shield=True):
        marked = await lane.runtime.plane.outbox.dispatch(
            pending.run_id, pending.key, holder=lane.config.holder, at=at
        )
    lane.config.probe("after_dispatch")
    return marked


async def _called(
    handle: EffectHandler, kind: EffectKind, pending: Pending, context: EffectContext
) -> Outcome:
    """Call the handler under the effect's timeout; whatever it does, there is an outcome."""
    effect = pending.effect
    timeout_s = effect.timeout_s or kind.timeout_s
    outcome: Outcome = Unknown(f"no outcome within {timeout_s:g} s")
    with containing("effect", kind=effect.kind, key=pending.key) as contained:
        with anyio.move_on_after(timeout_s):
            outcome = await handle(effect, context)
    if contained.bug:
        return _bug(effect.effect_class, contained.bug)
    if isinstance(outcome, Ok) and (fault := fault_of(outcome.result)):
        return Failed("not_json", f"the result holds {fault}")
    return outcome


def _bug(effect_class: EffectClass, name: str) -> Outcome:
    """A handler that raised: nobody knows how far it came, where coming far does harm."""
    if effect_class in _NEVER_TWICE:
        return Unknown(f"the handler raised {name}")
    return Failed("handler_bug", f"the handler raised {name}")


async def _asked(probe: EffectHandler | None, pending: Pending, context: EffectContext) -> Outcome:
    """Ask the other side about an effect that may have happened."""
    outcome: Outcome = Unknown("the process ended after the effect was dispatched")
    if probe is not None:
        with containing("probe", kind=pending.effect.kind, key=pending.key):
            outcome = await probe(pending.effect, context)
    return outcome


async def _later(lane: Lane, pending: Pending, attempts: tuple[Json, ...], again: Again) -> None:
    due = text_of(lane.runtime.clock.now() + timedelta(seconds=again.delay_s))
    await lane.runtime.plane.outbox.retry_later(
        pending.run_id, pending.key, attempts=attempts, due=due, undo_dispatch=again.undo_dispatch
    )
    lane.due_at(due)


def _context(lane: Lane, run: Run, pending: Pending, number: int) -> EffectContext:
    runtime, birth = lane.runtime, run.birth
    step_id: StepId = run.open[pending.key].step_id
    lineage = tuple(dict.fromkeys(
        run_id for run_id in (birth.id, birth.parent_id, birth.root_id) if run_id is not None
    ))  # fmt: skip

    def publish(delta: Delta) -> None:
        runtime.deltas.publish(lineage, step_id, number, delta)

    return EffectContext(
        run=birth, step_id=step_id, key=Key(pending.key), attempt=number, clock=runtime.clock,
        http=runtime.http, plane=runtime.plane, publish=publish,
    )  # fmt: skip
