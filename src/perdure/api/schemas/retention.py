"""Runtimes that nobody has, on the wire."""

from pydantic import BaseModel, ConfigDict, Field

from perdure.api.schemas.fields import Body, Id, JsonObject
from perdure.api.schemas.users import PAGE, Named, user_of
from perdure.identity.users import User
from perdure.kernel.values import Json
from perdure.services.retention import KeptRuntime


class _Confirmed(Body):
    model_config = ConfigDict(extra="forbid", strict=True)

    tenant_id: Named | None = None
    confirm_runtime_id: Id = Field(description="The id of the runtime once more, letter for letter")


class Transfer(_Confirmed):
    """Who gets a runtime that nobody has."""

    target_user_id: Named


class Purge(_Confirmed):
    """That a runtime and all its data are to be gone."""

    delete_data: bool = Field(
        True, description="Always true: an id is never free while data are there"
    )


class AskReservations(BaseModel):
    """Whose runtimes, and which of them: those after `cursor`, which is `next_cursor` of the page before."""

    tenant_id: Id | None = None
    limit: int = Field(PAGE, ge=1, le=PAGE)
    cursor: Id | None = None


class Reservations(BaseModel):
    """Runtimes of a tenant that nobody has, by their ids."""

    runtime_reservations: list[JsonObject]
    next_cursor: str | None


class Transferred(BaseModel):
    """Who has the runtime now, and the one that they left."""

    ok: bool
    transferred: bool
    user: JsonObject
    reservation: JsonObject
    previous_runtime_id: str


class Purged(BaseModel):
    """Which runtime is gone."""

    ok: bool
    purged: bool
    deleted_data: bool
    runtime_id: str
    tenant_id: str
    data_path: str


def reservation_of(kept: KeptRuntime) -> dict[str, Json]:
    """A runtime that nobody has, as the wire shows it."""
    entry = kept.entry
    return {
        "tenant_id": entry.tenant,
        "runtime_id": entry.runtime,
        "owner_key": f"{entry.tenant}:{entry.owner}",
        "owner_user_id": entry.owner,
        "reason": None if entry.reason is None else entry.reason.value,
        "created_at": entry.created_at,
        "updated_at": entry.updated_at,
        "data_exists": kept.data_exist,
        "data_path": kept.place,
    }


def transferred(user: User, left: KeptRuntime) -> dict[str, Json]:
    """What came of a transfer."""
    return {
        "ok": True,
        "transferred": True,
        "user": user_of(user),
        "reservation": reservation_of(left),
        "previous_runtime_id": left.entry.runtime,
    }


def purged(gone: KeptRuntime) -> dict[str, Json]:
    """What came of a purge."""
    return {
        "ok": True,
        "purged": True,
        "deleted_data": gone.data_exist,
        "runtime_id": gone.entry.runtime,
        "tenant_id": gone.entry.tenant,
        "data_path": gone.place,
    }
