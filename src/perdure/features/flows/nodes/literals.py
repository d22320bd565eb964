"""Nodes that are a value as drawn."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.model import Node, NodeType, of_drawing
from perdure.features.flows.values import texts_in
from perdure.kernel.values import Json


def _tools(node: Node) -> Json:
    value = node.data.get("literalValue")
    return {"tools": texts_in(value) if isinstance(value, list) else []}


LITERAL = of_drawing(lambda node: {"value": node.data.get("literalValue")})

TYPES: Final[Mapping[str, NodeType]] = {
    "literal_string": LITERAL,
    "literal_number": LITERAL,
    "literal_boolean": LITERAL,
    "literal_json": LITERAL,
    "literal_array": LITERAL,
    "json_schema": LITERAL,
    "tools_allowlist": of_drawing(_tools),
}
