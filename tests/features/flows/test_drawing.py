"""Drawings as they are read: which nodes execute, where a flow begins, what must come before what."""

import pytest

from perdure.features.flows.drawing import Drawing, entry_of, order_of, read_drawing
from perdure.features.flows.nodes import NODES
from perdure.kernel.values import Json
from tests.support.drawing import Drawn, a_flow, a_node, a_start, a_value, an_end


def _read(nodes: dict[str, Drawn], *lines: str, entry: str | None = None) -> Drawing:
    return read_drawing(a_flow(nodes, *lines, entry=entry), NODES)


def test_a_node_executes_by_its_type_its_pins_or_its_edges() -> None:
    drawing = _read(
        {"start": {"type": "on_flow_start", "data": {}}, "exec": a_node("trim"), "led": {"type": "trim", "data": {}},
         "pure": a_value("trim"), "bare": {"type": "trim", "data": {}}, "odd": {"type": "nobody", "data": {}}},
        "start -> led",
    )  # fmt: skip
    executing = {node.id for node in drawing.nodes.values() if node.executes}
    assert executing == {"start", "exec", "led"}
    assert drawing.nodes["odd"].kind is None


def test_pins_that_carry_data_are_told_from_those_that_do_not() -> None:
    node = _read({"it": a_node("trim", "text", out="result")}).nodes["it"]
    assert (node.pins("inputs"), node.pins("outputs")) == (("text",), ("result",))


@pytest.mark.parametrize("none", [None, "", 0, False, {}, []])
def test_what_is_empty_is_no_pins(none: Json) -> None:
    """As the check of its shape has it."""
    data = {"inputs": none, "outputs": none}
    node = _read({"it": {"type": "trim", "data": data}}).nodes["it"]
    assert (node.executes, node.pins("inputs"), node.pins("outputs")) == (False, (), ())


def test_a_flow_begins_where_it_says_if_that_can_be() -> None:
    nodes = {"pure": a_value("trim"), "a": a_start(), "b": a_start(), "end": an_end()}
    assert entry_of(_read(nodes, "a -> b -> end", entry="b")) == "b"
    assert entry_of(_read(nodes, "a -> b -> end", entry="pure")) == "a"
    assert entry_of(_read(nodes, "b -> a -> end", entry="nobody")) == "b"
    assert entry_of(_read({"a": a_node("trim"), "b": a_node("trim")}, "a -> b -> a")) == "a"
    assert entry_of(_read({"pure": a_value("trim")})) is None


def test_pure_nodes_come_after_what_they_read() -> None:
    nodes = {name: a_value("concat") for name in "abcd"} | {"start": a_start()}
    lines = (
        "d.result => c.a",
        "c.result => b.a",
        "d.result => b.b",
        "start.x => d.a",
        "b.result => start.x",
    )
    order, cyclic = order_of(_read(nodes, *lines))
    assert order == ["a", "d", "c", "b"]
    assert cyclic == []


def test_nodes_that_need_themselves_are_told() -> None:
    nodes = {name: a_value("concat") for name in "abc"}
    order, cyclic = order_of(_read(nodes, "a.result => b.a", "b.result => a.a", "b.result => c.a"))
    assert (order, cyclic) == ([], ["a", "b", "c"])
