"""Nodes that are entered in several ways, with pins that read another source for each way.

A way in is named `<node>::<exit>`; `entryRoutes` may give it a name of its own, and
`inputRouteOverrides` says by that name what a pin reads.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from perdure.features.flows.drawing import Drawn, Edge
from perdure.features.flows.values import as_list, as_object, filled
from perdure.kernel.values import Json


class Override(NamedTuple):
    """What one pin reads when its node is entered in one way."""

    entry: str
    pin: str
    source: str
    source_pin: str


def entry_name(source: str, exit: str) -> str:
    """The way into a node from another node's exit."""
    return f"{source}::{exit}"


def overrides_of(node: Drawn, entering: Iterable[Edge]) -> tuple[list[Override], list[str]]:
    """The overrides of a node, and what is wrong with them."""
    drawn = as_object(node.data.get("inputRouteOverrides"))
    if not drawn:
        return [], []
    names = _names(node, entering)
    found: list[Override] = []
    faults: list[str] = []
    for pin, by_route in drawn.items():
        for route, (source, source_pin) in _sources(by_route):
            if route in names:
                found.append(Override(names[route], pin, source, source_pin))
            else:
                faults.append(
                    f"the pin {pin!r} is overridden for a way in that is not there: {route!r}"
                )
    return found, faults


def _sources(by_route: Json) -> Iterator[tuple[str, tuple[str, str]]]:
    for route, drawn in as_object(by_route).items():
        source = as_object(drawn)
        node_id = filled(source.get("sourceNodeId")) or filled(source.get("source"))
        pin = filled(source.get("sourceHandle")) or filled(source.get("handle"))
        if node_id and pin:
            yield route.strip(), (node_id, pin)


def _names(node: Drawn, entering: Iterable[Edge]) -> Mapping[str, str]:
    """Every name of a way in → the way in."""
    ways = {entry_name(edge.source, edge.source_pin) for edge in entering}
    names = {way: way for way in ways}
    for drawn in as_list(node.data.get("entryRoutes")):
        route = as_object(drawn)
        source = filled(route.get("sourceNodeId")) or filled(route.get("source"))
        way = entry_name(source or "", filled(route.get("sourceHandle")) or "exec-out")
        if way in ways:
            names[filled(route.get("key")) or way] = way
    return names
