"""The statements of a commit, and the order of their rows."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Table, bindparam, delete, literal_column, update
from sqlalchemy.dialects.postgresql import insert as upsert  # SQLite has the same words

from perdure.adapters.sql.header import ALWAYS, BIRTH, LEASE, SOMETIMES
from perdure.adapters.sql.statements import Rows, inserting
from perdure.adapters.sql.tables import (
    UNTAKEN,
    artifacts,
    cells,
    inbox,
    ledger,
    outbox,
    runs,
    waits,
)


def at_most_once(table: Table, columns: Sequence[str]) -> Rows:
    """An insert that leaves a row alone which is there already."""
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    return Rows(upsert(table).values(values).on_conflict_do_nothing(), columns)


def _run_update(columns: Sequence[str]) -> Rows:
    """An update of runs that are still at the version that was read."""
    statement = (
        update(runs)
        .where(runs.c.pk == bindparam("_pk"), runs.c.version == bindparam("_version"))
        .values({name: bindparam(name) for name in columns})
    )
    return Rows(statement, (*columns, "_pk", "_version"))


# Columns with an index stay out of the statement that most steps use: setting one costs, even to itself.
STEP_RUN: Final = _run_update(ALWAYS)
CHANGE_RUN: Final = _run_update((*ALWAYS, *SOMETIMES))
BEAR_RUN: Final = inserting(runs, ("pk", *BIRTH, *ALWAYS, *SOMETIMES, *LEASE))

ADD_RECORD: Final = inserting(ledger, ("run", "seq", "body", "detail", "hash"))
ADD_CELLS: Final = inserting(cells, ("run", "seq", "body"))
DROP_CELLS: Final = Rows(
    delete(cells).where(cells.c.run == bindparam("run"), cells.c.seq == bindparam("seq")),
    ("run", "seq"),
)
ARTIFACT: Final = (
    "id", "owner", "sha256", "size_bytes", "content_type", "created_at", "tags", "run_id", "workflow_id",
    "session_id", "node_id", "step_id", "seq", "kind", "modality", "render", "words",
)  # fmt: skip
ADD_ARTIFACT: Final = at_most_once(artifacts, ARTIFACT)

_THIS_EFFECT: Final = (outbox.c.run == bindparam("_run"), outbox.c.key == bindparam("_key"))
ADD_EFFECT: Final = inserting(
    outbox, ("run", "key", "seq", "disposition", "holder", "lease_until", "body")
)
DROP_EFFECT: Final = Rows(delete(outbox).where(*_THIS_EFFECT), ("_run", "_key"))
DOUBT_EFFECT: Final = Rows(
    update(outbox).where(*_THIS_EFFECT).values(disposition=literal_column("'review'")),
    ("_run", "_key"),
)
WITHDRAW_EFFECT: Final = Rows(
    update(outbox).where(*_THIS_EFFECT).values(disposition=literal_column("'withdrawn'")),
    ("_run", "_key"),
)
REDO_EFFECT: Final = Rows(
    update(outbox)
    .where(*_THIS_EFFECT)
    .values(
        disposition=literal_column("'pending'"),
        holder=literal_column("NULL"),
        lease_until=bindparam("lease_until"),
        dispatched_at=literal_column("NULL"),
    ),
    ("lease_until", "_run", "_key"),
)

OPEN_WAIT: Final = inserting(waits, ("run", "opened_seq", "key", "kind", "address", "due", "body"))
CLOSE_WAIT: Final = Rows(
    update(waits)
    .where(waits.c.run == bindparam("_run"), waits.c.opened_seq == bindparam("_seq"))
    .values(
        closed_seq=bindparam("closed_seq"),
        decided_by=bindparam("decided_by"),
        body=literal_column("NULL"),
    ),
    ("closed_seq", "decided_by", "_run", "_seq"),
)

TAKE_MESSAGE: Final = Rows(
    update(inbox)
    .where(inbox.c.id == bindparam("_id"), UNTAKEN)
    .values(disposition=literal_column("'applied'"), settled_at=bindparam("settled_at")),
    ("settled_at", "_id"),
)
MESSAGE: Final = (
    "id", "seq", "run_id", "kind", "key", "opened_seq", "by", "body_hash", "created_at", "disposition",
    "settled_at", "address", "expires_at", "body",
)  # fmt: skip
ADD_MESSAGE: Final = at_most_once(inbox, MESSAGE)
