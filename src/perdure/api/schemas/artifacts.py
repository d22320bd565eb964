"""Artifacts on the wire."""

import re
from typing import Any, Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, Field
from starlette.responses import Response

from perdure.api.schemas.fields import Id, JsonObject, When, Words
from perdure.errors import Invalid
from perdure.kernel.limits import INTEGER_MAX
from perdure.kernel.values import Json
from perdure.services.artifacts import SESSION_OWNER, ArtifactPage, Bounds
from perdure.stores.artifacts import (
    TAGS_MAX,
    Artifact,
    ArtifactQuery,
    Counted,
    modality_of,
    render_of,
)

ENVELOPE: Final = "abstractgateway.artifact_envelope.v1"
PREFIX: Final = "/api/gateway/runs"
ACTIONS: Final = ("preview", "download", "open_run", "open_ledger")
# What a client reads of an artifact, and what nobody has written down of this one.
UNTOLD: Final = (
    "task", "effect_id", "turn_id", "parent_run_id", "actor_id", "media", "generation", "raw_metadata",
)  # fmt: skip
DESCRIPTOR: Final = "abstractruntime.artifact_descriptor.v1"
# What a browser could run, shown in a sandbox and handed out as a file.
ACTIVE: Final = frozenset({"html", "svg"})
FILTERS: Final = (
    "scope", "session_id", "run_id", "modality", "artifact_kind", "semantic_kind", "render_kind", "workflow_id",
    "node_id", "content_type", "query", "tags", "created_after", "created_before",
)  # fmt: skip
PAGE_SIZE: Final = 500
TAG: Final = re.compile(r"\s*([^=:,]{1,64})[=:]([^,]{0,256})")
UPLOAD_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["session_id", "file"],
                    "properties": {
                        "session_id": {"type": "string", "minLength": 1, "maxLength": 256},
                        "file": {"type": "string", "format": "binary"},
                        "filename": {"type": "string", "maxLength": 255},
                        "content_type": {"type": "string", "maxLength": 128},
                        "source_path": {"type": "string", "maxLength": 1_000},
                    },
                }
            }
        },
    }
}


class Bytes(Response):
    """The kind of body that an artifact's content is, for the document of the API."""

    media_type = "*/*"


class AskArtifacts(BaseModel):
    """Which page of artifacts."""

    limit: int = Field(PAGE_SIZE, ge=1, le=1_000)
    offset: int = Field(0, ge=0, le=INTEGER_MAX)


class FilterArtifacts(BaseModel):
    """Which artifacts are meant. `content_type` may be `image/*`; `tags` are `name=value`, with commas between."""

    scope: Literal["all", "session", "run"] = "all"
    session_id: Id | None = None
    run_id: Id | None = None
    modality: Id | None = None
    artifact_kind: Id | None = None
    semantic_kind: Id | None = None
    render_kind: Id | None = None
    workflow_id: Id | None = None
    node_id: Id | None = None
    content_type: Id | None = None
    query: Words | None = None
    tags: Words | None = None
    created_after: When = None
    created_before: When = None

    def wanted(self) -> ArtifactQuery:
        """What is asked for. Raises `Invalid` where the scope names nothing, or a tag is none."""
        named = {"session": self.session_id, "run": self.run_id, "all": ""}[self.scope]
        if named is None:
            raise Invalid(f"{self.scope}_id: the scope {self.scope!r} needs it.")
        is_owner = self.run_id is not None and self.run_id.startswith(SESSION_OWNER)
        return ArtifactQuery(
            owner=self.run_id if is_owner else None, run_id=None if is_owner else self.run_id,
            session_id=self.session_id, workflow_id=self.workflow_id, node_id=self.node_id,
            kind=self.semantic_kind or self.artifact_kind, modality=self.modality, render=self.render_kind,
            content_type=self.content_type, tags=_tags(self.tags), text=self.query,
            created_after=self.created_after, created_before=self.created_before,
        )  # fmt: skip

    def filters(self) -> dict[str, Json]:
        """What was asked, as it is said again beside the answer."""
        return {name: getattr(self, name) for name in FILTERS if getattr(self, name) is not None}


class SearchArtifacts(FilterArtifacts):
    """Which artifacts are meant, in which order, and which page of them."""

    limit: int = Field(PAGE_SIZE, ge=1, le=1_000)
    offset: int = Field(0, ge=0, le=INTEGER_MAX)
    cursor: str | None = Field(None, max_length=512)
    order_by: Literal["created_at", "size_bytes"] = "created_at"
    order: Literal["asc", "desc"] = "desc"
    include_stats: bool = False

    def page(self) -> ArtifactQuery:
        """What is asked for, and which page of it."""
        return self.wanted()._replace(
            by_size=self.order_by == "size_bytes", ascending=self.order == "asc", limit=self.limit,
            offset=0 if self.cursor else self.offset, after=self.cursor,
        )  # fmt: skip


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


class FoundArtifacts(ArtifactList):
    """A page of what a search found, with what was asked."""

    model_config = {"extra": "allow"}

    ok: bool
    scope: str
    filters: JsonObject


class ArtifactStats(BaseModel):
    """How many artifacts there are, and how many of each sort."""

    ok: bool
    scope: str
    total: int
    total_bytes: int
    filters: JsonObject
    facets: dict[str, dict[str, int]]
    supported_filters: list[str]
    default_page_size: int
    warnings: list[str]


