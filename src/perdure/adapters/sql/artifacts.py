"""`ArtifactStore`: rows in SQL, bytes on disk."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import bindparam, func, select

from perdure.adapters.content import Content
from perdure.adapters.disk.receiving import Receiving
from perdure.adapters.sql import commit_rows as sql
from perdure.adapters.sql.artifact_rows import COLUMNS, artifact_of, row_of
from perdure.adapters.sql.artifact_search import Searches
from perdure.adapters.sql.audit_pending import SqlPlaneAudit, keep
from perdure.adapters.sql.dialect import Session, Write
from perdure.adapters.sql.reader import Reader
from perdure.adapters.sql.statements import Row, Sql, among
from perdure.adapters.sql.tables import artifacts, bundles, runs
from perdure.adapters.sql.writer import Writer
from perdure.errors import ArtifactNotFound, QuotaReached, StoreFailed
from perdure.ids import ArtifactId, derived_id
from perdure.kernel.values import Json
from perdure.stores.artifacts import (
    Artifact,
    ArtifactPage,
    ArtifactQuery,
    Counted,
    Maker,
    Named,
    Swept,
)

T = TypeVar("T")
SWEPT_AT_ONCE: Final = 500  # hashes that are asked about in one look

_GET: Final = Sql(select(*COLUMNS).where(artifacts.c.id == bindparam("_id")))
_PAGE: Final = Sql(
    select(*COLUMNS)
    .where(among(artifacts.c.owner, "owners"))
    .order_by(artifacts.c.created_at.desc(), artifacts.c.id.desc())
    .limit(bindparam("_limit"))
    .offset(bindparam("_offset"))
)
_COUNT: Final = Sql(
    select(func.count()).select_from(artifacts).where(among(artifacts.c.owner, "owners"))
)
_USED: Final = Sql(select(func.coalesce(func.sum(artifacts.c.size_bytes), 0)))
_NAMING: Final = tuple(
    Sql(select(column).distinct().where(among(column, "digests")))
    for column in (artifacts.c.sha256, bundles.c.sha256, runs.c.program_bundle)
)


class SqlIncoming:
    """Bytes on their way into one plane."""

    def __init__(self, store: "SqlArtifacts", received: Receiving) -> None:
        """Write to `received`, and have it kept by `store`."""
        self._store, self._received = store, received

    @property
    def size_bytes(self) -> int:
        """How many came so far."""
        return self._received.size_bytes

    @property
    def head(self) -> bytes:
        """The first of them."""
        return self._received.head

    async def write(self, piece: bytes) -> None:
        """Take the next piece. Raises `StoreFailed`."""
        try:
            await self._store.reader.run(lambda: self._received.write(piece))
        except OSError as failed:
            raise StoreFailed(f"the disk did not take an artifact: {failed.strerror}") from failed

    async def keep(self, named: Named) -> Artifact:
        """Keep what came. Raises `QuotaReached`."""
        size = self._received.size_bytes
        await self._store.check_room(self._received.digest, size, named)
        content = self._store.content
        digest = await self._store.reader.run(lambda: content.keep(self._received))
        return await self._store.name(digest, size, named)


class SqlArtifacts:
    """Artifacts of one plane. An id follows from owner and hash, so that a repeat is the same one."""

    def __init__(
        self, reader: Reader, writer: Writer, content: Content, audit: SqlPlaneAudit
    ) -> None:
        """Keep rows by `writer`, bytes in `content`."""
        self.reader, self.content = reader, content
        self._writer, self._audit = writer, audit
        self._searches = Searches()

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
        digest = await self.reader.run(lambda: self.content.put(content))
        kind = str((tags or {}).get("kind") or "artifact")
        session_id = None if made_by is None else made_by.session_id
        named = Named(owner, content_type, at, tags or {}, made_by, session_id, kind)
        return await self.name(digest, len(content), named)

    async def name(self, digest: str, size_bytes: int, named: Named) -> Artifact:
        """Name bytes that the disk has. Raises `QuotaReached`."""
        artifact = Artifact(
            ArtifactId(derived_id(named.owner, digest)), named.owner, digest, size_bytes, named.content_type,
            named.at, named.tags, named.made_by, named.session_id, named.kind,
        )  # fmt: skip
        entry = None if named.entry is None else named.entry._replace(target=artifact.id)

        def work(session: Session) -> Row:
            before = session.first(_GET, _id=artifact.id)
            if before is not None:
                return before
            if named.quota_bytes is not None:
                _check_room(session, size_bytes, named.quota_bytes)
            session.write([Write(sql.ADD_ARTIFACT, [row_of(artifact)])])
            keep(session, entry)
            kept = session.first(_GET, _id=artifact.id)
            assert kept is not None, "it was written in the same transaction"
            return kept

        if entry is None:
            return artifact_of(await self._writer.work(work))
        row = await self._writer.work(work, due=entry.at, at=entry.at)
        self._audit.kept(entry)
        return artifact_of(row)

    async def check_room(self, digest: str, size_bytes: int, named: Named) -> None:
        """Raises `QuotaReached` where it is new and too much; asked again when it is named."""
        quota, artifact_id = named.quota_bytes, derived_id(named.owner, digest)

        def check(session: Session) -> None:
            if quota is not None and session.first(_GET, _id=artifact_id) is None:
                _check_room(session, size_bytes, quota)

        await self.reader.read(check)

    @asynccontextmanager
    async def incoming(self) -> AsyncIterator[SqlIncoming]:
        """Take bytes in piece by piece; what is not kept by the end of the block is gone."""
        received = await self.reader.run(self.content.receive)
        try:
            yield SqlIncoming(self, received)
        finally:
            received.close()  # at once: whoever is cancelled here does not wait

    async def get(
        self, artifact_id: ArtifactId, *, owners: Sequence[str] | None = None
    ) -> Artifact:
        """What is known of it. Raises `ArtifactNotFound`, also where none of `owners` has it."""
        row = await self.reader.read(lambda session: session.first(_GET, _id=artifact_id))
        if row is None or (owners is not None and row[1] not in owners):
            raise ArtifactNotFound
        return artifact_of(row)

    async def read(
        self, artifact: Artifact, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes, in pieces; the first comes after all of them were checked against the hash."""
        await self.reader.run(lambda: self.content.check(artifact.sha256))
        pieces = self.content.pieces(artifact.sha256, start, end)
        while piece := await self.reader.run(lambda: next(pieces, b"")):
            yield piece

    async def list(
        self, owners: Sequence[str], *, limit: int, offset: int
    ) -> tuple[Sequence[Artifact], int]:
        """A page, newest first, and how many there are."""

        def read(session: Session) -> tuple[Sequence[Artifact], int]:
            rows = session.all(_PAGE, owners=list(owners), _limit=limit, _offset=offset)
            count = session.first(_COUNT, owners=list(owners))
            assert count is not None, "a count is always answered"
            return [artifact_of(row) for row in rows], count[0]

        return await self.reader.read(read)

    async def search(self, query: ArtifactQuery) -> ArtifactPage:
        """A page of those that a query is about. Raises `Invalid`."""
        return await self.reader.read(lambda session: self._searches.page(session, query))

    async def count(self, query: ArtifactQuery) -> Counted:
        """How many a query is about, by sort."""
        return await self.reader.read(lambda session: self._searches.count(session, query))

    async def sweep(self, *, before: float) -> Swept:
        """Take bytes away that nothing names."""
        folders = self.content.old(before)
        files = size = 0
        while (old := await self._on_disk(lambda: next(folders, None))) is not None:
            for at in range(0, len(old), SWEPT_AT_ONCE):
                some = old[at : at + SWEPT_AT_ONCE]
                named = await self.reader.read(partial(_named, digests=some))
                gone = [digest for digest in some if digest not in named]
                taken = await self._on_disk(partial(self.content.remove, gone, before))
                files, size = files + taken[0], size + taken[1]
        return Swept(files, size)

    async def sweep_due(self) -> float | None:
        """When the next sweep was planned for."""
        return await self._on_disk(self.content.sweep_due)

    async def plan_sweep(self, at: float) -> None:
        """Plan the next sweep."""
        await self._on_disk(lambda: self.content.plan_sweep(at))

    async def _on_disk(self, work: Callable[[], T]) -> T:
        """Have a thread look after the bytes. Raises `StoreFailed`."""
        try:
            return await self.reader.run(work)
        except OSError as failed:
            raise StoreFailed(f"the disk was not swept: {failed.strerror}") from failed


def _named(session: Session, digests: Sequence[str]) -> set[str]:
    """Those of the hashes that something names."""
    return {row[0] for naming in _NAMING for row in session.all(naming, digests=list(digests))}


def _check_room(session: Session, size_bytes: int, quota_bytes: int) -> None:
    used = session.first(_USED)
    assert used is not None, "a sum is always answered"
    if int(used[0]) + size_bytes > quota_bytes:
        raise QuotaReached(
            f"The artifacts of this runtime may have {quota_bytes} bytes together.",
            quota_bytes=quota_bytes, used_bytes=int(used[0]),
        )  # fmt: skip
