"""What a message of the inbox is to a run. Pure."""

from typing import Final

from perdure.ids import Key
from perdure.kernel.model import (
    Answered,
    Arrived,
    Cancel,
    Event,
    Failed,
    Hold,
    Ok,
    Outcome,
    Release,
    Told,
)
from perdure.kernel.values import Json

_CODES: Final = {"failed": "child_failed", "cancelled": "child_cancelled"}


def event_of(
    kind: str, key: Key | None, body: Json, opened_seq: int | None = None, by: str = ""
) -> Event:
    """The event that a message brings. An unknown kind is a word for the program."""
    match kind:
        case "child" if key is not None:
            return Arrived(key, _outcome_of(body))
        case "resume" | "event" if key is not None:
            return Answered(key, body, by, opened_seq)
        case "cancel":
            return Cancel(_reason(body))
        case "hold" | "pause":
            return Hold(_reason(body))
        case "release" | "unpause":
            return Release()
        case _:
            return Told(body)


def _outcome_of(body: Json) -> Outcome:
    """A child's end, as its parent takes it."""
    told = {"sub_run_id": body["sub_run_id"], "output": body["output"]}
    if body["status"] == "completed":
        return Ok(told)
    return Failed(_CODES[body["status"]], body["error"] or "", result=told)


def _reason(body: Json) -> str:
    return str((body or {}).get("reason") or "")
