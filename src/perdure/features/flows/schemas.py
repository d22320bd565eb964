"""Bundles and their flows on the wire; `drawing_schemas` has those that are being drawn."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from perdure.api.schemas.fields import Body, Id, JsonObject
from perdure.bundles.bundle import Bundle
from perdure.bundles.flow import input_pins, node_index
from perdure.bundles.manifest import Entrypoint, write_entrypoint
from perdure.bundles.refs import bundle_ref, is_draft, workflow_id
from perdure.kernel.values import Json
from perdure.services.bundles import DrawnFlow, Shown, Which, default_of
from perdure.services.flows import Wrapper
from perdure.stores.bundles import Installed, mark_of

SCOPE: Final = "private"
REASON_LETTERS_MAX: Final = 1_000


class AskBundles(BaseModel):
    """Which bundles to list."""

    all_versions: bool = False
    include_drafts: bool = False
    include_deprecated: bool = False

    def which(self) -> Which:
        """What is asked for."""
        return Which(self.all_versions, self.include_drafts, self.include_deprecated)


class BundleItem(BaseModel):
    """An installed bundle."""

    bundle_id: str
    bundle_version: str
    bundle_ref: str
    registry_scope: str
    version_channel: str
    is_draft: bool
    is_published: bool
    latest_published_version: str | None
    latest_any_version: str | None
    created_at: str
    sha256: str
    metadata: JsonObject
    default_entrypoint: str | None
    entrypoints: list[JsonObject]
    actions: JsonObject


class BundleList(BaseModel):
    """Installed bundles, and the one that a client may preselect."""

    items: list[BundleItem]
    default_bundle_id: str | None


class BundleDetail(BundleItem):
    """A bundle with what is in it."""

    flows: list[str]


class FlowOf(BaseModel):
    """One flow of a bundle, as it is drawn."""

    bundle_id: str
    bundle_version: str
    bundle_ref: str
    flow_id: str
    workflow_id: str
    flow: JsonObject


class WorkflowFlow(BaseModel):
    """The flow behind a workflow id, as it is drawn; `source` says where from."""

    model_config = ConfigDict(extra="allow")

    workflow_id: str
    flow: JsonObject
    source: str


class InputSchema(BaseModel):
    """The inputs of a flow, as forms need them. `required` is advice."""

    bundle_id: str
    bundle_version: str
    bundle_ref: str
    flow_id: str
    workflow_id: str
    version: int
    inputs: list[JsonObject]
    defaults: JsonObject
    input_data_schema: JsonObject


class Uploaded(BaseModel):
    """A bundle that is installed now."""

    ok: bool
    bundle_id: str
    bundle_version: str
    bundle_ref: str
    sha256: str
    default_entrypoint: str | None
    entrypoints: list[JsonObject]
    gateway_reloaded: bool
    gateway_reload_error: str | None


class Removed(BaseModel):
    """What was taken off the list, and how many versions of it."""

    ok: bool
    bundle_ref: str
    removed: int
    gateway_reloaded: bool
    gateway_reload_error: str | None


class Deprecate(Body):
    """A flow, or with none all of them, and why it takes no new runs."""

    flow_id: Id | None = None
    reason: str | None = Field(None, max_length=REASON_LETTERS_MAX)


class Undeprecate(Body):
    """A flow, or with none all of them."""

    flow_id: Id | None = None


class Marked(BaseModel):
    """What is deprecated now."""

    ok: bool
    bundle_id: str
    flow_id: str
    deprecated_at: str
    reason: str | None


class Unmarked(BaseModel):
    """Whether something was deprecated."""

    ok: bool
    bundle_id: str
    flow_id: str
    removed: bool


class Reloaded(BaseModel):
    """What is installed."""

    ok: bool
    bundle_ids: list[str]
    count: int


RELOADED: Final[Mapping[str, Json]] = {"gateway_reloaded": True, "gateway_reload_error": None}


def list_of(rows: Sequence[Shown]) -> dict[str, Json]:
    """Bundles as the wire shows them."""
    return {"items": [item_of(row) for row in rows], "default_bundle_id": default_of(rows)}


def item_of(row: Shown) -> dict[str, Any]:
    """One bundle as lists show it."""
    facts, manifest = row.facts, row.manifest
    draft = is_draft(facts.bundle_version)
    entrypoints = [_entrypoint_of(facts, entry) for entry in manifest.entrypoints]
    return {
        "bundle_id": facts.bundle_id,
        "bundle_version": facts.bundle_version,
        "bundle_ref": row.ref,
        "registry_scope": SCOPE,
        "version_channel": "draft" if draft else "published",
        "is_draft": draft,
        "is_published": not draft,
        "latest_published_version": row.versions.published,
        "latest_any_version": row.versions.newest,
        "created_at": facts.created_at,
        "sha256": facts.sha256,
        "metadata": dict(manifest.metadata),
        "default_entrypoint": manifest.default_entrypoint,
        "entrypoints": entrypoints,
        "actions": {
            "can_run": not all(entry["deprecated"] for entry in entrypoints),
            "can_upload": True,
            "can_remove": True,
            "can_deprecate": True,
            "catalog_promote_endpoint": None,
        },
    }


def detail_of(row: Shown, bundle: Bundle) -> dict[str, Json]:
    """One bundle with what is in it."""
    item = item_of(row)
    for entry in item["entrypoints"]:
        flow = bundle.flow(entry["flow_id"])
        entry |= {"inputs": input_pins(flow), "node_index": node_index(flow)}
    return {**item, "flows": sorted(bundle.flows)}


def flow_of(drawn: DrawnFlow) -> dict[str, Json]:
    """One flow as the wire shows it."""
    return {**_names_of(drawn), "flow": drawn.flow}


def workflow_of(found: DrawnFlow | Wrapper) -> dict[str, Json]:
    """The flow behind a workflow id as the wire shows it."""
    if isinstance(found, Wrapper):
        return {**found._asdict(), "source": "dynamic"}
    return {**flow_of(found), "source": "bundle"}


def schema_of(drawn: DrawnFlow) -> dict[str, Json]:
    """The inputs of a flow as the wire shows them."""
    return {**_names_of(drawn), **drawn.schema()}


def uploaded_of(installed: Installed, bundle: Bundle) -> dict[str, Json]:
    """What became of an upload."""
    manifest = bundle.manifest
    return {
        "ok": True,
        "bundle_id": installed.bundle_id,
        "bundle_version": installed.bundle_version,
        "bundle_ref": bundle.ref,
        "sha256": installed.sha256,
        "default_entrypoint": manifest.default_entrypoint,
        "entrypoints": [write_entrypoint(entry) for entry in manifest.entrypoints],
        **RELOADED,
    }


def removed_of(ref: str, removed: int) -> dict[str, Json]:
    """What became of a removal."""
    return {"ok": True, "bundle_ref": ref, "removed": removed, **RELOADED}


def marked_of(bundle_id: str, flow_id: str | None, mark: Mapping[str, Json]) -> dict[str, Json]:
    """What is deprecated now."""
    at = str(mark["at"]).replace("+00:00", "Z")
    named = flow_id or "*"
    return {
        "ok": True,
        "bundle_id": bundle_id,
        "flow_id": named,
        "deprecated_at": at,
        "reason": mark["reason"],
    }


def unmarked_of(bundle_id: str, flow_id: str | None, removed: bool) -> dict[str, Json]:
    """Whether something was deprecated."""
    return {"ok": True, "bundle_id": bundle_id, "flow_id": flow_id or "*", "removed": removed}


def ids_of(ids: Sequence[str]) -> dict[str, Json]:
    """What is installed."""
    return {"ok": True, "bundle_ids": list(ids), "count": len(ids)}


def _entrypoint_of(facts: Installed, entry: Entrypoint) -> dict[str, Any]:
    mark = mark_of(facts.deprecated, entry.flow_id) or {}
    return {
        **write_entrypoint(entry),
        "workflow_id": workflow_id(facts.bundle_id, facts.bundle_version, entry.flow_id),
        "deprecated": bool(mark),
        "deprecated_at": mark.get("at"),
        "deprecated_reason": mark.get("reason"),
    }


def _names_of(drawn: DrawnFlow) -> dict[str, Json]:
    manifest = drawn.bundle.manifest
    return {
        "bundle_id": manifest.bundle_id,
        "bundle_version": manifest.bundle_version,
        "bundle_ref": bundle_ref(manifest.bundle_id, manifest.bundle_version),
        "flow_id": drawn.flow_id,
        "workflow_id": drawn.bundle.workflow_id(drawn.flow_id),
    }
