"""The effects between files and artifacts: a file kept as an artifact, an artifact read or written as a file."""

import asyncio
import json
from base64 import b64encode
from hashlib import sha256
from mimetypes import guess_type
from typing import Final

from perdure.clock import text_of
from perdure.errors import ArtifactNotFound
from perdure.features.files.effects import NOT_FOUND, no_workspace, path_of, workspace_of
from perdure.features.files.workspace import FILE_BYTES_MAX, NotThere
from perdure.ids import ArtifactId
from perdure.kernel.model import Effect, Failed, Ok, Outcome
from perdure.kernel.values import Json
from perdure.registry.effects import EffectContext
from perdure.services.artifacts import owners_of
from perdure.stores.artifacts import Artifact, Maker

PLAIN: Final = "application/octet-stream"


async def import_workspace_file(effect: Effect, context: EffectContext) -> Outcome:
    """Keep a file as an artifact of the run; the same bytes again are the same artifact."""
    workspace, path = workspace_of(context), path_of(effect.payload, "file_path")
    if workspace is None:
        return no_workspace()
    try:
        content = await asyncio.to_thread(workspace.read, path)
    except NotThere as gone:
        return Failed(NOT_FOUND, str(gone))
    run, name = context.run, path.rpartition("/")[2]
    said = effect.payload.get("content_type")
    content_type = said if isinstance(said, str) and said else guess_type(name)[0] or PLAIN
    artifact = await context.plane.artifacts.put(
        content, owner=run.id, content_type=content_type, at=text_of(context.clock.now()),
        tags={"kind": "workspace_file", "filename": name, "source_path": path},
        made_by=Maker(run.id, run.workflow_id, run.session_id, effect.node_id, context.step_id),
    )  # fmt: skip
    ref = {**_ref(artifact), "filename": name, "run_id": run.id}
    return Ok(
        {
            "artifact": ref,
            "artifact_ref": ref,
            "artifact_id": artifact.id,
            "content_type": content_type,
            "size_bytes": artifact.size_bytes,
            "source_path": path,
        }
    )


async def read_artifact(effect: Effect, context: EffectContext) -> Outcome:
    """Read an artifact: as text and JSON where it is that, else as base64."""
    found = await _found(effect.payload.get("artifact"), context)
    if isinstance(found, Failed):
        return found
    artifact, content = found
    told: dict[str, Json] = {
        "artifact_id": artifact.id,
        "content_type": artifact.content_type,
        "size_bytes": artifact.size_bytes,
        "text": None,
        "json": None,
        "binary_base64": None,
    }
    try:
        told["text"] = content.decode()
    except UnicodeDecodeError:
        return Ok({**told, "is_binary": True, "binary_base64": b64encode(content).decode()})
    if "json" in artifact.content_type:
        try:
            told["json"] = json.loads(content)
        except (ValueError, RecursionError):
            told["json"] = None  # it says that it is, and is not
    return Ok({**told, "is_binary": False})


async def export_artifact(effect: Effect, context: EffectContext) -> Outcome:
    """Write an artifact as a file of the workspace."""
    workspace, path = workspace_of(context), path_of(effect.payload, "file_path")
    if workspace is None:
        return no_workspace()
    found = await _found(effect.payload.get("artifact"), context)
    if isinstance(found, Failed):
        return found
    artifact, content = found
    try:
        await asyncio.to_thread(workspace.write, path, content)
    except NotThere as refused:
        return Failed(NOT_FOUND, str(refused))
    return Ok(
        {
            "bytes": len(content),
            "sha256": sha256(content).hexdigest(),
            "file_path": path,
            "content_type": artifact.content_type,
            "artifact_id": artifact.id,
        }
    )


async def _found(named: Json, context: EffectContext) -> tuple[Artifact, bytes] | Failed:
    """An artifact that the run may read, with its bytes."""
    if isinstance(named, dict):
        named = named.get("$artifact") or named.get("artifact_id")
    if not isinstance(named, str) or not named:
        return Failed(NOT_FOUND, "there is no artifact to read")
    owners = await owners_of(context.plane, context.run)
    try:
        artifact = await context.plane.artifacts.get(ArtifactId(named), owners=owners)
    except ArtifactNotFound:
        return Failed(NOT_FOUND, f"the run has no artifact {named[:80]!r}")
    if artifact.size_bytes > FILE_BYTES_MAX:
        return Failed("too_large", f"the artifact has more than {FILE_BYTES_MAX} bytes")
    return artifact, b"".join([piece async for piece in context.plane.artifacts.read(artifact)])


def _ref(artifact: Artifact) -> dict[str, Json]:
    return {
        "$artifact": artifact.id,
        "artifact_id": artifact.id,
        "content_type": artifact.content_type,
        "sha256": artifact.sha256,
    }
