"""One effect: performed under its timeout, tried again where that does no harm, its outcome brought home."""

from datetime import timedelta
from random import Random
from typing import Final

import anyio

from perdure.clock import text_of
from perdure.kernel.model import Arrived, EffectClass, Failed, Ok, Outcome, Run, Unknown
from perdure.kernel.values import Json, fault_of
from perdure.registry.effects import Delta, EffectContext, EffectHandler, EffectKind
from perdure.runner.hot import Delivery, HotRun, UnderWay
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
    under_way = hot.under_way[pending.key] = UnderWay()
    if lane.performing >= lane.config.effects_at_once:
        await lane.until(lambda: lane.performing < lane.config.effects_at_once)
    lane.performing += 1
    try:
        return await _tried(lane, run, pending, kind, under_way)
    finally:
        lane.performing -= 1
        del hot.under_way[pending.key]
        lane.runtime.deltas.done(run.open[pending.key].step_id)
        lane.ease()


async def _tried(
    lane: Lane, run: Run, pending: Pending, kind: EffectKind, under_way: UnderWay
) -> Arrived | None:
    """Try once, and say what follows: an arrival, or nothing for now."""
    clock = lane.runtime.clock
    number, began = len(pending.attempts) + 1, clock.now()
    dispatched_at = pending.dispatched_at
    context = _context(lane, run, pending, number)
    if dispatched_at is None:
        if pending.effect.effect_class in _NEVER_TWICE:
            dispatched_at = text_of(began)
            if not await _dispatched(lane, pending, dispatched_at):
                return None
        outcome = await _called(kind, pending, context, under_way)
    else:
        outcome = Unknown("the process ended after the effect was dispatched")
    lane.config.probe("after_act")
    if isinstance(outcome, Unknown) and dispatched_at is not None and kind.probe is not None:
        outcome = await _asked(kind.probe, pending, context)
    if under_way.given_up:
        await _too_late(lane, pending, outcome)
        return None
    if number == 1 and isinstance(outcome, Ok):
        return Arrived(pending.key, outcome)
    told = attempt_of(number, text_of(began), text_of(clock.now()), outcome)
    following = after(pending.effect, kind, outcome, number, _chance.random())
    attempts = (*pending.attempts, told)
    if isinstance(following, Again):
        await _later(lane, pending, attempts, following)
        return None
    return Arrived(pending.key, summed(following, pending.attempts), attempts, dispatched_at)


async def _too_late(lane: Lane, pending: Pending, outcome: Outcome) -> None:
    """Note the outcome of an effect that was given up while it was being performed."""
    why = f"came too late: {type(outcome).__name__.lower()}"
    await lane.runtime.plane.outbox.ignored(pending.run_id, pending.key, why)


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
    kind: EffectKind, pending: Pending, context: EffectContext, under_way: UnderWay
) -> Outcome:
    """Call the handler under the effect's timeout; whatever it does, there is an outcome."""
    effect = pending.effect
    timeout_s = effect.timeout_s or kind.timeout_s
    with containing("effect", kind=effect.kind, key=pending.key) as contained:
        timeout = under_way.within(timeout_s)
        try:
            async with timeout:
                outcome = await kind.handle(effect, context)
        except TimeoutError:
            if not timeout.expired():
                raise  # the handler's own
            return Unknown(f"no outcome within {timeout_s:g} s")
        finally:
            under_way.ended()
        if isinstance(outcome, Ok) and (fault := fault_of(outcome.result)):
            return Failed("not_json", f"the result holds {fault}")
        return outcome
    return _bug(effect.effect_class, contained.bug or "")


def _bug(effect_class: EffectClass, name: str) -> Outcome:
    """A handler that raised: nobody knows how far it came, where coming far does harm."""
    if effect_class in _NEVER_TWICE:
        return Unknown(f"the handler raised {name}")
    return Failed("handler_bug", f"the handler raised {name}")


async def _asked(probe: EffectHandler, pending: Pending, context: EffectContext) -> Outcome:
    """Ask the other side about an effect that may have happened."""
    with containing("probe", kind=pending.effect.kind, key=pending.key):
        return await probe(pending.effect, context)
    return Unknown("the probe did not say whether it happened")


async def _later(lane: Lane, pending: Pending, attempts: tuple[Json, ...], again: Again) -> None:
    due = text_of(lane.runtime.clock.now() + timedelta(seconds=again.delay_s))
    await lane.runtime.plane.outbox.retry_later(
        pending.run_id, pending.key, attempts=attempts, due=due, undo_dispatch=again.undo_dispatch
    )
    lane.due_at(due)


def _context(lane: Lane, run: Run, pending: Pending, number: int) -> EffectContext:
    runtime, birth = lane.runtime, run.birth
    step_id = run.open[pending.key].step_id

    def publish(delta: Delta) -> None:
        known = (birth.id, birth.parent_id, birth.root_id)
        lineage = tuple(dict.fromkeys(run_id for run_id in known if run_id is not None))
        runtime.deltas.publish(lineage, step_id, number, delta)

    return EffectContext(
        birth, step_id, pending.key, number, runtime.clock, runtime.http, runtime.plane, publish
    )
