"""Number nodes, by example."""

import pytest

from perdure.kernel.values import Json
from tests.support.drawing import a_value
from tests.support.flowing import made, refused

TABLE: dict[str, tuple[str, dict[str, Json], float]] = {
    "add": ("add", {"a": 1, "b": 2}, 3.0),
    "text that is a number counts": ("add", {"a": "1.5", "b": " 2 "}, 3.5),
    "a truth is one": ("add", {"a": True}, 1.0),
    "what is not connected is zero": ("add", {"a": 4}, 4.0),
    "subtract": ("subtract", {"a": 1, "b": 2}, -1.0),
    "multiply": ("multiply", {"a": 3, "b": 2}, 6.0),
    "divide": ("divide", {"a": 3, "b": 2}, 1.5),
    "divide by what is not connected": ("divide", {"a": 3}, 3.0),
    "modulo": ("modulo", {"a": 7, "b": 3}, 1.0),
    "power": ("power", {"base": 2, "exp": 10}, 1024.0),
    "power of what is not connected": ("power", {"base": 2}, 2.0),
    "abs": ("abs", {"value": -2}, 2.0),
    "round": ("round", {"value": 2.6}, 3.0),
    "round to places": ("round", {"value": 2.345, "decimals": 1}, 2.3),
}

REFUSALS: dict[str, tuple[str, dict[str, Json], str]] = {
    "by zero": ("divide", {"a": 1, "b": 0}, "division by zero"),
    "modulo by zero": ("modulo", {"a": 1, "b": 0}, "modulo by zero"),
    "a null": ("add", {"a": None, "b": 1}, "null is no number"),
    "a list": ("add", {"a": [1], "b": 1}, "a list is no number"),
    "an object": ("abs", {"value": {}}, "an object is no number"),
    "a word": ("add", {"a": "one"}, "ValueError"),
    "not a number": ("add", {"a": "nan"}, "the number is not finite"),
    "too large": ("multiply", {"a": 1e308, "b": 10}, "the result is not a finite number"),
    "much too large": ("power", {"base": 10, "exp": 1000}, "OverflowError"),
    "a root of what is below zero": ("power", {"base": -1, "exp": 0.5}, "negative number"),
}


@pytest.mark.parametrize(("type", "pins", "expected"), TABLE.values(), ids=TABLE)
def test_a_number_node(type: str, pins: dict[str, Json], expected: float) -> None:
    result = made(a_value(type), pins)
    assert result == expected
    assert isinstance(result, float)


@pytest.mark.parametrize(("type", "pins", "why"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_reckoned_is_said(type: str, pins: dict[str, Json], why: str) -> None:
    assert why in refused(a_value(type), pins)
