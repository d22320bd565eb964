"""One effect: performed under its timeout, tried again where that does no harm, its outcome brought home."""

import asyncio
from datetime import timedelta
from random import Random
from typing import Final

import anyio

from perdure.clock import text_of
from perdure.kernel.model import Arrived, EffectClass, Failed, Ok, Outcome, Run, Unknown
from perdure.kernel.values import Json
from perdure.registry.effects import Delta, EffectContext, EffectKind
from perdure.registry.guarded import outcome_of
from perdure.runner.eager import Begun
from perdure.runner.hot import Delivery, HotRun, UnderWay
from perdure.runner.lane import Lane
from perdure.runner.retry import Again, after, attempt_of, summed
from perdure.runtimes.containing import containing
from perdure.stores.endpoints import NOWHERE
from perdure.stores.outbox import Pending
from perdure.stores.values import fault_of

_NEVER_TWICE: Final = frozenset({EffectClass.ONCE, EffectClass.COMPENSABLE})
UNLICENSED_S: Final = 1.0  # until it is tried again to begin what may not begin
_chance = Random()  # spreads retries; nothing durable depends on it


async def perform(lane: Lane, hot: HotRun, pending: Pending) -> Arrived | None:
    """Perform one effect of a run in hand; its arrival, or `None` where it is not to be brought now.

    An effect that must not happen twice is marked as dispatched, durably, before its handler is
    called. One that carries the mark already is asked about, never called again. One that carries
    its outcome comes to that, and no handler hears of it.
    """
    run = hot.run
    if run is None or pending.key not in run.open or lane.stopping:
        return None
    if pending.key in hot.under_way:
        return None
    if run.held is not None:
        await _leave(lane, pending)
        return None
    if pending.effect.stub is not None:
        return Arrived(pending.key, outcome_of(pending.effect.stub))
    kind = lane.registry.effect(pending.effect.kind)
    if kind is None:
        detail = f"nothing here performs effects of the kind {pending.effect.kind!r}"
        return Arrived(pending.key, Failed("not_configured", detail))
    hot.under_way[pending.key] = UnderWay()
    lane.acting.set()
    try:
        return await _in_turn(lane, hot, run, pending, kind)
    finally:
        del hot.under_way[pending.key]
        lane.runtime.deltas.done(run.open[pending.key].step_id)
        lane.ease()


async def _in_turn(
    lane: Lane, hot: HotRun, run: Run, pending: Pending, kind: EffectKind
) -> Arrived | None:
    """Wait for room among the effects under way, who comes first going first, and try.

    What may have changed meanwhile is looked at again.
    """
    room = lane.room
    if room.value:
        room.acquire_nowait()
    else:
        await room.acquire()
    lane.performing += 1
    try:
        if _held(hot):
            await _leave(lane, pending)
            return None
        if lane.stopping or hot.under_way[pending.key].given_up or lane.is_fenced(run.birth):
            return None
        return await _tried(lane, hot, run, pending, kind)
    finally:
        lane.performing -= 1
        room.release()


def _held(hot: HotRun) -> bool:
    return hot.run is not None and hot.run.held is not None


async def _leave(lane: Lane, pending: Pending) -> None:
    """Give the lease of a held run's effect back, to be found in the outbox after the release."""
    await lane.runtime.plane.outbox.retry_later(
        pending.run_id, pending.key, attempts=pending.attempts, due=lane.now()
    )


async def _tried(
    lane: Lane, hot: HotRun, run: Run, pending: Pending, kind: EffectKind
) -> Arrived | None:
    """Try once, and say what follows: an arrival, or nothing for now."""
    clock, under_way = lane.runtime.clock, hot.under_way[pending.key]
    number, began = len(pending.attempts) + 1, clock.now()
    dispatched_at = pending.dispatched_at
    context = _context(lane, run, pending, number)
    if dispatched_at is not None:
        outcome: Outcome = Unknown("the process ended after the effect was dispatched")
    else:
        if pending.effect.effect_class in _NEVER_TWICE:
            dispatched_at = text_of(began)
            if not await _marked(lane, hot, pending, dispatched_at):
                return None
        if not (_is_licensed(lane) or await _relicensed(lane, hot, pending)):
            return None
        begun = _begun(kind, pending, context, lane.config.grace_s)
        outcome = (
            begun if isinstance(begun, Outcome) else await _ended(begun, kind, pending, under_way)
        )
    lane.config.probe("after_act")
    if isinstance(outcome, Unknown) and dispatched_at is not None and kind.probe is not None:
        outcome = await _asked(kind, pending, context, under_way)
    if under_way.given_up:
        await _too_late(lane, pending, outcome)
        return None
    if number == 1 and isinstance(outcome, Ok):
        return Arrived(pending.key, outcome)
    told = attempt_of(number, text_of(began), text_of(clock.now()), outcome)
    return await _followed(lane, pending, kind, outcome, told, dispatched_at)


