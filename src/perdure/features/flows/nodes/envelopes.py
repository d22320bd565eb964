"""Nodes that put values into the shapes that hosts of agents know, and add fields to a schema."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.model import Node, NodeType, described, of_node, of_pins
from perdure.features.flows.values import Pins, as_list, as_object, filled, text_of, whole
from perdure.kernel.values import Json

META: Final = "abstractcode.agent.v1.meta"
COUNTS: Final = ("iterations", "tool_calls", "tool_results")
TIMES: Final = ("gen_time", "ttft_ms")
DEFINITIONS: Final = ("$defs", "definitions")


def _context(pins: Pins) -> Json:
    extra = as_object(pins.get("context_extra"))
    own = {"task": text_of(pins.get("task")), "messages": as_list(pins.get("messages"))}
    return {"context": {**extra, **own}}


def _scratchpad(pins: Pins) -> Json:
    made: Pins = {
        name: text for name in ("sub_run_id", "workflow_id") if (text := filled(pins.get(name)))
    }
    made.update(task=text_of(pins.get("task")), messages=as_list(pins.get("messages")))
    if isinstance(pins.get("context_extra"), dict):
        made["context_extra"] = pins["context_extra"]
    made["node_traces"] = as_object(pins.get("node_traces"))
    for name in ("steps", "tool_calls", "tool_results"):
        made[name] = as_list(pins.get(name))
    return {"scratchpad": made}


def _meta(pins: Pins) -> Json:
    """What is known of a call or an agent; what is not known is as in `extra`, or has no key."""
    version = whole(pins.get("version"))
    made: Pins = {
        "schema": filled(pins.get("schema")) or META,
        "version": 1 if version is None else version,
    }
    for name in ("provider", "model"):
        made[name] = text_of(pins.get(name)).strip()
    for name in ("output_mode", "sub_run_id", "finish_reason"):
        made[name] = filled(pins.get(name))
    made.update({name: whole(pins.get(name)) for name in COUNTS})
    made.update({name: it for name in TIMES if not isinstance(it := pins.get(name), bool)})
    made["usage"] = as_object(pins.get("usage"))
    made["trace"] = _trace(pins)
    made["warnings"] = [
        text for it in as_list(pins.get("warnings")) if (text := text_of(it).strip())
    ]
    known = {name: it for name, it in made.items() if it is not None and it not in ("", {}, [])}
    if pins.get("debug") is not None:
        known["debug"] = pins["debug"]
    return {"meta": {**as_object(pins.get("extra")), **known}}


def _trace(pins: Pins) -> Json:
    given, trace_id = pins.get("trace"), filled(pins.get("trace_id"))
    trace = {"trace_id": named} if (named := filled(given)) else as_object(given)
    return {**trace, "trace_id": trace_id} if trace_id else trace


# --- schemas -----------------------------------------------------------------------------------


def _edited(node: Node, pins: Pins) -> Json:
    """Fields that are drawn are added; one that is there already stays as it is."""
    base = as_object(pins.get("schema"))
    more = as_object(pins["fields"] if "fields" in pins else node.data.get("literalValue"))
    if not base or not more:
        return {"schema": base or more}
    fields, added = as_object(base.get("properties")), as_object(more.get("properties"))
    new = {name: spec for name, spec in added.items() if name and name not in fields}
    required = [*_names(base), *(name for name in _names(more) if name in new)]
    made: Pins = {name: it for name, it in base.items() if name != "required"}
    made["type"] = base.get("type") or more.get("type") or "object"
    made["properties"] = {**fields, **new}
    for name in DEFINITIONS:
        if as_object(more.get(name)):
            made[name] = {**more[name], **as_object(base.get(name))}
    if required:
        made["required"] = list(dict.fromkeys(required))
    return {"schema": made}


def _names(schema: Mapping[str, Json]) -> list[str]:
    given = schema.get("required")
    return [it for it in given if filled(it)] if isinstance(given, list) else []


TYPES: Final[Mapping[str, NodeType]] = {
    "make_context": described(
        of_pins(_context),
        "task messages context_extra -> context",
        "A conversation: the task, the messages, and whatever else.",
    ),
    "make_meta": described(
        of_pins(_meta),
        "schema version provider model output_mode sub_run_id iterations tool_calls tool_results finish_reason gen_time ttft_ms usage trace trace_id warnings debug extra -> meta",
        "What is known of an agent's answer, in the shape that hosts read; what is not known has no key.",
    ),
    "make_scratchpad": described(
        of_pins(_scratchpad),
        "sub_run_id workflow_id task messages context_extra node_traces steps tool_calls tool_results -> scratchpad",
        "What an agent did, in the shape that hosts read.",
    ),
    "edit_json_schema": described(
        of_node(_edited),
        "schema fields -> schema",
        "A JSON Schema with more fields. A field that is there already stays as it is.",
        "`literalValue`: the fields, as a schema",
    ),
}
