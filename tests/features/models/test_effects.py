"""`llm_call` against a real server: answers come whole and in pieces, and failures say what they are."""

import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from msgspec.structs import replace

from perdure.clock import SystemClock
from perdure.features.models.effects import Address, Embedded, llm_call_kind, outcome_of
from perdure.features.models.settings import ModelsConfig, Provider
from perdure.kernel.model import Effect, EffectClass, Failed, Ok, Unknown
from perdure.runner.retry import Again, after
from perdure.stores.http import HttpFailed
from perdure.stores.values import fault_of
from tests.support.egress import an_egress
from tests.support.loopback import Call, Exchange, Loopback, unused_port
from tests.support.models import Asker, a_question, an_asker, config_for, scripted
from tests.support.openai_server import MODEL, Answer, OpenAiServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def asker() -> AsyncGenerator[Asker]:
    async with an_asker() as it:
        yield it


async def ask(asker: Asker, *answers: Answer, **payload: Any) -> tuple[Any, OpenAiServer]:
    """The outcome of one question, and the server that was asked."""
    with scripted(*answers) as server:
        return await asker.ask(config_for(server), **payload), server


async def test_an_answer_has_the_fields_of_the_wire(asker: Asker) -> None:
    outcome, _ = await ask(asker, Answer("to be or not"))
    took = outcome.result["metadata"].pop("gen_time_ms")
    host = outcome.result["metadata"].pop("host")
    assert took > 0 and re.fullmatch(r"127\.0\.0\.1:\d+", host)
    usage = {
        "input_tokens": 11,
        "output_tokens": 4,
        "total_tokens": 15,
        "prompt_tokens": 11,
        "completion_tokens": 4,
    }
    assert outcome == Ok(
        {
            "content": "to be or not", "reasoning": None, "data": None, "raw_response": {"id": "chat-1"},
            "tool_calls": None, "usage": usage, "model": MODEL, "finish_reason": "stop",
            "metadata": {"provider": "scripted", "trace_id": "step-1"},
        },
        {"llm_calls": 1, "tokens_in": 11, "tokens_out": 4},
    )  # fmt: skip
    assert fault_of(outcome.result) is None


async def test_the_text_is_published_as_it_comes(asker: Asker) -> None:
    outcome, _ = await ask(
        asker, Answer("one two three four", reasoning="let me think", piece_delay_s=0.06)
    )
    assert asker.text() == outcome.result["content"] == "one two three four"
    assert asker.text("reasoning") == outcome.result["reasoning"] == "let me think"
    assert len([delta for delta in asker.deltas if delta.kind == "text"]) > 1


async def test_the_question_is_asked_as_it_was_given(asker: Asker) -> None:
    tool = {
        "name": "look",
        "description": "Look",
        "parameters": {"type": "object", "properties": {}},
    }
    _, server = await ask(
        asker, system_prompt="be brief", messages=[{"role": "user", "content": "before"}], tools=[tool],
        params={"temperature": 0.5, "seed": 3, "max_tokens": 9, "trace_metadata": {"x": 1}},
    )  # fmt: skip
    assert server.requests == [
        {
            "model": MODEL, "stream": True, "stream_options": {"include_usage": True},
            "temperature": 0.5, "seed": 3, "max_tokens": 9,
            "tools": [{"type": "function", "function": tool}],
            "messages": [
                {"role": "system", "content": "be brief"}, {"role": "user", "content": "before"},
                {"role": "user", "content": "hello"},
            ],
        }
    ]  # fmt: skip
    assert server.calls[0].headers["idempotency-key"] == "run:1:0"


async def test_tool_calls_are_put_together(asker: Asker) -> None:
    calls = [("look", {"at": "é"}, "c1"), ("bad", "{no", "c2"), ("none", "", "")]
    outcome, _ = await ask(asker, Answer(None, tool_calls=calls))
    assert outcome.result["tool_calls"] == [
        {"name": "look", "arguments": {"at": "é"}, "call_id": "c1"},
        {"name": "bad", "arguments": "{no", "call_id": "c2"},
        {"name": "none", "arguments": {}, "call_id": "call_2"},
    ]
    assert (outcome.result["content"], outcome.result["finish_reason"]) == ("", "tool_calls")


async def test_a_schema_makes_data(asker: Asker) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    outcome, server = await ask(
        asker,
        Answer('```json\n{"n": 1}\n```'),
        response_schema=schema,
        response_schema_name="the n",
    )
    assert outcome.result["data"] == {"n": 1}
    assert server.requests[0]["response_format"] == {
        "type": "json_schema", "json_schema": {"name": "the_n", "schema": schema},
    }  # fmt: skip


async def test_an_answer_that_is_no_json_can_be_asked_for_again(asker: Asker) -> None:
    outcome, _ = await ask(asker, Answer("no"), response_schema={"type": "object"})
    assert (outcome.code, outcome.retryable) == ("structured_output_invalid", True)
    assert outcome.usage["llm_calls"] == 1


