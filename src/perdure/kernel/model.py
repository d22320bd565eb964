"""The values of the run state machine: runs, events, outcomes, steps and decisions.

All of them are immutable tuples: cheap to make, compared by value, and never true or false
by accident, because nobody asks them.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from perdure.ids import BundleSha, Key, RunId, SessionId, StepId
from perdure.kernel.limits import INTEGER_MAX, Limits
from perdure.kernel.values import Json

Cells = Mapping[str, Json]


class Status(StrEnum):
    """Where a run stands, in the words of the wire."""

    RUNNING = "running"  # to be driven, or an effect is under way
    WAITING = "waiting"  # for a person, an event, a time or a child
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})


class EffectClass(StrEnum):
    """What repeating an effect would do to the world."""

    READ = "read"  # nothing: repeat freely
    IDEMPOTENT = "idempotent"  # nothing, under the same key
    ONCE = "once"  # harm: never repeated without being asked
    COMPENSABLE = "compensable"  # harm that a second effect can undo


class Guard(StrEnum):
    """What becomes of the effects that a fork asks for: what was done once is not done again unasked."""

    REUSE = "reuse"  # the recorded outcome of the same effect; else as `ask`
    ASK = "ask"  # what must not happen twice waits for a person
    SIMULATE = "simulate"  # the recorded or declared outcome, and none is performed
    RERUN = "rerun"  # performed, but for what was approved before the fork


class Reason(StrEnum):
    """What kind of thing a wait is for, in the words of the wire."""

    USER = "user"
    EVENT = "event"
    UNTIL = "until"
    CHILD = "subworkflow"
    JOB = "job"


# --- what a program asks for -------------------------------------------------------------------


class Effect(Struct, frozen=True):
    """A request for one side effect. `tag` is the program's own name for it, given back with the outcome."""

    kind: str
    payload: Json
    tag: str
    node_id: str
    effect_class: EffectClass = EffectClass.READ
    result_key: str | None = None
    timeout_s: float | None = None
    attempts_max: int | None = None
    stub: Json = None  # the outcome that it comes to unperformed, as `rt/held` keeps one
    backoff_s: float | None = None  # before the second try, and then twice as long from try to try


class Wait(Struct, frozen=True):
    """What a run needs to go on. `key` is how an answer names it; `match` is the address of an event."""

    tag: str
    node_id: str
    reason: Reason
    kind: str  # the effect word of its record: ask_user, wait_event, wait_until …
    key: str | None = None
    match: str | None = None
    until: datetime | None = None
    prompt: str | None = None
    choices: tuple[str, ...] | None = None
    allow_free_text: bool = True
    details: Json = None
    payload: Json = None
    result_key: str | None = None
    child: RunId | None = None
    review_of: Key | None = None  # the effect in doubt that this wait is about


class ProgramRef(NamedTuple):
    """What a run is pinned to: the kind of program, the bundle's bytes, and the name within it."""

    kind: str
    bundle: BundleSha | None
    name: str


class Point(NamedTuple):
    """A moment in the life of a run: after its record `seq`."""

    run_id: RunId
    seq: int


class Deadline(NamedTuple):
    """The time at which a run ends, whatever it does then; `of` is the run that it was given to.

    Times as records write them come in the order of their texts, so deadlines do as well.
    """

    at: str
    of: RunId


class Start(Struct, frozen=True):
    """A child to be born in the same commit. With `wait` the run goes on when the child has ended.

    `identity` names the child among its parent's: the id follows from it, and not from the record.
    """

    tag: str
    node_id: str
    program: ProgramRef
    workflow_id: str
    cells: Cells
    payload: Json = None
    session_id: SessionId | None = None
    wait: bool = True
    result_key: str | None = None
    identity: str | None = None
    limits: Limits | None = None  # else those of its parent
    forked_from: Point | None = None
    deadline: str | None = None  # a time; that of its parent, where it is earlier, goes before it


class Note(Struct, frozen=True):
    """A fact for the ledger that asks for nothing; `kind` is the effect word of its record."""

    node_id: str
    kind: str
    payload: Json


# --- outcomes and events -----------------------------------------------------------------------


class Ok(Struct, frozen=True):
    """The effect happened. `usage` is added to the run's counters by name."""

    result: Json
    usage: Mapping[str, float] = {}


class Failed(Struct, frozen=True):
    """The effect did not happen. `retryable` says that a later try may succeed."""

    code: str
    detail: str = ""
    retryable: bool = False
    retry_after_s: float | None = None
    usage: Mapping[str, float] = {}
    result: Json = None


class Unknown(Struct, frozen=True):
    """Nobody can say whether the effect happened."""

    detail: str = ""


Outcome = Ok | Failed | Unknown


class Advance(Struct, frozen=True):
    """The run has been born and may begin; also what a program sees between two moves of a fold."""


class Arrived(Struct, frozen=True):
    """An effect or a child came to an outcome. `attempts` tells of every try, as JSON."""

    key: Key
    outcome: Outcome
    attempts: tuple[Json, ...] = ()
    dispatched_at: str | None = None
    tag: str = ""


class Answered(Struct, frozen=True):
    """Somebody answered a wait. `opened_seq` binds the answer to one opening of a repeated key."""

    key: Key
    payload: Json
    by: str = ""
    opened_seq: int | None = None
    tag: str = ""


class Due(Struct, frozen=True):
    """The time of a wait has come."""

    key: Key
    opened_seq: int | None = None
    tag: str = ""


class Cancel(Struct, frozen=True):
    """End the run now; nothing of it is dispatched after this."""

    reason: str = ""


