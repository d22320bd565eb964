"""Bytes by hash, named from cells, records and sessions."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from perdure.ids import ArtifactId
from perdure.kernel.values import Json


class Artifact(NamedTuple):
    """What is known of an artifact. `owner` is a run id or the name of a session's memory."""

    id: ArtifactId
    owner: str
    sha256: str
    size_bytes: int
    content_type: str
    created_at: str
    tags: Mapping[str, Json] = {}


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
    ) -> Artifact:
        """Keep bytes under an owner. The same bytes under the same owner are the same artifact."""
        ...

    async def get(
        self, artifact_id: ArtifactId, *, owners: Sequence[str] | None = None
    ) -> Artifact:
        """What is known of it. Raises `ArtifactNotFound`, also where none of `owners` has it."""
        ...

    def read(self, artifact: Artifact) -> AsyncIterator[bytes]:
        """The bytes, in pieces, checked against the hash. Raises `StoreFailed` where they differ."""
        ...

    async def list(
        self, owners: Sequence[str], *, limit: int, offset: int
    ) -> tuple[Sequence[Artifact], int]:
        """A page, newest first, and how many there are."""
        ...
