"""JSON values as nodes read and make them: how they become text or numbers, and how large they may be."""

from collections.abc import Iterable
from math import isfinite
from typing import Any, Final

from perdure.features.flows.faults import BoundReached, NodeFault
from perdure.kernel.limits import INTEGER_MAX
from perdure.kernel.values import Json
from perdure.stores.values import fault_of

Pins = dict[str, Json]

TEXT_MAX: Final = 16 * 1024 * 1024  # letters of one text that a node makes
ITEMS_MAX: Final = 250_000  # values in a list or object that a node makes, with all that is in it
WEIGHT_MAX: Final = 500_000  # of all values that one visit makes: a value is 1, so are 64 letters
DEPTH_MAX: Final = 100  # levels of lists and objects, less than the 128 of a record
LETTERS_OF_WEIGHT: Final = 64


class _Missing:
    """Stands for a key that is not there, which is another thing than a null."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


class Allowance:
    """What one visit of a flow may still make, over all its nodes together."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        """Begin with the whole of `WEIGHT_MAX`."""
        self._left = WEIGHT_MAX

    def spend(self, value: Json) -> None:
        """Take what `value` weighs, seen as the JSON that it will be written as.

        Raises `NodeFault` for what is no JSON, `BoundReached` for what is too much of it. A list
        that holds another twice weighs it twice: that is how it is written down. It is looked at
        once, though, so that this takes no longer than making the value did.
        """
        if isinstance(value, dict | list):
            weight, _ = self._weighed(value, 0, {})
        else:
            weight = _weight_of(value)
        self._take(weight)
        self._left -= weight

    def _weighed(
        self, value: Json, depth: int, known: dict[int, tuple[int, int]]
    ) -> tuple[int, int]:
        """Weight and height of a list or object that stands at `depth`."""
        weight, height = known.get(id(value)) or (1, 1)
        if depth + height > DEPTH_MAX:
            raise BoundReached(f"a value has more than {DEPTH_MAX} levels")
        if id(value) in known:
            return weight, height
        if isinstance(value, dict):
            weight += sum(map(_weight_of_key, value))
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, dict | list):
                inner, levels = self._weighed(item, depth + 1, known)
                weight, height = weight + inner, max(height, levels + 1)
            else:
                weight += _weight_of(item)
            self._take(weight)
        known[id(value)] = (weight, height)
        return weight, height

    def _take(self, weight: int) -> None:
        if weight > self._left:
            raise BoundReached("a value is larger than a flow may make")


def _weight_of(item: Json) -> int:
    """What a text, number or truth weighs. Raises `NodeFault` for what is no JSON."""
    if fault := "a tuple" if isinstance(item, tuple) else fault_of(item):
        raise NodeFault(f"the result is no JSON: {fault}")
    return 1 + len(item) // LETTERS_OF_WEIGHT if isinstance(item, str) else 1


def _weight_of_key(key: Json) -> int:
    if not isinstance(key, str):
        raise NodeFault("the result is no JSON: a key that is not text")
    return _weight_of(key)


class Pieces:
    """A text that grows piece by piece, and never past `TEXT_MAX`."""

    __slots__ = ("_pieces", "_room")

    def __init__(self) -> None:
        """Begin empty."""
        self._pieces: list[str] = []
        self._room = TEXT_MAX

    def add(self, piece: str) -> None:
        """Put `piece` at the end. Raises `BoundReached` instead of growing too large."""
        self._room -= len(piece)
        if self._room < 0:
            raise BoundReached(f"a text is longer than {TEXT_MAX} letters")
        self._pieces.append(piece)

    def text(self) -> str:
        """All of it."""
        return "".join(self._pieces)


def joined(pieces: Iterable[str], separator: str) -> str:
    """The pieces with `separator` between them. Raises `BoundReached` where that is too long."""
    whole = Pieces()
    for index, piece in enumerate(pieces):
        if index:
            whole.add(separator)
        whole.add(piece)
    return whole.text()


def text_of(value: Json) -> str:
    """The value as flows write it into text: a null is nothing, all else is as Python writes it."""
    if isinstance(value, str):
        return value
    return "" if value is None else str(value)


def unescaped(text: str) -> str:
    r"""A separator as it was typed into a form, where a line end is the two letters `\n`."""
    return text.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r")


def number_of(value: Json) -> float:
    """The value as a number. Raises `NodeFault` where it is none, or none that JSON can write."""
    if value is None or isinstance(value, dict | list):
        raise NodeFault(f"{_named(value)} is no number")
    number = float(value)
    if not isfinite(number):
        raise NodeFault("the number is not finite")
    return number


def finite(number: float) -> float:
    """The number, if JSON can write it. Raises `NodeFault`."""
    if not isfinite(number):
        raise NodeFault("the result is not a finite number")
    return number


def positive(value: Json) -> int | None:
    """A count above zero, or `None` for whatever is none. Forms send counts as numbers or text."""
    number = whole(value)
    return number if number is not None and number > 0 else None


def whole(value: Json) -> int | None:
    """A whole number that JSON can write, its fraction dropped, or `None` for whatever is none."""
    if value is None or isinstance(value, bool | dict | list):
        return None
    try:
        number = int(float(value))
    except (ValueError, OverflowError):
        return None
    return number if -INTEGER_MAX <= number <= INTEGER_MAX else None


def truth(value: Json) -> bool:
    """Whether a switch is on. Forms send switches as booleans, numbers or words."""
    if isinstance(value, str):
        return value.strip().lower() in ("true", "1", "yes", "on")
    return isinstance(value, bool | int | float) and value != 0


def filled(value: Json) -> str | None:
    """The text without the space around it, or `None` where that leaves nothing, or it is no text."""
    return (value.strip() or None) if isinstance(value, str) else None


def as_object(value: Json) -> dict[str, Json]:
    """The value if it is an object, else an empty one. For configuration, which may lack."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """The value as a list: a null is empty, and what is no list is a list of it."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def texts_in(value: Json) -> list[str]:
    """The texts of a list that hold something, each once, in order."""
    kept = (filled(item) for item in as_list(value))
    return list(dict.fromkeys(text for text in kept if text is not None))


def walked(value: Json, path: Iterable[str]) -> Json:
    """What is found by following `path` through objects and, by number, lists; else null."""
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and len(part) < 10:
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def planted(value: Json, path: list[str], leaf: Json) -> dict[str, Json]:
    """A copy of the object with `leaf` at `path`; what is not on the path is shared, not copied."""
    root: dict[str, Json] = dict(as_object(value))
    here: dict[str, Json] = root
    for part in path[:-1]:
        here[part] = dict(as_object(here.get(part)))
        here = here[part]
    here[path[-1]] = leaf
    return root


def picked(output: Json, pin: str) -> Json:
    """What one pin of a node gives out: the key of that name, or the whole for the pin `result`."""
    if isinstance(output, dict) and pin in output:
        return output[pin]
    return output if pin in ("result", "output") else MISSING


def first_filled(pins: Pins, config: dict[str, Json], *names: str) -> Json:
    """The first of `names` that a pin has a value for, else that the configuration has."""
    for source in (pins, config):
        for name in names:
            value = source.get(name)
            if value is not None and value != "":
                return value
    return None


def _named(value: Any) -> str:
    return {type(None): "null", dict: "an object", list: "a list"}[type(value)]
