"""`/runs/…/artifacts`, `/sessions/…/artifacts`: what runs and sessions own in bytes."""

from typing import Annotated, Literal

from fastapi import Query
from starlette.responses import Response, StreamingResponse

from perdure.api.deps import CurrentRuntime, require
from perdure.api.routing import answers, json_of, refusals, resource
from perdure.api.schemas import artifacts as shown
from perdure.api.schemas.fields import ArtifactIdPath, RunIdPath, SessionIdPath
from perdure.services import artifacts

router = resource("artifacts")

Access = Literal["content", "preview", "download"]


@router.get(
    "/sessions/{session_id}/artifacts",
    dependencies=[require("artifact:read")],
    responses=answers(shown.ArtifactList),
)
async def list_session_artifacts(
    session_id: SessionIdPath, page: Annotated[shown.AskArtifacts, Query()], runtime: CurrentRuntime
) -> Response:
    """List what a session owns, newest first; of an unknown session, nothing."""
    found = await artifacts.of_session(runtime, session_id, limit=page.limit, offset=page.offset)
    return json_of(shown.page_of(found))


@router.get(
    "/runs/{run_id}/artifacts",
    dependencies=[require("artifact:read")],
    responses=answers(shown.ArtifactList, 404),
)
async def list_run_artifacts(
    run_id: RunIdPath, page: Annotated[shown.AskArtifacts, Query()], runtime: CurrentRuntime
) -> Response:
    """List what a run owns, newest first. `session_memory_…` names a session as the owner."""
    found = await artifacts.of_run(runtime, run_id, limit=page.limit, offset=page.offset)
    return json_of(shown.page_of(found))


@router.get(
    "/runs/{run_id}/artifacts/{artifact_id}",
    dependencies=[require("artifact:read")],
    responses=answers(shown.ArtifactItem, 404),
)
async def read_artifact(
    run_id: RunIdPath, artifact_id: ArtifactIdPath, runtime: CurrentRuntime
) -> Response:
    """Say what is known of an artifact of a run or of its session."""
    return json_of(shown.metadata_of(await artifacts.get(runtime, run_id, artifact_id)))


@router.get(
    "/runs/{run_id}/artifacts/{artifact_id}/content",
    dependencies=[require("artifact:read")],
    responses=refusals(404),
    response_class=shown.Bytes,
)
async def read_artifact_content(
    run_id: RunIdPath,
    artifact_id: ArtifactIdPath,
    runtime: CurrentRuntime,
    access: Access = "content",
) -> Response:
    """Give the bytes of an artifact."""
    artifact, pieces = await artifacts.content(runtime, run_id, artifact_id)
    return StreamingResponse(pieces, headers=shown.headers_of(artifact, access))
