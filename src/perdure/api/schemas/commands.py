"""Commands on the wire."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from perdure.api.schemas.fields import ID_LETTERS_MAX, Body, Id, JsonObject
from perdure.identity.principal import Principal
from perdure.ids import CommandId, RunId
from perdure.kernel.values import Json
from perdure.services.commands import COMMAND, TYPES, Command
from perdure.stores.inbox import Accepted, Delivery


class SendCommand(Body):
    """A request about a run, taken once by its id."""

    command_id: Id = Field(description="The client's own; a blank one is replaced")
    run_id: Id
    type: str = Field(max_length=ID_LETTERS_MAX, json_schema_extra={"enum": list(TYPES)})
    payload: JsonObject = Field(default_factory=dict)
    ts: Any = Field(None, description="When the client sent it; not used")
    client_id: Id | None = None

    def command(self, principal: Principal) -> Command:
        """The command that this body is, asked by `principal`."""
        return Command(
            id=CommandId(self.command_id),
            run_id=RunId(self.run_id),
            type=self.type,
            payload=self.payload,
            by=f"{principal.tenant}/{principal.user}",
            client_id=self.client_id,
        )


class Taken(BaseModel):
    """Whether a command was taken in now, or before."""

    accepted: bool
    duplicate: bool
    seq: int


class CommandState(BaseModel):
    """What became of a command."""

    command_id: str
    run_id: str
    type: str
    seq: int
    state: Literal["pending", "applied", "ignored", "dead"]
    detail: str | None
    created_at: str
    settled_at: str | None


def taken_of(accepted: Accepted) -> dict[str, Json]:
    """The first answer to a command, as the wire shows it."""
    return {
        "accepted": not accepted.duplicate,
        "duplicate": accepted.duplicate,
        "seq": accepted.seq,
    }


_TYPE_OF = {"unpause": "resume"}


def state_of(delivery: Delivery) -> dict[str, Json]:
    """What became of a command, as the wire shows it."""
    state, _, detail = delivery.disposition.partition(": ")
    return {
        "command_id": delivery.id.removeprefix(COMMAND),
        "run_id": delivery.run_id,
        "type": _TYPE_OF.get(delivery.kind, delivery.kind),
        "seq": delivery.seq,
        "state": state,
        "detail": detail or None,
        "created_at": delivery.created_at,
        "settled_at": delivery.settled_at,
    }
