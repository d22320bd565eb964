"""Every node type, given anything at all: it makes JSON, or says in its own words why it does not."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from perdure.features.flows.evaluate import computed
from perdure.features.flows.faults import BoundReached, NodeFault, PlanFault
from perdure.features.flows.model import (
    Answer,
    Asked,
    Control,
    Ended,
    Exec,
    Function,
    Home,
    Node,
    Passed,
    Visit,
)
from perdure.features.flows.nodes import NODES
from perdure.features.flows.values import Allowance, Pins
from perdure.features.flows.vars import Vars
from perdure.ids import BundleSha
from perdure.kernel.program import Moment, View
from perdure.kernel.values import Json
from perdure.stores.values import fault_of
from tests.support.builders import a_birth
from tests.support.clock import START

PIN_NAMES = (
    "a", "b", "text", "value", "name", "key", "object", "array", "items", "index", "default", "delimiter", "template", "vars",
    "values", "op", "start", "end", "step", "condition", "prompt", "choices", "duration", "payload", "scope", "messages",
    "context", "tools", "provider", "model", "temperature", "seed", "thinking", "resp_schema", "use_context", "decimals",
    "array", "min", "max", "schema", "fields", "tool_calls", "tool_call", "allowed_tools", "results", "tool_results", "scratchpad",
    "steps", "node_traces", "schedule", "recurrent", "timeout_s", "operation", "role", "content", "file_path", "image_artifact",
    "version", "warnings", "trace", "iterations", "allowed_models", "extra", "debug", "usage",
    "base", "exp", "pattern", "replacement", "mode", "updates", "event_key", "input", "max_iterations", "indent", "maxsplit",
)  # fmt: skip
WORDS: list[Json] = [
    "", " ", "x", "é", "a.b.c", "context.messages", "_temp", "{a}", "{{ a | join }}", "{0.__class__}", "[1, {", "null", "==",
    "<", "nan", "1e999", "-1", "true", "2026-01-01", "%", "{:>9}", "{'a': 1}", "minutes", "timestamp", "first", "session",
]  # fmt: skip
NUMBERS: list[Json] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    7,
    2**53 - 1,
    -(2**53) + 1,
    0.5,
    -2.5,
    1e308,
    -1e308,
    5e-324,
]
WHOLES: list[Json] = [
    [], [[]], ["x", None, 1], [{"id": "a", "value": 1}, {"role": "user", "content": "hi"}], [{"name": "look"}, "x", 2],
    {}, {"a": {"b": [1]}}, {"messages": [{"role": "user", "content": "hi"}]}, {"type": "json_schema", "json_schema": {"schema": {}}},
    {"vars": {"a": 1}}, {"name": "x", "type": "number", "default": "y"}, {"result": {"x": 1}}, {"output": {"answer": 1, "data": {}}},
    {"content": None, "tool_calls": "x", "metadata": []}, {"response": [1]}, {"enabled": True, "jsonSchema": {"a": 1}},
]  # fmt: skip
VALUES = st.sampled_from([*WORDS, *NUMBERS, *WHOLES])
PINS = st.dictionaries(st.sampled_from(PIN_NAMES), VALUES, max_size=6)
CONFIGS = (
    "literalValue",
    "effectConfig",
    "agentConfig",
    "switchConfig",
    "breakConfig",
    "concatConfig",
    "eventConfig",
    "toolParametersConfig",
    "modelCatalogConfig",
    "providerModelsConfig",
)
FIELDS = (
    *PIN_NAMES,
    "cases",
    "selectedPaths",
    "separator",
    "durationType",
    "outputSchema",
    "include_context",
    "inherit_context",
)
DRAWN = st.dictionaries(
    st.sampled_from(CONFIGS),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3) | VALUES,
    max_size=3,
)
BATCHES = ("tool_calls", "call_tool")  # nodes that ask for several things at once
HOME = Home("kit@1", BundleSha("00"), "main", {"": "main"}, {"main": "kit@1:main"})
CELLS = {
    "last": "out/s",
    "out/s": {"a": 1},
    "in/context": {"messages": [{"role": "user"}]},
    "in/a": [1],
    "rt/_runtime": {"model": 1},
}


def _visit(type: str, pins: Pins, data: Pins) -> Visit:
    node = Node(
        "it",
        type,
        NODES[type],
        data,
        ("a", "input", "x"),
        ("out", "a"),
        targets={"loop": "x", "then:0": "y"},
    )
    return Visit(node, pins, Vars(View(CELLS)), Moment(a_birth(), 1, START), HOME)


def _is_json(value: Json) -> None:
    assert fault_of(value) is None, value


@pytest.mark.parametrize("type", [it for it, kind in NODES.items() if isinstance(kind, Function)])
@settings(max_examples=15)
@given(pins=PINS, data=DRAWN)
def test_a_function_makes_json_or_faults(type: str, pins: Pins, data: Pins) -> None:
    visit, before = _visit(type, pins, data), repr((pins, data))
    try:
        _is_json(computed(visit.node, pins, visit.vars, visit.moment, Allowance()))
    except (NodeFault, BoundReached) as fault:
        assert str(fault)
    assert repr((pins, data)) == before, "what it is shown stays as it is"


@pytest.mark.parametrize("type", [it for it, kind in NODES.items() if isinstance(kind, Exec)])
@settings(max_examples=15)
@given(pins=PINS, data=DRAWN, answer=VALUES)
def test_a_node_in_the_order_of_execution_asks_or_faults(
    type: str, pins: Pins, data: Pins, answer: Json
) -> None:
    visit, before = _visit(type, pins, data), repr((pins, data))
    kind: Any = visit.node.kind
    try:
        step = kind.begin(visit)
    except (NodeFault, PlanFault, BoundReached) as fault:
        assert str(fault)
        return
    if isinstance(step, Asked):
        asked: Any = step.what
        for what in asked if type in BATCHES else [asked]:
            _is_json(what.payload)
        step = kind.finish(replace(visit, pins={}), Answer(answer, step.hold))
    assert isinstance(step, Passed | Ended)
    _is_json(
        {"output": step.output}
        if isinstance(step, Ended)
        else {"output": step.output, "ending": None}
    )
    assert repr((pins, data)) == before


@pytest.mark.parametrize("type", [it for it, kind in NODES.items() if isinstance(kind, Control)])
@settings(max_examples=15)
@given(pins=PINS)
def test_a_control_node_turns_or_faults(type: str, pins: Pins) -> None:
    visit = _visit(type, pins, {})
    kind: Any = visit.node.kind
    try:
        opened = kind.begin(visit)
        turned = kind.again(visit, opened.frame, opened.kept)
        _is_json(opened.frame)
    except (ValueError, OverflowError) as fault:
        assert str(fault)
        return
    assert getattr(turned, "exit", "then:0") in ("loop", "done", "then:0", "exec-out", "completed")
