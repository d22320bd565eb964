"""What a JSON value may be: both sides of every bound, and that orjson agrees."""

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.kernel.limits import INTEGER_MAX, NESTING_MAX
from perdure.stores.values import fault_of

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-INTEGER_MAX, INTEGER_MAX),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXT, inner)),
    max_leaves=20,
)


def nested(levels: int, within: str) -> Any:
    """A value of so many levels of lists or objects."""
    value: Any = None
    for _ in range(levels):
        value = [value] if within == "list" else {"in": value}
    return value


@given(VALUES)
def test_what_has_no_fault_survives_being_written_and_read(value: Any) -> None:
    assert fault_of(value) is None
    assert orjson.loads(orjson.dumps(value)) == value


@pytest.mark.parametrize(
    "value",
    [0, INTEGER_MAX, -INTEGER_MAX, 1e308, -0.0, "", "é€😀", "￾", True, None, (), ((1,), "a")],
)
def test_what_every_reader_understands_alike_has_no_fault(value: Any) -> None:
    assert fault_of(value) is None


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (INTEGER_MAX + 1, "an integer beyond 2^53"),
        (-INTEGER_MAX - 1, "an integer beyond 2^53"),
        (10**400, "an integer beyond 2^53"),
        (math.nan, "a number that is not finite"),
        (math.inf, "a number that is not finite"),
        (-math.inf, "a number that is not finite"),
        ("a\x00b", "a NUL character"),
        ("é\x00", "a NUL character"),
        ("\ud800", "half of a surrogate pair"),
        ("ok \udfff", "half of a surrogate pair"),
        ({1: "x"}, "a key that is not text"),
        ({None: "x"}, "a key that is not text"),
        ({"\x00": 1}, "a NUL character"),
        ({"\ud800": 1}, "half of a surrogate pair"),
        (b"bytes", "a bytes"),
        ({1, 2}, "a set"),
        (object(), "a object"),
    ],
)
@pytest.mark.parametrize("within", ["alone", "in a list", "in a tuple", "in an object"])
def test_what_readers_may_disagree_about_is_named(value: Any, fault: str, within: str) -> None:
    wrapped = {
        "alone": value,
        "in a list": [1, value, 2],
        "in a tuple": (1, value),
        "in an object": {"fine": 1, "not": [value]},
    }[within]
    assert fault_of(wrapped) == fault


@pytest.mark.parametrize("within", ["list", "object"])
def test_nesting_is_bounded(within: str) -> None:
    assert fault_of(nested(NESTING_MAX, within)) is None
    assert fault_of(nested(NESTING_MAX + 1, within)) == f"more than {NESTING_MAX} levels"
    assert fault_of(nested(100_000, within)) == f"more than {NESTING_MAX} levels"


def test_a_fault_at_the_end_of_a_large_value_is_found() -> None:
    assert fault_of([0] * 10_000 + [math.nan]) == "a number that is not finite"
    assert fault_of({**dict.fromkeys(map(str, range(10_000))), "last": {2: 2}}) == (
        "a key that is not text"
    )
