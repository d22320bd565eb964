"""Users and their tokens, on the wire: what is kept of a token is never in a body, and its text once."""

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from perdure.api.schemas.fields import ID_LETTERS_MAX, PLAIN, Body, Id, JsonObject, When
from perdure.errors import Unfit
from perdure.identity.principal import Role
from perdure.identity.tokens import Token
from perdure.identity.users import User, UserChange
from perdure.ids import RuntimeId
from perdure.kernel.values import Json
from perdure.services.principals import NewUser
from perdure.services.tokens import OVERLAP_S_MAX, NewToken

PAGE: Final = 1_000
SCOPES_MAX: Final = 100

Named = Annotated[str, Field(min_length=1, max_length=ID_LETTERS_MAX, pattern=PLAIN)]
Roles = Annotated[list[Literal["user", "admin"]], Field(min_length=1, max_length=len(Role))]
Scopes = Annotated[list[Named], Field(max_length=SCOPES_MAX)]


class _Strict(Body):
    model_config = ConfigDict(extra="forbid", strict=True)

    token: str | None = Field(
        None, max_length=4_096, description="Always empty: tokens are made here"
    )

    def check_token(self) -> None:
        """Raises `Unfit` for a token that somebody chose."""
        if self.token:
            raise Unfit("token: tokens are made here and cannot be chosen; leave it out.")


def _plain() -> list[Literal["user", "admin"]]:
    return ["user"]


class CreateUser(_Strict):
    """A user to be made. Without a runtime they get their own again, or one named for them."""

    user_id: Named
    tenant_id: Named | None = None
    email: Id | None = None
    roles: Roles = Field(default_factory=_plain)
    scopes: Scopes = Field(default_factory=list)
    enabled: bool = True
    runtime_id: Named | None = None

    def new(self) -> NewUser:
        """The same, as the service takes it."""
        return NewUser(
            self.user_id, self.email or "", roles_of(self.roles), tuple(self.scopes), self.enabled,
            self.runtime_id,
        )  # fmt: skip


class PatchUser(_Strict):
    """What is to be changed of a user; what is left out or null stays."""

    email: Id | None = None
    roles: Roles | None = None
    scopes: Scopes | None = None
    enabled: bool | None = None
    runtime_id: Named | None = None
    rotate_token: bool = False
    overlap_s: int = Field(
        0, ge=0, le=OVERLAP_S_MAX, description="How long the tokens before stay good"
    )

    def change(self) -> UserChange | None:
        """The same, as the service takes it; `None` where nothing is to be changed but the token."""
        change = UserChange(
            self.email, None if self.roles is None else roles_of(self.roles),
            None if self.scopes is None else tuple(self.scopes), self.enabled,
            None if self.runtime_id is None else RuntimeId(self.runtime_id),
        )  # fmt: skip
        return None if self.rotate_token and change == UserChange() else change


class CreateToken(Body):
    """Another token, under a name to know it by."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Named
    expires_at: When = None


class AskUsers(BaseModel):
    """Whose users, and which of them: those after `cursor`, which is `next_cursor` of the page before."""

    tenant_id: Id | None = None
    limit: int = Field(PAGE, ge=1, le=PAGE)
    cursor: Id | None = None


class Users(BaseModel):
    """Users of a tenant by their ids."""

    users: list[JsonObject]
    next_cursor: str | None


class OneUser(BaseModel):
    """A user; `token` is there where one was made, and never again."""

    user: JsonObject
    token: str | None = None


class DeletedUser(BaseModel):
    """Which user was deleted."""

    ok: bool
    deleted: bool
    user_id: str
    tenant_id: str


class Tokens(BaseModel):
    """A user's tokens, without what opens anything."""

    tokens: list[JsonObject]


class OneToken(BaseModel):
    """A new token: its text, which nothing shows again, and what is known of it."""

    token: str
    known: JsonObject


class RevokedToken(BaseModel):
    """Which token was revoked."""

    ok: bool
    revoked: bool
    id: str


def roles_of(names: Iterable[str]) -> frozenset[Role]:
    """Roles by their names."""
    return frozenset(Role(it) for it in names)


def user_of(user: User) -> dict[str, Json]:
    """A user as the wire shows them."""
    return {
        "user_id": user.id,
        "tenant_id": user.tenant,
        "email": user.email,
        "roles": sorted(role.value for role in user.roles),
        "scopes": list(user.scopes),
        "enabled": user.enabled,
        "runtime_id": user.runtime,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    }


def one_user(user: User, new: NewToken | None = None) -> dict[str, Json]:
    """A user, with their new token if there is one."""
    told: dict[str, Any] = {"user": user_of(user)}
    return told if new is None else {**told, "token": new.text}


def token_of(token: Token) -> dict[str, Json]:
    """What is known of a token."""
    return {
        "id": token.id,
        "name": token.name,
        "fingerprint": token.fingerprint,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "overlap_until": token.overlap_until,
        "last_used_at": token.last_used_at,
    }


def one_token(new: NewToken) -> dict[str, Json]:
    """A new token."""
    return {"token": new.text, "known": token_of(new.token)}
