"""Nodes that read and set the run's variables."""

import json
from collections.abc import Mapping
from typing import Final

from perdure.features.flows.faults import NodeFault
from perdure.features.flows.model import (
    LAST_OUTPUT,
    Exec,
    Function,
    Node,
    NodeType,
    Passed,
    Visit,
    described,
)
from perdure.features.flows.values import Allowance, Pins, as_list, as_object, planted, text_of
from perdure.features.flows.vars import Vars, Writes
from perdure.kernel.program import Moment
from perdure.kernel.values import Json

ZEROS: dict[str, Json] = {"boolean": False, "number": 0, "string": "", "array": [], "object": {}}
TYPED_ZEROS = ("boolean", "number", "string")  # what a form shows where nothing was typed


# --- reading -----------------------------------------------------------------------------------


def _get_var(_node: Node, pins: Pins, vars: Vars, _moment: Moment) -> Json:
    name = text_of(pins.get("name")).strip()
    value = vars.get(name) if name else None
    if name.startswith("_"):
        Allowance().spend(value)  # what a node gave out as a whole may hold one value many times
    return {"value": value}


def _get_context(_node: Node, _pins: Pins, vars: Vars, _moment: Moment) -> Json:
    context = vars.get("context")
    messages = as_list(context["messages"])
    return {"context": context, "task": text_of(context.get("task")), "messages": messages}


def _declared(node: Node, _pins: Pins, vars: Vars, _moment: Moment) -> Json:
    """A variable of a declared type; a value of another type counts as none."""
    drawn = as_object(node.data.get("literalValue"))
    name, kind = text_of(drawn.get("name")).strip(), text_of(drawn.get("type")).strip()
    value = vars.get(name) if name else None
    if not name or not _is(value, kind):
        value = drawn.get("default")
    return {"name": name, "value": value if _is(value, kind) else ZEROS[kind]}


def _declared_boolean(node: Node, _pins: Pins, vars: Vars, _moment: Moment) -> Json:
    drawn = node.data.get("literalValue")
    named = drawn if isinstance(drawn, str) else as_object(drawn).get("name")
    name = text_of(named).strip()
    value = vars.get(name) if name else None
    default = as_object(drawn).get("default") is True
    return {"name": name, "value": value if isinstance(value, bool) else default}


def _is(value: Json, kind: str) -> bool:
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return True


# --- setting -----------------------------------------------------------------------------------


def _set_var(visit: Visit) -> Passed:
    value = visit.pins["value"] if "value" in visit.pins else _zero(visit.node)
    writes = _assigned(visit.vars, visit.pins.get("name"), value)
    return _set(writes, {"value": value})


def _set_var_property(visit: Visit) -> Passed:
    name, key = text_of(visit.pins.get("name")).strip(), text_of(visit.pins.get("key")).strip()
    path = [part for part in key.split(".") if part]
    if not path:
        raise NodeFault("a property needs a key")
    value = planted(visit.vars.get(name), path, visit.pins.get("value"))
    Allowance().spend(value)  # the variable may be in it, in part or twice
    return _set(_assigned(visit.vars, name, value), {"value": value})


def _set_vars(visit: Visit) -> Passed:
    updates = _updates(visit.pins.get("updates"))
    writes: Writes = {}
    for name, value in updates.items():
        writes.update(_assigned(visit.vars.over(writes), name, value))
    return _set(writes, {"updates": updates})


def _set(writes: Writes, output: Json) -> Passed:
    """Variables pass `_last_output` on as it was: a node that sets one hides nothing."""
    return Passed(output, ambient=False, ending=LAST_OUTPUT, writes=writes)


def _assigned(vars: Vars, name: Json, value: Json) -> Writes:
    """The writes that set a variable, weighed: a variable may hold itself, and so double."""
    path = text_of(name).strip()
    writes = vars.assigned(path, value)
    if "." in path:
        allowance = Allowance()
        for written in writes.values():
            if isinstance(written, dict | list):
                allowance.spend(written)
    return writes


def _updates(value: Json) -> dict[str, Json]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return as_object(value)


def _zero(node: Node) -> Json:
    for pin in node.data.get("inputs") or []:
        if pin.get("id") == "value" and pin.get("type") in TYPED_ZEROS:
            return ZEROS[pin["type"]]
    return None


TYPES: Final[Mapping[str, NodeType]] = {
    "get_var": described(
        Function(_get_var, shares=True), "name -> value", "A variable by its dotted path, or null."
    ),
    "get_context": described(
        Function(_get_context, shares=True),
        "-> context task messages",
        "The conversation of the run: its context, the task and the messages.",
    ),
    "var_decl": described(
        Function(_declared, shares=True),
        "-> name value",
        "A variable of a declared type; a value of another type counts as none.",
        "`literalValue`: `{name, type, default}`",
    ),
    "bool_var": described(
        Function(_declared_boolean, shares=True),
        "-> name value",
        "A variable that is a truth.",
        "`literalValue`: `{name, default}`",
    ),
    "set_var": described(
        Exec(_set_var),
        "name value -> value",
        "Sets a variable by its dotted path. The last output stays what it was.",
    ),
    "set_var_property": described(
        Exec(_set_var_property),
        "name key value -> value",
        "Sets one property of a variable that is an object.",
    ),
    "set_vars": described(
        Exec(_set_vars), "updates -> updates", "Sets several variables by their paths."
    ),
}
