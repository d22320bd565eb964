"""Comparisons, and truths."""

from tests.support.tables import pure, row

TABLES = {
    "compare": [
        pure("compare", "a", "op", "b").rows(
            row({"a": 1, "op": "==", "b": 1.0}, result=True), row({"a": "a", "op": "<", "b": "b"}, result=True),
            row({"a": 1, "op": "<", "b": "1"}, result=False), row({"a": 1, "op": "~", "b": 1}, fault="no comparison '~'"),
        )
    ],
    "and": [pure("and", "a", "b").rows(row({"a": 1, "b": "x"}, result=True), row({"a": True}, result=False))],
    "or": [pure("or", "a", "b").rows(row({"a": 0, "b": "x"}, result=True), row(result=False))],
    "not": [pure("not", "value").rows(row({"value": ""}, result=True), row({"value": "no"}, result=False))],
}  # fmt: skip
