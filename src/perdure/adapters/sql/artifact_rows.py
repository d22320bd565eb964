"""Artifacts as rows, and back."""

from typing import Final

from perdure.adapters.sql.commit_rows import ARTIFACT
from perdure.adapters.sql.encode import dumps, loads
from perdure.adapters.sql.statements import Row
from perdure.adapters.sql.tables import artifacts
from perdure.ids import ArtifactId
from perdure.stores.artifacts import Artifact, Maker, modality_of, render_of, words_of

DERIVED: Final = 3  # columns that follow from others, and are only looked for
COLUMNS: Final = tuple(artifacts.c[name] for name in ARTIFACT[:-DERIVED])


def row_of(artifact: Artifact) -> Row:
    """An artifact as it is kept."""
    made = artifact.made_by
    run_id, workflow_id, _, node_id, step_id, seq = (None,) * 6 if made is None else made
    return (
        artifact.id, artifact.owner, artifact.sha256, artifact.size_bytes, artifact.content_type,
        artifact.created_at, dumps(dict(artifact.tags)), run_id, workflow_id, artifact.session_id, node_id,
        step_id, seq, artifact.kind, modality_of(artifact.content_type), render_of(artifact.content_type),
        words_of(artifact),
    )  # fmt: skip


def artifact_of(row: Row) -> Artifact:
    """An artifact as it was kept."""
    (artifact_id, owner, digest, size_bytes, content_type, created_at, tags, run_id, workflow_id, session_id,
     node_id, step_id, seq, kind) = row  # fmt: skip
    made = None
    if run_id is not None:
        made = Maker(run_id, workflow_id or "", session_id or "", node_id, step_id, seq)
    return Artifact(
        ArtifactId(artifact_id), owner, digest, size_bytes, content_type, created_at, loads(tags), made,
        session_id, kind or "",
    )  # fmt: skip
