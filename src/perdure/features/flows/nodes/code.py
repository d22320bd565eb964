"""Nodes that run code: never here, always as an effect that has a sandbox for it."""

import re
from collections.abc import Mapping
from keyword import iskeyword
from textwrap import dedent, indent
from typing import Final

from perdure.features.flows.faults import NodeFault
from perdure.features.flows.model import (
    Answer,
    Asked,
    Exec,
    Node,
    NodeType,
    Passed,
    Visit,
    described,
)
from perdure.features.flows.values import Pins, as_object, filled, text_of
from perdure.kernel.model import Effect, EffectClass
from perdure.kernel.values import Json

RUN_CODE: Final = "run_code"
FUNCTION: Final = "transform"
PERMISSIONS: Final = "permissions"
SANDBOXED: Final = frozenset({"", "safe", "protected", "restricted", "sandboxed", "sandbox"})
OWN_PINS: Final = ("output", "success", "execution")


def _begin(visit: Visit) -> Asked | Passed:
    node = visit.node
    mode = text_of(visit.pins.get(PERMISSIONS) or node.data.get(PERMISSIONS)).strip().lower()
    if mode not in SANDBOXED:
        raise NodeFault(f"code runs in the sandbox alone; {mode[:80]!r} is not given to it")
    given = _given(visit)
    function = filled(node.data.get("functionName")) or FUNCTION
    source, body = filled(node.data.get("code")), _wrapped(node, function)
    source = source or body if node.type == "function" else body or source
    if source is not None:
        return _asked(node, source, function, given)
    expression = filled(node.data.get("expression"))
    if node.type == "function" and expression is not None:
        return _asked(node, expression, None, given)
    return _shown(visit, given, {})


def _given(visit: Visit) -> Json:
    """What the code sees: its pins by name; a node without any sees the variable that it names."""
    pins = {name: value for name, value in visit.pins.items() if name != PERMISSIONS}
    key = filled(visit.node.data.get("inputKey"))
    return visit.vars.get(key) if key and not pins else pins


def _wrapped(node: Node, function: str) -> str | None:
    """The body that was drawn as a function of its own, with each pin as a name."""
    drawn: Json = node.data.get("codeBody")
    if filled(drawn) is None:
        return None
    lines = [f"{_name_of(pin)} = _input.get({pin!r})" for pin in node.inputs if pin != PERMISSIONS]
    lines.append(dedent(drawn).strip())
    return f"def {function}(_input):\n" + indent("\n".join(lines), "    ") + "\n"


def _name_of(pin: str) -> str:
    """The name of a pin in the code: its id, made into a name where it is none."""
    name = pin if pin.isidentifier() else re.sub(r"[^A-Za-z0-9_]", "_", pin)
    name = f"p_{name}" if name[0].isdecimal() else name
    return f"{name}_" if iskeyword(name) else name


def _asked(node: Node, source: str, function: str | None, given: Json) -> Asked:
    payload = {"code": source, "function": function, "input": given}
    return Asked(
        Effect(RUN_CODE, payload, "", node.id, EffectClass.READ, result_key=node.result_key)
    )


def _finish(visit: Visit, answer: Answer) -> Passed:
    told = as_object(answer.result)
    return _shown(visit, told.get("output"), as_object(told.get("execution")))


def _shown(visit: Visit, value: Json, execution: Json) -> Passed:
    """What the node gives out, and the variable that it names."""
    node = visit.node
    key = filled(node.data.get("outputKey"))
    writes = visit.vars.assigned(key, value) if key else {}
    if node.type == "function":
        return Passed(value, writes=writes)
    output: Pins = {"output": value, "success": True, "execution": execution}
    if isinstance(value, dict):
        named = (name for name in node.outputs if name not in OWN_PINS and name in value)
        output.update({name: value[name] for name in named})
    if "result" in node.wired:
        output.setdefault("result", value)
    return Passed(output, own="output", writes=writes)


_CONFIG: Final = (
    "`code` (a whole source) or `codeBody` (the body of a function, each pin a name in it), `functionName`, "
    "`inputKey`, `outputKey`, `permissions`"
)
TYPES: Final[Mapping[str, NodeType]] = {
    "code": described(
        Exec(_begin, _finish, faults=True),
        "input permissions (declared) -> output success execution (declared)",
        "Runs a Python function on its pins, in a sandbox: the standard library, and nothing of the host. What the function gave back is the last output.",
        _CONFIG,
    ),
    "function": described(
        Exec(_begin, _finish, faults=True),
        "input (declared) -> result (declared)",
        "The same, of older flows: its output is what the function gave back. Without code it passes its pins on.",
        _CONFIG + ", `expression`",
    ),
}
