"""A drawn flow becomes a compiled one: checked, ordered, and with every pin's source known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from perdure.bundles.bundle import Bundle
from perdure.bundles.paths import quoted
from perdure.errors import FlowNotFound, FlowRefused
from perdure.features.flows.checks import Problem, check_reachable, names_of
from perdure.features.flows.drawing import Drawing, Drawn, Edge, entry_of, order_of, read_drawing
from perdure.features.flows.entries import Override, overrides_of
from perdure.features.flows.model import CompiledFlow, Exec, Function, Home, Link, Node, Wiring
from perdure.features.flows.nodes import NODES
from perdure.features.flows.values import MISSING, Pins, picked
from perdure.kernel.values import Json

PROBLEMS_SHOWN: Final = 20  # in one refusal; a hostile flow has as many as it has nodes


def compile_bundled(bundle: Bundle, flow_id: str, entry: str | None = None) -> CompiledFlow:
    """Compile one flow of a bundle, when all that it can start can run as well.

    With `entry` it is what a listener runs: the same flow, begun there.

    Raises `FlowNotFound`, or `FlowRefused` with every problem, naming the first node and its type.
    """
    problems = check_reachable(bundle, flow_id)
    if problems:
        raise _refusal(problems, flow_id)
    workflows = {it: bundle.workflow_id(it) for it in bundle.flows}
    home = Home(bundle.ref, bundle.sha256, flow_id, names_of(bundle), workflows)
    drawing = read_drawing(bundle.flow(flow_id), NODES)
    if entry is None:
        return _Compiler(drawing, home).compiled()
    if entry not in listening(drawing):
        raise FlowNotFound(f"{quoted(flow_id)} has no listener {quoted(entry)}.")
    compiled = _Compiler(drawing._replace(entry=entry), home).compiled()
    return replace(compiled, listeners=())


def listening(drawing: Drawing) -> tuple[str, ...]:
    """The nodes that come back to themselves and that a run from the entry does not come to."""
    reached = reachable(drawing)
    return tuple(
        node.id
        for node in drawing.nodes.values()
        if isinstance(node.kind, Exec) and node.kind.again is not None and node.id not in reached
    )


def reachable(drawing: Drawing) -> tuple[str, ...]:
    """The executing nodes that a run can come to; the others are left out."""
    leaving: dict[str, list[str]] = {}
    for edge in drawing.edges:
        if edge.execution:
            leaving.setdefault(edge.source, []).append(edge.target)
    entry = entry_of(drawing)
    found = dict.fromkeys([] if entry is None else [entry])
    pending = list(found)
    while pending:
        for target in leaving.get(pending.pop(), ()):
            if target not in found:
                found[target] = None
                pending.append(target)
    return tuple(found)


def _refusal(problems: Sequence[Problem], flow_id: str) -> FlowRefused:
    first = problems[0]
    where = "" if first.flow_id == flow_id else f"In the flow {quoted(first.flow_id)}: "
    return FlowRefused(
        f"{where}{first.detail}", reason=first.code, flow_id=first.flow_id, node_id=first.node_id,
        node_type=first.type, problems=[problem._asdict() for problem in problems[:PROBLEMS_SHOWN]],
    )  # fmt: skip


class _Compiler:
    """Works out one flow, which has passed every check."""

    def __init__(self, drawing: Drawing, home: Home) -> None:
        self.drawing = drawing
        self.home = home
        order, _ = order_of(drawing)
        self.place = {node_id: index for index, node_id in enumerate(order)}
        self.entering: dict[str, list[Edge]] = {}
        self.leaving: dict[str, list[Edge]] = {}
        self.reading: dict[str, list[Edge]] = {}
        for edge in drawing.edges:
            if edge.execution:
                self.entering.setdefault(edge.target, []).append(edge)
                self.leaving.setdefault(edge.source, []).append(edge)
            else:
                self.reading.setdefault(edge.target, []).append(edge)
        self.overrides = {
            node.id: overrides_of(node, self.entering.get(node.id, ()))[0]
            for node in drawing.nodes.values()
        }
        self.wired = self._wired()
        self.nodes = {node_id: self._node(node_id) for node_id in (*order, *reachable(drawing))}
        self.constants = self._constants(order)

    def compiled(self) -> CompiledFlow:
        """The flow with every node wired."""
        for node_id in self.place:
            self.nodes[node_id].wiring = self._wiring(self.nodes[node_id], (), pure=True)
        executing = {it: node for it, node in self.nodes.items() if it not in self.place}
        for node in executing.values():
            overrides = self.overrides[node.id]
            node.wiring = self._wiring(node, overrides, entry=None)
            node.routes = {
                entry: self._wiring(node, overrides, entry=entry)
                for entry in {it.entry for it in overrides}
            }
            node.targets = {edge.source_pin: edge.target for edge in self.leaving.get(node.id, ())}
        entry = entry_of(self.drawing)
        assert entry is not None, "a flow that passed its checks has an entry"
        return CompiledFlow(entry, executing, self.home, listening(self.drawing))

    # --- nodes -------------------------------------------------------------------------------

    def _node(self, node_id: str) -> Node:
        drawn: Drawn = self.drawing.nodes[node_id]
        assert drawn.kind is not None, "a flow that passed its checks has known types"
        wired = frozenset(self.wired.get(node_id, ()))
        inputs, outputs = drawn.pins("inputs"), drawn.pins("outputs")
        return Node(drawn.id, drawn.type, drawn.kind, drawn.data, inputs, outputs, wired=wired)

    def _wired(self) -> Mapping[str, set[str]]:
        wired: dict[str, set[str]] = {}
        for edge in self.drawing.edges:
            if not edge.execution:
                wired.setdefault(edge.source, set()).add(edge.source_pin)
        for overrides in self.overrides.values():
            for override in overrides:
                wired.setdefault(override.source, set()).add(override.source_pin)
        return wired

    def _constants(self, order: Iterable[str]) -> Mapping[str, Json]:
        """What literal nodes give out, so that no run computes them."""
        return {
            node.id: node.kind.constant(node)
            for node in (self.nodes[node_id] for node_id in order)
            if isinstance(node.kind, Function) and node.kind.constant is not None
        }

    # --- wiring ------------------------------------------------------------------------------

    def _wiring(
        self, node: Node, overrides: Iterable[Override], *, entry: str | None = None, pure: bool = False
    ) -> Wiring:  # fmt: skip
        """Where the pins of `node` get their values when it is entered by `entry`."""
        links = [
            self._link(it.target_pin, it.source, it.source_pin)
            for it in self.reading.get(node.id, ())
        ]
        connected = {link.pin for link in links}
        mixed = {it.pin for it in overrides}
        links += [
            self._link(it.pin, it.source, it.source_pin) for it in overrides if it.entry == entry
        ]
        defaults = node.config("pinDefaults")
        fixed = {pin: defaults.get(pin) for pin in mixed}
        spares: Pins = {}
        for pin, value in defaults.items():
            if pin in connected or pin in mixed:
                continue
            (fixed if pure or pin in node.inputs else spares)[pin] = value
        cone = () if pure else self._cone(link.source for link in links if link.constant is MISSING)
        return Wiring(cone, tuple(fixed.items()), tuple(links), tuple(spares.items()))

    def _link(self, pin: str, source: str, source_pin: str) -> Link:
        constant = MISSING
        if source in self.constants:
            constant = picked(self.constants[source], source_pin)
        kind = self.drawing.nodes[source].kind
        weighed = isinstance(kind, Function) and not kind.shares
        return Link(pin, source, source_pin, constant, weighed)

    def _cone(self, sources: Iterable[str]) -> tuple[Node, ...]:
        """The pure nodes that must be computed for `sources`, each after what it reads."""
        found: set[str] = set()
        pending = list(sources)
        while pending:
            node_id = pending.pop()
            if node_id in self.place and node_id not in found and node_id not in self.constants:
                found.add(node_id)
                pending.extend(edge.source for edge in self.reading.get(node_id, ()))
        return tuple(self.nodes[it] for it in sorted(found, key=self.place.__getitem__))
