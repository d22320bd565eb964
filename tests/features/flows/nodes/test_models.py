"""Calls of a model, by example: what is asked, and what comes of the answer."""

import pytest

from perdure.kernel.model import EffectClass, Failed, Ok
from perdure.kernel.values import Json
from tests.support.drawing import Drawn, a_flow, a_node, a_start, a_value, an_end
from tests.support.flowing import Flowing, passed, said

ALL = ("prompt", "system", "provider", "model", "tools", "temperature", "seed", "thinking", "resp_schema", "context",
       "use_context", "max_in_tokens", "max_output_tokens")  # fmt: skip
BARE: dict[str, Json] = {
    "prompt": "",
    "tools": [],
    "params": {"temperature": 0.7},
    "provider": None,
    "model": None,
    "include_context": False,
}
SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}}
TOOL = {"name": "look", "description": "Looks.", "parameters": {"type": "object"}, "icon": "eye"}
DRAWN = {
    "provider": "ollama",
    "model": "tiny",
    "temperature": 0.1,
    "seed": 4,
    "thinking": "low",
    "max_output_tokens": 9,
}

ASKED: dict[str, tuple[dict[str, Json], dict[str, Json], dict[str, Json]]] = {
    "nothing": ({}, {}, {}),
    "a prompt": ({}, {"prompt": "hi"}, {"prompt": "hi"}),
    "a prompt that is no text": ({}, {"prompt": 7}, {"prompt": "7"}),
    "a system": ({}, {"system": " be kind "}, {"system_prompt": "be kind"}),
    "as drawn": (DRAWN, {}, {
        "provider": "ollama", "model": "tiny", "params": {"temperature": 0.1, "seed": 4, "max_tokens": 9, "thinking": "low"},
    }),
    "pins win": (DRAWN, {"provider": "openai", "model": "big", "temperature": 1, "seed": 5, "thinking": True, "max_output_tokens": "3"}, {
        "provider": "openai", "model": "big", "params": {"temperature": 1.0, "seed": 5, "max_tokens": 3, "thinking": True},
    }),
    "an empty pin is none": (DRAWN, {"provider": "", "model": " ", "thinking": "", "temperature": None}, {
        "provider": "ollama", "model": "tiny", "params": {"temperature": 0.1, "seed": 4, "max_tokens": 9, "thinking": "low"},
    }),
    "no seed": (DRAWN, {"seed": -1}, {
        "provider": "ollama", "model": "tiny", "params": {"temperature": 0.1, "max_tokens": 9, "thinking": "low"},
    }),
    "no number is no temperature": ({}, {"temperature": "hot", "seed": "x", "max_in_tokens": 0}, {}),
    "no number is no temperature, whatever it is called": ({"temperature": "nan"}, {"temperature": [1]}, {}),
    "a bound on what goes in": ({}, {"max_in_tokens": 100}, {"params": {"temperature": 0.7, "max_input_tokens": 100}}),
    "a schema": ({}, {"resp_schema": SCHEMA}, {"response_schema": SCHEMA}),
    "a schema in a provider's wrapping": ({}, {"resp_schema": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}}, {
        "response_schema": SCHEMA,
    }),
    "a drawn schema": ({"outputSchema": {"enabled": True, "jsonSchema": SCHEMA}}, {}, {"response_schema": SCHEMA}),
    "a drawn schema that is off": ({"outputSchema": {"enabled": False, "jsonSchema": SCHEMA}}, {}, {}),
    "a tool": ({}, {"tools": [TOOL]}, {"tools": [{key: TOOL[key] for key in ("name", "description", "parameters")}]}),
    "what was said before": ({}, {"context": {"messages": [{"role": "user", "content": "a", "metadata": {}}, "x"]}}, {
        "messages": [{"role": "user", "content": "a"}],
    }),
}  # fmt: skip


def _asked(node: Drawn, pins: dict[str, Json], cells: dict[str, Json] | None = None) -> Flowing:
    flow = a_flow(
        {"start": a_start(*pins), "it": node, "end": an_end("response")}, "start -> it -> end",
        *(f"start.{pin} => it.{pin}" for pin in pins), "it.response => end.response",
    )  # fmt: skip
    return Flowing(flow, llm_call=said("answer")).start(pins, cells=cells)


@pytest.mark.parametrize(("drawn", "pins", "payload"), ASKED.values(), ids=ASKED)
def test_what_is_asked(
    drawn: dict[str, Json], pins: dict[str, Json], payload: dict[str, Json]
) -> None:
    run = _asked(a_node("llm_call", *ALL, out="response", effectConfig=drawn), pins)
    (effect,) = run.effects("llm_call")
    assert effect.payload == {**BARE, **payload}
    assert (effect.effect_class, effect.result_key) == (EffectClass.READ, "_temp.effects.it")
    assert run.output == {"response": "answer", "success": True}


def test_what_the_start_request_says_stands_between_pin_and_drawing() -> None:
    node = a_node("llm_call", *ALL, out="response", effectConfig=DRAWN)
    asked = {"provider": "vllm", "model": "mid", "thinking": "high", "temperature": 0.5, "seed": -1}
    run = _asked(node, {"model": "big"}, {"rt/_runtime": asked})
    payload = run.effects("llm_call")[0].payload
    assert (payload["provider"], payload["model"]) == ("vllm", "big")
    assert payload["params"] == {"temperature": 0.5, "max_tokens": 9, "thinking": "high"}


