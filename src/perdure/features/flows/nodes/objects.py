"""Nodes that take values apart and put them together."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.faults import NodeFault
from perdure.features.flows.model import Node, NodeType, described, of_node, of_pins
from perdure.features.flows.nodes.json_text import parsed
from perdure.features.flows.values import Pins, as_list, planted, text_of, walked, whole
from perdure.kernel.values import Json


def _break_object(node: Node, pins: Pins) -> Json:
    given = pins.get("object")
    if isinstance(given, str):
        try:
            given = parsed(given)
        except NodeFault:
            given = None  # a text that is no object has no parts
        given = given if isinstance(given, dict | list) else {"value": given}
    selected = node.config("breakConfig").get("selectedPaths")
    paths = [path.strip() for path in as_list(selected) if isinstance(path, str) and path.strip()]
    return {path: walked(given, path.split(".")) for path in paths or node.outputs}


def _get(pins: Pins) -> Json:
    path = text_of(pins.get("key")).replace("[", ".").replace("]", "")
    parts = [part.strip() for part in path.split(".") if part.strip()]
    value = walked(pins.get("object"), parts) if parts else None
    return {"value": pins.get("default") if value is None else value}


def _set(pins: Pins) -> Json:
    return planted(
        dict(pins.get("object") or {}), text_of(pins.get("key")).split("."), pins.get("value")
    )


def _merge(pins: Pins) -> Json:
    return {**dict(pins.get("a") or {}), **dict(pins.get("b") or {})}


def _make_object(pins: Pins) -> Json:
    return {name: value for name, value in pins.items() if not name.startswith("_")}


def _coalesce(node: Node, pins: Pins) -> Json:
    names = node.inputs or ("a", "b")
    return next((pins[name] for name in names if pins.get(name) is not None), None)


def _get_element(pins: Pins) -> Json:
    given = pins.get("array")
    items = given if isinstance(given, list) else []
    index = whole(pins.get("index", 0)) or 0
    index = len(items) + index if index < 0 else index
    found = 0 <= index < len(items)
    return {"result": items[index] if found else pins.get("default"), "found": found}


def _make_array(node: Node, pins: Pins) -> Json:
    """Pins without a value are no items, so that a pin left open adds no null."""
    names = node.inputs or ("a", "b")
    return [pins[name] for name in names if pins.get(name) is not None]


def _array_concat(node: Node, pins: Pins) -> Json:
    names = node.inputs or ("a", "b")
    return [item for name in names for item in as_list(pins.get(name))]


def _array_length(pins: Pins) -> int:
    given = pins.get("array")
    return len(given) if isinstance(given, list) else 0


TYPES: Final[Mapping[str, NodeType]] = {
    "break_object": described(
        of_node(_break_object, shares=True),
        "object -> (paths)",
        "Gives out parts of an object, one pin for each path; a text is read as JSON first.",
        "`breakConfig.selectedPaths`, else the declared pins",
    ),
    "get": described(
        of_pins(_get, shares=True),
        "object key default -> value",
        "The value at a path, such as `a.b[0]`; the default where there is none.",
    ),
    "set": described(
        of_pins(_set),
        "object key value -> result",
        "A copy of the object with the value at a dotted path.",
    ),
    "merge": described(of_pins(_merge), "a b -> result", "Both objects in one; `b` wins."),
    "make_object": described(
        of_pins(_make_object),
        "(declared) -> result",
        "An object of its pins; names that begin with `_` are left out.",
    ),
    "coalesce": described(
        of_node(_coalesce, shares=True),
        "(declared) -> result",
        "The first pin, in their order, that is not null.",
    ),
    "get_element": described(
        of_pins(_get_element, shares=True),
        "array index default -> result found",
        "The item at a position, from the end where it is negative; the default where there is none.",
    ),
    "make_array": described(
        of_node(_make_array),
        "(declared) -> result",
        "A list of its pins in their order; nulls are left out.",
    ),
    "array_length": described(
        of_pins(_array_length, shares=True),
        "array -> result",
        "How many items; 0 for what is no list.",
    ),
    "array_append": described(
        of_pins(lambda pins: [*as_list(pins.get("array")), pins.get("item")]),
        "array item -> result",
        "The list with one more item.",
    ),
    "array_concat": described(
        of_node(_array_concat),
        "(declared) -> result",
        "The lists of its pins, one after the other.",
    ),
}
