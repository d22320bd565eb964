"""Tokens of users: made here and nowhere else, shown once, changed for others, ended."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from perdure.clock import text_of, time_of
from perdure.errors import Unfit
from perdure.identity.tokens import (
    MAIN,
    Rotation,
    Shown,
    Token,
    digest_of,
    fingerprint_of,
    text_of_token,
)
from perdure.ids import TenantId, TokenId, UserId, new_secret, new_token_id
from perdure.runtimes.control import ControlContext

TOKENS_MAX: Final = 50  # of one user
OVERLAP_S_MAX: Final = 7 * 86_400


class NewToken(NamedTuple):
    """A token, and the only time that its text is there."""

    text: str
    token: Token


def made(
    control: ControlContext, tenant: TenantId, user: UserId, *, name: str = MAIN, expires_at: str | None = None
) -> NewToken:  # fmt: skip
    """A new token that nobody keeps yet. Raises `Unfit` where it would be over before it begins."""
    ends = None if expires_at is None else time_of(expires_at)
    if ends is not None and ends <= control.clock.now():
        raise Unfit("expires_at: that time has passed.")
    shown = Shown(new_token_id(), new_secret())
    token = kept_of(control, shown, tenant, user, name)
    return NewToken(
        text_of_token(*shown), replace(token, expires_at=None if ends is None else text_of(ends))
    )


def kept_of(
    control: ControlContext, shown: Shown, tenant: TenantId, user: UserId, name: str
) -> Token:
    """What is kept of a token."""
    return Token(
        shown.id, tenant, user, name, digest_of(control.pepper, shown.secret),
        fingerprint_of(control.pepper, shown.secret), text_of(control.clock.now()),
    )  # fmt: skip


async def issue(
    control: ControlContext, tenant: TenantId, user: UserId, *, name: str, expires_at: str | None = None
) -> NewToken:  # fmt: skip
    """Give a user another token. Raises `UserNotFound`, `LimitReached`, `Unfit`."""
    new = made(control, tenant, user, name=name, expires_at=expires_at)
    await control.tokens.add(new.token, most=TOKENS_MAX)
    return new


async def tokens_of(control: ControlContext, tenant: TenantId, user: UserId) -> Sequence[Token]:
    """A user's tokens that were neither revoked nor replaced for good, oldest first. Raises `UserNotFound`."""
    await control.principals.user(tenant, user)
    now = text_of(control.clock.now())
    kept = await control.tokens.of_user(tenant, user)
    return [it for it in kept if it.overlap_until is None or now < it.overlap_until]


async def rotate(
    control: ControlContext, tenant: TenantId, user: UserId, *, overlap_s: int = 0
) -> NewToken:
    """Give a user a new token for all that they have, which end: at once, or after `overlap_s`.

    Their browser sessions end at once. Raises `UserNotFound`.
    """
    new, rotation = rotation_of(control, tenant, user, overlap_s)
    await control.tokens.rotate(rotation)
    return new


def rotation_of(
    control: ControlContext, tenant: TenantId, user: UserId, overlap_s: int
) -> tuple[NewToken, Rotation]:
    """A new token, and how it is put in the place of the others, which nothing has done yet."""
    new = made(control, tenant, user)
    until = _after(control.clock.now(), overlap_s) if overlap_s > 0 else None
    return new, Rotation(new.token, until)


async def revoke(control: ControlContext, tenant: TenantId, user: UserId, id: TokenId) -> None:
    """End one token of a user, and the browser sessions opened with it. Raises `TokenNotFound`."""
    await control.tokens.revoke(tenant, user, id, at=text_of(control.clock.now()))


def _after(now: datetime, seconds: int) -> str:
    return text_of(now + timedelta(seconds=min(seconds, OVERLAP_S_MAX)))
