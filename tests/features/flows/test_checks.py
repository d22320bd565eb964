"""What a bundle is refused for, by example: each names flow, node, type and reason."""

from itertools import pairwise

import pytest

from perdure.bundles.codec import read_bundle
from perdure.features.flows.checks import EDGES_MAX, NODES_MAX, Problem, check_bundle, check_flow
from perdure.kernel.values import Json
from tests.house.tree import ROOT
from tests.support.drawing import Drawn, a_bundle, a_flow, a_node, a_start, a_value, an_end

ROUTED = a_node(
    "uppercase",
    "text",
    inputRouteOverrides={"text": {"nowhere": {"sourceNodeId": "start", "sourceHandle": "a"}}},
)
LOST = a_node(
    "uppercase",
    "text",
    inputRouteOverrides={"text": {"start::exec-out": {"source": "gone", "handle": "a"}}},
)

# The nodes beside start and end, the edges, and what is wrong: node, code, a part of the words.
BROKEN: dict[str, tuple[dict[str, Drawn], tuple[str, ...], tuple[str, str, str]]] = {
    "an unknown type": ({"odd": a_node("telepathy")}, ("start -> odd -> end",), ("odd", "unknown_type", "'telepathy'")),
    "an unknown type that nothing leads to": ({"odd": a_value("telepathy")}, (), ("odd", "unknown_type", "'telepathy'")),
    "an edge to nowhere": ({}, ("start -> end", "start -> gone"), ("start", "dangling_edge", "'gone'")),
    "an edge from nowhere": ({}, ("start -> end", "gone.x => end.x"), ("end", "dangling_edge", "'gone'")),
    "an edge from nowhere to nowhere": ({}, ("start -> end", "gone.x => lost.x"), ("", "dangling_edge", "'gone'")),
    "a cycle": (
        {"a": a_value("concat"), "b": a_value("concat"), "c": a_value("concat")},
        ("start -> end", "a.result => b.a", "b.result => a.a", "b.result => c.a"), ("a", "data_cycle", "its own result"),
    ),
    "a node that reads itself": ({"a": a_value("concat")}, ("start -> end", "a.result => a.a"), ("a", "data_cycle", "its own result")),
    "no such subflow": ({"sub": a_node("subflow", subflowId="other")}, ("start -> sub -> end",), ("sub", "missing_subflow", "'other'")),
    "no subflow named": ({"sub": a_node("subflow")}, ("start -> sub -> end",), ("sub", "missing_subflow", "''")),
    "two ways on from one pin": ({"b": an_end()}, ("start -> end", "start -> b"), ("start", "branching", "'exec-out'")),
    "an exit that is not there": ({"if": a_node("if")}, ("start -> if", "if:maybe -> end"), ("if", "unknown_exit", "'maybe'")),
    "two edges into one pin": ({}, ("start -> end", "start.a => end.x", "start.b => end.x"), ("end", "crowded_pin", "'x'")),
    "an override for no way in": ({"up": ROUTED}, ("start -> up -> end",), ("up", "bad_route", "'nowhere'")),
    "an override from nowhere": ({"up": LOST}, ("start -> up -> end",), ("up", "bad_route", "'gone'")),
}  # fmt: skip

WHOLE: dict[str, tuple[dict[str, Drawn], tuple[str, ...]]] = {
    "every exit of a switch": (
        {"switch": a_node("switch"), "b": an_end()}, ("start -> switch", "switch:case:x -> end", "switch:default -> b"),
    ),
    "branches and what comes after": (
        {"par": a_node("parallel"), "b": a_node("set_var")}, ("start -> par", "par:then:0 -> b", "par:completed -> end"),
    ),
    "several ways into one node": (
        {"if": a_node("if")}, ("start -> if", "if:true -> end", "if:false -> end"),
    ),
    "a subflow by any of its names": (
        {"a": a_node("subflow", flowId="main"), "b": a_node("subflow", workflow_id="kit@1.0.0:main"),
         "c": a_node("subflow", workflowId="kit:main")}, ("start -> a -> b -> c -> end",),
    ),
    "a cycle that a node in the order of execution breaks": (
        {"up": a_node("uppercase"), "trim": a_value("trim")}, ("start -> up -> end", "trim.result => up.text", "up.result => trim.text"),
    ),
}  # fmt: skip


def _problems(nodes: dict[str, Drawn], lines: tuple[str, ...]) -> list[Problem]:
    flow = a_flow({"start": a_start("a", "b"), "end": an_end("x"), **nodes}, *lines)
    return check_bundle(a_bundle(flow))


@pytest.mark.parametrize(("nodes", "lines", "wrong"), BROKEN.values(), ids=BROKEN)
def test_a_broken_flow_is_told_why(
    nodes: dict[str, Drawn], lines: tuple[str, ...], wrong: tuple[str, str, str]
) -> None:
    node_id, code, words = wrong
    found = [it for it in _problems(nodes, lines) if it.code == code]
    first = found[0]
    assert (first.flow_id, first.node_id) == ("main", node_id)
    assert words in first.detail
    assert repr(node_id) in first.detail or not node_id
    assert first.type == (nodes.get(node_id) or {"type": first.type})["type"]


@pytest.mark.parametrize(("nodes", "lines"), WHOLE.values(), ids=WHOLE)
def test_a_whole_flow_has_no_problem(nodes: dict[str, Drawn], lines: tuple[str, ...]) -> None:
    assert _problems(nodes, lines) == []


def test_only_what_is_on_a_cycle_is_called_one() -> None:
    nodes, lines, _ = BROKEN["a cycle"]
    assert [it.node_id for it in _problems(nodes, lines)] == ["a", "b"]


def test_a_large_flow_is_checked_in_the_time_that_it_takes_to_read_it() -> None:
    """A cycle with a tail as long as a flow can be, and every pin overridden."""
    nodes = {f"n{index}": a_value("concat") for index in range(NODES_MAX - 2)}
    names = list(nodes)
    chain = tuple(f"{before}.result => {after}.a" for before, after in pairwise(names))
    problems = _problems(nodes, ("start -> end", "n1.result => n0.a", *chain))
    assert [it.node_id for it in problems if it.code == "data_cycle"] == ["n0", "n1"]


def test_a_flow_without_a_beginning() -> None:
    problems = check_bundle(a_bundle(a_flow({"a": a_value("trim")})))
    assert [(it.code, it.node_id) for it in problems] == [("no_entry", "")]


@pytest.mark.parametrize(
    ("nodes", "edges"), [(NODES_MAX + 1, 0), (1, EDGES_MAX + 1)], ids=["nodes", "edges"]
)
def test_a_flow_has_a_bounded_size(nodes: int, edges: int) -> None:
    flow: Json = {"nodes": [{}] * nodes, "edges": [{}] * edges}
    assert [it.code for it in check_flow(flow, "main", ())] == ["too_large"]


def test_all_flows_of_a_bundle_are_checked() -> None:
    good = a_flow({"start": a_start()}, id="good")
    bad = a_flow({"start": a_start(), "odd": a_node("telepathy")}, id="bad")
    assert [it.flow_id for it in check_bundle(a_bundle(good, bad))] == ["bad"]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests/data/flows").glob("*.flow")), ids=lambda path: path.stem
)
def test_real_bundles_have_no_problem(path: object) -> None:
    with open(str(path), "rb") as file:
        assert check_bundle(read_bundle(file.read())) == []
