"""Nodes that compare values and join truths."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from perdure.features.flows.faults import NodeFault
from perdure.features.flows.model import NodeType, described, of_pins
from perdure.features.flows.values import Pins, text_of

EQUAL: dict[str, Callable[[Any, Any], bool]] = {"==": operator.eq, "!=": operator.ne}
ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compare(pins: Pins) -> bool:
    """Values that have no order are neither less nor more: the answer is false, and no fault."""
    a, b, op = pins.get("a"), pins.get("b"), text_of(pins.get("op", "=="))
    if op in EQUAL:
        return bool(EQUAL[op](a, b))
    if op not in ORDERED:
        raise NodeFault(f"there is no comparison {op[:20]!r}")
    try:
        return bool(ORDERED[op](a, b))
    except TypeError:
        return False


TYPES: Final[Mapping[str, NodeType]] = {
    "compare": described(
        of_pins(_compare, shares=True),
        "a op b -> result",
        "Compares two values by `op`: `==`, `!=`, `<`, `<=`, `>` or `>=`. Values without an order are neither less nor more.",
    ),
    "and": described(
        of_pins(lambda pins: bool(pins.get("a")) and bool(pins.get("b")), shares=True),
        "a b -> result",
        "Whether both are true.",
    ),
    "or": described(
        of_pins(lambda pins: bool(pins.get("a")) or bool(pins.get("b")), shares=True),
        "a b -> result",
        "Whether one of both is true.",
    ),
    "not": described(
        of_pins(lambda pins: not pins.get("value"), shares=True),
        "value -> result",
        "Whether the value is not true.",
    ),
}
