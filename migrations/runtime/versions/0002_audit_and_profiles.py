"""What was done in a plane, on its way to the tenant's chain; and the endpoint profiles of its owner."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COUNTERS = sa.table("counters", sa.column("name", sa.Text), sa.column("value", NUMBER))
AUDIT = "audit"  # the counter of rows that are carried


def text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def upgrade() -> None:
    op.create_table(
        "audit_pending",
        sa.Column("n", NUMBER, nullable=False, autoincrement=False),
        text("at"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("n", name="pk_audit_pending"),
    )
    op.create_table(
        "profiles",
        text("id"),
        text("body"),
        text("origin"),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        text("key_id", null=True),
        text("fingerprint", null=True),
        text("created_at"),
        text("updated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_profiles"),
    )
    op.bulk_insert(COUNTERS, [{"name": AUDIT, "value": 0}])


def downgrade() -> None:
    op.execute(sa.delete(COUNTERS).where(COUNTERS.c.name == AUDIT))
    op.drop_table("profiles")
    op.drop_table("audit_pending")
