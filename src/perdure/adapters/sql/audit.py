"""`AuditStore` in SQL: what waits together is chained and written as one transaction."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, func, select, update

from perdure.adapters.sql.commit_rows import at_most_once
from perdure.adapters.sql.control_tables import audit, audit_checkpoints, audit_heads
from perdure.adapters.sql.dialect import CommitUnknown, Database, Session, Write
from perdure.adapters.sql.encode import clean
from perdure.adapters.sql.reader import Reader
from perdure.adapters.sql.statements import Row, Rows, Sql, among, inserting
from perdure.adapters.sql.writer import Answer, Writer
from perdure.errors import StoreFailed
from perdure.identity.audit import GENESIS, INTENT, Checkpoint, Entry, Head, hash_of
from perdure.ids import TenantId
from perdure.stores.audit import (
    SETTLES,
    AuditPage,
    AuditQuery,
    Carried,
    Record,
    body_of,
    fields_of,
    start_of,
)

TRIES_MAX: Final = 3  # of one transaction that the database gave up for another's sake
CARRIED_MAX: Final = 500  # rows that planes hand over, in one piece of work
ASKED: Final = ("at", "actor", "subject", "action", "resource_class", "outcome", "request_id")

_before: Final = audit.alias("before")
_SHOW: Final = select(
    audit.c.seq, audit.c.body, _before.c.hash, audit.c.hash, audit.c.outcome
).join(
    _before,
    (_before.c.tenant == audit.c.tenant) & (_before.c.seq == audit.c.seq - 1),
    isouter=True,
)
_TENANTS: Final = audit.c.tenant == bindparam("tenant")
_IN_ORDER: Final = Sql(
    _SHOW.where(_TENANTS, audit.c.seq > bindparam("after"))
    .order_by(audit.c.seq)
    .limit(bindparam("_limit"))
)
_NEWEST: Final = _SHOW.where(_TENANTS).order_by(audit.c.seq.desc()).limit(bindparam("_limit"))
_FILTERS: Final[Mapping[str, ColumnElement[bool]]] = {
    "before": audit.c.seq < bindparam("before"),
    "since": audit.c.at >= bindparam("since"),
    "until": audit.c.at < bindparam("until"),
    **{name: audit.c[name] == bindparam(name) for name in ASKED[1:]},
}
_FILTERED: Final = frozenset(_FILTERS)
_SETTLED: Final = Sql(
    select(audit.c.settles, audit.c.outcome).where(_TENANTS, among(audit.c.settles, "seqs"))
)
_HEADS: Final = Sql(
    select(audit_heads.c.tenant, audit_heads.c.seq, audit_heads.c.hash).order_by(
        audit_heads.c.tenant
    )
)
_HEAD: Final = Sql(
    select(audit_heads.c.seq, audit_heads.c.hash).where(audit_heads.c.tenant == bindparam("tenant"))
)
_LOCK: Final = Sql(
    select(audit_heads.c.seq, audit_heads.c.hash)
    .where(audit_heads.c.tenant == bindparam("tenant"))
    .with_for_update()
)
_HASH: Final = Sql(select(audit.c.hash).where(_TENANTS, audit.c.seq == bindparam("seq")))
_KNOWN: Final = Sql(select(audit.c.origin).where(_TENANTS, among(audit.c.origin, "origins")))
_BEGIN: Final = at_most_once(audit_heads, ("tenant", "seq", "hash"))
_ADD: Final = inserting(audit, ("tenant", "seq", *ASKED, "settles", "body", "hash", "origin"))
_MOVE: Final = Rows(
    update(audit_heads)
    .where(audit_heads.c.tenant == bindparam("_tenant"))
    .values(seq=bindparam("seq"), hash=bindparam("hash")),
    ("seq", "hash", "_tenant"),
)
_MARK_NAMES: Final = ("tenant", "seq", "hash", "at", "key_id", "signature")
_MARK: Final = at_most_once(audit_checkpoints, _MARK_NAMES)
_MARKS: Final = Sql(
    select(*(audit_checkpoints.c[name] for name in _MARK_NAMES))
    .where(
        audit_checkpoints.c.tenant == bindparam("tenant"),
        audit_checkpoints.c.seq > bindparam("after"),
    )
    .order_by(audit_checkpoints.c.seq)
    .limit(bindparam("_limit"))
)
_MARKED: Final = Sql(
    select(audit_checkpoints.c.tenant, func.max(audit_checkpoints.c.seq)).group_by(
        audit_checkpoints.c.tenant
    )
)


class Draft(NamedTuple):
    """Entries of one tenant on their way in: bodies, with the origins of those that were carried."""

    tenant: TenantId
    bodies: Sequence[bytes]
    origins: Sequence[str | None]


class SqlAudit:
    """The chains of one installation, in its control store."""

    def __init__(self, database: Database, threads: Executor) -> None:
        """Keep them in `database`, which is the control store's; wait for the disk on `threads`."""
        loop = asyncio.get_running_loop()
        self._reader = Reader(database, threads, loop)
        self._writer = Writer(ChainBatches(database), threads, loop)
        self._statements: dict[frozenset[str], Sql] = {}

    async def append(self, entry: Entry, *, settles: int | None = None) -> int:
        """Add an entry; its number."""
        last, _ = await self._writer.put(Draft(entry.tenant, [body_of(entry, settles)], [None]))
        number: int = last
        return number

    async def carry(self, tenant: TenantId, carried: Sequence[Carried]) -> int:
        """Add what planes kept; how many were new."""
        new = 0
        for at in range(0, len(carried), CARRIED_MAX):
            part = carried[at : at + CARRIED_MAX]
            draft = Draft(tenant, [it.body for it in part], [it.origin for it in part])
            _, added = await self._writer.put(draft)
            new += added
        return new

    async def page(self, query: AuditQuery) -> AuditPage:
        """Entries, newest first."""
        given = {name: value for name, value in query._asdict().items() if value is not None}
        given["_limit"] = given.pop("limit") + 1
        statement = self._statement(_FILTERED.intersection(given))

        def read(session: Session) -> list[Record]:
            rows = session.all(statement, **given)
            intents = [seq for seq, *_, outcome in rows if outcome == INTENT]
            settled: dict[int, str] = {}
            if intents:
                settled = {row[0]: row[1] for row in session.all(_SETTLED, tenant=query.tenant, seqs=intents)}  # fmt: skip
            return [_record(row, settled.get(row[0])) for row in rows]

        records = await self._reader.read(read)
        more = len(records) > query.limit
        items = tuple(records[: query.limit])
        return AuditPage(items, items[-1].seq if more and items else None)

    def _statement(self, names: frozenset[str]) -> Sql:
        """Each combination of filters is a statement of its own, compiled when it is first asked for."""
        statement = self._statements.get(names)
        if statement is None:
            statement = self._statements[names] = Sql(_filtered(_NEWEST, names))
        return statement

    async def records(self, tenant: TenantId, *, after: int, limit: int) -> Sequence[Record]:
        """Entries with a number above `after`, in their order."""
        rows = await self._reader.read(
            lambda session: session.all(_IN_ORDER, tenant=tenant, after=after, _limit=limit)
        )
        return [_record(row) for row in rows]

    async def heads(self) -> Sequence[Head]:
        """Where each chain stands."""
        rows = await self._reader.read(lambda session: session.all(_HEADS))
        return [Head(TenantId(tenant), seq, bytes(digest)) for tenant, seq, digest in rows]

    async def head(self, tenant: TenantId) -> Head:
        """Where one chain stands."""
        row = await self._reader.read(lambda session: session.first(_HEAD, tenant=tenant))
        return start_of(tenant) if row is None else Head(tenant, row[0], bytes(row[1]))

    async def mark(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint."""
        await self._writer.put(checkpoint)

    async def checkpoints(
        self, tenant: TenantId, *, after: int, limit: int
    ) -> Sequence[Checkpoint]:
        """Checkpoints of entries above `after`, in their order."""
        rows = await self._reader.read(
            lambda session: session.all(_MARKS, tenant=tenant, after=after, _limit=limit)
        )
        return [
            Checkpoint(Head(TenantId(owner), seq, bytes(digest)), at, key_id, bytes(signature))
            for owner, seq, digest, at, key_id, signature in rows
        ]

    async def marked(self) -> dict[TenantId, int]:
        """The number of the last entry that a checkpoint speaks of, by tenant."""
        rows = await self._reader.read(lambda session: session.all(_MARKED))
        return {TenantId(tenant): seq for tenant, seq in rows}

    async def close(self) -> None:
        """Write what was handed in, and take nothing more."""
        await self._writer.close()


class ChainBatches:
    """What the writer of the chains does with a batch of drafts and checkpoints."""

    def __init__(self, database: Database) -> None:
        """Write to `database`."""
        self._database = database

    def write(self, batch: Sequence[Any]) -> list[Answer]:
        """Write a batch together, or one by one where that fails."""
        return self._write(batch, TRIES_MAX)

    def tell(self, batch: Sequence[Any], answers: Sequence[Answer]) -> None:
        """Tell nobody: who reads the chain asks for it."""

    def _write(self, batch: Sequence[Any], tries: int) -> list[Answer]:
        chains = _Chains()
        try:
            with self._database.writing() as session:
                chains.take_all(session, batch)
            return chains.answers
        except CommitUnknown:
            kept = self._is_kept(chains)
            if kept:
                return chains.answers
            if kept is None or tries == 1:
                unknown = StoreFailed("nobody knows whether the audit entry was kept")
                return [Answer(error=unknown) for _ in batch]
        except self._database.error_types() as failed:
            if len(batch) == 1 and not (tries > 1 and self._database.transient(failed)):
                error = StoreFailed(f"the control store refused an audit entry: {failed}")
                error.__cause__ = failed
                return [Answer(error=error)]
        return [self._write([one], tries - (len(batch) == 1))[0] for one in batch]

    def _is_kept(self, chains: "_Chains") -> bool | None:
        """Whether a batch is there whose commit was never answered; `None` where nobody can say."""
        try:
            with self._database.reading() as session:
                return chains.are_in(session)
        except self._database.error_types():
            return None


class _Chains:
    """The chains of one batch, as they grow in one transaction."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []  # what each member of the batch hears
        self._heads: dict[TenantId, Head] = {}
        self._rows: list[Row] = []
        self._marks: list[Row] = []

    def take_all(self, session: Session, batch: Sequence[Any]) -> None:
        """Chain and write a batch."""
        for tenant in sorted({it.tenant for it in batch if isinstance(it, Draft)}):
            self._heads[tenant] = _locked(
                session, tenant
            )  # in one order, so that no two wait for each other
        self.answers = [self._taken(session, what) for what in batch]
        if self._rows:
            moved = [(head.seq, head.hash, head.tenant) for head in self._heads.values()]
            session.write([Write(_ADD, self._rows), Write(_MOVE, moved, exact=True)])
        if self._marks:
            session.write([Write(_MARK, self._marks)])

    def are_in(self, session: Session) -> bool:
        """Whether the transaction of these was committed: its last entry is there as it was chained."""
        if not self._rows:
            return False
        tenant, seq, *_, digest, _ = self._rows[-1]
        row = session.first(_HASH, tenant=tenant, seq=seq)
        return row is not None and bytes(row[0]) == digest

    def _taken(self, session: Session, what: Any) -> Answer:
        """Chain one draft; the number of its last entry, and how many were new."""
        if isinstance(what, Checkpoint):
            (tenant, seq, digest), at, key_id, signature = what
            self._marks.append((tenant, seq, digest, at, key_id, signature))
        if not isinstance(what, Draft):
            return Answer()
        known = self._known(session, what)
        before = len(self._rows)
        for body, origin in zip(what.bodies, what.origins, strict=True):
            if origin is None or origin not in known:
                self._add(what.tenant, body, origin)
                known.add(origin or "")
        return Answer((self._heads[what.tenant].seq, len(self._rows) - before))

    def _known(self, session: Session, what: Draft) -> set[str]:
        """Which origins came before, in the database or in this batch."""
        origins = [origin for origin in what.origins if origin is not None]
        if not origins:
            return set()
        here = {row[-1] for row in self._rows if row[0] == what.tenant}
        rows = session.all(_KNOWN, tenant=what.tenant, origins=origins)
        return here | {row[0] for row in rows}

    def _add(self, tenant: TenantId, body: bytes, origin: str | None) -> None:
        head, fields = self._heads[tenant], fields_of(body)
        seq = head.seq + 1
        digest = hash_of(head.hash, tenant, seq, body)
        asked = (clean(str(fields.get(name, ""))) for name in ASKED)
        self._rows.append((tenant, seq, *asked, fields.get(SETTLES), body, digest, origin))
        self._heads[tenant] = Head(tenant, seq, digest)


def _locked(session: Session, tenant: TenantId) -> Head:
    """Where a chain stands, with nobody else adding to it until the transaction ends."""
    row = session.first(_LOCK, tenant=tenant)
    if row is None:
        session.write([Write(_BEGIN, [(tenant, 0, GENESIS)])])
        row = session.first(_LOCK, tenant=tenant)
    assert row is not None, "it was written in the same transaction"
    return Head(tenant, row[0], bytes(row[1]))


def _filtered(statement: Select[Any], names: frozenset[str]) -> Select[Any]:
    return statement.where(*(_FILTERS[name] for name in sorted(names)))


def _record(row: Row, settled: str | None = None) -> Record:
    seq, body, previous, digest, _ = row
    return Record(
        seq, bytes(body), GENESIS if previous is None else bytes(previous), bytes(digest), settled
    )
