"""`/audit`: what was done and refused, for admins; and for everybody what concerns themselves."""

from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response, StreamingResponse

from perdure.api.deps import CurrentControl, CurrentPrincipal, require
from perdure.api.routing import answers, json_of, refusals, resource
from perdure.api.schemas import audit as shown
from perdure.services import audit

JSON_LINES: Final = "application/jsonl"

router = resource("audit")


@router.get("/audit", dependencies=[require("audit:read")], responses=answers(shown.AuditList))
async def list_audit(
    asked: Annotated[shown.AskAudit, Query()], control: CurrentControl, principal: CurrentPrincipal
) -> Response:
    """List entries of the audit chain, newest first, by any of the filters together."""
    query = asked.query(audit.tenant_seen(principal, asked.tenant_id))
    return json_of(shown.page_of(await audit.listed(control, query)))


@router.get("/audit/tail", dependencies=[require("audit:read")], responses=answers(shown.AuditTail))
async def read_audit_tail(
    asked: Annotated[shown.AskTail, Query()], control: CurrentControl, principal: CurrentPrincipal
) -> Response:
    """Give the newest entries, a line of JSON for each, as many as fit in `max_bytes`."""
    tenant = audit.tenant_seen(principal, asked.tenant_id)
    return json_of(shown.tail_of(*await audit.tail(control, tenant, asked.max_bytes)))


@router.get(
    "/audit/export",
    dependencies=[require("audit:read")],
    responses=refusals() | {200: {"description": "Done", "content": {JSON_LINES: {}}}},
    response_class=StreamingResponse,
)
async def export_audit(
    asked: Annotated[shown.AskExport, Query()], control: CurrentControl, principal: CurrentPrincipal
) -> Response:
    """Give the chain after entry `after`, so that it can be checked with the public key alone."""
    tenant = audit.tenant_seen(principal, asked.tenant_id)
    lines = audit.export(control, tenant, after=asked.after)
    return StreamingResponse(lines, media_type=JSON_LINES)


@router.get(
    "/audit/checkpoints",
    dependencies=[require("audit:read")],
    responses=answers(shown.Checkpoints),
)
async def list_checkpoints(
    asked: Annotated[shown.AskCheckpoints, Query()],
    control: CurrentControl,
    principal: CurrentPrincipal,
) -> Response:
    """List what was signed of the chain, and give the public key."""
    tenant = audit.tenant_seen(principal, asked.tenant_id)
    head, found = await audit.checkpoints(control, tenant, after=asked.after, limit=asked.limit)
    return json_of(shown.checkpoints_of(head, found, audit.public_key(control)))


@router.get("/me/audit", dependencies=[require("audit:own")], responses=answers(shown.AuditList))
async def list_own_audit(
    asked: Annotated[shown.AskOwn, Query()], control: CurrentControl, principal: CurrentPrincipal
) -> Response:
    """List what whoever asks did, and what others did that concerns them, newest first."""
    page, cursor = await audit.own(control, principal, cursor=asked.cursor, limit=asked.limit)
    return json_of(shown.own_page_of(page, cursor))
