"""What a JSON value may be, and why one may not."""

from math import isfinite
from typing import Any

from perdure.kernel.limits import INTEGER_MAX, NESTING_MAX

Json = Any  # a JSON value; the one place where the kernel says `Any`


def fault_of(value: Json, depth: int = 0) -> str | None:
    """Name what keeps `value` from being JSON that every reader understands alike, or `None`."""
    match value:
        case None | bool():
            return None
        case str():
            return _fault_of_text(value)
        case int():
            return None if -INTEGER_MAX <= value <= INTEGER_MAX else "an integer beyond 2^53"
        case float():
            return None if isfinite(value) else "a number that is not finite"
        case dict() | list() | tuple() if depth >= NESTING_MAX:
            return f"more than {NESTING_MAX} levels"
        case dict():
            return _fault_of_object(value, depth)
        case list() | tuple():
            return _first(fault_of(item, depth + 1) for item in value)
        case _:
            return f"a {type(value).__name__}"


def _fault_of_object(value: dict[Any, Json], depth: int) -> str | None:
    for key, item in value.items():
        if not isinstance(key, str):
            return "a key that is not text"
        if fault := _fault_of_text(key) or fault_of(item, depth + 1):
            return fault
    return None


def _fault_of_text(text: str) -> str | None:
    if text.isascii():
        return "a NUL character" if "\x00" in text else None
    if "\x00" in text:
        return "a NUL character"
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return "half of a surrogate pair"
    return None


def _first(faults: Any) -> str | None:
    return next((fault for fault in faults if fault), None)
