"""Flows under their authors' hands: kept, checked, and published as bundles that never change.

A drawing may be incomplete; each answer about it says what still keeps it from being run. What is
published can be run, with every flow that it runs packed into it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from perdure.bundles.bundle import Bundle
from perdure.bundles.codec import pack_bundle
from perdure.bundles.flow import check_flow as check_shape
from perdure.bundles.manifest import Entrypoint, Manifest
from perdure.bundles.paths import quoted
from perdure.bundles.refs import is_draft, is_id, latest, sanitise_id
from perdure.clock import text_of
from perdure.errors import BundleExists, Conflict, FlowNotFound, Invalid, KeyReused
from perdure.features.flows.checks import Problem, check_flow, subflows_of
from perdure.identity.audit import Entry
from perdure.ids import derived_id, new_id
from perdure.kernel.values import Json
from perdure.runtimes.context import RuntimeContext
from perdure.services import bundles
from perdure.services.runs import hash_of
from perdure.stores.bundles import Installed
from perdure.stores.drawings import Drawing

DRAWINGS_MAX: Final = 1_000  # of one runtime
PACKED_MAX: Final = 200  # flows of one bundle
ID_LETTERS: Final = 8
TRIES_MAX: Final = 5
FIRST_VERSION: Final = "0.0.0"
ANONYMOUS: Final = "flow"  # what a bundle is called whose flow has no name that could be one
HOST: Final = "perdure"
EDITOR: Final = "abstractflow.editor"


class Publish(NamedTuple):
    """What is to be published as what. `key` is the request's own, so that a repeat publishes nothing."""

    bundle_id: str | None = None
    bundle_version: str | None = None
    overwrite: bool = False
    key: str | None = None


class Published(NamedTuple):
    """What was published."""

    facts: Installed
    bundle: Bundle


# --- drawings ------------------------------------------------------------------------------------


async def listed(runtime: RuntimeContext) -> Sequence[Drawing]:
    """Every drawing of the runtime, the one changed last first."""
    return await runtime.plane.drawings.list()


async def read(runtime: RuntimeContext, flow_id: str) -> Drawing:
    """A drawing. Raises `FlowNotFound`, and `Invalid` for what can be no id."""
    if not is_id(flow_id):
        raise Invalid(f"{quoted(flow_id)} can be no flow's id.", reason="bad_id")
    return await runtime.plane.drawings.get(flow_id)


async def create(
    runtime: RuntimeContext, body: Mapping[str, Json], key: str | None, entry: Entry | None
) -> Drawing:
    """Keep a new drawing. The same one again under the same key is the first one.

    Raises `Invalid` where it is shaped as no flow, `KeyReused`, `LimitReached`.
    """
    at = text_of(runtime.clock.now())
    for _ in range(TRIES_MAX):
        flow_id = (new_id() if key is None else derived_id("drawing", key))[-ID_LETTERS:]
        drawing = Drawing(flow_id, {**body, "id": flow_id}, at, at)
        check_drawing(drawing)
        told = _told(entry, at, flow_id, "create")
        if await runtime.plane.drawings.add(drawing, most=DRAWINGS_MAX, entry=told):
            return drawing
        if key is not None:
            return _same(await runtime.plane.drawings.get(flow_id), drawing)
    raise Conflict("No id was free for the flow; try again.")


def _same(kept: Drawing, drawing: Drawing) -> Drawing:
    """What the key made before, unless it has been changed since, or was another."""
    if hash_of(kept.body) != hash_of(drawing.body):
        raise KeyReused
    return kept


async def change(
    runtime: RuntimeContext, flow_id: str, changes: Mapping[str, Json], entry: Entry | None
) -> Drawing:
    """Change what is named of a drawing and nothing else. Raises as `read` and `create` do."""
    for _ in range(TRIES_MAX):
        was = await read(runtime, flow_id)
        at = text_of(runtime.clock.now())
        drawing = was._replace(body={**was.body, **changes}, updated_at=max(at, was.updated_at))
        check_drawing(drawing)
        told = _told(entry, at, flow_id, "change")
        if await runtime.plane.drawings.replace(drawing, was, entry=told):
            return drawing
    raise Conflict("The flow is being changed by others at the same time.")


