"""Agents, by example: what the child is given, and what its answer becomes."""

from typing import Any

import pytest

from perdure.kernel.model import Ok, ProgramRef
from perdure.kernel.values import Json
from tests.support.drawing import a_flow, a_node, a_start, an_end
from tests.support.flowing import Flowing, said

PINS = ("prompt", "system", "provider", "model", "tools", "max_iterations", "max_in_tokens", "temperature", "seed",
        "thinking", "resp_schema", "context", "use_context")  # fmt: skip
BARE: dict[str, Json] = {
    "prompt": "", "system": "", "provider": None, "model": None, "tools": [], "max_iterations": None, "max_in_tokens": None,
    "temperature": None, "seed": None, "thinking": None, "resp_schema": None, "messages": [],
}  # fmt: skip
DRAWN = {
    "provider": "ollama",
    "model": "tiny",
    "tools": ["look", "look", " write "],
    "max_iterations": 5,
    "temperature": 0.2,
}
TURN = {"role": "user", "content": "before"}

GIVEN: dict[str, tuple[dict[str, Json], dict[str, Json], dict[str, Json]]] = {
    "nothing": ({}, {}, {}),
    "as drawn": (DRAWN, {}, {"provider": "ollama", "model": "tiny", "tools": ["look", "write"], "max_iterations": 5, "temperature": 0.2}),
    "pins win": (
        DRAWN, {"prompt": "go", "system": "kind", "model": "big", "tools": [], "max_iterations": "7", "seed": 3, "thinking": "high"},
        {"prompt": "go", "system": "kind", "provider": "ollama", "model": "big", "tools": [], "max_iterations": 7, "temperature": 0.2,
         "seed": 3, "thinking": "high"},
    ),
    "numbers that are none": ({}, {"max_iterations": 0, "max_in_tokens": -1, "seed": -1, "temperature": "x"}, {}),
    "what was said before": ({}, {"context": {"messages": [TURN, {"role": "odd"}]}}, {"messages": [TURN]}),
    "a schema": ({}, {"resp_schema": {"type": "object"}}, {"resp_schema": {"type": "object"}}),
}  # fmt: skip


def _flow(pins: tuple[str, ...], **config: Any) -> Json:
    return a_flow(
        {"start": a_start(*pins), "it": a_node("agent", *PINS, out="response", agentConfig=config),
         "end": an_end("response", "success", "data", "meta", "scratchpad")},
        "start -> it -> end", *(f"start.{pin} => it.{pin}" for pin in pins),
        *(f"it.{pin} => end.{pin}" for pin in ("response", "success", "data", "meta", "scratchpad")),
    )  # fmt: skip


@pytest.mark.parametrize(("drawn", "pins", "inputs"), GIVEN.values(), ids=GIVEN)
def test_what_the_agent_is_given(
    drawn: dict[str, Json], pins: dict[str, Json], inputs: dict[str, Json]
) -> None:
    run = Flowing(_flow(tuple(pins), **drawn)).start(pins)
    (child,) = run.children()
    assert dict(child.cells) == {f"in/{name}": value for name, value in {**BARE, **inputs}.items()}
    assert child.run.birth.program == ProgramRef("react", None, "")
    assert child.run.birth.workflow_id == "visual_react_agent_kit_1_0_0_main_it"


def test_what_its_answer_becomes() -> None:
    run = Flowing(_flow(("prompt",)), llm_call=said("done")).start({"prompt": "go"})
    (child,) = run.children()
    output = run.output
    assert (output["response"], output["success"], output["data"]) == ("done", True, None)
    assert output["meta"] == {
        "schema": "abstractcode.agent.v1.meta", "version": 1, "provider": "scripted", "model": "script",
        "sub_run_id": child.run.id, "iterations": 1, "tool_calls": 0, "tool_results": 0, "output_mode": "unstructured",
    }  # fmt: skip
    assert output["scratchpad"] == {
        "sub_run_id": child.run.id, "workflow_id": child.run.birth.workflow_id, "task": "go",
        "messages": [{"role": "user", "content": "go"}, {"role": "assistant", "content": "done"}],
        "node_traces": {}, "steps": [{"node_id": "reason"}], "tool_calls": [], "tool_results": [],
    }  # fmt: skip
    assert run.cells["last"] == "out/it", "an agent's answer is ambient"


def _answering(child_output: dict[str, Json], **pins: Json) -> Flowing:
    """An agent node whose child has ended with this output."""
    flow = a_flow(
        {"start": a_start(*pins), "it": a_node("agent", *PINS, out="response")},
        "start -> it", *(f"start.{pin} => it.{pin}" for pin in pins),
    )  # fmt: skip
    run = Flowing(flow).start(pins)
    return run.arrive("it", Ok({"sub_run_id": "child", "output": child_output}))


def test_with_a_schema_the_answer_is_its_data() -> None:
    data = {"name": "Zoë"}
    run = _answering({"answer": "It is Zoë.", "data": data}, resp_schema={"type": "object"})
    assert (run.output["response"], run.output["data"]) == ('{"name":"Zoë"}', data)
    assert run.output["meta"]["output_mode"] == "structured"


def test_calls_and_warnings_of_the_agent_are_passed_on() -> None:
    calls, results = [{"name": "look"}], [{"name": "look", "success": True}]
    run = _answering(
        {
            "answer": "x",
            "tool_calls": calls,
            "tool_results": results,
            "warnings": ["#FALLBACK no tool"],
        }
    )
    assert run.output["meta"].items() >= {"tool_calls": 1, "tool_results": 1}.items()
    assert run.output["scratchpad"]["tool_results"] == results
    assert run.life.run.warnings == ("#FALLBACK no tool",)
    assert set(run.output) == {"response", "success", "meta", "scratchpad"}, (
        "how a flow ends with an agent"
    )


def test_an_agent_that_says_it_failed_is_no_success() -> None:
    assert _answering({"answer": "I could not.", "success": False}).output["success"] is False


def test_with_use_context_the_turn_is_kept() -> None:
    run = _answering({"answer": "yes"}, prompt="go?", use_context=True)
    kept = [run.cells[f"msg/{index}"] for index in range(run.cells["ctl/messages"])]
    assert [(turn["role"], turn["content"]) for turn in kept] == [
        ("user", "go?"),
        ("assistant", "yes"),
    ]
    assert kept[0]["metadata"] == {"kind": "agent_turn", "message_id": f"{run.root}:0"}
