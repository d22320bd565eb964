"""`ArtifactStore`: rows in SQL, bytes on disk."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from sqlalchemy import bindparam, func, select

from perdure.adapters.disk.content import ContentFolder
from perdure.adapters.sql import commit_rows as sql
from perdure.adapters.sql.dialect import Session, Write
from perdure.adapters.sql.encode import dumps, loads
from perdure.adapters.sql.reader import Reader
from perdure.adapters.sql.statements import Row, Sql, among
from perdure.adapters.sql.tables import artifacts
from perdure.adapters.sql.writer import Writer
from perdure.errors import ArtifactNotFound
from perdure.ids import ArtifactId, derived_id
from perdure.kernel.values import Json
from perdure.stores.artifacts import Artifact

_COLUMNS: Final = tuple(
    artifacts.c[name]
    for name in ("id", "owner", "sha256", "size_bytes", "content_type", "created_at", "tags")
)
_GET: Final = Sql(select(*_COLUMNS).where(artifacts.c.id == bindparam("_id")))
_PAGE: Final = Sql(
    select(*_COLUMNS)
    .where(among(artifacts.c.owner, "owners"))
    .order_by(artifacts.c.created_at.desc(), artifacts.c.id.desc())
    .limit(bindparam("_limit"))
    .offset(bindparam("_offset"))
)
_COUNT: Final = Sql(
    select(func.count()).select_from(artifacts).where(among(artifacts.c.owner, "owners"))
)


class SqlArtifacts:
    """Artifacts of one plane. An id follows from owner and hash, so that a repeat is the same one."""

    def __init__(self, reader: Reader, writer: Writer, content: ContentFolder) -> None:
        """Keep rows by `writer`, bytes in `content`."""
        self._reader, self._writer, self._content = reader, writer, content

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
        digest = await self._reader.run(lambda: self._content.put(content))
        artifact_id = derived_id(owner, digest)
        row = (
            artifact_id, owner, digest, len(content), content_type, at, dumps(dict(tags or {}))
        )  # fmt: skip

        def work(session: Session) -> Row | None:
            session.write([Write(sql.ADD_ARTIFACT, [row])])
            return session.first(_GET, _id=artifact_id)

        kept = await self._writer.work(work)
        assert kept is not None, "it was written in the same transaction"
        return _artifact(kept)

    async def get(
        self, artifact_id: ArtifactId, *, owners: Sequence[str] | None = None
    ) -> Artifact:
        """What is known of it. Raises `ArtifactNotFound`, also where none of `owners` has it."""
        row = await self._reader.read(lambda session: session.first(_GET, _id=artifact_id))
        if row is None or (owners is not None and row[1] not in owners):
            raise ArtifactNotFound
        return _artifact(row)

    async def read(self, artifact: Artifact) -> AsyncIterator[bytes]:
        """The bytes, in pieces; the first comes after all of them were checked against the hash."""
        await self._reader.run(lambda: self._content.check(artifact.sha256))
        pieces = self._content.pieces(artifact.sha256)
        while piece := await self._reader.run(lambda: next(pieces, b"")):
            yield piece

    async def list(
        self, owners: Sequence[str], *, limit: int, offset: int
    ) -> tuple[Sequence[Artifact], int]:
        """A page, newest first, and how many there are."""

        def read(session: Session) -> tuple[Sequence[Artifact], int]:
            rows = session.all(_PAGE, owners=list(owners), _limit=limit, _offset=offset)
            count = session.first(_COUNT, owners=list(owners))
            assert count is not None, "a count is always answered"
            return [_artifact(row) for row in rows], count[0]

        return await self._reader.read(read)


def _artifact(row: Row) -> Artifact:
    artifact_id, owner, digest, size_bytes, content_type, created_at, tags = row
    return Artifact(
        ArtifactId(artifact_id), owner, digest, size_bytes, content_type, created_at, loads(tags)
    )
