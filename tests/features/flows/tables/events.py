"""Events and times. What stands for time here is short: on a real plane it passes."""

from unittest.mock import ANY

from tests.support.drawing import a_literal, a_node, a_start, an_end
from tests.support.tables import DUE, passing, row, table, told

EVENT = {"event_id": "e1", "name": "go", "payload": {"n": 1}}
SOON = 0.05

TABLES = {
    "on_event": [
        table({"on": a_node("on_event", out="event payload event_id name", eventConfig={"name": "go", "scope": "run"}), "end": an_end("payload", "name", "event")},
              "on -> end", *(f"on.{pin} => end.{pin}" for pin in ("payload", "name", "event"))).rows(
            told(row(payload={"n": 1}, name="go", event=EVENT), acts=(("on", EVENT),)),
        ),
        table({"on": a_node("on_event", out="payload"), "if": a_node("if", "condition"), "end": an_end("payload")},
              "on -> if", "if:true -> end", "on.payload => if.condition", "on.payload => end.payload").rows(
            told(row(payload={"n": 1}), acts=(("on", {"payload": {}}), ("on", EVENT)), cells={"out/on": {**EVENT, "event": EVENT}}),
        ),
    ],
    "on_schedule": [
        table({"on": a_node("on_schedule", out="timestamp", eventConfig={"schedule": "100ms"}), "end": an_end("timestamp")},
              "on -> end", "on.timestamp => end.timestamp").rows(told(row(timestamp=ANY), acts=(("on", DUE),))),
        table({"on": a_node("on_schedule", out="timestamp", eventConfig={"schedule": "soon"}), "end": an_end()}, "on -> end").rows(
            row(fails="'soon' is neither a duration, such as 15s, nor a time"),
        ),
    ],
    "wait_event": [
        passing("wait_event", "event_key", "timeout_s", out="event_data timed_out").rows(
            told(row({"event_key": "k1"}, event_data=EVENT, timed_out=False), acts=(("it", EVENT),)),
            told(row({"event_key": "k2", "timeout_s": SOON}, event_data=None, timed_out=True), acts=(("it", DUE),)),
            row({"event_key": "k3", "timeout_s": "later"}, fails="is no number of seconds"),
        ),
        table({"start": a_start(), "it": a_node("wait_event", defaults={"event_key": "k4", "timeout_s": SOON}), "end": an_end(), "late": an_end("why"),
               "why": a_literal("late")}, "start -> it -> end", "it:timeout -> late", "why.value => late.why").rows(
            told(row(why="late"), acts=(("it", DUE),)),
        ),
    ],
    "emit_event": [
        passing("emit_event", "name", "payload", out="name delivered", effectConfig={"scope": "run"}).rows(
            row({"name": "go", "payload": 1}, name="go", delivered=0), row(fails="an event needs a name"),
        )
    ],
    "wait_until": [
        passing("wait_until", "duration", out="ready until").rows(
            told(row({"duration": SOON}, ready=True, until=ANY), acts=(("it", DUE),)), row({"duration": 0}, ready=True, until=ANY),
        )
    ],
}  # fmt: skip
