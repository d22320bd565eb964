"""Nodes with several ways in: how their overrides are named and read."""

from perdure.features.flows.drawing import Drawn, Edge
from perdure.features.flows.entries import Override, entry_name, overrides_of
from perdure.features.flows.nodes import NODES
from perdure.kernel.values import Json

ENTERING = [Edge("a", "exec-out", "it", "exec-in"), Edge("b", "true", "it", "exec-in")]
SOURCE = {"sourceNodeId": "x", "sourceHandle": "out"}


def _node(**data: Json) -> Drawn:
    return Drawn("it", "trim", NODES["trim"], data, executes=True)


def test_an_override_is_for_one_way_in() -> None:
    node = _node(
        inputRouteOverrides={
            "text": {"a::exec-out": SOURCE},
            "other": {" b::true ": {"source": "y", "handle": "z"}},
        }
    )
    assert overrides_of(node, ENTERING) == (
        [Override("a::exec-out", "text", "x", "out"), Override("b::true", "other", "y", "z")], [],
    )  # fmt: skip


def test_a_way_in_may_have_a_name_of_its_own() -> None:
    routes = [
        {"key": "first", "sourceNodeId": "a"}, {"key": "again", "source": "b", "sourceHandle": "true"},
        {"source": "a"}, {"key": "gone", "sourceNodeId": "z"}, "odd",
    ]  # fmt: skip
    node = _node(
        entryRoutes=routes, inputRouteOverrides={"text": {"again": SOURCE, "first": SOURCE}}
    )
    found, faults = overrides_of(node, ENTERING)
    assert [it.entry for it in found] == [entry_name("b", "true"), entry_name("a", "exec-out")]
    assert faults == []


def test_an_override_for_no_way_in_is_a_fault() -> None:
    found, faults = overrides_of(_node(inputRouteOverrides={"text": {"gone": SOURCE}}), ENTERING)
    assert found == []
    assert faults == ["the pin 'text' is overridden for a way in that is not there: 'gone'"]


def test_what_names_no_source_overrides_nothing() -> None:
    drawn = {"a": {"a::exec-out": {"sourceNodeId": "x"}}, "b": {"a::exec-out": "x"}, "c": "odd"}
    assert overrides_of(_node(inputRouteOverrides=drawn), ENTERING) == ([], [])
    assert overrides_of(_node(inputRouteOverrides="odd"), ENTERING) == ([], [])
