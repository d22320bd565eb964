"""Users: made, changed, given other tokens, deleted, and the first of them; each by one who may give that much."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from perdure.clock import text_of
from perdure.errors import Forbidden, Invalid, UserNotFound
from perdure.identity.grants import covers
from perdure.identity.names import runtime_id_of, tenant_id_of, user_id_of
from perdure.identity.principal import Principal, Role
from perdure.identity.tokens import Rotation, Shown
from perdure.identity.users import LOCAL, OVER_ALL, User, UserChange, is_over
from perdure.ids import RuntimeId, TenantId, UserId
from perdure.runtimes.control import ControlContext
from perdure.services import tokens
from perdure.services.tokens import NewToken
from perdure.stores.principals import Reason

HOME: Final = TenantId("default")
FIRST: Final = UserId("admin")
FIRST_TOKEN: Final = "bootstrap"
NOWHERE: Final = TenantId("")  # a tenant that cannot be: who may not look is answered from it
_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,190}")


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user as an admin describes them; without a runtime they get their own again, or one named for them."""

    user_id: str
    email: str = ""
    roles: frozenset[Role] = frozenset({Role.USER})
    scopes: tuple[str, ...] = ()
    enabled: bool = True
    runtime_id: str | None = None


def tenant_of(actor: Principal, named: str | None) -> TenantId:
    """The tenant that an admin means: their own, where they name none.

    One that they are not over is answered as one that is not there, by the same work.
    """
    if named is None:
        return HOME if actor.tenant == LOCAL else actor.tenant
    tenant = TenantId(named)
    return tenant if is_over(actor, tenant) else NOWHERE


async def meant(control: ControlContext, actor: Principal, named: str | None, user: str) -> User:
    """The user that an admin means. Raises `UserNotFound`, also for one of a tenant that they are not over."""
    return await control.principals.user(tenant_of(actor, named), UserId(user))


async def users_of(
    control: ControlContext, tenant: TenantId, *, after: UserId | None, limit: int
) -> Sequence[User]:
    """Users of a tenant by their ids, those that come after one."""
    return await control.principals.users(tenant, after=after, limit=limit)


async def create(
    control: ControlContext, actor: Principal, named: str | None, new: NewUser
) -> tuple[User, NewToken]:
    """Make a user with a token and a runtime, in the tenant named or in one's own.

    Raises `Unfit`, `Invalid`, `UserExists`, `RuntimeTaken`, and `Forbidden` where more is given
    than the actor has.
    """
    tenant = tenant_of(actor, named)
    if tenant == NOWHERE:
        raise Forbidden(
            "This is another tenant.", reason_code="tenant_forbidden", required_role="admin",
            resource_class="user", action="write",
        )  # fmt: skip
    tenant, id = tenant_id_of(tenant), user_id_of(new.user_id)
    _check_grant(actor, new.scopes)
    at = text_of(control.clock.now())
    user = User(
        tenant, id, _email_of(new.email), new.roles, new.scopes, new.enabled,
        await _runtime_for(control, tenant, id, new.runtime_id), at, at,
    )  # fmt: skip
    token = tokens.made(control, tenant, id)
    await control.principals.create(user, token.token)
    return user, token


async def change(
    control: ControlContext, actor: Principal, user: User, change: UserChange, *, rotation: Rotation | None = None,
) -> User:  # fmt: skip
    """Change a user, whose browser sessions end where they are no longer who signed in.

    With a `rotation`, their token is another as well: both are done or neither is.

    Raises `UserNotFound`, `Invalid`, `RuntimeTaken`, `LastAdmin`, `Forbidden`.
    """
    _check_grant(actor, user.scopes)
    if change.scopes is not None:
        _check_grant(actor, change.scopes)
    if change.email is not None:
        change = replace(change, email=_email_of(change.email))
    if change.runtime is not None:
        change = replace(change, runtime=runtime_id_of(change.runtime))
    at = text_of(control.clock.now())
    return await control.principals.change(user.tenant, user.id, change, at=at, rotation=rotation)


