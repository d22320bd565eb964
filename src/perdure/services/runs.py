"""Runs of a runtime: started, shown, listed, followed and checked."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from hashlib import sha256
from typing import Final, NamedTuple

import orjson
from msgspec.structs import replace

from perdure.bundles.flow import input_pins
from perdure.clock import text_of
from perdure.errors import (
    ArtifactNotFound,
    DuplicateCommand,
    FeatureAbsent,
    Forbidden,
    Invalid,
    KeyReused,
    RunNotFound,
    Unfit,
)
from perdure.identity.audit import Entry
from perdure.ids import RunId, new_id
from perdure.kernel.draft import born
from perdure.kernel.model import Birth
from perdure.kernel.values import Json
from perdure.runtimes.context import RuntimeContext
from perdure.services import bundles
from perdure.services.births import (
    Chosen,
    StartRequest,
    artifacts_in,
    birth_of,
    cells_of,
    deadline_of,
    inputs_of,
)
from perdure.services.follow import Steps
from perdure.services.schedules import SCHEDULE, with_terms
from perdure.stores.records import Record
from perdure.stores.runs import Commit, Header, Request, RunPage, RunQuery, Verdict

SCOPES: Final = ("private", "tenant_catalog")
CATALOG_PREFIX: Final = "__catalog__"
BATCH_RECORDS_MAX: Final = 20_000  # of one answer, shared among the runs that it is about


class Inputs(NamedTuple):
    """What a run was started with. `pins` are the inputs that its flow declares."""

    header: Header
    bundle_id: str | None
    bundle_version: str | None
    flow_id: str
    pins: tuple[str, ...] | None
    given: Mapping[str, Json]


async def start(
    runtime: RuntimeContext, request: StartRequest, entry: Entry | None = None
) -> RunId:
    """Commit the birth of a run and name it; nothing of it has happened yet.

    The same request under the same key starts nothing and names the run of the first. Raises
    `KeyReused` for another request under that key, `TooMany` where the principal starts too many. `entry` goes on record in the same commit.
    """
    once = None if request.key is None else Request(request.key, hash_of(request.body()))
    return await bear(runtime, once, lambda: _birth(runtime, request), entry)


async def bear(
    runtime: RuntimeContext,
    once: Request | None,
    making: Callable[[], Awaitable[tuple[Birth, dict[str, Json]]]],
    entry: Entry | None = None,
) -> RunId:
    """Commit the birth that `making` makes and name it, unless the request was answered before. Raises as `start` does."""
    try:
        if once is not None and (first := await runtime.plane.runs.born_of(once)) is not None:
            return first
        if runtime.meter is not None:
            runtime.meter.start()
        birth, cells = await making()
        told = None if entry is None else entry._replace(at=birth.created_at, target=birth.id)
        lasting = birth.program.kind == SCHEDULE  # what it starts is asked for when it starts it
        commit = Commit(born(birth, cells), request=once, entry=told, unmarked=lasting)
        await runtime.plane.runs.commit(commit)
    except DuplicateCommand as duplicate:
        if duplicate.facts.get("other_body"):
            raise KeyReused from duplicate
        return RunId(str(duplicate.facts["run_id"]))
    return birth.id


async def checked(runtime: RuntimeContext, request: StartRequest) -> Chosen:
    """The flow that a request means. Raises where it could not run with these inputs."""
    _check_scope(request)
    chosen = await bundles.chosen(runtime, request)
    await runtime.program(chosen.program)
    await _check_artifacts(runtime, request)
    return chosen


async def _birth(runtime: RuntimeContext, request: StartRequest) -> tuple[Birth, dict[str, Json]]:
    """The birth that a request asks for, and the cells at seq 0; refused where it could not run."""
    chosen = await checked(runtime, request)
    now, run_id = runtime.clock.now(), RunId(new_id())
    birth = birth_of(request, chosen, run_id, text_of(now), runtime.run_limits)
    return replace(birth, deadline=deadline_of(request, run_id, now)), cells_of(request)


def hash_of(body: Json) -> str:
    """A hash that is the same for the same body, whatever the order of its members."""
    return sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _check_scope(request: StartRequest) -> None:
    named = (request.bundle_id or "", request.flow_id or "")
    if any(name.startswith(CATALOG_PREFIX) for name in named):
        raise Forbidden("This name is the server's own.", reason_code="reserved_id")
    scope = request.registry_scope or SCOPES[0]
    if scope not in SCOPES:
        raise Invalid(f"registry_scope is one of {', '.join(SCOPES)}.", reason="unknown_scope")
    if scope != SCOPES[0]:
        raise FeatureAbsent("This installation has no catalogue.", feature="catalog")


async def _check_artifacts(runtime: RuntimeContext, request: StartRequest) -> None:
    for artifact_id in dict.fromkeys(artifacts_in(dict(request.input_data))):
        try:
            await runtime.plane.artifacts.get(artifact_id)
        except ArtifactNotFound as missing:
            raise Unfit("The inputs name an artifact that is not there.") from missing


async def summary(runtime: RuntimeContext, run_id: RunId) -> Header:
    """What is known of a run. Raises `RunNotFound`."""
    (header,) = await with_terms(runtime, [await runtime.plane.runs.header(run_id)])
    return header


async def listed(runtime: RuntimeContext, query: RunQuery) -> RunPage:
    """A page of runs, newest first."""
    page = await runtime.plane.runs.list(query)
    return replace(page, items=await with_terms(runtime, page.items))


async def input_data(runtime: RuntimeContext, run_id: RunId) -> Inputs:
    """What a run was started with. Raises `RunNotFound`."""
    header = await runtime.plane.runs.header(run_id)
    given = inputs_of(await runtime.plane.runs.state(run_id, 0))
    ref = header.birth.program
    if ref.bundle is None:
        return Inputs(header, None, None, ref.name, None, given)
    bundle = await runtime.bundle(ref.bundle)
    flow = bundle.flows.get(ref.name)
    pins = None if flow is None else tuple(str(pin["id"]) for pin in input_pins(flow))
    manifest = bundle.manifest
    return Inputs(header, manifest.bundle_id, manifest.bundle_version, ref.name, pins, given)


async def ledger(
    runtime: RuntimeContext, run_id: RunId, *, after: int, limit: int
) -> Sequence[Record]:
    """Records after `after`, in order. Raises `RunNotFound`."""
    records = await runtime.plane.runs.ledger(run_id, after=after, limit=limit)
    if not records:
        await runtime.plane.runs.header(run_id)
    return records


async def ledger_batch(
    runtime: RuntimeContext, cursors: Mapping[RunId, int], *, limit: int
) -> Mapping[RunId, Sequence[Record]]:
    """Pages of several ledgers; unknown runs are left out."""
    share = min(limit, max(1, BATCH_RECORDS_MAX // max(1, len(cursors))))
    pages: dict[RunId, Sequence[Record]] = {}
    for run_id, after in cursors.items():
        try:
            pages[run_id] = await ledger(runtime, run_id, after=after, limit=share)
        except RunNotFound:
            continue
    return pages


async def follow(
    runtime: RuntimeContext, run_id: RunId, *, after: int, deltas: bool = False
) -> Steps:
    """The records after `after`, and then those that come, until the run ends. Raises `RunNotFound`.

    Whoever takes the steps closes them.
    """
    steps = Steps(runtime, run_id, after, deltas=deltas)
    with ExitStack() as listening:
        listening.callback(steps.close)
        await steps.begin()
        listening.pop_all()
    return steps


async def state(
    runtime: RuntimeContext, run_id: RunId, seq: int | None
) -> tuple[int, Mapping[str, Json]]:
    """The cells after a record, or after the last; and after which. Raises `RunNotFound`, `Invalid`."""
    at = (await runtime.plane.runs.header(run_id)).seq if seq is None else seq
    return at, await runtime.plane.runs.state(run_id, at)


async def verify(runtime: RuntimeContext, run_id: RunId) -> Verdict:
    """Hash every record again. Raises `RunNotFound`."""
    return await runtime.plane.runs.verify(run_id)
