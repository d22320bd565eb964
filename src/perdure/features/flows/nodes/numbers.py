"""Nodes that reckon. Results are floats, as the language has them."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.faults import NodeFault
from perdure.features.flows.model import NodeType, described, of_pins
from perdure.features.flows.values import Pins, finite, number_of


def _two(pins: Pins, first: str = "a", second: str = "b", spare: float = 0) -> tuple[float, float]:
    return number_of(pins.get(first, 0)), number_of(pins.get(second, spare))


def _add(pins: Pins) -> float:
    a, b = _two(pins)
    return finite(a + b)


def _subtract(pins: Pins) -> float:
    a, b = _two(pins)
    return finite(a - b)


def _multiply(pins: Pins) -> float:
    a, b = _two(pins)
    return finite(a * b)


def _divide(pins: Pins) -> float:
    a, b = _two(pins, spare=1)
    if b == 0:
        raise NodeFault("division by zero")
    return finite(a / b)


def _modulo(pins: Pins) -> float:
    a, b = _two(pins, spare=1)
    if b == 0:
        raise NodeFault("modulo by zero")
    return finite(a % b)


def _power(pins: Pins) -> float:
    base, exponent = _two(pins, "base", "exp", 1)
    result = base**exponent
    if isinstance(result, complex):
        raise NodeFault("the root of a negative number")
    return finite(result)


def _round(pins: Pins) -> float:
    return finite(round(number_of(pins.get("value", 0)), int(pins.get("decimals", 0))))


TYPES: Final[Mapping[str, NodeType]] = {
    "add": described(of_pins(_add), "a b -> result", "The sum, as a float."),
    "subtract": described(of_pins(_subtract), "a b -> result", "`a` less `b`."),
    "multiply": described(of_pins(_multiply), "a b -> result", "The product."),
    "divide": described(
        of_pins(_divide), "a b -> result", "`a` over `b`; a `b` of zero is a fault."
    ),
    "modulo": described(of_pins(_modulo), "a b -> result", "What is left of `a` over `b`."),
    "power": described(of_pins(_power), "base exp -> result", "`base` to the power of `exp`."),
    "abs": described(
        of_pins(lambda pins: abs(number_of(pins.get("value", 0)))),
        "value -> result",
        "The number without its sign.",
    ),
    "round": described(
        of_pins(_round), "value decimals -> result", "The number with so many decimals."
    ),
}
