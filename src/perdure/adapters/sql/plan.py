"""Commits of one batch as rows: encoded, hashed and chained before the transaction begins."""

from collections import defaultdict
from collections.abc import Callable
from operator import itemgetter
from typing import Final, NamedTuple

from perdure.adapters.content import Content
from perdure.adapters.sql import commit_rows as sql
from perdure.adapters.sql.audit_pending import ADD_ENTRY, entry_row
from perdure.adapters.sql.dialect import Write
from perdure.adapters.sql.encode import bytes_of, clean, dumps, effect_bytes, loads, wait_bytes
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
from perdure.kernel.model import (
    TERMINAL,
    Birth,
    Cells,
    Decision,
    Effect,
    Open,
    ProgramRef,
    Run,
    Status,
    Step,
    Wait,
)
from perdure.kernel.values import Json
from perdure.stores.artifacts import VALUE, modality_of, render_of
from perdure.stores.records import GENESIS, Record, body_of, detail_of, hash_of
from perdure.stores.runs import Commit, Receipt, Request

NO_TAGS: Final = b"{}"
VALUE_FACETS: Final = (VALUE, modality_of(JSON_TYPE), render_of(JSON_TYPE), "")


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


# What the row of a run becomes: the version that is in the database now, the run and its head as they
# will be, and the columns of `SOMETIMES`, or `None` where the row says the right thing already.
Change = tuple[int, Run, Head, Row | None]


class New(NamedTuple):
    """What gives out numbers that nobody has had: of runs, and of entries for the audit."""

    pk: Callable[[], int]
    entry: Callable[[], int]


