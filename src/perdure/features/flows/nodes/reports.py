"""Nodes that write what tools and agents did as text for people and models."""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from perdure.features.flows.model import NodeType, described, of_pins
from perdure.features.flows.values import Pieces, Pins, as_list, as_object, filled, text_of
from perdure.kernel.values import Json

ARGUMENT_MAX: Final = 160  # letters of what a tool was called with
RESULT_MAX: Final = 420  # letters of what came of it
OUTCOMES: Final = {True: "SUCCESS", False: "FAILURE"}


def _tool_results(pins: Pins) -> str:
    given = pins.get("tool_results")
    results = as_list(pins.get("results") if given is None else given)
    text = Pieces()
    for index, result in enumerate(it for it in results if isinstance(it, dict)):
        text.add("\n" * bool(index) + _line_of(result))
    return text.text()


def _line_of(result: Pins) -> str:
    name = text_of(result.get("name") or result.get("tool")).strip() or "tool"
    success = result.get("success")
    status = OUTCOMES[success] if isinstance(success, bool) else "DONE"
    called = [
        *as_object(result.get("arguments")).values(),
        *as_object(result.get("output")).values(),
    ]
    first = next((it for it in called if it is not None), None)
    return f"- {name}({_short(first, ARGUMENT_MAX)}) [{status}] : {_came(result, success)}"


def _came(result: Pins, success: Json) -> str:
    """What is to be said of a result: its error, else how it is written for reading, else itself."""
    error, output = text_of(result.get("error")).strip(), result.get("output")
    if success is False and error:
        return error
    written = filled(output.get("rendered")) if isinstance(output, dict) else None
    return written or _short(output, RESULT_MAX) or "(no output)"


def _short(value: Json, letters_max: int) -> str:
    """A value in one line and so many letters."""
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    elif isinstance(value, bool):
        value = "true" if value else "false"
    line = " ".join(part for part in text_of(value).splitlines() if part.strip()).strip()
    return line if len(line) <= letters_max else line[: letters_max - 1] + "…"


# --- an agent's work ---------------------------------------------------------------------------


def _trace_report(pins: Pins) -> str:
    given = as_object(pins.get("scratchpad"))
    text = Pieces()
    text.add("# Agent trace")
    for name in ("task", "sub_run_id", "workflow_id"):
        if said := _short(given.get(name), RESULT_MAX):
            text.add(f"\n- {name}: {said}")
    for number, step in enumerate(_steps(given), 1):
        text.add(f"\n\n## {number}. {_short(step.get('node_id'), ARGUMENT_MAX) or 'step'}")
        for line in _about(step):
            text.add(f"\n- {line}")
    results = as_list(given.get("tool_results"))
    if results:
        text.add("\n\n## Tools\n" + _tool_results({"tool_results": results}))
    return text.text() + "\n"


def _steps(scratchpad: Pins) -> list[Pins]:
    """The steps as told, else those of the traces, in the order of their times."""
    told = [it for it in as_list(scratchpad.get("steps")) if isinstance(it, dict)]
    if told:
        return told
    traced = [
        {"node_id": node_id, **step}
        for node_id, trace in as_object(scratchpad.get("node_traces")).items()
        for step in as_list(as_object(trace).get("steps"))
        if isinstance(step, dict)
    ]
    return sorted(traced, key=lambda step: text_of(step.get("ts")))


def _about(step: Pins) -> Iterator[str]:
    effect, result = as_object(step.get("effect")), step.get("result")
    facts = {"at": step.get("ts"), "status": step.get("status"), "effect": effect.get("type")}
    for name, fact in facts.items():
        if said := _short(fact, ARGUMENT_MAX):
            yield f"{name}: {said}"
    answer = as_object(result).get("content")
    if said := _short(result if answer is None else answer, RESULT_MAX):
        yield f"result: {said}"


TYPES: Final[Mapping[str, NodeType]] = {
    "format_tool_results": described(
        of_pins(_tool_results),
        "tool_results -> result",
        "Results of tools as text, a line for each: name, first argument, how it ended, and what came of it.",
    ),
    "agent_trace_report": described(
        of_pins(_trace_report),
        "scratchpad -> result",
        "What an agent did, step by step, as Markdown.",
    ),
}
