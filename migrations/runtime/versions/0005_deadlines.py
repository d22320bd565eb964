"""The time at which a run ends whatever it does then, and the run that it was given to."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

UNENDED = sa.text("deadline IS NOT NULL AND status IN ('running', 'waiting')")


def upgrade() -> None:
    op.add_column("runs", sa.Column("deadline", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("deadline_of", sa.Text(), nullable=True))
    op.create_index(
        "ix_runs_deadline",
        "runs",
        ["deadline", "pk"],
        sqlite_where=UNENDED,
        postgresql_where=UNENDED,
    )


def downgrade() -> None:
    op.drop_index("ix_runs_deadline", table_name="runs")
    for name in ("deadline_of", "deadline"):
        op.drop_column("runs", name)
