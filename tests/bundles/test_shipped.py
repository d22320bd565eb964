"""The bundles that come with the program are readable, whole, and what their names promise."""

import json
from pathlib import Path
from typing import Any

import pytest

from perdure.bundles.bundle import Bundle
from perdure.bundles.codec import pack_files, read_bundle
from perdure.bundles.flow import input_pins, input_schema, node_index

ROOT = Path(__file__).parents[2] / "bundles"
NAMES = ["ask-first", "basic-agent", "basic-llm", "two-timers"]
AGENT_INPUTS = [
    ("use_context", "boolean"),
    ("memory", "memory"),
    ("context", "object"),
    ("provider", "provider"),
    ("model", "model"),
    ("system", "string"),
    ("prompt", "string"),
    ("tools", "tools"),
    ("max_iterations", "number"),
    ("max_in_tokens", "number"),
    ("temperature", "number"),
    ("seed", "number"),
    ("thinking", "string"),
    ("resp_schema", "object"),
]
AGENT_OUTPUTS = ["response", "success", "meta", "scratchpad", "data"]
AGENT_TOOLS = [
    "analyze_code",
    "edit_file",
    "execute_command",
    "fetch_url",
    "list_files",
    "read_file",
    "search_files",
    "web_search",
    "write_file",
]


def the_files(name: str) -> dict[str, bytes]:
    """The files of a shipped folder by their names in it."""
    folder = ROOT / name
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def shipped(name: str) -> Bundle:
    """A shipped folder, packed and read."""
    return read_bundle(pack_files(the_files(name)))


def node(flow: Any, node_id: str) -> Any:
    """The data of one node."""
    return next(it["data"] for it in flow["nodes"] if it["id"] == node_id)


def way_of(flow: Any) -> list[str]:
    """The types of the nodes from the entry on, along the execution edges."""
    after = {it["source"]: it["target"] for it in flow["edges"] if it["targetHandle"] == "exec-in"}
    at, way = flow["entryNode"], []
    while at:
        way.append(node_index(flow)[at]["type"])
        at = after.get(at)
    return way


def test_these_are_all_and_they_are_named_as_their_folders() -> None:
    assert sorted(path.name for path in ROOT.iterdir()) == NAMES
    assert [shipped(name).ref for name in NAMES] == [f"{name}@1.0.0" for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_its_files_are_readable_by_people(name: str) -> None:
    for path, raw in the_files(name).items():
        assert raw.decode() == json.dumps(json.loads(raw), indent=2, ensure_ascii=False) + "\n", (
            path
        )


@pytest.mark.parametrize("name", NAMES)
def test_every_edge_joins_pins_that_there_are(name: str) -> None:
    for flow in shipped(name).flows.values():
        pins = {
            (it["id"], side, pin["id"])
            for it in flow["nodes"]
            for side in ("inputs", "outputs")
            for pin in it["data"][side]
        }
        for edge in flow["edges"]:
            assert (edge["source"], "outputs", edge["sourceHandle"]) in pins
            assert (edge["target"], "inputs", edge["targetHandle"]) in pins


@pytest.mark.parametrize("name", NAMES)
def test_no_two_nodes_are_drawn_on_one_another(name: str) -> None:
    for flow in shipped(name).flows.values():
        places = [(it["position"]["x"], it["position"]["y"]) for it in flow["nodes"]]
        assert all(
            abs(x - u) >= 300 or abs(y - v) >= 100
            for at, (x, y) in enumerate(places)
            for u, v in places[:at]
        )


@pytest.mark.parametrize("name", ["basic-agent", "basic-llm"])
def test_it_keeps_the_agent_interface(name: str) -> None:
    bundle = shipped(name)
    assert bundle.manifest.entrypoints[0].interfaces == ("abstractcode.agent.v1",)
    flow = bundle.flow(bundle.default_flow())
    assert [(pin["id"], pin["type"]) for pin in input_pins(flow)] == AGENT_INPUTS
    assert [pin["id"] for pin in node(flow, "end")["inputs"]] == ["exec-in", *AGENT_OUTPUTS]
    assert input_schema(flow)["input_data_schema"]["required"] == ["prompt"]


@pytest.mark.parametrize("name", ["basic-agent", "basic-llm"])
def test_it_pins_no_provider_and_no_model(name: str) -> None:
    for flow in shipped(name).flows.values():
        for it in flow["nodes"]:
            places = [
                it["data"].get(key, {}) for key in ("pinDefaults", "agentConfig", "effectConfig")
            ]
            assert not any(place.get("provider") or place.get("model") for place in places)


def test_the_agent_says_what_it_does_and_may_use_the_nine_tools() -> None:
    bundle = shipped("basic-agent")
    flow = bundle.flow(bundle.default_flow())
    assert bundle.default_flow() == "81795ea9"
    assert way_of(flow) == ["on_flow_start", "subflow", "agent", "subflow", "on_flow_end"]
    assert [node(flow, it)["pinDefaults"] for it in ("thinking", "done")] == [
        {"state": "Thinking..."},
        {"state": "Done"},
    ]
    assert node(flow, "agent")["agentConfig"]["tools"] == AGENT_TOOLS
    assert node(flow, "start")["pinDefaults"]["tools"] == AGENT_TOOLS
    status = bundle.flow(node(flow, "thinking")["subflowId"])
    assert way_of(status) == ["on_flow_start", "emit_event", "on_flow_end"]
    assert node(status, "emit")["pinDefaults"]["name"] == "abstract.status"


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("basic-llm", ["on_flow_start", "llm_call", "on_flow_end"]),
        ("ask-first", ["on_flow_start", "ask_user", "answer_user", "on_flow_end"]),
        ("two-timers", ["on_flow_start", "wait_until", "emit_event", "wait_until", "on_flow_end"]),
    ],
)
def test_the_others_go_their_plain_way(name: str, way: list[str]) -> None:
    bundle = shipped(name)
    assert way_of(bundle.flow(bundle.default_flow())) == way


def test_the_timers_and_the_question_can_be_set_and_need_not_be() -> None:
    defaults = {
        name: input_schema(shipped(name).flow(name))["defaults"]
        for name in ("two-timers", "ask-first")
    }
    assert defaults["two-timers"] == {"first_s": 1, "second_s": 1, "message": "Halfway"}
    assert set(defaults["ask-first"]) == {"prompt"}
