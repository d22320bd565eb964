"""What keeps a flow from being run as it is drawn, found before any run begins."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from perdure.bundles.bundle import Bundle
from perdure.bundles.paths import quoted
from perdure.features.flows.drawing import (
    EXEC_OUT,
    Drawing,
    Drawn,
    Edge,
    entry_of,
    order_of,
    read_drawing,
    sorted_of,
)
from perdure.features.flows.entries import overrides_of
from perdure.features.flows.nodes import NODES
from perdure.features.flows.nodes.children import subflow_of
from perdure.kernel.values import Json

NODES_MAX: Final = 2_000  # of one flow
EDGES_MAX: Final = 20_000
SUBFLOW: Final = "subflow"  # the type of a node that runs another flow


class Problem(NamedTuple):
    """One reason why a flow is refused. `node_id` is empty where it is about the flow as a whole."""

    flow_id: str
    node_id: str
    type: str
    code: str
    detail: str
    pin: str = ""
    edge_id: str = ""


class _Found(NamedTuple):
    node: Drawn | None
    code: str
    detail: str
    pin: str = ""
    edge_id: str = ""


def check_bundle(bundle: Bundle) -> list[Problem]:
    """Everything that keeps the flows of a bundle from being run; empty where all can."""
    names = names_of(bundle)
    return [
        problem
        for flow_id, flow in bundle.flows.items()
        for problem in check_flow(flow, flow_id, names)
    ]


def check_reachable(bundle: Bundle, flow_id: str) -> list[Problem]:
    """Everything that keeps a flow, or one that it can start, from being run. Raises `FlowNotFound`."""
    names = names_of(bundle)
    pending = {flow_id: bundle.flow(flow_id)}
    found: list[Problem] = []
    for name in (queue := list(pending)):
        found += check_flow(pending[name], name, names)
        for started in _started_by(pending[name], names):
            if started not in pending:
                pending[started] = bundle.flow(started)
                queue.append(started)
    return found


def _started_by(flow: Json, names: Mapping[str, str]) -> Iterator[str]:
    for node in flow["nodes"]:
        name = subflow_of(node.get("data") or {}) if node["type"] == SUBFLOW else ""
        if name in names:
            yield names[name]


def subflows_of(flow: Json) -> list[str]:
    """The names of the flows that a flow runs, as its nodes have them."""
    return [subflow_of(it.get("data") or {}) for it in flow["nodes"] if it["type"] == SUBFLOW]


def names_of(bundle: Bundle) -> Mapping[str, str]:
    """Every name by which a flow of the bundle can be meant → its id."""
    bundle_id = bundle.manifest.bundle_id
    names = {f"{bundle_id}:{flow_id}": flow_id for flow_id in bundle.flows}
    names.update({bundle.workflow_id(flow_id): flow_id for flow_id in bundle.flows})
    return {**names, **{flow_id: flow_id for flow_id in bundle.flows}}


def check_flow(flow: Json, flow_id: str, flows: Collection[str]) -> list[Problem]:
    """Everything that keeps one flow from being run. `flows` are the names that a subflow may have."""
    if len(flow["nodes"]) > NODES_MAX or len(flow["edges"]) > EDGES_MAX:
        detail = f"A flow has at most {NODES_MAX} nodes and {EDGES_MAX} edges."
        return [Problem(flow_id, "", "", "too_large", detail)]
    drawing = read_drawing(flow, NODES)
    found = [
        *_unknown_types(drawing),
        *_dangling_edges(drawing),
        *_missing_subflows(drawing, flows),
        *_cycles(drawing),
        *_branchings(drawing),
        *_crowded_pins(drawing),
        *_wrong_routes(drawing),
    ]
    if entry_of(drawing) is None:
        found.append(_Found(None, "no_entry", "The flow has no node to begin with."))
    return [_problem(flow_id, it) for it in found]


def _problem(flow_id: str, found: _Found) -> Problem:
    node = found.node
    where = "" if node is None else f"The node {quoted(node.id)} of type {quoted(node.type)} "
    named = ("", "") if node is None else (node.id, node.type)
    detail = f"{where}{found.detail}"
    return Problem(flow_id, *named, found.code, detail, found.pin, found.edge_id)


def _unknown_types(drawing: Drawing) -> Iterator[_Found]:
    for node in drawing.nodes.values():
        if node.kind is None:
            yield _Found(node, "unknown_type", "is of a type that this program does not run.")


def _dangling_edges(drawing: Drawing) -> Iterator[_Found]:
    for edge in drawing.edges:
        source, target = drawing.nodes.get(edge.source), drawing.nodes.get(edge.target)
        if source is None or target is None:
            gone = edge.source if source is None else edge.target
            yield _Found(
                source or target, "dangling_edge", f"has an edge to {quoted(gone)}, which is not there.",
                edge.source_pin if target is None else edge.target_pin, edge.id,
            )  # fmt: skip


def _missing_subflows(drawing: Drawing, flows: Collection[str]) -> Iterator[_Found]:
    for node in drawing.nodes.values():
        if node.type == SUBFLOW and (name := subflow_of(node.data)) not in flows:
            yield _Found(
                node, "missing_subflow", f"runs the flow {quoted(name)}, which is not in the bundle."
            )  # fmt: skip


def _cycles(drawing: Drawing) -> Iterator[_Found]:
    _, cyclic = order_of(drawing)
    for node_id in _on_cycles(drawing, cyclic):
        yield _Found(drawing.nodes[node_id], "data_cycle", "needs its own result to make it.")


def _on_cycles(drawing: Drawing, cyclic: list[str]) -> list[str]:
    """Those of the nodes that are on a cycle or lead from one to another, without the mere readers."""
    readings = ((it.target, it.source) for it in drawing.edges if not it.execution)
    return sorted_of(cyclic, readings)[1]


def _branchings(drawing: Drawing) -> Iterator[_Found]:
    """Two ways on from one pin would be two positions, which only `parallel` makes."""
    counts = Counter((edge.source, edge.source_pin) for edge in drawing.edges if edge.execution)
    for (source, pin), count in counts.items():
        node = drawing.nodes.get(source)
        if node is None or node.kind is None:
            continue
        exits = getattr(node.kind, "exits", (EXEC_OUT,))
        if not any(fnmatchcase(pin, pattern) for pattern in exits):
            yield _Found(node, "unknown_exit", f"has no exit {quoted(pin)}.", pin)
        elif count > 1:
            detail = f"leads to {count} nodes from {quoted(pin)}; branching needs a node for it."
            yield _Found(node, "branching", detail, pin)


def _crowded_pins(drawing: Drawing) -> Iterator[_Found]:
    counts = Counter((edge.target, edge.target_pin) for edge in drawing.edges if not edge.execution)
    for (target, pin), count in counts.items():
        if count > 1 and target in drawing.nodes:
            detail = f"has {count} edges into {quoted(pin)}; a pin has one value."
            yield _Found(drawing.nodes[target], "crowded_pin", detail, pin)


def _wrong_routes(drawing: Drawing) -> Iterator[_Found]:
    entering: dict[str, list[Edge]] = {}
    for edge in drawing.edges:
        if edge.execution:
            entering.setdefault(edge.target, []).append(edge)
    for node in drawing.nodes.values():
        overrides, faults = overrides_of(node, entering.get(node.id, ()))
        gone = [it.source for it in overrides if it.source not in drawing.nodes]
        for detail in [*faults, *(f"reads {quoted(it)}, which is not there" for it in gone)]:
            yield _Found(node, "bad_route", f"{detail}.")
