"""Text nodes, by example: what is drawn, what goes in, what comes out."""

import pytest

from perdure.features.flows.values import ITEMS_MAX, TEXT_MAX
from perdure.kernel.values import Json
from tests.support.drawing import Drawn, a_flow, a_start, a_value, an_end
from tests.support.flowing import Flowing, made, refused

COMMA = a_value("concat", "a", "b", concatConfig={"separator": ", "})

TABLE: dict[str, tuple[Drawn, dict[str, Json], Json]] = {
    "a space is between, unless drawn otherwise": (a_value("concat", "a", "b"), {"a": "x", "b": "y"}, "x y"),
    "the separator is the drawing's": (COMMA, {"a": "x", "b": "y"}, "x, y"),
    "a line end may be typed": (a_value("concat", "a", "b", concatConfig={"separator": "\\n"}), {"a": 1, "b": 2}, "1\n2"),
    "pins in their drawn order": (a_value("concat", "b", "a"), {"a": "x", "b": "y"}, "y x"),
    "without drawn pins by letter": (a_value("concat"), {"rest": "z", "b": "y", "a": "x"}, "x y z"),
    "a null is an empty piece": (a_value("concat", "a", "b"), {"a": "x", "b": None}, "x "),
    "values become text": (COMMA, {"a": 1.5, "b": True}, "1.5, True"),
    "split trims and drops": (a_value("split", "text"), {"text": " a, b ,,c,"}, ["a", "b", "c"]),
    "split keeps what it is told to": (
        a_value("split", "text", defaults={"trim": False, "drop_empty": False}), {"text": "a, b,"}, ["a", " b", ""],
    ),
    "split by a typed line end": (a_value("split"), {"text": "a\nb", "delimiter": "\\n"}, ["a", "b"]),
    "split a number of times": (a_value("split"), {"text": "a,b,c", "maxsplit": 1}, ["a", "b,c"]),
    "split by nothing": (a_value("split"), {"text": "abc", "delimiter": ""}, ["abc"]),
    "split nothing": (a_value("split"), {"text": None}, []),
    "join": (a_value("join", "items"), {"items": ["a", None, 2]}, "a,,2"),
    "join with": (a_value("join"), {"items": ["a", "b"], "delimiter": " + "}, "a + b"),
    "join one that is no list": (a_value("join"), {"items": "ab"}, "ab"),
    "join nothing": (a_value("join"), {"items": None}, ""),
    "trim": (a_value("trim"), {"text": "  a b "}, "a b"),
    "lowercase": (a_value("lowercase"), {"text": "ÀB"}, "àb"),
    "uppercase": (a_value("uppercase"), {"text": "àb"}, "ÀB"),
    "length": (a_value("length"), {"text": "àb"}, 2),
    "length of nothing": (a_value("length"), {"text": None}, 0),
    "empty": (a_value("is_empty_string"), {"text": ""}, True),
    "a space is not empty": (a_value("is_empty_string"), {"text": " "}, False),
    "contains": (a_value("contains"), {"text": "abc", "pattern": "bc"}, True),
    "does not contain": (a_value("contains"), {"text": "abc", "pattern": "x"}, False),
    "nothing is in no text": (a_value("contains"), {"text": "abc", "pattern": ""}, False),
    "replace all": (a_value("replace"), {"text": "aXbX", "pattern": "X", "replacement": "-"}, "a-b-"),
    "replace the first": (
        a_value("replace", defaults={"mode": "first"}), {"text": "aXbX", "pattern": "X", "replacement": "-"}, "a-bX",
    ),
    "replace a number of times": (
        a_value("replace", defaults={"mode": "2"}), {"text": "XXX", "pattern": "X", "replacement": "y"}, "yyX",
    ),
    "replace nothing": (a_value("replace"), {"text": "ab", "pattern": "", "replacement": "-"}, "ab"),
    "replace by nothing": (a_value("replace"), {"text": "ab", "pattern": "b"}, "a"),
    "a part of a text": (a_value("substring"), {"text": "abcd", "start": 1, "end": 3}, "bc"),
    "the rest of a text": (a_value("substring"), {"text": "abcd", "start": 2}, "cd"),
    "from the end": (a_value("substring"), {"text": "abcd", "start": -1}, "d"),
}  # fmt: skip


@pytest.mark.parametrize(("node", "pins", "expected"), TABLE.values(), ids=TABLE)
def test_a_text_node(node: Drawn, pins: dict[str, Json], expected: Json) -> None:
    assert made(node, pins) == expected


def test_a_place_in_a_text_is_a_number() -> None:
    assert "ValueError" in refused(a_value("substring"), {"text": "abc", "start": "x"})


@pytest.mark.parametrize(
    ("node", "pins"),
    [
        (a_value("replace"), {"text": "x" * 10_000, "pattern": "x", "replacement": "y" * 2_000}),
        (a_value("join"), {"items": ["x" * 10_000] * 2_000, "delimiter": ""}),
        (a_value("split"), {"text": "," * (ITEMS_MAX + 1)}),
        (a_value("concat", "a", "b"), {"a": "x" * TEXT_MAX, "b": "y"}),
    ],
    ids=["replace", "join", "split", "concat"],
)
def test_no_node_makes_more_text_than_the_bound(node: Drawn, pins: dict[str, Json]) -> None:
    flow = a_flow(
        {"start": a_start(*pins), "it": node, "end": an_end("seen")},
        "start -> end",
        *(f"start.{name} => it.{name}" for name in pins),
        "it.result => end.seen",
    )
    assert (Flowing(flow).start(pins).error or "").startswith("limit_reached")
