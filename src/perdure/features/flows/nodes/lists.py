"""Nodes that make lists of lists."""

import json
from collections.abc import Mapping
from typing import Final

from perdure.features.flows.model import NodeType, described, of_pins
from perdure.features.flows.values import Pins, as_list, text_of, walked
from perdure.kernel.values import Json


def _map(pins: Pins) -> Json:
    """A part of each object; what is no object stays as it is."""
    key = text_of(pins.get("key"))
    return [it.get(key) if isinstance(it, dict) else it for it in as_list(pins.get("items"))]


def _filter(pins: Pins) -> Json:
    key, value = text_of(pins.get("key")), pins.get("value")
    return [
        item
        for item in as_list(pins.get("items"))
        if (item.get(key) if isinstance(item, dict) else item) == value
    ]


def _dedup(pins: Pins) -> Json:
    """The first of each kind stays. An item without the key stands for itself."""
    given = pins.get("array")
    path = [part.strip() for part in text_of(pins.get("key")).split(".") if part.strip()]
    kept: dict[str, Json] = {}
    for item in given if isinstance(given, list) else []:
        found = walked(item, path) if path else None
        kept.setdefault(_print_of(item if found is None else found), item)
    return list(kept.values())


def _print_of(value: Json) -> str:
    """A text that is the same for the same JSON; a truth is no number."""
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    return f"{type(value).__name__}:{value}"


def _has_tools(pins: Pins) -> bool:
    given = pins.get("array")
    return isinstance(given, list) and bool(given)


TYPES: Final[Mapping[str, NodeType]] = {
    "array_map": described(
        of_pins(_map),
        "items key -> result",
        "One property of each object in the list; what is no object stays as it is.",
    ),
    "array_filter": described(
        of_pins(_filter, shares=True),
        "items key value -> result",
        "The objects whose property is the value; of other items, those that are the value.",
    ),
    "array_dedup": described(
        of_pins(_dedup, shares=True),
        "array key -> result",
        "The list without repeats, the first of each kept; with a key (a dotted path), objects are the same where it is.",
    ),
    "has_tools": described(
        of_pins(_has_tools, shares=True),
        "array -> result",
        "Whether a list, such as the tool calls of an answer, has any item.",
    ),
}
