"""Browser sessions: opened for a user's token, known by what the browser has, listed, ended."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from perdure.clock import text_of
from perdure.errors import SessionNotFound, Unauthenticated
from perdure.identity.credentials import SessionFound
from perdure.identity.principal import Principal
from perdure.identity.sessions import (
    CSRF_PREFIX,
    VALUE_PREFIX,
    BrowserSession,
    Standing,
    digest_of,
    end_of,
    standing_of,
)
from perdure.identity.tokens import Shown, is_right, read_token
from perdure.identity.users import principal_of
from perdure.ids import TenantId, TokenId, UserId, new_id, new_secret
from perdure.runtimes.control import ControlContext
from perdure.services.uses import Uses
from perdure.stores.tokens import TokenFound

SESSIONS_MAX: Final = 100  # of one user; the longest unseen ends for a new one
NAMED: Final = "session:"  # before the handle, in a principal's credential
REFUSED: Final = "This user and token do not sign in."  # the one text, whatever the cause
NO_TOKEN: Final = Shown(TokenId("-" * 16), "-" * 43)  # looked up for what is no token at all
AGENT_LETTERS_MAX: Final = 300
_TEXTS: Final = {
    Standing.EXPIRED: "The session has expired; sign in again.",
    Standing.REVOKED: "The session was ended; sign in again.",
}


class Browser(NamedTuple):
    """What signs in: from where, and the session that it has until then, which ends."""

    address: str = ""
    user_agent: str = ""
    replaced: str | None = None


class NewSession(NamedTuple):
    """A session, and the only time that what the browser keeps of it is there."""

    value: str
    csrf: str
    principal: Principal
    expires_at: str
    remembered: bool


async def find_token(control: ControlContext, shown: Shown) -> TokenFound | None:
    """The token that is shown, with its user, if both are good: one read, and the same work for any."""
    found = await control.tokens.find(shown.id)
    token = None if found is None else found.token
    right = is_right(token, control.pepper, shown.secret, now=text_of(control.clock.now()))
    return found if right and found is not None and found.user.enabled else None


async def who_signs_in(control: ControlContext, user: str, token: str) -> TokenFound:
    """The user of this id with this token. Raises `Unauthenticated`, in one text for every cause."""
    found = await find_token(control, read_token(token) or NO_TOKEN)
    if found is None or found.user.id != user:
        raise Unauthenticated(REFUSED, reason_code="unauthenticated")
    return found


async def open_session(
    control: ControlContext, user: str, token: str, *, browser: Browser, remember: bool = False
) -> NewSession:  # fmt: skip
    """Exchange a user's token for a browser session, under an id that nobody had before.

    Raises `Unauthenticated`, in one text for every cause.
    """
    found = await who_signs_in(control, user, token)
    now, life = text_of(control.clock.now()), control.session_life
    secret, csrf, handle = VALUE_PREFIX + new_secret(), CSRF_PREFIX + new_secret(), new_id()
    session = BrowserSession(
        digest=digest_of(secret), handle=handle, tenant=found.user.tenant, user=found.user.id,
        token=found.token.id, csrf_digest=digest_of(csrf), remembered=remember, created_at=now,
        last_seen_at=now,
        expires_at=end_of(now, life, remember=remember, token_expires_at=found.token.expires_at),
        idle_s=life.idle_s, address=browser.address,
        user_agent=browser.user_agent[:AGENT_LETTERS_MAX],
    )  # fmt: skip
    replaced = _digest_in(control, browser.replaced) if browser.replaced else None
    try:
        await control.sessions.add(session, replaced=replaced, most=SESSIONS_MAX)
    except Unauthenticated:
        raise Unauthenticated(REFUSED, reason_code="unauthenticated") from None
    principal = principal_of(
        found.user, fingerprint=found.token.fingerprint, credential=NAMED + handle
    )
    return NewSession(control.signer.sign(secret), csrf, principal, session.expires_at, remember)


async def session_of(control: ControlContext, value: str, uses: Uses | None = None) -> SessionFound:
    """Whose session has this value. Raises `Unauthenticated`, with what became of it as `reason_code`."""
    digest = _digest_in(control, value)
    if digest is None:
        raise Unauthenticated(
            "The session is not one that was opened here.", reason_code="unauthenticated"
        )
    row = await control.sessions.find(digest)
    standing = Standing.EXPIRED  # one that was opened here and is gone had its time
    if row is not None:
        standing = standing_of(row.session, text_of(control.clock.now()))
        if standing is Standing.GOOD and (row.user is None or not row.user.enabled):
            standing = Standing.REVOKED
    if row is None or row.user is None or standing is not Standing.GOOD:
        raise Unauthenticated(_TEXTS[standing], reason_code=standing.value)
    if uses is not None:
        uses.session(digest)
    credential = NAMED + row.session.handle
    principal = principal_of(row.user, fingerprint=row.fingerprint, credential=credential)
    return SessionFound(principal, row.session.csrf_digest)


async def end_session(control: ControlContext, principal: Principal) -> bool:
    """End the session by which somebody asks; whether they do by one."""
    if not principal.credential.startswith(NAMED):
        return False
    handle = principal.credential.removeprefix(NAMED)
    try:
        await revoke(control, principal.tenant, principal.user, handle)
    except SessionNotFound:
        return False
    return True


async def end_all(control: ControlContext, tenant: TenantId, user: UserId) -> int:
    """End all sessions of a user; how many there were."""
    return await control.sessions.revoke_all(tenant, user, at=text_of(control.clock.now()))


async def sessions_of(
    control: ControlContext, tenant: TenantId, user: UserId
) -> Sequence[BrowserSession]:
    """A user's sessions that are good, last seen first."""
    return await control.sessions.of_user(tenant, user, now=text_of(control.clock.now()))


async def revoke(control: ControlContext, tenant: TenantId, user: UserId, handle: str) -> None:
    """End one session of a user. Raises `SessionNotFound`, for another's as for none."""
    await control.sessions.revoke(tenant, user, handle, at=text_of(control.clock.now()))


def _digest_in(control: ControlContext, value: str) -> bytes | None:
    """What the id in a value hashes to, or `None` where the value was not made here."""
    secret = control.signer.unsign(value)
    return None if secret is None else digest_of(secret)
