"""A flow as drawn, read into nodes and edges; nothing is refused here.

The shape is sure: `bundles/flow.py:check_flow` has looked at it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from perdure.features.flows.model import Control, Exec, Function, NodeType
from perdure.features.flows.values import as_object, filled
from perdure.kernel.values import Json

EXECUTION: Final = "execution"
EXEC_IN: Final = "exec-in"
EXEC_OUT: Final = "exec-out"


class Edge(NamedTuple):
    """An edge from a pin of one node to a pin of another."""

    source: str
    source_pin: str
    target: str
    target_pin: str
    id: str = ""  # as the drawing has it

    @property
    def execution(self) -> bool:
        """Whether it is about what comes next, and carries no data."""
        return self.target_pin == EXEC_IN


class Drawn(NamedTuple):
    """A node as drawn, with its type if it is known."""

    id: str
    type: str
    kind: NodeType | None
    data: Mapping[str, Json]
    executes: bool  # it stands in the order of execution

    def pins(self, side: str) -> tuple[str, ...]:
        """The pins of one side that carry data, in their order."""
        return tuple(pin["id"] for pin in _pins(self.data, side) if pin.get("type") != EXECUTION)


class Drawing(NamedTuple):
    """A whole flow as drawn."""

    entry: str | None  # as the drawing names it
    nodes: Mapping[str, Drawn]
    edges: tuple[Edge, ...]


def read_drawing(flow: Json, types: Mapping[str, NodeType]) -> Drawing:
    """Read a flow that has passed `check_flow`."""
    edges = tuple(
        Edge(
            edge["source"],
            edge["sourceHandle"],
            edge["target"],
            edge["targetHandle"],
            filled(edge.get("id")) or "",
        )
        for edge in flow["edges"]
    )
    ordered = {end for edge in edges if edge.execution for end in (edge.source, edge.target)}
    nodes = {
        node["id"]: _read_node(node, types.get(node["type"]), ordered) for node in flow["nodes"]
    }
    return Drawing(filled(flow.get("entryNode")), nodes, edges)


def _read_node(node: Json, kind: NodeType | None, ordered: set[str]) -> Drawn:
    data = as_object(node.get("data"))
    match kind:
        case Exec() | Control():
            executes = True
        case Function():
            executes = node["id"] in ordered or _has_execution(data)
        case _:
            executes = False
    return Drawn(node["id"], node["type"], kind, data, executes)


def _has_execution(data: Mapping[str, Json]) -> bool:
    pins = (*_pins(data, "inputs"), *_pins(data, "outputs"))
    return any(pin.get("type") == EXECUTION for pin in pins)


def _pins(data: Mapping[str, Json], side: str) -> list[Json]:
    """The pins of one side; what is empty, of whichever kind, is none."""
    return data.get(side) or []


def entry_of(drawing: Drawing) -> str | None:
    """Where a run of the flow begins: the named entry, else the first node that nothing leads to."""
    executing = [node.id for node in drawing.nodes.values() if node.executes]
    if drawing.entry in executing:
        return drawing.entry
    led_to = {edge.target for edge in drawing.edges if edge.execution}
    return next((it for it in executing if it not in led_to), next(iter(executing), None))


def order_of(drawing: Drawing) -> tuple[list[str], list[str]]:
    """The pure nodes so that each comes after all that it reads; and those that read themselves."""
    pure = [node.id for node in drawing.nodes.values() if not node.executes]
    return sorted_of(pure, ((it.source, it.target) for it in drawing.edges if not it.execution))


def sorted_of(
    names: Sequence[str], pairs: Iterable[tuple[str, str]]
) -> tuple[list[str], list[str]]:
    """The names, the first of each pair before the second; and those that are on a cycle, or behind one."""
    behind: dict[str, list[str]] = {name: [] for name in names}
    missing = dict.fromkeys(names, 0)
    for first, second in pairs:
        if first in behind and second in behind:
            behind[first].append(second)
            missing[second] += 1
    order = [name for name in names if not missing[name]]
    for name in order:  # grows while it is walked
        for one in behind[name]:
            missing[one] -= 1
            if not missing[one]:
                order.append(one)
    return order, [name for name in names if missing[name]]
