"""`/session`: how browsers come and go, and the sessions that one has open."""

from fastapi import Request
from starlette.responses import Response

from perdure.api.callers import UNAUTHENTICATED
from perdure.api.collaborators import Collaborators
from perdure.api.cookies import cookies_gone, cookies_of_session
from perdure.api.deps import (
    Collaborating,
    CurrentAct,
    CurrentControl,
    CurrentPrincipal,
    require,
    visit_of,
)
from perdure.api.origins import Headers
from perdure.api.routing import PREFIX, answers, json_of, resource
from perdure.api.schemas import me as told
from perdure.api.schemas import sessions as shown
from perdure.api.schemas.fields import NamePath
from perdure.clock import time_of
from perdure.errors import Unauthenticated
from perdure.kernel.values import Json
from perdure.services import sessions
from perdure.services.sessions import REFUSED, Browser, NewSession

router = resource("session", f"{PREFIX}/session")


@router.post(
    "/login", dependencies=[require("session:login")], responses=answers(told.Me, body=True)
)
async def sign_in(
    request: Request, body: shown.SignIn, collaborators: Collaborating, act: CurrentAct
) -> Response:
    """Exchange a user's token for a browser session, which is in the cookies alone."""
    new = await _counted(request, body, collaborators)
    act.by(new.principal)
    response = json_of(shown.signed_in(new, collaborators.credentials.mode))
    response.raw_headers += _cookies(request, new, collaborators)
    return response


@router.post(
    "/logout", dependencies=[require("session:logout")], responses=answers(shown.SignedOut)
)
async def sign_out(
    request: Request, principal: CurrentPrincipal, collaborators: Collaborating
) -> Response:
    """End the browser session, where the request came by one."""
    control = collaborators.control
    ended = control is not None and await sessions.end_session(control, principal)
    return _gone(request, {"ok": True, "deleted": ended})


@router.get("/list", dependencies=[require("session:read")], responses=answers(shown.Sessions))
async def list_sessions(principal: CurrentPrincipal, control: CurrentControl) -> Response:
    """List one's own browser sessions, last seen first."""
    found = await sessions.sessions_of(control, principal.tenant, principal.user)
    return json_of({"items": [shown.session_of(it, principal) for it in found]})


@router.post(
    "/logout_all", dependencies=[require("session:revoke")], responses=answers(shown.Ended)
)
async def sign_out_everywhere(
    request: Request, principal: CurrentPrincipal, control: CurrentControl
) -> Response:
    """End all of one's own browser sessions, this one too."""
    ended = await sessions.end_all(control, principal.tenant, principal.user)
    return _gone(request, {"ok": True, "ended": ended})


@router.delete(
    "/{handle}",
    dependencies=[require("session:revoke")],
    responses=answers(shown.Ended, 404),
)
async def end_session(
    handle: NamePath, request: Request, principal: CurrentPrincipal, control: CurrentControl
) -> Response:
    """End one of one's own browser sessions."""
    await sessions.revoke(control, principal.tenant, principal.user, handle)
    answer: dict[str, Json] = {"ok": True, "ended": 1}
    return _gone(request, answer) if shown.is_by(principal, handle) else json_of(answer)


async def _counted(
    request: Request, body: shown.SignIn, collaborators: Collaborators
) -> NewSession:
    """A new session; a refusal is counted. Raises `Unauthenticated`, or `TooMany` instead."""
    lockout, address = request.app.state.callers.lockout, visit_of(request).seen.address
    counted = f"user:{body.user_id}"
    try:
        new = await _opened(request, body, collaborators)
    except Unauthenticated:
        lockout.failed(address, counted)
        raise
    lockout.succeeded(address, counted)
    return new


async def _opened(request: Request, body: shown.SignIn, collaborators: Collaborators) -> NewSession:
    """A new session, in the place of the one that the browser had. Raises `Unauthenticated`."""
    if collaborators.control is None or collaborators.credentials.mode != told.USERS:
        raise Unauthenticated(REFUSED, reason_code=UNAUTHENTICATED)
    visit = visit_of(request)
    try:
        replaced = request.app.state.callers.session_in(visit.headers, secure=visit.seen.secure)
    except Unauthenticated:
        replaced = None  # it never was one of ours
    agent = request.headers.get("user-agent", "")
    return await sessions.open_session(
        collaborators.control, body.user_id, body.token, remember=body.remember,
        browser=Browser(visit.seen.address, agent, replaced),
    )  # fmt: skip


def _cookies(request: Request, new: NewSession, collaborators: Collaborators) -> Headers:
    """Both cookies of a new session, which a remembered one keeps as long as it lasts."""
    left = time_of(new.expires_at) - collaborators.clock.now()
    return cookies_of_session(
        request.app.state.callers.names, new.value, new.csrf, secure=visit_of(request).seen.secure,
        max_age_s=int(left.total_seconds()) if new.remembered else None,
    )  # fmt: skip


def _gone(request: Request, answer: dict[str, Json]) -> Response:
    """The answer after which the browser has no session."""
    response, visit = json_of(answer), visit_of(request)
    names = request.app.state.callers.names
    response.raw_headers += cookies_gone(names, secure=visit.seen.secure)
    return response
