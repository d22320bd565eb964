"""Nodes of chance and of the time: both are of the moment, so that a replay finds them again."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.model import NodeType, described, of_moment
from perdure.features.flows.values import Pins, finite, number_of, whole
from perdure.kernel.program import Moment
from perdure.kernel.values import Json

UNIT: Final = 2**53  # as many steps between 0 and 1 as a float can tell apart


def _below(moment: Moment, count: int) -> int:
    """A number from 0 up to, and without, `count`; 256 bits of chance leave no number out."""
    return int.from_bytes(moment.draw()) % count


def _random_int(pins: Pins, moment: Moment) -> int:
    """Both ends may come. What is no number is 0 and 100."""
    low, high = whole(pins.get("min", 0)), whole(pins.get("max", 100))
    low, high = sorted((0 if low is None else low, 100 if high is None else high))
    return low + _below(moment, high - low + 1)


def _random_float(pins: Pins, moment: Moment) -> float:
    low, high = sorted((_or(pins, "min", 0.0), _or(pins, "max", 1.0)))
    part = _below(moment, UNIT + 1) / UNIT
    return finite(low * (1 - part) + high * part)


def _or(pins: Pins, name: str, spare: float) -> float:
    try:
        return number_of(pins.get(name, spare))
    except (ValueError, OverflowError):
        return spare


def _random_element(pins: Pins, moment: Moment) -> Json:
    given = pins.get("array")
    if not isinstance(given, list) or not given:
        return {"result": pins.get("default"), "found": False}
    return {"result": given[_below(moment, len(given))], "found": True}


def _datetime(_pins: Pins, moment: Moment) -> Json:
    return {"iso": moment.text, "timezone": "UTC", "utc_offset_minutes": 0, "locale": ""}


TYPES: Final[Mapping[str, NodeType]] = {
    "random_int": described(
        of_moment(_random_int),
        "min max -> result",
        "A whole number by chance; both ends may come. Without ends: 0 to 100.",
    ),
    "random_float": described(
        of_moment(_random_float),
        "min max -> result",
        "A number by chance between two ends. Without ends: 0 to 1.",
    ),
    "get_random_element": described(
        of_moment(_random_element),
        "array default -> result found",
        "An item by chance; the default where there is none.",
    ),
    "system_datetime": described(
        of_moment(_datetime),
        "-> iso timezone utc_offset_minutes locale",
        "The time of the moment, in UTC. It is the time that the ledger has, so that a replay reads the same.",
    ),
}
