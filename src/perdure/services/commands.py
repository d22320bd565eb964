"""Commands: checked at the door, taken in once, applied by the runner, and what became of them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from perdure.clock import text_of
from perdure.errors import (
    CommandNotFound,
    Conflict,
    Invalid,
    RunNotFound,
    Unfit,
    WaitMismatch,
)
from perdure.identity.audit import Entry
from perdure.ids import CommandId, Key, RunId, new_id
from perdure.kernel.decide import misfit
from perdure.kernel.model import TERMINAL, Open, Reason, Run, Wait
from perdure.kernel.values import Json
from perdure.registry.programs import Telling
from perdure.runtimes.context import RuntimeContext
from perdure.services import compactions
from perdure.services.runs import hash_of
from perdure.services.schedules import SCHEDULE
from perdure.stores.inbox import Accepted, Delivery, Emission, Message
from perdure.stores.runs import Header, RunQuery

TYPES: Final = (
    "pause", "resume", "cancel", "emit_event", "update_schedule", "compact_memory", "trigger_schedule",
    "backfill_schedule",
)  # fmt: skip
SCOPES: Final = ("session", "workflow", "run", "global")
PAUSE_PREFIX: Final = "pause:"  # how clients name the wait that a pause is to them
COMMAND: Final = "command:"  # before the id, so that no client names a message of another
EVENT_KEPT_S: Final = 3_600.0  # where no run waits for it
ANSWERABLE: Final = frozenset({Reason.USER, Reason.EVENT, Reason.JOB})


class Command(NamedTuple):
    """A principal's request about a run. `by` says who asks, `client_id` with what."""

    id: CommandId
    run_id: RunId
    type: str
    payload: Mapping[str, Json]
    by: str = ""
    client_id: str | None = None

    @property
    def inbox_id(self) -> str:
        """Under what the inbox has it."""
        return f"{COMMAND}{self.id}"

    def body_hash(self) -> str:
        """What must be the same in a repeat under the same id."""
        return hash_of([self.run_id, self.type, dict(self.payload)])


async def send(runtime: RuntimeContext, command: Command, entry: Entry | None = None) -> Accepted:
    """Take a command in; return after it is durable. It is applied soon after.

    The same command again changes nothing and is told so. What cannot apply is refused and
    leaves nothing behind. Raises `RunNotFound`, `Invalid`, `Unfit`, `WaitMismatch`, `Conflict`, and
    `DuplicateCommand` where the id came before with another body. `entry` goes on record in the
    commit that takes it in.
    """
    command = command._replace(id=CommandId(command.id.strip() or new_id()))
    if entry is not None:
        facts = {"command_id": command.id, "type": command.type}
        entry = entry._replace(at=text_of(runtime.clock.now()), target=command.run_id, facts=facts)
    if command.type not in TYPES:
        raise Invalid(f"type must be one of {' | '.join(TYPES)}.", reason="unknown_type")
    if await _known(runtime, command):
        return await _put(runtime, command, _message(command, command.type))
    if command.type == "emit_event":
        return await _emit(runtime, command, entry)
    run = await _run(runtime, command.run_id)
    if command.type == "compact_memory":
        return await _put(runtime, command, await _compacting(runtime, command, run), entry=entry)
    telling = runtime.registry.commands.get(_meant(command, run))
    if telling is not None:
        return await _put(runtime, command, await _told(runtime, command, telling), entry=entry)
    return await _put(runtime, command, message_of(command, run), entry=entry)


def _meant(command: Command, run: Run) -> str:
    """The type of a command: whoever lets a schedule go on that is not paused wants it to run now."""
    is_release = command.type == "resume" and command.payload.get("payload") is None
    if is_release and run.birth.program.kind == SCHEDULE and run.held is None:
        return "trigger_schedule"
    return command.type


async def _told(runtime: RuntimeContext, command: Command, telling: Telling) -> Message:
    """The word that a command is to the run that it names, or to the nearest above that it is for."""
    named: RunId | None = command.run_id
    below = float("inf")
    while named is not None:
        loaded = (await runtime.plane.runs.load([named])).get(named)
        if loaded is None or loaded.run.birth.depth >= below:
            break  # who is above a run that was taken in is what its file says: it may lead round
        below = loaded.run.birth.depth
        if loaded.run.birth.program.kind == telling.kind:
            _check_going(loaded.run)
            word = telling.word(loaded.run, loaded.cells, command.payload, runtime.clock.now())
            return _message(command, command.type, word)._replace(run_id=named)
        named = loaded.run.birth.parent_id
    raise Conflict(f"The run is no {telling.kind}, and is in none.", reason="not_scheduled")


async def _compacting(runtime: RuntimeContext, command: Command, named: Run) -> Message:
    """The word that a compaction is to the run whose memory is meant."""
    compactions.check(command.payload)
    telling = runtime.registry.commands.get(command.type)
    found = await compactions.target(runtime, named, command.payload, telling)
    assert telling is not None, "else there is no target"
    word = telling.word(found.run, found.cells, command.payload, runtime.clock.now())
    return _message(command, command.type, word)._replace(run_id=found.run.birth.id)


async def delivery(runtime: RuntimeContext, command_id: CommandId) -> Delivery:
    """What became of a command. Raises `CommandNotFound`."""
    return await runtime.plane.inbox.delivery(f"{COMMAND}{command_id}")


def message_of(command: Command, run: Run) -> Message:
    """What a command is to its run. Raises where it cannot apply to the run as it stands. Pure."""
    match command.type:
        case "pause":
            return _pause(command, run)
        case "cancel":
            _check_going(run)
            return _message(command, "cancel", {"reason": _reason(command.payload)})
        case "resume":
            return _resume(command, run)
        case _:
            raise Conflict("The run is no schedule.", reason="not_scheduled")


