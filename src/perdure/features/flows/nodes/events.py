"""Nodes that send events and wait for them, or for a time."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from perdure.clock import text_of as time_text
from perdure.clock import time_of
from perdure.features.flows.faults import PlanFault
from perdure.features.flows.model import (
    PLAIN,
    Answer,
    Asked,
    Exec,
    NodeType,
    Passed,
    Visit,
    described,
)
from perdure.features.flows.values import as_object, filled, first_filled, number_of, text_of
from perdure.kernel.model import Effect, EffectClass, Reason, Wait
from perdure.kernel.values import Json

SCOPES = ("session", "workflow", "run", "global")
TIMEOUT = "timeout"
TIMEOUTS = ("timeout_s", "timeoutS", "timeout_seconds", "timeoutSeconds")
KEY_LETTERS_MAX = 1_000
SECONDS = {"seconds": 1, "minutes": 60, "hours": 3_600}


# --- events ------------------------------------------------------------------------------------


def _emit(visit: Visit) -> Asked:
    node, pins, drawn = visit.node, visit.pins, visit.node.config("effectConfig")
    name = text_of(first_filled(pins, drawn, "name", "event_name")).strip()
    if not name:
        raise PlanFault("an event needs a name")
    scope = text_of(first_filled(pins, drawn, "scope")).strip().lower()
    payload = {
        "name": bounded(name),
        "scope": scope if scope in SCOPES else "session",
        "payload": _event_payload(pins.get("payload")),
        "max_steps": 0,
    }
    session = filled(first_filled(pins, drawn, "session_id", "sessionId"))
    if session is not None:
        payload["session_id"] = bounded(session)
    return Asked(
        Effect("emit_event", payload, "", node.id, EffectClass.IDEMPOTENT, node.result_key)
    )


def _event_payload(value: Json) -> Json:
    """What is no object is carried in one, so that a listener always finds an object."""
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"value": value}


def _emitted(visit: Visit, answer: Answer) -> Passed:
    ending = {"success": True, "result": answer.result}
    return Passed(as_object(answer.result), ambient=False, ending=ending)


def _wait_event(visit: Visit) -> Asked:
    node, pins = visit.node, visit.pins
    key = bounded(text_of(pins.get("event_key")).strip() or "default")
    prompt, choices = filled(pins.get("prompt")), pins.get("choices")
    free = first_filled(pins, {}, "allow_free_text", "allowFreeText")
    payload: dict[str, Json] = {"wait_key": key}
    if prompt is not None:
        payload["prompt"] = prompt
    if isinstance(choices, list):
        payload["choices"] = [it for it in choices if filled(it) is not None]
    payload["allow_free_text"] = True if free is None else bool(free)
    until = deadline(visit)
    if until is not None:
        payload["until"] = time_text(until)
    wait = Wait(
        tag="", node_id=node.id, reason=Reason.EVENT, kind="wait_event", key=key, match=key, until=until,
        prompt=prompt, choices=tuple(payload.get("choices", ())) or None,
        allow_free_text=payload["allow_free_text"], payload=payload, result_key=node.result_key,
    )  # fmt: skip
    return Asked(wait)


def _event_came(visit: Visit, answer: Answer) -> Passed:
    return timed(visit, answer, {"event_data": answer.result})


# --- waits that somebody may let pass ----------------------------------------------------------


def deadline(visit: Visit) -> datetime | None:
    """When a wait gives up, if it is drawn to. Raises `PlanFault`."""
    said = first_filled(visit.pins, visit.node.config("effectConfig"), *TIMEOUTS)
    if said is None:
        return None
    try:
        seconds = number_of(said)
        until = visit.moment.at + timedelta(seconds=seconds)
    except (ValueError, OverflowError) as error:
        raise PlanFault(f"{text_of(said)[:80]!r} is no number of seconds: {error}") from None
    if seconds <= 0:
        raise PlanFault("a wait gives up after more than no time at all")
    return until


def timed(visit: Visit, answer: Answer, output: dict[str, Json]) -> Passed:
    """How a wait goes on: as ever, or by `timeout`, where that leads on, when nobody answered in time."""
    late = answer.result is None
    if "timed_out" in visit.node.outputs or late:
        output["timed_out"] = late
    exit = TIMEOUT if late and TIMEOUT in visit.node.targets else PLAIN
    ending = {"success": True, "result": output if late else answer.result}
    return Passed(output, exit, ambient=False, ending=ending)


# --- times -------------------------------------------------------------------------------------


def _wait_until(visit: Visit) -> Asked | Passed:
    """Wait for a time. One that has come already is no wait."""
    node, until = visit.node, _time(visit)
    told = {"until": time_text(until), "ready": True}
    if until <= visit.moment.at:
        return _reached(told)
    wait = Wait(
        tag="", node_id=node.id, reason=Reason.UNTIL, kind="wait_until", until=until,
        allow_free_text=False, payload={"until": told["until"]}, result_key=node.result_key,
    )  # fmt: skip
    return Asked(wait, hold=told)


def _time(visit: Visit) -> datetime:
    duration = visit.pins.get("duration", 0)
    kind = text_of(visit.node.config("effectConfig").get("durationType"))
    try:
        if kind == "timestamp":
            return time_of(text_of(duration).strip())
        return visit.moment.at + timedelta(seconds=_amount(duration) * SECONDS.get(kind, 1))
    except (ValueError, OverflowError) as error:
        raise PlanFault(f"{text_of(duration)[:80]!r} is no time to wait for: {error}") from None


def _amount(duration: Json) -> float:
    """A duration as drawn; what is no number is none, and so no wait."""
    try:
        return float(duration)
    except (TypeError, ValueError):
        return 0.0


def _time_came(visit: Visit, answer: Answer) -> Passed:
    """The time has come, or somebody answered the wait before it did."""
    return _reached(answer.hold if answer.result is None else answer.result)


def _reached(told: Json) -> Passed:
    return Passed(as_object(told), ambient=False, ending={"success": True, "result": told})


def bounded(text: str) -> str:
    """The name or address of an event. Raises `PlanFault` where it is too long."""
    if len(text) > KEY_LETTERS_MAX:
        raise PlanFault(f"the name of an event has at most {KEY_LETTERS_MAX} letters")
    return text


TYPES: Final[Mapping[str, NodeType]] = {
    "emit_event": described(
        Exec(_emit, _emitted),
        "name scope payload session_id -> delivered delivered_to wait_key name scope",
        "Sends an event to every wait of that name, or of the name `*`, in the scope `session`, `workflow`, `run` or `global`. An event that nobody waits for is kept for the next one who does.",
        "`effectConfig`: `name`, `scope`, `sessionId`",
    ),
    "wait_event": described(
        Exec(_wait_event, _event_came, (PLAIN, TIMEOUT)),
        "event_key prompt choices allow_free_text timeout_s -> event_data timed_out",
        "Waits for an event at exactly this address. With `timeout_s` it gives up after so long and goes on by `timeout`, or, where that leads nowhere, as ever.",
        "`effectConfig.timeout_s`",
    ),
    "wait_until": described(
        Exec(_wait_until, _time_came),
        "duration -> until ready",
        "Waits for so long, or until a time; a time that is over is no wait.",
        "`effectConfig.durationType`: `seconds`, `minutes`, `hours` or `timestamp`",
    ),
}
