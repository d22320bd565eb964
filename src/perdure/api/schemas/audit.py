"""The audit chain, on the wire."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from perdure.api.schemas.fields import Id, JsonObject, When
from perdure.identity.audit import INTENT, UNKNOWN, Checkpoint, Head
from perdure.ids import TenantId
from perdure.kernel.limits import INTEGER_MAX
from perdure.kernel.values import Json
from perdure.stores.audit import AuditPage, AuditQuery, Record, fields_of

PAGE_MAX: Final = 1_000
TAIL_BYTES: Final = 65_536
TAIL_BYTES_MAX: Final = 4 * 1024 * 1024
NOT_TOLD: Final = (
    "seq",
    "hash",
    "prev_hash",
    "settles",
)  # to whom a chain is not open: it counts others


class AskTenant(BaseModel):
    """Whose chain: that of one's own tenant, unless an admin of more names another."""

    tenant_id: Id | None = None


class AskAudit(AskTenant):
    """Which entries to list, newest first. `cursor` is `next_cursor` of the page before."""

    actor: Id | None = None
    subject: Id | None = None
    action: Id | None = None
    resource_class: Id | None = None
    outcome: Literal["intent", "done", "failed", "denied"] | None = None
    request_id: Id | None = None
    since: When = None
    until: When = None
    limit: int = Field(100, ge=1, le=PAGE_MAX)
    cursor: int | None = Field(None, ge=1, le=INTEGER_MAX)

    def query(self, tenant: TenantId) -> AuditQuery:
        """The same, as the store takes it."""
        return AuditQuery(
            tenant, self.limit, self.cursor, self.actor, self.subject, self.action, self.resource_class,
            self.outcome, self.request_id, self.since, self.until,
        )  # fmt: skip


class AskOwn(BaseModel):
    """Which of the entries that concern whoever asks."""

    limit: int = Field(100, ge=1, le=PAGE_MAX)
    cursor: Id | None = None


class AskTail(AskTenant):
    """How much of the end of a chain."""

    max_bytes: int = Field(TAIL_BYTES, ge=0, le=TAIL_BYTES_MAX)


class AskExport(AskTenant):
    """From where: what follows the entry `after`."""

    after: int = Field(0, ge=0, le=INTEGER_MAX)


class AskCheckpoints(AskExport):
    """Which checkpoints: those of entries above `after`."""

    limit: int = Field(100, ge=1, le=PAGE_MAX)


class AuditList(BaseModel):
    """Entries, newest first."""

    items: list[JsonObject]
    next_cursor: int | str | None


class AuditTail(BaseModel):
    """The newest entries, a line of JSON for each, oldest first."""

    ok: bool
    bytes: int
    truncated: bool
    content: str


class Checkpoints(BaseModel):
    """Where a chain stands, what was signed of it, and the key to check that with."""

    tenant_id: str
    head: JsonObject
    items: list[JsonObject]
    key_id: str
    public_key: str


def item_of(record: Record) -> dict[str, Json]:
    """An entry as lists show it. `settled` is how an intent ended, as far as anybody knows."""
    fields = fields_of(record.body)
    shown = {
        **fields,
        "seq": record.seq,
        "prev_hash": record.previous.hex(),
        "hash": record.hash.hex(),
    }
    if fields["outcome"] == INTENT:
        shown["settled"] = record.settled or UNKNOWN
    return shown


def own_of(record: Record) -> dict[str, Json]:
    """The same, for whom it concerns: not where in the chain it is, nor where another one sat."""
    shown = {name: value for name, value in item_of(record).items() if name not in NOT_TOLD}
    if shown["actor"] != shown["subject"]:
        del shown["address"]
    return shown


def page_of(page: AuditPage) -> dict[str, Json]:
    """A page, with its cursor."""
    return {"items": [item_of(record) for record in page.items], "next_cursor": page.next}


def own_page_of(page: AuditPage, cursor: str | None) -> dict[str, Json]:
    """A page of what concerns one, with a cursor that says nothing."""
    return {"items": [own_of(record) for record in page.items], "next_cursor": cursor}


def tail_of(content: bytes, more: bool) -> dict[str, Json]:
    """The end of a chain."""
    return {"ok": True, "bytes": len(content), "truncated": more, "content": content.decode()}


def checkpoints_of(
    head: Head, found: Sequence[Checkpoint], key: Mapping[str, Any]
) -> dict[str, Json]:
    """Checkpoints with the head."""
    return {
        "tenant_id": head.tenant,
        "head": {"seq": head.seq, "hash": head.hash.hex()},
        "items": [
            {
                "seq": it.head.seq, "hash": it.head.hash.hex(), "at": it.at, "key_id": it.key_id,
                "signature": it.signature.hex(),
            }
            for it in found
        ],
        **key,
    }  # fmt: skip
