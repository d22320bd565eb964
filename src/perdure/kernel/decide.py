"""What an event makes of a run: the rules of durable execution, pure, top to bottom.

A run is a value. It holds cells (its state), a set of open keys (effects under way, waits,
children) and nothing else that changes. Something happens to it: an **event**. The event and
the run make a **decision**: the records to write, the effects to perform, the waits to open and
close, the children to bear, the messages to send, and the run as it then stands. Nothing is
done here; a store commits the decision whole or not at all, and others deliver it.

There are four kinds of event. `Advance` begins a run. `Arrived`, `Answered` and `Due` close an
open key, and whoever brings one names the key: a key that is not open (any more) changes
nothing, so that delivering twice is as good as once. `Cancel`, `Hold` and `Release` are about
the run as a whole. `Told` is a word for the program.

Whenever a key has closed, the **program** is asked for its next move, and asked again while its
moves are pure: such moves fold into one decision and leave one record. A fold ends with an
effect, a wait, a child, an end, or with `limits.moves_max`, never by the clock.

A run under a hold records what arrives and asks its program nothing; what it would have been
asked waits in cells named `rt/held/…` until the release. A run that has ended stays as it is.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Final

from perdure.ids import Key
from perdure.kernel.draft import Draft
from perdure.kernel.limits import SLICE
from perdure.kernel.model import (
    GONE,
    TERMINAL,
    Advance,
    Answered,
    Arrived,
    Cancel,
    Decision,
    Due,
    Effect,
    EffectClass,
    Event,
    Failed,
    Fault,
    Held,
    Hold,
    Ok,
    Open,
    Outcome,
    Reason,
    Release,
    Run,
    Told,
    Unknown,
    Wait,
)
from perdure.kernel.program import Done, Fail, Moment, Move, Program, View
from perdure.kernel.values import Json

HELD: Final = "rt/held/"

Folding = Generator[None, None, Decision]


def decide(
    run: Run, event: Event, program: Program, cells: Mapping[str, Json], at: datetime
) -> Decision:
    """Say what `event` makes of `run`.

    A late or repeated event changes nothing: its disposition says so, and delivering an event
    twice is always safe. Never raises for what a caller sent.
    """
    folding = deciding(run, event, program, cells, at)
    while True:
        try:
            next(folding)
        except StopIteration as stop:
            decision: Decision = stop.value
            return decision


def deciding(
    run: Run, event: Event, program: Program, cells: Mapping[str, Json], at: datetime
) -> Folding:
    """The same, with a pause after every `SLICE` moves for a driver that must not block."""
    if run.status in TERMINAL:
        return ignored(run, "the run has ended")
    draft = Draft(run, View(cells), Moment(run.birth, run.version, at))
    match event:
        case Arrived(key=key):
            return (yield from _arrived(draft, program, event, run.open.get(key)))
        case Answered(key=key):
            return (yield from _answered(draft, program, event, run.open.get(key)))
        case Due(key=key):
            return (yield from _due(draft, program, event, run.open.get(key)))
        case _:
            return (yield from _of_the_run(draft, program, event))


def _of_the_run(
    draft: Draft, program: Program, event: Advance | Cancel | Hold | Release | Told | Fault
) -> Folding:
    """Decide what concerns the run as a whole and no key of it."""
    match event:
        case Advance():
            return (yield from _advance(draft, program, event))
        case Cancel(reason=reason):
            return draft.cancel(reason)
        case Hold(reason=reason):
            return _hold(draft, reason)
        case Release():
            return (yield from _release(draft, program))
        case Told():
            return (yield from _ask(draft, program, event))
        case Fault(code=code, detail=detail):
            return draft.end(Fail(code, detail))


def _advance(draft: Draft, program: Program, event: Advance) -> Folding:
    if not draft.ready or draft.run.held is not None:
        return ignored(draft.run, "there is nothing to begin")
    draft.ready = False
    return (yield from _fold(draft, program, [event, *_kept_events(draft)]))


def ignored(run: Run, why: str) -> Decision:
    """A decision that changes nothing, and says why."""
    return Decision(run=run, read_version=run.version, disposition=f"ignored: {why}")


# --- what closes an open key -----------------------------------------------------------------


def _arrived(draft: Draft, program: Program, event: Arrived, entry: Open | None) -> Folding:
    if entry is None:
        return ignored(draft.run, "its key is not open")
    if entry.review:
        return ignored(draft.run, "the effect is in review")
    what, outcome = entry.what, event.outcome
    if isinstance(what, Wait) and what.child is None:
        return ignored(draft.run, "its key is a wait")
    if (
        isinstance(outcome, Unknown)
        and isinstance(what, Effect)
        and what.effect_class in _NEVER_TWICE
    ):
        draft.doubt(entry, outcome, event.attempts, event.dispatched_at)
        return draft.decision()
    return (yield from _settle(draft, program, entry, outcome, event.attempts))


_NEVER_TWICE: Final = frozenset({EffectClass.ONCE, EffectClass.COMPENSABLE})


def _settle(
    draft: Draft, program: Program, entry: Open, outcome: Outcome, attempts: tuple[Json, ...]
) -> Folding:
    """Record the outcome and give it to the program, as a failure where nobody knows."""
    if isinstance(outcome, Unknown):
        outcome = Failed("unknown_outcome", outcome.detail)
    draft.record_outcome(entry, outcome, attempts)
    return (yield from _ask(draft, program, Arrived(entry.key, outcome, tag=entry.what.tag)))


def _answered(draft: Draft, program: Program, event: Answered, entry: Open | None) -> Folding:
    run = draft.run
    if entry is None or not isinstance(entry.what, Wait) or entry.what.child is not None:
        return ignored(run, "the run does not wait for this")
    if event.opened_seq is not None and event.opened_seq != entry.seq:
        return ignored(run, "the wait was answered before")
    if why := misfit(entry.what, event.payload):
        return ignored(run, why)
    if entry.what.review_of is not None:
        return (yield from _reviewed(draft, program, event, entry, run.open[entry.what.review_of]))
    draft.record_answer(entry, event.payload, event.by)
    answered = Answered(entry.key, event.payload, event.by, tag=entry.what.tag)
    decision = yield from _ask(draft, program, answered)
    return decision._replace(decided_by=event.by or None)


def _reviewed(draft: Draft, program: Program, event: Answered, wait: Open, effect: Open) -> Folding:
    """A person has said whether the effect in doubt happened."""
    draft.record_answer(wait, event.payload, event.by)
    if event.payload.get("resolution") == "happened":
        outcome: Outcome = Ok(event.payload.get("result"))
    elif event.payload.get("then") == "retry":
        draft.open[effect.key] = effect._replace(review=False)
        draft.redo.append(effect.key)
        return draft.decision()._replace(decided_by=event.by or None)
    else:
        outcome = Failed("did_not_happen", "a person said that it did not happen")
    decision = yield from _settle(draft, program, effect, outcome, ())
    return decision._replace(decided_by=event.by or None)


def _due(draft: Draft, program: Program, event: Due, entry: Open | None) -> Folding:
    run = draft.run
    if entry is None or not isinstance(entry.what, Wait) or entry.what.until is None:
        return ignored(run, "its key is not open")
    if event.opened_seq is not None and event.opened_seq != entry.seq:
        return ignored(run, "the wait came due before")
    if entry.what.until > draft.moment.at:
        return ignored(run, "it is not due yet")
    if run.held is not None:
        return ignored(run, "the run is held")
    draft.close(entry)
    return (yield from _fold(draft, program, [Due(entry.key, tag=entry.what.tag)]))


def misfit(wait: Wait, payload: Json) -> str | None:
    """Say why `payload` does not answer `wait`, or `None` where it does."""
    if not isinstance(payload, dict):
        return "an answer is an object"
    if wait.review_of is not None:
        return _misfit_of_review(payload)
    if wait.reason is not Reason.USER or wait.choices is None or wait.allow_free_text:
        return None
    if payload.get("response") in wait.choices:
        return None
    return "the response is none of the choices: " + ", ".join(wait.choices)


def _misfit_of_review(payload: Mapping[str, Json]) -> str | None:
    match payload.get("resolution"):
        case "happened":
            return None
        case "did_not_happen":
            return (
                None if payload.get("then") in ("retry", "fail") else "`then` is `retry` or `fail`"
            )
        case _:
            return "`resolution` is `happened` or `did_not_happen`"


# --- hold and release ------------------------------------------------------------------------


def _hold(draft: Draft, reason: str) -> Decision:
    run = draft.run
    if run.held is not None:
        return ignored(run, "the run is held already")
    _tell_children(draft, "hold", {"reason": reason})
    draft.run = run._replace(held=Held(reason, draft.now))
    return draft.decision()


def _release(draft: Draft, program: Program) -> Folding:
    run = draft.run
    if run.held is None:
        return ignored(run, "the run is not held")
    draft.run = run._replace(held=None)
    _tell_children(draft, "release", None)
    if draft.ready:
        return draft.decision()
    events = _missed(draft)
    first = next(events, None)
    if first is None:
        return draft.decision()
    return (yield from _fold(draft, program, chain([first], events)))


def _missed(draft: Draft) -> Iterator[Event]:
    """What the program was not asked during the hold: first what was kept, then what came due.

    Told one by one, so that what an earlier answer withdraws is not asked about any more.
    """
    for event in _kept_events(draft):
        if isinstance(event, Told) or event.tag not in draft.withdrawn:
            yield event
    for entry in draft.run.open.values():
        what = entry.what
        if isinstance(what, Wait) and _is_due(what, draft) and draft.open.get(entry.key) is entry:
            draft.close(entry)
            yield Due(entry.key, tag=what.tag)


def _is_due(wait: Wait, draft: Draft) -> bool:
    return wait.until is not None and wait.until <= draft.moment.at


def _tell_children(draft: Draft, kind: str, body: Json) -> None:
    for entry in draft.open.values():
        if isinstance(entry.what, Wait) and entry.what.child is not None:
            draft.send(entry.what.child, kind, body=body)


Kept = Arrived | Answered | Told


def _kept(event: Kept) -> Json:
    """An event as a cell keeps it while the run is held."""
    match event:
        case Arrived(key=key, outcome=Failed(code=code, detail=detail, result=result), tag=tag):
            return {"event": "arrived", "key": key, "tag": tag, "ok": False, "code": code, "detail": detail,
                    "result": result}  # fmt: skip
        case Arrived(key=key, outcome=Ok(result=result), tag=tag):
            return {"event": "arrived", "key": key, "tag": tag, "ok": True, "result": result}
        case Answered(key=key, payload=payload, by=by, tag=tag):
            return {"event": "answered", "key": key, "tag": tag, "payload": payload, "by": by}
        case Told(message=message):
            return {"event": "told", "message": message}


def _kept_events(draft: Draft) -> list[Kept]:
    return [_unkept(draft.cells, name) for name in sorted(draft.cells.names(HELD), key=_number)]


def _unkept(cells: View, name: str) -> Kept:
    kept = cells[name]
    cells.pending[name] = GONE
    match kept["event"]:
        case "answered":
            return Answered(Key(kept["key"]), kept["payload"], kept["by"], tag=kept["tag"])
        case "told":
            return Told(kept["message"])
        case _ if kept["ok"]:
            return Arrived(Key(kept["key"]), Ok(kept["result"]), tag=kept["tag"])
        case _:
            failed = Failed(kept["code"], kept["detail"], result=kept["result"])
            return Arrived(Key(kept["key"]), failed, tag=kept["tag"])


def _number(name: str) -> int:
    return int(name.removeprefix(HELD))


# --- asking the program ----------------------------------------------------------------------


def _ask(draft: Draft, program: Program, event: Kept) -> Folding:
    """Ask the program, or keep the question where the run is held or has not begun."""
    if draft.run.held is None and not draft.ready:
        return (yield from _fold(draft, program, [event]))
    draft.cells.pending[f"{HELD}{draft.run.version}"] = _kept(event)
    return draft.decision()


def _fold(draft: Draft, program: Program, events: Iterable[Event]) -> Folding:
    """Ask for moves until there is something to wait for, and write down the last of them."""
    if reached := _bound_before(draft):
        return draft.end(reached)
    moves_max, moves = draft.run.birth.limits.moves_max, 0
    for event in events:
        move = program.next(draft.cells, event, draft.moment)
        while (ended := _take(draft, move)) is None and move.more:
            moves += 1
            if moves >= moves_max:
                detail = f"moves_max: {moves_max} moves without a record"
                return draft.end(Fail("limit_reached", detail))
            if moves % SLICE == 0:
                yield
            move = program.next(draft.cells, _ADVANCE, draft.moment)
        if ended is not None:
            return draft.end(ended)
    if not draft.open:
        detail = "the program asks for nothing and waits for nothing"
        return draft.end(Fail("program_stuck", detail))
    return draft.decision()


_ADVANCE: Final = Advance()


def _bound_before(draft: Draft) -> Fail | None:
    """The bound that the run has reached before its program is asked again."""
    run, limits = draft.run, draft.run.birth.limits
    if draft.seq >= limits.steps_max:
        return Fail("limit_reached", f"steps_max: more than {limits.steps_max} records")
    if run.state_bytes > limits.state_bytes_max:
        return Fail("limit_reached", f"state_bytes_max: more than {limits.state_bytes_max} bytes")
    return None


def _take(draft: Draft, move: Move) -> Done | Fail | None:
    """Write a move into the draft; the end that it comes to, if it does."""
    draft.cells.pending.update(move.writes)
    if move.path:
        draft.passed(move.path)
    if move.warnings:
        draft.warn(move.warnings)
    if move.withdraw:
        _withdraw(draft, move.withdraw)
    if reached := _bound_of_requests(draft, move):
        return reached
    for effect in move.effects:
        draft.begin_effect(effect)
    for wait in move.waits:
        draft.open_wait(wait)
    for start in move.starts:
        draft.begin_child(start)
    return move.end


def _bound_of_requests(draft: Draft, move: Move) -> Fail | None:
    """The bound that the run would break if it were given what it asks for; it is given nothing then."""
    birth = draft.run.birth
    asked = len(move.effects) + len(move.waits) + len(move.starts)
    if len(draft.open) + asked > birth.limits.open_max:
        return Fail("limit_reached", f"open_max: more than {birth.limits.open_max} open at once")
    if move.starts and birth.depth >= birth.limits.depth_max:
        return Fail("limit_reached", f"depth_max: more than {birth.limits.depth_max} runs deep")
    return None


def _withdraw(draft: Draft, tags: tuple[str, ...]) -> None:
    draft.withdrawn.update(tags)
    for entry in tuple(draft.open.values()):
        if entry.what.tag in tags:
            draft.withdraw(entry)
