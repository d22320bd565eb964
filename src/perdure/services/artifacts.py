"""Artifacts of runs and sessions: taken in, listed, looked for, and given out piece by piece."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

from perdure.clock import text_of
from perdure.errors import ArtifactNotFound, DuplicateCommand, KeyReused, RunNotFound, Unfit
from perdure.identity.audit import Entry
from perdure.ids import ArtifactId, RunId, SessionId
from perdure.kernel.model import Birth
from perdure.kernel.values import Json
from perdure.runtimes.context import RuntimeContext
from perdure.services.history import SNAPSHOT_PREFIX, SNAPSHOT_TYPE, snapshot
from perdure.services.media_types import media_type_of
from perdure.stores.artifacts import ATTACHMENT, Artifact, ArtifactQuery, Counted, Named
from perdure.stores.inbox import Message
from perdure.stores.plane import Plane
from perdure.stores.runs import Header

SESSION_OWNER: Final = "session_memory_"
SESSION_LETTERS_MAX: Final = 256
FILENAME_LETTERS_MAX: Final = 255
ORIGINS: Final = "rt/origins"  # where a fork of a fork keeps whose artifacts its origin may read
FORKS_MAX: Final = 100  # runs, one forked from the other, that are looked through
_PLAIN_SESSION: Final = re.compile(r"[a-zA-Z0-9_-]+")


class ArtifactPage(NamedTuple):
    """Artifacts in their order, how many there are, and the cursor of the next page where it is known.

    Where `complete` is false there are more than `total`.
    """

    items: Sequence[Artifact]
    total: int
    limit: int
    offset: int
    next: str | None = None
    complete: bool = True


class Sent(NamedTuple):
    """What came with a file: the fields of its form, and what its sender says that it is."""

    fields: Mapping[str, str]
    filename: str | None
    content_type: str | None


class Form(Protocol):
    """A form on its way in, with a file in it."""

    async def into(self, write: Callable[[bytes], Awaitable[None]]) -> Sent:
        """Hand the file on piece by piece; then what came with it."""
        ...


class Bounds(NamedTuple):
    """How much may be sent."""

    file_bytes_max: int
    quota_bytes: int


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


async def search(
    runtime: RuntimeContext, query: ArtifactQuery, *, counted: bool
) -> tuple[ArtifactPage, Counted | None]:
    """Artifacts that a query is about, and where it is wished how many of each sort. Raises `Invalid`."""
    found = await runtime.plane.artifacts.search(query)
    page = ArtifactPage(
        found.items, found.total, query.limit, query.offset, found.next, found.complete
    )
    return page, await stats(runtime, query) if counted else None


async def stats(runtime: RuntimeContext, query: ArtifactQuery) -> Counted:
    """How many artifacts a query is about, and how many of each sort."""
    return await runtime.plane.artifacts.count(query)


async def receive(
    runtime: RuntimeContext, form: Form, bounds: Bounds, key: str | None, entry: Entry | None
) -> Artifact:
    """Keep a file that is sent to a session. Of one that breaks off nothing is kept.

    The same file for the same session is the same artifact. Raises `Unfit`, `TooLarge`,
    `QuotaReached`, and `KeyReused` where `key` came before with another file.
    """
    async with runtime.plane.artifacts.incoming() as incoming:
        sent = await form.into(incoming.write)
        session_id = sent.fields.get("session_id", "")
        if not 0 < len(session_id) <= SESSION_LETTERS_MAX:
            raise Unfit("session_id: the form has none, or too long a one.")
        filename = _filename(sent.fields.get("filename") or sent.filename)
        said = sent.fields.get("content_type") or sent.content_type
        at = text_of(runtime.clock.now())
        named = Named(
            owner_of(session_id), media_type_of(incoming.head, said, filename), at,
            _tags(sent, session_id, filename), session_id=session_id, kind=ATTACHMENT, quota_bytes=bounds.quota_bytes,
            entry=None if entry is None else entry._replace(at=at, facts={"change": "upload"}),
        )  # fmt: skip
        kept = await incoming.keep(named)
    if key is not None:
        await _take_key(runtime, key, kept, at)
    return kept


def _filename(said: str | None) -> str | None:
    """The last part of a name, whichever system it comes from."""
    name = re.split(r"[/\\]", said or "")[-1].strip()
    return "".join(it for it in name if it.isprintable())[:FILENAME_LETTERS_MAX] or None


def _tags(sent: Sent, session_id: str, filename: str | None) -> dict[str, Json]:
    source_path = sent.fields.get("source_path") or (f"client:{filename}" if filename else None)
    told = {
        "kind": ATTACHMENT, "target": "client", "source": "upload", "path": source_path, "filename": filename,
        "session_id": session_id,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


async def _take_key(runtime: RuntimeContext, key: str, kept: Artifact, at: str) -> None:
    """Write down what a key stands for, once; keeping again what is there does nothing anyway."""
    message = Message(f"attachment:{key}", RunId(""), "upload")
    try:
        await runtime.plane.inbox.put(message, body_hash=kept.id, at=at, disposition="applied")
    except DuplicateCommand as duplicate:
        raise KeyReused from duplicate


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
    owners = await owners_of(runtime.plane, header.birth)
    return await runtime.plane.artifacts.get(artifact_id, owners=owners)


async def owners_of(plane: Plane, birth: Birth) -> list[str]:
    """Whose artifacts a run may read: its own, its root's, its session's, and those of what these were forked from."""
    owners: dict[str, None] = {}
    births, known = [birth], {birth.id}
    for one in births:  # grows while it is walked
        above = [one.root_id] if one.forked_from is None else [one.root_id, one.forked_from.run_id]
        owners |= dict.fromkeys((one.id, owner_of(one.session_id), *above))
        is_forked = one.guard is not None  # or below one that is
        for run_id in above:
            if is_forked and run_id not in known and len(known) < FORKS_MAX:
                known.add(run_id)
                try:
                    births.append((await plane.runs.header(run_id)).birth)
                except RunNotFound:  # it was purged, or stayed elsewhere; what it made may be here
                    owners |= dict.fromkeys(await _origins_of(plane, one))
    return list(owners)


async def _origins_of(plane: Plane, birth: Birth) -> list[str]:
    """Whose artifacts the run could read that a fork is of, as the fork has kept it."""
    if birth.forked_from is None:
        return []
    kept = (await plane.runs.state(birth.id, 0)).get(ORIGINS)
    return [it for it in kept if isinstance(it, str)] if isinstance(kept, list) else []


async def content(
    runtime: RuntimeContext, owner: RunId, artifact: Artifact, start: int, end: int
) -> AsyncIterator[bytes]:
    """The bytes of an artifact from `start` to before `end`, all of them checked against their hash."""
    if artifact.id.startswith(SNAPSHOT_PREFIX):
        header = await runtime.plane.runs.header(owner)
        return _once((await _snapshot(runtime, header, artifact.id))[1][start:end])
    return runtime.plane.artifacts.read(artifact, start=start, end=end)


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
