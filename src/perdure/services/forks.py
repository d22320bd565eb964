"""Forks: a run that goes on, in its own name, from a moment of another one, without repeating harm."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final, NamedTuple

from msgspec.structs import replace

from perdure.clock import text_of
from perdure.errors import Divergent, DuplicateCommand, Invalid, KeyReused, LimitReached, Unfit
from perdure.identity.audit import Entry
from perdure.ids import RunId, SessionId, new_id
from perdure.kernel.draft import BESIDE, CHILD_KIND, born
from perdure.kernel.model import (
    TERMINAL,
    Birth,
    Failed,
    Guard,
    Ok,
    Point,
    Run,
    Start,
    Wait,
)
from perdure.kernel.values import Json
from perdure.registry.guarded import (
    DECLARED,
    FORK,
    RECORDED,
    TAKES,
    CameTo,
    forked_child,
    opened_cell,
    recorded_cells,
)
from perdure.runtimes.context import RuntimeContext
from perdure.services import bundles
from perdure.services.artifacts import ORIGINS, owners_of
from perdure.services.births import Chosen, StartRequest, inputs_of, prompt_of
from perdure.services.replays import PAGE, Told, Upto, tell
from perdure.services.runs import hash_of
from perdure.services.schedules import is_schedule
from perdure.stores.records import Recorded
from perdure.stores.runs import Commit, Header, Request

EDITABLE: Final = ("in/", "var/", "out/", "msg/")  # cells; where the flow stands is its own to say
CHILDREN_MAX: Final = 500  # of one tree


class ForkRequest(NamedTuple):
    """A fork as a client asks for it; without `from_seq` of where the run stands now.

    `edits` are cells, and `outcomes` what a simulation takes for effects of a node.
    """

    from_seq: int | None = None
    edits: Mapping[str, Json] = {}
    bundle_version: str | None = None
    effects: Guard = Guard.ASK
    outcomes: Mapping[str, Json] = {}
    key: str | None = None

    def body(self, run_id: RunId) -> dict[str, Json]:
        """What must be the same in a repeat under the same key."""
        return {"fork": run_id, **self._replace(key=None)._asdict()}


class Forked(NamedTuple):
    """The new run, and the moment that it goes on from."""

    run_id: RunId
    forked_from: Point


class Standing(NamedTuple):
    """A run as it stood whole at some moment, with its cells; `at` is when, `None` for now."""

    run: Run
    cells: dict[str, Json]
    at: str | None


async def fork(
    runtime: RuntimeContext, run_id: RunId, request: ForkRequest, entry: Entry | None = None
) -> Forked:
    """Give birth to a fork. It stands where the run last stood whole, no later than `from_seq`.

    Raises `RunNotFound`, `Invalid` beyond the head, `Unfit` for an edit of what is the machine's own,
    `Divergent` where another version would have come elsewhere, and what starting a run raises.
    """
    _check_edits(request)
    asked = None if request.key is None else Request(request.key, hash_of(request.body(run_id)))
    try:
        if asked is not None and (first := await runtime.plane.runs.born_of(asked)) is not None:
            return await _forked(runtime, first)
        birth, cells = await _birth(runtime, run_id, request)
        if runtime.meter is not None:
            runtime.meter.start()
        told = None if entry is None else entry._replace(at=birth.created_at, target=birth.id)
        await runtime.plane.runs.commit(Commit(born(birth, cells), request=asked, entry=told))
    except DuplicateCommand as duplicate:
        if duplicate.facts.get("other_body"):
            raise KeyReused from duplicate
        return await _forked(runtime, RunId(str(duplicate.facts["run_id"])))
    assert birth.forked_from is not None
    return Forked(birth.id, birth.forked_from)


async def _forked(runtime: RuntimeContext, run_id: RunId) -> Forked:
    """The fork that was asked for before."""
    point = (await runtime.plane.runs.header(run_id)).birth.forked_from
    if point is None:
        raise KeyReused
    return Forked(run_id, point)


def _check_edits(request: ForkRequest) -> None:
    for name in request.edits:
        if not name.startswith(EDITABLE):
            raise Unfit(
                f"A fork is given cells that begin with {', '.join(EDITABLE)}; not {name!r}."
            )


async def _birth(
    runtime: RuntimeContext, run_id: RunId, request: ForkRequest
) -> tuple[Birth, dict[str, Json]]:
    header = await runtime.plane.runs.header(run_id)
    if is_schedule(header):
        raise Invalid("A schedule is not forked: it would start everything twice.")
    chosen = await _chosen(runtime, header, request)
    standing = await _stood(runtime, header, request.from_seq, chosen)
    cells = await _cells(runtime, standing, request.effects, Room())
    cells |= request.edits
    cells |= {f"{DECLARED}{node_id}": result for node_id, result in request.outcomes.items()}
    if header.birth.guard is not None:
        cells[ORIGINS] = await owners_of(runtime.plane, header.birth)
    fork_id = RunId(new_id())
    return Birth(
        id=fork_id, workflow_id=chosen.workflow_id, program=chosen.program,
        created_at=text_of(runtime.clock.now()), root_id=fork_id, session_id=SessionId(fork_id),
        actor_id=header.birth.actor_id, lifecycle=header.birth.lifecycle,
        prompt=prompt_of(inputs_of(cells)), limits=runtime.run_limits,
        forked_from=Point(run_id, standing.run.seq), guard=request.effects,
    ), cells  # fmt: skip


async def _chosen(runtime: RuntimeContext, header: Header, request: ForkRequest) -> Chosen:
    """The definition that the fork goes on with: that of its origin, or another version of it."""
    birth = header.birth
    if request.bundle_version is None:
        return Chosen(birth.program, birth.workflow_id)
    if birth.program.bundle is None:
        raise Invalid("The run is pinned to no bundle, so there are no versions of it.")
    manifest = (await runtime.bundle(birth.program.bundle)).manifest
    return await bundles.chosen(runtime, StartRequest(
        {}, bundle_id=manifest.bundle_id, bundle_version=request.bundle_version,
        flow_id=birth.program.name, lifecycle=birth.lifecycle,
    ))  # fmt: skip


# --- where a run stood --------------------------------------------------------------------------


async def _stood(
    runtime: RuntimeContext, header: Header, seq: int | None, chosen: Chosen
) -> Standing:
    """The run after a record, told under the definition that the fork is to have."""
    if seq is not None and not 0 <= seq <= header.seq:
        raise Invalid(f"`from_seq` is between 0 and {header.seq}", seq=seq)
    is_head = seq is None or seq == header.seq
    if is_head and chosen.program == header.birth.program and header.status not in TERMINAL:
        return await _now(runtime, header.birth.id)
    birth = replace(header.birth, program=chosen.program, workflow_id=chosen.workflow_id)
    written = None if chosen.program == header.birth.program else header.birth
    upto = Upto(header.seq if seq is None else seq)
    return _whole(await tell(runtime, birth, upto, written))


async def _now(runtime: RuntimeContext, run_id: RunId) -> Standing:
    loaded = (await runtime.plane.runs.load([run_id]))[run_id]
    return Standing(loaded.run, loaded.cells, None)


def _whole(told: Told) -> Standing:
    """Where a run that was told again last stood whole. Raises `Divergent`."""
    if told.difference is not None:
        raise Divergent(**told.difference._asdict())
    told.retold.stand()
    run = told.retold.run
    return Standing(run, told.retold.cells, run.updated_at)


# --- what a fork is born with ---------------------------------------------------------------------


class Room:
    """How many children of a tree may still be forked."""

    def __init__(self) -> None:
        """Begin with all."""
        self._left = CHILDREN_MAX

    def take(self) -> None:
        """Count one. Raises `LimitReached`."""
        self._left -= 1
        if self._left < 0:
            raise LimitReached(f"A fork takes at most {CHILDREN_MAX} children along.")


async def _cells(
    runtime: RuntimeContext, standing: Standing, guard: Guard, room: Room
) -> dict[str, Json]:
    """The cells of a fork: those of the moment, what was open, and what is known of what comes."""
    run, cells = standing.run, dict(standing.cells)
    for name in [it for it in cells if it.startswith((RECORDED, DECLARED, BESIDE))]:
        del cells[name]  # of the origin, where that is a fork itself
    children: dict[RunId, Start] = {}
    for entry in run.open.values():
        if isinstance(entry.what, Wait) and entry.what.child is not None:
            room.take()
            start = await _child(runtime, entry.what, standing.at, guard, room)
            children[entry.what.child] = start
    if not run.ready:
        cells[FORK] = opened_cell(run, children)
    if guard in TAKES:
        came = [one async for one in _came(runtime, run.id, run.seq)]
        cells |= recorded_cells(guard, came)
    return cells


async def _child(
    runtime: RuntimeContext, wait: Wait, at: str | None, guard: Guard, room: Room
) -> Start:
    """A child as it stood at that moment, ready to go on below the fork."""
    assert wait.child is not None
    header = await runtime.plane.runs.header(wait.child)
    if at is None and header.status not in TERMINAL:
        standing = await _now(runtime, wait.child)
    else:
        standing = _whole(await tell(runtime, header.birth, Upto(header.seq, at)))
    cells = await _cells(runtime, standing, guard, room)
    point = Point(wait.child, standing.run.seq)
    return forked_child(wait, header.birth, cells, point)


async def _came(runtime: RuntimeContext, run_id: RunId, point: int) -> AsyncIterator[CameTo]:
    """What the run came to after the point, in the order in which it had asked for it."""
    begun: dict[str, int] = {}
    came: list[tuple[int, CameTo]] = []
    after = 0
    while page := await runtime.plane.runs.recorded(run_id, after=after, limit=PAGE):
        for whole in page:
            body = whole.read.body
            begun.setdefault(body["step_id"], whole.read.seq)
            if whole.read.seq > point:
                came += [(begun[body["step_id"]], one) for one in _outcome_in(whole.read)]
        after = page[-1].record.seq
    for _, one in sorted(came, key=lambda pair: pair[0]):
        yield one


def _outcome_in(record: Recorded) -> Iterator[CameTo]:
    """The outcome of an effect or of a child that was waited for, where the record is one."""
    body = record.body
    key, effect, status = body["idempotency_key"] or "", body["effect"] or {}, body["status"]
    is_child = effect.get("type") == CHILD_KIND
    if is_child is not key.startswith("subworkflow:") or key.startswith("system:") or not key:
        return
    if not effect:
        return  # no ledger of ours has this
    if status == "completed":
        outcome: Ok | Failed = Ok(body["result"])
    elif status == "failed":
        code, _, detail = (body["error"] or "").partition(": ")
        outcome = Failed(code, detail, result=body["result"])
    else:
        return
    yield CameTo(effect["type"], body["node_id"], effect["payload"], outcome)
