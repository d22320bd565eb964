"""The node that runs an agent as a child: it thinks, uses tools and answers in a run of its own."""

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
from perdure.features.flows.nodes.models import (
    choice,
    first_tools,
    schema_of,
    seed_of,
    structured,
    temperature_of,
    thinking_of,
    tokens_of,
    turn_kept,
    turns_before,
    uses_context,
)
from perdure.features.flows.values import (
    Pins,
    as_list,
    as_object,
    filled,
    first_filled,
    positive,
    text_of,
    texts_in,
)
from perdure.kernel.model import ProgramRef, Start
from perdure.kernel.values import Json

META = "abstractcode.agent.v1.meta"
PROGRAM = ProgramRef("react", None, "")


def _begin(visit: Visit) -> Asked:
    node, config = visit.node, visit.node.config("agentConfig")
    use_context = uses_context(visit, config)
    prompt = text_of(visit.pins.get("prompt"))
    inputs = {
        "prompt": prompt,
        "system": text_of(visit.pins.get("system")),
        "provider": choice(visit, config, "provider"),
        "model": choice(visit, config, "model"),
        "tools": texts_in(first_tools(visit, config)),
        "max_iterations": positive(first_filled(visit.pins, config, "max_iterations")),
        "max_in_tokens": tokens_of(visit, config, "in"),
        "temperature": temperature_of(visit, config),
        "seed": seed_of(visit, config),
        "thinking": thinking_of(visit, config),
        "resp_schema": schema_of(visit, config),
        "messages": turns_before(visit, use_context=use_context),
    }
    workflow_id = visit.home.agent(node.id)
    payload = {
        "workflow_id": workflow_id, "vars": inputs, "async": True, "wait": True, "include_traces": True,
    }  # fmt: skip
    start = Start(
        tag="", node_id=node.id, program=PROGRAM, workflow_id=workflow_id,
        cells={f"in/{name}": value for name, value in inputs.items()}, payload=payload,
        result_key=f"_temp.agent.{node.id}.sub",
    )  # fmt: skip
    schema = inputs["resp_schema"] is not None
    return Asked(start, hold={"task": prompt, "use_context": use_context, "schema": schema})


def _finish(visit: Visit, answer: Answer) -> Passed:
    told, held = as_object(answer.result), as_object(answer.hold)
    child = as_object(told.get("output"))
    data = child.get("data")
    response = (structured(data) if held["schema"] else None) or text_of(child.get("answer"))
    calls, results = as_list(child.get("tool_calls")), as_list(child.get("tool_results"))
    output: Pins = {
        "response": response,
        "success": child.get("success") is not False,
        "meta": _meta(told, child, structured=held["schema"], counts=(len(calls), len(results))),
        "scratchpad": _scratchpad(visit, told, child, held["task"]),
        "data": data,
    }
    ending = {name: value for name, value in output.items() if value is not None}
    output.update(tool_calls=calls, tool_results=results)
    if "result" in visit.node.wired:
        output["result"] = ending
    keeps = held["use_context"]
    writes = turn_kept(visit, held["task"], response, "agent_turn") if keeps else {}
    said = tuple(texts_in(child.get("warnings")))
    return Passed(output, ending=ending, writes=writes, warnings=said)


def _meta(told: Pins, child: Pins, *, structured: bool, counts: tuple[int, int]) -> Json:
    return {
        "schema": META,
        "version": 1,
        "provider": child.get("provider"),
        "model": child.get("model"),
        "sub_run_id": filled(told.get("sub_run_id")),
        "iterations": child.get("iterations"),
        "tool_calls": counts[0],
        "tool_results": counts[1],
        "output_mode": "structured" if structured else "unstructured",
    }


def _scratchpad(visit: Visit, told: Pins, child: Pins, task: Json) -> Json:
    """What the agent did. Its steps are its own ledger's; what it says of them is passed on."""
    said = as_object(child.get("scratchpad"))
    return {
        **said,
        "sub_run_id": filled(told.get("sub_run_id")),
        "workflow_id": visit.home.agent(visit.node.id),
        "task": task,
        "messages": as_list(child.get("messages")),
        "node_traces": as_object(said.get("node_traces")),
        "steps": as_list(said.get("steps")),
        "tool_calls": as_list(child.get("tool_calls")),
        "tool_results": as_list(child.get("tool_results")),
    }


TYPES: Final[Mapping[str, NodeType]] = {
    "agent": described(
        Exec(_begin, _finish),
        "prompt system provider model tools context use_context max_iterations max_in_tokens temperature seed thinking resp_schema -> response data success meta scratchpad tool_calls tool_results",
        "Runs an agent as a child: it thinks, uses tools and answers.",
        "`agentConfig`: the same names, `outputSchema{enabled, jsonSchema}`",
    ),
}
