"""What a JSON value may be that is kept, and why one may not."""

from collections.abc import Iterable
from math import isfinite

from perdure.kernel.limits import INTEGER_MAX, NESTING_MAX
from perdure.kernel.values import Json


def fault_of(value: Json, depth: int = 0) -> str | None:
    """Name what keeps `value` from being JSON that every reader understands alike, or `None`."""
    if _is_plain(value):
        return None
    if not isinstance(value, dict | list | tuple):
        return _fault_of_one(value)
    if depth >= NESTING_MAX:
        return f"more than {NESTING_MAX} levels"
    if not isinstance(value, dict):
        return _fault_among(value, depth + 1)
    for key in value:
        if not isinstance(key, str):
            return "a key that is not text"
        if fault := _fault_of_text(key):
            return fault
    return _fault_among(value.values(), depth + 1)


def _is_plain(value: Json) -> bool:
    """Whether nothing can be wrong with it: most values are short texts and numbers, and quickly seen to be."""
    if isinstance(value, str):
        return value.isascii() and "\x00" not in value
    if isinstance(value, int):
        return -INTEGER_MAX <= value <= INTEGER_MAX
    return value is None


def _fault_among(values: Iterable[Json], depth: int) -> str | None:
    for value in values:
        if not _is_plain(value) and (fault := fault_of(value, depth)):
            return fault
    return None


def _fault_of_one(value: Json) -> str | None:
    """What is wrong with a value that holds no others."""
    match value:
        case None | bool():
            return None
        case str():
            return _fault_of_text(value)
        case int():
            return None if -INTEGER_MAX <= value <= INTEGER_MAX else "an integer beyond 2^53"
        case float():
            return None if isfinite(value) else "a number that is not finite"
        case _:
            return f"a {type(value).__name__}"


def _fault_of_text(text: str) -> str | None:
    if text.isascii():
        return "a NUL character" if "\x00" in text else None
    if "\x00" in text:
        return "a NUL character"
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return "half of a surrogate pair"
    return None
