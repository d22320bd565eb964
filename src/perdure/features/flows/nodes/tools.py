"""Nodes that have tools do something. One call is one effect: a batch is under way together."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.faults import PlanFault
from perdure.features.flows.model import (
    Answer,
    Asked,
    Exec,
    Node,
    NodeType,
    Passed,
    Visit,
    described,
    of_node,
)
from perdure.features.flows.values import Pins, as_list, as_object, filled, texts_in
from perdure.kernel.model import Effect, EffectClass
from perdure.kernel.values import Json

CALLS_MAX = 200  # in one batch


def _batch(visit: Visit) -> Asked | Passed:
    calls = [it for it in as_list(visit.pins.get("tool_calls")) if isinstance(it, dict)]
    if len(calls) > CALLS_MAX:
        raise PlanFault(f"a batch has at most {CALLS_MAX} tool calls")
    if not calls:
        return _told([])
    return _asked(visit, calls)


def _single(visit: Visit) -> Asked:
    call = visit.pins.get("tool_call")
    if not isinstance(call, dict):
        raise PlanFault("there is no tool call to make")
    return _asked(visit, [call])


def _asked(visit: Visit, drawn: list[Pins]) -> Asked:
    calls = [_call(it, number) for number, it in enumerate(drawn, 1)]
    allowed = visit.pins.get("allowed_tools")
    names = texts_in(allowed) if isinstance(allowed, list) else None
    return Asked(tuple(_effect(visit.node, call, names) for call in calls), hold=calls)


def _call(drawn: Pins, number: int) -> Pins:
    """A call as models write it: a name, arguments and an id."""
    name = filled(drawn.get("name"))
    if name is None:
        raise PlanFault(f"tool call {number} names no tool")
    call_id = filled(drawn.get("call_id")) or filled(drawn.get("id")) or f"call_{number}"
    return {"name": name, "arguments": as_object(drawn.get("arguments")), "call_id": call_id}


def _effect(node: Node, call: Pins, allowed: list[str] | None) -> Effect:
    """Nothing is known here of what a tool does, so that it is never done twice unasked."""
    payload: Pins = {"tool_calls": [call]}
    if allowed is not None:
        payload["allowed_tools"] = allowed
    return Effect("tool_calls", payload, "", node.id, EffectClass.ONCE, node.result_key)


def _results(answer: Answer) -> list[Pins]:
    outcomes, calls = as_list(answer.result), as_list(answer.hold)
    return [
        _result(as_object(call), as_object(it)) for call, it in zip(calls, outcomes, strict=False)
    ]


def _result(call: Pins, outcome: Pins) -> Pins:
    """What came of one call: as its tool told it, or why it did not happen."""
    known = {"call_id": call.get("call_id"), "name": call.get("name")}
    if not outcome.get("ok"):
        error = outcome.get("detail") or outcome.get("code")
        return {**known, "success": False, "output": None, "error": error}
    told = as_object(outcome.get("result"))
    results = as_list(told.get("results"))
    return {
        **known,
        "success": True,
        "output": None,
        "error": None,
        **as_object(next(iter(results), None)),
    }


def _told(results: list[Pins]) -> Passed:
    success = all(it["success"] is True for it in results)
    output = {"results": results, "success": success}
    return Passed(output, ambient=False, ending={"success": True, "result": output})


def _batch_done(_visit: Visit, answer: Answer) -> Passed:
    return _told(_results(answer))


def _single_done(_visit: Visit, answer: Answer) -> Passed:
    results = _results(answer)
    result = results[0] if results else {"success": False, "output": None, "error": "no result"}
    value = result["output"] if result["success"] is True else result["error"]
    output = {"result": value, "success": result["success"] is True}
    return Passed(output, ambient=False, ending={"success": True, "result": result})


def _parameters(node: Node, pins: Pins) -> Json:
    drawn = node.config("toolParametersConfig")
    name = filled(drawn.get("tool")) or filled(drawn.get("name")) or ""
    given = {pin: pins[pin] for pin in node.inputs if pin in pins}
    arguments = {pin: value for pin, value in given.items() if value is not None}
    return {**given, "tool_call": {"name": name, "arguments": arguments}}


TYPES: Final[Mapping[str, NodeType]] = {
    "tool_calls": described(
        Exec(_batch, _batch_done),
        "tool_calls allowed_tools -> results success",
        "Has tools called, all of them together; the results are in the order of the calls, and one that fails is a result with `success: false`.",
    ),
    "call_tool": described(
        Exec(_single, _single_done),
        "tool_call allowed_tools -> result success",
        "Has one tool called. `tool_calls` does the same for several.",
    ),
    "tool_parameters": described(
        of_node(_parameters),
        "(declared) -> tool_call (declared)",
        "A tool call of its pins, which it gives out as well; a null is no argument.",
        "`toolParametersConfig.tool`",
    ),
}
