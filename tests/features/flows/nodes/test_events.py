"""Events and times, by example."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from perdure.kernel.model import EffectClass, Reason, Status, Wait
from perdure.kernel.values import Json
from tests.support.clock import START
from tests.support.drawing import a_flow, a_node, a_start
from tests.support.flowing import Flowing, passed

NAMED = {"name": "drawn", "scope": "run", "sessionId": "theirs"}

EMITTED: dict[str, tuple[dict[str, Json], dict[str, Json], dict[str, Json]]] = {
    "as drawn": (NAMED, {}, {"name": "drawn", "scope": "run", "payload": {}, "session_id": "theirs"}),
    "pins win": (NAMED, {"name": "pin", "scope": "Global"}, {"name": "pin", "scope": "global", "payload": {}, "session_id": "theirs"}),
    "an empty pin is none": (NAMED, {"name": "", "session_id": ""}, {"name": "drawn", "scope": "run", "payload": {}, "session_id": "theirs"}),
    "a scope that is none": ({"name": "n", "scope": "moon"}, {}, {"name": "n", "scope": "session", "payload": {}}),
    "an object": ({"name": "n"}, {"payload": {"a": 1}}, {"name": "n", "scope": "session", "payload": {"a": 1}}),
    "no object is carried in one": ({"name": "n"}, {"payload": "text"}, {"name": "n", "scope": "session", "payload": {"value": "text"}}),
}  # fmt: skip


@pytest.mark.parametrize(("drawn", "pins", "payload"), EMITTED.values(), ids=EMITTED)
def test_emit_event(
    drawn: dict[str, Json], pins: dict[str, Json], payload: dict[str, Json]
) -> None:
    node = a_node("emit_event", "name", "scope", "payload", "session_id", effectConfig=drawn)
    run = passed(node, pins, "delivered", "wait_key")
    (effect,) = run.effects("emit_event")
    assert effect.payload == {**payload, "max_steps": 0}
    assert effect.effect_class is EffectClass.IDEMPOTENT
    key = f"evt:{payload['scope']}:{run.root}:{payload['name']}"
    assert run.output == {"delivered": 0, "wait_key": key, "success": True}


@pytest.mark.parametrize("name", ["", " ", "x" * 1_001])
def test_an_event_has_a_name_of_a_bounded_length(name: str) -> None:
    run = passed(a_node("emit_event", "name"), {"name": name})
    assert (run.error or "").startswith("bad_input: it: ")


WAITED: dict[str, tuple[dict[str, Json], str, dict[str, Any]]] = {
    "a raw key": ({"event_key": "evt:session:s:go"}, "evt:session:s:go", {"prompt": None, "choices": None}),
    "no key": ({}, "default", {"allow_free_text": True}),
    "an empty key": ({"event_key": " "}, "default", {}),
    "a question": ({"event_key": "k", "prompt": "Well?", "choices": ["a", "", 1]}, "k", {"prompt": "Well?", "choices": ("a",)}),
    "choices alone": ({"event_key": "k", "allow_free_text": False}, "k", {"allow_free_text": False}),
}  # fmt: skip


@pytest.mark.parametrize(("pins", "key", "facts"), WAITED.values(), ids=WAITED)
def test_wait_event(pins: dict[str, Json], key: str, facts: dict[str, Any]) -> None:
    node = a_node("wait_event", "event_key", "prompt", "choices", "allow_free_text")
    run = passed(node, pins, "event_data")
    entry = run.open_at("it")
    assert isinstance(entry.what, Wait)
    assert (entry.key, entry.what.match, entry.what.reason) == (key, key, Reason.EVENT)
    assert {name: getattr(entry.what, name) for name in facts} == facts
    assert entry.what.payload["wait_key"] == key
    run.answer("it", {"event_id": "e", "payload": {"n": 1}})
    assert run.output["event_data"] == {"event_id": "e", "payload": {"n": 1}}


LATER: dict[str, tuple[Json, Json, timedelta]] = {
    "seconds": (None, 3, timedelta(seconds=3)),
    "parts of seconds": ("seconds", "0.5", timedelta(milliseconds=500)),
    "minutes": ("minutes", 2, timedelta(minutes=2)),
    "hours": ("hours", 1, timedelta(hours=1)),
    "a time": ("timestamp", "2026-01-01T02:00:00+01:00", timedelta(hours=1)),
    "a time without a zone": ("timestamp", "2026-01-01T01:00:00", timedelta(hours=1)),
    "what is no kind of duration": ("moons", 3, timedelta(seconds=3)),
    "what is not even a word": (["hours"], 3, timedelta(seconds=3)),
}

NOW: dict[str, tuple[str | None, Json]] = {
    "zero": (None, 0),
    "below zero": (None, -3),
    "nothing": (None, None),
    "no number": ("minutes", "soon"),
    "a time that is over": ("timestamp", "2020-01-01T00:00:00Z"),
}

NEVER: dict[str, tuple[str | None, Json]] = {
    "no time": ("timestamp", "banana"),
    "no time at all": ("timestamp", ""),
    "beyond the calendar": ("hours", 1e12),
    "no number of seconds": (None, "nan"),
}


def _until(kind: Json, duration: Json) -> Flowing:
    drawn = {} if kind is None else {"durationType": kind}
    return passed(
        a_node("wait_until", "duration", effectConfig=drawn), {"duration": duration}, "until"
    )


@pytest.mark.parametrize(("kind", "duration", "after"), LATER.values(), ids=LATER)
def test_wait_until(kind: Json, duration: Json, after: timedelta) -> None:
    run = _until(kind, duration)
    wait = run.open_at("it").what
    assert isinstance(wait, Wait)
    assert (wait.until, wait.reason) == (START + after, Reason.UNTIL)
    assert run.status is Status.WAITING
    run.come_due("it")
    assert run.output["until"] == (START + after).isoformat(timespec="microseconds")


@pytest.mark.parametrize(("kind", "duration"), NOW.values(), ids=NOW)
def test_a_time_that_has_come_is_no_wait(kind: str | None, duration: Json) -> None:
    run = _until(kind, duration)
    assert datetime.fromisoformat(run.output["until"]) <= START.astimezone(UTC)
    assert [step.effect and step.effect["type"] for step in run.life.steps] == [None, "emit_event"]


@pytest.mark.parametrize(("kind", "duration"), NEVER.values(), ids=NEVER)
def test_what_is_no_time_fails_the_run(kind: str | None, duration: Json) -> None:
    assert (_until(kind, duration).error or "").startswith("bad_input: it: ")


def test_somebody_may_end_a_wait_before_its_time() -> None:
    run = _until(None, 60).answer("it", {"until": "now", "ready": True})
    assert run.output["until"] == "now"


def test_a_wait_that_nothing_follows_is_the_end() -> None:
    flow = a_flow({"start": a_start(), "wait": a_node("wait_until")}, "start -> wait")
    run = Flowing(flow).start()
    assert run.output == {"success": True, "result": {"until": run.now, "ready": True}}