class Uploaded(BaseModel):
    """A file that a session owns now."""

    ok: bool
    run_id: str
    artifact: JsonObject
    metadata: JsonObject
    attachment: JsonObject


class WorkspacePolicy(BaseModel):
    """Where runs may read and write files, and how much may be sent."""

    ok: bool
    policy: JsonObject


def found_of(
    page: ArtifactPage, counted: Counted | None, asked: SearchArtifacts
) -> dict[str, Json]:
    """What a search found, as the wire shows it."""
    told = {
        **page_of(page), "ok": True, "scope": asked.scope, "filters": asked.filters(),
        "has_more": page.next is not None,
    }  # fmt: skip
    if counted is not None:
        told["facets"] = dict(counted.facets)
        told["stats"] = {"total": counted.total, "total_bytes": counted.total_bytes}
    return {**told, "cursor": asked.cursor, "order_by": asked.order_by, "order": asked.order}


def stats_of(counted: Counted, asked: FilterArtifacts) -> dict[str, Json]:
    """How many there are of each sort, as the wire shows it."""
    return {
        "ok": True, "scope": asked.scope, "total": counted.total, "total_bytes": counted.total_bytes,
        "filters": asked.filters(), "facets": dict(counted.facets), "supported_filters": list(FILTERS),
        "default_page_size": PAGE_SIZE, "warnings": _warnings(counted.complete, counted.total),
    }  # fmt: skip


def uploaded_of(artifact: Artifact) -> dict[str, Json]:
    """What became of an upload, as the wire shows it."""
    told = metadata_of(artifact)
    return {
        "ok": True, "run_id": artifact.owner, "artifact": told["ref"], "metadata": told,
        "attachment": told["ref"],
    }  # fmt: skip


def policy_of(bounds: Bounds) -> dict[str, Json]:
    """Where runs may read and write files: in their own workspace on the server, and nowhere else."""
    policy = {
        "target": "server", "mounts": [], "max_attachment_bytes": bounds.file_bytes_max,
        "client_workspace_scope_overrides": False, "allowed_access_modes": ["workspace_only"],
    }  # fmt: skip
    return {"ok": True, "policy": policy}


def _tags(text: str | None) -> dict[str, str]:
    found = [TAG.fullmatch(part) for part in (text or "").split(",") if part.strip()]
    if not all(found) or len(found) > TAGS_MAX:
        raise Invalid(f"tags: up to {TAGS_MAX} of `name=value`, with commas between.")
    return {it.group(1).strip(): it.group(2).strip() for it in found if it is not None}


def page_of(page: ArtifactPage) -> dict[str, Json]:
    """A page of artifacts as the wire shows it."""
    return {
        "items": [item_of(artifact) for artifact in page.items],
        "total": page.total,
        "offset": page.offset,
        "limit": page.limit,
        "has_more": page.next is not None or page.offset + len(page.items) < page.total,
        "cursor": None,
        "next_cursor": page.next,
        "facets": {},
        "stats": {},
        "warnings": _warnings(page.complete, page.total),
    }


def _warnings(complete: bool, total: int) -> list[str]:
    """What a count does not say by itself."""
    return (
        []
        if complete
        else [f"There are more than {total}; what is counted are the newest of them."]
    )


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
    made = artifact.made_by
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
        "semantic_kind": artifact.kind,
        "render_kind": render_of(artifact.content_type),
        "classification_source": "tags",
        "session_id": artifact.session_id or tags.get("session_id"),
        "workflow_id": made and made.workflow_id,
        "node_id": made and made.node_id,
        "step_id": made and made.step_id,
        "ledger_cursor": made and made.seq,
        "producer": made and made._asdict(),
        "provenance": {"source": "run" if made else tags.get("source", "unknown")},
        "descriptor": {"schema": DESCRIPTOR, "content_type": artifact.content_type, "modality": modality},
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


def etag_of(artifact: Artifact) -> str:
    """By what a content is known to be the same."""
    return f'"{artifact.sha256}"'


def headers_of(artifact: Artifact, access: str) -> dict[str, str]:
    """The headers of an artifact's content. Whatever a run made is never run by a browser."""
    active = render_of(artifact.content_type) in ACTIVE or "xml" in artifact.content_type
    shown = access == "preview" or (access == "content" and not active)
    named = quote(str(artifact.tags.get("filename") or artifact.id))
    return {
        "content-type": artifact.content_type,
        "content-security-policy": "sandbox; default-src 'none'",
        "content-disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{named}",
        "etag": etag_of(artifact),
    }


def _links(artifact: Artifact) -> dict[str, str]:
    run = f"{PREFIX}/{artifact.owner}"
    detail = f"{run}/artifacts/{artifact.id}"
    return {
        "detail": detail, "content": f"{detail}/content", "preview": f"{detail}/content?access=preview",
        "download": f"{detail}/content?access=download", "run_artifacts": f"{run}/artifacts",
        "ledger": f"{run}/ledger", "history_bundle": f"{run}/history_bundle", "run": run,
        "observe_route": f"/console/runs/{artifact.owner}",
    }  # fmt: skip
