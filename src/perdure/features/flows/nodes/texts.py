"""Nodes that make text of text."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.faults import BoundReached
from perdure.features.flows.model import Node, NodeType, described, of_node, of_pins
from perdure.features.flows.values import (
    ITEMS_MAX,
    TEXT_MAX,
    Pins,
    as_list,
    joined,
    text_of,
    unescaped,
    whole,
)
from perdure.kernel.values import Json

FIRST = ("first", "once", "1")


def _concat(node: Node, pins: Pins) -> str:
    separator = node.config("concatConfig").get("separator")
    names = node.inputs or _by_letter(pins)
    found = (text_of(pins[name]) for name in names if name in pins)
    return joined(found, unescaped(separator) if isinstance(separator, str) else " ")


def _by_letter(pins: Pins) -> list[str]:
    """The order where no pins are drawn: `a`, `b`, … and then whatever else there is."""
    return sorted(pins, key=lambda name: (not (len(name) == 1 and "a" <= name <= "z"), name))


def _split(pins: Pins) -> list[str]:
    text = text_of(pins.get("text"))
    delimiter = unescaped(text_of(pins.get("delimiter", ",")))
    if delimiter and text.count(delimiter) > ITEMS_MAX:
        raise BoundReached(f"a text splits into more than {ITEMS_MAX} parts")
    parts = text.split(delimiter, _limit(pins.get("maxsplit"))) if delimiter else [text]
    if pins.get("trim", True):
        parts = [part.strip() for part in parts]
    return [part for part in parts if part] if pins.get("drop_empty", True) else parts


def _limit(value: Json) -> int:
    limit = whole(value)
    return -1 if limit is None else max(limit, -1)


def _join(pins: Pins) -> str:
    delimiter = unescaped(text_of(pins.get("delimiter", ",")))
    return joined((text_of(item) for item in as_list(pins.get("items"))), delimiter)


def _replace(pins: Pins) -> str:
    text, pattern = text_of(pins.get("text")), text_of(pins.get("pattern"))
    if not pattern:
        return text
    replacement = text_of(pins.get("replacement"))
    times = _times(pins.get("mode"))
    found = text.count(pattern) if times < 0 else min(times, text.count(pattern))
    if len(text) + found * (len(replacement) - len(pattern)) > TEXT_MAX:
        raise BoundReached(f"a text is longer than {TEXT_MAX} letters")
    return text.replace(pattern, replacement, times)


def _times(mode: Json) -> int:
    """How often to replace: `first`, a number, or every time."""
    if text_of(mode).strip().lower() in FIRST:
        return 1
    times = whole(mode) if mode else None
    return -1 if times is None else times


def _substring(pins: Pins) -> str:
    text, start, end = text_of(pins.get("text")), pins.get("start", 0), pins.get("end")
    return text[int(start) :] if end is None else text[int(start) : int(end)]


def _contains(pins: Pins) -> bool:
    """An empty pattern is in no text, so that a form left empty finds nothing."""
    pattern = text_of(pins.get("pattern"))
    return bool(pattern) and pattern in text_of(pins.get("text"))


TYPES: Final[Mapping[str, NodeType]] = {
    "concat": described(
        of_node(_concat),
        "(declared) -> result",
        "Its pins as one text, in their order.",
        "`concatConfig.separator`",
    ),
    "split": described(
        of_pins(_split),
        "text delimiter trim drop_empty maxsplit -> result",
        "The parts of a text; trimmed, and without empty ones, unless told otherwise.",
    ),
    "join": described(of_pins(_join), "items delimiter -> result", "The items as one text."),
    "trim": described(
        of_pins(lambda pins: text_of(pins.get("text")).strip()),
        "text -> result",
        "The text without the space around it.",
    ),
    "lowercase": described(
        of_pins(lambda pins: text_of(pins.get("text")).lower()),
        "text -> result",
        "The text in small letters.",
    ),
    "uppercase": described(
        of_pins(lambda pins: text_of(pins.get("text")).upper()),
        "text -> result",
        "The text in capitals.",
    ),
    "length": described(
        of_pins(lambda pins: len(text_of(pins.get("text")))), "text -> result", "How many letters."
    ),
    "is_empty_string": described(
        of_pins(lambda pins: text_of(pins.get("text")) == ""),
        "text -> result",
        "Whether there is no letter.",
    ),
    "contains": described(
        of_pins(_contains),
        "text pattern -> result",
        "Whether the pattern is in the text; an empty one is in none.",
    ),
    "replace": described(
        of_pins(_replace),
        "text pattern replacement mode -> result",
        "The text with the pattern replaced: the `first`, so many times, or `all`.",
    ),
    "substring": described(
        of_pins(_substring),
        "text start end -> result",
        "The letters from `start` up to, and without, `end`.",
    ),
}
