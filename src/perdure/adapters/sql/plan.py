"""Commits of one batch as rows: encoded, hashed and chained before the transaction begins."""

from collections.abc import Callable
from typing import Final, NamedTuple

from perdure.adapters.disk.content import ContentFolder
from perdure.adapters.sql import commit_rows as sql
from perdure.adapters.sql.dialect import Write
from perdure.adapters.sql.encode import bytes_of, clean, dumps, effect_bytes, wait_bytes
from perdure.adapters.sql.header import (
    always_row,
    birth_row,
    blocked_column,
    is_plain,
    waiting_column,
)
from perdure.adapters.sql.heads import Head
from perdure.adapters.sql.offload import JSON_TYPE, Offloading
from perdure.adapters.sql.statements import Row, Rows
from perdure.clock import text_of
from perdure.errors import VersionConflict
from perdure.ids import Key, RunId
from perdure.kernel.limits import INLINE_BYTES_MAX
from perdure.kernel.model import TERMINAL, Birth, Decision, Effect, Open, Run, Status, Step, Wait
from perdure.stores.records import GENESIS, Record, body_of, detail_of, hash_of
from perdure.stores.runs import Commit, Receipt, Request

NO_TAGS: Final = b"{}"


class Opening(NamedTuple):
    """A wait for an event that has just been opened: a kept event may be there for it."""

    pk: int
    run_id: RunId
    key: Key
    opened_seq: int
    address: str
    at: str


class Sent(NamedTuple):
    """A message of a commit, still without its number."""

    id: str
    run_id: RunId
    kind: str
    key: Key | None
    at: str
    body: bytes | None


class Change(NamedTuple):
    """What the row of a run becomes. `read_version` is what it is now in the database."""

    read_version: int
    run: Run
    head: Head
    only_steps: bool
    output: tuple[bytes | None, str | None]
    unrecorded: bytes | None


