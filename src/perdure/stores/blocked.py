"""Why a run that has not ended does not move: one fact, the most pressing first."""

from typing import NamedTuple

from perdure.clock import text_of
from perdure.ids import Key, RunId
from perdure.kernel.model import TERMINAL, Effect, Open, Reason, Run, Wait


class Blocked(NamedTuple):
    """What a run waits for. `kind` is one word of a fixed list; `since` a time as records write it."""

    kind: str  # approval question review event timer child effect retry hold runner
    since: str
    detail: str
    key: Key | None = None
    child: RunId | None = None


def blocked_on(run: Run) -> Blocked | None:
    """Say why `run` does not move, or `None` where it has ended."""
    if run.status in TERMINAL:
        return None
    if run.held is not None:
        return Blocked("hold", run.held.at, run.held.reason or "paused")
    if run.ready:
        return Blocked("runner", run.updated_at, "waits for a runner to begin it")
    if not run.open:
        return Blocked("runner", run.updated_at, "waits for a runner to go on")
    return _of(min(run.open.values(), key=_rank))


def shown_open(run: Run) -> Open | None:
    """The open key that summaries show: one that a person can answer, else the oldest."""
    waits = [entry for entry in run.open.values() if isinstance(entry.what, Wait)]
    if not waits:
        return None
    return min(waits, key=lambda entry: (_rank(entry), entry.seq))


_ORDER = ("review", "approval", "question", "event", "child", "timer", "effect")


def _rank(entry: Open) -> int:
    """How pressing it is; last comes a child that only runs beside, which the run does not need."""
    what = entry.what
    if isinstance(what, Wait) and what.child is not None and isinstance(what.payload, dict):
        beside = what.payload.get("wait") is False
    else:
        beside = False
    return len(_ORDER) if beside else _ORDER.index(_of(entry).kind)


def _of(entry: Open) -> Blocked:
    what = entry.what
    if isinstance(what, Effect):
        return Blocked("effect", entry.at, f"{what.kind} is under way", entry.key)
    if what.review_of is not None:
        return Blocked("review", entry.at, "nobody knows whether the effect happened", entry.key)
    match what.reason:
        case Reason.USER if (
            isinstance(what.details, dict) and what.details.get("mode") == "approval_required"
        ):
            return Blocked("approval", entry.at, what.prompt or "waits for an approval", entry.key)
        case Reason.USER:
            return Blocked("question", entry.at, what.prompt or "waits for an answer", entry.key)
        case Reason.CHILD:
            return Blocked("child", entry.at, f"waits for {what.child}", entry.key, what.child)
        case Reason.UNTIL:
            until = "somebody answers" if what.until is None else text_of(what.until)
            return Blocked("timer", entry.at, f"waits until {until}", entry.key)
        case _:  # an event, or a job outside
            return Blocked("event", entry.at, f"waits for {entry.key}", entry.key)