async def test_a_server_that_does_not_stream_is_heard_too(asker: Asker) -> None:
    answer = Answer("whole", reasoning="r", tool_calls=[("a", {}, "x")], whole=True)
    outcome, _ = await ask(asker, answer)
    assert (outcome.result["content"], outcome.result["reasoning"]) == ("whole", "r")
    assert outcome.result["tool_calls"] == [{"name": "a", "arguments": {}, "call_id": "x"}]
    assert asker.text() == "whole"


async def test_tokens_that_nobody_counted_are_not_zero(asker: Asker) -> None:
    outcome, _ = await ask(asker, Answer("x", usage=False))
    assert set(outcome.result["usage"].values()) == {None}
    assert outcome.usage == {"llm_calls": 1, "tokens_in": 0, "tokens_out": 0}


async def test_pictures_and_sound_are_not_asked_of_a_model_of_text(asker: Asker) -> None:
    outcome, server = await ask(asker, output={"modality": "image"})
    assert isinstance(outcome, Failed)
    assert outcome.code == "not_configured"
    assert server.counter == 0


async def test_an_answer_at_its_bound_says_so(asker: Asker) -> None:
    outcome, _ = await ask(asker, Answer("x", finish_reason="length"))
    assert outcome.result["metadata"]["notice"].startswith("#TRUNCATION")


@pytest.mark.parametrize(
    ("answer", "code", "retryable"),
    [
        (Answer(status=401), "provider_auth", False),
        (Answer(status=403), "provider_auth", False),
        (Answer(status=404), "provider_refused", False),
        (Answer(status=400, error_code="context_length_exceeded"), "context_too_long", False),
        (Answer(status=400, error="maximum context length is 4096 tokens"), "context_too_long", False),
        (Answer(status=422), "provider_refused", False),
        (Answer(status=429), "provider_rate_limited", True),
        (Answer(status=429, error_code="insufficient_quota"), "provider_rate_limited", False),
        (Answer(status=500), "provider_failed", True),
        (Answer(status=501), "provider_refused", False),
        (Answer(status=503), "provider_overloaded", True),
        (Answer("x", malformed=True), "provider_bad_answer", True),
        (Answer("x", malformed=True, whole=True), "provider_bad_answer", True),
    ],
)  # fmt: skip
async def test_a_failure_has_its_class(
    asker: Asker, answer: Answer, code: str, retryable: bool
) -> None:
    outcome, _ = await ask(asker, answer)
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == (code, retryable)


async def test_a_provider_says_when_to_come_back(asker: Asker) -> None:
    outcome, _ = await ask(asker, Answer(status=429, retry_after="7"))
    assert outcome.retry_after_s == 7


@pytest.mark.parametrize("cut_after", [0, 1, 3])
async def test_an_answer_cut_on_its_way_is_unknown(asker: Asker, cut_after: int) -> None:
    outcome, _ = await ask(asker, Answer("one two three", cut_after=cut_after))
    assert isinstance(outcome, Unknown)


STREAMS: dict[str, tuple[str, str | type[Ok] | type[Unknown]]] = {
    "no end, but finished": (
        'data: {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}',
        Ok,
    ),
    "no end and not finished": ('data: {"choices": [{"delta": {"content": "x"}}]}\n\n', Unknown),
    "the end without an empty line": (
        'data: {"choices": [{"delta": {"content": "x"}}]}\n\ndata: [DONE]',
        Ok,
    ),
    "an error with a status": (
        'data: {"error": {"code": 429, "message": "slow"}}\n\n',
        "provider_rate_limited",
    ),
    "an error without one": ('data: {"error": {"message": "broken"}}\n\n', "provider_failed"),
    "an error in a word": ('data: {"error": "broken"}\n\n', "provider_failed"),
    "nothing at all": ("", Unknown),
}


@pytest.mark.parametrize("how", STREAMS)
async def test_a_stream_may_end_in_many_ways(asker: Asker, how: str) -> None:
    text, expected = STREAMS[how]

    def answer(call: Call, exchange: Exchange) -> None:
        exchange.reply(200, text.encode(), {"content-type": "text/event-stream; charset=utf-8"})

    with Loopback(answer) as server:
        config = ModelsConfig({"x": Provider("x", server.url)}, {"output.text": "x/m"})
        outcome = await asker.ask(config)
    if isinstance(expected, str):
        assert isinstance(outcome, Failed)
        assert outcome.code == expected
    else:
        assert isinstance(outcome, expected)


async def test_an_embedded_model_that_cannot_start_is_a_failure(asker: Asker) -> None:
    async def nowhere() -> Address | Failed:
        return Failed("model_not_installed", "run something")

    outcome = await asker.ask(ModelsConfig(), Embedded("toy", nowhere))
    assert outcome == Failed("model_not_installed", "run something")


