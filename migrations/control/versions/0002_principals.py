"""Users, their runtimes, tokens and browser sessions; the audit chain; the gateway's endpoint profiles."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, NUMBER, nullable=False, autoincrement=False)


def content(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=null)


def flag(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger(), nullable=False)


def primary(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")


def index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def upgrade() -> None:
    create_users()
    create_credentials()
    create_audit()
    op.create_table(
        "profiles", text("tenant"), text("id"), text("body"), text("origin"), content("sealed", null=True),
        text("key_id", null=True), text("fingerprint", null=True), text("created_at"), text("updated_at"),
        primary("profiles", "tenant", "id"),
    )  # fmt: skip


def create_users() -> None:
    op.create_table(
        "users", text("tenant"), text("user_id"), text("likeness"), text("email"), text("roles"),
        text("scopes"), flag("enabled"), text("runtime"), text("created_at"), text("updated_at"),
        primary("users", "tenant", "user_id"), unique("users", "tenant", "likeness"),
    )  # fmt: skip
    op.create_table(
        "runtimes", text("tenant"), text("runtime"), text("likeness"), text("owner_user"), text("state"),
        text("reason", null=True), text("created_at"), text("updated_at"),
        primary("runtimes", "tenant", "runtime"), unique("runtimes", "tenant", "likeness"),
    )  # fmt: skip
    index("runtimes", "tenant", "owner_user")


def create_credentials() -> None:
    op.create_table(
        "tokens", text("id"), text("tenant"), text("user_id"), text("name"), content("digest"),
        text("fingerprint"), text("created_at"), text("expires_at", null=True),
        text("overlap_until", null=True), text("last_used_at", null=True), text("revoked_at", null=True),
        primary("tokens", "id"),
    )  # fmt: skip
    index("tokens", "tenant", "user_id")
    op.create_table(
        "sessions", content("digest"), text("handle"), text("tenant"), text("user_id"), text("token_id"),
        content("csrf_digest"), flag("remembered"), text("created_at"), text("last_seen_at"),
        text("expires_at"), number("idle_s"), text("address"), text("user_agent"),
        text("revoked_at", null=True), primary("sessions", "digest"), unique("sessions", "handle"),
    )  # fmt: skip
    index("sessions", "tenant", "user_id")
    index("sessions", "expires_at")


def create_audit() -> None:
    op.create_table(
        "audit", text("tenant"), number("seq"), text("at"), text("actor"), text("subject"), text("action"),
        text("resource_class"), text("outcome"), text("request_id"),
        sa.Column("settles", NUMBER, nullable=True), content("body"), content("hash"),
        text("origin", null=True), primary("audit", "tenant", "seq"), unique("audit", "tenant", "origin"),
        unique("audit", "tenant", "settles"),
    )  # fmt: skip
    index("audit", "tenant", "at")
    index("audit", "tenant", "actor", "seq")
    index("audit", "tenant", "subject", "seq")
    op.create_table(
        "audit_heads",
        text("tenant"),
        number("seq"),
        content("hash"),
        primary("audit_heads", "tenant"),
    )
    op.create_table(
        "audit_checkpoints", text("tenant"), number("seq"), content("hash"), text("at"), text("key_id"),
        content("signature"), primary("audit_checkpoints", "tenant", "seq"),
    )  # fmt: skip


def downgrade() -> None:
    for table in (
        "profiles", "audit_checkpoints", "audit_heads", "audit", "sessions", "tokens", "runtimes",
        "users",
    ):  # fmt: skip
        op.drop_table(table)
