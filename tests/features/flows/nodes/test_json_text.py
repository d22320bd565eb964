"""JSON in text and out of it, by example."""

import pytest

from perdure.features.flows.values import ITEMS_MAX
from perdure.kernel.values import Json
from tests.support.drawing import Drawn, a_flow, a_node, a_start, a_value, an_end
from tests.support.flowing import Flowing, made, refused

PARSED: dict[str, tuple[Json, Json]] = {
    "an object": ('{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
    "a list": ("[1, 2]", [1, 2]),
    "a scalar is wrapped": ("7", {"value": 7}),
    "in a fence": ('```json\n{"a": 1}\n```', {"a": 1}),
    "in a fence of one line": ('```{"a": 1}```', {"a": 1}),
    "in a fence that is not closed": ('```json\n{"a": 1}', {"a": 1}),
    "in the middle of words": ('Sure! Here it is: {"a": 1} I hope it helps.', {"a": 1}),
    "the first that can be read": ('{oops} [1, 2] {"a": 1}', [1, 2]),
    "as Python writes it": ("{'a': (1, True, None)}", {"a": [1, True, None]}),
    "a Python key is text": ("{1: 'x', 'y': {2}}", {"1": "x", "y": "{2}"}),
    "an object already": ({"a": 1}, {"a": 1}),
}

REFUSED: dict[str, tuple[Json, str]] = {
    "prose": ("the answer is unknown", "the text is no JSON"),
    "nothing": ("", "there is no text"),
    "null": (None, "there is no text"),
    "an integer beyond 2^53": ('{"a": 12345678901234567890}', "an integer beyond 2^53"),
    "a number that is none": ('{"a": NaN}', "a number that is not finite"),
    "half of a surrogate pair": (r'{"a": "\ud800"}', "half of a surrogate pair"),
    "a NUL": (r'{"a": "\u0000"}', "a NUL character"),
    "a key with a NUL": (r'{"\u0000": 1}', "a NUL character"),
    "brackets without end": ("[" * 50_000, "the text is no JSON"),
}

WRITTEN: dict[str, tuple[dict[str, Json], Json, str]] = {
    "readable, unless told otherwise": ({}, {"a": [1]}, '{\n  "a": [\n    1\n  ]\n}'),
    "on one line": ({"mode": "none"}, {"a": [1, "é"]}, '{"a": [1, "é"]}'),
    "minified": ({"mode": "minified"}, {"a": [1, 2]}, '{"a":[1,2]}'),
    "an indent of zero is minified": ({"indent": 0}, {"a": 1}, '{"a":1}'),
    "an indent": ({"indent": 1}, {"a": 1}, '{\n "a": 1\n}'),
    "keys in order": ({"mode": "none", "sort_keys": True}, {"b": 1, "a": 2}, '{"a": 2, "b": 1}'),
    "JSON in text is written anew": ({"mode": "minified"}, "```json\n{'a': 1}\n```", '{"a":1}'),
    "a text is a JSON text": ({}, "hello", '"hello"'),
    "null": ({}, None, "null"),
}


@pytest.mark.parametrize(("text", "expected"), PARSED.values(), ids=PARSED)
def test_parse_json(text: Json, expected: Json) -> None:
    assert made(a_value("parse_json", "text"), {"text": text}) == expected


def test_a_scalar_stays_bare_when_told_so() -> None:
    node = a_value("parse_json", "text", defaults={"wrap_scalar": False})
    assert made(node, {"text": '"x"'}) == "x"


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_json_is_refused(text: Json, why: str) -> None:
    assert why in refused(a_value("parse_json", "text"), {"text": text})


@pytest.mark.parametrize(("drawn", "value", "expected"), WRITTEN.values(), ids=WRITTEN)
def test_stringify_json(drawn: dict[str, Json], value: Json, expected: str) -> None:
    assert made(a_value("stringify_json", defaults=drawn), {"value": value}) == expected


def _reading(node: Drawn) -> Json:
    return a_flow(
        {"start": a_start("text"), "it": node, "end": an_end("result")},
        "start -> it -> end",
        "start.text => it.text",
        "it.result => end.result",
    )


def test_a_text_of_too_many_values_is_not_read() -> None:
    run = Flowing(_reading(a_node("parse_json", "text"))).start(
        {"text": "[" + "," * ITEMS_MAX + "]"}
    )
    assert (run.error or "").startswith("limit_reached: it: ")


def test_in_the_order_of_execution_it_names_itself() -> None:
    """A function-like node drawn with execution pins is passed like any other."""
    flow = _reading(a_node("parse_json", "text", out="result"))
    assert Flowing(flow).start({"text": "[1]"}).output == {"result": [1], "success": True}
    failed = Flowing(flow).start({"text": "no"}).output
    assert (failed["success"], failed["node"]) == (False, "it")
