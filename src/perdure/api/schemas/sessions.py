"""Browser sessions, on the wire: what the browser keeps of one is never in a body."""

from pydantic import BaseModel, ConfigDict, Field

from perdure.api.schemas.fields import Body
from perdure.api.schemas.me import me_of
from perdure.identity.principal import Principal
from perdure.identity.sessions import BrowserSession
from perdure.kernel.values import Json
from perdure.services.sessions import NAMED, NewSession


class SignIn(Body):
    """A user and their token, to be exchanged for a browser session."""

    model_config = ConfigDict(extra="forbid", strict=True)

    user_id: str = Field(min_length=1, max_length=256)
    token: str = Field(min_length=1, max_length=4_096)
    remember: bool = False


class SignedOut(BaseModel):
    """Whether there was a browser session to end."""

    ok: bool
    deleted: bool


class Ended(BaseModel):
    """How many browser sessions were ended."""

    ok: bool
    ended: int


class Session(BaseModel):
    """A browser session; its handle names it and opens nothing."""

    handle: str
    created_at: str
    last_seen_at: str
    expires_at: str
    remembered: bool
    address: str
    user_agent: str
    current: bool


class Sessions(BaseModel):
    """One's own browser sessions."""

    items: list[Session]


def signed_in(new: NewSession, mode: str) -> dict[str, Json]:
    """Who has signed in, and until when. Neither the session nor its CSRF token is in it."""
    told = me_of(new.principal, mode)
    told["auth"] = {**told["auth"], "session": "gateway-browser-session"}
    return {**told, "session": {"expires_at": new.expires_at}}


def session_of(session: BrowserSession, principal: Principal) -> dict[str, Json]:
    """A browser session as its user sees it."""
    return {
        "handle": session.handle,
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
        "expires_at": session.expires_at,
        "remembered": session.remembered,
        "address": session.address,
        "user_agent": session.user_agent,
        "current": is_by(principal, session.handle),
    }


def is_by(principal: Principal, handle: str) -> bool:
    """Whether somebody asks by the session of this handle."""
    return principal.credential == NAMED + handle
