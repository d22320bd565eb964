"""Tool calls between a model and the tools: made whole on the way in, made into words on the way back."""

import json
from collections.abc import Collection
from typing import Final

from perdure.ids import RunId
from perdure.kernel.model import Failed, Ok, Outcome, Unknown
from perdure.kernel.values import Json

CALLS_MAX: Final = 64  # of one answer; what is beyond is refused to the model

Call = dict[str, Json]
Result = dict[str, Json]


def calls_in(said: Json, run: RunId, iteration: int) -> list[Call]:
    """The calls that a model asked for, each with an id of its own and one that is ours."""
    calls: list[Call] = []
    for position, asked in enumerate(said if isinstance(said, list) else []):
        call = asked if isinstance(asked, dict) else {}
        call_id = call.get("call_id")
        if not call_id or any(call_id == it["call_id"] for it in calls):
            call_id = f"call_{iteration}_{position}"
        calls.append(
            {
                "name": str(call.get("name") or ""),
                "arguments": {} if call.get("arguments") is None else call["arguments"],
                "call_id": call_id,
                "runtime_call_id": f"{run}:{iteration}:{position}",
            }
        )
    return calls


def refusal_of(call: Call, position: int, offered: Collection[str]) -> Result | None:
    """The result of a call that no tool is asked for, told to the model; `None` where one is asked."""
    if call["name"] not in offered:
        known = ", ".join(sorted(offered)) or "none"
        return refused(call, f"there is no tool {call['name']!r} here; the tools are: {known}")
    if not isinstance(call["arguments"], dict):
        return refused(call, f"the arguments are no JSON object: {call['arguments']!r:.200}")
    if position >= CALLS_MAX:
        return refused(call, f"more than {CALLS_MAX} calls at once")
    return None


def refused(call: Call, why: str) -> Result:
    """A result that is an error."""
    return {**_named(call), "success": False, "output": None, "error": why}


def result_of(call: Call, outcome: Outcome) -> Result:
    """What a call came to. An error of a tool is a result for the model, not the end of the run."""
    match outcome:
        case Ok(result=told):
            result = _first(told)
            return {**_named(call), "success": result.get("success", True) is True,
                    "output": result.get("output"), "error": result.get("error")}  # fmt: skip
        case Failed(code=code, detail=detail):
            return refused(call, f"{code}: {detail}" if detail else code)
        case Unknown(detail=detail):
            return refused(call, f"nobody knows whether it happened: {detail}")


def _first(told: Json) -> dict[str, Json]:
    """The one result in an outcome; a tool that answers in its own shape has succeeded with it."""
    results = told.get("results") if isinstance(told, dict) else None
    if isinstance(results, list) and len(results) == 1 and isinstance(results[0], dict):
        return results[0]
    return {"success": True, "output": told}


def _named(call: Call) -> Result:
    return {name: call[name] for name in ("call_id", "runtime_call_id", "name")}


def asking(content: str, calls: list[Call]) -> dict[str, Json]:
    """The message in which a model asks for calls. Arguments that are no object would be refused by others."""
    told = [
        {
            "name": it["name"],
            "arguments": it["arguments"] if isinstance(it["arguments"], dict) else {},
            "call_id": it["call_id"],
        }
        for it in calls
    ]
    return {"role": "assistant", "content": content, "tool_calls": told}


def telling(result: Result) -> dict[str, Json]:
    """The message that tells a model what a call came to."""
    if result["success"]:
        output = result["output"]
        words = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    else:
        words = f"Error: {result['error']}"
    return {
        "role": "tool",
        "tool_call_id": result["call_id"],
        "name": result["name"],
        "content": words,
    }
