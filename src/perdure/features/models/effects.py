"""The effect `llm_call`: one question to a model, its answer streamed to readers as it comes.

It is of the class `read`: asking again harms nobody, though it may be billed twice. So where the
connection breaks after the question was sent, the outcome is `Unknown`, and the runner asks again;
a flow that cannot afford that may give the effect the class `once`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import orjson
from msgspec.structs import replace

from perdure.errors import Unavailable
from perdure.features.models.announcer import Announcer
from perdure.features.models.answer import Answer, BadAnswer, Said, parsed
from perdure.features.models.asking import Asked, asked
from perdure.features.models.mask import Mask
from perdure.features.models.openai import Events, data_of, failure_of
from perdure.features.models.providers import EMBEDDED
from perdure.features.models.routing import Target, endpoint_asked, routed, to_endpoint
from perdure.features.models.settings import ModelsConfig
from perdure.features.models.toolless import read_back
from perdure.ids import StepId
from perdure.kernel.model import Effect, EffectClass, Failed, Ok, Outcome, Unknown
from perdure.kernel.values import Json
from perdure.registry.effects import EffectContext, EffectKind
from perdure.stores.endpoints import EndpointRefused, Use
from perdure.stores.http import Http, HttpFailed, Streamed

TIMEOUT_S: Final = 300.0
ATTEMPTS_MAX: Final = 4
STRUCTURE_INVALID: Final = "structured_output_invalid"
REPEATABLE: Final = frozenset({EffectClass.READ, EffectClass.IDEMPOTENT})
NO_MEDIA: Final = "no model here makes or reads pictures, films or sound"
CUT_SHORT: Final = "#TRUNCATION The answer stops at its bound of tokens."


class Address(NamedTuple):
    """Where a model answers, with what key, and through which client."""

    base_url: str
    api_key: str
    http: Http


class Way(NamedTuple):
    """Who is asked, and where."""

    target: Target
    address: Address


@dataclass(frozen=True, slots=True)
class Embedded:
    """The embedded model: its name, and how to have it running."""

    model: str
    address: Callable[[], Awaitable[Address | Failed]]


def llm_call_kind(config: ModelsConfig, embedded: Embedded | None) -> EffectKind:
    """The effect kind `llm_call` over these providers."""

    async def llm_call(effect: Effect, context: EffectContext) -> Outcome:
        outcome = await _call(effect, context, config, embedded)
        return outcome if effect.effect_class in REPEATABLE else _asked_once(outcome)

    return EffectKind(llm_call, timeout_s=TIMEOUT_S, attempts_max=ATTEMPTS_MAX, backoff_s=1.0)


async def _call(
    effect: Effect, context: EffectContext, config: ModelsConfig, embedded: Embedded | None
) -> Outcome:
    """Answer one request: route it, ask, and tell what came. Never raises for what a provider sent."""
    payload = effect.payload if isinstance(effect.payload, dict) else {}
    if payload.get("output") is not None:
        return Failed("not_configured", NO_MEDIA)
    target = await _target(payload, context, config, embedded)
    if isinstance(target, Failed):
        return target
    question = asked(effect.payload, target)
    if isinstance(question, Failed):
        return question
    address = await _address(target, context, embedded)
    if isinstance(address, Failed):
        return address
    mask = Mask(address.api_key)
    hidden = replace(
        context, publish=lambda delta: context.publish(delta._replace(text=mask.text(delta.text)))
    )
    return _masked(await _answered(effect, question, Way(target, address), hidden), mask)


def _masked(outcome: Outcome, mask: Mask) -> Outcome:
    """The outcome without the key, whatever the provider said."""
    if isinstance(outcome, Ok):
        return replace(outcome, result=mask.json(outcome.result))
    return replace(outcome, detail=mask.text(outcome.detail))


async def _answered(effect: Effect, question: Asked, way: Way, context: EffectContext) -> Outcome:
    """Ask, and tell what came."""
    began = context.clock.monotonic()
    try:
        said = await _ask(question, way.address, effect.timeout_s or TIMEOUT_S, context)
    except HttpFailed as failed:
        return outcome_of(failed)
    except BadAnswer as bad:
        return _outcome_of_bad(bad, context)
    if isinstance(said, Failed):
        return said
    took_ms = round((context.clock.monotonic() - began) * 1000, 3)
    return _told(effect.payload, question, said, Served(*way, took_ms, context.step_id))


async def _target(
    payload: Json, context: EffectContext, config: ModelsConfig, embedded: Embedded | None
) -> Target | Failed:
    """Who answers. An endpoint profile is opened now, for this call, and nothing serves in its place."""
    provider, model = str(payload.get("provider") or ""), str(payload.get("model") or "")
    asked_for = endpoint_asked(provider, model, config)
    if asked_for is None:
        model_here = None if embedded is None else embedded.model
        return routed(provider, model, config, embedded_model=model_here)
    use = Use(context.run.actor_id, "llm_call", context.run.id, context.key)
    try:
        return to_endpoint(await context.endpoints.open(asked_for[0], use), asked_for[1])
    except EndpointRefused as refused:
        return Failed(refused.code, refused.detail)
    except Unavailable as away:
        return Failed("endpoint_unavailable", away.detail, retryable=True)


async def _address(
    target: Target, context: EffectContext, embedded: Embedded | None
) -> Address | Failed:
    if target.provider is not None:
        http = target.provider.http or context.http
        return Address(target.provider.base_url, target.provider.api_key, http)
    assert embedded is not None, "routing names the embedded model only where there is one"
    return await embedded.address()


async def _ask(
    question: Asked, address: Address, timeout_s: float, context: EffectContext
) -> Said | Failed:
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "idempotency-key": context.key,
    }
    if address.api_key:
        headers["authorization"] = f"Bearer {address.api_key}"
    url = f"{address.base_url}/chat/completions"
    opened = address.http.stream(
        "POST", url, headers=headers, content=orjson.dumps(question.body), timeout_s=timeout_s
    )
    async with opened as reply:
        if reply.status != 200:
            return failure_of(reply.status, reply.headers, await reply.read(), context.clock.now())
        answer = Answer()
        with Announcer(context.publish) as announcer:
            await _collect(reply, answer, None if question.by_schema else announcer)
            if not question.by_schema:
                return answer.said()
            said = read_back(answer.said())
            announcer.say("text", said.content)
        return said


async def _collect(reply: Streamed, answer: Answer, announcer: Announcer | None) -> None:
    """Take the answer in, event by event, or whole from a server that does not stream."""
    if "text/event-stream" not in reply.headers.get("content-type", ""):
        _take(await reply.read(), answer, announcer)
        return
    events, data = Events(), None
    async for line in reply.lines():
        data = events.take(line)
        if data == "[DONE]":
            return
        if data is not None:
            _take(data, answer, announcer)
    rest = events.end()
    if rest is not None and rest != "[DONE]":
        _take(rest, answer, announcer)
    if rest != "[DONE]" and answer.finish_reason is None:
        raise HttpFailed("cut", "the stream ended before the answer did", sent=True)


def _take(data: bytes | str, answer: Answer, announcer: Announcer | None) -> None:
    for piece in answer.take(parsed(data)):
        if announcer is not None:
            announcer.say(piece.kind, piece.text)


# --- outcomes --------------------------------------------------------------------------------


def outcome_of(failed: HttpFailed) -> Outcome:
    """What a call without an answer means for a question: unknown, where it may have been heard."""
    match failed.code:
        case "not_allowed":
            return Failed("provider_not_allowed", failed.detail)
        case "too_large":
            return Failed("provider_bad_answer", failed.detail, usage={"llm_calls": 1})
        case _ if failed.sent:
            return Unknown(f"{failed.code}: {failed.detail}")
        case _:
            return Failed("provider_unreachable", failed.detail, retryable=True)


def _outcome_of_bad(bad: BadAnswer, context: EffectContext) -> Failed:
    if bad.told is None:
        return Failed("provider_bad_answer", str(bad), retryable=True, usage={"llm_calls": 1})
    error = bad.told.get("error")
    status = error.get("code") if isinstance(error, dict) else None
    code = status if isinstance(status, int) and 400 <= status < 600 else 500
    return failure_of(code, {}, bad.told, context.clock.now())


def _asked_once(outcome: Outcome) -> Outcome:
    """The outcome for a flow that may not ask twice: what was heard and went wrong is not tried again."""
    if isinstance(outcome, Failed) and outcome.code == "provider_failed":
        return Unknown(outcome.detail)
    if isinstance(outcome, Failed) and outcome.code in ("provider_bad_answer", STRUCTURE_INVALID):
        return replace(outcome, retryable=False)
    return outcome


class Served(NamedTuple):
    """What is known of a call beside its answer."""

    target: Target
    address: Address
    took_ms: float
    step_id: StepId


def _told(payload: Json, question: Asked, said: Said, by: Served) -> Outcome:
    """The outcome of an answer, in the words of the wire. The request's own words are not repeated."""
    usage = {"llm_calls": 1.0, "tokens_in": said.usage["input_tokens"] or 0, "tokens_out": said.usage["output_tokens"] or 0}  # fmt: skip
    data: Json = None
    if payload.get("response_schema") and not said.tool_calls:
        try:
            data = data_of(said.content)
        except ValueError:
            detail = f"the answer is no JSON; it ended with {said.finish_reason!r}"
            return Failed(STRUCTURE_INVALID, detail, retryable=True, usage=usage)
    notices = (*question.notices, *([CUT_SHORT] if said.finish_reason == "length" else []))
    metadata = {
        "provider": by.target.name, "host": _host(by), "trace_id": by.step_id,
        "gen_time_ms": by.took_ms, **({"notice": " ".join(notices)} if notices else {}),
    }  # fmt: skip
    result = {
        "content": said.content, "reasoning": said.reasoning or None, "data": data,
        "raw_response": {"id": said.id} if said.id else None, "tool_calls": said.tool_calls or None,
        "usage": said.usage, "model": said.model or by.target.model,
        "finish_reason": said.finish_reason, "metadata": metadata,
    }  # fmt: skip
    return Ok(result, usage)


def _host(by: Served) -> str:
    return EMBEDDED if by.target.provider is None else urlsplit(by.address.base_url).netloc
