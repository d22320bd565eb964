"""Calls and results keep their shape, whatever a model or a tool says."""

import pytest

from perdure.features.agents.calls import CALLS_MAX, calls_in, refusal_of, result_of, telling
from perdure.ids import RunId
from perdure.kernel.model import Failed, Ok, Outcome, Unknown

RUN = RunId("r")


def test_every_call_has_an_id_of_its_own() -> None:
    asked = [
        {"name": "a", "call_id": "x"},
        {"name": "b", "call_id": "x"},
        {"name": "c"},
        "nonsense",
    ]
    calls = calls_in(asked, RUN, 3)
    assert [it["call_id"] for it in calls] == ["x", "call_3_1", "call_3_2", "call_3_3"]
    assert [it["runtime_call_id"] for it in calls] == ["r:3:0", "r:3:1", "r:3:2", "r:3:3"]
    assert [it["arguments"] for it in calls] == [{}, {}, {}, {}]


@pytest.mark.parametrize("said", [None, "x", {}, []])
def test_no_calls_are_no_calls(said: object) -> None:
    assert calls_in(said, RUN, 1) == []


def test_more_calls_than_the_bound_are_refused() -> None:
    (call,) = calls_in([{"name": "a"}], RUN, 1)
    assert refusal_of(call, CALLS_MAX - 1, ["a"]) is None
    refusal = refusal_of(call, CALLS_MAX, ["a"])
    assert refusal is not None
    assert refusal["error"] == f"more than {CALLS_MAX} calls at once"


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Ok({"results": [{"success": True, "output": "yes"}]}), "yes"),
        (Ok({"results": [{"success": False, "error": "no"}]}), "Error: no"),
        (Ok({"own": "shape"}), '{"own": "shape"}'),
        (Ok(None), "null"),
        (Failed("denied"), "Error: denied"),
        (Unknown("cut"), "Error: nobody knows whether it happened: cut"),
    ],
)
def test_the_model_is_told_what_came(outcome: Outcome, words: str) -> None:
    (call,) = calls_in([{"name": "a", "call_id": "x"}], RUN, 1)
    told = telling(result_of(call, outcome))
    assert told == {"role": "tool", "tool_call_id": "x", "name": "a", "content": words}
