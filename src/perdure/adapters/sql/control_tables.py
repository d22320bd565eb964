"""The tables of the control store beside `planes`: who may come in, what was done, what is under way."""

from typing import Final

from sqlalchemy import Column, Index, LargeBinary, SmallInteger, Table, Text, UniqueConstraint

from perdure.adapters.sql.tables import CONTROL, Number, profile_columns

users: Final = Table(
    "users",
    CONTROL,
    Column("tenant", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("likeness", Text, nullable=False),  # what two ids that look alike have in common
    Column("email", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("enabled", SmallInteger, nullable=False),
    Column("runtime", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    UniqueConstraint("tenant", "likeness"),
)

# The primary key is what makes the id of a runtime unique within its tenant, kept or in use.
runtimes: Final = Table(
    "runtimes",
    CONTROL,
    Column("tenant", Text, primary_key=True),
    Column("runtime", Text, primary_key=True),
    Column("likeness", Text, nullable=False),
    Column("owner_user", Text, nullable=False),
    Column("state", Text, nullable=False),  # assigned, retained, purging
    Column("reason", Text),  # deleted-user, runtime-reassigned, runtime-transferred, purging
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    UniqueConstraint("tenant", "likeness"),
    Index(None, "tenant", "owner_user"),
)

tokens: Final = Table(
    "tokens",
    CONTROL,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text),
    Column("overlap_until", Text),  # of a token that another has taken the place of
    Column("last_used_at", Text),
    Column("revoked_at", Text),
    Index(None, "tenant", "user_id"),
)

sessions: Final = Table(
    "sessions",
    CONTROL,
    Column("digest", LargeBinary, primary_key=True),
    Column("handle", Text, nullable=False, unique=True),
    Column("tenant", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("token_id", Text, nullable=False),
    Column("csrf_digest", LargeBinary, nullable=False),
    Column("remembered", SmallInteger, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("last_seen_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("idle_s", Number, nullable=False),
    Column("address", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("revoked_at", Text),
    Index(None, "tenant", "user_id"),
    Index(None, "expires_at"),
)

audit: Final = Table(
    "audit",
    CONTROL,
    Column("tenant", Text, primary_key=True),
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    # what lists are asked by; the body says the same, and is what was hashed
    Column("actor", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("resource_class", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("settles", Number),  # the number of the intent that this is the outcome of
    Column("body", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("origin", Text),  # the plane and the number of a row that a plane kept first
    UniqueConstraint("tenant", "origin"),
    UniqueConstraint("tenant", "settles"),
    Index(None, "tenant", "at"),
    Index(None, "tenant", "actor", "seq"),
    Index(None, "tenant", "subject", "seq"),
)

audit_heads: Final = Table(
    "audit_heads",
    CONTROL,
    Column("tenant", Text, primary_key=True),
    Column("seq", Number, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

audit_checkpoints: Final = Table(
    "audit_checkpoints",
    CONTROL,
    Column("tenant", Text, primary_key=True),
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("at", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

# Of the gateway, which every user of the tenant may use; a user's own lie in their plane.
profiles: Final = Table(
    "profiles", CONTROL, Column("tenant", Text, primary_key=True), *profile_columns()
)
