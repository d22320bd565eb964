"""JSON that two readers could understand differently is refused, for its own reason."""

import json
import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.bundles.document import Json, read_document, values_in, write_document
from perdure.bundles.limits import BundleLimits
from perdure.errors import BundleRefused

NAME = "flows/f1.json"
UNFIT: dict[str, tuple[str, bytes]] = {
    "nothing": ("bad_json", b""),
    "half": ("bad_json", b'{"a": '),
    "two values": ("bad_json", b"{} {}"),
    "single quotes": ("bad_json", b"{'a': 1}"),
    "a byte order mark": ("bad_json", b"\xef\xbb\xbf{}"),
    "a bare NUL": ("bad_json", b'"a\x00b"'),
    "a trailing comma": ("bad_json", b"[1,]"),
    "latin-1": ("bad_utf8", '"grün"'.encode("latin-1")),
    "UTF-16": ("bad_utf8", '"a"'.encode("utf-16")),
    "a surrogate as bytes": ("bad_utf8", b'"\xed\xa0\x80"'),
    "NaN": ("not_finite", b"[NaN]"),
    "Infinity": ("not_finite", b"[Infinity]"),
    "minus Infinity": ("not_finite", b"[-Infinity]"),
    "a float too large": ("not_finite", b"[1e999]"),
    "a key twice": ("duplicate_key", b'{"a": 1, "b": {}, "a": 1}'),
    "a key twice, once escaped": ("duplicate_key", b'[{"a": 1, "\\u0061": 2}]'),
    "a key twice that is no text": ("duplicate_key", b'{"\\ud800": 1, "\\ud800": 2}'),
    "a large integer": ("big_integer", b"[9007199254740992]"),
    "a large negative integer": ("big_integer", b"[-9007199254740992]"),
    "an endless integer": ("big_integer", b"1" * 10_000),
    "NUL in a value": ("nul_character", b'["\\u0000"]'),
    "NUL in a key": ("nul_character", b'{"\\u0000": 1}'),
    "a lone surrogate": ("lone_surrogate", b'["\\ud800"]'),
    "a lone surrogate in a key": ("lone_surrogate", b'{"\\udfff": 1}'),
    "surrogates the wrong way round": ("lone_surrogate", b'["\\udc00\\ud800"]'),
    "too deep for us": ("too_deep", b"[" * 65 + b"]" * 65),
    "too deep in objects": ("too_deep", b'{"a":' * 65 + b"1" + b"}" * 65),
    "too deep for the parser": ("too_deep", b"[" * 100_000 + b"]" * 100_000),
}
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.text(st.characters(exclude_characters="\0", codec="utf-8")), inner, max_size=5
        )
    ),
)


@pytest.mark.parametrize("case", UNFIT)
def test_unfit_json_is_refused_for_its_own_reason(case: str) -> None:
    reason, raw = UNFIT[case]
    with pytest.raises(BundleRefused) as refused:
        read_document(raw, NAME)
    assert refused.value.facts == {"reason": reason, "member": NAME}
    assert NAME in refused.value.detail
    refused.value.detail.encode()  # whatever was sent, the sentence can be sent back


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"9007199254740991", 2**53 - 1),
        (b"-9007199254740991", 1 - 2**53),
        (b"1e308", 1e308),
        (b"1.0", 1.0),
        (b'"\\ud83d\\ude00"', "😀"),
        (b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64)),
        (b'{"a": {"a": [{"a": null}]}}', {"a": {"a": [{"a": None}]}}),
    ],
    ids=["largest", "smallest", "large float", "float", "pair", "deepest", "same key further in"],
)
def test_what_is_just_within_is_read(raw: bytes, value: Json) -> None:
    assert read_document(raw, NAME) == value


def test_keys_stay_in_their_order() -> None:
    assert list(read_document(b'{"b": 1, "a": 2}', NAME)) == ["b", "a"]
    assert write_document({"b": 1, "a": 2}, NAME) == b'{\n  "b": 1,\n  "a": 2\n}\n'


@given(plain)
def test_what_is_written_is_read_back_as_it_was(value: Json) -> None:
    assert read_document(write_document(value, NAME), NAME, BundleLimits(depth_max=1000)) == value


@given(st.binary(max_size=200) | st.text('[]{}",:\\u0dE1-.eNaInfty ', max_size=80).map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        value = read_document(raw, NAME)
    except BundleRefused as refused:
        assert refused.facts["reason"]
    else:
        assert read_document(write_document(value, NAME), NAME) == value


@given(plain)
def test_values_are_never_counted_too_low(value: Json) -> None:
    assert values_in(json.dumps(value).encode()) >= count(value)


def count(value: Json) -> int:
    """All values in `value`, itself among them; one object counts its keys with their values."""
    if isinstance(value, dict):
        return 1 + sum(count(part) for part in value.values())
    if isinstance(value, list):
        return 1 + sum(count(part) for part in value)
    return 1


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, {1, 2}, {"a": "\ud800"}, b"bytes", {(1, 2): 3}, object()],
    ids=["nan", "infinity", "set", "surrogate", "bytes", "key", "object"],
)
def test_what_is_not_json_is_not_written(value: object) -> None:
    with pytest.raises(BundleRefused) as refused:
        write_document(value, NAME)
    assert refused.value.facts == {"reason": "not_json", "member": NAME}


def test_what_holds_itself_is_not_written() -> None:
    ring: list[object] = []
    ring.append(ring)
    deep: list[object] = []
    for _ in range(sys.getrecursionlimit() * 100):
        deep = [deep]
    for value in (ring, deep):
        with pytest.raises(BundleRefused, match="cannot be written"):
            write_document(value, NAME)
