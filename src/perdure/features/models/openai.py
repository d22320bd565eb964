"""The OpenAI chat protocol, pure: what is asked, what a failure means, what an event stream says."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeGuard

from perdure.clock import time_of
from perdure.features.models.answer import parsed
from perdure.kernel.model import Failed
from perdure.kernel.values import Json

DETAIL_MAX: Final = 600  # characters of a provider's own words kept in a failure
EFFORTS: Final = ("minimal", "low", "medium", "high")
_TOO_LONG = re.compile(r"context.{0,20}(length|size|window)|maximum context|too many tokens", re.I)
_LATER = frozenset({408, 425, 503, 529})
_LASTING = frozenset({"insufficient_quota", "billing_hard_limit_reached"})


# --- what is asked ---------------------------------------------------------------------------


def body_of(
    model: str, messages: Sequence[Mapping[str, Json]], payload: Json, *, renamed_max: bool = False
) -> dict[str, Json]:
    """The request body: a stream with its usage, and of the parameters only those that were given.

    `renamed_max` is for the provider that calls `max_tokens` `max_completion_tokens`.
    """
    body: dict[str, Json] = {
        "model": model, "messages": list(messages), "stream": True,
        "stream_options": {"include_usage": True}, **_parameters(payload.get("params") or {}, renamed_max),
    }  # fmt: skip
    if tools := tools_of(payload):
        body["tools"] = [{"type": "function", "function": tool} for tool in tools]
    if schema := payload.get("response_schema"):
        body["response_format"] = format_of(schema, payload.get("response_schema_name"))
    return body


def _parameters(params: Mapping[str, Json], renamed_max: bool) -> dict[str, Json]:
    temperature, seed = params.get("temperature"), params.get("seed")
    most, thinking = params.get("max_tokens"), params.get("thinking")
    told: dict[str, Json] = {}
    if _number(temperature):
        told["temperature"] = temperature
    if _number(seed) and seed >= 0:
        told["seed"] = int(seed)
    if _number(most) and most >= 1:
        told["max_completion_tokens" if renamed_max else "max_tokens"] = int(most)
    if thinking is True or thinking in EFFORTS:
        told["reasoning_effort"] = "medium" if thinking is True else thinking
    return told


def _number(value: Json) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def tools_of(payload: Json) -> list[dict[str, Json]]:
    """The tools that are offered, as functions. A mere name says nothing of a tool and is left out."""
    return [
        {
            "name": tool["name"],
            "description": str(tool.get("description") or ""),
            "parameters": schema_of(tool),
        }
        for tool in payload.get("tools") or ()
        if isinstance(tool, dict) and isinstance(tool.get("name"), str)
    ]


def schema_of(tool: Mapping[str, Json]) -> Json:
    """The JSON schema of a tool's arguments; a bare table of arguments is made into one."""
    parameters = tool.get("parameters") or {}
    if parameters.get("type") == "object" or "properties" in parameters:
        return {"type": "object", "properties": {}, **parameters}
    required = tool.get("required_args")
    if required is None:
        required = [
            name for name, it in parameters.items() if isinstance(it, dict) and "default" not in it
        ]
    return {"type": "object", "properties": parameters, "required": required}


def format_of(schema: Json, name: Json = None) -> Json:
    """The demand for an answer that fits `schema`."""
    label = re.sub(r"[^A-Za-z0-9_-]+", "_", str(name or "answer"))[:64]
    return {"type": "json_schema", "json_schema": {"name": label, "schema": schema}}


# --- what a failure means --------------------------------------------------------------------


def failure_of(
    status: int, headers: Mapping[str, str], body: bytes | Json, now: datetime
) -> Failed:
    """Name what an answer other than 200 means, and whether trying again can help."""
    error = _error_in(parsed(body) if isinstance(body, bytes) else body)
    code, said = str(error.get("code") or error.get("type") or ""), str(error.get("message") or "")
    detail = f"status {status}: {said[:DETAIL_MAX]}" if said else f"status {status}"
    wait = retry_after_of(headers.get("retry-after"), now)
    if status in (401, 403):
        return Failed("provider_auth", detail)
    if status == 413 or "context" in code or (status == 400 and _TOO_LONG.search(said)):
        return Failed("context_too_long", detail)
    if status == 429:
        return Failed(
            "provider_rate_limited", detail, retryable=code not in _LASTING, retry_after_s=wait
        )
    if status in _LATER:
        return Failed("provider_overloaded", detail, retryable=True, retry_after_s=wait)
    if status >= 500 and status != 501:
        return Failed("provider_failed", detail, retryable=True, retry_after_s=wait)
    return Failed("provider_refused", detail)


def _error_in(body: Json) -> Mapping[str, Json]:
    error = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}


def retry_after_of(text: str | None, now: datetime) -> float | None:
    """Seconds to wait, from a number or a date (RFC 9110 §10.2.3)."""
    if not text:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text.strip()):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (time_of(at.isoformat()) - now).total_seconds())


# --- what a stream says ----------------------------------------------------------------------


class Events:
    """The data of an event stream, line by line (the part of the standard that is spoken here)."""

    def __init__(self) -> None:
        """Begin before the first line."""
        self._data: list[str] = []

    def take(self, line: str) -> str | None:
        """Take a line; the data of the event that it ends, or `None`."""
        if line.startswith("data:"):
            self._data.append(line[5:].removeprefix(" "))
        if line or not self._data:
            return None
        return self.end()

    def end(self) -> str | None:
        """The data of an event that the end of the stream ended, or `None`."""
        data, self._data = "\n".join(self._data), []
        return data or None


def fenced(text: str) -> str:
    """The inside of a fenced block, where the text is one; models put JSON into them."""
    found = re.fullmatch(r"\s*```[a-zA-Z]*\n(.*?)\n?```\s*", text, re.DOTALL)
    return found[1] if found else text


def data_of(content: str) -> Json:
    """The JSON that an answer holds. Raises `ValueError` where it holds none."""
    try:
        return json.loads(fenced(content))
    except RecursionError as error:
        raise ValueError("too deep") from error
