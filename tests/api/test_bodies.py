"""A body is JSON that every reader understands alike, or it is refused with the reason."""

import json

import pytest

from perdure.api.bodies import KEYS_MAX, read_json
from perdure.errors import NotJson

DEEP = b"[" * 128 + b"]" * 128


@pytest.mark.parametrize(
    "value",
    [{"a": [1, -1.5, True, None, "é😀"]}, [], "text", 0, 2**53 - 1, -(2**53 - 1), {"n": "1" * 40}],
)
def test_what_is_json_is_read_as_it_is(value: object) -> None:
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode()) == value


REFUSED = {
    "no JSON": b"{",
    "an empty body": b" ",
    "two values": b"{} {}",
    "not a number": b"[NaN]",
    "infinity": b"[Infinity]",
    "too large a float": b"[1e999]",
    "an integer beyond 2^53": b"[9007199254740993]",
    "an integer beyond 2^64": b"[18446744073709551617]",
    "an integer of many digits": b"[" + b"9" * 5_000 + b"]",
    "a negative one": b"[-9007199254740993]",
    "a NUL": b'["\\u0000"]',
    "a NUL in a key": b'{"a\\u0000": 1}',
    "half of a surrogate pair": b'["\\ud800"]',
    "bytes that are no UTF-8": b'["\xff"]',
    "a surrogate in UTF-8": b'["\xed\xa0\x80"]',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "too many levels": b"[" + DEEP + b"]",
    "far too many levels": b"[" * 100_000,
    "deep and long numbers": b"[" * 5_000 + b"1234567890123456789",
    "ten thousand members": json.dumps({str(n): n for n in range(10_000)}).encode(),
    "ten thousand members below": json.dumps([{"a": {str(n): 0 for n in range(10_000)}}]).encode(),
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_anything_else_is_refused(raw: bytes) -> None:
    with pytest.raises(NotJson) as refused:
        read_json(raw)
    faults = refused.value.facts["errors"]
    assert isinstance(faults, list)
    assert [(fault["type"], fault["loc"]) for fault in faults] == [("json_invalid", ["body"])]


def test_the_bounds_themselves_are_inside() -> None:
    assert read_json(DEEP)
    members = {str(n): n for n in range(KEYS_MAX)}
    assert read_json(json.dumps(members).encode()) == members
