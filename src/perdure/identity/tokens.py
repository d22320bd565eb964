"""Tokens of users, `agw_<id>_<secret>`: how one is written, known again, and until when it is good.

The id finds the row, and the secret is compared with what a keyed hash made of it: who reads the
database can neither show a token nor try one.
"""

import hmac
import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from perdure.ids import TenantId, TokenId, UserId

PREFIX: Final = "agw_"
MAIN: Final = "default"  # the name of the token that a user is made with
FINGERPRINT_LETTERS: Final = 12
_SHOWN: Final = re.compile(r"agw_([A-Za-z0-9_-]{16})_([A-Za-z0-9_-]{43})")
_NOBODYS: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as kept. `overlap_until`: another took its place, and it is good until then."""

    id: TokenId
    tenant: TenantId
    user: UserId
    name: str
    digest: bytes
    fingerprint: str
    created_at: str
    expires_at: str | None = None
    overlap_until: str | None = None
    last_used_at: str | None = None
    revoked_at: str | None = None


class Rotation(NamedTuple):
    """A token that takes the place of all others of its user, which end at once or at the time that is said."""

    token: Token
    overlap_until: str | None = None


class Shown(NamedTuple):
    """What somebody showed: the part that is looked up, and the part that is compared."""

    id: TokenId
    secret: str


def text_of_token(id: TokenId, secret: str) -> str:
    """A token as its user gets it, once."""
    return f"{PREFIX}{id}_{secret}"


def read_token(text: str) -> Shown | None:
    """The parts of a token, or `None` for what is not one."""
    found = _SHOWN.fullmatch(text)
    return None if found is None else Shown(TokenId(found[1]), found[2])


def digest_of(pepper: bytes, secret: str) -> bytes:
    """What is kept of a secret."""
    return hmac.digest(pepper, b"token\0" + secret.encode(), "sha256")


def fingerprint_of(pepper: bytes, secret: str) -> str:
    """What people tell tokens apart by. It is keyed, so nobody who reads it can try tokens against it."""
    return hmac.digest(pepper, b"fingerprint\0" + secret.encode(), "sha256").hex()[
        :FINGERPRINT_LETTERS
    ]


def is_right(token: Token | None, pepper: bytes, secret: str, *, now: str) -> bool:
    """Whether a secret is that of a token, and the token is good; the same work whatever the answer."""
    kept = _NOBODYS if token is None else token.digest
    same = hmac.compare_digest(kept, digest_of(pepper, secret))
    return same and token is not None and is_good(token, now)


def is_good(token: Token, now: str) -> bool:
    """Whether a token has neither been revoked, nor expired, nor been replaced for good."""
    if token.revoked_at is not None:
        return False
    return all(until is None or now < until for until in (token.expires_at, token.overlap_until))
