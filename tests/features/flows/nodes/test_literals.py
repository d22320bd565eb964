"""Literals, by example."""

import pytest

from perdure.kernel.values import Json
from tests.support.drawing import Drawn, a_literal, a_value
from tests.support.flowing import made

TABLE: dict[str, tuple[Drawn, str, Json]] = {
    "a text": (a_literal("x", "literal_string"), "value", "x"),
    "a number": (a_literal(1.5, "literal_number"), "value", 1.5),
    "a truth": (a_literal(False, "literal_boolean"), "value", False),
    "an object": (a_literal({"a": 1}), "value", {"a": 1}),
    "a list": (a_literal([1], "literal_array"), "value", [1]),
    "a schema": (a_literal({"type": "object"}, "json_schema"), "value", {"type": "object"}),
    "nothing drawn": (a_value("literal_string"), "value", None),
    "tools, each once": (a_literal(["b", " a ", "b", 1, ""], "tools_allowlist"), "tools", ["b", "a"]),
    "no list of tools": (a_literal("a", "tools_allowlist"), "tools", []),
}  # fmt: skip


@pytest.mark.parametrize(("node", "pin", "expected"), TABLE.values(), ids=TABLE)
def test_a_literal(node: Drawn, pin: str, expected: Json) -> None:
    assert made(node, {}, pin) == expected