class Plan:
    """The rows of a batch. Its heads run ahead of the database, so that commits of one run chain."""

    def __init__(
        self, heads: dict[RunId, Head], content: ContentFolder, new_pk: Callable[[], int]
    ) -> None:
        """Begin with the heads of the batch's runs, as they are in the database."""
        self.heads = heads
        self.ended: list[RunId] = []
        self.openings: list[Opening] = []
        self.sent: list[Sent] = []
        self.requests: list[Row] = []
        self.snapshots = 0
        self._content = content
        self._new_pk = new_pk
        self._changes: dict[int, Change] = {}
        self._rows: dict[Rows, list[Row]] = {}

    def _add(self, statement: Rows, row: Row) -> None:
        rows = self._rows.get(statement)
        if rows is None:
            self._rows[statement] = [row]
        else:
            rows.append(row)

    def add(self, commit: Commit) -> Receipt:
        """Plan one commit. Raises `VersionConflict`, and plans nothing, where its run has moved on."""
        decision = commit.decision
        run = decision.run
        if decision.read_version == 0:
            return self._birth(commit)
        head = self.heads.get(run.birth.id)
        if head is None or head.version != decision.read_version:
            raise VersionConflict
        offloading = Offloading(self._content, run.birth.id)
        records, counted = self._records(head, run.birth, decision.steps, offloading)
        snapshot_bytes = self._snapshot(head, commit, offloading)
        after = self._moved(head, run, records, counted, snapshot_bytes)
        self._changed(head, after, decision, offloading, snapshot_bytes is not None)
        self._keys(head.pk, commit)
        self._others(commit)
        self._offloaded(offloading, run.updated_at)
        return Receipt(records, counted, snapshot_bytes)

    # --- records and cells -------------------------------------------------------------------

    def _records(
        self, head: Head, birth: Birth, steps: tuple[Step, ...], offloading: Offloading
    ) -> tuple[tuple[Record, ...], int]:
        """Encode and chain the records; they, and the bytes that a reload reads for them."""
        records, previous, counted = [], head.hash, 0
        for step in steps:
            fields, beside = body_of(birth, step), detail_of(step)
            body, detail = dumps(fields), dumps(beside)
            size = len(detail)
            if len(body) > INLINE_BYTES_MAX:
                body = offloading.body(fields)
            if size > INLINE_BYTES_MAX:
                detail, size = offloading.detail(beside)
            counted += size
            digest = hash_of(previous, birth.id, step.seq, body, detail)
            records.append(Record(step.seq, body, detail, previous, digest))
            self._add(sql.ADD_RECORD, (head.pk, step.seq, body, detail, digest))
            previous = digest
        return tuple(records), counted

    def _snapshot(self, head: Head, commit: Commit, offloading: Offloading) -> int | None:
        """Plan the snapshot of the state before the commit, where each of its writes is in a record."""
        if commit.snapshot is None or not head.whole or head.seq <= head.snapshot_seq:
            return None
        body, size = offloading.cells(commit.snapshot)
        self._add(sql.ADD_CELLS, (head.pk, head.seq, body))
        if head.snapshot_seq:
            self._add(sql.DROP_CELLS, (head.pk, head.snapshot_seq))
        self.snapshots += 1
        return size

    def _moved(
        self,
        head: Head,
        run: Run,
        records: tuple[Record, ...],
        counted: int,
        snapshot_bytes: int | None,
    ) -> Head:
        """The head after a commit."""
        fresh = snapshot_bytes is not None
        after = Head(
            head.pk, run.version, run.seq, records[-1].hash if records else head.hash,
            counted if fresh else head.bytes_since + counted, head.seq if fresh else head.snapshot_seq,
            head.snapshot_bytes if snapshot_bytes is None else snapshot_bytes, not run.unrecorded, is_plain(run),
        )  # fmt: skip
        self.heads[run.birth.id] = after
        if run.status in TERMINAL:
            self.ended.append(run.birth.id)
        return after

    def _changed(
        self, head: Head, after: Head, decision: Decision, offloading: Offloading, fresh: bool
    ) -> None:
        """Plan the row of the run; of several commits the last one tells it."""
        run = decision.run
        earlier = self._changes.get(head.pk)
        self._changes[head.pk] = Change(
            read_version=head.version if earlier is None else earlier.read_version,
            run=run, head=after,
            only_steps=head.plain and after.plain and not fresh and (earlier is None or earlier.only_steps),
            output=_output(run, offloading), unrecorded=offloading.unrecorded(run.unrecorded),
        )  # fmt: skip

    # --- births --------------------------------------------------------------------------------

    def _birth(self, commit: Commit) -> Receipt:
        """Plan a new run: its row, its inputs as the cells at 0, and what asked for it."""
        decision = commit.decision
        run, birth = decision.run, decision.run.birth
        if birth.id in self.heads:
            raise VersionConflict
        offloading = Offloading(self._content, birth.id)
        body, size = offloading.cells(decision.writes)
        head = Head(self._new_pk(), 1, 0, GENESIS, 0, 0, size, whole=True)
        self.heads[birth.id] = head
        self._add(sql.BEAR_RUN, (
            head.pk, *birth_row(birth), *always_row(run, GENESIS, 0),
            *_sometimes(Change(0, run, head, False, (None, None), None)), commit.holder, commit.leased_until,
        ))  # fmt: skip
        self._add(sql.ADD_CELLS, (head.pk, 0, body))
        self._offloaded(offloading, run.updated_at)
        if commit.request is not None:
            self.requests.append(request_row(commit.request, birth))
        return Receipt((), 0, size)

    # --- what else a commit carries -------------------------------------------------------------

    def _keys(self, pk: int, commit: Commit) -> None:
        """Plan what enters and leaves the outbox and the waits."""
        decision = commit.decision
        at = decision.run.updated_at
        for entry in decision.effects:
            assert isinstance(entry.what, Effect)
            self._add(sql.ADD_EFFECT, (
                pk, entry.key, entry.seq, "pending", commit.holder, commit.leased_until or at,
                effect_bytes(entry, entry.what),
            ))  # fmt: skip
        for key in decision.arrived:
            self._add(sql.DROP_EFFECT, (pk, key))
        for entry in decision.opened:
            self._opened(pk, decision.run.birth.id, entry, at)
        for entry in decision.closed:
            self._add(sql.CLOSE_WAIT, (decision.run.seq, decision.decided_by, pk, entry.seq))
        for key in decision.doubted:
            self._add(sql.DOUBT_EFFECT, (pk, key))
        for key in decision.redo:
            self._add(sql.REDO_EFFECT, (at, pk, key))
        for key in decision.dropped:
            self._add(sql.WITHDRAW_EFFECT, (pk, key))

    def _opened(self, pk: int, run_id: RunId, entry: Open, at: str) -> None:
        wait = entry.what
        assert isinstance(wait, Wait)
        due = None if wait.until is None else text_of(wait.until)
        self._add(sql.OPEN_WAIT, (
            pk, entry.seq, entry.key, wait.reason.value, wait.match, due, wait_bytes(entry, wait)
        ))  # fmt: skip
        if wait.match is not None:
            self.openings.append(Opening(pk, run_id, entry.key, entry.seq, wait.match, at))

    def _others(self, commit: Commit) -> None:
        """Plan what reaches other runs, and the message that was answered."""
        decision = commit.decision
        at = decision.run.updated_at
        if commit.taken is not None:
            self._add(sql.TAKE_MESSAGE, (at, commit.taken))
        for birth in decision.births:
            self._birth(Commit(birth, holder=commit.holder, leased_until=commit.leased_until))
        for send in decision.sends:
            self.sent.append(Sent(send.id, send.to, send.kind, send.key, at, bytes_of(send.body)))

    def _offloaded(self, offloading: Offloading, at: str) -> None:
        for row in offloading.rows:
            self._add(sql.ADD_ARTIFACT, (*row, JSON_TYPE, at, NO_TAGS))

    # --- the whole -----------------------------------------------------------------------------

    def writes(self) -> list[Write]:
        """Everything but messages, in an order in which each row finds what it needs."""
        steps, changes = [], []
        for pk, change in sorted(
            self._changes.items()
        ):  # in one order, so that no two writers embrace
            row = always_row(change.run, change.head.hash, change.head.bytes_since)
            if change.only_steps:
                steps.append((*row, pk, change.read_version))
            else:
                changes.append((*row, *_sometimes(change), pk, change.read_version))
        writes = [Write(sql.STEP_RUN, steps, exact=True)] if steps else []
        if changes:
            writes.append(Write(sql.CHANGE_RUN, changes, exact=True))
        rows = self._rows
        writes += [Write(it, rows[it], it in _EXACT) for it in _ORDER if it in rows]
        return writes