async def change_and_rotate(
    control: ControlContext, actor: Principal, user: User, wanted: UserChange, *, overlap_s: int = 0
) -> tuple[User, NewToken]:
    """Change a user and give them a new token for all that they have, both or neither. Raises as `change`."""
    new, rotation = tokens.rotation_of(control, user.tenant, user.id, overlap_s)
    return await change(control, actor, user, wanted, rotation=rotation), new


async def rotate(
    control: ControlContext, actor: Principal, user: User, *, overlap_s: int = 0
) -> NewToken:
    """Give a user a new token for all that they have. Raises `UserNotFound`, `Forbidden`."""
    _check_grant(actor, user.scopes)
    return await tokens.rotate(control, user.tenant, user.id, overlap_s=overlap_s)


async def issue(
    control: ControlContext, actor: Principal, user: User, *, name: str, expires_at: str | None
) -> NewToken:
    """Give a user another token. Raises `UserNotFound`, `LimitReached`, `Unfit`, `Forbidden`."""
    _check_grant(actor, user.scopes)
    return await tokens.issue(control, user.tenant, user.id, name=name, expires_at=expires_at)


async def delete(control: ControlContext, actor: Principal, user: User) -> User:
    """Delete a user; their runtime is kept for them. Raises `UserNotFound`, `LastAdmin`, `Forbidden`.

    A tenant's last admin goes by the word of one from outside it, who can make another.
    """
    _check_grant(actor, user.scopes)
    at = text_of(control.clock.now())
    outside = user.tenant not in (HOME, actor.tenant) and is_over(actor, user.tenant)
    return await control.principals.delete(user.tenant, user.id, at=at, last_too=outside)


async def is_anybody(control: ControlContext) -> bool:
    """Whether there is any user."""
    return await control.principals.anybody()


async def create_first(control: ControlContext, shown: Shown) -> User:
    """Make the first admin, who has a word in every tenant, with this token. Raises `UserExists`."""
    at = text_of(control.clock.now())
    user = User(
        HOME, FIRST, "", frozenset({Role.ADMIN, Role.USER}), (OVER_ALL,), True, RuntimeId(FIRST), at, at
    )  # fmt: skip
    kept = tokens.kept_of(control, shown, HOME, FIRST, FIRST_TOKEN)
    await control.principals.create(user, kept)
    return user


async def reinstate_first(control: ControlContext, shown: Shown) -> User:
    """Let the first admin in again by this token alone, whatever had become of them."""
    at = text_of(control.clock.now())
    try:
        await control.principals.user(HOME, FIRST)
    except UserNotFound:
        return await create_first(control, shown)
    anew = UserChange(roles=frozenset({Role.ADMIN, Role.USER}), scopes=(OVER_ALL,), enabled=True)
    rotation = Rotation(tokens.kept_of(control, shown, HOME, FIRST, FIRST_TOKEN))
    return await control.principals.change(HOME, FIRST, anew, at=at, rotation=rotation)


async def _runtime_for(
    control: ControlContext, tenant: TenantId, user: UserId, named: str | None
) -> RuntimeId:
    """The runtime of a new user: as named, or the one kept for them since they were deleted, or one of their name."""
    if named is not None:
        return runtime_id_of(named)
    kept = await control.principals.kept_for(tenant, user)
    left = (it.runtime for it in kept if it.reason is Reason.DELETED_USER)
    return next(left, RuntimeId(user))


def _check_grant(actor: Principal, scopes: Sequence[str]) -> None:
    """Raises `Forbidden` where the actor would reach further by this user than by themselves."""
    if not covers(actor, scopes):
        raise Forbidden(
            "These scopes reach further than your own.", reason_code="scope_required",
            required_scope=OVER_ALL if OVER_ALL in scopes else "*", resource_class="user", action="write",
        )  # fmt: skip


def _email_of(text: str) -> str:
    """An e-mail address, or none. Raises `Invalid`."""
    text = text.strip()
    if text and not _EMAIL.fullmatch(text):
        raise Invalid("email is empty or an e-mail address.")
    return text
