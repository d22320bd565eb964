"""A round reads over the cells what it wrote, and changes nothing that it was shown."""

from perdure.features.agents.round import STATE, Round
from perdure.kernel.model import GONE
from perdure.kernel.program import View

BEGAN = "2026-01-01T00:00:00.000000+00:00"


def test_results_are_whole_or_not_there() -> None:
    stand = {"began": BEGAN, "iteration": 1, "calls": [{"call_id": "a"}, {"call_id": "b"}]}
    now = Round(View({STATE: stand, "out/act/1": {"b": 1}, "out/cycle/1": {"i": 1}}), BEGAN)
    assert now.results() is None
    now.came(0, {"a": 1})
    results = now.results()
    assert results == [{"a": 1}, {"b": 1}]
    now.close_cycle(results)
    writes = now.move().writes
    assert writes["out/cycle/1"] == {"i": 1, "observations": [{"a": 1}, {"b": 1}]}
    assert writes["out/act/1"] is GONE
    assert "out/act/0" not in writes


def test_a_warning_is_told_once_and_what_was_shown_stays() -> None:
    shown = {"began": BEGAN, "warnings": ["old"]}
    now = Round(View({STATE: shown}), BEGAN)
    now.warn("old", "new", "new", None)
    move = now.move()
    assert move.warnings == ("new",)
    assert move.writes[STATE]["warnings"] == ["old", "new"]
    assert shown == {"began": BEGAN, "warnings": ["old"]}
