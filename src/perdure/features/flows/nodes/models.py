"""The node that calls a model once, and what it shares with the agent node: how a call is drawn."""

import json
from collections.abc import Mapping
from typing import Final

from perdure.features.flows.model import (
    Answer,
    Asked,
    Exec,
    NodeType,
    Passed,
    Visit,
    described,
)
from perdure.features.flows.values import (
    Pins,
    as_list,
    as_object,
    filled,
    first_filled,
    number_of,
    positive,
    text_of,
    truth,
    whole,
)
from perdure.features.flows.vars import Writes, spoken
from perdure.kernel.model import Effect
from perdure.kernel.values import Json

META = "abstractflow.llm_call.v1.meta"
TEMPERATURE = 0.7
USE_CONTEXT = ("use_context", "include_context")
RESULT_PINS = ("result", "raw")  # of older flows: the whole result
TIMES = ("gen_time", "ttft_ms")


# --- how a call is drawn, also for agents ------------------------------------------------------


def choice(visit: Visit, config: dict[str, Json], name: str) -> str | None:
    """The provider or model: of a pin, else of the start request, else of the node."""
    pinned = filled(visit.pins.get(name)) or filled(visit.pins.get(f"{name}_text"))
    return pinned or filled(visit.vars.runtime().get(name)) or filled(config.get(name))


def thinking_of(visit: Visit, config: dict[str, Json]) -> Json:
    """How much to think, if anybody says."""
    for source in _sayers(visit, config):
        value = source.get("thinking")
        if isinstance(value, bool) or filled(value) is not None:
            return value
    return None


def seed_of(visit: Visit, config: dict[str, Json]) -> int | None:
    """The seed, if the first who says one means one; below zero means none."""
    said = (source.get("seed") for source in _sayers(visit, config))
    seed = next((number for value in said if (number := whole(value)) is not None), -1)
    return seed if seed >= 0 else None


def temperature_of(visit: Visit, config: dict[str, Json]) -> float | None:
    """The temperature, if anybody says one that is a number."""
    for source in _sayers(visit, config):
        value = source.get("temperature")
        if value is not None and not isinstance(value, bool):
            try:
                return number_of(value)
            except ValueError:
                continue
    return None


def _sayers(visit: Visit, config: dict[str, Json]) -> tuple[Mapping[str, Json], ...]:
    """Who may say how a call is made, the first before the others: a pin, the start request, the node."""
    return (visit.pins, visit.vars.runtime(), config)


def tokens_of(visit: Visit, config: dict[str, Json], direction: str) -> int | None:
    """The largest number of tokens `in` or `out`, in any of its spellings."""
    word = {"in": "input", "out": "output"}[direction]
    names = (f"max_{direction}_tokens", f"max_{word}_tokens", f"max{word.title()}Tokens")
    return positive(first_filled(visit.pins, config, *names))


def schema_of(visit: Visit, config: dict[str, Json]) -> Json:
    """The JSON Schema that the answer must keep, taken out of a provider's wrapping; or null."""
    drawn = as_object(config.get("outputSchema"))
    value = first_filled(visit.pins, {}, "resp_schema", "response_schema")
    if value is None and truth(drawn.get("enabled")):
        value = drawn.get("jsonSchema")
    if not isinstance(value, dict) or not value:
        return None
    wrapped = value.get("json_schema")
    if value.get("type") == "json_schema" and isinstance(wrapped, dict):
        value = wrapped.get("schema")
    return value if isinstance(value, dict) and value else None


def uses_context(visit: Visit, config: dict[str, Json]) -> bool:
    """Whether the call continues the run's own conversation."""
    for source in (visit.pins, config):
        for name in USE_CONTEXT:
            if name in source and source[name] is not None:
                return truth(source[name])
    return False


def turns_before(visit: Visit, *, use_context: bool) -> list[Json]:
    """What was said before: the messages of the `context` pin, else the run's own if it is to use them.

    A pin that carries how the run's own conversation began stands for all of it.
    """
    given = spoken(as_list(as_object(visit.pins.get("context")).get("messages")))
    own = spoken(visit.vars.messages()) if use_context else []
    stands = own[: len(given)] == given or (use_context and visit.vars.began_with(given))
    return own if stands else given


def turn_kept(visit: Visit, prompt: Json, response: str, kind: str) -> Writes:
    """The writes that add a question and its answer to the run's conversation."""
    turns = [("user", text_of(prompt)), ("assistant", response)]
    kept = [turn for turn in turns if turn[1].strip()]
    return visit.vars.told(visit.moment.run.id, kept, kind) if kept else {}


