"""Nodes that are a value as drawn."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.model import Function, Node, NodeType
from perdure.features.flows.values import Pins, texts_in
from perdure.features.flows.vars import Vars
from perdure.kernel.values import Json


def _value(node: Node, _pins: Pins, _vars: Vars) -> Json:
    return {"value": node.data.get("literalValue")}


def _tools(node: Node, _pins: Pins, _vars: Vars) -> Json:
    value = node.data.get("literalValue")
    return {"tools": texts_in(value) if isinstance(value, list) else []}


LITERAL = Function(_value, shares=True, constant=True)

TYPES: Final[Mapping[str, NodeType]] = {
    "literal_string": LITERAL,
    "literal_number": LITERAL,
    "literal_boolean": LITERAL,
    "literal_json": LITERAL,
    "literal_array": LITERAL,
    "json_schema": LITERAL,
    "tools_allowlist": Function(_tools, shares=True, constant=True),
}