async def remove(runtime: RuntimeContext, flow_id: str, entry: Entry | None) -> None:
    """Forget a drawing; what was published of it stays. Raises `FlowNotFound`, `Invalid`."""
    await read(runtime, flow_id)
    told = _told(entry, text_of(runtime.clock.now()), flow_id, "remove")
    if not await runtime.plane.drawings.remove(flow_id, entry=told):
        raise FlowNotFound


def check_drawing(drawing: Drawing) -> None:
    """Refuse what no editor could show: it need not be whole, but each edge has two ends. Raises `Invalid`."""
    flow = drawing.body
    nodes: set[str] = set()
    for place, node in enumerate(flow["nodes"]):
        if node["id"] in nodes:
            raise _unshowable(f"nodes.{place}.id {quoted(node['id'])} is there twice", node_id=node["id"])  # fmt: skip
        nodes.add(node["id"])
    for place, edge in enumerate(flow["edges"]):
        for end in ("source", "target"):
            if edge[end] not in nodes:
                raise _unshowable(
                    f"edges.{place}.{end} references the unknown node {quoted(edge[end])}",
                    node_id=edge[end], edge_id=str(edge.get("id") or ""), pin=edge[f"{end}Handle"],
                )  # fmt: skip
    check_shape(flow, drawing.id)


def _unshowable(detail: str, **facts: str) -> Invalid:
    return Invalid(f"Invalid VisualFlow JSON: {detail}.", reason="bad_flow", **facts)


async def problems(runtime: RuntimeContext, drawing: Drawing) -> list[Problem]:
    """What keeps a drawing, or one that it runs, from being run; empty where all can."""
    flows = {it.id: it.body for it in await runtime.plane.drawings.list()} | {
        drawing.id: drawing.body
    }
    return [
        problem
        for flow_id, flow in packed_with(drawing.id, flows).items()
        for problem in check_flow(flow, flow_id, flows.keys())
    ]


def packed_with(flow_id: str, flows: Mapping[str, Json]) -> dict[str, Json]:
    """A flow and all that it runs, as far as they are there. Raises `Invalid` where they are too many."""
    found = {flow_id: flows[flow_id]}
    for name in (queue := [flow_id]):  # grows while it is walked
        for runs in subflows_of(flows[name]):
            if runs in flows and runs not in found:
                found[runs] = flows[runs]
                queue.append(runs)
    if len(found) > PACKED_MAX:
        raise Invalid(f"A bundle holds at most {PACKED_MAX} flows.", reason="too_many_flows")
    return found


# --- publishing ----------------------------------------------------------------------------------


async def publish(
    runtime: RuntimeContext, flow_id: str, asked: Publish, entry: Entry | None
) -> Published:
    """Install a drawing as a bundle, in the next version where none is named.

    Raises `FlowRefused` with every problem where it cannot be run, and `BundleExists` where the
    version is there with other contents.
    """
    drawing = await read(runtime, flow_id)
    flows = {it.id: it.body for it in await runtime.plane.drawings.list()}
    flows = packed_with(drawing.id, flows | {drawing.id: drawing.body})
    bundle_id = asked.bundle_id or _named(drawing)
    # What is there may be written over by who names it, and not by who comes to the same next one.
    overwrite = asked.overwrite and asked.bundle_version is not None
    for left in reversed(range(TRIES_MAX)):
        every = await runtime.plane.bundles.list()
        installed = {it.bundle_version: it for it in every if it.bundle_id == bundle_id}
        if asked.key is not None and (first := _before(installed, drawing, asked)) is not None:
            return Published(first, await runtime.bundle(first.sha256))
        version = asked.bundle_version or next_version(installed)
        at = text_of(runtime.clock.now())
        told = metadata_of(drawing, bundle_id, version, installed)
        told["publisher"] = {"host": HOST, "published_at": at, **_marked(asked.key)}
        manifest = _manifest(drawing, flows, Manifest(bundle_id, version, (), {}, created_at=at, metadata=told))  # fmt: skip
        content = pack_bundle(manifest, flows, {})
        try:
            return Published(*await bundles.upload(runtime, content, overwrite=overwrite, entry=entry))  # fmt: skip
        except BundleExists:
            if asked.bundle_version or not left:
                raise
    raise BundleExists


