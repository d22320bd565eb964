"""Tools for a model that cannot call any: the answer is bound to a schema that says tool or words.

The embedded model's template renders no tools and its server returns no calls, but it keeps to a
JSON schema. So each tool is one shape of answer, plain words another, and the answer is read back.
"""

import json
from collections.abc import Mapping, Sequence

from perdure.features.models.answer import Said, parsed
from perdure.kernel.values import Json


def schema_for(tools: Sequence[Mapping[str, Json]], answer: Json = None) -> Json:
    """The shapes that an answer may have; `answer` is the schema of words, where there is one."""
    words = {"answer": answer or {"type": "string"}}
    calls = [{"tool": {"const": it["name"]}, "arguments": it["parameters"]} for it in tools]
    return {
        "oneOf": [
            {"type": "object", "properties": shape, "required": list(shape), "additionalProperties": False}
            for shape in [*calls, words]
        ]
    }  # fmt: skip


def told(
    messages: Sequence[Mapping[str, Json]], tools: Sequence[Mapping[str, Json]]
) -> list[dict[str, Json]]:
    """The messages in words alone: tools in the system prompt, calls and their results as text."""
    system = "\n\n".join(str(it["content"]) for it in messages if it["role"] == "system")
    rest = [_in_words(it) for it in messages if it["role"] != "system"]
    prompt = f"{system}\n\n{_introduction(tools)}" if tools else system
    return [{"role": "system", "content": prompt.strip()}, *rest]


def read_back(said: Said) -> Said:
    """The answer with a chosen tool as a call. What does not fit the schema, being cut, stays as it is."""
    shape = parsed(said.content)
    if not isinstance(shape, dict):
        return said
    if isinstance(shape.get("tool"), str):
        call = {
            "name": shape["tool"],
            "arguments": shape.get("arguments") or {},
            "call_id": "call_0",
        }
        return said._replace(content="", tool_calls=[call], finish_reason="tool_calls")
    answer = shape.get("answer", said.content)
    return said._replace(content=answer if isinstance(answer, str) else json.dumps(answer))


def _introduction(tools: Sequence[Mapping[str, Json]]) -> str:
    lines = [f"- {it['name']}: {it['description']}".rstrip(": ") for it in tools]
    return "\n".join(
        [
            "Answer in JSON. To use a tool: {\"tool\": name, \"arguments\": {...}}. "
            "To answer: {\"answer\": words}. The tools:",
            *lines,
        ]
    )  # fmt: skip


def _in_words(message: Mapping[str, Json]) -> dict[str, Json]:
    if message["role"] == "tool":
        return {"role": "user", "content": f"The tool answered: {message['content']}"}
    calls = [it["function"] for it in message.get("tool_calls") or ()]
    words = [json.dumps({"tool": it["name"], "arguments": parsed(it["arguments"])}) for it in calls]
    content = message["content"]
    text = content if isinstance(content, str) else json.dumps(content) if content else ""
    return {
        "role": message["role"],
        "content": "\n".join([*([text] if text or not words else []), *words]),
    }
