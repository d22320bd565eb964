"""Reckoning; and chance, which is the same for the same run."""

from tests.support.tables import pure, row

TABLES = {
    "add": [pure("add", "a", "b").rows(row({"a": 1, "b": 2}, result=3.0), row({"a": "1.5"}, fault="null is no number"))],
    "subtract": [pure("subtract", "a", "b").rows(row({"a": 1, "b": 2}, result=-1.0))],
    "multiply": [pure("multiply", "a", "b").rows(row({"a": 3, "b": "2"}, result=6.0))],
    "divide": [
        pure("divide", "a", "b").rows(row({"a": 7, "b": 2}, result=3.5), row({"a": 1, "b": 0}, fault="division by zero"))
    ],
    "modulo": [
        pure("modulo", "a", "b").rows(row({"a": 7, "b": 4}, result=3.0), row({"a": 1, "b": 0}, fault="modulo by zero"))
    ],
    "power": [
        pure("power", "base", "exp").rows(
            row({"base": 2, "exp": 10}, result=1024.0), row({"base": -1, "exp": 0.5}, fault="negative")
        )
    ],
    "abs": [pure("abs", "value").rows(row({"value": -2}, result=2.0), row({"value": []}, fault="a list is no number"))],
    "round": [
        pure("round", "value", "decimals").rows(
            row({"value": 2.345, "decimals": 1}, result=2.3), row({"value": 25, "decimals": -1}, result=20.0)
        )
    ],
    "random_int": [
        pure("random_int", "min", "max").rows(
            row({"min": 4, "max": 4}, result=4), row({"min": 1, "max": 6}, result=1), row({"min": 6, "max": 1}, result=6)
        )
    ],
    "random_float": [
        pure("random_float", "min", "max").rows(
            row({"min": 2, "max": 2}, result=2.0), row({"min": 0, "max": 1}, result=0.26521126943705575)
        )
    ],
}  # fmt: skip