def test_a_tool_that_is_a_bare_name_is_passed_on() -> None:
    """Which tools are installed is not for a pure program to know; who makes the call says it."""
    run = _asked(a_node("llm_call", "tools", out="response"), {"tools": ["look", TOOL, "look", 7]})
    first, second = run.effects("llm_call")[0].payload["tools"]
    assert (first, second["name"]) == ("look", "look")


# --- the answer --------------------------------------------------------------------------------

OUT = "response success data meta tool_calls gen_time raw"
CALL = {"name": "look", "arguments": {}, "call_id": "1"}

ANSWERS: dict[str, tuple[dict[str, Json], dict[str, Json], dict[str, Json]]] = {
    "a text": ({"content": "hi"}, {"response": "hi", "data": None, "tool_calls": []}, {"output_mode": "unstructured", "tool_calls": 0}),
    "an object": (
        {"content": "…", "data": {"a": "é"}}, {"response": '{"a":"é"}', "data": {"a": "é"}}, {"output_mode": "structured"},
    ),
    "a call": ({"content": None, "tool_calls": [CALL]}, {"response": "", "tool_calls": [CALL]}, {"tool_calls": 1}),
    "facts": (
        {"content": "hi", "model": "m", "finish_reason": "stop", "usage": {"total_tokens": 1},
         "metadata": {"provider": "p", "trace_id": "t", "gen_time": 2}},
        {"gen_time": 2},
        {"provider": "p", "model": "m", "finish_reason": "stop", "usage": {"total_tokens": 1}, "trace": {"trace_id": "t"},
         "gen_time": 2},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("result", "output", "meta"), ANSWERS.values(), ids=ANSWERS)
def test_what_comes_of_an_answer(
    result: dict[str, Json], output: dict[str, Json], meta: dict[str, Json]
) -> None:
    run = passed(a_node("llm_call", out=OUT), {}, *OUT.split()).arrive("it", Ok(result))
    assert run.output.items() >= {**output, "success": True, "raw": result}.items()
    assert (
        run.output["meta"].items()
        >= {"schema": "abstractflow.llm_call.v1.meta", "version": 1, **meta}.items()
    )


def test_what_nobody_reads_is_not_kept() -> None:
    run = passed(a_node("llm_call", out=OUT), {}).arrive(
        "it", Ok({"content": "hi", "raw_response": "…"})
    )
    assert set(run.cells["out/it"]) == {"response", "success", "data", "meta", "tool_calls"}
    assert run.cells["last"] == "out/start", "an answer is not ambient"


def test_a_notice_of_the_model_is_shown_with_the_run() -> None:
    result = {"content": "hi", "metadata": {"notice": "a toy model"}}
    run = passed(a_node("llm_call"), {}).arrive("it", Ok(result))
    assert run.life.run.warnings == ("a toy model",)


def test_a_call_that_failed_fails_the_run_as_it_failed() -> None:
    run = passed(a_node("llm_call"), {}).arrive(
        "it", Failed("provider_not_configured", "no address")
    )
    assert run.error == "provider_not_configured: no address"


# --- a conversation ----------------------------------------------------------------------------


def _chat(**data: Json) -> Json:
    return a_flow(
        {"start": a_start("context"), "again": a_node("for", defaults={"start": 0, "end": 2}),
         "word": a_value("get_element", "array", "index", defaults={"array": ["one", "two"]}),
         "it": a_node("llm_call", "prompt", out="response", **data), "end": an_end("response")},
        "start -> again", "again:loop -> it", "again:done -> end", "again.index => word.index", "word.result => it.prompt",
        "it.response => end.response",
    )  # fmt: skip


def test_with_use_context_each_call_sees_the_turns_before() -> None:
    run = Flowing(_chat(effectConfig={"use_context": True}), llm_call=said("eins", "zwei"))
    run.start({"context": {"messages": [{"role": "system", "content": "be brief"}]}})
    first, second = (effect.payload for effect in run.effects("llm_call"))
    assert first["messages"] == [{"role": "system", "content": "be brief"}]
    assert [turn["content"] for turn in second["messages"]] == ["be brief", "one", "eins"]
    assert (second["prompt"], second["include_context"]) == ("two", True)
    assert run.cells["ctl/messages"] == 5
    assert run.cells["msg/4"]["content"] == "zwei"


def test_without_it_nothing_is_remembered() -> None:
    run = Flowing(_chat(), llm_call=said("eins", "zwei")).start()
    assert all("messages" not in effect.payload for effect in run.effects("llm_call"))
    assert "ctl/messages" not in run.cells


def test_the_context_pin_stands_for_the_whole_conversation_that_it_began() -> None:
    """The pin carries what the run was started with; the turns since then are not lost by it."""
    flow = _chat(effectConfig={"use_context": True})
    flow["edges"].append(
        {
            "id": "c",
            "source": "start",
            "sourceHandle": "context",
            "target": "it",
            "targetHandle": "context",
        }
    )
    run = Flowing(flow, llm_call=said("eins", "zwei"))
    run.start({"context": {"messages": [{"role": "system", "content": "be brief"}]}})
    assert len(run.effects("llm_call")[1].payload["messages"]) == 3
