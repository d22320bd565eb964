"""`/admin/runtime-reservations`: runtimes that nobody has, for admins to hand on or to purge."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from perdure.api.deps import CurrentAct, CurrentControl, CurrentPrincipal, CurrentRetention, require
from perdure.api.routing import PREFIX, answers, json_of, resource
from perdure.api.schemas import retention as shown
from perdure.api.schemas.fields import NamePath
from perdure.ids import RuntimeId, UserId
from perdure.services import retention
from perdure.services.principals import tenant_of

router = resource("admin", f"{PREFIX}/admin/runtime-reservations")


@router.get("", dependencies=[require("runtime:read")], responses=answers(shown.Reservations))
async def list_reservations(
    asked: Annotated[shown.AskReservations, Query()], actor: CurrentPrincipal, control: CurrentControl,
    keeper: CurrentRetention,
) -> Response:  # fmt: skip
    """List the runtimes of a tenant that nobody has."""
    after = None if asked.cursor is None else RuntimeId(asked.cursor)
    tenant = tenant_of(actor, asked.tenant_id)
    found = await retention.kept_runtimes(control, keeper, tenant, after=after, limit=asked.limit)
    more = found[-1].entry.runtime if len(found) == asked.limit else None
    items = [shown.reservation_of(it) for it in found]
    return json_of({"runtime_reservations": items, "next_cursor": more})


@router.post(
    "/{runtime_id}/transfer",
    dependencies=[require("runtime:transfer")],
    responses=answers(shown.Transferred, 404, 409, body=True),
)
async def transfer_runtime(
    runtime_id: NamePath, body: shown.Transfer, actor: CurrentPrincipal, control: CurrentControl,
    keeper: CurrentRetention, act: CurrentAct,
) -> Response:  # fmt: skip
    """Give a runtime that nobody has to a user of its tenant; what they had is kept for them."""
    runtime, to = RuntimeId(runtime_id), UserId(body.target_user_id)
    retention.check_confirmed(runtime, body.confirm_runtime_id)
    act.about(subject=to)
    tenant = tenant_of(actor, body.tenant_id)
    user, left = await retention.transfer(control, keeper, tenant, runtime, to)
    return json_of(shown.transferred(user, left))


@router.post(
    "/{runtime_id}/purge",
    dependencies=[require("runtime:purge")],
    responses=answers(shown.Purged, 404, 409, body=True),
)
async def purge_runtime(
    runtime_id: NamePath, body: shown.Purge, actor: CurrentPrincipal, control: CurrentControl,
    keeper: CurrentRetention,
) -> Response:  # fmt: skip
    """Take a runtime that nobody has away for good, with all its data."""
    runtime = RuntimeId(runtime_id)
    retention.check_confirmed(runtime, body.confirm_runtime_id)
    retention.check_whole(body.delete_data)
    tenant = tenant_of(actor, body.tenant_id)
    return json_of(shown.purged(await retention.purge(control, keeper, tenant, runtime)))
