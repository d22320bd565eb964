"""What a JSON value may be that is kept, and why one may not."""

from collections.abc import Iterable, Mapping
from math import isfinite

from perdure.kernel.limits import INTEGER_MAX, NESTING_MAX
from perdure.kernel.values import Json


def fault_of(value: Json, depth: int = 0) -> str | None:
    """Name what keeps `value` from being JSON that every reader understands alike, or `None`."""
    if isinstance(value, str):
        return _fault_of_text(value)
    if isinstance(value, int):  # booleans as well
        return None if -INTEGER_MAX <= value <= INTEGER_MAX else "an integer beyond 2^53"
    if value is None:
        return None
    if isinstance(value, dict):
        return _fault_of_object(value, depth)
    if isinstance(value, float):
        return None if isfinite(value) else "a number that is not finite"
    if isinstance(value, list | tuple):
        return _fault_among(value, depth)
    return f"a {type(value).__name__}"


def _fault_of_object(value: Mapping[Json, Json], depth: int) -> str | None:
    for key in value:
        if not isinstance(key, str):
            return "a key that is not text"
        if fault := _fault_of_text(key):
            return fault
    return _fault_among(value.values(), depth)


def _fault_among(values: Iterable[Json], depth: int) -> str | None:
    if depth >= NESTING_MAX:
        return f"more than {NESTING_MAX} levels"
    for value in values:
        if fault := fault_of(value, depth + 1):
            return fault
    return None


def _fault_of_text(text: str) -> str | None:
    if "\x00" in text:
        return "a NUL character"
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        return "half of a surrogate pair"
    return None
