"""What an event makes of a run: the rules of durable execution, pure, top to bottom.

A run is a value. It holds cells (its state), a set of open keys (effects under way, waits,
children) and nothing else that changes. Something happens to it: an **event**. The event and
the run make a **decision**: the records to write, the effects to perform, the waits to open and
close, the children to bear, the messages to send, and the run as it then stands. Nothing is
done here; a store commits the decision whole or not at all, and others deliver it.

There are four kinds of event. `Advance` begins a run. `Arrived`, `Answered` and `Due` close an
open key, and whoever brings one names the key: a key that is not open (any more) changes
nothing, so that delivering twice is as good as once. `Cancel`, `Expired`, `Hold` and `Release` are
about the run as a whole. `Told` is a word for the program.

Whenever a key has closed, the **program** is asked for its next move, and asked again while its
moves are pure: such moves fold into one decision and leave one record. A fold ends with an
effect, a wait, a child, an end, or with `limits.moves_max`, never by the clock.

A run under a hold records what arrives and asks its program nothing; what it would have been
asked waits in cells named `rt/held/…` until the release. A run whose deadline has come ends, held
or not, and all below it. A run that has ended stays as it is.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Final

from msgspec.structs import asdict

from perdure.ids import Key
from perdure.kernel.draft import Draft
from perdure.kernel.fold import Fold, ask
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
    Expired,
    Failed,
    Fault,
    Held,
    Hold,
    Ok,
    Open,
    Reason,
    Release,
    Run,
    Told,
    Unknown,
    Wait,
)
from perdure.kernel.program import Fail, Moment, Program, View
from perdure.kernel.values import Json

HELD: Final = "rt/held/"

Kept = Arrived | Answered | Told  # what a program may be asked about after a hold


def decide(
    run: Run, event: Event, program: Program, cells: Mapping[str, Json], at: datetime
) -> Decision:
    """Say what `event` makes of `run`.

    A late or repeated event changes nothing: its disposition says so, and delivering an event
    twice is always safe. Never raises for what a caller sent.
    """
    decided = decide_a_slice(run, event, program, cells, at)
    while isinstance(decided, Fold):
        decided = decided.on()
    return decided


def decide_a_slice(
    run: Run, event: Event, program: Program, cells: Mapping[str, Json], at: datetime
) -> Decision | Fold:
    """The same for a driver that must not block: the decision, or after `SLICE` moves the rest of the fold."""
    if run.status in TERMINAL:
        return ignored(run, "the run has ended")
    draft = Draft(run, View(cells), Moment(run.birth, run.version, at, run.held))
    match event:
        case Arrived():
            return _arrived(draft, program, event)
        case Answered():
            return _answered(draft, program, event)
        case Due():
            return _due(draft, program, event)
        case _:
            return _of_the_run(draft, program, event)


def ignored(run: Run, why: str) -> Decision:
    """A decision that changes nothing, and says why."""
    return Decision(run=run, read_version=run.version, disposition=f"ignored: {why}")


def _of_the_run(
    draft: Draft, program: Program, event: Advance | Cancel | Expired | Hold | Release | Told | Fault
) -> Decision | Fold:  # fmt: skip
    """Decide what concerns the run as a whole and no key of it."""
    match event:
        case Advance():
            return _advance(draft, program, event)
        case Cancel(reason=reason):
            return draft.expire() or draft.cancel(reason)  # whichever is heard first
        case Expired():
            return draft.expire() or ignored(draft.run, "its deadline has not come")
        case Hold(reason=reason):
            draft.tell_of("hold", reason)
            return _hold(draft, reason)
        case Release():
            draft.tell_of("release")
            return _release(draft, program)
        case Told():
            draft.tell_of("told", event.message)
            return _ask_unless_held(draft, program, event)
        case _:
            draft.tell_of("fault", event.code, event.detail)
            return draft.end(Fail(event.code, event.detail))


def _advance(draft: Draft, program: Program, event: Advance) -> Decision | Fold:
    if not draft.ready or draft.held is not None:
        return ignored(draft.run, "there is nothing to begin")
    draft.ready = False
    return ask(draft, program, (event, *_kept_events(draft)))


# --- what closes an open key -----------------------------------------------------------------


def _arrived(draft: Draft, program: Program, event: Arrived) -> Decision | Fold:
    entry = draft.open.get(event.key)
    if entry is None:
        return ignored(draft.run, "its key is not open")
    if entry.review:
        return ignored(draft.run, "the effect is in review")
    what, outcome = entry.what, event.outcome
    if isinstance(what, Wait) and what.child is None:
        return ignored(draft.run, "its key is a wait")
    if isinstance(outcome, Unknown):
        if isinstance(what, Effect) and what.effect_class in _NEVER_TWICE:
            draft.doubt(entry, outcome, event.attempts, event.dispatched_at)
            return draft.decision()
        outcome = Failed("unknown_outcome", outcome.detail)
    return _settle(draft, program, entry, outcome, event.attempts)


_NEVER_TWICE: Final = frozenset({EffectClass.ONCE, EffectClass.COMPENSABLE})


def _settle(
    draft: Draft, program: Program, entry: Open, outcome: Ok | Failed, attempts: tuple[Json, ...]
) -> Decision | Fold:
    """Record the outcome and give it to the program."""
    draft.record_outcome(entry, outcome, attempts)
    return _ask_unless_held(draft, program, Arrived(entry.key, outcome, (), None, entry.what.tag))


def _answered(draft: Draft, program: Program, event: Answered) -> Decision | Fold:
    entry = draft.open.get(event.key)
    if entry is None or not isinstance(entry.what, Wait) or entry.what.child is not None:
        return ignored(draft.run, "the run does not wait for this")
    if event.opened_seq is not None and event.opened_seq != entry.seq:
        return ignored(draft.run, "the wait was answered before")
    if why := misfit(entry.what, event.payload):
        return ignored(draft.run, why)
    draft.record_answer(entry, event.payload, event.by)
    if entry.what.review_of is not None:
        return _reviewed(draft, program, event.payload, draft.open[entry.what.review_of])
    return _ask_unless_held(
        draft, program, Answered(entry.key, event.payload, event.by, tag=entry.what.tag)
    )


def _reviewed(draft: Draft, program: Program, payload: Json, effect: Open) -> Decision | Fold:
    """A person has said whether the effect in doubt happened."""
    if payload.get("resolution") == "happened":
        return _settle(draft, program, effect, Ok(payload.get("result")), ())
    if payload.get("then") == "fail":
        failed = Failed("did_not_happen", "a person said that it did not happen")
        return _settle(draft, program, effect, failed, ())
    draft.give_back(effect)
    return draft.decision()


def _due(draft: Draft, program: Program, event: Due) -> Decision | Fold:
    run, entry = draft.run, draft.open.get(event.key)
    if entry is None or not isinstance(entry.what, Wait) or entry.what.until is None:
        return ignored(run, "its key is not open")
    if event.opened_seq is not None and event.opened_seq != entry.seq:
        return ignored(run, "the wait came due before")
    if entry.what.until > draft.moment.at:
        return ignored(run, "it is not due yet")
    if run.held is not None:
        return ignored(run, "the run is held")
    draft.tell_of("due", event.key)
    draft.close(entry)
    return ask(draft, program, (Due(entry.key, tag=entry.what.tag),))


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
    if payload.get("resolution") not in ("happened", "did_not_happen"):
        return "`resolution` is `happened` or `did_not_happen`"
    if payload["resolution"] == "happened" or payload.get("then") in ("retry", "fail"):
        return None
    return "`then` is `retry` or `fail`"


# --- hold and release ------------------------------------------------------------------------


def _hold(draft: Draft, reason: str) -> Decision:
    if draft.held is not None:
        return ignored(draft.run, "the run is held already")
    draft.held = Held(reason, draft.now)
    draft.tell_children("hold", {"reason": reason})
    draft.tell_beside("hold", {"reason": reason})
    return draft.decision()


def _release(draft: Draft, program: Program) -> Decision | Fold:
    if draft.held is None:
        return ignored(draft.run, "the run is not held")
    draft.held = None
    draft.tell_children("release", None)
    draft.tell_beside("release", None)
    if draft.ready:
        return draft.decision()
    missed = _missed(draft)
    first = next(missed, None)
    if first is None:
        return draft.decision()
    return ask(draft, program, chain((first,), missed))


def _missed(draft: Draft) -> Iterator[Event]:
    """What the program was not asked during the hold: first what was kept, then what came due.

    Told one by one, so that what an earlier answer withdraws is not asked about any more.
    """
    for event in _kept_events(draft):
        if isinstance(event, Told) or event.tag not in draft.withdrawn:
            yield event
    for key, entry in draft.run.open.items():
        until = entry.what.until if isinstance(entry.what, Wait) else None
        if until is not None and until <= draft.moment.at and draft.open.get(key) is entry:
            draft.close(entry)
            yield Due(key, tag=entry.what.tag)


def _ask_unless_held(draft: Draft, program: Program, event: Kept) -> Decision | Fold:
    """Ask the program, or keep the question where the run is held or has not begun."""
    if draft.held is None and not draft.ready:
        return ask(draft, program, (event,))
    draft.cells.pending[f"{HELD}{draft.run.version}"] = _kept(event)
    return draft.decision()


def _kept(event: Kept) -> Json:
    """An event as a cell keeps it while the run is held."""
    match event:
        case Told(message=message):
            return {"event": "told", "message": message}
        case Answered(key=key, payload=payload, by=by, tag=tag):
            return {"event": "answered", "key": key, "tag": tag, "payload": payload, "by": by}
        case Arrived(key=key, outcome=outcome, tag=tag):
            told = {"ok": isinstance(outcome, Ok), "outcome": asdict(outcome)}
            return {"event": "arrived", "key": key, "tag": tag, **told}


def _kept_events(draft: Draft) -> list[Kept]:
    names = sorted(draft.cells.names(HELD), key=lambda name: int(name.removeprefix(HELD)))
    return [_unkept(draft.cells, name) for name in names]


def _unkept(cells: View, name: str) -> Kept:
    kept = cells[name]
    cells.pending[name] = GONE
    match kept["event"]:
        case "told":
            return Told(kept["message"])
        case "answered":
            return Answered(Key(kept["key"]), kept["payload"], kept["by"], tag=kept["tag"])
        case _:
            outcome = Ok(**kept["outcome"]) if kept["ok"] else Failed(**kept["outcome"])
            return Arrived(Key(kept["key"]), outcome, tag=kept["tag"])
