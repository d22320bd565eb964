"""`BundleStore`: rows in SQL, bytes on disk, where they stay."""

from collections.abc import Callable, Sequence
from hashlib import sha256 as hash_of
from typing import Final, TypeVar

from sqlalchemy import bindparam, delete, select, update

from perdure.adapters.content import Content
from perdure.adapters.sql.audit_pending import SqlPlaneAudit, keep
from perdure.adapters.sql.commit_rows import ADD_MESSAGE, at_most_once
from perdure.adapters.sql.counters import INBOX, take
from perdure.adapters.sql.dialect import Session, Write
from perdure.adapters.sql.encode import dumps, loads
from perdure.adapters.sql.reader import Reader
from perdure.adapters.sql.statements import Row, Sql
from perdure.adapters.sql.tables import UNENDED, bundles, runs
from perdure.adapters.sql.writer import Mailed, Writer
from perdure.errors import BundleExists, BundleNotFound, Deprecated, DigestMismatch, StoreFailed
from perdure.identity.audit import Entry
from perdure.ids import BundleSha, RunId
from perdure.kernel.model import ProgramRef
from perdure.kernel.values import Json
from perdure.stores.bundles import Installed, Word, mark_of

T = TypeVar("T")

_NAMES: Final = (
    "bundle_id", "bundle_version", "sha256", "size_bytes", "created_at", "installed_at", "manifest",
    "deprecated", "shipped",
)  # fmt: skip
_COLUMNS: Final = tuple(bundles.c[name] for name in _NAMES)
_THIS: Final = (
    bundles.c.bundle_id == bindparam("_id"),
    bundles.c.bundle_version == bindparam("_version"),
)
_ALL: Final = Sql(select(*_COLUMNS).order_by(bundles.c.bundle_id, bundles.c.bundle_version))
_VERSIONS: Final = Sql(
    select(*_COLUMNS)
    .where(bundles.c.bundle_id == bindparam("_id"))
    .order_by(bundles.c.bundle_version)
)
_GET: Final = Sql(select(*_COLUMNS).where(*_THIS))
_ADD: Final = at_most_once(bundles, _NAMES)  # two processes may begin at once
_REMOVE: Final = Sql(delete(bundles).where(*_THIS))
_REMOVE_ALL: Final = Sql(delete(bundles).where(bundles.c.bundle_id == bindparam("_id")))
# The locks have two marks at one moment, and a mark and a birth that may have none, see each other.
_MARKED: Final = Sql(
    select(bundles.c.bundle_version, bundles.c.sha256, bundles.c.deprecated)
    .where(bundles.c.bundle_id == bindparam("_id"))
    .order_by(bundles.c.bundle_version)
    .with_for_update()
)
_MARKS: Final = Sql(
    select(bundles.c.deprecated)
    .where(bundles.c.sha256 == bindparam("sha256"))
    .with_for_update(read=True)
)
_PINNED: Final = Sql(
    select(runs.c.id).where(
        UNENDED, runs.c.program_kind == bindparam("kind"), runs.c.program_bundle == bindparam("sha256")
    )
)  # fmt: skip
REMEMBERED_MAX: Final = 64  # bundles whose versions are not read again
_MARK: Final = Sql(update(bundles).where(*_THIS).values(deprecated=bindparam("marks")))


