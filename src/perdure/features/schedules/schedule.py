"""Schedules of a runtime: started, listed, shown and previewed, and what became of their planned times."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

import orjson
from msgspec.structs import replace

from perdure.clock import text_of, time_of
from perdure.errors import Invalid, RunNotFound, Unfit
from perdure.features.schedules.spec import Asked, Target, jitter_of, plan_of, spec_of
from perdure.features.schedules.standing import CHILD_STEPS, CLOSED, STANDING, Counts
from perdure.features.schedules.words import anchor_of, planned_between
from perdure.identity.audit import Entry
from perdure.ids import RunId, new_id
from perdure.kernel.limits import INTEGER_MAX
from perdure.kernel.model import TERMINAL, Birth, ProgramRef, Status
from perdure.kernel.values import Json
from perdure.runtimes.context import RuntimeContext
from perdure.services import runs
from perdure.services.births import StartRequest, birth_of, cells_of
from perdure.services.schedules import OCCURRENCE, SCHEDULE, SPEC, is_schedule
from perdure.stores.records import Record
from perdure.stores.runs import Header, Loaded, Request, RunQuery

READ_RECORDS: Final = 500  # of a ledger at a time, from its end
READS_MAX: Final = 10  # for one page: a page may be short and still not be the last


class Shown(NamedTuple):
    """A schedule as lists show it, with its cells."""

    header: Header
    cells: Mapping[str, Json]
    next_at: (
        datetime | None
    )  # when it runs next: the planned time, and its jitter; `None` where it does not

    @property
    def counts(self) -> Counts:
        """What it has come to so far."""
        kept = self.cells.get(STANDING)
        return Counts("") if kept is None else Counts(**kept)


class Page(NamedTuple):
    """Some rows, and the cursor of the next page where there is one."""

    items: Sequence[Shown]
    next: str | None


class Occurrence(NamedTuple):
    """What the ledger says of a planned time, and how its run stands; of several, if they have one record."""

    seq: int
    at: str
    told: Mapping[str, Json]
    status: Status | None


class Occurrences(NamedTuple):
    """Occurrences, newest first, and before which record the next page begins, where there is one."""

    items: Sequence[Occurrence]
    before: int | None


class Planned(NamedTuple):
    """A time that is planned, and when it is run."""

    planned_at: datetime
    runs_at: datetime


async def start(
    runtime: RuntimeContext, request: StartRequest, asked: Asked, entry: Entry | None = None
) -> RunId:
    """Commit the birth of a schedule and name it. The same request under the same key makes one.

    Raises as `services.runs.start` does, and `Invalid` or `Unfit` for terms that cannot be kept to.
    """
    once = None
    if request.key is not None:
        body = {"schedule": asked._asdict(), **request.body()}
        once = Request(request.key, runs.hash_of(body))
    return await runs.bear(runtime, once, lambda: _birth(runtime, request, asked), entry)


async def _birth(
    runtime: RuntimeContext, request: StartRequest, asked: Asked
) -> tuple[Birth, dict[str, Json]]:
    """The birth of a schedule: pinned to the bundle of what it runs, its ledger as long as its life."""
    chosen = await runs.checked(runtime, request)
    now, run_id, ref = runtime.clock.now(), RunId(new_id()), chosen.program
    assert ref.bundle is not None, "a flow is of a bundle"
    bundle = await runtime.bundle(ref.bundle)
    spec = spec_of(asked, Target(chosen.workflow_id, bundle.ref, ref.name), now)
    limits = runtime.run_limits
    birth = replace(birth_of(request, chosen, run_id, text_of(now), limits),
        workflow_id=f"scheduled:{run_id}", program=ProgramRef(SCHEDULE, ref.bundle, ref.name),
        limits=replace(limits, steps_max=INTEGER_MAX),
    )  # fmt: skip
    return birth, {**cells_of(request), SPEC: spec, CHILD_STEPS: limits.steps_max}


async def listed(runtime: RuntimeContext, query: RunQuery) -> Page:
    """A page of schedules, newest first."""
    page = await runtime.plane.runs.list(replace(query, program_kind=SCHEDULE))
    loaded = await runtime.plane.runs.load([it.birth.id for it in page.items])
    rows = [_shown(it, loaded[it.birth.id]) for it in page.items if it.birth.id in loaded]
    return Page(rows, page.next)


async def shown(runtime: RuntimeContext, run_id: RunId) -> Shown:
    """One schedule. Raises `RunNotFound`, also where the run is none."""
    header = await runtime.plane.runs.header(run_id)
    return _shown(header, await _loaded(runtime, run_id))


async def _loaded(runtime: RuntimeContext, run_id: RunId) -> Loaded:
    loaded = (await runtime.plane.runs.load([run_id])).get(run_id)
    if loaded is None or loaded.run.birth.program.kind != SCHEDULE:
        raise RunNotFound
    return loaded


def _shown(header: Header, loaded: Loaded) -> Shown:
    row = Shown(replace(header, schedule=loaded.cells[SPEC]), loaded.cells, None)
    if header.status in TERMINAL or CLOSED in loaded.cells:
        return row
    following = _following(loaded, 1)
    return row._replace(next_at=following[0].runs_at if following else None)


async def preview(
    runtime: RuntimeContext, run_id: RunId, limit: int, window: tuple[str, str] | None
) -> Sequence[Planned]:
    """The next planned times of a schedule; or those of a window, as a backfill would run them.

    Raises `RunNotFound`, `Invalid`. A schedule that has ended has no next ones.
    """
    loaded = await _loaded(runtime, run_id)
    if window is None:
        ended = loaded.run.status in TERMINAL
        return [] if ended else await asyncio.to_thread(_following, loaded, limit)
    try:  # beside others, whom a search through many years would keep waiting
        times = await asyncio.to_thread(planned_between, loaded.run, loaded.cells, window, limit)
    except Unfit as unfit:  # which is said of bodies alone
        raise Invalid(unfit.detail, **unfit.facts) from unfit
    return [_planned(loaded, it) for it in times]


def _following(loaded: Loaded, limit: int) -> list[Planned]:
    """The planned times that are not accounted for."""
    cells = loaded.cells
    spec, kept = cells[SPEC], cells.get(STANDING)
    plan = plan_of(spec, time_of(anchor_of(loaded.run, cells)))
    counts = Counts("") if kept is None else Counts(**kept)
    if spec["repeat_count"] is not None:
        limit = min(limit, spec["repeat_count"] - counts.planned)
    found: list[Planned] = []
    at = None if counts.after is None else time_of(counts.after)
    while len(found) < limit and (at := plan.after(at)) is not None:
        found.append(_planned(loaded, at))
    return found


def _planned(loaded: Loaded, at: datetime) -> Planned:
    return Planned(at, at + jitter_of(loaded.cells[SPEC], loaded.run.birth.id))


async def occurrences(
    runtime: RuntimeContext, run_id: RunId, limit: int, before: int | None
) -> Occurrences:
    """What became of planned times, newest first. Raises `RunNotFound`."""
    header = await runtime.plane.runs.header(run_id)
    if not is_schedule(header):
        raise RunNotFound
    end = header.seq + 1 if before is None else min(before, header.seq + 1)
    found: list[Occurrence] = []
    for _ in range(READS_MAX):
        if end <= 1 or len(found) >= limit:
            break
        after = max(0, end - 1 - READ_RECORDS)
        records = await runtime.plane.runs.ledger(run_id, after=after, limit=end - 1 - after)
        of_times = (it for record in reversed(records) if (it := _occurrence(record)) is not None)
        found += islice(of_times, limit - len(found))
        end = found[-1].seq if len(found) >= limit else after + 1
    rows = [await _with_status(runtime, it) for it in found]
    return Occurrences(rows, end if end > 1 else None)


def _occurrence(record: Record) -> Occurrence | None:
    """What a record says of a planned time: that it was begun, or passed over."""
    if b'"occurrence"' not in record.body:
        return None
    body = orjson.loads(record.body)
    effect = body["effect"] or {}
    if body["status"] != "started" and effect.get("type") != OCCURRENCE:
        return None
    payload = effect.get("payload")
    told = payload.get("occurrence") if isinstance(payload, dict) else None
    return (
        Occurrence(record.seq, body["started_at"], told, None) if isinstance(told, dict) else None
    )


async def _with_status(runtime: RuntimeContext, occurrence: Occurrence) -> Occurrence:
    run_id = occurrence.told.get("run_id")
    if not isinstance(run_id, str):
        return occurrence
    try:
        header = await runtime.plane.runs.header(RunId(run_id))
    except RunNotFound:
        return occurrence
    return occurrence._replace(status=header.status)
