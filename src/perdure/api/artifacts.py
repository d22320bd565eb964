"""`/runs/…/artifacts`, `/sessions/…/artifacts`, `/attachments`: what runs and sessions own in bytes."""

from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from perdure.api.deps import CurrentRuntime, EntryInside, NewCommand, require
from perdure.api.forms import IncomingForm
from perdure.api.ranges import part_of
from perdure.api.routing import answers, collaborators_of, json_of, refusals, resource
from perdure.api.schemas import artifacts as shown
from perdure.api.schemas.fields import ArtifactIdPath, RunIdPath, SessionIdPath
from perdure.services import artifacts

router = resource("artifacts")

Access = Literal["content", "preview", "download"]
PARTS: Final[dict[int | str, dict[str, Any]]] = {
    206: {"description": "The part that was asked for", "content": {"*/*": {}}}
}


async def bounds_of(request: Request) -> artifacts.Bounds:
    """How much may be sent."""
    settings = collaborators_of(request).settings
    return artifacts.Bounds(settings.attachment_bytes_max, settings.artifact_quota_bytes)


async def form_of(request: Request) -> IncomingForm:
    """The form that a request brings, not yet read. Raises `UnknownMedia`."""
    return IncomingForm(request, collaborators_of(request).settings.attachment_bytes_max)


CurrentBounds = Annotated[artifacts.Bounds, Depends(bounds_of)]
CurrentForm = Annotated[IncomingForm, Depends(form_of)]


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
    responses=refusals(404, 416) | PARTS,
    response_class=shown.Bytes,
)
async def read_artifact_content(
    run_id: RunIdPath,
    artifact_id: ArtifactIdPath,
    runtime: CurrentRuntime,
    access: Access = "content",
    range: Annotated[str | None, Header(description="One part of the bytes, `bytes=0-99`")] = None,
    if_range: Annotated[str | None, Header(description="The ETag that the part is of")] = None,
) -> Response:
    """Give the bytes of an artifact, or one part of them."""
    artifact = await artifacts.get(runtime, run_id, artifact_id)
    part = part_of(range, if_range, shown.etag_of(artifact), artifact.size_bytes)
    pieces = await artifacts.content(runtime, run_id, artifact, part.start, part.end)
    headers = shown.headers_of(artifact, access) | part.headers(artifact.size_bytes)
    return StreamingResponse(pieces, 200 if part.whole else 206, headers)


@router.get(
    "/artifacts/search",
    dependencies=[require("artifact:read")],
    responses=answers(shown.FoundArtifacts),
)
async def search_artifacts(
    asked: Annotated[shown.SearchArtifacts, Query()], runtime: CurrentRuntime
) -> Response:
    """Look for artifacts of all runs and sessions, of one run or of one session."""
    found = await artifacts.search(runtime, asked.page(), counted=asked.include_stats)
    return json_of(shown.found_of(*found, asked))


@router.get(
    "/artifacts/stats",
    dependencies=[require("artifact:read")],
    responses=answers(shown.ArtifactStats),
)
async def count_artifacts(
    asked: Annotated[shown.FilterArtifacts, Query()], runtime: CurrentRuntime
) -> Response:
    """Say how many artifacts there are, and how many of each sort."""
    return json_of(shown.stats_of(await artifacts.stats(runtime, asked.wanted()), asked))


@router.post(
    "/attachments/upload",
    dependencies=[require("artifact:write")],
    responses=answers(shown.Uploaded, body=True),
    openapi_extra=shown.UPLOAD_BODY,
)
async def upload_attachment(
    form: CurrentForm, bounds: CurrentBounds, runtime: CurrentRuntime, key: NewCommand, entry: EntryInside
) -> Response:  # fmt: skip
    """Keep a file for a session. It is read piece by piece; of one that breaks off nothing is kept."""
    return json_of(shown.uploaded_of(await artifacts.receive(runtime, form, bounds, key, entry)))


@router.get(
    "/workspace/policy",
    dependencies=[require("artifact:read")],
    responses=answers(shown.WorkspacePolicy),
)
async def read_workspace_policy(bounds: CurrentBounds) -> Response:
    """Say where runs may read and write files, and how much may be sent."""
    return json_of(shown.policy_of(bounds))
