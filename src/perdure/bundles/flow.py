"""What the product reads of a flow without running it: its shape, its start pins, its nodes."""

from perdure.bundles.document import Json
from perdure.bundles.paths import quoted
from perdure.errors import BundleRefused

SCHEMA_VERSION = 1
START = "on_flow_start"
EXECUTION, ANY = "execution", "any"
EDGE_FIELDS = ("source", "sourceHandle", "target", "targetHandle")

# What a form shows for a pin. A type that is not here takes any JSON value.
JSON_TYPES = {
    "string": "string",
    "number": "number",
    "boolean": "boolean",
    "object": "object",
    "array": "array",
    "model": "string",
    "tools": "array",
    "agent": "object",
    "memory": "object",
    "assertion": "object",
    "assertions": "array",
    "json_schema": "object",
    "workspace_file": "string",
    "workspace_folder": "string",
}
JSON_TYPES_BY_FAMILY = {"provider": "string", "artifacts": "array", "artifact": "object"}


def check_flow(flow: Json, flow_id: str) -> None:
    """Refuse what is not shaped as a flow, or is another flow than the manifest says.

    Whether it can run is not asked here: that needs the node catalogue. The functions below
    take a flow that has passed.
    """
    if not isinstance(flow, dict):
        raise _bad(flow_id, "is not an object")
    if flow.get("id") != flow_id:
        raise BundleRefused(
            f"The file of the flow {quoted(flow_id)} holds the flow {quoted(flow.get('id'))}.",
            reason="flow_id_mismatch",
            flow_id=flow_id,
        )
    if not all(_are_objects(flow.get(name)) for name in ("nodes", "edges")):
        raise _bad(flow_id, "has no list of nodes or of edges")
    seen: set[str] = set()
    for node in flow["nodes"]:
        if not _is_node(node) or node["id"] in seen:
            raise _bad(
                flow_id, f"has a node {quoted(node.get('id'))} that is none, or stands twice"
            )
        seen.add(node["id"])
    for edge in flow["edges"]:
        if not _have_texts([edge], *EDGE_FIELDS):
            raise _bad(flow_id, f"has an edge {quoted(edge.get('id'))} without both its ends")


def input_pins(flow: Json) -> list[dict[str, Json]]:
    """The inputs of a run of `flow`: `{id, label, type}` each, and `default` if it has one."""
    pins, defaults = _start_pins(flow)
    return [_shown(pin, defaults) for pin in pins]


def input_schema(flow: Json) -> dict[str, Json]:
    """The inputs of a run of `flow` as forms need them; `required` is advice and never enforced."""
    pins, defaults = _start_pins(flow)
    inputs = []
    for pin in pins:
        shown = _shown(pin, defaults)
        schema = {**_json_type(shown["type"]), "x-abstract-type": shown["type"]}
        if "default" in shown:
            schema["default"] = shown["default"]
        inputs.append({**shown, "required": pin["id"] not in defaults, "schema": schema})
    return {
        "version": SCHEMA_VERSION,
        "inputs": inputs,
        "defaults": {it["id"]: it["default"] for it in inputs if "default" in it},
        "input_data_schema": {
            "type": "object",
            "additionalProperties": True,
            "properties": {it["id"]: it["schema"] for it in inputs},
            "required": [it["id"] for it in inputs if it["required"]],
        },
    }


def node_index(flow: Json) -> dict[str, dict[str, Json]]:
    """The nodes of `flow` by id, each with its `type` and a `label` to show."""
    index = {}
    for node in flow["nodes"]:
        label = _first_text((node.get("data") or {}).get("label"), node.get("label"), node["id"])
        index[node["id"]] = {"type": node["type"], "label": label}
    return index


def _start_pins(flow: Json) -> tuple[list[dict[str, Json]], dict[str, Json]]:
    """What the start node hands out, and its defaults. A flow that starts otherwise takes none."""
    starts = [node for node in flow["nodes"] if node["type"] == START]
    if not starts:
        return [], {}
    chosen = next((node for node in starts if node["id"] == flow.get("entryNode")), starts[0])
    data = chosen.get("data") or {}
    pins = [pin for pin in data.get("outputs") or [] if pin.get("type") != EXECUTION]
    return pins, data.get("pinDefaults") or {}


def _shown(pin: dict[str, Json], defaults: dict[str, Json]) -> dict[str, Json]:
    """A pin on the wire. A default of null makes it optional and is not shown."""
    default = defaults.get(pin["id"])
    label = _first_text(pin.get("label"), pin["id"])
    shown = {"id": pin["id"], "label": label, "type": _first_text(pin.get("type"), ANY)}
    return shown if default is None else {**shown, "default": default}


def _json_type(pin_type: str) -> dict[str, Json]:
    family = pin_type.partition("_")[0]
    name = JSON_TYPES.get(pin_type) or JSON_TYPES_BY_FAMILY.get(family)
    return {"type": name} if name else {}


def _first_text(*values: Json) -> str:
    """The first that is text and not empty; the last one always is."""
    return next(value for value in values if isinstance(value, str) and value)


def _is_node(node: dict[str, Json]) -> bool:
    data = node.get("data") or {}
    return (
        _have_texts([node], "id", "type")
        and isinstance(data, dict)
        and isinstance(data.get("pinDefaults") or {}, dict)
        and all(_are_pins(data.get(side) or []) for side in ("inputs", "outputs"))
    )


def _are_pins(value: Json) -> bool:
    return _are_objects(value) and _have_texts(value, "id")


def _are_objects(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _have_texts(items: list[dict[str, Json]], *names: str) -> bool:
    texts = [item.get(name) for item in items for name in names]
    return all(isinstance(text, str) and text for text in texts)


def _bad(flow_id: str, detail: str) -> BundleRefused:
    return BundleRefused(
        f"The flow {quoted(flow_id)} {detail}.", reason="bad_flow", flow_id=flow_id
    )
