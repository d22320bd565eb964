"""How values become text, numbers and truths, and where they are too large."""

import math

import pytest

from perdure.features.flows.faults import BoundReached, NodeFault
from perdure.features.flows.values import (
    DEPTH_MAX,
    LETTERS_OF_WEIGHT,
    MISSING,
    TEXT_MAX,
    WEIGHT_MAX,
    Allowance,
    Pieces,
    as_list,
    as_object,
    filled,
    finite,
    first_filled,
    joined,
    number_of,
    picked,
    planted,
    positive,
    text_of,
    texts_in,
    truth,
    unescaped,
    walked,
    whole,
)
from perdure.kernel.values import Json

TEXTS = [("x", "x"), (None, ""), (1.5, "1.5"), (True, "True"), ([1, "a"], "[1, 'a']")]
WHOLES = [(3, 3), (3.9, 3), ("4", 4), (" 5.5 ", 5), (True, None), (None, None), ("x", None), ([], None), (math.inf, None), (1e300, None), (math.nan, None)]  # fmt: skip
TRUTHS = [(True, True), ("Yes", True), (" on ", True), ("1", True), (2, True), (0, False), ("no", False), ("maybe", False), (None, False), ([1], False)]  # fmt: skip
FILLED = [(" a ", "a"), (" ", None), (None, None), (7, None)]


@pytest.mark.parametrize(("value", "text"), TEXTS, ids=repr)
def test_text_of(value: Json, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(("value", "number"), WHOLES, ids=repr)
def test_whole(value: Json, number: int | None) -> None:
    assert whole(value) == number
    assert positive(value) == number


@pytest.mark.parametrize(("value", "expected"), TRUTHS, ids=repr)
def test_truth(value: Json, expected: bool) -> None:
    assert truth(value) is expected


@pytest.mark.parametrize(("value", "text"), FILLED, ids=repr)
def test_filled(value: Json, text: str | None) -> None:
    assert filled(value) == text


def test_a_count_is_above_zero() -> None:
    assert [positive(value) for value in (1, 0, -1)] == [1, None, None]


def test_objects_lists_and_texts_of_what_may_be_none() -> None:
    assert (as_object({"a": 1}), as_object("x")) == ({"a": 1}, {})
    assert (as_list([1]), as_list(None), as_list("x")) == ([1], [], ["x"])
    assert texts_in(["a", " b", "a", 1, None, ""]) == ["a", "b"]
    assert unescaped(r"a\n\tb") == "a\n\tb"


def test_a_path_goes_through_objects_and_lists() -> None:
    value = {"a": [{"b": 1}]}
    assert walked(value, ["a", "0", "b"]) == 1
    assert walked(value, []) == value
    assert [
        walked(value, path)
        for path in (["x"], ["a", "1"], ["a", "x"], ["a", "9" * 99], ["a", "0", "b", "c"])
    ] == [None] * 5


def test_planting_copies_what_is_on_the_path_and_shares_the_rest() -> None:
    before = {"a": {"x": [1]}, "b": [2]}
    after = planted(before, ["a", "y"], 3)
    assert after == {"a": {"x": [1], "y": 3}, "b": [2]}
    assert before == {"a": {"x": [1]}, "b": [2]}
    assert after["b"] is before["b"]
    assert planted("no object", ["a", "b"], 1) == {"a": {"b": 1}}


def test_a_pin_is_a_key_before_it_is_the_whole() -> None:
    assert picked({"result": 1}, "result") == 1
    assert picked({"a": 1}, "result") == {"a": 1}
    assert picked("text", "output") == "text"
    assert picked({"a": None}, "a") is None
    assert picked({"a": 1}, "b") is MISSING


def test_pins_come_before_the_drawing() -> None:
    assert first_filled({"a": None, "b": ""}, {"b": 2}, "a", "b") == 2
    assert first_filled({"b": 0}, {"a": 2}, "a", "b") == 0
    assert first_filled({}, {}, "a") is None


@pytest.mark.parametrize("value", ["x", None, [], {}, "inf", math.nan], ids=repr)
def test_what_is_no_number(value: Json) -> None:
    with pytest.raises(ValueError):
        number_of(value)


def test_a_number_that_json_cannot_write() -> None:
    assert finite(1.5) == 1.5
    with pytest.raises(NodeFault):
        finite(math.inf)


# --- bounds ------------------------------------------------------------------------------------


def test_a_text_grows_up_to_its_bound() -> None:
    pieces = Pieces()
    pieces.add("x" * (TEXT_MAX - 1))
    pieces.add("y")
    assert len(pieces.text()) == TEXT_MAX
    with pytest.raises(BoundReached):
        pieces.add("z")


def test_joining_counts_what_is_between() -> None:
    assert joined(["a", "b"], ", ") == "a, b"
    with pytest.raises(BoundReached):
        joined(["", ""], "x" * (TEXT_MAX + 1))


def test_an_allowance_is_for_all_values_together() -> None:
    allowance = Allowance()
    third = ["x"] * (WEIGHT_MAX // 3)
    allowance.spend(third)
    allowance.spend(third)
    with pytest.raises(BoundReached):
        allowance.spend(third)


def test_letters_weigh_less_than_values() -> None:
    Allowance().spend("x" * (WEIGHT_MAX * LETTERS_OF_WEIGHT // 2))
    with pytest.raises(BoundReached):
        Allowance().spend("x" * (WEIGHT_MAX * LETTERS_OF_WEIGHT + LETTERS_OF_WEIGHT))


def test_a_value_that_holds_itself_often_is_weighed_as_it_is_written() -> None:
    """Forty lists that each hold the one before twice are small here, and a trillion values as JSON."""
    value: Json = ["x"]
    for _ in range(40):
        value = [value, value]
    with pytest.raises(BoundReached):
        Allowance().spend(value)


def test_levels_have_a_bound() -> None:
    value: Json = 1
    for _ in range(DEPTH_MAX):
        value = {"a": value}
    Allowance().spend(value)
    with pytest.raises(BoundReached):
        Allowance().spend([value])


@pytest.mark.parametrize(
    "value", [2**53, math.nan, "\x00", "\ud800", {"\x00": 1}, (1,), b"x", {1: 2}], ids=repr
)
def test_what_is_no_json_is_refused(value: Json) -> None:
    with pytest.raises(NodeFault):
        Allowance().spend([value])


def test_missing_shows_itself() -> None:
    assert repr(MISSING) == "MISSING"