class Expired(Struct, frozen=True):
    """The deadline of the run has come: the time that it was, so that a look knows what it has brought."""

    at: str


class Hold(Struct, frozen=True):
    """Ask the program nothing more until `Release`."""

    reason: str = ""


class Release(Struct, frozen=True):
    """End a hold."""


class Told(Struct, frozen=True):
    """A word for the program that answers no wait."""

    message: Json


class Fault(Struct, frozen=True):
    """The program cannot go on, through no outcome of its own: a bug, or a definition that is not there."""

    code: str
    detail: str = ""


Event = Advance | Arrived | Answered | Due | Cancel | Expired | Hold | Release | Told | Fault


# --- a run -------------------------------------------------------------------------------------


class Birth(Struct, frozen=True):
    """What a run is from its first moment to its last."""

    id: RunId
    workflow_id: str
    program: ProgramRef
    created_at: str
    root_id: RunId
    session_id: SessionId
    actor_id: str = "gateway"
    parent_id: RunId | None = None
    parent_key: Key | None = None
    depth: int = 0
    lifecycle: Json = None
    prompt: str = ""
    limits: Limits = Limits()
    forked_from: Point | None = None
    guard: Guard | None = None  # of a fork, and of the children that it bears
    deadline: Deadline | None = None  # no later than that of any run above


class Open(Struct, frozen=True):
    """Something the run has asked for and not yet got: an effect, a wait or a child."""

    key: Key
    step_id: StepId
    seq: int
    at: str
    what: Effect | Wait
    review: bool = False  # an effect in doubt: a person says whether it happened


class Held(Struct, frozen=True):
    """A hold: why, and since when."""

    reason: str
    at: str


class Usage(Struct, frozen=True):
    """What a run has used so far."""

    effects: int = 0
    llm_calls: int = 0
    tool_calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0

    def plus(self, extra: Mapping[str, float]) -> "Usage":
        """Count one more effect, and what it used; names that are unknown or no counts are left out."""
        if not extra:
            return replace(self, effects=self.effects + 1)
        return Usage(
            self.effects + 1,
            self.llm_calls + int(_counted(extra, "llm_calls")),
            self.tool_calls + int(_counted(extra, "tool_calls")),
            self.tokens_in + int(_counted(extra, "tokens_in")),
            self.tokens_out + int(_counted(extra, "tokens_out")),
            self.cost + float(_counted(extra, "cost")),
        )


def _counted(extra: Mapping[str, Json], name: str) -> float:
    """A counter as a handler told it; nobody checked that before."""
    value = extra.get(name, 0)
    return value if isinstance(value, int | float) and 0 <= value <= INTEGER_MAX else 0


class Run(Struct, frozen=True):
    """One durable execution, as last decided."""

    birth: Birth
    version: int
    status: Status
    seq: int  # of the last record
    updated_at: str
    ready: bool = True  # born and not yet begun
    open: Mapping[Key, Open] = {}
    node_id: str = ""
    held: Held | None = None
    error: str | None = None
    output: Json = None
    usage: Usage = Usage()
    unrecorded: Mapping[str, Json] = {}  # writes that no record carries yet
    state_bytes: int = 0  # of the last snapshot
    warnings: tuple[str, ...] = ()
    silent: tuple[Json, ...] = ()  # events that left no record yet, for the next one to tell of

    @property
    def id(self) -> RunId:
        """The run's id."""
        return self.birth.id


# --- a decision --------------------------------------------------------------------------------


class _Gone:
    """A written cell that is to exist no more."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "GONE"

    def __reduce__(self) -> str:
        return "GONE"  # a copy is the same one thing


GONE: Final = _Gone()


class Step(Struct, frozen=True):
    """One numbered record of the ledger, before the store gives it bytes and a hash."""

    seq: int
    step_id: StepId
    node_id: str
    status: str
    started_at: str
    ended_at: str | None
    effect: Json = None
    result: Json = None
    error: str | None = None
    attempt: int = 1
    idempotency_key: str | None = None
    effect_class: str | None = None
    attempts: tuple[Json, ...] = ()
    by: str | None = None
    writes: Mapping[str, Json] | None = None
    path: tuple[str, ...] | None = None
    path_more: int = 0
    events: tuple[Json, ...] = ()  # what happened before it, or made it, and is in no record itself


class Send(Struct, frozen=True):
    """A message to another run of the same plane. The same `id` is taken once."""

    id: str
    to: RunId
    kind: str  # child | cancel | hold | release
    key: Key | None = None
    body: Json = None


class Decision(Struct, frozen=True):
    """All that one event changes. `run` is the run as it stands after the commit."""

    run: Run
    read_version: int  # the version this was decided on; 0 for a birth
    disposition: str = "applied"
    steps: tuple[Step, ...] = ()
    writes: Mapping[str, Json] = {}
    effects: tuple[Open, ...] = ()  # into the outbox
    arrived: tuple[Key, ...] = ()  # out of the outbox, their outcome recorded
    dropped: tuple[Key, ...] = ()  # left in the outbox, never to be performed
    redo: tuple[Key, ...] = ()  # in the outbox, to be performed again
    doubted: tuple[Key, ...] = ()  # in the outbox, waiting for review
    opened: tuple[Open, ...] = ()  # waits
    closed: tuple[Open, ...] = ()  # waits
    decided_by: str | None = None
    births: tuple["Decision", ...] = ()
    sends: tuple[Send, ...] = ()

    @property
    def applied(self) -> bool:
        """Whether the event changed anything."""
        return self.disposition == "applied"
