"""What a message is to a run."""

import pytest

from perdure.ids import Key
from perdure.kernel.model import (
    Answered,
    Arrived,
    Cancel,
    Event,
    Failed,
    Hold,
    Ok,
    Release,
    Told,
)
from perdure.kernel.values import Json
from perdure.runner.events import event_of

KEY = Key("k")
ENDED = {"sub_run_id": "c", "output": {"a": 1}, "error": None, "status": "completed"}
TOLD = {"sub_run_id": "c", "output": {"a": 1}}


@pytest.mark.parametrize(
    ("kind", "key", "body", "event"),
    [
        ("child", KEY, ENDED, Arrived(KEY, Ok(TOLD))),
        (
            "child", KEY, ENDED | {"status": "failed", "error": "bad"},
            Arrived(KEY, Failed("child_failed", "bad", result=TOLD)),
        ),
        (
            "child", KEY, ENDED | {"status": "cancelled"},
            Arrived(KEY, Failed("child_cancelled", "", result=TOLD)),
        ),
        ("resume", KEY, {"response": "yes"}, Answered(KEY, {"response": "yes"}, "ann", 7)),
        ("event", KEY, {"payload": 1}, Answered(KEY, {"payload": 1}, "ann", 7)),
        ("cancel", None, {"reason": "enough"}, Cancel("enough")),
        ("cancel", None, None, Cancel("")),
        ("pause", None, {}, Hold("")),
        ("hold", None, {"reason": "parent"}, Hold("parent")),
        ("unpause", None, {}, Release()),
        ("release", None, None, Release()),
        ("told", None, {"word": 1}, Told({"word": 1})),
    ],
)  # fmt: skip
def test_each_kind_of_message_is_one_event(
    kind: str, key: Key | None, body: Json, event: Event
) -> None:
    """The whole table."""
    made = event_of(kind, key, body, 7, "ann")
    assert made == event and type(made) is type(event)
