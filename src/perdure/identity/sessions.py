"""Browser sessions: what the browser has of one, and how long it is good."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from perdure.clock import text_of, time_of
from perdure.ids import TenantId, TokenId, UserId

VALUE_PREFIX: Final = "agws_"
CSRF_PREFIX: Final = "agcsrf_"


class Standing(StrEnum):
    """How a session stands, in the words of a refusal."""

    GOOD = "good"
    EXPIRED = "session_expired"
    REVOKED = "session_revoked"


@dataclass(frozen=True, slots=True)
class SessionLife:
    """How long browser sessions live, in seconds."""

    idle_s: int = 12 * 3_600
    longest_s: int = 8 * 3_600
    remembered_s: int = 30 * 86_400


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A browser session as kept: hashes of what the browser has. `handle` names it and opens nothing."""

    digest: bytes
    handle: str
    tenant: TenantId
    user: UserId
    token: TokenId
    csrf_digest: bytes
    remembered: bool
    created_at: str
    last_seen_at: str
    expires_at: str
    idle_s: int
    address: str
    user_agent: str
    revoked_at: str | None = None


def digest_of(secret: str) -> bytes:
    """What is kept of a session's id, or of its CSRF token. Both are 256 bits of chance, so no key is needed."""
    return sha256(secret.encode()).digest()


def end_of(now: str, life: SessionLife, *, remember: bool, token_expires_at: str | None) -> str:
    """When a session that begins now is over, whatever happens; never after the token that opens it."""
    lasts = life.remembered_s if remember else life.longest_s
    end = text_of(time_of(now) + timedelta(seconds=lasts))
    return end if token_expires_at is None else min(end, token_expires_at)


def standing_of(session: BrowserSession, now: str) -> Standing:
    """How a session stands now."""
    if session.revoked_at is not None:
        return Standing.REVOKED
    idle_until = text_of(time_of(session.last_seen_at) + timedelta(seconds=session.idle_s))
    return Standing.GOOD if now < min(session.expires_at, idle_until) else Standing.EXPIRED
