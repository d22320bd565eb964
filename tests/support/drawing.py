"""Flows drawn in a few lines, as the editor would save them.

    a_flow(
        {"start": a_start("name"), "ask": a_node("ask_user", "prompt", out="response"), "end": an_end("said")},
        "start -> ask -> end",
        "start.name => ask.prompt", "ask.response => end.said",
    )

`a -> b` says that b comes after a, `a:true -> b` names the exit, and `a.pin => b.pin` carries data.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from perdure.bundles.bundle import Bundle
from perdure.bundles.codec import pack_bundle, read_bundle
from perdure.bundles.manifest import Entrypoint, Manifest
from perdure.kernel.values import Json

Drawn = dict[str, Any]


def a_node(
    type: str, *inputs: str, out: str = "", executes: bool = True, defaults: Mapping[str, Json] | None = None,
    **data: Json,
) -> Drawn:  # fmt: skip
    """A node with data pins by name; it has execution pins unless told otherwise."""
    ways = [{"id": "exec-in", "type": "execution"}] if executes else []
    on = [{"id": "exec-out", "type": "execution"}] if executes else []
    drawn: Drawn = {
        "nodeType": type,
        "inputs": [*ways, *_pins(inputs)],
        "outputs": [*on, *_pins(out.split())],
        **data,
    }
    if defaults is not None:
        drawn["pinDefaults"] = dict(defaults)
    return {"type": type, "data": drawn}


def a_value(type: str, *inputs: str, out: str = "result", **more: Any) -> Drawn:
    """A node without execution pins: it is computed when somebody reads it."""
    return a_node(type, *inputs, out=out, executes=False, **more)


def a_literal(value: Json, type: str = "literal_json") -> Drawn:
    """A node that is `value`."""
    return a_value(type, out="value", literalValue=value)


def a_start(*pins: str, **defaults: Json) -> Drawn:
    """The start of a flow that takes `pins`; a keyword is a pin with a default."""
    return a_node("on_flow_start", out=" ".join([*pins, *defaults]), defaults=defaults)


def an_end(*pins: str) -> Drawn:
    """The end of a flow, which gives out `pins`."""
    return a_node("on_flow_end", *pins)


def _pins(names: Iterable[str]) -> list[Json]:
    return [{"id": name, "label": name, "type": "any"} for name in names]


def a_flow(
    nodes: Mapping[str, Drawn], *lines: str, id: str = "main", entry: str | None = None
) -> Json:
    """A flow of these nodes, joined as the lines say."""
    edges = [edge for line in lines for edge in _edges(line)]
    return {
        "id": id,
        "name": id,
        "nodes": [{"id": name, **node} for name, node in nodes.items()],
        "edges": [{"id": f"e{index}", **edge} for index, edge in enumerate(edges)],
        **({} if entry is None else {"entryNode": entry}),
    }


def _edges(line: str) -> list[Json]:
    if "=>" in line:
        (source, pin), (target, target_pin) = (
            end.strip().split(".", 1) for end in line.split("=>")
        )
        return [_edge(source, pin, target, target_pin)]
    ends = [end.strip() for end in line.split("->")]
    edges = []
    for before, after in pairwise(ends):
        source, _, exit = before.partition(":")
        edges.append(_edge(source, exit or "exec-out", after.partition(":")[0], "exec-in"))
    return edges


def _edge(source: str, source_pin: str, target: str, target_pin: str) -> Json:
    return {
        "source": source,
        "sourceHandle": source_pin,
        "target": target,
        "targetHandle": target_pin,
    }


def a_bundle(*flows: Json, id: str = "kit", version: str = "1.0.0") -> Bundle:
    """A bundle of these flows; the first one is its entrypoint."""
    first = flows[0]["id"]
    manifest = Manifest(
        bundle_id=id,
        bundle_version=version,
        entrypoints=(Entrypoint(first, first),),
        flows={flow["id"]: f"flows/{flow['id']}.json" for flow in flows},
        default_entrypoint=first,
    )
    return read_bundle(pack_bundle(manifest, {flow["id"]: flow for flow in flows}, {}))
