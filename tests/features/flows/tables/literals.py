"""Values as drawn."""

from perdure.kernel.values import Json
from tests.support.tables import Table, pure, row


def _drawn(type: str, value: Json) -> list[Table]:
    return [pure(type, out="value", literalValue=value).rows(row(value=value))]


TABLES = {
    "literal_string": _drawn("literal_string", "said"),
    "literal_number": _drawn("literal_number", 2.5),
    "literal_boolean": _drawn("literal_boolean", False),
    "literal_json": _drawn("literal_json", {"a": [1, None]}),
    "literal_array": _drawn("literal_array", [1, "two"]),
    "json_schema": _drawn("json_schema", {"type": "object"}),
    "tools_allowlist": [
        pure("tools_allowlist", out="tools", literalValue=["look", " look ", "", 7, "act"]).rows(
            row(tools=["look", "act"])
        )
    ],
}
