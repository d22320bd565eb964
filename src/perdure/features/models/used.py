"""Who names an endpoint profile: routes, flows of installed bundles, and runs that are not finished."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from perdure.errors import BundleNotFound, RunNotFound
from perdure.features.models.settings import ModelsConfig
from perdure.kernel.model import Status
from perdure.kernel.values import Json
from perdure.runtimes.context import RuntimeContext
from perdure.stores.runs import Header, RunQuery

RUNS_MAX: Final = 200  # of each status that are looked at; what is beyond is told as `more`
OPEN: Final = (Status.RUNNING, Status.WAITING)


class FlowUse(NamedTuple):
    """A flow that names the profile."""

    bundle_id: str
    bundle_version: str
    flow_id: str


class RunUse(NamedTuple):
    """A run that is not finished and names the profile, by its flow or by its inputs."""

    run_id: str
    workflow_id: str
    status: str


class UsedBy(NamedTuple):
    """Who names a profile, as far as this runtime can tell. `more`: there are runs that were not looked at."""

    routes: tuple[str, ...]
    flows: tuple[FlowUse, ...]
    runs: tuple[RunUse, ...]
    more: bool


async def used_by(runtime: RuntimeContext, config: ModelsConfig, name: str) -> UsedBy:
    """Who names the profile `name` (`endpoint:<id>`), in this runtime alone."""
    routes = [key for key, it in config.routes.items() if it.partition("/")[0] == name]
    flows = await _flows(runtime, name)
    runs, more = await _runs(runtime, name)
    return UsedBy(tuple(sorted(routes)), tuple(flows), tuple(runs), more)


async def _flows(runtime: RuntimeContext, name: str) -> list[FlowUse]:
    found = []
    for installed in await runtime.plane.bundles.list():
        bundle = await runtime.bundle(installed.sha256)
        for flow_id, flow in bundle.flows.items():
            if names(flow, name):
                found.append(FlowUse(installed.bundle_id, installed.bundle_version, flow_id))
    return found


async def _runs(runtime: RuntimeContext, name: str) -> tuple[list[RunUse], bool]:
    found, more = [], False
    for status in OPEN:
        query = RunQuery(limit=RUNS_MAX, status=status, hidden=True, drafts=True)
        page = await runtime.plane.runs.list(query)
        more = more or page.next is not None
        found += [
            RunUse(it.birth.id, it.birth.workflow_id, it.status.value)
            for it in page.items
            if await _run_names(runtime, it, name)
        ]
    return found, more


async def _run_names(runtime: RuntimeContext, header: Header, name: str) -> bool:
    """Whether the flow that a run is pinned to, or what it was started with, names the profile."""
    program = header.birth.program
    try:
        if program.bundle is not None:
            bundle = await runtime.bundle(program.bundle)
            if any(names(flow, name) for flow in bundle.flows.values()):
                return True
        return names(dict(await runtime.plane.runs.state(header.birth.id, 0)), name)
    except (BundleNotFound, RunNotFound):  # gone since it was listed
        return False


def names(value: Json, name: str) -> bool:
    """Whether a text in the value is the profile's name, or a model of it."""
    return any(text == name or text.startswith(f"{name}/") for text in _texts(value))


def _texts(value: Json) -> Iterator[str]:
    left = [value]
    while left:
        match left.pop():
            case str() as text:
                yield text
            case dict() as table:
                left.extend(table.values())
            case list() as row:
                left.extend(row)
            case _:
                pass
