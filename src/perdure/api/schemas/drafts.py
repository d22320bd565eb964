"""Purges of drafts on the wire."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from perdure.api.schemas.fields import Body, Id, JsonObject
from perdure.kernel.model import TERMINAL
from perdure.kernel.values import Json
from perdure.services.bundles import DRAFT_PURPOSE
from perdure.services.drafts import EPHEMERAL, TTL_S, Draft, Looked, Purge

LIMIT_MAX: Final = 5_000


class PurgeDrafts(Body):
    """Which drafts are to go, of those whose retention is ephemeral; `force` takes them before their time."""

    model_config = ConfigDict(extra="forbid", strict=True)

    dry_run: bool = True
    limit: int = Field(200, ge=1, le=LIMIT_MAX)
    session_id: Id | None = None
    workflow_id: Id | None = None
    run_ids: list[Id] | None = Field(None, max_length=LIMIT_MAX)
    force: bool = False
    include_active: bool = False
    delete_artifacts: bool = True
    delete_workspaces: bool = True

    def asked(self) -> Purge:
        """What is asked for."""
        told = self.model_dump()
        return Purge(**told | {"run_ids": None if self.run_ids is None else tuple(self.run_ids)})


class Purged(BaseModel):
    """What became of each draft that was looked at."""

    ok: bool
    dry_run: bool
    policy: JsonObject
    scanned: int
    eligible: int
    purged: int
    skipped: int
    items: list[JsonObject]


def purged_of(asked: Purge, looked: Looked) -> dict[str, Json]:
    """A purge as the wire shows it."""
    return {
        "ok": True,
        "dry_run": asked.dry_run,
        "policy": {
            "purpose": DRAFT_PURPOSE, "retention_mode": EPHEMERAL, "default_ttl_s": TTL_S,
            "terminal_statuses": sorted(TERMINAL),
        },
        "scanned": len(looked.items),
        "eligible": looked.eligible,
        "purged": looked.purged,
        "skipped": len(looked.items) - looked.eligible,
        "items": [_item_of(it) for it in looked.items],
    }  # fmt: skip


def _item_of(draft: Draft) -> dict[str, Json]:
    birth = draft.header.birth
    return {
        "run_id": birth.id, "workflow_id": birth.workflow_id, "session_id": birth.session_id,
        "status": draft.header.status.value, "updated_at": draft.header.updated_at, "eligible": draft.why is None,
        "purged": draft.purged, "reason": draft.why,
    }  # fmt: skip
