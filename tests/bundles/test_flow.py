"""What is read of a flow without running it."""

from typing import Any

import pytest

from perdure.bundles.flow import check_flow, input_pins, input_schema, node_index
from perdure.errors import BundleRefused
from tests.bundles.archives import ENTRY, a_flow

EDGE = {"source": "a", "sourceHandle": "exec-out", "target": "b", "targetHandle": "exec-in"}
EXEC = {"id": "exec-out", "label": "", "type": "execution"}
REFUSED: dict[str, tuple[str, Any]] = {
    "null": ("bad_flow", None),
    "a list": ("bad_flow", []),
    "another id": ("flow_id_mismatch", a_flow("f2")),
    "no id": ("flow_id_mismatch", {"nodes": [], "edges": []}),
    "no nodes": ("bad_flow", {"id": "f1", "edges": []}),
    "nodes as an object": ("bad_flow", a_flow(nodes={})),
    "a node that is a text": ("bad_flow", a_flow(nodes=["start"])),
    "no edges": ("bad_flow", {"id": "f1", "nodes": []}),
    "an edge that is null": ("bad_flow", a_flow(edges=[None])),
    "a node without id": ("bad_flow", a_flow(nodes=[{"type": "if"}])),
    "a node without type": ("bad_flow", a_flow(nodes=[{"id": "a"}])),
    "a node of an empty type": ("bad_flow", a_flow(nodes=[{"id": "a", "type": ""}])),
    "a node twice": ("bad_flow", a_flow(nodes=[ENTRY, ENTRY])),
    "data as a list": ("bad_flow", a_flow(nodes=[{**ENTRY, "data": [1]}])),
    "defaults as a list": ("bad_flow", a_flow(nodes=[{**ENTRY, "data": {"pinDefaults": [1]}}])),
    "pins as an object": ("bad_flow", a_flow(nodes=[{**ENTRY, "data": {"inputs": {"a": 1}}}])),
    "a pin that is a text": ("bad_flow", a_flow(nodes=[{**ENTRY, "data": {"outputs": ["a"]}}])),
    "a pin without id": ("bad_flow", a_flow(nodes=[{**ENTRY, "data": {"outputs": [{}]}}])),
    "an edge without handle": ("bad_flow", a_flow(edges=[{**EDGE, "sourceHandle": None}])),
    "an edge to nowhere": ("bad_flow", a_flow(edges=[{**EDGE, "target": ""}])),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_flow_is_refused(case: str) -> None:
    reason, flow = REFUSED[case]
    with pytest.raises(BundleRefused) as refused:
        check_flow(flow, "f1")
    assert refused.value.facts == {"reason": reason, "flow_id": "f1"}


def test_a_flow_may_leave_out_what_has_no_meaning() -> None:
    bare = {"id": "a", "type": "anything", "data": None, "label": None}
    check_flow(a_flow(nodes=[ENTRY, bare], edges=[EDGE], colour="red"), "f1")


def start(*pins: dict[str, Any], defaults: dict[str, Any] | None = None) -> dict[str, Any]:
    """A flow whose start node hands out `pins`."""
    data = {"outputs": [EXEC, *pins], "pinDefaults": defaults}
    flow = a_flow(nodes=[{"id": "s", "type": "on_flow_start", "data": data}])
    check_flow(flow, "f1")
    return flow


def test_the_inputs_are_the_start_pins_that_carry_values() -> None:
    flow = start(
        {"id": "prompt", "label": "Prompt", "type": "string"},
        {"id": "seed", "label": "", "type": "number"},
        {"id": "extra"},
        {"id": "memory", "type": "memory"},
        defaults={"seed": -1, "memory": None, "gone": 1},
    )
    assert input_pins(flow) == [
        {"id": "prompt", "label": "Prompt", "type": "string"},
        {"id": "seed", "label": "seed", "type": "number", "default": -1},
        {"id": "extra", "label": "extra", "type": "any"},
        {"id": "memory", "label": "memory", "type": "memory"},
    ]


def test_the_schema_has_the_very_fields_that_forms_know() -> None:
    flow = start(
        {"id": "prompt", "label": "Prompt", "type": "string"},
        {"id": "tools", "label": "Tools", "type": "tools"},
        {"id": "memory", "label": "Memory", "type": "memory"},
        defaults={"tools": ["read"], "memory": None},
    )
    prompt = {"type": "string", "x-abstract-type": "string"}
    tools = {"type": "array", "x-abstract-type": "tools", "default": ["read"]}
    memory = {"type": "object", "x-abstract-type": "memory"}
    shown = input_pins(flow)
    assert input_schema(flow) == {
        "version": 1,
        "inputs": [
            {**shown[0], "required": True, "schema": prompt},
            {**shown[1], "required": False, "schema": tools},
            {**shown[2], "required": False, "schema": memory},
        ],
        "defaults": {"tools": ["read"]},
        "input_data_schema": {
            "type": "object",
            "additionalProperties": True,
            "properties": {"prompt": prompt, "tools": tools, "memory": memory},
            "required": ["prompt"],
        },
    }


@pytest.mark.parametrize(
    ("pin_type", "json_type"),
    [
        ("boolean", "boolean"),
        ("provider", "string"),
        ("provider_text", "string"),
        ("model", "string"),
        ("artifact_image", "object"),
        ("artifacts_image", "array"),
        ("workspace_folder", "string"),
        ("json_schema", "object"),
        ("any", None),
        ("something_new", None),
    ],
)
def test_a_pin_type_says_what_json_it_takes(pin_type: str, json_type: str | None) -> None:
    schema = input_schema(start({"id": "a", "type": pin_type}))["inputs"][0]["schema"]
    assert schema == {"x-abstract-type": pin_type} | ({"type": json_type} if json_type else {})


def test_the_entry_node_is_the_start_that_counts() -> None:
    nodes = [
        {"id": name, "type": "on_flow_start", "data": {"outputs": [{"id": f"of_{name}"}]}}
        for name in ("a", "b")
    ]
    assert input_pins(a_flow(nodes=nodes, entryNode="b"))[0]["id"] == "of_b"
    assert input_pins(a_flow(nodes=nodes))[0]["id"] == "of_a"


def test_a_flow_that_starts_otherwise_takes_no_inputs() -> None:
    flow = a_flow(
        nodes=[{"id": "u", "type": "on_user_request", "data": {"outputs": [{"id": "m"}]}}]
    )
    assert input_pins(flow) == []
    assert input_schema(flow)["input_data_schema"]["required"] == []


def test_a_start_without_data_takes_no_inputs() -> None:
    assert input_pins(a_flow(nodes=[{"id": "s", "type": "on_flow_start"}])) == []


def test_the_index_names_each_node() -> None:
    nodes = [
        {"id": "a", "type": "if", "data": {"label": "Ready?"}},
        {"id": "b", "type": "if", "data": {"label": None}, "label": "Other"},
        {"id": "c", "type": "if", "label": 7},
    ]
    assert node_index(a_flow(nodes=nodes)) == {
        "a": {"type": "if", "label": "Ready?"},
        "b": {"type": "if", "label": "Other"},
        "c": {"type": "if", "label": "c"},
    }
