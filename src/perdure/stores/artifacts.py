"""Bytes by hash, named from cells, records and sessions."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, NamedTuple, Protocol

from perdure.identity.audit import Entry
from perdure.ids import ArtifactId
from perdure.kernel.values import Json

VALUE: Final = "value"  # the kind of a value that was too large for its cell
ATTACHMENT: Final = "attachment"  # the kind of what somebody sent
TAGS_MAX: Final = 8  # that one search asks for
MODALITIES: Final = ("text", "image", "audio", "video")
TEXTS: Final = frozenset({"application/json", "application/xml", "application/x-ndjson", "application/yaml"})  # fmt: skip
RENDERED: Final[Mapping[str, str]] = {
    "application/json": "json", "application/pdf": "pdf", "text/html": "html", "text/markdown": "markdown",
    "image/svg+xml": "svg",
}  # fmt: skip


class Maker(NamedTuple):
    """Which step of which run made an artifact. `seq` is the number of the record, where there is one."""

    run_id: str
    workflow_id: str
    session_id: str
    node_id: str | None = None
    step_id: str | None = None
    seq: int | None = None


class Artifact(NamedTuple):
    """What is known of an artifact. `owner` is a run id or the name of a session's memory."""

    id: ArtifactId
    owner: str
    sha256: str
    size_bytes: int
    content_type: str
    created_at: str
    tags: Mapping[str, Json] = {}
    made_by: Maker | None = None
    session_id: str | None = None
    kind: str = VALUE


class Named(NamedTuple):
    """How bytes are to be known. What is not `made_by` a run belongs to a session at most."""

    owner: str
    content_type: str
    at: str
    tags: Mapping[str, Json] = {}
    made_by: Maker | None = None
    session_id: str | None = None
    kind: str = VALUE
    entry: Entry | None = None  # goes on to the audit chain, if anything is new
    quota_bytes: int | None = None  # what all artifacts of the runtime may have together


class ArtifactQuery(NamedTuple):
    """Which artifacts to look for. What is `None` is not asked; texts are compared as they are kept.

    `content_type` may end in `/*`. `after` is the cursor of the page before, `tags` are all to be
    there, and `text` is a part of a name, a tag or a kind.
    """

    owner: str | None = None
    run_id: str | None = None
    session_id: str | None = None
    workflow_id: str | None = None
    node_id: str | None = None
    kind: str | None = None
    modality: str | None = None
    render: str | None = None
    content_type: str | None = None
    tags: Mapping[str, str] = {}
    text: str | None = None
    created_after: str | None = None
    created_before: str | None = None
    by_size: bool = False
    ascending: bool = False
    limit: int = 500
    offset: int = 0
    after: str | None = None


class ArtifactPage(NamedTuple):
    """Artifacts, how many there are in all, and the cursor of the next page where there is one.

    Where `complete` is false there are more than `total`, which is as far as they are counted.
    """

    items: Sequence[Artifact]
    total: int
    next: str | None = None
    complete: bool = True


class Counted(NamedTuple):
    """How many artifacts there are that a query is about, and how many of each sort. Lists are bounded.

    Where `complete` is false there are more: these are the newest.
    """

    total: int
    total_bytes: int
    facets: Mapping[str, Mapping[str, int]]
    complete: bool = True


class Swept(NamedTuple):
    """What a sweep took away: bytes that nothing named any more."""

    files: int
    size_bytes: int


class Incoming(Protocol):
    """Bytes on their way in. Until they are kept nothing of them is there, whatever happens."""

    @property
    def size_bytes(self) -> int:
        """How many came so far."""
        ...

    @property
    def head(self) -> bytes:
        """The first of them, by which their type is known."""
        ...

    async def write(self, piece: bytes) -> None:
        """Take the next piece. Raises `StoreFailed`."""
        ...

    async def keep(self, named: Named) -> Artifact:
        """Keep what came. The same bytes under the same owner are the same artifact. Raises `QuotaReached`."""
        ...


class ArtifactStore(Protocol):
    """Artifacts of one runtime. Bytes are on disk before anything names them."""

    async def put(
        self,
        content: bytes,
        *,
        owner: str,
        content_type: str,
        at: str,
        tags: Mapping[str, Json] | None = None,
        made_by: Maker | None = None,
    ) -> Artifact:
        """Keep bytes under an owner. The same bytes under the same owner are the same artifact."""
        ...

    def incoming(self) -> AbstractAsyncContextManager[Incoming]:
        """Take bytes in piece by piece; what is not kept by the end of the block is gone."""
        ...

    async def get(
        self, artifact_id: ArtifactId, *, owners: Sequence[str] | None = None
    ) -> Artifact:
        """What is known of it. Raises `ArtifactNotFound`, also where none of `owners` has it."""
        ...

    def read(
        self, artifact: Artifact, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes from `start` to before `end`, in pieces, all of them checked against the hash.

        Raises `StoreFailed` where they differ.
        """
        ...

    async def list(
        self, owners: Sequence[str], *, limit: int, offset: int
    ) -> tuple[Sequence[Artifact], int]:
        """A page, newest first, and how many there are."""
        ...

    async def search(self, query: ArtifactQuery) -> ArtifactPage:
        """A page of those that a query is about. Raises `Invalid` for what is no cursor."""
        ...

    async def count(self, query: ArtifactQuery) -> Counted:
        """How many a query is about, by sort; its page and its order do not matter."""
        ...

    async def sweep(self, *, before: float) -> Swept:
        """Take bytes away that nothing names: no artifact, no bundle, no run; and what broke off.

        Only what was last put before `before`, in seconds since 1970, so that nothing on its way
        is taken. It goes in pieces, and leaves other readers their turns.
        """
        ...

    async def sweep_due(self) -> float | None:
        """When the next sweep was planned for, in seconds since 1970.

        Zero if none ever was, and `None` where nothing was ever put.
        """
        ...

    async def plan_sweep(self, at: float) -> None:
        """Plan the next sweep in place of any other, for every process that has the plane."""
        ...


def modality_of(content_type: str) -> str:
    """What kind of thing a person sees or hears."""
    plain = content_type.partition(";")[0].strip().lower()
    family = plain.partition("/")[0]
    if family in MODALITIES:
        return family
    return "text" if plain in TEXTS or plain.endswith(("+json", "+xml", "json")) else "binary"


def render_of(content_type: str) -> str:
    """How a client shows it."""
    plain = content_type.partition(";")[0].strip().lower()
    return RENDERED.get(plain) or ("json" if plain.endswith("json") else modality_of(plain))


def words_of(artifact: Artifact) -> str:
    """What a search looks through: a line for each tag, and what it is."""
    lines = [f"{name}={value}" for name, value in artifact.tags.items() if isinstance(value, str | int)]  # fmt: skip
    return "\n".join(["", artifact.kind, artifact.content_type, *lines, ""]).lower()
