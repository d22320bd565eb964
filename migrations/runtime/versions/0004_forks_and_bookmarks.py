"""Where a run was forked from and what guards its effects; and moments of runs that somebody named."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def upgrade() -> None:
    op.add_column("runs", text("forked_from", null=True))
    op.add_column("runs", sa.Column("forked_seq", NUMBER, nullable=True))
    op.add_column("runs", text("guard", null=True))
    op.create_index("ix_runs_forked_from", "runs", ["forked_from"])
    op.create_table(
        "bookmarks",
        text("id"),
        text("run_id"),
        sa.Column("seq", NUMBER, nullable=False),
        text("name"),
        text("note"),
        sa.Column("tags", sa.LargeBinary(), nullable=False),
        text("words"),
        text("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_bookmarks"),
    )
    op.create_index("ix_bookmarks_run_id_created_at", "bookmarks", ["run_id", "created_at"])
    op.create_index("ix_bookmarks_created_at_id", "bookmarks", ["created_at", "id"])


def downgrade() -> None:
    op.drop_table("bookmarks")
    op.drop_index("ix_runs_forked_from", table_name="runs")
    for name in ("guard", "forked_seq", "forked_from"):
        op.drop_column("runs", name)
