"""Artifacts of runs and sessions: listed, shown, and given out piece by piece."""

import re
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from perdure.errors import ArtifactNotFound
from perdure.ids import ArtifactId, RunId, SessionId
from perdure.runtimes.context import RuntimeContext
from perdure.services.history import SNAPSHOT_PREFIX, SNAPSHOT_TYPE, snapshot
from perdure.stores.artifacts import Artifact
from perdure.stores.runs import Header

SESSION_OWNER: Final = "session_memory_"
_PLAIN_SESSION: Final = re.compile(r"[a-zA-Z0-9_-]+")


class ArtifactPage(NamedTuple):
    """Artifacts, newest first, and how many there are."""

    items: Sequence[Artifact]
    total: int
    limit: int
    offset: int


def owner_of(session_id: str) -> str:
    """The name under which a session owns artifacts. Clients compute it too, so it never changes."""
    if _PLAIN_SESSION.fullmatch(session_id):
        return f"{SESSION_OWNER}{session_id}"
    return f"{SESSION_OWNER}sha_{sha256(session_id.encode()).hexdigest()[:32]}"


async def of_session(
    runtime: RuntimeContext, session_id: SessionId, *, limit: int, offset: int
) -> ArtifactPage:
    """The artifacts of a session; none where nobody has heard of it."""
    return await _page(runtime, [owner_of(session_id)], limit, offset)


async def of_run(runtime: RuntimeContext, owner: RunId, *, limit: int, offset: int) -> ArtifactPage:
    """The artifacts of a run, or of a session by its owner's name. Raises `RunNotFound`."""
    if not owner.startswith(SESSION_OWNER):
        await runtime.plane.runs.header(owner)
    return await _page(runtime, [owner], limit, offset)


async def _page(
    runtime: RuntimeContext, owners: Sequence[str], limit: int, offset: int
) -> ArtifactPage:
    items, total = await runtime.plane.artifacts.list(owners, limit=limit, offset=offset)
    return ArtifactPage(items, total, limit, offset)


async def get(runtime: RuntimeContext, owner: RunId, artifact_id: ArtifactId) -> Artifact:
    """What is known of an artifact of a run or of its session. Raises `RunNotFound`, `ArtifactNotFound`."""
    if owner.startswith(SESSION_OWNER):
        return await runtime.plane.artifacts.get(artifact_id, owners=[owner])
    header = await runtime.plane.runs.header(owner)
    if artifact_id.startswith(SNAPSHOT_PREFIX):
        return (await _snapshot(runtime, header, artifact_id))[0]
    owners = [owner, owner_of(header.birth.session_id)]
    return await runtime.plane.artifacts.get(artifact_id, owners=owners)


async def content(
    runtime: RuntimeContext, owner: RunId, artifact_id: ArtifactId
) -> tuple[Artifact, AsyncIterator[bytes]]:
    """An artifact and its bytes, checked against their hash. Raises as `get` does."""
    artifact = await get(runtime, owner, artifact_id)
    if artifact_id.startswith(SNAPSHOT_PREFIX):
        header = await runtime.plane.runs.header(owner)
        return artifact, _once((await _snapshot(runtime, header, artifact_id))[1])
    return artifact, runtime.plane.artifacts.read(artifact)


async def _snapshot(
    runtime: RuntimeContext, header: Header, artifact_id: ArtifactId
) -> tuple[Artifact, bytes]:
    """The flow of a run, which its bundle keeps, in the form of an artifact."""
    found = await snapshot(runtime, header)
    if found is None or found.artifact_id != artifact_id:
        raise ArtifactNotFound
    birth = header.birth
    return Artifact(
        id=artifact_id, owner=birth.id, sha256=found.sha256, size_bytes=len(found.content),
        content_type=SNAPSHOT_TYPE, created_at=birth.created_at, tags={"kind": "workflow_snapshot"},
    ), found.content  # fmt: skip


async def _once(piece: bytes) -> AsyncIterator[bytes]:
    yield piece
