"""JSON that every reader understands alike, and nothing else (RFC 8259, RFC 7493)."""

import json
from math import isfinite
from typing import Any

from perdure.bundles.limits import DEFAULT_LIMITS, BundleLimits
from perdure.bundles.paths import quoted
from perdure.errors import BundleRefused

Json = Any  # a JSON value; the one place where this room says `Any`

DIGITS_MAX = 32  # more digits than any integer that is allowed; `int` need not read them


class _Unfit(ValueError):
    """Carries the reason out of the parser's hooks."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


def values_in(raw: bytes) -> int:
    """At least as many as the values in `raw`, counted without parsing it."""
    return 1 + sum(raw.count(mark) for mark in (b",", b"[", b"{"))


def read_document(raw: bytes, name: str, limits: BundleLimits = DEFAULT_LIMITS) -> Json:
    """Parse `raw` strictly. Raises `BundleRefused` with the reason and `member=name`."""
    try:
        value = _parsed(raw, limits)
        _check(value, limits)
    except _Unfit as unfit:
        raise BundleRefused(f"{quoted(name)}: {unfit}.", reason=unfit.reason, member=name) from None
    return value


def write_document(value: Json, name: str) -> bytes:
    """Write `value` as readable UTF-8, keys in their own order. The same value, the same bytes."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2)
        return text.encode() + b"\n"
    except (TypeError, ValueError, RecursionError):
        raise BundleRefused(
            f"{quoted(name)} cannot be written as JSON.", reason="not_json", member=name
        ) from None


def _parsed(raw: bytes, limits: BundleLimits) -> Json:
    def integer(digits: str) -> int:
        if len(digits) > DIGITS_MAX or abs(number := int(digits)) > limits.integer_max:
            raise _Unfit("big_integer", f"the integer {quoted(digits)} is beyond 2^53")
        return number

    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=integer,
        )
    except UnicodeDecodeError as error:
        raise _Unfit("bad_utf8", f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _Unfit("bad_json", f"not JSON at line {error.lineno}: {error.msg}") from None
    except RecursionError:
        raise _too_deep(limits) from None


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """Make an object of its members. Readers differ on which of two equal keys counts."""
    members: dict[str, Json] = {}
    for key, value in pairs:
        if key in members:
            raise _Unfit("duplicate_key", f"the key {quoted(key)} stands twice in one object")
        members[key] = value
    return members


def _constant(word: str) -> Json:
    raise _Unfit("not_finite", f"{word} is no JSON number")


def _float(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise _Unfit("not_finite", f"the number {quoted(digits)} is too large")
    return number


def _check(value: Json, limits: BundleLimits) -> None:
    """Look at every text and the depth of every value, without recursion."""
    pending: list[tuple[Json, int]] = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, dict | list):
            if depth >= limits.depth_max:
                raise _too_deep(limits)
            pending.extend((part, depth + 1) for part in item)
            if isinstance(item, dict):
                pending.extend((part, depth + 1) for part in item.values())


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise _Unfit("nul_character", "a text holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Unfit("lone_surrogate", "a text holds half of a surrogate pair") from None


def _too_deep(limits: BundleLimits) -> _Unfit:
    return _Unfit("too_deep", f"more than {limits.depth_max} levels of lists and objects")
