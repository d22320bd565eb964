"""`/me`, `/ping`, `/session`: who asks, and how they come and go."""

from starlette.responses import Response

from perdure.api.deps import Collaborating, CurrentPrincipal, require
from perdure.api.routing import answers, json_of, resource
from perdure.api.schemas import me as shown
from perdure.api.schemas.health import SERVICE
from perdure.clock import text_of

router = resource("me")


@router.get("/me", dependencies=[require("me:read")], responses=answers(shown.Me))
async def read_me(principal: CurrentPrincipal, collaborators: Collaborating) -> Response:
    """Say who asks, as the server knows them."""
    return json_of(shown.me_of(principal, collaborators.credentials.mode))


@router.get("/ping", dependencies=[require("me:read")], responses=answers(shown.Ping))
async def ping(collaborators: Collaborating) -> Response:
    """Answer."""
    now = text_of(collaborators.clock.now())
    return json_of({"ok": True, "status": "healthy", "service": SERVICE, "time": now})


@router.post(
    "/session/login",
    dependencies=[require("session:login")],
    responses=answers(shown.Me, body=True),
)
async def sign_in(body: shown.SignIn, collaborators: Collaborating) -> Response:
    """Exchange a user's token for a browser session."""
    principal = await collaborators.credentials.sign_in(body.user_id, body.token)
    return json_of(shown.me_of(principal, collaborators.credentials.mode))


@router.post(
    "/session/logout",
    dependencies=[require("session:logout")],
    responses=answers(shown.SignedOut),
)
async def sign_out() -> Response:
    """End the browser session, where the request came by one."""
    return json_of({"ok": True, "deleted": False})