async def _followed(
    lane: Lane, pending: Pending, kind: EffectKind, outcome: Outcome, told: Json, dispatched_at: str | None
) -> Arrived | None:  # fmt: skip
    """Say what follows a try that did not just succeed at first: another one, or an arrival that tells of all."""
    attempts = (*pending.attempts, told)
    following = after(pending.effect, kind, outcome, len(attempts), _chance.random())
    if isinstance(following, Again):
        await _later(lane, pending, attempts, following)
        return None
    return Arrived(pending.key, summed(following, pending.attempts), attempts, dispatched_at)


async def _marked(lane: Lane, hot: HotRun, pending: Pending, at: str) -> bool:
    """Mark an effect as dispatched; `False` where it is not to be performed now."""
    if await _dispatched(lane, pending, at):
        run = hot.run
        fenced = run is not None and lane.is_fenced(run.birth)
        return not (hot.under_way[pending.key].given_up or fenced)
    await lane.until(
        lambda: not hot.driving
    )  # a hold in the store is about to be known here as well
    if _held(hot):
        await _leave(lane, pending)
    return False


def _is_licensed(lane: Lane) -> bool:
    """Whether an effect may begin at this moment without asking anybody."""
    license = lane.runtime.license
    return license is None or license.is_fresh


async def _relicensed(lane: Lane, hot: HotRun, pending: Pending) -> bool:
    """Ask whether it may begin; where its principal may not do anything any more, it is left."""
    license = lane.runtime.license
    if (license is None or await license.renewed()) and not _held(hot):
        run = hot.run
        fenced = run is not None and lane.is_fenced(run.birth)
        return not (hot.under_way[pending.key].given_up or fenced)
    due = text_of(lane.runtime.clock.now() + timedelta(seconds=UNLICENSED_S))
    await lane.runtime.plane.outbox.retry_later(
        pending.run_id, pending.key, attempts=pending.attempts, due=due, undo_dispatch=True
    )
    lane.due_at(due)
    return False


async def _too_late(lane: Lane, pending: Pending, outcome: Outcome) -> None:
    """Note the outcome of an effect that was given up while it was being performed."""
    why = f"came too late: {type(outcome).__name__.lower()}"
    await lane.runtime.plane.outbox.ignored(pending.run_id, pending.key, why)


def arrive(lane: Lane, hot: HotRun, arrived: Arrived) -> None:
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


def _begun(
    kind: EffectKind, pending: Pending, context: EffectContext, grace_s: float
) -> Outcome | Begun[Outcome]:
    """Call the handler: what it waits for is still to be awaited; where it waits for nothing, its outcome."""
    effect = pending.effect
    with containing("effect", kind=effect.kind, key=pending.key) as contained:
        try:
            begun = Begun(kind.handle(effect, context), grace_s)
            return _kept(begun.value) if begun.ended else begun
        except asyncio.CancelledError as ended:
            raise HandlerEnded from ended  # by its own doing: it has not waited for anything yet
    return _bug(effect.effect_class, contained.bug or "")


async def _ended(
    begun: Begun[Outcome], kind: EffectKind, pending: Pending, under_way: UnderWay
) -> Outcome:
    """Await the handler under the effect's timeout; whatever it does, there is an outcome."""
    effect = pending.effect
    timeout_s = effect.timeout_s or kind.timeout_s
    with containing("effect", kind=effect.kind, key=pending.key) as contained:
        timeout = under_way.within(timeout_s)
        begun.told = timeout.expired
        try:
            async with timeout:
                return _kept(await begun)
        except TimeoutError:
            if not timeout.expired():
                raise  # the handler's own
            return Unknown(f"no outcome within {timeout_s:g} s")
        except asyncio.CancelledError as ended:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            raise HandlerEnded from ended  # nobody asked for it: something that it awaited was
        finally:
            under_way.ended()
    return _bug(effect.effect_class, contained.bug or "")


class HandlerEnded(Exception):
    """A handler was cancelled by its own doing."""


def _kept(outcome: Outcome) -> Outcome:
    """An outcome that records can keep. Raises `TypeError` for what is no outcome."""
    if not isinstance(outcome, Outcome):
        raise TypeError(type(outcome).__name__)
    if not isinstance(outcome, Unknown) and (fault := fault_of(outcome.result)):
        return Failed("not_json", f"the result holds {fault}")
    return outcome


def _bug(effect_class: EffectClass, name: str) -> Outcome:
    """A handler that raised: nobody knows how far it came, where coming far does harm."""
    if effect_class in _NEVER_TWICE:
        return Unknown(f"the handler raised {name}")
    return Failed("handler_bug", f"the handler raised {name}")


async def _asked(
    kind: EffectKind, pending: Pending, context: EffectContext, under_way: UnderWay
) -> Outcome:
    """Ask the other side about an effect that may have happened, no longer than it may take."""
    effect = pending.effect
    with containing("probe", kind=effect.kind, key=pending.key):
        try:
            async with under_way.within(effect.timeout_s or kind.timeout_s):
                assert kind.probe is not None
                return _kept(await kind.probe(effect, context))
        finally:
            under_way.ended()
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
        birth, step_id, pending.key, number, runtime.clock, runtime.http, runtime.plane, publish,
        runtime.endpoints or NOWHERE, runtime.workspaces,
    )  # fmt: skip
