"""The tables of a data plane, and of the control store: what is kept, and what is looked up how."""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    literal_column,
    text,
)

NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
PLANE: Final = MetaData(naming_convention=NAMES)
CONTROL: Final = MetaData(naming_convention=NAMES)

Number = BigInteger().with_variant(Integer, "sqlite")  # on SQLite a key of this type is the rowid

runs: Final = Table(
    "runs",
    PLANE,
    Column("pk", Number, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    # from birth
    Column("workflow_id", Text, nullable=False),
    Column("program_kind", Text, nullable=False),
    Column("program_bundle", Text),
    Column("program_name", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("root_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("parent_id", Text),
    Column("parent_key", Text),
    Column("depth", Integer, nullable=False),
    Column("lifecycle", LargeBinary),
    Column("draft", SmallInteger, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("limits", LargeBinary, nullable=False),
    Column("forked_from", Text),
    Column("forked_seq", Number),
    Column("guard", Text),
    Column("deadline", Text),
    Column("deadline_of", Text),
    # changed by every commit
    Column("version", Number, nullable=False),
    Column("head_seq", Number, nullable=False),
    Column("head_hash", LargeBinary, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("node_id", Text, nullable=False),
    Column("effects", Number, nullable=False),
    Column("llm_calls", Number, nullable=False),
    Column("tool_calls", Number, nullable=False),
    Column("tokens_in", Number, nullable=False),
    Column("tokens_out", Number, nullable=False),
    Column("cost", Double, nullable=False),
    Column("bytes_since", Number, nullable=False),
    # changed by some
    Column("status", Text, nullable=False),
    Column("ready", SmallInteger, nullable=False),
    Column("held_reason", Text),
    Column("held_at", Text),
    Column("cancelled_at", Text),
    Column("error", Text),
    Column("output", LargeBinary),
    Column("output_artifact", Text),
    Column("unrecorded", LargeBinary),
    Column("snapshot_seq", Number, nullable=False),
    Column("snapshot_bytes", Number, nullable=False),
    Column("warnings", LargeBinary),
    Column("waiting", LargeBinary),
    Column("blocked", LargeBinary),
    # a lease on a run that was born and not begun
    Column("holder", Text),
    Column("lease_until", Text),
    Index(None, "created_at", "id"),
    Index(None, "status", "created_at"),
    Index(None, "session_id", "created_at"),
    Index(None, "root_id", "created_at"),
    Index(None, "parent_id"),
    Index(None, "forked_from"),
    Index(
        "ix_runs_ready",
        "created_at",
        sqlite_where=text("ready = 1"),
        postgresql_where=text("ready = 1"),
    ),
    Index(
        "ix_runs_deadline",
        "deadline",
        "pk",
        sqlite_where=text("deadline IS NOT NULL AND status IN ('running', 'waiting')"),
        postgresql_where=text("deadline IS NOT NULL AND status IN ('running', 'waiting')"),
    ),
)

# A rowid table with one unique index: records are a kibibyte, too long to lie in an index themselves.
ledger: Final = Table(
    "ledger",
    PLANE,
    Column("run", Number, primary_key=True, autoincrement=False),
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
    Column("detail", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

cells: Final = Table(
    "cells",
    PLANE,
    Column("run", Number, ForeignKey(runs.c.pk), primary_key=True, autoincrement=False),
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

outbox: Final = Table(
    "outbox",
    PLANE,
    Column("run", Number, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("seq", Number, nullable=False),
    Column("disposition", Text, nullable=False),  # pending, review, withdrawn, ignored: …
    Column("holder", Text),
    Column("lease_until", Text, nullable=False),  # or when a retry is due
    Column("dispatched_at", Text),
    Column("attempts", LargeBinary),
    Column("body", LargeBinary, nullable=False),
    Index(
        "ix_outbox_pending",
        "lease_until",
        sqlite_where=text("disposition = 'pending'"),
        postgresql_where=text("disposition = 'pending'"),
    ),
)

waits: Final = Table(
    "waits",
    PLANE,
    Column("run", Number, ForeignKey(runs.c.pk), primary_key=True, autoincrement=False),
    Column("opened_seq", Number, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("address", Text),  # where an event is to come
    Column("due", Text),
    Column("event", Text),  # the message that will answer it, so that the next event is kept
    Column("closed_seq", Number),
    Column("decided_by", Text),
    Column("body", LargeBinary),  # of a wait that is open
    Index(
        "ix_waits_due",
        "due",
        "run",
        "opened_seq",
        sqlite_where=text("closed_seq IS NULL AND due IS NOT NULL"),
        postgresql_where=text("closed_seq IS NULL AND due IS NOT NULL"),
    ),
    Index(
        "ix_waits_address",
        "address",
        sqlite_where=text("closed_seq IS NULL AND address IS NOT NULL"),
        postgresql_where=text("closed_seq IS NULL AND address IS NOT NULL"),
    ),
)

# Messages to runs; and, with no run, what makes a request or an event count once.
inbox: Final = Table(
    "inbox",
    PLANE,
    Column("id", Text, primary_key=True),
    Column("seq", Number, nullable=False),
    Column("run_id", Text),
    Column("kind", Text, nullable=False),
    Column("key", Text),
    Column("opened_seq", Number),
    Column("by", Text, nullable=False),
    Column("body_hash", Text),
    Column("created_at", Text, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("settled_at", Text),
    Column("holder", Text),
    Column("lease_until", Text),
    Column("address", Text),  # where an event is kept
    Column("expires_at", Text),
    Column("body", LargeBinary),
    Index(
        "ix_inbox_pending",
        "seq",
        sqlite_where=text("disposition = 'pending'"),
        postgresql_where=text("disposition = 'pending'"),
    ),
    Index(
        "ix_inbox_pending_of_run",
        "run_id",
        "seq",
        sqlite_where=text("disposition = 'pending'"),
        postgresql_where=text("disposition = 'pending'"),
    ),
    Index(
        "ix_inbox_kept",
        "address",
        sqlite_where=text("address IS NOT NULL"),
        postgresql_where=text("address IS NOT NULL"),
    ),
)

artifacts: Final = Table(
    "artifacts",
    PLANE,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", Number, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("tags", LargeBinary, nullable=False),
    # which step of which run made it
    Column("run_id", Text),
    Column("workflow_id", Text),
    Column("session_id", Text),
    Column("node_id", Text),
    Column("step_id", Text),
    Column("seq", Number),
    # what it is looked for by
    Column("kind", Text),
    Column("modality", Text),
    Column("render", Text),
    Column("words", Text),
    Index(None, "owner", "created_at"),
    Index(None, "created_at", "id"),
    Index(None, "size_bytes", "id"),
    Index(None, "run_id", "created_at"),
    Index(None, "session_id", "created_at"),
    Index(None, "workflow_id", "created_at"),
    Index(None, "kind", "created_at"),
    Index(None, "modality", "created_at"),
    Index(None, "sha256"),
)

bundles: Final = Table(
    "bundles",
    PLANE,
    Column("bundle_id", Text, primary_key=True),
    Column("bundle_version", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", Number, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("installed_at", Text, nullable=False),
    Column("manifest", LargeBinary, nullable=False),
    Column("deprecated", LargeBinary, nullable=False),
    Column("shipped", SmallInteger, nullable=False),
)

# Flows as their authors have them; what is published of them are bundles.
drawings: Final = Table(
    "drawings",
    PLANE,
    Column("id", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Index(None, "updated_at", "id"),
)

# Moments of runs that somebody named; `words` is what a search looks through.
bookmarks: Final = Table(
    "bookmarks",
    PLANE,
    Column("id", Text, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("seq", Number, nullable=False),
    Column("name", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("tags", LargeBinary, nullable=False),
    Column("words", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Index(None, "run_id", "created_at"),
    Index(None, "created_at", "id"),
)

# Order and surrogate keys come from here, never from a column that numbers itself.
counters: Final = Table(
    "counters",
    PLANE,
    Column("name", Text, primary_key=True),
    Column("value", Number, nullable=False),
)

# What was done here, on its way to the tenant's chain; `n` comes from a counter.
audit_pending: Final = Table(
    "audit_pending",
    PLANE,
    Column("n", Number, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)


def profile_columns() -> list[Column[Any]]:
    """The columns of endpoint profiles, which the gateway and each plane keep alike."""
    return [
        Column("id", Text, primary_key=True),
        Column("body", Text, nullable=False),  # holds no secret
        Column("origin", Text, nullable=False),
        Column("sealed", LargeBinary),
        Column("key_id", Text),
        Column("fingerprint", Text),
        Column("created_at", Text, nullable=False),
        Column("updated_at", Text, nullable=False),
    ]


profiles: Final = Table("profiles", PLANE, *profile_columns())

planes: Final = Table(
    "planes",
    CONTROL,
    Column("tenant", Text, primary_key=True),
    Column("runtime", Text, primary_key=True),
    Column("schema_name", Text, nullable=False, unique=True),
    Column("schema_version", Text, nullable=False),
    Column("due_at", Text),
    Column("noted_at", Text, nullable=False),
    Index("ix_planes_due_at", "due_at"),
)

# Literals, since a statement whose parameter might be anything does without a partial index.
PENDING: Final = outbox.c.disposition == literal_column("'pending'")
UNDER_WAY: Final = outbox.c.disposition.in_(
    [literal_column("'pending'"), literal_column("'review'")]
)
UNTAKEN: Final = inbox.c.disposition == literal_column("'pending'")
BORN: Final = runs.c.ready == literal_column("1")
UNENDED: Final = runs.c.status.in_([literal_column("'running'"), literal_column("'waiting'")])