class Plan:
    """The rows of a batch. Its heads run ahead of the database, so that commits of one run chain."""

    def __init__(self, heads: dict[RunId, Head], content: Content, new: New) -> None:
        """Begin with the heads of the batch's runs, as they are in the database."""
        self.heads = heads
        self.ended: list[RunId] = []
        self.origins: list[RunId] = []  # of the forks that somebody asked for
        self.unmarked: list[ProgramRef] = []  # what may have no mark for its birth to be kept
        self.openings: list[Opening] = []
        self.sent: list[Sent] = []
        self.requests: list[Row] = []
        self.snapshots = 0
        self._content = content
        self._new = new
        self._changes: dict[int, Change] = {}
        self._rows: defaultdict[Rows, list[Row]] = defaultdict(list)

    def _add(self, statement: Rows, row: Row) -> None:
        self._rows[statement].append(row)

    def add(self, commit: Commit) -> Receipt:
        """Plan one commit. Raises `VersionConflict`, and plans nothing, where its run has moved on."""
        decision = commit.decision
        run, birth = decision.run, decision.run.birth
        if decision.read_version == 0:
            return self._asked_for(commit)
        head = self.heads.get(birth.id)
        if head is None or head.version != decision.read_version:
            raise VersionConflict
        offloading = Offloading(self._content, birth.id)
        records, head_hash, counted = self._records(head, birth, decision.steps, offloading)
        snapshot_bytes = None
        if commit.snapshot is not None:
            snapshot_bytes = self._snapshot(head, commit.snapshot, offloading)
        after = self.heads[birth.id] = _moved(head, run, head_hash, counted, snapshot_bytes)
        if run.status in TERMINAL:
            self.ended.append(birth.id)
        self._changed(head, after, run, offloading)
        self._keys(head.pk, commit)
        if commit.taken is not None or decision.births or decision.sends:
            self._others(commit)
        if offloading.rows:
            self._offloaded(offloading, run)
        return Receipt(records, counted, snapshot_bytes)

    # --- records and cells -------------------------------------------------------------------

    def _records(
        self, head: Head, birth: Birth, steps: tuple[Step, ...], offloading: Offloading
    ) -> tuple[tuple[Record, ...], bytes, int]:
        """Encode and chain the records; they, the last hash, and the bytes that a reload reads for them."""
        records, previous, counted = [], head.hash, 0
        pk, run_id, rows = head.pk, birth.id, self._rows[sql.ADD_RECORD]
        for step in steps:
            fields, beside, seq = body_of(birth, step), detail_of(step), step.seq
            body, detail = dumps(fields), dumps(beside)
            size = len(detail)
            if len(body) > INLINE_BYTES_MAX or size > INLINE_BYTES_MAX:
                body, detail, size = _lightened(offloading, step, fields, beside)
            counted += size
            digest = hash_of(previous, run_id, seq, body, detail)
            records.append(Record(seq, body, detail, previous, digest))
            rows.append((pk, seq, body, detail, digest))
            previous = digest
        return tuple(records), previous, counted

    def _snapshot(self, head: Head, cells: Cells, offloading: Offloading) -> int | None:
        """Plan the snapshot of the state before the commit, where each of its writes is in a record."""
        if not head.whole or head.seq <= head.snapshot_seq:
            return None
        body, size = offloading.cells(cells)
        self._add(sql.ADD_CELLS, (head.pk, head.seq, body))
        if head.snapshot_seq:
            self._add(sql.DROP_CELLS, (head.pk, head.snapshot_seq))
        self.snapshots += 1
        return size

    def _changed(self, head: Head, after: Head, run: Run, offloading: Offloading) -> None:
        """Plan the row of the run; of several commits the last one tells it."""
        earlier = self._changes.get(head.pk)
        version = head.version if earlier is None else earlier[0]
        same = head.plain and after.plain and head.snapshot_seq == after.snapshot_seq
        rest = None if same and earlier is None else sometimes_row(run, after, offloading)
        self._changes[head.pk] = version, run, after, rest

    # --- births --------------------------------------------------------------------------------

    def _asked_for(self, commit: Commit) -> Receipt:
        """Plan a run that somebody asked for, and what must still be as it was for it to be kept."""
        birth = commit.decision.run.birth
        if birth.forked_from is not None:
            self.origins.append(birth.forked_from.run_id)
        if commit.unmarked:
            self.unmarked.append(birth.program)
        return self._birth(commit)

    def _birth(self, commit: Commit) -> Receipt:
        """Plan a new run: its row, its inputs as the cells at 0, and what asked for it."""
        decision = commit.decision
        run, birth = decision.run, decision.run.birth
        if birth.id in self.heads:
            raise VersionConflict
        offloading = Offloading(self._content, birth.id)
        body, size = offloading.cells(decision.writes)
        head = Head(self._new.pk(), 1, 0, GENESIS, 0, 0, size, whole=True)
        self.heads[birth.id] = head
        self._add(sql.BEAR_RUN, (
            head.pk, *birth_row(birth), *always_row(run, GENESIS, 0),
            *sometimes_row(run, head, offloading), commit.holder, commit.leased_until,
        ))  # fmt: skip
        self._add(sql.ADD_CELLS, (head.pk, 0, body))
        self._offloaded(offloading, run)
        if commit.request is not None:
            self.requests.append(request_row(commit.request, birth))
        if commit.entry is not None:
            self._add(ADD_ENTRY, entry_row(self._new.entry(), commit.entry))
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
        # Most steps have nothing of the rest.
        if (
            decision.opened
            or decision.closed
            or decision.doubted
            or decision.redo
            or decision.dropped
        ):
            self._waits(pk, decision)

    def _waits(self, pk: int, decision: Decision) -> None:
        """Plan what is waited for and what is not any more, and the effects that are not on their way."""
        at = decision.run.updated_at
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

    def _offloaded(self, offloading: Offloading, run: Run) -> None:
        birth = run.birth
        for *row, step in offloading.rows:
            place = (None, None, None) if step is None else (step.node_id, step.step_id, step.seq)
            self._add(sql.ADD_ARTIFACT, (
                *row, JSON_TYPE, run.updated_at, NO_TAGS, birth.id, birth.workflow_id, birth.session_id, *place,
                *VALUE_FACETS,
            ))  # fmt: skip

    # --- the whole -----------------------------------------------------------------------------

    def writes(self) -> list[Write]:
        """Everything but messages, in an order in which each row finds what it needs."""
        steps, changes = [], []
        # In one order, so that no two writers wait for each other.
        for pk, (version, run, head, rest) in sorted(self._changes.items(), key=_BY_KEY):
            row = always_row(run, head.hash, head.bytes_since)
            if rest is None:
                steps.append((*row, pk, version))
            else:
                changes.append((*row, *rest, pk, version))
        writes = [Write(sql.STEP_RUN, steps, exact=True)] if steps else []
        if changes:
            writes.append(Write(sql.CHANGE_RUN, changes, exact=True))
        for statement in _ORDER:
            rows = self._rows.get(statement)
            if rows:
                writes.append(Write(statement, rows, statement in _EXACT))
        return writes