async def test_an_answer_beyond_all_bounds_is_a_failure() -> None:
    def answer(call: Call, exchange: Exchange) -> None:
        exchange.reply(200, b"x" * 2_000)

    egress = an_egress(answer_bytes_max=1_000)
    with Loopback(answer) as server:
        config = ModelsConfig({"x": Provider("x", server.url)}, {"output.text": "x/m"})
        outcome = await Asker(egress, SystemClock()).ask(config)
    await egress.close()
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("provider_bad_answer", False)


async def test_a_provider_that_is_not_there_can_be_tried_again(asker: Asker) -> None:
    url = f"http://127.0.0.1:{unused_port()}/v1"
    config = ModelsConfig({"gone": Provider("gone", url)}, {"output.text": "gone/m"})
    outcome = await asker.ask(config)
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("provider_unreachable", True)


async def test_silence_ends_with_the_effect_s_own_time(asker: Asker) -> None:
    with scripted(Answer(never=True)) as server:
        kind = llm_call_kind(config_for(server), None)
        effect = replace(a_question(), timeout_s=2)
        assert isinstance(await kind.handle(effect, asker.context()), Unknown)


async def test_a_key_goes_to_its_provider_and_into_nothing_that_is_kept(asker: Asker) -> None:
    with scripted(Answer("x"), Answer(status=500), api_key="s3cret") as server:
        config = config_for(server, api_key="s3cret")
        first, second = await asker.ask(config), await asker.ask(config)
    assert isinstance(first, Ok)
    assert server.calls[0].headers["authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr((first, second, config))


async def test_a_pinned_provider_without_an_address_fails_and_nobody_else_is_asked(
    asker: Asker,
) -> None:
    outcome, server = await ask(asker, provider="lmstudio", model="qwen")
    assert isinstance(outcome, Failed)
    assert outcome.code == "provider_not_configured"
    assert "PERDURE_PROVIDER_LMSTUDIO_BASE_URL" in outcome.detail
    assert server.counter == 0


@pytest.mark.parametrize(
    ("payload", "code"),
    [({"prompt": ""}, "invalid_request"), ({"messages": "x"}, "invalid_request"),
     ({"params": [1]}, "invalid_request"), ({"response_schema": "x"}, "invalid_request"),
     ({"media": [{"$artifact": "a"}]}, "not_supported"), ({"output": {"modality": "image"}}, "not_configured")],
)  # fmt: skip
async def test_what_nobody_can_answer_is_not_asked(
    asker: Asker, payload: dict[str, Any], code: str
) -> None:
    outcome, server = await ask(asker, **payload)
    assert isinstance(outcome, Failed)
    assert (outcome.code, server.counter) == (code, 0)


async def test_a_payload_that_is_no_object_is_a_failure(asker: Asker) -> None:
    kind = llm_call_kind(ModelsConfig(), None)
    outcome = await kind.handle(Effect("llm_call", None, "t", "n"), asker.context())
    assert isinstance(outcome, Failed)


@pytest.mark.parametrize(
    "answer", [Answer("one two", cut_after=2), Answer(status=500)], ids=["cut", "500"]
)
async def test_asking_again_harms_nobody_so_a_doubt_is_tried_again(
    asker: Asker, answer: Answer
) -> None:
    with scripted(answer) as server:
        kind = llm_call_kind(config_for(server), None)
        outcome = await kind.handle(a_question(), asker.context())
    assert a_question().effect_class is EffectClass.READ
    assert isinstance(after(a_question(), kind, outcome, 1, 0.5), Again)
    last = after(a_question(), kind, outcome, kind.attempts_max, 0.5)
    assert isinstance(last, Failed)


@pytest.mark.parametrize(
    "answer",
    [Answer("one two", cut_after=2), Answer(status=500), Answer("x", malformed=True), Answer("no json")],
    ids=["cut", "500", "malformed", "no json"],
)  # fmt: skip
async def test_a_flow_that_may_not_ask_twice_is_not_made_to(asker: Asker, answer: Answer) -> None:
    once = replace(a_question(response_schema={"type": "object"}), effect_class=EffectClass.ONCE)
    with scripted(answer) as server:
        kind = llm_call_kind(config_for(server), None)
        outcome = await kind.handle(once, asker.context())
    assert not isinstance(after(once, kind, outcome, 1, 0.5), Again)


def test_asking_has_bounds() -> None:
    kind = llm_call_kind(ModelsConfig(), None)
    assert (kind.timeout_s, kind.attempts_max) == (300, 4)


def test_what_was_not_sent_is_never_in_doubt() -> None:
    assert isinstance(outcome_of(HttpFailed("timeout", "no connection", sent=False)), Failed)
    assert isinstance(outcome_of(HttpFailed("timeout", "no answer", sent=True)), Unknown)
    refused = outcome_of(HttpFailed("not_allowed", "a private address", sent=False))
    assert isinstance(refused, Failed)
    assert not refused.retryable
