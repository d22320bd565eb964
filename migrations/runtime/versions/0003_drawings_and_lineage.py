"""Flows as their authors have them; and of each artifact who made it, and what it is looked for by."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXTS = (
    "run_id", "workflow_id", "session_id", "node_id", "step_id", "kind", "modality", "render", "words",
)  # fmt: skip
INDEXES = (
    ("created_at", "id"), ("size_bytes", "id"), ("run_id", "created_at"), ("session_id", "created_at"),
    ("workflow_id", "created_at"), ("kind", "created_at"), ("modality", "created_at"), ("sha256",),
)  # fmt: skip
# What there was before are values of runs that were too large for their cells; nobody could upload.
BACKFILL = """
UPDATE artifacts SET run_id = owner, kind = 'value', words = '',
  modality = CASE WHEN content_type LIKE '%json' THEN 'text' ELSE 'binary' END,
  render = CASE WHEN content_type LIKE '%json' THEN 'json' ELSE 'binary' END,
  workflow_id = (SELECT workflow_id FROM runs WHERE runs.id = artifacts.owner),
  session_id = (SELECT session_id FROM runs WHERE runs.id = artifacts.owner)
"""


def upgrade() -> None:
    op.create_table(
        "drawings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_drawings"),
    )
    op.create_index("ix_drawings_updated_at_id", "drawings", ["updated_at", "id"])
    for name in TEXTS:
        op.add_column("artifacts", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("artifacts", sa.Column("seq", NUMBER, nullable=True))
    op.execute(sa.text(BACKFILL))
    for columns in INDEXES:
        op.create_index(f"ix_artifacts_{'_'.join(columns)}", "artifacts", list(columns))


def downgrade() -> None:
    for columns in INDEXES:
        op.drop_index(f"ix_artifacts_{'_'.join(columns)}", table_name="artifacts")
    for name in ("seq", *TEXTS):
        op.drop_column("artifacts", name)
    op.drop_table("drawings")
