"""Who asks, on the wire."""

from typing import Final

from pydantic import BaseModel, Field

from perdure.api.schemas.fields import JsonObject
from perdure.identity.principal import Principal, Role
from perdure.kernel.values import Json

USERS: Final = "users"  # the mode in which there are users


class Me(BaseModel):
    """Who asks, how that is known, and where their data lies."""

    ok: bool
    principal: JsonObject
    auth: JsonObject
    routing: JsonObject
    session: JsonObject = Field({}, description="Until when a browser session lasts, at sign-in")
    actions: list[str] = Field([], description="What whoever asks may do")


class Ping(BaseModel):
    """That the server answers."""

    ok: bool
    status: str
    service: str
    time: str


def me_of(principal: Principal, mode: str) -> dict[str, Json]:
    """A principal as the wire shows it."""
    users = mode == USERS
    return {
        "ok": True,
        "principal": {
            "user_id": principal.user,
            "tenant_id": principal.tenant,
            "roles": sorted(role.value for role in Role if role in principal.roles),
            "scopes": list(principal.scopes),
            "token_fingerprint": principal.fingerprint,
            "runtime_id": principal.runtime,
            "source": principal.source,
            "admin": principal.admin,
        },
        "auth": {"mode": mode, "user_auth_enabled": users},
        "routing": {
            "mode": "per-principal" if users else "single-user",
            "one_user_one_runtime": True,
        },
    }
