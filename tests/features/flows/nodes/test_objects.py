"""Objects and lists, by example."""

import pytest

from perdure.kernel.values import Json
from tests.support.drawing import Drawn, a_value
from tests.support.flowing import made, refused

USER = {"name": "Ada", "tags": ["x", {"id": 7}]}
PARTS = a_value(
    "break_object", "object", out="name", breakConfig={"selectedPaths": ["name", "tags.1.id"]}
)

TABLE: dict[str, tuple[Drawn, dict[str, Json], str, Json]] = {
    "get": (a_value("get"), {"object": USER, "key": "name"}, "value", "Ada"),
    "get by a path": (a_value("get"), {"object": USER, "key": "tags[1].id"}, "value", 7),
    "get what is not there": (a_value("get"), {"object": USER, "key": "age"}, "value", None),
    "get a default": (a_value("get"), {"object": USER, "key": "age", "default": 36}, "value", 36),
    "get from nothing": (a_value("get"), {"key": "age"}, "value", None),
    "set": (a_value("set"), {"object": {"a": 1}, "key": "b", "value": 2}, "result", {"a": 1, "b": 2}),
    "set deep": (a_value("set"), {"object": {"a": {"x": 1}}, "key": "a.y.z", "value": 2}, "result", {"a": {"x": 1, "y": {"z": 2}}}),
    "merge": (a_value("merge"), {"a": {"x": 1, "y": 1}, "b": {"y": 2}}, "result", {"x": 1, "y": 2}),
    "merge nothing": (a_value("merge"), {"a": {"x": 1}, "b": None}, "result", {"x": 1}),
    "make an object": (a_value("make_object"), {"x": 1, "y": None}, "result", {"x": 1, "y": None}),
    "break an object": (PARTS, {"object": USER}, "name", "Ada"),
    "break it by a path": (PARTS, {"object": USER}, "tags.1.id", 7),
    "break JSON in text": (PARTS, {"object": '{"name": "Bo"}'}, "name", "Bo"),
    "break what is no object": (PARTS, {"object": "Bo"}, "name", None),
    "break along the drawn pins": (a_value("break_object", out="name"), {"object": USER}, "name", "Ada"),
    "the first that is there": (a_value("coalesce", "b", "a"), {"a": 1, "b": None}, "result", 1),
    "zero is there": (a_value("coalesce", "a", "b"), {"a": 0, "b": 1}, "result", 0),
    "nothing is there": (a_value("coalesce"), {"a": None}, "result", None),
    "an element": (a_value("get_element"), {"array": [1, 2], "index": 1}, "result", 2),
    "an element from the end": (a_value("get_element"), {"array": [1, 2], "index": -2}, "result", 1),
    "no such element": (a_value("get_element"), {"array": [1], "index": 1, "default": "d"}, "result", "d"),
    "found": (a_value("get_element"), {"array": [1], "index": "0"}, "found", True),
    "not found": (a_value("get_element"), {"array": None, "index": 0}, "found", False),
    "make a list": (a_value("make_array", "b", "a", "c"), {"a": 1, "b": [2], "c": None}, "result", [[2], 1]),
    "the length of a list": (a_value("array_length"), {"array": [1, 2]}, "result", 2),
    "the length of no list": (a_value("array_length"), {"array": "ab"}, "result", 0),
    "append": (a_value("array_append"), {"array": [1], "item": [2]}, "result", [1, [2]]),
    "append to nothing": (a_value("array_append"), {"array": None, "item": 2}, "result", [2]),
    "lists one after the other": (a_value("array_concat", "a", "b"), {"a": [1], "b": 2}, "result", [1, 2]),
}  # fmt: skip


@pytest.mark.parametrize(("node", "pins", "pin", "expected"), TABLE.values(), ids=TABLE)
def test_an_object_node(node: Drawn, pins: dict[str, Json], pin: str, expected: Json) -> None:
    assert made(node, pins, pin) == expected


def test_what_is_no_object_cannot_be_set() -> None:
    assert "ValueError" in refused(a_value("set"), {"object": "text", "key": "a", "value": 1})


def test_the_whole_stands_for_a_result_that_has_no_such_key() -> None:
    """An object that does have one gives that one: the pin is a name before it is the whole."""
    node = a_value("make_object")
    assert made(node, {"result": 1, "x": 2}, "result") == 1
    assert made(node, {"x": 2}, "output") == {"x": 2}
