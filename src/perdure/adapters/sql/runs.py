"""`RunStore` in SQL."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy import bindparam, select, update

from perdure.adapters.content import Content
from perdure.adapters.sql.adopt import adoption
from perdure.adapters.sql.audit_pending import SqlPlaneAudit
from perdure.adapters.sql.dialect import Session, Write
from perdure.adapters.sql.lists import SHOW_ONE, RunLists, headers_of, rows_of
from perdure.adapters.sql.loading import Loading
from perdure.adapters.sql.reader import Reader
from perdure.adapters.sql.statements import Rows, Sql
from perdure.adapters.sql.tables import BORN, UNENDED, inbox, ledger, runs
from perdure.adapters.sql.verify import verify
from perdure.adapters.sql.writer import Writer
from perdure.errors import DuplicateCommand, Invalid, RunNotFound
from perdure.ids import RunId
from perdure.kernel.values import Json
from perdure.stores.records import GENESIS, Record
from perdure.stores.runs import (
    Adopted,
    Commit,
    Header,
    Loaded,
    Receipt,
    Request,
    RunPage,
    RunQuery,
    Verdict,
    Whole,
)

_RECORDS: Final = Sql(
    select(ledger.c.seq, ledger.c.body, ledger.c.detail, ledger.c.hash)
    .join(runs, runs.c.pk == ledger.c.run)
    .where(runs.c.id == bindparam("_id"), ledger.c.seq >= bindparam("_from"))
    .order_by(ledger.c.seq)
    .limit(bindparam("_limit"))
)
_STATE_COLUMNS: Final = ("pk", "head_seq", "snapshot_seq", "limits")
_STATE: Final = Sql(
    select(*(runs.c[name] for name in _STATE_COLUMNS)).where(runs.c.id == bindparam("_id"))
)
_BORN: Final = Sql(
    select(runs.c.pk, runs.c.id)
    .where(
        BORN,
        runs.c.held_at.is_(None),
        runs.c.lease_until.is_(None) | (runs.c.lease_until <= bindparam("now")),
    )
    .order_by(runs.c.created_at, runs.c.pk)
    .limit(bindparam("_limit"))
    .with_for_update(skip_locked=True)
)
_LIVING: Final = Sql(
    select(runs.c.pk)
    .where(runs.c.root_id == bindparam("_root"), UNENDED)
    .limit(bindparam("_limit"))
)
_ASKED: Final = Sql(select(inbox.c.run_id, inbox.c.body_hash).where(inbox.c.id == bindparam("_id")))
_LEASE: Final = Rows(
    update(runs)
    .where(runs.c.pk == bindparam("_pk"))
    .values(holder=bindparam("holder"), lease_until=bindparam("lease_until")),
    ("holder", "lease_until", "_pk"),
)


class SqlRuns:
    """Runs with their ledger and cells."""

    def __init__(
        self, reader: Reader, writer: Writer, content: Content, audit: SqlPlaneAudit
    ) -> None:
        """Read by `reader`, write by `writer`; what was off-loaded lies in `content`."""
        self._reader, self._writer, self._audit = reader, writer, audit
        self._content = content
        self._loading = Loading(content)
        self._lists = RunLists()

    async def commit(self, commit: Commit) -> Receipt:
        """Write everything that the decision says, all or none; return after it is on disk."""
        receipt: Receipt = await self._writer.put(commit)
        self._audit.kept(commit.entry)
        return receipt

    async def born_of(self, request: Request) -> RunId | None:
        """The run that was born under this request before, or `None`."""
        asked = f"request:{request.id}"
        row = await self._reader.read(lambda session: session.first(_ASKED, _id=asked))
        if row is not None and row[1] != request.body_hash:
            raise DuplicateCommand(run_id=row[0], other_body=True)
        return None if row is None else RunId(row[0])

    async def load(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Loaded]:
        """Runs with their cells and open keys, those that exist."""
        return await self._reader.read(lambda session: self._loading.load(session, run_ids))

    async def header(self, run_id: RunId) -> Header:
        """What a summary shows, with the whole output. Raises `RunNotFound`."""

        def read(session: Session) -> Header:
            row = session.first(SHOW_ONE, _id=run_id)
            if row is None:
                raise RunNotFound
            (shown,) = rows_of([row])
            (header,) = headers_of(session, [shown])
            places = [it for it in (shown["output_artifact"],) if it is not None]
            known = self._loading.places(session, places)
            return replace(header, output=self._loading.output(shown, known))

        return await self._reader.read(read)

    async def list(self, query: RunQuery) -> RunPage:
        """A page of headers, newest first."""
        return await self._reader.read(lambda session: self._lists.page(session, query))

    async def living(self, root_id: RunId, most: int) -> int:
        """How many runs of a tree have not ended, its root among them; counted up to `most`."""
        rows = await self._reader.read(lambda it: it.all(_LIVING, _root=root_id, _limit=most))
        return len(rows)

    async def ledger(self, run_id: RunId, *, after: int, limit: int) -> Sequence[Record]:
        """Records with `seq > after`, in order and without gaps; none for an unknown run."""
        return await self._reader.read(lambda session: _page(session, run_id, after, limit))

    async def recorded(self, run_id: RunId, *, after: int, limit: int) -> Sequence[Whole]:
        """The same, with every value that is kept elsewhere put back in its place."""

        def read(session: Session) -> Sequence[Whole]:
            return self._loading.whole(session, _page(session, run_id, after, limit))

        return await self._reader.read(read)

    async def adopt(self, adopted: Adopted) -> bool:
        """Keep a run that was lived elsewhere; `False` where the same one is here. Raises `RunExists`."""
        kept: bool = await self._writer.work(adoption(adopted, self._content))
        if kept:
            self._audit.kept(adopted.entry)
        return kept

    async def state(self, run_id: RunId, seq: int) -> Mapping[str, Json]:
        """The cells after record `seq`. Raises `RunNotFound`, `Invalid` beyond the head."""

        def read(session: Session) -> Mapping[str, Json]:
            found = session.first(_STATE, _id=run_id)
            if found is None:
                raise RunNotFound
            row: Mapping[str, Any] = dict(zip(_STATE_COLUMNS, found, strict=True))
            if not 0 <= seq <= row["head_seq"]:
                raise Invalid(f"`seq` is between 0 and {row['head_seq']}", seq=seq)
            return self._loading.state(session, row, seq)

        return await self._reader.read(read)

    async def verify(self, run_id: RunId) -> Verdict:
        """Hash every record again, and compare the last with the run's head."""
        return await self._reader.read(lambda session: verify(session, run_id))

    async def claim(self, holder: str, *, now: str, until: str, limit: int) -> Sequence[RunId]:
        """Lease runs that were born and not begun, oldest first."""

        def work(session: Session) -> Sequence[RunId]:
            rows = session.all(_BORN, now=now, _limit=limit)
            if rows:
                session.write([Write(_LEASE, [(holder, until, pk) for pk, _ in rows])])
            return [RunId(run_id) for _, run_id in rows]

        return await self._writer.work(work)


def _page(session: Session, run_id: RunId, after: int, limit: int) -> list[Record]:
    """Records with `seq > after`, in order and without gaps."""
    # The record before the first one asked for brings the hash that it is chained to.
    rows = session.all(_RECORDS, _id=run_id, _from=after, _limit=limit + (after > 0))
    previous = GENESIS
    records = []
    for seq, body, detail, digest in rows:
        if seq > after:
            records.append(Record(seq, body, detail, previous, digest))
        previous = digest
    return records[:limit]
