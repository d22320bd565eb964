"""Tools and loaded models."""

from perdure.kernel.model import Effect, Failed, Ok, Outcome
from tests.support.tables import passing, pure, row, told

LOOK = {"name": "look", "arguments": {"at": "x"}, "call_id": "c1"}
ACT = {"name": "act"}
NOTHING_HERE = "not_configured: nothing here performs effects of the kind"


def performed(effect: Effect) -> Outcome:
    """A tool that looks, and one that cannot act."""
    (call,) = effect.payload["tool_calls"]
    if call["name"] == "act":
        return Failed("tool_failed", "cannot act")
    result = {
        "call_id": call["call_id"],
        "name": "look",
        "success": True,
        "output": "seen " + call["arguments"]["at"],
        "error": None,
    }
    return Ok({"mode": "executed", "results": [result]})


SEEN = {"call_id": "c1", "name": "look", "success": True, "output": "seen x", "error": None}
NOT_DONE = {
    "call_id": "call_2",
    "name": "act",
    "success": False,
    "output": None,
    "error": "cannot act",
}

TABLES = {
    "tool_calls": [
        passing("tool_calls", "tool_calls", out="results success").rows(
            told(row({"tool_calls": [LOOK, ACT]}), output={"results": [SEEN, NOT_DONE], "success": False}, effects={"tool_calls": performed}),
            row({"tool_calls": []}, results=[]), row({"tool_calls": [{}]}, fails="tool call 1 names no tool"),
            row({"tool_calls": [LOOK]}, fails=NOTHING_HERE),
        )
    ],
    "call_tool": [
        passing("call_tool", "tool_call", out="result success").rows(
            told(row({"tool_call": LOOK}, result="seen x"), effects={"tool_calls": performed}),
            told(row({"tool_call": ACT}), output={"result": "cannot act", "success": False}, effects={"tool_calls": performed}),
            row(fails="there is no tool call to make"),
        )
    ],
    "tool_parameters": [
        pure("tool_parameters", "at", "how", out="tool_call at", toolParametersConfig={"tool": "look"}).rows(
            row({"at": "x"}, tool_call={"name": "look", "arguments": {"at": "x"}}, at="x"),
        )
    ],
    "model_residency": [
        passing("model_residency", "operation", "model", out="models success").rows(
            told(row({"operation": "load", "model": "m"}, models=["m"]), effects={"model_residency": Ok({"models": ["m"], "success": True})}),
            row({"operation": "burn"}, fails="there is no operation 'burn' on models"), row({"operation": "list"}, fails=NOTHING_HERE),
        )
    ],
}  # fmt: skip
