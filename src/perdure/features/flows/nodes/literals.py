"""Nodes that are a value as drawn."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.model import Node, NodeType, described, of_drawing
from perdure.features.flows.values import texts_in
from perdure.kernel.values import Json


def _tools(node: Node) -> Json:
    value = node.data.get("literalValue")
    return {"tools": texts_in(value) if isinstance(value, list) else []}


LITERAL = of_drawing(lambda node: {"value": node.data.get("literalValue")})

TYPES: Final[Mapping[str, NodeType]] = {
    "literal_string": described(LITERAL, "-> value", "A text as drawn.", "`literalValue`"),
    "literal_number": described(LITERAL, "-> value", "A number as drawn.", "`literalValue`"),
    "literal_boolean": described(LITERAL, "-> value", "A truth as drawn.", "`literalValue`"),
    "literal_json": described(LITERAL, "-> value", "Any JSON as drawn.", "`literalValue`"),
    "literal_array": described(LITERAL, "-> value", "A list as drawn.", "`literalValue`"),
    "json_schema": described(LITERAL, "-> value", "A JSON Schema as drawn.", "`literalValue`"),
    "tools_allowlist": described(
        of_drawing(_tools),
        "-> tools",
        "The names of tools as drawn, each once.",
        "`literalValue`: a list of names",
    ),
}
