"""What a request says to a model: system prompt, messages and prompt as one list in the chat form.

Nothing is added that was not asked for: no date, no place, no envelope around the user's words.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from perdure.kernel.values import Json

CHARACTERS_A_TOKEN = 4  # an estimate; a model's own count comes with its answer


class Fitted(NamedTuple):
    """Messages within a budget, and how many were left out for it."""

    messages: list[dict[str, Json]]
    left_out: int
    fits: bool


def messages_of(payload: Json) -> list[dict[str, Json]]:
    """The chat messages of a request: the system prompt first, the prompt last."""
    system = payload.get("system_prompt")
    prompt = payload.get("prompt")
    told = [_message(it) for it in payload.get("messages") or () if isinstance(it, dict)]
    before = [{"role": "system", "content": text_of(system)}] if system else []
    after = [{"role": "user", "content": text_of(prompt)}] if prompt else []
    return [*before, *told, *after]


def text_of(value: Json) -> str:
    """A value as words: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def fitted(messages: Sequence[dict[str, Json]], tokens_max: int | None) -> Fitted:
    """Leave out the oldest messages until the estimate fits; system messages and the last one stay.

    A tool's result goes together with the call that it answers.
    """
    kept = list(messages)
    if tokens_max is None or tokens_max <= 0:
        return Fitted(kept, 0, True)
    while _tokens(kept) > tokens_max:
        oldest = next((i for i, it in enumerate(kept[:-1]) if it["role"] != "system"), None)
        if oldest is None:
            break
        del kept[oldest]
        while oldest < len(kept) - 1 and kept[oldest]["role"] == "tool":
            del kept[oldest]
    return Fitted(kept, len(messages) - len(kept), _tokens(kept) <= tokens_max)


def _tokens(messages: Sequence[dict[str, Json]]) -> int:
    return sum(len(json.dumps(it, ensure_ascii=False)) for it in messages) // CHARACTERS_A_TOKEN


def _message(message: dict[str, Json]) -> dict[str, Json]:
    role = message.get("role")
    content = message.get("content")
    parts = isinstance(content, list) and all(
        isinstance(it, dict) and "type" in it for it in content
    )
    said: dict[str, Json] = {
        "role": role if isinstance(role, str) and role else "user",
        "content": content if parts or content is None else text_of(content),
    }
    if message.get("tool_calls"):
        said["tool_calls"] = [_call(it) for it in message["tool_calls"]]
    elif said["content"] is None:
        said["content"] = ""
    for name in ("tool_call_id", "name"):
        if message.get(name):
            said[name] = message[name]
    return said


def _call(call: dict[str, Json]) -> dict[str, Json]:
    if "function" in call:
        return call
    function = {"name": call.get("name", ""), "arguments": text_of(call.get("arguments") or {})}
    return {"id": call.get("call_id", ""), "type": "function", "function": function}
