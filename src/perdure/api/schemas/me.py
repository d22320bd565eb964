"""Who asks, on the wire."""

from pydantic import BaseModel, ConfigDict, Field

from perdure.api.schemas.fields import Body, JsonObject
from perdure.identity.principal import Principal, Role
from perdure.kernel.values import Json


class Me(BaseModel):
    """Who asks, how that is known, and where their data lies."""

    ok: bool
    principal: JsonObject
    auth: JsonObject
    routing: JsonObject


class Ping(BaseModel):
    """That the server answers."""

    ok: bool
    status: str
    service: str
    time: str


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


def me_of(principal: Principal, mode: str) -> dict[str, Json]:
    """A principal as the wire shows it."""
    users = mode == "users"
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
