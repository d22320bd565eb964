"""The planes that there are, and when each has something to do."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "planes",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("runtime", sa.Text(), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("schema_version", sa.Text(), nullable=False),
        sa.Column("due_at", sa.Text(), nullable=True),
        sa.Column("noted_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "runtime", name="pk_planes"),
        sa.UniqueConstraint("schema_name", name="uq_planes_schema_name"),
    )
    op.create_index("ix_planes_due_at", "planes", ["due_at"])


def downgrade() -> None:
    op.drop_table("planes")