class SqlBundles:
    """Bundles of one plane."""

    def __init__(
        self, reader: Reader, writer: Writer, content: Content, audit: SqlPlaneAudit, *, alone: bool = False
    ) -> None:  # fmt: skip
        """Keep rows by `writer`, bytes in `content`; where the plane is held `alone`, remember what was read."""
        self._reader, self._writer, self._content = reader, writer, content
        self._audit = audit
        self._alone = alone
        self._changes = 0
        self._versions: dict[str, Sequence[Installed]] = {}

    async def install(
        self,
        content: bytes,
        facts: Installed,
        *,
        overwrite: bool = False,
        entry: Entry | None = None,
        word: Word | None = None,
    ) -> tuple[Installed, bool]:
        """Keep a bundle; whether it was new. Raises `BundleExists`."""
        await self.keep(content, facts.sha256)

        def work(session: Session) -> Mailed[tuple[Installed, bool]]:
            row = session.first(_GET, _id=facts.bundle_id, _version=facts.bundle_version)
            if row is not None:
                before = _installed(row)
                if before.sha256 == facts.sha256:
                    return Mailed((before, False), ())
                if not overwrite:
                    raise BundleExists(sha256=before.sha256)
                session.run(_REMOVE, _id=facts.bundle_id, _version=facts.bundle_version)
            session.write([Write(_ADD, [_row(facts)])])
            stands = session.first(_GET, _id=facts.bundle_id, _version=facts.bundle_version)
            if stands is None or _installed(stands).sha256 != facts.sha256:
                raise BundleExists  # another process put other bytes there at the same moment
            told = [] if word is None else _tell(session, facts.sha256, word, facts.deprecated)
            keep(session, entry)
            return Mailed((facts, True), tuple(told))

        return await self._changed(work, entry, word)

    async def _changed(
        self,
        work: Callable[[Session], T | Mailed[T]],
        entry: Entry | None,
        word: Word | None = None,
    ) -> T:
        """Change something, with what the audit is to know of it."""
        at = "" if entry is None else entry.at
        at = at if word is None else word.at
        changed: T = await self._writer.work(work, due=at or None, at=at, then=self._forget)
        self._audit.kept(entry)
        return changed

    def _forget(self) -> None:
        """Read again what was read before, and what is being read just now."""
        self._changes += 1
        self._versions.clear()

    async def list(self, bundle_id: str | None = None) -> Sequence[Installed]:
        """All installed bundles, or the versions of one, by id and then version."""
        if bundle_id is None:
            return await self._read(lambda session: session.all(_ALL))
        known, changes = self._versions.get(bundle_id), self._changes
        if known is None:
            known = await self._read(lambda session: session.all(_VERSIONS, _id=bundle_id))
            if self._alone and known and changes == self._changes:
                if len(self._versions) >= REMEMBERED_MAX:
                    self._versions.clear()
                self._versions[bundle_id] = known
        return known

    async def _read(self, read: Callable[[Session], Sequence[Row]]) -> Sequence[Installed]:
        return [_installed(row) for row in await self._reader.read(read)]

    async def content(self, sha256: BundleSha) -> bytes:
        """The bytes, checked against their hash. Raises `BundleNotFound`."""
        if not await self._reader.run(lambda: self._content.has(sha256)):
            raise BundleNotFound
        return await self._reader.run(lambda: self._content.get(sha256))

    async def check(self, sha256: BundleSha) -> None:
        """Raises `DigestMismatch` where the bytes are gone or are not what was installed."""
        if self._content.unchanged(sha256):
            return
        try:
            await self._reader.run(lambda: self._content.check(sha256))
        except StoreFailed as wrong:
            raise DigestMismatch(sha256=sha256) from wrong

    async def keep(self, content: bytes, sha256: BundleSha) -> None:
        """Keep bytes that a run is about to be pinned to. Twice is as good as once."""
        if hash_of(content).hexdigest() != sha256:
            raise StoreFailed("the bytes of the bundle are not those of its hash")
        await self._reader.run(lambda: self._content.put(content))

    async def remove(
        self, bundle_id: str, bundle_version: str | None, *, entry: Entry | None = None
    ) -> int:
        """Take versions off the list; the bytes stay. How many."""

        def work(session: Session) -> int:
            if bundle_version is None:
                removed = session.run(_REMOVE_ALL, _id=bundle_id)
            else:
                removed = session.run(_REMOVE, _id=bundle_id, _version=bundle_version)
            keep(session, entry if removed else None)
            return removed

        return await self._changed(work, entry)

    async def deprecate(
        self, bundle_id: str, flow_id: str, mark: Json | None, word: Word, *, entry: Entry | None = None
    ) -> bool:  # fmt: skip
        """Set (or take away) the mark on a flow of every version, and tell who is to know; whether anything changed."""

        def work(session: Session) -> Mailed[bool]:
            changed = False
            told: list[RunId] = []
            for version, sha256, deprecated in session.all(_MARKED, _id=bundle_id):
                marks = loads(deprecated)
                if marks.get(flow_id) == mark:
                    continue
                changed = True
                if mark is None:
                    del marks[flow_id]
                else:
                    marks[flow_id] = mark
                session.run(_MARK, _id=bundle_id, _version=version, marks=dumps(marks))
                told += _tell(session, sha256, word, marks)
            keep(session, entry if changed else None)
            return Mailed(changed, tuple(told))

        return await self._changed(work, entry, word)


def _tell(session: Session, sha256: str, word: Word, marks: Json) -> list[RunId]:
    """Leave a message for each run that is to know of the marks; which they are."""
    pinned = [RunId(row[0]) for row in session.all(_PINNED, kind=word.kind, sha256=sha256)]
    if not pinned:
        return []
    body, first = dumps({"do": word.do, "marks": marks}), take(session, INBOX, len(pinned))
    session.write([Write(ADD_MESSAGE, [
        (f"marks:{number}", number, run_id, "told", None, None, "", None, word.at, "pending", None, None, None, body)
        for number, run_id in enumerate(pinned, start=first)
    ])])  # fmt: skip
    return pinned


def hold_marks(session: Session, programs: Sequence[ProgramRef]) -> None:
    """Have flows stay without a mark until what is pinned to them is there. Raises `Deprecated`."""
    for program in programs:
        for (marks,) in session.all(_MARKS, sha256=program.bundle):
            if mark_of(loads(marks), program.name):
                raise Deprecated(f"{program.name} is deprecated.")


def _row(facts: Installed) -> Row:
    return (
        facts.bundle_id, facts.bundle_version, facts.sha256, facts.size_bytes, facts.created_at,
        facts.installed_at, dumps(facts.manifest), dumps(dict(facts.deprecated)), int(facts.shipped),
    )  # fmt: skip


def _installed(row: Row) -> Installed:
    bundle_id, version, sha, size_bytes, created_at, installed_at, manifest, deprecated, shipped = (
        row
    )
    return Installed(
        bundle_id, version, BundleSha(sha), size_bytes, created_at, installed_at, loads(manifest),
        loads(deprecated), bool(shipped),
    )  # fmt: skip
