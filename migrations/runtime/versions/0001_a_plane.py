"""The tables of a plane: runs, their ledger and cells, what is on its way to and from them, and bytes by name."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, NUMBER, nullable=null)


def key(name: str) -> sa.Column[int]:
    return sa.Column(name, NUMBER, nullable=False, autoincrement=False)


def content(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=null)


def flag(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger(), nullable=False)


def index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    if where is None:
        op.create_index(name, table, columns)
    else:
        condition = sa.text(where)
        op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def primary(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def upgrade() -> None:
    create_runs()
    create_history()
    create_outbox()
    create_waits()
    create_inbox()
    create_content()
    create_counters()


def create_runs() -> None:
    born = (
        text("id"), text("workflow_id"), text("program_kind"), text("program_bundle", null=True),
        text("program_name"), text("created_at"), text("root_id"), text("session_id"), text("actor_id"),
        text("parent_id", null=True), text("parent_key", null=True), sa.Column("depth", sa.Integer(), nullable=False),
        content("lifecycle", null=True), flag("draft"), text("prompt"), content("limits"),
    )  # fmt: skip
    always = (
        number("version"), number("head_seq"), content("head_hash"), text("updated_at"), text("node_id"),
        number("effects"), number("llm_calls"), number("tool_calls"), number("tokens_in"), number("tokens_out"),
        sa.Column("cost", sa.Double(), nullable=False), number("bytes_since"),
    )  # fmt: skip
    sometimes = (
        text("status"), flag("ready"), text("held_reason", null=True), text("held_at", null=True),
        text("cancelled_at", null=True), text("error", null=True), content("output", null=True),
        text("output_artifact", null=True), content("unrecorded", null=True), number("snapshot_seq"),
        number("snapshot_bytes"), content("warnings", null=True), content("waiting", null=True),
        content("blocked", null=True),
    )  # fmt: skip
    lease = (text("holder", null=True), text("lease_until", null=True))
    op.create_table(
        "runs", key("pk"), *born, *always, *sometimes, *lease,
        primary("runs", "pk"), sa.UniqueConstraint("id", name="uq_runs_id"),
    )  # fmt: skip
    index("ix_runs_created_at_id", "runs", ["created_at", "id"])
    index("ix_runs_status_created_at", "runs", ["status", "created_at"])
    index("ix_runs_session_id_created_at", "runs", ["session_id", "created_at"])
    index("ix_runs_root_id_created_at", "runs", ["root_id", "created_at"])
    index("ix_runs_parent_id", "runs", ["parent_id"])
    index("ix_runs_ready", "runs", ["created_at"], "ready = 1")


def create_history() -> None:
    op.create_table(
        "ledger", key("run"), key("seq"), content("body"), content("detail"), content("hash"),
        primary("ledger", "run", "seq"),
    )  # fmt: skip
    op.create_table(
        "cells", key("run"), key("seq"), content("body"), primary("cells", "run", "seq"),
        sa.ForeignKeyConstraint(["run"], ["runs.pk"], name="fk_cells_run"),
    )  # fmt: skip


def create_outbox() -> None:
    op.create_table(
        "outbox", key("run"), text("key"), number("seq"), text("disposition"), text("holder", null=True),
        text("lease_until"), text("dispatched_at", null=True), content("attempts", null=True), content("body"),
        primary("outbox", "run", "key"),
    )  # fmt: skip
    index("ix_outbox_pending", "outbox", ["lease_until"], "disposition = 'pending'")


def create_waits() -> None:
    op.create_table(
        "waits", key("run"), key("opened_seq"), text("key"), text("kind"), text("address", null=True),
        text("due", null=True), text("event", null=True), number("closed_seq", null=True),
        text("decided_by", null=True), content("body", null=True), primary("waits", "run", "opened_seq"),
        sa.ForeignKeyConstraint(["run"], ["runs.pk"], name="fk_waits_run"),
    )  # fmt: skip
    timed, addressed = (f"closed_seq IS NULL AND {name} IS NOT NULL" for name in ("due", "address"))
    index("ix_waits_due", "waits", ["due", "run", "opened_seq"], timed)
    index("ix_waits_address", "waits", ["address"], addressed)


def create_inbox() -> None:
    op.create_table(
        "inbox", text("id"), number("seq"), text("run_id", null=True), text("kind"), text("key", null=True),
        number("opened_seq", null=True), text("by"), text("body_hash", null=True), text("created_at"),
        text("disposition"), text("settled_at", null=True), text("holder", null=True),
        text("lease_until", null=True), text("address", null=True), text("expires_at", null=True),
        content("body", null=True), primary("inbox", "id"),
    )  # fmt: skip
    index("ix_inbox_pending", "inbox", ["seq"], "disposition = 'pending'")
    index("ix_inbox_pending_of_run", "inbox", ["run_id", "seq"], "disposition = 'pending'")
    index("ix_inbox_kept", "inbox", ["address"], "address IS NOT NULL")


def create_content() -> None:
    op.create_table(
        "artifacts", text("id"), text("owner"), text("sha256"), number("size_bytes"), text("content_type"),
        text("created_at"), content("tags"), primary("artifacts", "id"),
    )  # fmt: skip
    index("ix_artifacts_owner_created_at", "artifacts", ["owner", "created_at"])
    op.create_table(
        "bundles", text("bundle_id"), text("bundle_version"), text("sha256"), number("size_bytes"),
        text("created_at"), text("installed_at"), content("manifest"), content("deprecated"), flag("shipped"),
        primary("bundles", "bundle_id", "bundle_version"),
    )  # fmt: skip


def create_counters() -> None:
    op.create_table("counters", text("name"), number("value"), primary("counters", "name"))
    counters = sa.table("counters", sa.column("name", sa.Text), sa.column("value", NUMBER))
    names = ("events", "inbox", "runs")
    op.bulk_insert(counters, [{"name": name, "value": 0} for name in names])


def downgrade() -> None:
    for table in (
        "counters", "bundles", "artifacts", "inbox", "waits", "outbox", "cells", "ledger", "runs"
    ):  # fmt: skip
        op.drop_table(table)
