"""Nodes that something from outside begins, again and again: an event, or a planned time.

The branch after such a node comes back to it. Drawn where the flow does not lead to it, it begins
a run of its own beside the flow (`listeners.py`).
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from perdure.clock import text_of as time_text
from perdure.clock import time_of
from perdure.features.flows.faults import PlanFault
from perdure.features.flows.listeners import address_of
from perdure.features.flows.model import (
    Answer,
    Asked,
    Exec,
    NodeType,
    Passed,
    Visit,
    described,
)
from perdure.features.flows.nodes.events import SCOPES, bounded
from perdure.features.flows.values import MISSING, as_object, filled, first_filled, text_of, truth
from perdure.kernel.model import Reason, Wait
from perdure.kernel.values import Json

DURATION: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*(ms|s|m|h|d)")
SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
SHORTEST: Final = timedelta(milliseconds=100)
BEYOND: Final = "a schedule ends beyond the calendar"
EVERY: Final = "15s"
ANY_NAME: Final = "*"


# --- events ------------------------------------------------------------------------------------


def _listen(visit: Visit) -> Asked:
    node, drawn, run = visit.node, visit.node.config("eventConfig"), visit.moment.run
    scope = text_of(first_filled(visit.pins, drawn, "scope")).strip().lower()
    name = bounded(text_of(drawn.get("name")).strip() or ANY_NAME)
    key = address_of(run, scope if scope in SCOPES else "session", run.session_id, name)
    payload = {"wait_key": key, "name": name, "scope": scope if scope in SCOPES else "session"}
    wait = Wait(
        tag="", node_id=node.id, reason=Reason.EVENT, kind="wait_event", key=key, match=key,
        payload=payload, result_key=node.result_key,
    )  # fmt: skip
    return Asked(wait)


def _heard(_visit: Visit, answer: Answer) -> Passed:
    """The envelope of the event; what somebody answered without one counts as its payload."""
    event = as_object(answer.result)
    output = {
        "event": event,
        "payload": event.get("payload", event),
        "event_id": event.get("event_id"),
        "name": event.get("name"),
    }
    return Passed(output, ambient=False)


# --- planned times -----------------------------------------------------------------------------


def _plan(visit: Visit) -> Asked:
    """Wait for the next planned time. One that was planned counts from the one before it."""
    node, drawn = visit.node, visit.node.config("eventConfig")
    schedule = text_of(first_filled(visit.pins, drawn, "schedule") or EVERY).strip()
    said = first_filled(visit.pins, drawn, "recurrent")
    found = DURATION.fullmatch(schedule.lower())
    if found is None:
        due, recurrent = _once(schedule), False
    else:
        due, recurrent = _next(visit, _every(found)), said is None or truth(said)
    told = {"timestamp": time_text(due), "recurrent": recurrent}
    wait = Wait(
        tag="", node_id=node.id, reason=Reason.UNTIL, kind="wait_until", until=due, allow_free_text=False,
        payload={"until": told["timestamp"], "schedule": schedule}, result_key=node.result_key,
    )  # fmt: skip
    return Asked(wait, hold=told)


def _every(found: re.Match[str]) -> timedelta:
    try:
        interval = timedelta(seconds=float(found.group(1)) * SECONDS[found.group(2)])
    except OverflowError:
        raise PlanFault(BEYOND) from None
    if interval < SHORTEST:
        raise PlanFault("a schedule comes back after a tenth of a second at the soonest")
    return interval


def _once(schedule: str) -> datetime:
    try:
        return time_of(schedule)
    except ValueError:
        raise PlanFault(
            f"{schedule[:80]!r} is neither a duration, such as 15s, nor a time"
        ) from None


def _next(visit: Visit, interval: timedelta) -> datetime:
    """The first time of the plan that is still to come; those that went by meanwhile are left out."""
    now, before = visit.moment.at, filled(visit.kept)
    try:
        if before is None:
            return now + interval
        passed = max(0, (now - time_of(before)) // interval)
        return time_of(before) + interval * (passed + 1)
    except OverflowError:
        raise PlanFault(BEYOND) from None


def _came(_visit: Visit, answer: Answer) -> Passed:
    return Passed({"timestamp": as_object(answer.hold).get("timestamp")}, ambient=False)


def _planned_before(answer: Answer) -> Json:
    """What a recurrent schedule counts from; one that is over does not come back."""
    held = as_object(answer.hold)
    return held.get("timestamp") if held.get("recurrent") else MISSING


TYPES: Final[Mapping[str, NodeType]] = {
    "on_event": described(
        Exec(_listen, _heard, again=lambda _answer: True),
        "scope -> event payload event_id name",
        "Waits for an event and runs its branch for it; when the branch has ended it waits for the next. `on_flow_end` ends it. Without a name it hears every event of its scope. Where the flow does not lead to it, it runs as a child beside the flow, from its start to its end, with the same inputs.",
        "`eventConfig`: `name`, `scope`",
    ),
    "on_schedule": described(
        Exec(_plan, _came, again=_planned_before),
        "schedule recurrent -> timestamp",
        "Runs its branch at planned times: after `15s`, `500ms`, `2h` …, again and again, or once at a time. Each time counts from the planned one before it, not from the end of its branch; times that went by meanwhile are left out. Where the flow does not lead to it, it runs as a child beside the flow.",
        '`eventConfig`: `schedule` (`"15s"`), `recurrent` (true)',
    ),
}
