"""Nodes that read JSON out of text, as models write it, and write JSON as text."""

import ast
import json
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from perdure.features.flows.faults import BoundReached, NodeFault
from perdure.features.flows.model import NodeType, described, of_pins
from perdure.features.flows.values import ITEMS_MAX, Pins, text_of, whole
from perdure.kernel.values import Json

STARTS_MAX = 64  # places in a text at which JSON is looked for
PYTHON_LETTERS_MAX = 100_000  # of a text that is read as a Python literal
FENCE = "```"


def parsed(text: str) -> Json:
    """The JSON in a text: all of it, else the first object or list in it, else a Python literal.

    A code fence around it is dropped. Raises `NodeFault` where there is none.
    """
    text = _unfenced(text.strip())
    if not text:
        raise NodeFault("there is no text to read as JSON")
    if sum(text.count(mark) for mark in ",[{") > ITEMS_MAX:
        raise BoundReached(f"a text holds more than {ITEMS_MAX} values")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        found = _first_in(text)
        return found if found is not None else _literal(text, str(error))


def _unfenced(text: str) -> str:
    if not text.startswith(FENCE):
        return text
    _, line_end, body = text.partition("\n")
    if not line_end:
        return text.strip("`").strip()
    inside, fence, _ = body.rpartition(FENCE)
    return (inside if fence else body).strip()


def _first_in(text: str) -> Json:
    decoder, at = json.JSONDecoder(), -1
    for _ in range(STARTS_MAX):
        at = min((it for mark in "[{" if (it := text.find(mark, at + 1)) >= 0), default=-1)
        if at < 0:
            return None
        try:
            return decoder.raw_decode(text, at)[0]
        except (ValueError, RecursionError):
            continue
    return None


def _literal(text: str, why: str) -> Json:
    if len(text) <= PYTHON_LETTERS_MAX:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes; the text is data and no source
            try:
                return _plain(ast.literal_eval(text))
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                pass  # it was the last way to read it; what follows says so
    raise NodeFault(f"the text is no JSON: {why}")


def _plain(value: object) -> Json:
    """A Python literal as JSON: what JSON has no word for is written as text."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return str(value)


def _parse_json(pins: Pins) -> Json:
    given = pins.get("text")
    value = given if isinstance(given, dict | list) else parsed(text_of(given))
    wrap = pins.get("wrap_scalar", True) and not isinstance(value, dict | list)
    return {"value": value} if wrap else value


def _stringify_json(pins: Pins) -> str:
    value, indent = pins.get("value"), whole(pins.get("indent"))
    if isinstance(value, str):
        with suppress(NodeFault):  # a text that is no JSON is written as a JSON text
            value = parsed(value)
    mode = text_of(pins.get("mode")).strip().lower()
    mode = mode or ("minified" if indent is not None and indent <= 0 else "beautify")
    keys = pins.get("sort_keys") is True
    match mode:
        case "minified":
            return json.dumps(value, ensure_ascii=False, sort_keys=keys, separators=(",", ":"))
        case "none":
            return json.dumps(value, ensure_ascii=False, sort_keys=keys)
        case _:
            spaces = min(indent, 8) if indent is not None and indent > 0 else 2
            return json.dumps(value, ensure_ascii=False, sort_keys=keys, indent=spaces)


TYPES: Final[Mapping[str, NodeType]] = {
    "parse_json": described(
        of_pins(_parse_json),
        "text wrap_scalar -> result",
        "Reads JSON out of a text: all of it, else the first object or list in it, else a Python literal. What is neither object nor list is put in `{value}`.",
    ),
    "stringify_json": described(
        of_pins(_stringify_json),
        "value mode indent sort_keys -> result",
        "Writes JSON as text: `beautify`, `minified` or `none`.",
    ),
}