def structured(data: Json) -> str | None:
    """An object or list as the text of an answer; `None` where there is neither."""
    if not isinstance(data, dict | list):
        return None
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


# --- one call ----------------------------------------------------------------------------------


def _begin(visit: Visit) -> Asked:
    node, config = visit.node, visit.node.config("effectConfig")
    use_context = uses_context(visit, config)
    prompt = text_of(visit.pins.get("prompt"))
    payload: dict[str, Json] = {
        "prompt": prompt,
        "tools": _tools(first_tools(visit, config)),
        "params": _params(visit, config),
        "provider": choice(visit, config, "provider"),
        "model": choice(visit, config, "model"),
        "include_context": use_context,
    }
    if system := filled(visit.pins.get("system")):
        payload["system_prompt"] = system
    if messages := turns_before(visit, use_context=use_context):
        payload["messages"] = messages
    if schema := schema_of(visit, config):
        payload["response_schema"] = schema
    effect = Effect("llm_call", payload, "", node.id, result_key=node.result_key)
    return Asked(effect, hold={"prompt": prompt} if use_context else None)


def first_tools(visit: Visit, config: dict[str, Json]) -> list[Json]:
    """The tools of the pin, even if it says none; else those of the node."""
    return as_list(visit.pins["tools"] if "tools" in visit.pins else config.get("tools"))


def _tools(drawn: list[Json]) -> list[Json]:
    """The tools to offer. Of one drawn whole only the schema; a bare name stays for who knows the tools."""
    offered: list[Json] = []
    for tool in drawn:
        if isinstance(tool, dict) and (name := filled(tool.get("name"))):
            about = {"name": name, "description": text_of(tool.get("description"))}
            offered.append({**about, "parameters": as_object(tool.get("parameters"))})
        elif (named := filled(tool)) is not None and named not in offered:
            offered.append(named)
    return offered


def _params(visit: Visit, config: dict[str, Json]) -> Json:
    temperature = temperature_of(visit, config)
    params: dict[str, Json] = {"temperature": TEMPERATURE if temperature is None else temperature}
    optional = {
        "seed": seed_of(visit, config),
        "max_tokens": tokens_of(visit, config, "out"),
        "max_input_tokens": tokens_of(visit, config, "in"),
        "thinking": thinking_of(visit, config),
    }
    return {**params, **{name: value for name, value in optional.items() if value is not None}}


def _finish(visit: Visit, answer: Answer) -> Passed:
    result = as_object(answer.result)
    tool_calls = [call for call in as_list(result.get("tool_calls")) if isinstance(call, dict)]
    data = result.get("data")
    response = structured(data) or text_of(result.get("content"))
    output: Pins = {
        "response": response, "success": True, "data": data, "tool_calls": tool_calls,
        "meta": _meta(result, len(tool_calls)),
    }  # fmt: skip
    output.update({pin: answer.result for pin in RESULT_PINS if pin in visit.node.wired})
    output.update({pin: _said(result, pin) for pin in TIMES if pin in visit.node.wired})
    held = as_object(answer.hold)
    writes = turn_kept(visit, held["prompt"], response, "llm_turn") if held else {}
    notice = filled(as_object(result.get("metadata")).get("notice"))
    return Passed(
        output, ambient=False, ending={"success": True, "result": answer.result}, writes=writes,
        warnings=(notice,) if notice else (),
    )  # fmt: skip


def _meta(result: dict[str, Json], tool_calls: int) -> Json:
    """What is known of the call, in the language's own shape; a fact that is not known has no key."""
    trace_id = filled(_said(result, "trace_id"))
    facts = {
        "provider": _said(result, "provider"),
        "model": result.get("model"),
        "finish_reason": result.get("finish_reason"),
        "usage": result.get("usage"),
        "trace": None if trace_id is None else {"trace_id": trace_id},
        "gen_time": _said(result, "gen_time"),
        "ttft_ms": _said(result, "ttft_ms"),
    }
    mode = "structured" if isinstance(result.get("data"), dict | list) else "unstructured"
    known = {name: fact for name, fact in facts.items() if fact is not None and fact != ""}
    return {"schema": META, "version": 1, "output_mode": mode, "tool_calls": tool_calls, **known}


def _said(result: dict[str, Json], name: str) -> Json:
    value = result.get(name)
    return as_object(result.get("metadata")).get(name) if value is None else value


TYPES: Final[Mapping[str, NodeType]] = {
    "llm_call": described(
        Exec(_begin, _finish),
        "prompt system provider model tools context use_context temperature seed thinking max_in_tokens max_output_tokens resp_schema -> response data success meta tool_calls",
        "Asks a model once. Tools are offered, not executed.",
        "`effectConfig`: the same names",
    ),
}
