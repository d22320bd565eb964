"""Nodes that fill values into a text: `{name}` and `{{path | filter}}`.

Neither reaches into the objects of Python: a name finds keys of objects and items of lists, and
nothing else. Widths are bounded, since a few letters could ask for a text of any length.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from string import Formatter
from typing import Final

from perdure.features.flows.faults import NodeFault
from perdure.features.flows.model import NodeType, described, of_pins
from perdure.features.flows.values import Pieces, Pins, joined, text_of, walked
from perdure.kernel.values import Json

SPEC = re.compile(r"(.?[<>=^])?[-+ ]?#?0?(?P<width>[0-9]{0,3})[,_]?(\.[0-9]{1,3})?[sdeEfFgGxXbo%]?")
PART = re.compile(r"\[([^\[\]]*)\]|\.?([^.\[\]]+)")
CONVERSIONS: dict[str | None, Callable[[Json], Json]] = {
    None: lambda value: value,
    "s": str,
    "r": repr,
    "a": ascii,
}
JOIN = re.compile(r"join(?:\((.*)\))?")


def _format(pins: Pins) -> str:
    template, values = text_of(pins.get("template")), pins.get("values", {})
    if not isinstance(values, dict):
        return template
    pieces = Pieces()
    for literal, field, spec, conversion in Formatter().parse(template):
        pieces.add(literal)
        if field is not None:
            value = CONVERSIONS[conversion](_field(values, field))
            pieces.add(_written(value, spec or ""))
    return pieces.text()


def _field(values: Pins, field: str) -> Json:
    value: Json = values
    for bracketed, plain in PART.findall(field):
        part = bracketed or plain
        if isinstance(value, list) and part.isdecimal() and len(part) < 10:
            value = value[int(part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            raise NodeFault(f"the template names {field[:80]!r}, which is not there")
    if value is values:
        raise NodeFault("the template has a field without a name")
    return value


def _written(value: Json, spec: str) -> str:
    if not spec:
        return text_of(value) if value is not None else "None"
    if not SPEC.fullmatch(spec):
        raise NodeFault(f"the template has a format {spec[:40]!r} that is not known")
    return format(value, spec)


# --- {{path | filter}} -------------------------------------------------------------------------


def _template(pins: Pins) -> str:
    values = pins.get("vars")
    pieces = Pieces()
    for literal, inner in _marked(text_of(pins.get("template"))):
        pieces.add(literal)
        if inner is not None:
            pieces.add(_filled_in(values if isinstance(values, dict) else {}, inner))
    return pieces.text()


def _marked(template: str) -> Iterator[tuple[str, str | None]]:
    """The text before each `{{…}}` with what is in it, and then the text after the last one.

    One pass from left to right, whatever the text: a mark does not go over the end of a line.
    """
    at = 0
    while (end := template.find("}}", at)) >= 0:
        line = template.rfind("\n", at, end) + 1
        start = template.find("{{", max(at, line), end)
        if start < 0:
            yield template[at : end + 2], None
        else:
            yield template[at:start], template[start + 2 : end]
        at = end + 2
    yield template[at:], None


def _filled_in(values: Pins, inner: str) -> str:
    path, *filters = (part.strip() for part in inner.split("|"))
    value = walked(values, _path(path)) if path else None
    if value is None:
        return ""
    for name in filters:
        value = _filtered(value, name)
    return text_of(value)


def _path(path: str) -> list[str]:
    return [part.strip() for bracketed, plain in PART.findall(path) if (part := bracketed or plain)]


def _filtered(value: Json, name: str) -> Json:
    match name:
        case "json":
            return json.dumps(value, ensure_ascii=False, sort_keys=True)
        case "trim":
            return text_of(value).strip()
        case "lower":
            return text_of(value).lower()
        case "upper":
            return text_of(value).upper()
        case _ if (found := JOIN.fullmatch(name)) is not None:
            return _joined(value, found.group(1))
        case _:
            return value  # a filter that is not known leaves the value as it is


def _joined(value: Json, quoted: str | None) -> str:
    if not isinstance(value, list):
        return text_of(value)
    delimiter = ", " if quoted is None else quoted.strip()
    if len(delimiter) > 1 and delimiter[0] == delimiter[-1] and delimiter[0] in "\"'":
        delimiter = delimiter[1:-1]
    return joined((text_of(item) for item in value), delimiter)


TYPES: Final[Mapping[str, NodeType]] = {
    "format": described(
        of_pins(_format),
        "template values -> result",
        "Fills `{name}` from the values; a name that is not there is a fault.",
    ),
    "string_template": described(
        of_pins(_template),
        "template vars -> result",
        'Fills `{{a.b[0] | filter}}` from the variables; what is not there is empty. Filters: `json`, `join(", ")`, `trim`, `lower`, `upper`.',
    ),
}
