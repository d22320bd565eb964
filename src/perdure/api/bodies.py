"""Bodies at the door: JSON that every reader understands alike, or a problem that says why not."""

import json
import re
from typing import Final

import orjson

from perdure.errors import NotJson
from perdure.kernel.limits import INTEGER_MAX
from perdure.kernel.values import Json
from perdure.stores.values import fault_of

KEYS_MAX: Final = 4_096  # members of one object

# orjson reads an integer of more than 64 bits as a float. One that may be so large is looked at.
_LONG_NUMBER: Final = re.compile(rb"[0-9]{16}")
_DIGITS_MAX: Final = 32  # more digits than any integer that is allowed; `int` need not read them


def read_json(raw: bytes) -> Json:
    """Read a body. Raises `NotJson` with FastAPI's form of a fault beside it."""
    try:
        if _LONG_NUMBER.search(raw):
            json.loads(raw, parse_int=_integer)
        value = orjson.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _refused(str(error)) from None
    if fault := fault_of(value):
        raise _refused(f"it holds {fault}")
    if raw.count(b":") > KEYS_MAX and _crowded(value):
        raise _refused(f"it holds an object with more than {KEYS_MAX} members")
    return value


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS_MAX or abs(number := int(digits)) > INTEGER_MAX:
        raise ValueError("it holds an integer beyond 2^53")
    return number


def _crowded(value: Json) -> bool:
    """Whether any object has too many members. `value` was found to be shallow enough."""
    match value:
        case dict():
            return len(value) > KEYS_MAX or any(map(_crowded, value.values()))
        case list():
            return any(map(_crowded, value))
        case _:
            return False


def _refused(why: str) -> NotJson:
    fault = {"type": "json_invalid", "loc": ["body"], "msg": why}
    return NotJson(f"The body is not JSON as it is read here: {why}.", errors=[fault])
