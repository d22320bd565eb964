"""What a target is asked for a request, and what the reader has to know about it. Pure."""

from typing import Final, NamedTuple

from perdure.features.models.messages import fitted, messages_of
from perdure.features.models.openai import body_of, tools_of
from perdure.features.models.routing import Target
from perdure.features.models.settings import MODEL_SETTING
from perdure.features.models.toolless import schema_for, told
from perdure.kernel.model import Failed
from perdure.kernel.values import Json

EMBEDDED_TOKENS_MAX: Final = (
    512  # where a request names no bound; a toy does not always find its end
)
EMBEDDED_TEMPERATURE: Final = 0.3
EMBEDDED_SEED: Final = 1  # where a request names none: the same question gets the same answer
EMBEDDED_SAMPLING: Final = {"min_p": 0.5, "top_k": 5, "repeat_penalty": 1.1}  # else it wanders off
TOY: Final = (
    "The embedded model is a toy of 135 million parameters: it shows that everything works, and knows little. "
    f"To use a better one, set PERDURE_PROVIDER_<NAME>_BASE_URL (and _API_KEY) and {MODEL_SETTING}=<name>/<model>."
)
UNASKED: Final = "#FALLBACK No provider is configured, so the embedded model answers. "


class Asked(NamedTuple):
    """A request body. `by_schema`: its tools are shapes of the answer, and the answer is read back."""

    body: dict[str, Json]
    notices: tuple[str, ...]
    by_schema: bool = False


def asked(payload: Json, target: Target) -> Asked | Failed:
    """What `target` is asked. A request that no target could serve fails here, before anything is sent."""
    if refused := _refused(payload):
        return refused
    params = payload.get("params") or {}
    budget = params.get("max_input_tokens") or params.get("max_in_tokens")
    fit = fitted(messages_of(payload), int(budget) if isinstance(budget, int | float) else None)
    if not fit.messages:
        return Failed("invalid_request", "there is neither a prompt nor a message")
    if not fit.fits:
        return Failed("context_too_long", f"the last message alone is larger than {budget} tokens")
    notices = _notices(payload, fit.left_out)
    if target.provider is None:
        return _of_the_embedded(payload, target, fit.messages, notices)
    body = body_of(target.model, fit.messages, payload, renamed_max=target.family == "openai")
    return Asked(body, notices)


def _refused(payload: Json) -> Failed | None:
    if not isinstance(payload, dict):
        return Failed("invalid_request", "the payload is no object")
    for name, kind in (("params", dict), ("messages", list), ("tools", list)):
        if not isinstance(payload.get(name) or kind(), kind):
            return Failed("invalid_request", f"`{name}` is no {kind.__name__}")
    if not isinstance(payload.get("response_schema") or {}, dict):
        return Failed("invalid_request", "`response_schema` is no object")
    if payload.get("media") or payload.get("output"):
        return Failed("not_supported", "only text goes in and comes out")
    return None


def _notices(payload: Json, left_out: int) -> tuple[str, ...]:
    names = [it for it in payload.get("tools") or () if not isinstance(it, dict)]
    notices = [
        f"#FALLBACK The tool {name!r} is not installed and was not offered." for name in names
    ]
    if left_out:
        notices.append(
            f"#TRUNCATION {left_out} older messages were left out to keep to the input budget."
        )
    return tuple(notices)


def _of_the_embedded(
    payload: Json, target: Target, messages: list[dict[str, Json]], notices: tuple[str, ...]
) -> Asked:
    """The same, for a model that has no tools and whose template would tell it a name and a maker.

    With an empty system message it keeps to the user's words; left to its template it does not.
    """
    tools = tools_of(payload)
    params = {"temperature": EMBEDDED_TEMPERATURE, "max_tokens": EMBEDDED_TOKENS_MAX,
              "seed": EMBEDDED_SEED,
              **{name: it for name, it in (payload.get("params") or {}).items() if it is not None}}  # fmt: skip
    plain = {**payload, "params": params, "tools": []}
    if tools:
        plain["response_schema"] = schema_for(tools, payload.get("response_schema"))
    body = body_of(target.model, told(messages, tools), plain) | EMBEDDED_SAMPLING
    toy = f"{UNASKED}{TOY}" if target.unasked else TOY
    return Asked(body, (*notices, toy), by_schema=bool(tools))
