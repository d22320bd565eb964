"""`/me`, `/ping`: who asks, and what they may do."""

from starlette.responses import Response

from perdure.api.deps import Collaborating, CurrentPrincipal, require
from perdure.api.routing import answers, json_of, resource
from perdure.api.schemas import me as shown
from perdure.api.schemas.health import SERVICE
from perdure.clock import text_of
from perdure.identity.access import visible_to

router = resource("me")


@router.get("/me", dependencies=[require("me:read")], responses=answers(shown.Me))
async def read_me(principal: CurrentPrincipal, collaborators: Collaborating) -> Response:
    """Say who asks, as the server knows them, and which actions are theirs."""
    told = shown.me_of(principal, collaborators.credentials.mode)
    return json_of({**told, "actions": visible_to(principal, collaborators.rules)})


@router.get("/ping", dependencies=[require("me:read")], responses=answers(shown.Ping))
async def ping(collaborators: Collaborating) -> Response:
    """Answer."""
    now = text_of(collaborators.clock.now())
    return json_of({"ok": True, "status": "healthy", "service": SERVICE, "time": now})