_BY_KEY: Final = itemgetter(0)
_EXACT: Final = frozenset({sql.TAKE_MESSAGE})
_ORDER: Final = (
    sql.TAKE_MESSAGE, sql.BEAR_RUN, sql.ADD_ARTIFACT, sql.ADD_RECORD, sql.ADD_CELLS, sql.DROP_CELLS,
    sql.ADD_EFFECT, sql.DOUBT_EFFECT, sql.REDO_EFFECT, sql.WITHDRAW_EFFECT, sql.DROP_EFFECT, sql.OPEN_WAIT,
    sql.CLOSE_WAIT, ADD_ENTRY,
)  # fmt: skip


def request_row(request: Request, birth: Birth) -> Row:
    """What makes a request count once: a message that was taken at once, by the run that it is about."""
    return (
        f"request:{request.id}", 0, birth.id, "request", None, None, "", request.body_hash, birth.created_at,
        "applied", birth.created_at, None, None, None,
    )  # fmt: skip


def _lightened(
    offloading: Offloading, step: Step, fields: dict[str, Json], beside: dict[str, Json]
) -> tuple[bytes, bytes, int]:
    """A record whose large values are put away: body, detail, and how many bytes the detail stands for."""
    offloading.step = step
    body, detail = dumps(fields), dumps(beside)
    size = len(detail)
    if len(body) > INLINE_BYTES_MAX:
        body, beside["placed"] = offloading.body(fields)
        detail = dumps(beside)
    if size > INLINE_BYTES_MAX:
        detail, size = offloading.detail(beside)
    offloading.step = None
    return body, detail, size


def _output(run: Run, offloading: Offloading) -> tuple[bytes | None, str | None]:
    """The output as it is kept: in place, or as an artifact."""
    if run.output is None:
        return None, None
    content = dumps(run.output)
    if len(content) <= INLINE_BYTES_MAX:
        return content, None
    return None, offloading.place(content)


def _waiting(run: Run, offloading: Offloading) -> bytes | None:
    """The wait that summaries show, no larger than a list can carry."""
    content = waiting_column(run)
    if content is None or len(content) <= INLINE_BYTES_MAX:
        return content
    return dumps(offloading.lighten(loads(content)))


def sometimes_row(run: Run, head: Head, offloading: Offloading) -> Row:
    """The columns of `SOMETIMES`, with what is too large for them put away."""
    held, warnings = run.held, run.warnings
    return (
        run.status.value, int(run.ready), held and clean(held.reason), held and held.at,
        run.updated_at if run.status is Status.CANCELLED else None, clean(run.error), *_output(run, offloading),
        offloading.unrecorded(run.unrecorded, run.silent), head.snapshot_seq, head.snapshot_bytes,
        dumps(warnings) if warnings else None, _waiting(run, offloading), blocked_column(run),
    )  # fmt: skip


def _moved(
    head: Head, run: Run, head_hash: bytes, counted: int, snapshot_bytes: int | None
) -> Head:
    """The head after a commit."""
    if snapshot_bytes is None:
        since, seq, size = head.bytes_since + counted, head.snapshot_seq, head.snapshot_bytes
    else:
        since, seq, size = counted, head.seq, snapshot_bytes
    whole, plain = not run.unrecorded, is_plain(run)
    return Head(head.pk, run.version, run.seq, head_hash, since, seq, size, whole, plain)