_EXACT: Final = frozenset({sql.TAKE_MESSAGE})
_ORDER: Final = (
    sql.TAKE_MESSAGE, sql.BEAR_RUN, sql.ADD_ARTIFACT, sql.ADD_RECORD, sql.ADD_CELLS, sql.DROP_CELLS,
    sql.ADD_EFFECT, sql.DOUBT_EFFECT, sql.REDO_EFFECT, sql.WITHDRAW_EFFECT, sql.DROP_EFFECT, sql.OPEN_WAIT,
    sql.CLOSE_WAIT,
)  # fmt: skip


def request_row(request: Request, birth: Birth) -> Row:
    """What makes a request count once: a message that was taken at once, by the run that it is about."""
    return (
        f"request:{request.id}", 0, birth.id, "request", None, None, "", request.body_hash, birth.created_at,
        "applied", birth.created_at, None, None, None,
    )  # fmt: skip


def _output(run: Run, offloading: Offloading) -> tuple[bytes | None, str | None]:
    """The output as it is kept: in place, or as an artifact."""
    if run.output is None:
        return None, None
    content = dumps(run.output)
    if len(content) <= INLINE_BYTES_MAX:
        return content, None
    return None, offloading.place(content)


def _sometimes(change: Change) -> Row:
    """The columns of `SOMETIMES`."""
    run, head = change.run, change.head
    held, warnings = run.held, run.warnings
    return (
        run.status.value, int(run.ready), held and clean(held.reason), held and held.at,
        run.updated_at if run.status is Status.CANCELLED else None, clean(run.error), *change.output,
        change.unrecorded, head.snapshot_seq, head.snapshot_bytes, dumps(warnings) if warnings else None,
        waiting_column(run), blocked_column(run),
    )  # fmt: skip
