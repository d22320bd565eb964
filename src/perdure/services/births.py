"""From what a client asks for to the first state of a run: its cells, its prompt, its birth."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from perdure.clock import text_of
from perdure.errors import Unfit
from perdure.ids import ArtifactId, RunId, SessionId
from perdure.kernel.limits import Limits
from perdure.kernel.model import Birth, Deadline, ProgramRef
from perdure.kernel.values import Json

PROMPT_LETTERS_MAX: Final = 1_000  # of the prompt that lists search; the inputs keep it whole
DEADLINE_S_MAX: Final = 3_660 * 86_400  # ahead: ten years
PROMPT_PINS: Final = ("prompt", "message", "request", "task")
RUNTIME_PINS: Final = ("provider", "model")
RUNTIME, LIMITS, LIFECYCLE = "_runtime", "_limits", "_run_lifecycle"
RESERVED: Final = frozenset({RUNTIME, LIMITS, LIFECYCLE})
FOLDERS: Final = ("workspace_root", "workspace_allowed_paths")  # inputs that name folders
# A path that begins at the root, at somebody's home or at a drive, or climbs.
ABROAD: Final = re.compile(r"\s*[/\\~]|\s*[A-Za-z]:|(?:.*[/\\])?\s*\.\.\s*(?:[/\\]|$)", re.DOTALL)
NEVER_FROM_OUTSIDE: Final = frozenset({"workflow_policy"})  # of `_runtime`: the server's own word

# What flows read as `_limits`; the names are theirs.
LIMITS_DEFAULT: Final[Mapping[str, Json]] = {
    "max_iterations": 50,
    "current_iteration": 0,
    "max_tokens": 262_144,
    "max_output_tokens": 16_384,
    "max_input_tokens": None,
    "estimated_tokens_used": 0,
    "max_history_messages": -1,
    "warn_iterations_pct": 80,
    "warn_tokens_pct": 80,
}


class StartRequest(NamedTuple):
    """A run as a client asks for it. `key` is the request's own, so that a repeat starts nothing."""

    input_data: Mapping[str, Json]
    bundle_id: str | None = None
    bundle_version: str | None = None
    flow_id: str | None = None
    session_id: str | None = None
    registry_scope: str | None = None
    thinking: str | bool | None = None
    lifecycle: Json = None
    key: str | None = None
    deadline: str | None = None  # a time, as records write it
    timeout_s: float | None = None  # from the birth on; the earlier of the two counts

    def body(self) -> dict[str, Json]:
        """What must be the same in a repeat under the same key, which may come from before there were deadlines."""
        body = self._replace(key=None)._asdict()
        for name in ("deadline", "timeout_s"):
            if body[name] is None:
                del body[name]
        return body


class Chosen(NamedTuple):
    """The flow that a request means, as the run is pinned to it."""

    program: ProgramRef
    workflow_id: str


def birth_of(
    request: StartRequest, chosen: Chosen, run_id: RunId, at: str, limits: Limits
) -> Birth:
    """The birth of a root run. A run without a session is alone in one of its own name."""
    return Birth(
        id=run_id,
        workflow_id=chosen.workflow_id,
        program=chosen.program,
        created_at=at,
        root_id=run_id,
        session_id=SessionId(request.session_id or run_id),
        lifecycle=request.lifecycle,
        prompt=prompt_of(request.input_data),
        limits=limits,
    )


def deadline_of(request: StartRequest, run_id: RunId, now: datetime) -> Deadline | None:
    """When a run that is born now is to end. Raises `Unfit` for a time that has passed, or too far ahead."""
    latest = text_of(now + timedelta(seconds=DEADLINE_S_MAX))
    asked = {"deadline": request.deadline, "timeout_s": _after(request.timeout_s, now)}
    given = {name: at for name, at in asked.items() if at is not None}
    for name, at in given.items():
        if at <= text_of(now):
            raise Unfit(f"{name}: the run would have to end before it begins.", field=name)
        if at > latest:
            raise Unfit(f"{name}: at most {DEADLINE_S_MAX} seconds ahead.", field=name)
    return Deadline(min(given.values()), run_id) if given else None


def _after(seconds: float | None, now: datetime) -> str | None:
    """The time so long after now; of what is beyond the bound, one that is beyond it as well."""
    if seconds is None:
        return None
    return text_of(now + timedelta(seconds=min(seconds, 2 * DEADLINE_S_MAX)))


def cells_of(request: StartRequest) -> dict[str, Json]:
    """The cells of a run at seq 0: a cell for each input, and what is known about the run beside them.

    Raises `Unfit` for a folder that is not below the workspace of the runtime.
    """
    inputs = request.input_data
    _check_folders(inputs)
    cells = {f"in/{name}": value for name, value in inputs.items() if name not in RESERVED}
    cells[f"rt/{RUNTIME}"] = _runtime_of(request)
    cells[f"rt/{LIMITS}"] = {**LIMITS_DEFAULT, **_object(inputs.get(LIMITS))}
    if request.lifecycle is not None:
        cells[f"rt/{LIFECYCLE}"] = request.lifecycle
    return cells


def inputs_of(cells: Mapping[str, Json]) -> dict[str, Json]:
    """The inputs of a run, from its cells at seq 0."""
    return {
        name.removeprefix("in/"): value for name, value in cells.items() if name.startswith("in/")
    }


def prompt_of(inputs: Mapping[str, Json], letters_max: int | None = PROMPT_LETTERS_MAX) -> str:
    """The text that stands for a run: the first of its inputs that looks like a prompt."""
    texts = (inputs.get(name) for name in PROMPT_PINS)
    return next((text[:letters_max] for text in texts if isinstance(text, str) and text), "")


def artifacts_in(value: Json) -> Iterator[ArtifactId]:
    """Every artifact that a value refers to. The value was found to be shallow enough."""
    if isinstance(value, dict):
        named = value.get("$artifact")
        if isinstance(named, str):
            yield ArtifactId(named)
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from artifacts_in(part)


def _runtime_of(request: StartRequest) -> dict[str, Json]:
    """How the run's model calls are to be made, where the request says it."""
    sent = _object(request.input_data.get(RUNTIME))
    runtime = {name: it for name, it in sent.items() if name not in NEVER_FROM_OUTSIDE}
    for name in RUNTIME_PINS:
        asked = request.input_data.get(name)
        if isinstance(asked, str) and asked:
            runtime.setdefault(name, asked)
    if request.thinking is not None:
        runtime["thinking"] = request.thinking
    return runtime


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _check_folders(inputs: Mapping[str, Json]) -> None:
    for name in FOLDERS:
        given = inputs.get(name)
        paths = given if isinstance(given, list) else str(given or "").splitlines()
        if any(ABROAD.match(str(path)) for path in paths):
            raise Unfit(f"{name}: a path below the workspace, which no path leaves")