def _named(drawing: Drawing) -> str:
    """The id that a flow's name makes for its bundle."""
    try:
        return sanitise_id(str(drawing.body.get("name") or ANONYMOUS))
    except Invalid:
        return f"{ANONYMOUS}-{drawing.id}"


def next_version(installed: Mapping[str, Installed]) -> str:
    """The version after the newest published one; after one that is no number, its first one."""
    newest = latest({version: it.created_at for version, it in installed.items()})
    if newest is None:
        return FIRST_VERSION
    parts = newest.split(".")
    if not all(part.isdigit() for part in parts) or len(parts) > len(FIRST_VERSION.split(".")):
        return f"{newest}.1"
    major, minor, patch = (*map(int, parts), 0, 0)[:3]
    return f"{major}.{minor}.{patch + 1}"


def _before(
    installed: Mapping[str, Installed], drawing: Drawing, asked: Publish
) -> Installed | None:
    """What was published under the same key. Raises `KeyReused` where that was something else."""
    for facts in installed.values():
        told: Mapping[str, Any] = facts.manifest.get("metadata") or {}
        if not (_marked(asked.key).items() <= (told.get("publisher") or {}).items()):
            continue
        same = (told.get("source") or {}).get("root_flow_id") == drawing.id
        if not same or asked.bundle_version not in (None, facts.bundle_version):
            raise KeyReused
        return facts
    return None


def _marked(key: str | None) -> dict[str, Json]:
    """What tells that a bundle was made by a request of this key."""
    return {} if key is None else {"request": derived_id("publish", key)}


def metadata_of(
    drawing: Drawing, bundle_id: str, version: str, installed: Mapping[str, Installed]
) -> dict[str, Json]:
    """What a bundle says of where it comes from."""
    others = {it: one.created_at for it, one in installed.items() if it != version}
    previous = latest(others)
    lineage: dict[str, Json] = {
        "bundle_id": bundle_id, "bundle_version": version, "origin_bundle_version": version,
    }  # fmt: skip
    if previous is not None:
        told = (installed[previous].manifest.get("metadata") or {}).get("lineage") or {}
        lineage["origin_bundle_version"] = str(told.get("origin_bundle_version") or previous)
        lineage["previous_bundle_version"] = previous
    return {
        "lifecycle": {"channel": "draft" if is_draft(version) else "published", "source": EDITOR},
        "source": {
            "root_flow_id": drawing.id, "root_flow_name": str(drawing.body.get("name") or ""),
            "root_flow_updated_at": drawing.updated_at,
        },
        "lineage": lineage,
    }  # fmt: skip


def _manifest(drawing: Drawing, flows: Mapping[str, Json], manifest: Manifest) -> Manifest:
    """The manifest with what it names."""
    body = drawing.body
    entrypoint = Entrypoint(
        drawing.id, str(body.get("name") or drawing.id), str(body.get("description") or ""),
        tuple(body.get("interfaces") or ()),
    )  # fmt: skip
    return replace(
        manifest, entrypoints=(entrypoint,), flows={it: f"flows/{it}.json" for it in flows},
        default_entrypoint=drawing.id,
    )  # fmt: skip


def _told(entry: Entry | None, at: str, target: str, change: str) -> Entry | None:
    """What the audit is to know of a change."""
    return None if entry is None else entry._replace(at=at, target=target, facts={"change": change})
