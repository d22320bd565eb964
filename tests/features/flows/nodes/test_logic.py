"""Comparisons and truths, by example."""

import pytest

from perdure.kernel.values import Json
from tests.support.drawing import a_value
from tests.support.flowing import made, refused

TABLE: dict[str, tuple[str, dict[str, Json], bool]] = {
    "equal": ("compare", {"a": "x", "b": "x"}, True),
    "equal, as objects": ("compare", {"a": {"k": [1]}, "op": "==", "b": {"k": [1]}}, True),
    "a text is no number": ("compare", {"a": "1", "b": 1}, False),
    "unequal": ("compare", {"a": 1, "op": "!=", "b": 2}, True),
    "less": ("compare", {"a": 1, "op": "<", "b": 2}, True),
    "less or equal": ("compare", {"a": 2, "op": "<=", "b": 2}, True),
    "more": ("compare", {"a": 2, "op": ">", "b": 10}, False),
    "more or equal": ("compare", {"a": "b", "op": ">=", "b": "a"}, True),
    "without an order neither is more": ("compare", {"a": "b", "op": ">", "b": 1}, False),
    "a null has no order": ("compare", {"op": "<", "b": 1}, False),
    "and": ("and", {"a": True, "b": "yes"}, True),
    "and not": ("and", {"a": True, "b": 0}, False),
    "and nothing": ("and", {"a": True}, False),
    "or": ("or", {"a": False, "b": 1}, True),
    "or not": ("or", {"a": "", "b": None}, False),
    "not": ("not", {"value": False}, True),
    "not nothing": ("not", {}, True),
    "not something": ("not", {"value": "false"}, False),
}


@pytest.mark.parametrize(("type", "pins", "expected"), TABLE.values(), ids=TABLE)
def test_a_logic_node(type: str, pins: dict[str, Json], expected: bool) -> None:
    assert made(a_value(type), pins) is expected


def test_a_comparison_that_is_none_is_refused() -> None:
    assert "'~='" in refused(a_value("compare"), {"a": 1, "op": "~=", "b": 1})