def _pause(command: Command, run: Run) -> Message:
    _check_going(run)
    if run.held is not None:
        raise Conflict("The run is paused already.", reason="paused")
    return _message(command, "pause", {"reason": _reason(command.payload)})


def _resume(command: Command, run: Run) -> Message:
    """An answer to a wait; without one, the end of a pause."""
    wait_key, answer = command.payload.get("wait_key"), command.payload.get("payload")
    if wait_key is not None and not isinstance(wait_key, str):
        raise Unfit("payload.wait_key is a text.")
    if answer is None or (wait_key or "").startswith(PAUSE_PREFIX):
        _check_going(run)
        if run.held is None:
            raise WaitMismatch("The run is not paused.", reason="not_paused")
        return _message(command, "unpause")
    entry = _answered(run, wait_key)
    assert isinstance(entry.what, Wait)
    if why := misfit(entry.what, answer):
        raise Unfit(f"The answer does not fit: {why}.", wait_key=entry.key)
    return _message(command, "resume", answer)._replace(key=entry.key, opened_seq=entry.seq)


def _answered(run: Run, wait_key: str | None) -> Open:
    """The one wait that is meant. Raises `WaitMismatch`."""
    _check_going(run)
    answerable = [entry for entry in run.open.values() if _is_answerable(entry)]
    meant = [it for it in answerable if wait_key in (None, it.key)]
    if len(meant) == 1:
        return meant[0]
    keys = [entry.key for entry in answerable]
    if meant:
        raise WaitMismatch("The run waits for several answers; name one.", wait_keys=keys)
    raise WaitMismatch("The run does not wait for this.", wait_keys=keys)


def _is_answerable(entry: Open) -> bool:
    return isinstance(entry.what, Wait) and entry.what.reason in ANSWERABLE


def _check_going(run: Run) -> None:
    if run.status in TERMINAL:
        raise Conflict(f"The run has ended: it is {run.status}.", reason="ended")


def _reason(payload: Mapping[str, Json]) -> str:
    reason = payload.get("reason")
    if reason is not None and not isinstance(reason, str):
        raise Unfit("payload.reason is a text.")
    return reason or ""


def _message(command: Command, kind: str, body: Json = None) -> Message:
    return Message(command.inbox_id, command.run_id, kind, body=body, by=command.by)


async def _known(runtime: RuntimeContext, command: Command) -> bool:
    try:
        await runtime.plane.inbox.delivery(command.inbox_id)
    except CommandNotFound:
        return False
    return True


async def _put(
    runtime: RuntimeContext,
    command: Command,
    message: Message,
    disposition: str = "pending",
    entry: Entry | None = None,
) -> Accepted:
    return await runtime.plane.inbox.put(
        message,
        body_hash=command.body_hash(),
        at=text_of(runtime.clock.now()),
        disposition=disposition,
        entry=entry,
    )


async def _run(runtime: RuntimeContext, run_id: RunId) -> Run:
    loaded = (await runtime.plane.runs.load([run_id])).get(run_id)
    if loaded is None:
        raise RunNotFound
    return loaded.run


# --- events --------------------------------------------------------------------------------------


async def _emit(runtime: RuntimeContext, command: Command, entry: Entry | None) -> Accepted:
    """Give an event to whoever waits for it, then write down the command and what came of it.

    An event counts once by its id: where this ends in between, a repeat of the command does the rest.
    """
    header = await _nearest(runtime, command.run_id)
    now = runtime.clock.now()
    at = text_of(now)
    emission = _emission(command, header, at, text_of(now + timedelta(seconds=EVENT_KEPT_S)))
    delivered = await runtime.plane.inbox.emit(emission, at=at, entry=entry)
    message = Message(command.inbox_id, header.birth.id, "emit_event", by=command.by)
    told = f"applied: delivered to {len(delivered.run_ids)}"
    return await _put(runtime, command, message, told)


async def _nearest(runtime: RuntimeContext, named: RunId) -> Header:
    """The run that is named, or the newest run of the session that is. Raises `RunNotFound`."""
    try:
        return await runtime.plane.runs.header(named)
    except RunNotFound:
        of_session = await runtime.plane.runs.list(
            RunQuery(limit=1, session_id=named, drafts=True, hidden=True)
        )
        if not of_session.items:
            raise
        return of_session.items[0]


def _emission(command: Command, header: Header, at: str, keep_until: str) -> Emission:
    payload = command.payload
    name, scope = _text(payload, "name"), _text(payload, "scope", "session")
    if not name:
        raise Unfit("payload.name names the event.")
    if scope not in SCOPES:
        raise Unfit(f"payload.scope is one of {', '.join(SCOPES)}.")
    birth = header.birth
    session_id = _text(payload, "session_id", birth.session_id)
    scope_id = {
        "session": session_id,
        "workflow": _text(payload, "workflow_id", birth.workflow_id),
        "run": _text(payload, "run_id", birth.id),
        "global": "global",
    }[scope]
    event_id = _text(payload, "event_id", command.id)
    sent = payload.get("payload")
    envelope = {
        "event_id": event_id, "name": name, "scope": scope, "session_id": session_id,
        "payload": sent if isinstance(sent, dict) else {} if sent is None else {"value": sent},
        "emitted_at": _text(payload, "emitted_at", at),
        "emitter": {"source": "external", "client_id": command.client_id},
    }  # fmt: skip
    address = Key(f"evt:{scope}:{scope_id}:{name}")
    return Emission(event_id, (address,), envelope, keep_until)


def _text(payload: Mapping[str, Json], name: str, default: str = "") -> str:
    value = payload.get(name)
    if value is not None and not isinstance(value, str):
        raise Unfit(f"payload.{name} is a text.")
    return value or default
