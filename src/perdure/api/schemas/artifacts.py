"""Artifacts on the wire."""

from typing import Any, Final
from urllib.parse import quote

from pydantic import BaseModel, Field
from starlette.responses import Response

from perdure.api.schemas.fields import JsonObject
from perdure.kernel.limits import INTEGER_MAX
from perdure.kernel.values import Json
from perdure.services.artifacts import ArtifactPage
from perdure.stores.artifacts import Artifact

ENVELOPE: Final = "abstractgateway.artifact_envelope.v1"
PREFIX: Final = "/api/gateway/runs"
ACTIONS: Final = ("preview", "download", "open_run", "open_ledger")
MODALITIES: Final = ("text", "image", "audio", "video")
# What a client reads of an artifact, and what nobody has written down of this one.
UNTOLD: Final = (
    "render_kind", "task", "workflow_id", "node_id", "step_id", "effect_id", "turn_id", "ledger_cursor",
    "parent_run_id", "actor_id", "media", "generation", "producer", "provenance", "raw_metadata", "descriptor",
)  # fmt: skip


class Bytes(Response):
    """The kind of body that an artifact's content is, for the document of the API."""

    media_type = "*/*"


class AskArtifacts(BaseModel):
    """Which page of artifacts."""

    limit: int = Field(500, ge=1, le=1_000)
    offset: int = Field(0, ge=0, le=INTEGER_MAX)


class ArtifactItem(BaseModel):
    """What is known of an artifact. Other members are there and null where nobody knows them."""

    model_config = {"extra": "allow"}

    artifact_id: str
    run_id: str
    content_type: str
    size_bytes: int
    created_at: str
    tags: JsonObject
    filename: str | None
    source_path: str | None
    sha256: str
    modality: str
    session_id: str | None
    links: dict[str, str]


class ArtifactList(BaseModel):
    """A page of artifacts, newest first."""

    items: list[ArtifactItem]
    total: int
    offset: int
    limit: int
    has_more: bool
    cursor: str | None
    next_cursor: str | None
    facets: JsonObject
    stats: JsonObject
    warnings: list[str]


def page_of(page: ArtifactPage) -> dict[str, Json]:
    """A page of artifacts as the wire shows it."""
    return {
        "items": [item_of(artifact) for artifact in page.items],
        "total": page.total,
        "offset": page.offset,
        "limit": page.limit,
        "has_more": page.offset + len(page.items) < page.total,
        "cursor": None,
        "next_cursor": None,
        "facets": {},
        "stats": {},
        "warnings": [],
    }


def metadata_of(artifact: Artifact) -> dict[str, Json]:
    """One artifact as the wire shows it."""
    item = item_of(artifact)
    envelope = {
        "schema": ENVELOPE,
        "schema_version": 1,
        "artifact_id": artifact.id,
        "ref": item["ref"],
    }
    return {**item, "artifact_envelope_v1": envelope}


def item_of(artifact: Artifact) -> dict[str, Any]:
    """One artifact as lists show it."""
    tags = dict(artifact.tags)
    modality = modality_of(artifact.content_type)
    filename, source_path = tags.get("filename"), tags.get("path")
    return {
        "artifact_id": artifact.id,
        "run_id": artifact.owner,
        "blob_id": artifact.sha256,
        "content_type": artifact.content_type,
        "size_bytes": artifact.size_bytes,
        "created_at": artifact.created_at,
        "tags": tags,
        "filename": filename,
        "title": filename,
        "source_path": source_path,
        "sha256": artifact.sha256,
        "modality": modality,
        "semantic_kind": tags.get("kind"),
        "classification_source": "tags",
        "session_id": tags.get("session_id"),
        "ref": {
            "$artifact": artifact.id, "artifact_id": artifact.id, "content_type": artifact.content_type,
            "modality": modality, "run_id": artifact.owner, "filename": filename, "source_path": source_path,
            "sha256": artifact.sha256, "target": tags.get("target", "server"),
        },
        "source_refs": [],
        "access": {},
        "links": _links(artifact),
        "available_actions": list(ACTIONS),
        "provider_trace_available": False,
        "audit_available": False,
        "legacy_inferred": False,
        "artifact_envelope_v1": None,
        **dict.fromkeys(UNTOLD),
    }  # fmt: skip


def modality_of(content_type: str) -> str:
    """What kind of thing a person sees or hears."""
    family = content_type.partition("/")[0]
    if family in MODALITIES:
        return family
    return "text" if content_type.endswith("json") else "binary"


def headers_of(artifact: Artifact, access: str) -> dict[str, str]:
    """The headers of an artifact's content. Whatever a run made is never run by a browser."""
    headers = {
        "content-type": artifact.content_type,
        "content-security-policy": "sandbox; default-src 'none'",
    }
    if access == "download":
        named = quote(str(artifact.tags.get("filename") or artifact.id))
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{named}"
    return headers


def _links(artifact: Artifact) -> dict[str, str]:
    run = f"{PREFIX}/{artifact.owner}"
    detail = f"{run}/artifacts/{artifact.id}"
    return {
        "detail": detail, "content": f"{detail}/content", "preview": f"{detail}/content?access=preview",
        "download": f"{detail}/content?access=download", "run_artifacts": f"{run}/artifacts",
        "ledger": f"{run}/ledger", "history_bundle": f"{run}/history_bundle", "run": run,
        "observe_route": f"/console/runs/{artifact.owner}",
    }  # fmt: skip
