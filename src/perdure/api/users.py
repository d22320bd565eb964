"""`/admin/users`: the users of a tenant and their tokens, for its admins."""

from typing import Annotated, NamedTuple

from fastapi import Depends, Query
from starlette.responses import Response

from perdure.api.collaborators import Collaborators
from perdure.api.deps import (
    Collaborating,
    CurrentAct,
    CurrentControl,
    CurrentPrincipal,
    require,
)
from perdure.api.routing import PREFIX, answers, json_of, resource
from perdure.api.schemas import users as shown
from perdure.api.schemas.fields import Id, NamePath
from perdure.identity.principal import Principal
from perdure.identity.users import User
from perdure.ids import TokenId, UserId
from perdure.runtimes.control import ControlContext
from perdure.services import principals, tokens
from perdure.services.audit import Act
from perdure.services.tokens import NewToken

router = resource("admin", f"{PREFIX}/admin")

Tenant = Annotated[Id | None, Query(description="One's own tenant, where none is named")]


class Meant(NamedTuple):
    """Who asks, where, and about whom."""

    control: ControlContext
    actor: Principal
    user: User


async def meant(
    user_id: NamePath, principal: CurrentPrincipal, control: CurrentControl, act: CurrentAct,
    tenant_id: Tenant = None,
) -> Meant:  # fmt: skip
    """The user that a path names. Raises `UserNotFound`, also for one of another tenant."""
    user = await principals.meant(control, principal, tenant_id, user_id)
    act.about(subject=user.id, tenant=user.tenant)
    return Meant(control, principal, user)


MeantUser = Annotated[Meant, Depends(meant)]


@router.get("/users", dependencies=[require("user:read")], responses=answers(shown.Users))
async def list_users(
    asked: Annotated[shown.AskUsers, Query()], principal: CurrentPrincipal, control: CurrentControl
) -> Response:
    """List the users of a tenant by their ids."""
    tenant = principals.tenant_of(principal, asked.tenant_id)
    after = None if asked.cursor is None else UserId(asked.cursor)
    found = await principals.users_of(control, tenant, after=after, limit=asked.limit)
    cursor = found[-1].id if len(found) == asked.limit else None
    return json_of({"users": [shown.user_of(it) for it in found], "next_cursor": cursor})


@router.post(
    "/users", dependencies=[require("user:write")], responses=answers(shown.OneUser, body=True)
)
async def create_user(
    body: shown.CreateUser, principal: CurrentPrincipal, control: CurrentControl, act: CurrentAct
) -> Response:
    """Make a user, and show their token, once."""
    body.check_token()
    user, new = await principals.create(control, principal, body.tenant_id, body.new())
    act.about(subject=user.id, tenant=user.tenant, target=user.id, token=new.token.id)
    return json_of(shown.one_user(user, new))


@router.get(
    "/users/{user_id}",
    dependencies=[require("user:read")],
    responses=answers(shown.OneUser, 404),
)
async def read_user(about: MeantUser) -> Response:
    """Show one user."""
    return json_of(shown.one_user(about.user))


@router.patch(
    "/users/{user_id}",
    dependencies=[require("user:write")],
    responses=answers(shown.OneUser, 404, 409, body=True),
)
async def change_user(
    body: shown.PatchUser, about: MeantUser, act: CurrentAct, collaborators: Collaborating
) -> Response:
    """Change a user, or give them a new token for all that they have."""
    body.check_token()
    user, new = await _changed(body, about, act)
    await _let_go(collaborators, about.user, user)
    return json_of(shown.one_user(user, new))


@router.delete(
    "/users/{user_id}",
    dependencies=[require("user:write")],
    responses=answers(shown.DeletedUser, 404, 409),
)
async def delete_user(about: MeantUser, collaborators: Collaborating) -> Response:
    """Delete a user. Their runtime is kept for them, and its runs stop."""
    user = await principals.delete(*about)
    await collaborators.forget_runtime(user.tenant, user.runtime)
    return json_of({"ok": True, "deleted": True, "user_id": user.id, "tenant_id": user.tenant})


@router.get(
    "/users/{user_id}/tokens",
    dependencies=[require("user:read")],
    responses=answers(shown.Tokens, 404),
)
async def list_tokens_of_user(about: MeantUser) -> Response:
    """List what is known of a user's tokens."""
    found = await tokens.tokens_of(about.control, about.user.tenant, about.user.id)
    return json_of({"tokens": [shown.token_of(it) for it in found]})


@router.post(
    "/users/{user_id}/tokens",
    dependencies=[require("user:write")],
    responses=answers(shown.OneToken, 404, body=True),
)
async def create_token_of_user(
    body: shown.CreateToken, about: MeantUser, act: CurrentAct
) -> Response:
    """Give a user another token, and show it, once."""
    new = await principals.issue(*about, name=body.name, expires_at=body.expires_at)
    act.about(token=new.token.id)
    return json_of(shown.one_token(new))


@router.delete(
    "/users/{user_id}/tokens/{token_id}",
    dependencies=[require("user:write")],
    responses=answers(shown.RevokedToken, 404),
)
async def revoke_token_of_user(token_id: NamePath, about: MeantUser) -> Response:
    """End a token of a user, and the browser sessions opened with it."""
    await tokens.revoke(about.control, about.user.tenant, about.user.id, TokenId(token_id))
    return json_of({"ok": True, "revoked": True, "id": token_id})


async def _let_go(collaborators: Collaborators, before: User, user: User) -> None:
    """Close the runtime of a user who may not use it any more, or has another."""
    if not user.enabled or user.runtime != before.runtime:
        await collaborators.forget_runtime(before.tenant, before.runtime)


async def _changed(body: shown.PatchUser, about: Meant, act: Act) -> tuple[User, NewToken | None]:
    """The user as they are now, and their new token where one was asked for."""
    control, actor, user = about
    change, overlap_s = body.change(), body.overlap_s
    if change is not None:
        act.about(changed=change.names)
    if change is not None and not body.rotate_token:
        return await principals.change(control, actor, user, change), None
    if change is None:
        new = await principals.rotate(control, actor, user, overlap_s=overlap_s)
    else:
        user, new = await principals.change_and_rotate(
            control, actor, user, change, overlap_s=overlap_s
        )
    act.about(token=new.token.id)
    return user, new
